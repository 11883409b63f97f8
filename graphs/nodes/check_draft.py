"""check_draft: the output guardrail. Fills in values from evidence; holds what claims more than evidence shows (P9)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from langgraph.runtime import Runtime

from agents.draft_check import DraftCase, Receipted, check, leaves_of
from agents.journeys import Voice
from agents.rendering import SAID, in_words, money
from agents.tasks import Cue, Draft, Known
from graphs.context import House, TurnContext
from graphs.entitlement import unearned
from graphs.matter import RECENT, Matter, load
from graphs.nodes.draft import grouped
from graphs.playbook import Playbook
from graphs.replying import Part, known_of, language_of, passages_of, values_of, voice_of
from graphs.state import TurnState
from memory import audit, cases, conversations, receipts, requests, timeline
from memory.knowledge import passages_of as passages_in
from memory.readings import Reading
from memory.store import Unit
from policies.detectors.plainness import WORD
from policies.detectors.prose import ProseRules
from policies.words import CaseId, Json, TurnId

REWRITES = 2
"""How often a held draft is written again before templates alone speak: by whoever wrote it, then without a model."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A reply ready to be sent, or the reasons why it isn't."""

    text: str
    holds: tuple[str, ...]
    is_unearned: bool = False
    """Whether the cues themselves can't be said, so that no other draft of them helps."""


async def check_draft(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Render and check; once more from draft with the reasons, then by the playbook's own templates alone."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    ordinal = state["ordinal"]
    done = await ctx.reading(turn_id=turn_id, ordinal=ordinal)
    if done is not None and done.task == "Held":
        held = done.output["holds"]
        return {
            "ordinal": ordinal + 1,
            "holds": [str(reason) for reason in held] if isinstance(held, list) else [],
            "rewrites": state.get("rewrites", 0) + 1,
            "next": "draft",
        }
    checked = await ctx.read(lambda unit: _check(unit, ctx, state, turn_id))
    if checked.is_unearned and state.get("outcome") != "escalated":
        _note(ctx, state, turn_id, checked.holds)
        return {"reason": checked.holds[0], "parts": [], "next": "escalate"}
    if checked.holds and state.get("rewrites", 0) < REWRITES:
        _keep(ctx, state, turn_id, "Held", {"holds": list(checked.holds)})
        return {
            "ordinal": ordinal + 1,
            "holds": list(checked.holds),
            "rewrites": state.get("rewrites", 0) + 1,
            "next": "draft",
        }
    text = checked.text
    if checked.holds:
        text, is_safe = await ctx.read(lambda unit: _plain(unit, ctx, state, turn_id))
        if not is_safe:
            return {"reason": "the details to be confirmed could not be shown", "parts": [], "next": "escalate"}
    _keep(ctx, state, turn_id, "Reply", {"text": text, "holds": list(checked.holds)})
    return {"ordinal": ordinal + 1, "reply": ordinal, "next": "close"}


def _check(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId) -> Checked:
    """The reply's drafts, as they were stored."""
    groups = grouped(unit, ctx, state, turn_id)
    if groups and not state["drafts"]:
        refused = unborne(unit, ctx, state, turn_id, groups)
        return Checked("", (refused or "nobody could draft it",), is_unearned=bool(refused))
    drafts = []
    for place in state["drafts"]:
        row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=place)
        assert row is not None  # noqa: S101  # draft wrote it
        drafts.append(Draft.model_validate(row.output))
    return check_reply(unit, ctx, state, turn_id, drafts)


def check_reply(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId, drafts: Sequence[Draft]) -> Checked:
    """Every draft of a reply, or of its beginning, rendered, with all that stands against it."""
    texts: list[str] = []
    holds: list[str] = []
    groups = grouped(unit, ctx, state, turn_id)
    if not groups:
        return Checked("", ())
    if refused := unborne(unit, ctx, state, turn_id, groups):
        return Checked("", (refused,), is_unearned=True)
    for number, (written, (case_id, parts)) in enumerate(zip(drafts, groups, strict=False)):
        case = case_of(unit, ctx, state, turn_id, case_id, parts, first=number == 0)
        checked = check(written, case)
        holds += checked.holds
        holds += [
            f"{name}: not shown in what is to be confirmed"
            for name in unshown(unit, ctx.house, parts, checked.text, case.known)
        ]
        texts.append(checked.text)
    # Two cases may have come to the same words; they are said once.
    return Checked("\n\n".join(dict.fromkeys(text for text in texts if text)), tuple(holds))


