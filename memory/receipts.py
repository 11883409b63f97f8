"""The ledger: one receipt per intended effect, reserved before the call and completed after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import bindparam, func, select
from sqlmodel import Field

from memory import approvals, limit_uses
from memory.conversations import ConversationRow
from memory.errors import AlreadyDone, FactsOutdated, InFlight, ReceiptStateError, RecordNotFound
from memory.guards import guard
from memory.limit_uses import uses as uses
from memory.rows import Moment, Row, table_of
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.canonical import digest
from policies.words import (
    ActionRequest,
    ApprovalId,
    CaseId,
    ConversationId,
    Json,
    LimitUse,
    ReceiptId,
    RequestId,
    TurnId,
)

ReceiptState = Literal["reserved", "executing", "committed", "failed", "unknown"]
_UNFINISHED = ("reserved", "executing", "unknown")


class ReceiptRow(Row, table=True):
    """One attempt at an effect. At most one row per key is live: not failed."""

    __tablename__ = "receipts"

    id: str = Field(primary_key=True)
    key: str = Field(index=True)
    live_key: str | None = Field(unique=True)
    request_id: str = Field(index=True)
    approval_id: str | None
    turn_id: str = Field(index=True)
    case_id: str | None = Field(index=True)
    conversation_id: str = Field(index=True)
    tool: str
    state: str = Field(index=True)
    attempt: int
    reserved_at: datetime = Field(sa_type=Moment)
    started_at: datetime | None = Field(sa_type=Moment)
    ended_at: datetime | None = Field(sa_type=Moment)
    error_code: str
    owner: str
    lease_until: datetime = Field(sa_type=Moment)
    body: bytes


_TABLE = table_of(ReceiptRow)
_CONVERSATIONS = table_of(ConversationRow)
_OWN = _CONVERSATIONS.c.id == bindparam("conversation_id")
_CUSTOMER = Kept(select(_CONVERSATIONS.c.customer_id).where(_OWN))
_THEIRS = select(_CONVERSATIONS.c.id).where(
    _CONVERSATIONS.c.customer_id == select(_CONVERSATIONS.c.customer_id).where(_OWN).scalar_subquery()
)
_OF_CUSTOMER = (
    (_TABLE.c.conversation_id == bindparam("conversation_id")) | _TABLE.c.conversation_id.in_(_THEIRS)
) & _TABLE.c.live_key.is_not(None)
_UNSETTLED = Kept(
    select(_TABLE.c.id, _TABLE.c.state, _TABLE.c.lease_until).where(_OF_CUSTOMER & (_TABLE.c.state != "committed"))
)
_SETTLED = Kept(select(func.count()).select_from(_TABLE).where(_OF_CUSTOMER & (_TABLE.c.state == "committed")))
_ATTEMPTS = Kept(select(func.count()).select_from(_TABLE).where(_TABLE.c.key == bindparam("key")))


@dataclass(frozen=True, slots=True)
class Receipt:
    """The ledger's row for one intended effect."""

    id: ReceiptId
    key: str
    """What makes it this effect and no other; also the idempotency key that the system of record gets."""
    request_id: RequestId
    approval_id: ApprovalId | None
    turn_id: TurnId
    case_id: CaseId | None
    conversation_id: ConversationId
    tool: str
    state: ReceiptState
    attempt: int
    """1 for the first try at this effect; more after failures or a repeated call."""
    reserved_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error_code: str
    owner: str
    """The process that calls."""
    lease_until: datetime
    """Until then the owner may be calling."""
    arguments: dict[str, Json]
    result: dict[str, Json] | None


def key_of(tool: str, identity_arguments: Mapping[str, Json], occurrence: str = "") -> str:
    """What makes an effect one and the same: the tool, the arguments that identify it, and which occurrence is meant.

    No case and no request is in it, so that another case can't do it again.

    Source:
        SHA-256 over the canonical JSON of RFC 8785.
    """
    return digest({"tool": tool, "arguments": dict(identity_arguments), "occurrence": occurrence})


