"""What each specialist is asked and what it answers: typed tasks, plain JSON, no side effects."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from policies.words import Json, Origin


class Typed(BaseModel):
    """Base of all tasks and answers: unknown fields are refused, values can't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(Typed):
    """One thing that was said in this conversation."""

    author: Literal["customer", "assistant", "person"]
    text: str


class Question(Typed):
    """What our last reply asked, so that the answer is read in its light."""

    kind: Literal["slot", "confirm", "clarify", "identity"]
    case_id: str
    slots: list[str] = Field(default_factory=list)
    options: dict[str, list[str]] = Field(default_factory=dict)
    """Value → phrases, for a choice or a clarification (journey id → its title)."""
    records: list[dict[str, Json]] = Field(default_factory=list)
    """Candidates shown, in the order shown ("the second one")."""
    request_digest: str = ""
    """For a confirmation: digest of tool and arguments that were shown."""
    evidence_ids: list[str] = Field(default_factory=list)


class Entity(Typed):
    """Something the customer named."""

    kind: str
    """order_id, email, postcode, phone, name, date, amount, items, address, ordinal, all, text, choice, …"""
    value: Json
    """Normalised: e-mail lower case, phone E.164, date ISO, amount {"amount_minor", "currency"}, address as a map."""
    text: str
    start: int
    end: int
    intent: int | None = None
    """Index of the intent in whose clause it stands; None if it belongs to all."""
    negated: bool = False
    """"not order 20418"."""


class IntentGuess(Typed):
    """One thing the customer wants."""

    journey: str
    confidence: float = Field(ge=0, le=1)
    answer: Literal["accept", "clarify", "abstain"]
    alternatives: list[str] = Field(default_factory=list)
    """For clarify: the journeys it hesitates between, best first."""
    text: str = ""
    """The clause it was read from."""


class IntentTask(Typed):
    """Read one message, or a burst of them joined by newlines."""

    text: str
    """Screened: card numbers and secrets are masked."""
    transcript: list[Line]
    question: Question | None
    open_journeys: list[str]
    """Journeys of the open cases, the current one first."""
    recent_journey: str = ""
    """Journey of the matter that was last in hand here, done or not: "and order 20592?" asks for the same."""
    pending_approval: bool = False
    now: datetime


Act = Literal["request", "inform", "confirm", "decline", "withdraw", "status", "thanks", "goodbye", "greeting", "other"]


class IntentReading(Typed):
    """What the customer wants, named, and feels."""

    act: Act
    intents: list[IntentGuess] = Field(default_factory=list)
    """New matters, in order of mention; empty for an answer to our question, thanks, or small talk."""
    entities: list[Entity] = Field(default_factory=list)
    sentiment: float = Field(default=0.0, ge=-1, le=1)
    priority: Literal["low", "normal", "high"] = "normal"
    flags: list[str] = Field(default_factory=list)
    """asks_person, angry, legal_threat, vulnerable, opt_out, fraud, cannot_answer (has not got what we asked for)…"""
    language: str = "en"
    confidence: float = Field(default=1.0, ge=0, le=1)


class AuthenticationTask(Typed):
    """Decide which check comes next."""

    needed: int
    current: int
    known: dict[str, Json]
    """Identity slots from evidence of this conversation: email, postcode, order_id, name, phone."""
    failed: list[dict[str, Json]]
    """Arguments of checks that failed in this conversation."""
    asked: int
    """How often identity was asked for in this conversation."""
    cannot: list[str] = Field(default_factory=list)
    """Slots that the customer says they don't have."""


class Source(Typed):
    """Where an argument came from, as the specialist claims; the graph checks the claim against rows."""

    origin: Origin
    ref: str = ""


class ToolProposal(Typed):
    """A tool call somebody would like to make."""

    tool: str
    arguments: dict[str, Json]
    provenance: dict[str, Source] = Field(default_factory=dict)
    why: str = ""
    occurrence: str = ""
    step: str = ""
    """The journey's step it belongs to."""


class AuthenticationAdvice(Typed):
    """The next check, or none."""

    state: Literal["enough", "ask", "verify", "give_up"]
    ask: list[str] = Field(default_factory=list)
    """Slots to ask for, in one question."""
    call: ToolProposal | None = None


class Known(Typed):
    """One piece of evidence as a specialist sees it."""

    id: str
    name: str
    """"order_id" for a slot, "order" for what a tool returned."""
    kind: str
    subject: str = ""
    value: Json
    source: str = ""


AttemptState = Literal[
    "committed",
    "failed",
    "unknown",
    "denied",
    "needs_confirmation",
    "waiting",
    "rejected",
    "responded",
    "withdrawn",
    "expired",
    "escalated",
]


class Attempt(Typed):
    """A request made earlier in this case, and what became of it."""

    request_id: str
    tool: str
    arguments: dict[str, Json]
    step: str = ""
    state: AttemptState
    code: str = ""
    """Refusal code of the tool, or the first rule that denied."""
    message: str = ""
    """The reviewer's words, or the rule's sentence."""
    this_turn: bool = False
    asked_on: str = ""
    """Of one that waits for a person: the day since when, ISO 8601."""
    asked_time: str = ""
    """The time of that day: "09:30 UTC"."""


