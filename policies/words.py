"""The words that every floor speaks: requests, facts, decisions, and the scales they use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal, NewType, TypeAlias

from typing_extensions import TypeAliasType

Json = TypeAliasType("Json", "bool | int | float | str | list[Json] | dict[str, Json] | None")

ConversationId = NewType("ConversationId", str)
CaseId = NewType("CaseId", str)
TurnId = NewType("TurnId", str)
CustomerId = NewType("CustomerId", str)
RequestId = NewType("RequestId", str)
ApprovalId = NewType("ApprovalId", str)
ReceiptId = NewType("ReceiptId", str)
EvidenceId = NewType("EvidenceId", str)


class Effect(StrEnum):
    """What policy says of a request, weakest first. `deny` > `escalate` > `require_approval` > `allow`."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    ESCALATE = "escalate"
    DENY = "deny"

    @property
    def rank(self) -> int:
        """0 for `allow` up to 3 for `deny`; the highest rank of all matching rules wins."""
        return RANKS[self]


RANKS = {effect: rank for rank, effect in enumerate(Effect)}


class Risk(StrEnum):
    """How much harm a tool can do."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Reversibility(StrEnum):
    """Whether an effect can be taken back: fully, by a compensating effect, or not."""

    REVERSIBLE = "reversible"
    COMPENSABLE = "compensable"
    IRREVERSIBLE = "irreversible"


class AutonomyLevel(StrEnum):
    """How far the AI acts alone: a person approves everything, exceptions, or nothing within hard limits."""

    ASSISTED = "assisted"
    SUPERVISED = "supervised"
    AUTONOMOUS = "autonomous"


class Assurance(IntEnum):
    """How well we know who this is."""

    ANONYMOUS = 0
    CLAIMED = 1
    VERIFIED = 2
    STEPPED_UP = 3


class Origin(StrEnum):
    """Where the value of an argument came from."""

    FACT = "fact"
    TABLE = "table"
    EVIDENCE = "evidence"
    CUSTOMER = "customer"
    MODEL = "model"
    PLAYBOOK = "playbook"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one argument came from, and which row or name says so."""

    origin: Origin
    ref: str = ""
    """An evidence id, a fact's dotted name, a table's id or a message id; empty where the origin has none."""


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """A proposed tool call. It acts on nothing until a decision, and perhaps a person, permits it."""

    id: RequestId
    tool: str
    arguments: Mapping[str, Json]
    specialist: str
    """Who proposes: "authentication", "eligibility", "workflow", or a reviewer's role after an edit."""
    why: str = ""
    provenance: Mapping[str, Provenance] = field(default_factory=dict)
    """By argument name. An absent name counts as `Origin.MODEL`, the least trusted."""
    occurrence: str = ""
    """Which intended occurrence of this effect; empty for the first. Part of the receipt's key."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a system of record says now. Absent is unknown, never false."""

    value: Json
    source: str
    """The system it was read from, for people: "orders database"."""
    read_at: datetime


Facts: TypeAlias = Mapping[str, Fact]
"""By dotted name: "order.total_minor"."""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One thing that already happened in the case, in order; procedure rules read these."""

    kind: Literal["call", "confirmation"]
    tool: str
    arguments: Mapping[str, Json]
    """The call's arguments, or the arguments that the customer said yes to."""
    ok: bool = True
    """A call that failed stays in the history and satisfies no "read before changed"."""
    at: datetime | None = None
    result: Json = None


@dataclass(frozen=True, slots=True)
class ToolProfile:
    """What policy must know of a tool; made from its spec."""

    name: str
    kind: Literal["read", "write"]
    risk: Risk
    reversibility: Reversibility
    argument_types: Mapping[str, str]
    """Argument name → "string", "int", "float", "bool", "timestamp", "list", "map"."""
    fact_types: Mapping[str, str] = field(default_factory=dict)
    """Dotted name of each fact its providers can read → the same type names."""
    amount_argument: str = ""
    """The argument that holds money in minor units; empty for a tool that moves none."""
    currency_argument: str = ""
    record_argument: str = ""
    """The argument that names the record it touches ("order_id"), for "read before it is changed"."""
    reads_record: str = ""
    """For a read tool: the name of the argument whose record a successful call shows."""
    verifies: bool = False
    """Whether its result may raise the conversation's assurance."""
    clock_facts: frozenset[str] = frozenset()
    """Facts that move with time alone and don't count as a change after an approval."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """All values that a text can have, where they are known: by a fact's dotted name, or "args." and an argument's."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything about the moment that a decision depends on, besides the request and its facts."""

    now: datetime
    """Aware, UTC."""
    customer_id: CustomerId | None
    assurance: Assurance
    level: AutonomyLevel
    channel: str = "chat"
    case_id: CaseId | None = None
    journey: str = ""
    allowed_tools: frozenset[str] | None = None
    """The tools that the journey in hand permits; None where no journey narrows them."""
    history: tuple[HistoryEvent, ...] = ()
    uses: Mapping[str, tuple["PastUse", ...]] = field(default_factory=dict)
    """Past effects that count against limits, by limit key (`LimitUse.key`)."""
    signals: Mapping[str, Json] = field(default_factory=dict)
    """Readings that triggers may use: "intent.confidence", "sentiment", "asked_for_person", "failures"."""
    justification: str = ""
    """A person's written reason to override soft constraints; empty for none."""
    justified_by: str = ""


@dataclass(frozen=True, slots=True)
class PastUse:
    """One earlier effect that a limit counts."""

    at: datetime
    amount_minor: int = 0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class LimitUse:
    """What this effect would use of one limit; reserved with the receipt, in the same transaction."""

    limit: str
    """The limit's rule id."""
    key: str
    """Whose use it counts against: "refund-per-customer|C-0042"."""
    count: int
    amount_minor: int
    currency: str
    window_s: int | None
    """Length of the rolling window in seconds; None counts for ever."""
    max_count: int | None
    max_amount_minor: int | None


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule had to say."""

    rule: str
    effect: Effect
    sentence: str
    """For a reviewer, one sentence, the rule's `why` with its values filled in."""
    source: str = ""
    """The clause that the rule comes from."""
    kind: str = "rule"
    """permission, hard, soft, threshold, limit, table, autonomy, procedure, trigger, provenance, error."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """What must be done along with an effect: disclose, confirm, notify, mask, sample."""

    kind: Literal["disclose", "confirm", "notify", "mask", "sample"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """Who must say yes, how many of them, by when, and what happens when nobody does."""

    role: str = "reviewer"
    count: int = 1
    queue: str = "approvals"
    expires_s: int = 4 * 3600
    fallback: Literal["reject", "escalate"] = "escalate"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says of one request; enough to explain it and to make it again."""

    effect: Effect
    verdicts: tuple[RuleVerdict, ...]
    """The rules that decided, sorted by id."""
    passed: tuple[RuleVerdict, ...]
    """The rules that were asked and had no objection, sorted by id."""
    obligations: tuple[Obligation, ...]
    facts: Facts
    """The facts that the tool's rules read or show; with the situation they make this decision again."""
    policy_version: str
    """Content hash of the policy set."""
    approval: ApprovalTerms | None = None
    limits: tuple[LimitUse, ...] = ()
    error: str = ""
    """Why an evaluation failed; the effect is then never `allow`."""
    decisive_facts: tuple[str, ...] = ()
    """Names of the facts that the deciding rules read or show, sorted; an approval stands while they don't change."""
    queue: str = ""
    """Where an escalation goes; empty for the default queue."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that decided, sorted."""
        return tuple(verdict.rule for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units, never a float."""

    amount_minor: int
    currency: str
