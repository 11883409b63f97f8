"""What the runner takes and gives: messages in, turn results and approval states out. Plain data for any shell."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from policies.words import ApprovalId, CaseId, ConversationId, Json, TurnId

TurnOutcome = Literal[
    "replied", "awaiting_customer", "awaiting_approval", "escalated", "with_person", "resolved", "scheduled"
]

Channel = Literal["chat", "email", "voice", "sms"]


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message of a customer, as a channel delivers it."""

    conversation_id: ConversationId
    message_id: str
    """Given by the sender; the same id gives the same result, another text under it is refused."""
    text: str
    channel: Channel = "chat"
    customer_hint: str = ""
    """What the channel believes about who writes (a handle, a phone number). Never raises assurance by itself."""


@dataclass(frozen=True, slots=True)
class TurnResult:
    """Where a turn stands now."""

    turn_id: TurnId
    conversation_id: ConversationId
    case_id: CaseId | None
    outcome: TurnOutcome
    reply: str
    """What the customer was told by this turn so far, all parts joined; empty while a person has the conversation."""
    parts: tuple[str, ...] = ()
    """The same, part by part: an interim reply and, once decided, the final one."""
    approvals: tuple[ApprovalId, ...] = ()
    """Approvals that this turn waits for."""
    final: bool = True
    """False while an approval can still continue this turn."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A person who decides, as the shell authenticated them."""

    id: str
    role: Literal["reviewer", "supervisor", "admin"]
    limits: dict[str, int] | None = None
    """Highest amount they may approve, in minor units by currency; None for no limit."""
    actions: dict[str, dict[str, int] | None] | None = None
    """The tools they may decide on, each with limits of its own or None for the general ones; None for all tools."""


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """A person's answer to an approval, in the one shape that all dialects are turned into."""

    answer: Literal["approve", "edit", "reject", "respond"]
    message: str = ""
    """Why, for a rejection; what the customer is told, for a response; a note otherwise."""
    arguments: dict[str, Json] | None = None
    """For an edit: the whole arguments as they shall run."""
    tool: str = ""
    """For an edit: must be the approval's own tool, or empty."""
    version: int | None = None
    """The approval's version that the person saw; refused if it has changed since."""


@dataclass(frozen=True, slots=True)
class ApprovalState:
    """An approval as it stands after a call."""

    approval_id: ApprovalId
    status: str
    version: int
    tool: str
    summary: str
    votes: int
    needed: int
    role: str
    expires_at: datetime
    turn_id: TurnId
    conversation_id: ConversationId
    claimed_by: str | None = None
    """Who is at it."""
    claimed_until: datetime | None = None
    warned_at: datetime | None = None
    """When it was told that it will expire soon."""
    ended_by: str | None = None
    """Who withdrew it, or made it void."""
    ended_because: str = ""
    details: dict[str, Json] = field(default_factory=dict)
    """Arguments with their provenance, facts, reasons, consequences; for people who may see the case."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing that happened while a turn ran, for streaming."""

    turn_id: TurnId
    kind: Literal["started", "node", "draft", "reply", "finished"]
    """A `draft` is the reply as far as it is written and has passed its checks; the `reply` takes its place."""
    node: str = ""
    text: str = ""
    result: TurnResult | None = None
