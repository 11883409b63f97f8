"""Journeys: cue sheets that say who does what, what must be known first, and how completion is verified."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from policies.words import Assurance, Risk


class _Sheet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Choose(_Sheet):
    """How a slot is picked from a list that a tool read: orders of the customer, items of an order."""

    source: str
    """Evidence path of a list of records: "orders.orders", "order.items"."""
    value: str
    """The field that becomes the slot's value: "order_id", "item_id"."""
    label: list[str]
    """Fields that describe a record to the customer and are matched with their words: ["name", "variant"]."""
    only: dict[str, list[str]] = Field(default_factory=dict)
    """Field → values: only such records are offered, as long as there are any (orders that can still be cancelled)."""
    many: bool = False
    """Whether several may be chosen ("all of them"); the slot's value is then a list."""
    single: Literal["take", "ask"] = "take"
    """With one candidate: take it, or ask all the same."""


class Need(_Sheet):
    """One thing that must be known before a step, and how it is asked for."""

    slot: str
    kind: str
    """What kind of entity fills it: order_id, email, postcode, phone, name, date, amount, items, address, text,
    choice."""
    ask: str
    """Reply template that asks for it."""
    ask_again: str = ""
    """Template for the second time, with another way to answer; `ask` again when empty."""
    options: dict[str, list[str]] = Field(default_factory=dict)
    """For a choice: value → phrases that mean it."""
    choose: Choose | None = None
    optional: bool = False
    """Filled when the customer says it, never asked for."""
    at_most: int = 3
    """How often it is asked before the case goes to a person."""


class Step(_Sheet):
    """One cue."""

    id: str
    does: str
    """One sentence for people."""
    owner: Literal["ai", "person"] = "ai"
    after: list[str] = Field(default_factory=list)
    """Ids of steps that must be done first."""
    needs: list[str] = Field(default_factory=list)
    """Slots that must be filled first; asked for in this order, one at a time."""
    unless: list[str] = Field(default_factory=list)
    """Skipped when these slots are all filled by the customer already: listing orders when the order is known."""
    tool: str = ""
    arguments: dict[str, str] = Field(default_factory=dict)
    """Argument → where it comes from: "slot:order_id", "evidence:quote.amount_minor", "value:EUR". A slot without a
    value leaves an optional argument out."""
    check: str = ""
    """Decision table that says what this customer may have; exactly one of `tool`, `check` and `owner: person`."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """For a check: table input → source, in the same words as `arguments`. Facts of the next write step's tool are
    there by their own names: "fact:order.status"."""
    refusals: dict[str, str] = Field(default_factory=dict)
    """Refusal code of the tool, or verdict of the check, → reply template that ends the journey. "*" for any other."""
    hand_over: list[str] = Field(default_factory=list)
    """Of `refusals` the codes after which a person takes over, in that template's words, instead of the journey's end.
    "*" for all of them."""
    again: dict[str, str] = Field(default_factory=dict)
    """Of `refusals` the codes after which a slot is asked for again, in that template's words: code → slot."""
    confirm: str = ""
    """Template that shows a consequential step's details, from its arguments and evidence, and asks for a yes."""
    waiting: str = ""
    """Template for the interim reply while a person decides on it; of a person's own step, what is said last."""
    rejected: str = ""
    """Template when a person said no; {approval.message} is the person's reason."""


class Completion(_Sheet):
    """How it is verified, in the system of record, that the goal was reached."""

    steps: list[str]
    """Ids of steps that must be done."""
    verify: str = ""
    """Condition over evidence for people and evals: "refund.status == 'issued'"."""


