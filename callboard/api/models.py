"""What comes in and goes out over HTTP. Strict: an unknown field or a wrong type is refused, not guessed at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from graphs.results import ApprovalState, Channel, TurnOutcome, TurnResult
from memory.approval_notes import ApprovalNote
from memory.approvals import Approval
from memory.erasure import Erasure, LegalHold

IDENTIFIER = r"^[\x21-\x7e]{1,128}$"
PRINTABLE = r"^[\x20-\x7e]{1,128}$"
SOMETHING = r"\S"

Limits = dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[int, Field(ge=0)]]
ToolName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,127}$")]

JsonObject = dict[str, Any]
"""Plain JSON. `Any`, because a recursive type would swell the OpenAPI document without saying more."""


class In(BaseModel):
    """A request's body."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Out(BaseModel):
    """A response's body."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class MessageIn(In):
    """One message of a customer."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {"message_id": "m-1", "channel": "chat", "text": "Where is my order 20418?"},
                {
                    "message_id": "m-2",
                    "channel": "sms",
                    "text": "mira.okafor@example.org, 10115",
                    "customer_hint": "+49 30 1234567",
                },
            ]
        },
    )

    message_id: Annotated[str, Field(pattern=PRINTABLE)]
    """Given by you, 1 to 128 printable ASCII characters. The same id gives the same result, however often sent."""
    channel: Channel = "chat"
    """How the message arrived."""
    text: Annotated[str, Field(min_length=1, max_length=8000, pattern=SOMETHING)]
    """What the customer wrote, 1 to 8,000 characters."""
    customer_hint: Annotated[str, Field(max_length=256)] = ""
    """What the channel believes about who writes. It verifies nobody."""


class TurnOut(Out):
    """Where the message's turn stands now."""

    turn_id: str
    conversation_id: str
    case_id: str | None
    outcome: TurnOutcome
    reply: str
    """What to show the customer; empty while a person has the conversation."""
    parts: list[str]
    """The same, part by part: an interim reply and, once decided, the final one."""
    approvals: list[str]
    """Approvals that the turn waits for."""
    final: bool
    """False while an approval can still continue the turn; look at the conversation for the rest."""

    @classmethod
    def of(cls, result: TurnResult) -> "TurnOut":
        """From the runner's answer."""
        return cls(
            turn_id=result.turn_id,
            conversation_id=result.conversation_id,
            case_id=result.case_id,
            outcome=result.outcome,
            reply=result.reply,
            parts=list(result.parts),
            approvals=list(result.approvals),
            final=result.final,
        )


class Utterance(Out):
    """One thing that was said."""

    author: Literal["customer", "assistant", "person"]
    text: str
    at: datetime
    turn_id: str | None
    message_id: str | None = None


class PendingApproval(Out):
    """An approval that this conversation waits for, as far as the customer's side may know."""

    approval_id: str
    summary: str
    expires_at: datetime


class ConversationOut(Out):
    """A conversation as it stands: everything said, final replies after approvals included, in order."""

    conversation_id: str
    channel: str
    status: Literal["ai", "person"]
    """Who has it. While it is a person, the AI is silent."""
    outcome: TurnOutcome | None
    """Outcome of its latest turn; None while that runs."""
    case_id: str | None
    messages: list[Utterance]
    pending_approvals: list[PendingApproval]


class AdditionOut(Out):
    """What a customer said about a request while it waited."""

    at: datetime
    turn_id: str
    text: str


class ApprovalOut(Out):
    """An approval with what a reviewer needs to decide."""

    approval_id: str
    status: str
    """pending, approved, rejected, responded, withdrawn, expired, spent or void."""
    version: int
    """Send it with your decision; a decision on another version is refused."""
    tool: str
    summary: str
    votes: int
    needed: int
    """How many people must say yes."""
    role: str
    """The least role that may decide."""
    expires_at: datetime
    asked_at: datetime
    """Since when this version is asked."""
    warned_at: datetime | None
    """When it was told, once, that it will expire soon."""
    claimed_by: str | None
    """Who is at it; nobody else may decide it until `claimed_until`."""
    claimed_until: datetime | None
    ended_by: str | None
    """Who withdrew it, or made it void."""
    ended_because: str
    """Why it was withdrawn, in their words."""
    policy_version: str
    """Of the policies that asked for it."""
    additions: list["AdditionOut"]
    """What the customer has added since, oldest first."""
    turn_id: str
    conversation_id: str
    case_id: str | None
    queue: str
    details: JsonObject
    """Arguments and where each came from, facts, reasons, and what follows from yes and from no."""

    @classmethod
    def of(cls, state: ApprovalState, approval: Approval, additions: Sequence[ApprovalNote]) -> "ApprovalOut":
        """From the runner's answer, with where the approval belongs and what stands beside it."""
        return cls(
            approval_id=state.approval_id,
            status=state.status,
            version=state.version,
            tool=state.tool,
            summary=state.summary,
            votes=state.votes,
            needed=state.needed,
            role=state.role,
            expires_at=state.expires_at,
            asked_at=approval.asked_at,
            warned_at=state.warned_at,
            claimed_by=state.claimed_by,
            claimed_until=state.claimed_until,
            ended_by=state.ended_by,
            ended_because=state.ended_because,
            policy_version=approval.policy_version,
            additions=[AdditionOut(at=one.at, turn_id=one.turn_id, text=one.text) for one in additions],
            turn_id=state.turn_id,
            conversation_id=state.conversation_id,
            case_id=approval.case_id,
            queue=approval.queue,
            details=dict(state.details),
        )