def unborne(
    unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId, groups: list[tuple[CaseId, list[Part]]]
) -> str:
    """Why the cues of the reply may not be said at all; empty if their cases bear them out."""
    for case_id, parts in groups:
        matter = load(unit, conversation_id=ctx.conversation_id, case_id=case_id, turn_id=turn_id)
        for part in parts:
            if why := unearned(part.cue, matter, ctx.house):
                return why
    return ""


def case_of(
    unit: Unit,
    ctx: TurnContext,
    state: TurnState,
    turn_id: TurnId,
    case_id: CaseId,
    parts: list[Part],
    *,
    first: bool,
) -> DraftCase:
    """What may back the part of the reply that is about one case."""
    house = ctx.house
    voice = voice_of(unit, ctx, turn_id=turn_id, reading=state.get("reading"))
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    channel = conversation.channel if conversation else "chat"
    case = cases.get(unit, case_id=case_id)
    known = known_of(unit, case_id=case_id)
    matter = load(unit, conversation_id=ctx.conversation_id, case_id=case_id, turn_id=turn_id)
    values = values_of(unit, house, turn_id=turn_id, parts=parts, known=known)
    said = values.get("approval")
    lines = timeline.messages(unit, conversation_id=ctx.conversation_id, limit=RECENT)
    passages = passages_of(house, state.get("passages", []), journey=case.journey if case else None)
    return DraftCase(
        voice=voice,
        own=[voice.templates[name] for part in parts for name in named(part.cue) if name in voice.templates],
        values=values,
        passages={passage.id: f"{passage.title}\n{passage.text}" for passage in passages},
        known=[*(row for row in known if row.kind not in SAID), *_waiting(matter)],
        receipts=_receipts(unit, house, case_id),
        customer="\n".join(str(line.body.get("text", "")) for line in lines if line.kind == "message_in"),
        labels=[
            *(journey.title for journey in house.playbook.journeys.values()),
            *([str(said.get("message", ""))] if isinstance(said, dict) else []),
        ],
        words=words_of(house.playbook, voice),
        rules=ProseRules(house.desk.seats(unit, case_id=None, now=ctx.now).in_force.prose_rules),
        channel=channel,
        language=language_of(unit, ctx, turn_id=turn_id, reading=state.get("reading")),
        discloses=first and conversation is not None and not conversation.disclosed,
    )


def named(cue: Cue) -> tuple[str, ...]:
    """The templates that a cue is said with."""
    return tuple(name for name in (cue.lead, cue.template) if name)


@lru_cache(maxsize=4)
def _vocabulary(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.replace("’", "'") for word in WORD.findall("\n".join(texts).casefold()))


def words_of(playbook: Playbook, voice: Voice) -> frozenset[str]:
    """The words that a playbook uses itself, in this voice, in small letters."""
    articles = (f"{one.title} {one.text}" for article in playbook.articles for one in passages_in(article))
    titles = (f"{journey.title} {journey.goal}" for journey in playbook.journeys.values())
    return _vocabulary((voice.brand, voice.assistant, *voice.templates.values(), *titles, *articles))


def _waiting(matter: Matter) -> list[Known]:
    """Since when requests of the conversation are with a person, as their rows say."""
    return [
        Known(
            id=f"waiting-{one.request_id}",
            name="waiting",
            kind="fact",
            subject=one.request_id,
            value={"asked_on": one.asked_on, "asked_time": one.asked_time},
            source="approvals",
        )
        for one in matter.pending
        if one.asked_on
    ]


def _receipts(unit: Unit, house: House, case_id: CaseId) -> list[Receipted]:
    return [
        Receipted(receipt.tool, house.tools.get(receipt.tool).returns, dict(receipt.result or {}), receipt.arguments)
        for receipt in receipts.of_case(unit, case_id=case_id)
        if receipt.state == "committed"
        and receipt.tool in house.tools
        and house.tools.get(receipt.tool).kind == "write"
    ]