class Journey(_Sheet):
    """One kind of matter."""

    id: str
    title: str
    goal: str
    kind: Literal["steps", "open", "answer", "person"] = "steps"
    """Fixed steps; open: goal and tools, planned by a model; answer: from knowledge; person: straight to one."""
    owner: str
    """Who answers for it in the business."""
    risk: Risk = Risk.LOW
    assurance: Assurance = Assurance.ANONYMOUS
    """How well the customer must be known before the first step."""
    priority: Literal["low", "normal", "high"] = "normal"
    queue: str = "service"
    """Where its escalations go."""
    utterances: list[str] = Field(min_length=5)
    """What customers say when they want it; the classifier learns from these."""
    needs: list[Need] = Field(default_factory=list)
    steps: list[Step] = Field(default_factory=list)
    tools: list[str] = Field(default_factory=list)
    """For an open journey: the tools it may use. For the others: those of its steps."""
    at_most: int = 0
    """For an answer: how often it is given in one conversation before a person takes over; 0 for no limit."""
    handles: list[str] = Field(default_factory=list)
    """Flags that this journey is there for: a trigger on one of them doesn't cut its questions short. Only for a
    journey that ends with a person in any case."""
    articles: list[str] = Field(default_factory=list)
    """For an answer: ids of the articles that hold it, whatever words the customer uses; empty for all articles."""
    done: str = ""
    """Reply template when complete."""
    done_by: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Reply template by the value of an evidence path: {"order.status": {"shipped": "status_shipped", "*": "x"}}."""
    completion: Completion | None = None

    @property
    def allowed_tools(self) -> frozenset[str]:
        """Every tool that this journey may propose."""
        return frozenset(self.tools) | frozenset(step.tool for step in self.steps if step.tool)

    @property
    def ends_with_person(self) -> bool:
        """Whether its last step is a person's, so that it gathers what they need and hands over."""
        return bool(self.steps) and self.steps[-1].owner == "person"


class VerificationMethod(_Sheet):
    """One way to find out who this is: the slots it needs and the tool that checks them."""

    id: str
    tool: str
    slots: dict[str, str]
    """Tool argument → slot."""
    assurance: Assurance


class Language(_Sheet):
    """What the brand can say and understand in one more language: `languages/de.yaml`. What is missing, people say."""

    disclosure: str
    date_format: str
    templates: dict[str, str]
    """The ids of the voice's own, those that there are words for."""
    utterances: dict[str, list[str]] = Field(default_factory=dict)
    """Journey → what customers say in this language; journeys that are left out are for people."""
    phrases: dict[Literal["greeting", "thanks", "goodbye", "person"], list[str]] = Field(default_factory=dict)
    """What is said around a matter, and how somebody asks for a person."""


class Voice(_Sheet):
    """How the brand talks: its name, its disclosure, and the reply templates that are not a journey's own."""

    language: str = "en"
    """Two-letter code of the language that `templates` and the journeys' utterances are in."""
    languages: dict[str, Language] = Field(default_factory=dict)
    """By code, the further ones; read from the folder `languages`."""

    brand: str
    assistant: str
    """How the AI introduces itself."""
    disclosure: str
    """Said first in each conversation: that this is an AI."""
    templates: dict[str, str]
    """Template id → text with {evidence.paths}. The ids that the agents need are in `REQUIRED_TEMPLATES`."""
    date_format: str = "%-d %B %Y"
    most_words: int = Field(default=120, ge=20)
    """How many words of its own a writer may use in one draft; templates, passages and values don't count."""
    reading_grade: int = Field(default=10, ge=3)
    """The highest reading level of a writer's own words, in years of school."""

    def speaks(self, template: str, *, language: str) -> bool:
        """Whether there are words for a template in a language."""
        if language == self.language:
            return template in self.templates
        return language in self.languages and template in self.languages[language].templates

    def in_language(self, language: str) -> "Voice":
        """The voice with the words of a language where there are any, and its own where there are none."""
        other = self.languages.get(language)
        if other is None:
            return self
        return self.model_copy(
            update={
                "disclosure": other.disclosure,
                "date_format": other.date_format,
                "templates": self.templates | other.templates,
            }
        )


REQUIRED_TEMPLATES = frozenset(
    {
        "greeting",
        "thanks",
        "goodbye",
        "clarify",  # {options}: the titles it hesitates between
        "not_understood",
        "ask_identity",  # asks for what the first verification method needs
        "ask_identity_again",  # after a failed check: another combination, no hint which part was wrong
        "verified",
        "identity_locked",  # too many failed checks; goes to a person
        "confirm_again",  # the answer to a confirmation was unclear; repeats the details
        "declined",  # the customer said no to a confirmation
        "waiting",  # a person must approve; honest, no promise
        "still_waiting",  # asked again while an approval is pending
        "withdrawn",  # the customer took a waiting request back
        "rejected",  # {approval.message}
        "responded",  # {approval.message}
        "expired",
        "denied",  # policy says no; offers a person
        "unavailable",  # a system is down; goes to a person
        "escalated",
        "with_person_soon",
        "no_answer",  # knowledge has nothing
        "anything_else",
        "already_done",
        "reconciling",  # the outcome of an action isn't known yet
    }
)