class ApprovalsOut(Out):
    """A page of approvals, oldest first."""

    approvals: list[ApprovalOut]
    next: str | None
    """Give it as `after` to read on; None at the end."""


class DecisionIn(In):
    """A person's answer to an approval."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {"answer": "approve", "version": 1},
                {"answer": "reject", "message": "The parcel has not come back to us yet."},
                {"answer": "respond", "message": "We will send you a new pair today instead."},
                {
                    "answer": "edit",
                    "arguments": {
                        "order_id": "20418",
                        "item_ids": ["20418-1"],
                        "amount_minor": 9900,
                        "currency": "EUR",
                        "reason": "returned",
                    },
                },
            ]
        },
    )

    answer: Literal["approve", "edit", "reject", "respond"]
    message: Annotated[str, Field(max_length=4000)] = ""
    """Why, for a rejection; what the customer is told, for a response; a note otherwise."""
    arguments: JsonObject | None = None
    """For an edit: the whole arguments as they shall run."""
    tool: Annotated[str, Field(max_length=128)] = ""
    """For an edit: the approval's own tool, or empty."""
    version: Annotated[int, Field(ge=1)] | None = None
    """The version that you saw."""

    @model_validator(mode="after")
    def _only_an_edit_has_arguments(self) -> "DecisionIn":
        if (self.answer == "edit") != (self.arguments is not None):
            raise ValueError("`arguments` belong to the answer `edit`, and to it alone")
        return self


class WithdrawIn(In):
    """A request is taken back because the customer changed their mind."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {"conversation_id": "chat-4711"},
                {"reason": "The customer called and wants to keep the boots."},
            ]
        },
    )

    conversation_id: Annotated[str, Field(pattern=IDENTIFIER)] | None = None
    """For a bot, needed: where the customer said so. It must be where the approval waits."""
    reason: Annotated[str, Field(max_length=2000)] = ""
    """For a person, needed: why."""


class UndoIn(In):
    """An effect shall be undone."""

    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=SOMETHING)]
    """Why; it stands in the record."""


class ReconciliationOut(Out):
    """An effect of which nobody knows whether it happened."""

    reconciliation_id: str
    status: Literal["open", "happened", "did_not_happen", "settled"]
    """`settled`: the system of record answered after all."""
    receipt_id: str
    tool: str
    queue: str
    role: str
    """The least role that may answer."""
    conversation_id: str
    case_id: str | None
    turn_id: str
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    asks_at: datetime | None
    """When the system of record is asked again by itself; null where it can't be."""
    asked: int
    known: JsonObject
    """What it takes to find out: summary, system, arguments, idempotency key, when it was called, how it was lost."""
    note: str
    """How the person who answered knows."""


class ReconciliationsOut(Out):
    """Effects of unknown outcome, the longest open first."""

    reconciliations: list[ReconciliationOut]


class OutcomeIn(In):
    """A person has found out what came of a call."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "answer": "happened",
                    "result": {"refund_id": "R-1187", "amount": {"amount_minor": 14890, "currency": "EUR"}},
                    "note": "It stands in the payment provider's dashboard.",
                },
                {"answer": "did_not_happen", "note": "The provider has no refund under this key."},
            ]
        },
    )

    answer: Literal["happened", "did_not_happen"]
    result: JsonObject | None = None
    """With `happened`, needed: what the system of record shows for it, in the tool's own form."""
    note: Annotated[str, Field(max_length=2000)] = ""
    """How you know. Needed."""


