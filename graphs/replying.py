"""What the reply of a turn is made of: its cues, the values they may show, the question it ends with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from agents.journeys import Voice
from agents.rendering import values_of as evidence_values
from agents.tasks import Cue, IntentReading, Known, Passage, Question
from graphs.context import House, TurnContext
from graphs.matter import CLARIFY
from graphs.matter import known as as_known
from memory import approvals, evidence, requests, timeline
from memory.store import Unit
from policies.canonical import digest
from policies.words import ActionRequest, CaseId, ConversationId, Json, RequestId, TurnId


@dataclass(frozen=True, slots=True)
class Part:
    """One cue of the reply and the case it is about."""

    ordinal: int
    cue: Cue
    case_id: CaseId
    request_id: RequestId | None


def parts_of(
    unit: Unit, ctx: TurnContext, *, turn_id: TurnId, ordinals: list[int], cases: Mapping[str, str]
) -> list[Part]:
    """The cues at these places of the turn.

    Args:
        unit: The transaction.
        ctx: The run.
        turn_id: The turn.
        ordinals: Places of cues, in order.
        cases: Place → case, for cues of other cases than the request's own.
    """
    parts = []
    for ordinal in ordinals:
        row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=ordinal)
        assert row is not None  # noqa: S101  # workflow wrote it
        request = requests.request_at(unit, turn_id=turn_id, ordinal=ordinal)
        case_id = request.case_id if request and request.case_id else CaseId(cases[str(ordinal)])
        parts.append(Part(ordinal, Cue.model_validate(row.output), case_id, request.request.id if request else None))
    return parts


def unsaid(unit: Unit, *, conversation_id: ConversationId, turn_id: TurnId, ordinals: list[int]) -> list[int]:
    """Those of the cues that no message of this turn has told the customer yet."""
    said = {
        place
        for entry in timeline.of_turn(unit, conversation_id=conversation_id, turn_id=turn_id)
        for place in cast(list[int], entry.body.get("covers", []))
    }
    return [ordinal for ordinal in ordinals if ordinal not in said]


def values_of(
    unit: Unit, house: House, *, turn_id: TurnId, parts: Sequence[Part], known: list[Known]
) -> dict[str, Json]:
    """What placeholders may be filled with: evidence, each cue's call, the words of a person who decided.

    A call's own arguments stand above whatever a cue says they are: what the customer confirms is what would run.
    """
    reserved = {spec.returns for spec in house.tools} | {"approval", "args"}
    values = evidence_values(known, [part.cue for part in parts], reserved=reserved)
    for place, part in enumerate(parts, start=1):
        if part.request_id is None:
            continue
        request = requests.get_request(unit, request_id=part.request_id).request
        arguments: Json = dict(request.arguments)
        own = values.get(f"cue{place}")
        called: dict[str, Json] = {
            name: value for name, value in request.arguments.items() if not isinstance(value, list)
        }
        called |= _amount_of(house, request) | {"args": arguments}
        values[f"cue{place}"] = {**(own if isinstance(own, dict) else {}), **called}
        values |= called if len(parts) == 1 else {"args": arguments}
    said = [
        approval.votes[-1].note
        for approval in approvals.of_turn(unit, turn_id=turn_id)
        if approval.votes and approval.status in {"rejected", "responded"}
    ]
    if said:
        values["approval"] = {"message": said[-1]}
    return values


def _amount_of(house: House, request: ActionRequest) -> dict[str, Json]:
    """What a call moves, as one amount."""
    if request.tool not in house.tools:
        return {}
    spec = house.tools.get(request.tool)
    amount = request.arguments.get(spec.amount_argument) if spec.amount_argument else None
    if not isinstance(amount, int) or isinstance(amount, bool):
        return {}
    return {"amount": {"amount_minor": amount, "currency": str(request.arguments.get(spec.currency_argument, ""))}}


def known_of(unit: Unit, *, case_id: CaseId) -> list[Known]:
    """The case's evidence that stands, as values for a reply; the record in hand last, so that it wins."""
    rows = [row for row in evidence.of_case(unit, case_id=case_id) if row.kind not in {"confirmation", "eligibility"}]
    return [as_known(row) for row in sorted(rows, key=lambda row: row.at)]


def voice_of(unit: Unit, ctx: TurnContext, *, turn_id: TurnId, reading: int | None) -> Voice:
    """The brand's voice in the language that the customer writes, as this turn's reading has it."""
    return ctx.house.playbook.voice.in_language(_written(unit, ctx, turn_id=turn_id, reading=reading))


def language_of(unit: Unit, ctx: TurnContext, *, turn_id: TurnId, reading: int | None) -> str:
    """The language that the reply is in, two letters: the customer's where the brand has words in it, else its own."""
    written = _written(unit, ctx, turn_id=turn_id, reading=reading)
    playbook = ctx.house.playbook
    return written if written in playbook.voice.languages else playbook.sheet.locale[:2]


def _written(unit: Unit, ctx: TurnContext, *, turn_id: TurnId, reading: int | None) -> str:
    """The language that the customer writes, as this turn's reading has it; empty if there is none yet."""
    row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=reading) if reading is not None else None
    return IntentReading.model_validate(row.output).language if row is not None else ""


def question_of(part: Part) -> Question | None:
    """What the customer's next message is read in the light of; None for a reply that asks nothing."""
    cue = part.cue
    if cue.kind == "confirm" and cue.call is not None:
        return Question(
            kind="confirm",
            case_id=part.case_id,
            request_digest=digest({"tool": cue.call.tool, "arguments": dict(cue.call.arguments)}),
        )
    if cue.kind != "ask":
        return None
    kind: Literal["identity", "slot", "clarify"] = "slot"
    if cue.slots == [CLARIFY]:
        kind = "clarify"
    elif cue.template.startswith("ask_identity"):
        kind = "identity"
    return Question(kind=kind, case_id=part.case_id, slots=cue.slots, options=cue.options, records=cue.records)


def passages_of(house: House, ids: Sequence[str], *, journey: str | None = None) -> list[Passage]:
    """The passages with these ids that may be said today, in the order asked, which is their score.

    A journey that names its articles is answered from these alone: what of them has one of the ids first, then the rest
    of them, whatever words the customer used.
    """
    sheet = house.playbook.journeys.get(journey or "")
    pinned = frozenset(sheet.articles) if sheet else frozenset[str]()
    by_id = {
        passage.id: passage
        for passage in house.playbook.passages_at(house.clock())
        if not pinned or passage.article_id in pinned
    }
    found = [by_id[one] for one in ids if one in by_id]
    rest = [passage for passage in by_id.values() if passage.id not in ids] if pinned else []
    return [
        Passage(
            id=passage.id,
            article=passage.article_id,
            version=str(passage.version),
            title=passage.title,
            text=passage.text,
            score=1 / (place + 1) if place < len(found) else 0.0,
        )
        for place, passage in enumerate([*found, *rest])
    ]