@dataclass(frozen=True, slots=True)
class Beside:
    """What a decision knew of the customer's other effects, so that none may come between its facts and its act."""

    ended: frozenset[str]
    """From `ended`, read before the facts were."""
    argument: str
    """The argument that names the record; empty if none does."""
    record: Json


def ended(unit: Unit, *, conversation_id: ConversationId, now: datetime) -> frozenset[str]:
    """How the effects for this conversation's customer stand that nobody is at any more: facts read next show them."""
    rows = unit.rows(_UNSETTLED, conversation_id=conversation_id)
    standing = frozenset(_standing(row) for row in rows if not _is_in_hand(row, now))
    return standing | _settled(unit, conversation_id)


def reserve(
    unit: Unit,
    *,
    receipt_id: ReceiptId,
    key: str,
    request: ActionRequest,
    turn_id: TurnId,
    case_id: CaseId | None,
    conversation_id: ConversationId,
    owner: str,
    lease_s: float,
    now: datetime,
    approval: tuple[ApprovalId, int, str] | None = None,
    limits: Sequence[LimitUse] = (),
    beside: Beside | None = None,
) -> Receipt:
    """Take the right to one effect: the key, the approval and the limits, all or nothing.

    Asked again by the same request it returns the receipt as it stands, and nothing is spent twice. A failed receipt
    leaves its key free; a new one takes it, with the next attempt's number.

    Args:
        unit: The transaction; whatever is raised, the caller lets it roll back.
        receipt_id: Of the receipt, should one be made.
        key: From `key_of`.
        request: What is called.
        turn_id: Whose turn.
        case_id: Which case.
        conversation_id: Where.
        owner: The calling process.
        lease_s: For how long it may be calling, in seconds.
        now: The moment of reservation; limits look back from it.
        approval: Id, version and digest of the approval to spend, if the permit is one.
        limits: What this effect uses of which limits.
        beside: What the decision knew of the customer's other effects; None where no decision was made on facts.

    Raises:
        AlreadyDone: Another request did it.
        InFlight: Another request is at it, or its outcome is unknown; or that of another effect on the record is.
        FactsOutdated: Another effect for the customer came after the decision's facts; decide again.
        ApprovalError: The approval can't be spent on it.
        LimitExceeded: A limit is used up.
    """
    live = _one(unit, live_key=key)
    if live is not None:
        if live.request_id == request.id:
            return live
        if live.state == "committed":
            raise AlreadyDone(live, receipt_id=live.id)
        raise InFlight(live, receipt_id=live.id, state=live.state)
    if beside is not None:
        guard(unit, f"effects:{unit.value(_CUSTOMER, conversation_id=conversation_id) or conversation_id}")
        _check_beside(unit, beside, conversation_id, now)
    attempt = 1 + int(unit.value(_ATTEMPTS, key=key))
    if approval is not None:
        approval_id, version, approved = approval
        approvals.spend(unit, approval_id=approval_id, version=version, digest=approved)
    if _one(unit, id=receipt_id) is not None:
        receipt_id = ReceiptId(f"{receipt_id}.{attempt}")
    limit_uses.use(unit, receipt_id=receipt_id, uses=limits, now=now)
    body: dict[str, Json] = {"arguments": dict(request.arguments), "result": None}
    unit.insert(
        _TABLE,
        id=receipt_id,
        key=key,
        live_key=key,
        request_id=request.id,
        approval_id=approval[0] if approval else None,
        turn_id=turn_id,
        case_id=case_id,
        conversation_id=conversation_id,
        tool=request.tool,
        state="reserved",
        attempt=attempt,
        reserved_at=now,
        started_at=None,
        ended_at=None,
        error_code="",
        owner=owner,
        lease_until=now + timedelta(seconds=lease_s),
        body=unit.vault.seal(conversation_key(conversation_id), _place(receipt_id), body),
    )
    return get(unit, receipt_id=receipt_id)