class MeasuresOut(Out):
    """How one reviewer answered one action: rubber stamps show here."""

    reviewer: str
    tool: str
    answers: int
    approved: int
    edited: int
    rejected: int
    responded: int
    share_approved: float
    """Of the answers, those that let it run as it was asked."""
    share_quick: float
    """Of the answers, those within ten seconds of being claimed, or of being asked where nobody claimed."""
    median_seconds_to_decide: float
    """From when it was asked; the time in the queue counts."""
    median_seconds_of_claim: float | None
    """From when it was claimed; null where nothing was."""


class AllMeasuresOut(Out):
    """How reviewers answered, by reviewer and action."""

    measures: list[MeasuresOut]


class EventOut(Out):
    """Something that happened to an approval or a reconciliation."""

    seq: int
    kind: str
    """approval_opened, approval_reopened, approval_noted, approval_warned, approval_ended, reconciliation_opened or
    reconciliation_settled."""
    at: datetime
    ids: dict[str, str]


class EventsOut(Out):
    """Events in order."""

    events: list[EventOut]
    next: int
    """Give it as `after` to read on; it stays the same while nothing happens."""


class LoadOut(Out):
    """How much there is to do, and what is refused."""

    waiting: int
    """Items that nobody has taken up, over all processes."""
    running: int
    oldest_waiting_s: float | None
    """Age of the oldest item that isn't finished."""
    turns_in_flight: int
    """Of this process."""
    refused: dict[str, int]
    """Messages that this process refused since it started, by where too much waited: conversation, total."""
    limits: dict[str, int]
    circuits: dict[str, str]
    """Business systems by name, as they stood when last used: closed, opened (left alone) or half-opened."""


class HandbackIn(In):
    """A person gives a conversation back to the AI."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"summary": "Sent a replacement; the customer will write when it arrives."}]},
    )

    summary: Annotated[str, Field(min_length=1, max_length=4000, pattern=SOMETHING)]
    """What was done and agreed; the AI reads it before it says anything."""


class TimelineEntry(Out):
    """One thing that happened in a case."""

    seq: int
    kind: str
    author: str
    at: datetime
    turn_id: str | None
    body: JsonObject


class EvidenceOut(Out):
    """One statement that the case rests on, and where it came from."""

    evidence_id: str
    kind: str
    name: str
    subject: str
    value: Any
    source: str
    trust: int
    at: datetime
    is_superseded: bool


class DecisionOut(Out):
    """What policy said of a request, and why."""

    request_id: str
    tool: str
    phase: str
    effect: str
    reasons: list[str]
    rules: list[str]
    policy_version: str
    reasoner: str
    """Who proposed the call: "local", "chat:gpt-5-mini"; empty for a person's edit."""
    prompt_version: str
    """Of the prompt it was proposed under; empty where no model was asked."""
    at: datetime


class ModelAnswerOut(Out):
    """Who answered one task of a turn, and why; there only where a chat model was at hand."""

    turn_id: str
    task: str
    reasoner: str
    """Who answered in the end: "chat:gpt-5-mini", "local"; empty when nobody did."""
    prompt_version: str
    calls: int
    """Calls of models, failed ones too."""
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: str
    """In the currency of the prices in the settings; "0" for models without a price."""
    milliseconds: int
    notes: list[str]
    """What happened on the way: a call that failed, a fallback and its reason, that a form decided."""
    at: datetime


class ReceiptOut(Out):
    """One intended effect and what became of it."""

    receipt_id: str
    tool: str
    state: str
    """reserved, executing, committed, failed or unknown."""
    request_id: str
    approval_id: str | None
    arguments: JsonObject
    result: JsonObject | None
    error_code: str
    at: datetime


class HandoffOut(Out):
    """The bundle that a person got."""

    handoff_id: str
    queue: str
    reason: str
    score: float
    """How complete it is, 0 to 1."""
    bundle: JsonObject
    at: datetime
    taken_by: str | None


class CaseOut(Out):
    """Everything about one customer matter."""

    case_id: str
    conversation_id: str
    journey: str | None
    status: str
    priority: str
    opened_at: datetime
    closed_at: datetime | None
    disposition: str | None
    timeline: list[TimelineEntry]
    evidence: list[EvidenceOut]
    decisions: list[DecisionOut]
    receipts: list[ReceiptOut]
    approvals: list[ApprovalOut]
    handoffs: list[HandoffOut]
    model_answers: list[ModelAnswerOut]


class AuditOut(Out):
    """What verifying the audit chains found."""

    ok: bool
    chains: int
    entries: int
    problems: list[str]
    unreadable: int
    """Entries of people who were erased: their digests still verify, their words are gone."""