def unshown(unit: Unit, house: House, parts: list[Part], text: str, known: Sequence[Known]) -> list[str]:
    """Arguments that say what a call to be confirmed would do, and that the customer would not see in the text."""
    missing = []
    # What a reading says that the customer said names nothing: a record does.
    recorded = [row for row in known if row.kind not in SAID]
    for part in parts:
        if part.cue.kind != "confirm" or part.request_id is None:
            continue
        request = requests.get_request(unit, request_id=part.request_id).request
        spec = house.tools.get(request.tool)
        amount = request.arguments.get(spec.amount_argument)
        if (
            isinstance(amount, int)
            and money(amount, str(request.arguments.get(spec.currency_argument, ""))) not in text
        ):
            missing.append(spec.amount_argument)
        for name in dict.fromkeys((*spec.identity, spec.record_argument)):
            value = request.arguments.get(name)
            if value is None or is_labelled(name, value, text, recorded):
                continue
            if not _is_shown(value, text, recorded, house):
                missing.append(name)
    return missing


def _is_shown(value: Json, text: str, known: Sequence[Known], house: House) -> bool:
    if isinstance(value, list):
        return all(_is_shown(each, text, known, house) or _is_named(each, text, known) for each in value)
    return in_words(value, house.playbook.voice) in text


def is_labelled(name: str, value: Json, text: str, known: Sequence[Known]) -> bool:
    """Whether one thing that was chosen from a list is in the text by its label: a half day, whose id says nothing."""
    labels = {
        str(leaf.get("label", ""))
        for row in known
        for leaf in leaves_of(row.value)
        if isinstance(leaf, dict) and leaf.get(name) == value
    } - {""}
    return len(labels) == 1 and all(len(label) >= SHORTEST_NAME and label in text for label in labels)


def _is_named(value: Json, text: str, known: Sequence[Known]) -> bool:
    """Whether a record of evidence that has this id is in the text by what it is called."""
    records = [leaf for row in known for leaf in leaves_of(row.value) if isinstance(leaf, dict)]
    return any(
        value in record.values()
        and any(
            isinstance(each, str) and len(each) >= SHORTEST_NAME and each != value and each in text
            for each in record.values()
        )
        for record in records
    )


SHORTEST_NAME = 4


def _plain(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId) -> tuple[str, bool]:
    """The reply by templates alone, and whether it may be sent: it shows all that is to be confirmed."""
    voice = voice_of(unit, ctx, turn_id=turn_id, reading=state.get("reading"))
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    texts = [voice.disclosure] if conversation is not None and not conversation.disclosed else []
    groups = grouped(unit, ctx, state, turn_id)
    shown: list[Known] = []
    for number, (case_id, parts) in enumerate(groups):
        for part in parts:
            case = case_of(unit, ctx, state, turn_id, case_id, [part], first=number == 0)
            shown += case.known
            for template in named(part.cue):
                checked = check(Draft(text=voice.templates[template]), replace(case, discloses=False))
                texts.append(voice.templates["not_understood"] if checked.holds else checked.text)
    text = "\n\n".join(dict.fromkeys(texts))
    return text, not any(unshown(unit, ctx.house, parts, text, shown) for _, parts in groups)


def _keep(ctx: TurnContext, state: TurnState, turn_id: TurnId, task: str, output: dict[str, Json]) -> None:
    reading = Reading(turn_id, state["ordinal"], task, "check_draft", "", "", output, ctx.now)
    ctx.notes.store_later(reading, conversation_id=ctx.conversation_id)
    if holds := output["holds"]:
        _note(ctx, state, turn_id, [str(hold) for hold in holds] if isinstance(holds, list) else [])


def _note(ctx: TurnContext, state: TurnState, turn_id: TurnId, holds: Sequence[str]) -> None:
    now = ctx.now
    ctx.notes.later.append(
        lambda unit: audit.append(
            unit,
            case_id=CaseId(state["case_id"]),
            conversation_id=ctx.conversation_id,
            kind="draft_held",
            ids={"turn": turn_id},
            payload={"holds": [*holds]},
            at=now,
        )
    )
