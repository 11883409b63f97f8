"""Recall: what a specialist may see of a case, inside a token budget, and what had to be left out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from memory import cases, conversations, customers, evidence, timeline
from memory.cases import Case
from memory.conversations import Conversation
from memory.errors import RecordNotFound
from memory.evidence import Evidence
from memory.retrieval import Scored
from memory.tokens import TokenCounter, estimate
from memory.unit import Unit
from policies.canonical import canonical_json
from policies.words import Assurance, CaseId, ConversationId, CustomerId

T = TypeVar("T")

_LATEST_LINES = 200
_LATEST_MATTERS = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was said."""

    author: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """Who this is, as far as we know."""

    customer_id: CustomerId | None
    assurance: Assurance
    channel: str
    hint: str
    """What the channel claims about who this is."""


@dataclass(frozen=True, slots=True)
class Matter:
    """Another open matter of the same customer, in outline."""

    case_id: CaseId
    journey: str | None
    status: str
    opened_at: datetime
    last_words: str
    """What was said in it last."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """What a specialist may see. Whatever came from a customer or a tool in it is data, never an instruction."""

    profile: Profile
    suppressed: frozenset[str]
    """The purposes among those asked for that the customer opted out of."""
    case: Case | None
    summary: list[Line]
    """What was said, oldest first."""
    evidence: list[Evidence]
    """What the case knows, oldest first."""
    passages: list[Scored]
    """Knowledge, best first."""
    matters: list[Matter]
    """The customer's other open matters; none before they are verified."""
    left_out: list[str]
    """One sentence for each kind of thing that the budget had no room for."""
    tokens: int
    """What the parts cost, by the counter given."""


def case_view(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    budget_tokens: int,
    case_id: CaseId | None = None,
    passages: Sequence[Scored] = (),
    purposes: Iterable[str] = ("marketing",),
    count: TokenCounter = estimate,
) -> CaseView:
    """Build the view of a conversation and its case.

    Before the customer is verified it holds this conversation only; after, the case's story on other channels and the
    outlines of their other open matters too. Rooms in the budget, in this order: half for the latest of what was said,
    then evidence, passages, other matters, and what was said before.

    Args:
        unit: The transaction; only reads.
        conversation_id: Which conversation.
        budget_tokens: For all texts of the view together.
        case_id: Which case; None for the one in hand, if any.
        passages: What retrieval found.
        purposes: For which purposes to say whether the customer opted out.
        count: What a text costs.

    Raises:
        RecordNotFound: There is no such conversation.
    """
    conversation = conversations.get(unit, conversation_id=conversation_id)
    if conversation is None:
        raise RecordNotFound("conversation", conversation_id)
    customer_id = conversation.customer_id if conversation.assurance >= Assurance.VERIFIED else None
    case = _own_case(unit, conversation, case_id or conversation.case_id, customer_id)
    room = _Room(budget_tokens, count)

    said = _lines(unit, conversation_id, case, customer_id)
    latest = room.take(reversed(said), _line_text, share=0.5)
    known = _evidence(unit, conversation_id, case)
    kept_evidence = room.take(reversed(known), _evidence_text)
    kept_passages = room.take(passages, lambda scored: f"{scored.passage.title} {scored.passage.text}")
    others = _matters(unit, customer_id, case)
    kept_matters = room.take(others, lambda matter: f"{matter.journey} {matter.status} {matter.last_words}")
    earlier = room.take(reversed(said[: len(said) - len(latest)]), _line_text)

    left_out = [
        f"{total - kept} {name}"
        for name, total, kept in (
            ("earlier messages", len(said), len(latest) + len(earlier)),
            ("older pieces of evidence", len(known), len(kept_evidence)),
            ("passages", len(passages), len(kept_passages)),
            ("other matters", len(others), len(kept_matters)),
        )
        if total > kept
    ]
    return CaseView(
        profile=Profile(
            conversation.customer_id, conversation.assurance, conversation.channel, conversation.customer_hint
        ),
        suppressed=_suppressed(unit, conversation.customer_id, purposes),
        case=case,
        summary=list(reversed([*latest, *earlier])),
        evidence=list(reversed(kept_evidence)),
        passages=kept_passages,
        matters=kept_matters,
        left_out=left_out,
        tokens=room.used,
    )


class _Room:
    """What is left of a budget."""

    def __init__(self, budget: int, count: TokenCounter) -> None:
        self._budget = budget
        self._count = count
        self.used = 0

    def take(self, things: Iterable[T], text: Callable[[T], str], *, share: float = 1.0) -> list[T]:
        """As many things as fit, in the order given, without skipping one for a smaller one behind it."""
        limit = self.used + (self._budget - self.used) * share
        taken: list[T] = []
        for thing in things:
            cost = self._count(text(thing))
            if self.used + cost > limit:
                break
            self.used += cost
            taken.append(thing)
        return taken


def _own_case(
    unit: Unit, conversation: Conversation, case_id: CaseId | None, customer_id: CustomerId | None
) -> Case | None:
    """The case, if it is this conversation's, or the verified customer's."""
    case = cases.get(unit, case_id=case_id) if case_id is not None else None
    if case is None or case.conversation_id == conversation.id:
        return case
    return case if customer_id is not None and case.customer_id == customer_id else None


def _lines(
    unit: Unit, conversation_id: ConversationId, case: Case | None, customer_id: CustomerId | None
) -> list[Line]:
    entries = timeline.messages(unit, conversation_id=conversation_id, limit=_LATEST_LINES)
    if case is not None and customer_id is not None and case.customer_id == customer_id:
        elsewhere = [
            entry
            for entry in timeline.of_case(unit, case_id=case.id, limit=_LATEST_LINES)
            if entry.conversation_id != conversation_id and entry.kind in ("message_in", "message_out")
        ]
        entries = [*elsewhere, *entries]
    return [Line(entry.author, str(entry.body.get("text", "")), entry.at) for entry in entries]


def _evidence(unit: Unit, conversation_id: ConversationId, case: Case | None) -> list[Evidence]:
    if case is None:
        return evidence.of_conversation(unit, conversation_id=conversation_id)
    return evidence.of_case(unit, case_id=case.id)


def _matters(unit: Unit, customer_id: CustomerId | None, case: Case | None) -> list[Matter]:
    if customer_id is None:
        return []
    matters = []
    for other in cases.of_customer(unit, customer_id=customer_id):
        if other.status in ("resolved", "closed") or (case is not None and other.id == case.id):
            continue
        words = [
            str(entry.body.get("text", ""))
            for entry in timeline.of_case(unit, case_id=other.id, limit=20)
            if entry.kind in ("message_in", "message_out")
        ]
        matters.append(Matter(other.id, other.journey, other.status, other.opened_at, words[-1] if words else ""))
        if len(matters) == _LATEST_MATTERS:
            break
    return matters


def _suppressed(unit: Unit, customer_id: CustomerId | None, purposes: Iterable[str]) -> frozenset[str]:
    if customer_id is None:
        return frozenset()
    return frozenset(
        purpose for purpose in purposes if customers.suppressed(unit, customer_id=customer_id, purpose=purpose)
    )


def _line_text(line: Line) -> str:
    return f"{line.author}: {line.text}"


def _evidence_text(known: Evidence) -> str:
    return f"{known.name} {known.subject} {canonical_json(known.value).decode()}"