class Confirmation(Typed):
    """The customer's yes to details that they were shown."""

    evidence_id: str
    request_digest: str
    spent: bool = False


class EligibilityTask(Typed):
    """Say what this customer may have at one check of the journey."""

    journey: str
    step: str
    table: str
    inputs: dict[str, Json]
    about: dict[str, Json] = Field(default_factory=dict)
    """Arguments of the call that the check guards: which order, which items. Not for the table."""


class EligibilityVerdict(Typed):
    """The outcome of a check."""

    step: str
    verdict: str
    """"eligible", or what the table's `verdict` column says; "unknown" if it could not be decided."""
    values: dict[str, Json] = Field(default_factory=dict)
    reasons: list[str] = Field(default_factory=list)
    inputs: dict[str, Json] = Field(default_factory=dict)
    about: dict[str, Json] = Field(default_factory=dict)
    """What it was decided on, and for which call; a verdict on others than the present ones counts no more."""


class WorkflowTask(Typed):
    """Choose the next cue for one case."""

    journey: str | None
    text: str
    """The customer's message of this turn."""
    act: Act
    flags: list[str]
    known: list[Known]
    """Evidence of this case and the identity slots of the conversation, latest per name and subject."""
    attempts: list[Attempt]
    eligibility: list[EligibilityVerdict]
    confirmations: list[Confirmation]
    authentication: AuthenticationAdvice
    asked: dict[str, int]
    """Slot → how often it was asked in this conversation."""
    question: Question | None
    """What our previous reply asked, if it was about this case or about who is writing."""
    answer: Literal["yes", "no", "unclear", "none"] = "none"
    """How deterministic code read the customer's answer to a confirmation."""
    clarify: list[str] = Field(default_factory=list)
    """Journeys to choose between when the intent was not clear."""
    pending: list[Attempt] = Field(default_factory=list)
    """Requests of this customer that wait for a person's approval, in any turn."""
    withdrawn: bool = False
    """Whether this message took back a request that waited for a person; it has been withdrawn."""
    noted: bool = False
    """Whether this message was put beside a request that waits for a person; whoever decides sees it."""
    tools: list[str] = Field(default_factory=list)
    """The tools that the journey permits; of an open one, those that policy could let pass at this step."""
    passages: list[str] | None = None
    """Ids of the passages that recall found for the message; None where nobody says."""
    transcript: list[Line] = Field(default_factory=list)
    """What was said so far, for an open journey: its plan begins with what was asked for, some messages ago."""
    now: datetime


class Cue(Typed):
    """What happens next in a case."""

    kind: Literal["call", "ask", "confirm", "schedule", "wait", "reply", "escalate", "close"]
    call: ToolProposal | None = None
    """For `call` and `confirm`: the request; a confirm's is shown to the customer, not made."""
    template: str = ""
    """Reply template for every kind but `call`."""
    lead: str = ""
    """Template said before it: that an answer was unclear, before the details once more."""
    slots: list[str] = Field(default_factory=list)
    records: list[dict[str, Json]] = Field(default_factory=list)
    """For `ask`: the candidates to show."""
    options: dict[str, list[str]] = Field(default_factory=dict)
    values: dict[str, Json] = Field(default_factory=dict)
    """Extra values for the template, rendered like evidence."""
    evidence: dict[str, str] = Field(default_factory=dict)
    """Which row of evidence a name in the template means, by id, where the case has several of that name."""
    reason: str = ""
    """For `escalate` and for the record: why, in one sentence."""
    fulfils: bool = False
    """Whether the journey's goal is reached with this reply."""
    ends: bool = False
    """Whether the case is closed after this reply, reached or not."""
    until: datetime | None = None
    """For `schedule`."""


class Passage(Typed):
    """A piece of an approved article."""

    id: str
    article: str
    version: str
    title: str
    text: str
    score: float = 0.0


class DraftTask(Typed):
    """Write the reply of a turn from its cues."""

    cues: list[Cue]
    """In order; all but the last are finished parts, at most one question, at the end."""
    journeys: list[str | None]
    """The journey of each cue."""
    known: list[Known]
    passages: list[Passage] = Field(default_factory=list)
    text: str
    asked: str = ""
    """The part of the message that this case is about; empty for all of it."""
    language: str = "en"
    disclose: bool
    """Whether this reply must say first that it comes from an AI."""
    flags: list[str] = Field(default_factory=list)
    sentiment: float = 0.0
    hold_reasons: list[str] = Field(default_factory=list)
    """Why the previous draft was held, for the rewrite."""
    rewrites: int = 0
    """How often it has been written anew; after the first time no model is asked any more."""


class Draft(Typed):
    """A reply that refers to evidence: {order.total} is filled in by us, never written by a model."""

    text: str
    cites: list[str] = Field(default_factory=list)
    """Ids of passages it rests on."""


class DraftsTask(Typed):
    """Write several drafts of one reply, each for a matter of its own."""

    drafts: list[DraftTask]


class Drafts(Typed):
    """The drafts, in the order of their tasks."""

    drafts: list[Draft]
