"""One case as the specialists see it: its evidence, what was attempted and what came of it, read from rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agents.tasks import Attempt, AttemptState, Confirmation, EligibilityVerdict, Known, Line, Question
from graphs.context import TurnContext
from memory import approvals, cases, conversations, evidence, receipts, requests, timeline
from memory.approvals import Approval
from memory.cases import Case
from memory.conversations import Conversation
from memory.evidence import Evidence
from memory.receipts import Receipt
from memory.requests import DecisionRow, RequestRow
from memory.store import Unit
from policies.canonical import decision_from_json
from policies.words import ApprovalId, CaseId, ConversationId, RequestId, TurnId

IDENTITY_SLOTS = frozenset({"email", "postcode", "phone", "name"})
"""Evidence of these names says who is writing, so every case of the conversation sees it."""

CANNOT = "cannot"
"""Name of the evidence that the customer hasn't got something; its subject is the slot."""

CUSTOMER_TRUST = 1
PERSON_TRUST = 3
SYSTEM_TRUST = 4
"""How far a statement is believed: what a customer said, what a colleague said, what a system of record said."""


IDENTITY = "identity"
"""Under which questions about who is writing are counted, whatever they ask for."""

CLARIFY = "clarify"
"""The slot under which questions about the matter itself are counted."""

ADDITION = "addition"
"""Name of the evidence that the customer added something to a waiting request; its subject is the approval."""

WITHDRAWAL = "withdrawal"
"""Name of the evidence that the customer took a waiting request back; its subject is the approval."""

UNDONE = "undone"
"""Code of an attempt that happened and was undone since: it is as if it had failed."""

RECENT = 24
"""How many of the latest messages, both sides counted, a specialist reads."""


@dataclass(frozen=True, slots=True)
class Matter:
    """Everything that one pass of workflow looks at."""

    conversation: Conversation
    case: Case
    known: list[Known]
    attempts: list[Attempt]
    confirmations: list[Confirmation]
    verdicts: list[EligibilityVerdict]
    pending: list[Attempt]
    """Requests of this conversation that wait for a person, in any turn."""
    withdrawn: bool
    """Whether this turn's message took back a request that waited for a person."""
    noted: bool
    """Whether this turn's message stands beside a request that waits for a person."""
    asked: dict[str, int]
    question: Question | None
    """What our last reply asked, whatever case it was about."""
    transcript: list[Line]
    resolved: int
    """How many matters of the case's journey came to their goal in this conversation."""


def approval_id_of(request_id: RequestId) -> ApprovalId:
    """The approval of a request; an edit keeps it, whatever request then stands behind it."""
    return ApprovalId(f"apr-{request_id.removeprefix('req-')}")


async def matter_of(ctx: TurnContext, *, case_id: CaseId, turn_id: TurnId) -> Matter:
    """One case as it stands, for one turn of the run; read again after a write of the run."""
    noted = ctx.notes.fresh.get(case_id)
    if noted is not None:
        return noted
    return await ctx.read(lambda unit: read_matter(unit, ctx, case_id=case_id, turn_id=turn_id))


def read_matter(unit: Unit, ctx: TurnContext, *, case_id: CaseId, turn_id: TurnId) -> Matter:
    """The same, together with whatever else is read of this unit."""
    if ctx.notes.messages is None:
        ctx.notes.messages = timeline.messages(unit, conversation_id=ctx.conversation_id, limit=RECENT)
    matter = load(
        unit, conversation_id=ctx.conversation_id, case_id=case_id, turn_id=turn_id, entries=ctx.notes.messages
    )
    ctx.notes.fresh[case_id] = ctx.notes.seen[case_id] = matter
    return matter