def record_read(
    unit: Unit,
    *,
    receipt_id: ReceiptId,
    request: ActionRequest,
    turn_id: TurnId,
    case_id: CaseId | None,
    conversation_id: ConversationId,
    state: Literal["committed", "failed"],
    result: Mapping[str, Json],
    error_code: str,
    owner: str,
    now: datetime,
) -> Receipt:
    """Keep what a read answered. A read has no effect to protect, so it is one row, written when it has ended."""
    known = of_request(unit, request_id=request.id)
    if known is not None:
        return known
    body: dict[str, Json] = {"arguments": dict(request.arguments), "result": dict(result)}
    unit.insert(
        _TABLE,
        id=receipt_id,
        key=f"read:{request.id}",
        live_key=None,
        request_id=request.id,
        approval_id=None,
        turn_id=turn_id,
        case_id=case_id,
        conversation_id=conversation_id,
        tool=request.tool,
        state=state,
        attempt=1,
        reserved_at=now,
        started_at=now,
        ended_at=now,
        error_code=error_code,
        owner=owner,
        lease_until=now,
        body=unit.vault.seal(conversation_key(conversation_id), _place(receipt_id), body),
    )
    return get(unit, receipt_id=receipt_id)


def get(unit: Unit, *, receipt_id: ReceiptId) -> Receipt:
    """The receipt with this id.

    Raises:
        RecordNotFound: There is none.
    """
    found = _one(unit, id=receipt_id)
    if found is None:
        raise RecordNotFound("receipt", receipt_id)
    return found


def mark_executing(unit: Unit, *, receipt_id: ReceiptId, owner: str, lease_s: float, now: datetime) -> Receipt:
    """Say that the call begins now. From unknown it is a repeat, decided after the system of record was asked.

    Its owner may say so again of a call that it has not sent yet.

    Raises:
        ReceiptStateError: It has ended, or another process executes it.
    """
    known = get(unit, receipt_id=receipt_id)
    if known.state == "executing" and known.owner != owner:
        raise ReceiptStateError(receipt_id, state="executing by another process", wanted="executing")
    return _move(
        unit,
        known,
        "executing",
        of=("reserved", "unknown", "executing"),
        owner=owner,
        lease_until=now + timedelta(seconds=lease_s),
        started_at=now,
        attempt=known.attempt + (1 if known.state == "unknown" else 0),
    )


def renew(unit: Unit, *, receipt_id: ReceiptId, owner: str, lease_s: float, now: datetime) -> Receipt:
    """The owner's heartbeat: it is still calling.

    Raises:
        ReceiptStateError: It is not executing any more, or another process executes it.
    """
    known = get(unit, receipt_id=receipt_id)
    if known.owner != owner:
        raise ReceiptStateError(receipt_id, state=f"{known.state} by another process", wanted="executing")
    return _move(unit, known, "executing", of=("executing",), lease_until=now + timedelta(seconds=lease_s))


def commit(unit: Unit, *, receipt_id: ReceiptId, result: Mapping[str, Json], now: datetime) -> Receipt:
    """Record that the effect happened, and with what result. Also from unknown, once the system of record says so."""
    known = get(unit, receipt_id=receipt_id)
    body: dict[str, Json] = {"arguments": known.arguments, "result": dict(result)}
    sealed = unit.vault.seal(conversation_key(known.conversation_id), _place(receipt_id), body)
    return _move(unit, known, "committed", of=("executing", "unknown"), body=sealed, ended_at=now, error_code="")


def fail(unit: Unit, *, receipt_id: ReceiptId, error_code: str, now: datetime) -> Receipt:
    """Record that the effect certainly did not happen; its key and its share of limits are free again."""
    known = get(unit, receipt_id=receipt_id)
    failed = _move(unit, known, "failed", of=_UNFINISHED, ended_at=now, error_code=error_code, live_key=None)
    limit_uses.release(unit, receipt_id=receipt_id)
    return failed


def mark_unknown(unit: Unit, *, receipt_id: ReceiptId, error_code: str, now: datetime) -> Receipt:
    """Record that the call was lost: it may have happened. Key and limits stay taken."""
    known = get(unit, receipt_id=receipt_id)
    return _move(unit, known, "unknown", of=("executing",), ended_at=now, error_code=error_code)