class KeyIn(In):
    """A key to make."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"name": "Rosa Lind", "role": "reviewer", "limits": {"EUR": 50000}}]},
    )

    name: Annotated[str, Field(pattern=r"^\S(.{0,126}\S)?$")]
    """The person or program. Give all keys of one person the same name: two approvals need two names."""
    role: Literal["bot", "reviewer", "supervisor", "evaluator", "admin"]
    limits: Limits | None = None
    """Highest amount they may approve, in minor units by currency; null for no limit."""
    actions: dict[ToolName, Limits | None] | None = None
    """The tools they may decide on, each with limits of its own or null for the general ones; null for all tools."""


class KeyOut(Out):
    """An API key, without the key."""

    key_id: str
    name: str
    role: str
    limits: dict[str, int] | None
    actions: dict[str, dict[str, int] | None] | None
    demo: bool
    created_at: datetime
    revoked_at: datetime | None


class NewKeyOut(KeyOut):
    """A new API key."""

    key: str
    """Shown this once; only its digest is kept."""


class KeysOut(Out):
    """All API keys."""

    keys: list[KeyOut]


class PolicyIn(In):
    """The texts of policy files, and the parameters that the playbook's sheet sets besides."""

    files: dict[str, str]
    """Text by name: "policies/refunds.yaml"."""
    parameters: dict[str, Any] = {}
    note: Annotated[str, Field(max_length=500)] = ""
    """Why it is changed, for whoever approves."""


class BacktestIn(In):
    """Policies to try on recorded decisions."""

    files: dict[str, str]
    parameters: dict[str, Any] = {}
    since: Annotated[AwareDatetime | None, Field(strict=False)] = None
    """Only decisions made at or after this moment."""


class ActivationIn(In):
    """From when, and for how many."""

    starts_at: Annotated[AwareDatetime | None, Field(strict=False)] = None
    """At once if it is left out or past."""
    share: Annotated[int, Field(ge=1, le=100)] = 100
    """Percent of the cases, by the case's id; the others stay with the version before."""


REFERENCE = r"^[A-Za-z0-9._:/#-]{0,64}$"


class ErasureIn(In):
    """Why a person is erased."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"reason": "requested", "reference": "DSR-118", "now": False}]},
    )

    reason: Literal["requested", "consent_withdrawn", "unlawful", "retention"]
    """Why. A closed list, so that no word about the person stays."""
    reference: Annotated[str, Field(pattern=REFERENCE)] = ""
    """A ticket's number or the like. It stays; nothing personal."""
    now: bool = False
    """Purge before the answer, instead of by the deadline."""


class ErasureOut(Out):
    """One erasure."""

    erasure_id: str
    by: str
    role: str
    reason: str
    reference: str
    at: datetime
    """Since when the person is out of every context."""
    purge_by: datetime
    """By when no byte of theirs is left."""
    purged_at: datetime | None
    removed: dict[str, int]
    """Rows deleted, by table."""
    receipt: JsonObject | None
    """Once purged: statement, Ed25519 signature over its canonical JSON (RFC 8785), and public key, in base64."""

    @classmethod
    def of(cls, erasure: Erasure) -> "ErasureOut":
        """From the record."""
        return cls(
            erasure_id=erasure.id,
            by=erasure.by,
            role=erasure.role,
            reason=erasure.reason,
            reference=erasure.reference,
            at=erasure.at,
            purge_by=erasure.purge_by,
            purged_at=erasure.purged_at,
            removed=erasure.removed,
            receipt=erasure.receipt,
        )


class ErasuresOut(Out):
    """Erasures."""

    erasures: list[ErasureOut]


class HoldIn(In):
    """Why a person's records must be kept."""

    reference: Annotated[str, Field(min_length=1, pattern=REFERENCE)]
    """The proceeding's or order's number. Nothing personal."""


class HoldOut(Out):
    """One legal hold."""

    hold_id: str
    by: str
    reference: str
    at: datetime
    released_by: str | None
    released_at: datetime | None

    @classmethod
    def of(cls, hold: LegalHold) -> "HoldOut":
        """From the record."""
        return cls(
            hold_id=hold.id,
            by=hold.by,
            reference=hold.reference,
            at=hold.at,
            released_by=hold.released_by,
            released_at=hold.released_at,
        )


class HoldsOut(Out):
    """Legal holds."""

    holds: list[HoldOut]


class ProblemOut(Out):
    """Any error: problem+json, RFC 9457. More members may stand beside these."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str
    """Switch on this one; it never changes."""
    title: str
    status: int
    detail: str = ""
    """What happened and what to do next, for people."""


class HealthOut(Out):
    """Whether the process lives, or is ready to serve."""

    status: Literal["ok"]