def load(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    case_id: CaseId,
    turn_id: TurnId,
    entries: list[timeline.Entry] | None = None,
) -> Matter:
    """Read one case as it stands, for one turn.

    Args:
        unit: The transaction.
        conversation_id: Where.
        case_id: Which.
        turn_id: The turn that looks at it.
        entries: The conversation's latest messages, if they have been read.
    """
    conversation = conversations.get(unit, conversation_id=conversation_id)
    case = cases.get(unit, case_id=case_id)
    if conversation is None or case is None:
        raise LookupError("The turn's conversation or case is gone.")
    rows = visible(unit, conversation_id=conversation_id, case_id=case_id)
    outcomes = _Outcomes.of_case(unit, case_id)
    proposed = outcomes.requests.values()
    attempts = [
        _attempt(unit, row, outcomes, turn_id)
        for row in proposed
        if row.supersedes is None and not row.request.occurrence.startswith(requests.UNDO)
    ]
    # A call whose outcome somebody must find out first waits for a person too.
    waiting = [
        attempt.model_copy(update=_since(outcomes.called_at(attempt)))
        for attempt in attempts
        if attempt.state == "unknown" and attempt.code != "in_flight"
    ]
    for approval in approvals.pending_of_conversation(unit, conversation_id=conversation_id):
        elsewhere = outcomes if approval.case_id in {case_id, None} else _Outcomes.of_case(unit, approval.case_id)
        first = next(row for row in elsewhere.requests.values() if approval_id_of(row.request.id) == approval.id)
        waiting.append(_attempt(unit, first, elsewhere, turn_id).model_copy(update=_since(approval.asked_at)))
    if entries is None:
        entries = timeline.messages(unit, conversation_id=conversation_id, limit=RECENT)
    asked, question = _questions(entries, turn_id, case_id)
    return Matter(
        conversation=conversation,
        case=case,
        known=[known(row) for row in rows if row.kind not in {"confirmation", "eligibility"}],
        attempts=attempts,
        confirmations=[
            Confirmation(evidence_id=row.id, request_digest=str(row.value["digest"]), spent=row.spent)
            for row in rows
            if row.kind == "confirmation" and isinstance(row.value, dict)
        ],
        verdicts=[
            EligibilityVerdict.model_validate(row.value)
            for row in rows
            # Of this turn only: what a customer may have is checked afresh each time they come back to it.
            if row.kind == "eligibility" and row.subject == turn_id
        ],
        pending=waiting,
        withdrawn=any(row.name == WITHDRAWAL and row.source == turn_source(turn_id) for row in rows),
        noted=any(row.name == ADDITION and row.source == turn_source(turn_id) for row in rows),
        asked=asked,
        question=question,
        transcript=_lines(entries),
        resolved=cases.times_resolved(unit, conversation_id=conversation_id, journey=case.journey)
        if case.journey
        else 0,
    )


def _since(moment: datetime | None) -> dict[str, str]:
    """Since when somebody waits, as a specialist may say it."""
    return {} if moment is None else {"asked_on": moment.date().isoformat(), "asked_time": f"{moment:%H:%M} UTC"}


def turn_source(turn_id: TurnId) -> str:
    """The source of what the customer said in a turn."""
    return f"customer, turn {turn_id}"


def known(row: Evidence) -> Known:
    """A row of evidence in the specialists' words."""
    return Known(id=row.id, name=row.name, kind=row.kind, subject=row.subject, value=row.value, source=row.source)


def visible(unit: Unit, *, conversation_id: ConversationId, case_id: CaseId) -> list[Evidence]:
    """The case's evidence and the conversation's identity slots; nothing that was superseded."""
    return evidence.visible(unit, case_id=case_id, conversation_id=conversation_id, shared=IDENTITY_SLOTS | {CANNOT})


def next_after(ctx: TurnContext, case_id: CaseId) -> Literal["eligibility", "workflow"]:
    """Where the turn goes on with a case: past eligibility where its journey, as it was last seen, has no checks."""
    seen = ctx.notes.seen.get(case_id)
    journey = ctx.house.playbook.journeys.get(seen.case.journey or "") if seen else None
    has_none = journey is not None and not any(step.check for step in journey.steps)
    return "workflow" if has_none else "eligibility"


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """What a case's requests have led to, read at once."""

    requests: dict[RequestId, RequestRow]
    receipts: dict[RequestId, Receipt]
    approvals: dict[ApprovalId, Approval]

    def is_undone(self, receipt: Receipt) -> bool:
        """Whether another effect of the case has undone this one."""
        undoing = (
            request_id
            for request_id, row in self.requests.items()
            if row.request.occurrence == f"{requests.UNDO}{receipt.id}"
        )
        return any(self.receipts[one].state == "committed" for one in undoing if one in self.receipts)

    def called_at(self, attempt: Attempt) -> datetime | None:
        """When a request's call was made."""
        approval = self.approvals.get(approval_id_of(RequestId(attempt.request_id)))
        receipt = self.receipts.get(approval.request_id if approval else RequestId(attempt.request_id))
        return receipt.started_at if receipt is not None else None

    @classmethod
    def of_case(cls, unit: Unit, case_id: CaseId | None) -> "_Outcomes":
        if case_id is None:
            return cls({}, {}, {})
        return cls(
            {row.request.id: row for row in requests.of_case(unit, case_id=case_id)},
            {receipt.request_id: receipt for receipt in receipts.of_case(unit, case_id=case_id)},
            {approval.id: approval for approval in approvals.of_case(unit, case_id=case_id)},
        )