def of_request(unit: Unit, *, request_id: RequestId) -> Receipt | None:
    """The latest receipt of a request, or None."""
    found = _many(unit, request_id=request_id)
    return found[-1] if found else None


def of_turn(unit: Unit, *, turn_id: TurnId) -> list[Receipt]:
    """A turn's receipts in the order they were reserved."""
    return _many(unit, turn_id=turn_id)


def of_case(unit: Unit, *, case_id: CaseId) -> list[Receipt]:
    """A case's receipts in the order they were reserved."""
    return _many(unit, case_id=case_id)


def unfinished(unit: Unit) -> list[Receipt]:
    """Receipts that are reserved, executing or unknown: what recovery looks at."""
    found = [receipt for state in _UNFINISHED for receipt in _many(unit, state=state)]
    return sorted(found, key=lambda receipt: (receipt.reserved_at, receipt.attempt, receipt.id))


def _check_beside(unit: Unit, beside: Beside, conversation_id: ConversationId, now: datetime) -> None:
    """Refuse an effect whose facts may lack another: [a] and [a, b] of one order are two keys and share an item."""
    if not _settled(unit, conversation_id) <= beside.ended:
        raise FactsOutdated
    for row in unit.rows(_UNSETTLED, conversation_id=conversation_id):
        if _standing(row) not in beside.ended or _is_in_hand(row, now):
            raise FactsOutdated
        if beside.record is not None:
            other = get(unit, receipt_id=row["id"])
            if other.arguments.get(beside.argument) == beside.record:
                raise InFlight(other, receipt_id=other.id, state=other.state)


def _settled(unit: Unit, conversation_id: ConversationId) -> frozenset[str]:
    """How many of the customer's effects have happened: a number that only grows, however long their history."""
    count = unit.value(_SETTLED, conversation_id=conversation_id)
    return frozenset({f"committed:{count}"} if count else ())


def _standing(row: Mapping[Any, Any]) -> str:
    return f"{row['id']}:{row['state']}"


def _is_in_hand(row: Mapping[Any, Any], now: datetime) -> bool:
    """Whether somebody may be calling right now; one whose lease is over is as good as unknown."""
    return row["state"] in {"reserved", "executing"} and row["lease_until"] > now


def _move(unit: Unit, known: Receipt, state: ReceiptState, *, of: Sequence[str], **values: Any) -> Receipt:
    """Compare and set: only from the state that was read, and only if that state allows it."""
    if known.state not in of:
        raise ReceiptStateError(known.id, state=known.state, wanted=state)
    where = {"id": known.id, "state": known.state, "owner": known.owner}
    moved = unit.change(_TABLE, where, state=state, **values)
    if moved != 1:
        raise ReceiptStateError(known.id, state="changed meanwhile", wanted=state)
    return get(unit, receipt_id=known.id)


def _one(unit: Unit, **equals: str) -> Receipt | None:
    row = unit.row(_TABLE, **equals)
    return None if row is None else _receipt(unit, row)


def _many(unit: Unit, **equals: str) -> list[Receipt]:
    return [_receipt(unit, row) for row in unit.many(_TABLE, ("reserved_at", "attempt", "id"), **equals)]


def _place(receipt_id: str) -> str:
    return f"receipts:{receipt_id}"


def _receipt(unit: Unit, row: Mapping[Any, Any]) -> Receipt:
    conversation_id = ConversationId(row["conversation_id"])
    body = unit.vault.unseal_object(conversation_key(conversation_id), _place(row["id"]), row["body"])
    return Receipt(
        id=ReceiptId(row["id"]),
        key=row["key"],
        request_id=RequestId(row["request_id"]),
        approval_id=row["approval_id"],
        turn_id=TurnId(row["turn_id"]),
        case_id=row["case_id"],
        conversation_id=conversation_id,
        tool=row["tool"],
        state=cast(ReceiptState, row["state"]),
        attempt=row["attempt"],
        reserved_at=row["reserved_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        error_code=row["error_code"],
        owner=row["owner"],
        lease_until=row["lease_until"],
        arguments=cast(dict[str, Json], body["arguments"]),
        result=cast("dict[str, Json] | None", body["result"]),
    )