def _attempt(unit: Unit, row: RequestRow, outcomes: _Outcomes, turn_id: TurnId) -> Attempt:
    """What became of a request as it was proposed; an edit by a person stands in its place."""
    approval = outcomes.approvals.get(approval_id_of(row.request.id))
    effective = outcomes.requests[approval.request_id] if approval else row
    receipt = outcomes.receipts.get(effective.request.id)
    state, code, message = _standing(unit, effective, approval, receipt)
    if state == "committed" and receipt is not None and outcomes.is_undone(receipt):
        state, code = "failed", UNDONE
    return Attempt(
        request_id=row.request.id,
        tool=row.request.tool,
        arguments=dict(effective.request.arguments),
        step=row.step,
        state=state,
        code=code,
        message=message,
        this_turn=row.turn_id == turn_id,
    )


def _standing(
    unit: Unit, row: RequestRow, approval: Approval | None, receipt: Receipt | None
) -> tuple[AttemptState, str, str]:
    if receipt is not None:
        states: dict[str, AttemptState] = {"committed": "committed", "failed": "failed"}
        return states.get(receipt.state, "unknown"), receipt.error_code, ""
    made = requests.decisions_of(unit, request_id=row.request.id)
    last = made[-1] if made else None
    if last is not None and last.phase == "ledger":
        return ("unknown" if first_rule(last) == "in_flight" else "denied"), first_rule(last), first_sentence(last)
    if approval is not None and approval.status not in {"approved", "spent", "void"}:
        words: dict[str, AttemptState] = {
            "pending": "waiting",
            "rejected": "rejected",
            "responded": "responded",
            "withdrawn": "withdrawn",
            "expired": "expired",
        }
        code = approval.fallback if approval.status == "expired" else ""
        return words[approval.status], code, approval_message(approval)
    if last is None:
        return "escalated", "not_judged", ""
    if last.phase == "confirm":
        return "needs_confirmation", first_rule(last), ""
    if last.effect == "deny":
        return "denied", first_rule(last), first_sentence(last)
    return "escalated", first_rule(last), first_sentence(last)


def first_rule(row: DecisionRow) -> str:
    """The id of the first rule that decided, or nothing."""
    rules = decision_from_json(row.decision).rules
    return rules[0] if rules else ""


def first_sentence(row: DecisionRow) -> str:
    """Its sentence, for people."""
    verdicts = decision_from_json(row.decision).verdicts
    return verdicts[0].sentence if verdicts else ""


def approval_message(approval: Approval) -> str:
    """The words of the last person who answered."""
    return approval.votes[-1].note if approval.votes else ""


def _questions(
    entries: list[timeline.Entry], turn_id: TurnId, case_id: CaseId
) -> tuple[dict[str, int], Question | None]:
    """How often each slot was asked for, for this case or for who is writing; and what our last reply asked."""
    asked: dict[str, int] = {}
    last: Question | None = None
    for entry in entries:
        if entry.kind != "message_out" or entry.turn_id == turn_id:
            continue
        body = entry.body.get("question")
        last = Question.model_validate(body) if body else None
        if last is not None and last.kind == "identity":
            asked[IDENTITY] = asked.get(IDENTITY, 0) + 1
        for slot in last.slots if last else []:
            if slot in IDENTITY_SLOTS or slot == CLARIFY or (last and last.case_id == case_id):
                asked[slot] = asked.get(slot, 0) + 1
    return asked, last


def _lines(entries: list[timeline.Entry]) -> list[Line]:
    return [
        Line(
            author="customer" if entry.kind == "message_in" else "assistant",
            text=str(entry.body.get("text", "")),
        )
        for entry in entries
    ]
