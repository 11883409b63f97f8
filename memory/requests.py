"""Action requests and what policy decided on them, both stored before anything acts on them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, cast

from sqlalchemy import Column, UniqueConstraint, bindparam, false, func, or_, select
from sqlmodel import Field

from memory import receipts
from memory.errors import KeyGone, RecordNotFound
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.words import (
    ActionRequest,
    CaseId,
    ConversationId,
    HistoryEvent,
    Json,
    Origin,
    Provenance,
    RequestId,
    TurnId,
)

UNDO = "undo:"
"""Begins the occurrence of a request that undoes an effect; that effect's receipt follows."""

Phase = Literal["guard", "confirm", "act", "reopened", "edit", "ledger"]
"""guard: before anything; confirm: allowed as soon as the customer says yes; act: again, just before the call;
reopened: what was approved no longer holds; edit: of a person's change; ledger: the permit could not be spent."""


class RequestTable(Row, table=True):
    """One proposed call; its arguments and reasons are sealed."""

    __tablename__ = "requests"
    __table_args__ = (UniqueConstraint("turn_id", "ordinal", "supersedes"),)

    id: str = Field(primary_key=True)
    turn_id: str
    ordinal: int
    supersedes: str
    case_id: str | None = Field(index=True)
    conversation_id: str = Field(index=True)
    tool: str
    specialist: str
    step: str
    created_at: datetime = Field(sa_type=Moment)
    body: bytes


class DecisionTable(Row, table=True):
    """One decision with the situation it was made in, enough to make it again; sealed."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("request_id", "ordinal"),)

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    request_id: str
    ordinal: int
    phase: str
    effect: str
    policy_version: str
    created_at: datetime = Field(sa_type=Moment)
    body: bytes


_REQUESTS = table_of(RequestTable)
_DECISIONS = table_of(DecisionTable)
_CONVERSATION = Kept(select(_REQUESTS.c.conversation_id).where(_REQUESTS.c.id == bindparam("request_id")))
_COUNT_DECISIONS = Kept(
    select(func.count()).select_from(_DECISIONS).where(_DECISIONS.c.request_id == bindparam("request_id"))
)


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A stored request and where it stands."""

    request: ActionRequest
    turn_id: TurnId
    ordinal: int
    """Which request of the turn, counted from 0."""
    supersedes: RequestId | None
    """The request that a reviewer edited into this one."""
    case_id: CaseId | None
    conversation_id: ConversationId
    created_at: datetime
    step: str = ""
    """The journey's step it belongs to."""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A stored decision, as plain JSON."""

    request_id: RequestId
    ordinal: int
    """Which decision on this request, counted from 0."""
    phase: Phase
    effect: str
    policy_version: str
    decision: dict[str, Json]
    situation: dict[str, Json]
    created_at: datetime


def save_request(
    unit: Unit,
    *,
    turn_id: TurnId,
    ordinal: int,
    request: ActionRequest,
    case_id: CaseId | None,
    conversation_id: ConversationId,
    now: datetime,
    supersedes: RequestId | None = None,
    step: str = "",
) -> RequestRow:
    """Store a request; if its place in the turn has one already, that one stands and is returned."""
    row = unit.row(_REQUESTS, turn_id=turn_id, ordinal=ordinal, supersedes=supersedes or "")
    if row is not None:
        return _request_row(unit, row)
    unit.insert(
        _REQUESTS,
        id=request.id,
        turn_id=turn_id,
        ordinal=ordinal,
        supersedes=supersedes or "",
        case_id=case_id,
        conversation_id=conversation_id,
        tool=request.tool,
        specialist=request.specialist,
        step=step,
        created_at=now,
        body=unit.vault.seal(conversation_key(conversation_id), _place(request.id), request_to_json(request)),
    )
    return RequestRow(request, turn_id, ordinal, supersedes, case_id, conversation_id, now, step)


def get_request(unit: Unit, *, request_id: RequestId) -> RequestRow:
    """The request with this id.

    Raises:
        RecordNotFound: There is none.
    """
    row = unit.row(_REQUESTS, id=request_id)
    if row is None:
        raise RecordNotFound("request", request_id)
    return _request_row(unit, row)


def request_at(unit: Unit, *, turn_id: TurnId, ordinal: int) -> RequestRow | None:
    """The request at this place of the turn, in its latest edition; None if there is none."""
    editions = [row for row in of_turn(unit, turn_id=turn_id) if row.ordinal == ordinal]
    return editions[-1] if editions else None


def of_turn(unit: Unit, *, turn_id: TurnId) -> list[RequestRow]:
    """A turn's requests in order; an edited one stands behind the one it supersedes."""
    rows = unit.many(_REQUESTS, ("ordinal",), turn_id=turn_id)
    stored = [_request_row(unit, row) for row in rows]
    ages = {row.request.id: row for row in stored}

    def edition(row: RequestRow) -> int:
        age = 0
        while row.supersedes is not None and row.supersedes in ages:
            row = ages[row.supersedes]
            age += 1
        return age

    return sorted(stored, key=lambda row: (row.ordinal, edition(row), row.created_at))


def of_case(unit: Unit, *, case_id: CaseId) -> list[RequestRow]:
    """A case's requests in the order they were made, edits among them."""
    return [_request_row(unit, row) for row in unit.many(_REQUESTS, ("created_at", "id"), case_id=case_id)]


def of_tools(unit: Unit, *, conversation_id: ConversationId, tools: Collection[str]) -> list[RequestRow]:
    """A conversation's requests for some tools, in the order they were made."""
    rows = unit.rows(_of_tools(tuple(sorted(tools))), conversation_id=conversation_id)
    return [_request_row(unit, row) for row in rows]


def save_decision(
    unit: Unit,
    *,
    request_id: RequestId,
    phase: Phase,
    decision: Mapping[str, Json],
    situation: Mapping[str, Json],
    now: datetime,
) -> DecisionRow:
    """Store one decision on a stored request; there may be several: guarding, after an edit, just before acting.

    Args:
        unit: The transaction.
        request_id: On what.
        phase: At which moment.
        decision: As plain JSON; its "effect" and "policy_version" also stand in clear.
        situation: What else it was made from, as plain JSON.
        now: When.
    """
    conversation_id = _conversation_of(unit, request_id)
    count = int(unit.value(_COUNT_DECISIONS, request_id=request_id))
    stored = DecisionRow(
        request_id=request_id,
        ordinal=count,
        phase=phase,
        effect=str(decision["effect"]),
        policy_version=str(decision["policy_version"]),
        decision=dict(decision),
        situation=dict(situation),
        created_at=now,
    )
    body: dict[str, Json] = {"decision": stored.decision, "situation": stored.situation}
    unit.insert(
        _DECISIONS,
        request_id=request_id,
        ordinal=count,
        phase=phase,
        effect=stored.effect,
        policy_version=stored.policy_version,
        created_at=now,
        body=unit.vault.seal(conversation_key(conversation_id), _decision_place(request_id, count), body),
    )
    return stored


def decisions_of(unit: Unit, *, request_id: RequestId) -> list[DecisionRow]:
    """All decisions on a request, in the order they were made."""
    rows = unit.many(_DECISIONS, ("ordinal",), request_id=request_id)
    if not rows:
        return []
    conversation_id = _conversation_of(unit, request_id)
    return [_decision_row(unit, row, conversation_id) for row in rows]


def decisions_after(
    unit: Unit, *, seq: int, since: datetime | None = None, limit: int = 500
) -> list[tuple[int, DecisionRow | None]]:
    """The decisions made after one, in the order they were made, each with its number; None for forgotten people.

    Args:
        unit: The transaction.
        seq: The number of the last one read; 0 to begin.
        since: Only those made at or after this moment.
        limit: How many at most.
    """
    joined = _DECISIONS.join(_REQUESTS, _DECISIONS.c.request_id == _REQUESTS.c.id)
    wanted = _DECISIONS.c.seq > seq
    if since is not None:
        wanted &= _DECISIONS.c.created_at >= since
    statement = select(*_DECISIONS.c, _REQUESTS.c.conversation_id).select_from(joined).where(wanted)
    found: list[tuple[int, DecisionRow | None]] = []
    for row in unit.rows(statement.order_by(_DECISIONS.c.seq).limit(limit)):
        try:
            found.append((row["seq"], _decision_row(unit, row, ConversationId(row["conversation_id"]))))
        except KeyGone:
            found.append((row["seq"], None))
    return found


def count_by_version(unit: Unit) -> dict[str, int]:
    """How many decisions each policy version made."""
    statement = select(_DECISIONS.c.policy_version, func.count()).group_by(_DECISIONS.c.policy_version)
    return {row["policy_version"]: row["count"] for row in unit.rows(statement)}


def history(
    unit: Unit, *, case_id: CaseId, conversation_id: ConversationId, shared: Collection[str] = ()
) -> list[HistoryEvent]:
    """The calls of a case that ended, well or badly, in order: what procedure rules read.

    Args:
        unit: The transaction.
        case_id: Whose.
        conversation_id: Where it is worked on.
        shared: Tools whose calls count in all cases of the conversation: those that say who is writing.
    """
    elsewhere = [
        receipt
        for row in (of_tools(unit, conversation_id=conversation_id, tools=shared) if shared else [])
        if row.case_id != case_id and (receipt := receipts.of_request(unit, request_id=row.request.id))
    ]
    made = [*receipts.of_case(unit, case_id=case_id), *elsewhere]
    ended = [receipt for receipt in made if receipt.state in ("committed", "failed")]
    return [
        HistoryEvent(
            kind="call",
            tool=receipt.tool,
            arguments=receipt.arguments,
            ok=receipt.state == "committed",
            at=receipt.ended_at,
            result=receipt.result,
        )
        for receipt in sorted(ended, key=lambda receipt: (receipt.ended_at or receipt.reserved_at, receipt.id))
    ]


def request_to_json(request: ActionRequest) -> dict[str, Json]:
    """The request as plain JSON."""
    return {
        "id": request.id,
        "tool": request.tool,
        "arguments": dict(request.arguments),
        "specialist": request.specialist,
        "why": request.why,
        "provenance": {
            name: {"origin": source.origin.value, "ref": source.ref} for name, source in request.provenance.items()
        },
        "occurrence": request.occurrence,
    }


def request_from_json(data: Mapping[str, Any]) -> ActionRequest:
    """The request that `request_to_json` wrote."""
    return ActionRequest(
        id=RequestId(data["id"]),
        tool=data["tool"],
        arguments=data["arguments"],
        specialist=data["specialist"],
        why=data["why"],
        provenance={
            name: Provenance(Origin(source["origin"]), source["ref"]) for name, source in data["provenance"].items()
        },
        occurrence=data["occurrence"],
    )


@cache
def _of_tools(tools: tuple[str, ...]) -> Kept:
    own = _REQUESTS.c.conversation_id == bindparam("conversation_id")
    named = or_(false(), *(_REQUESTS.c.tool == tool for tool in tools))
    return Kept(select(_REQUESTS).where(own & named).order_by(_REQUESTS.c.created_at, _REQUESTS.c.id))


def _conversation_of(unit: Unit, request_id: str) -> ConversationId:
    conversation_id = unit.value(_CONVERSATION, request_id=request_id)
    if conversation_id is None:
        raise RecordNotFound("request", request_id)
    return ConversationId(conversation_id)


def _place(request_id: str) -> str:
    return f"requests:{request_id}"


def _decision_place(request_id: str, ordinal: int) -> str:
    return f"decisions:{request_id}:{ordinal}"


def _request_row(unit: Unit, row: Mapping[Any, Any]) -> RequestRow:
    conversation_id = ConversationId(row["conversation_id"])
    body = unit.vault.unseal_object(conversation_key(conversation_id), _place(row["id"]), row["body"])
    return RequestRow(
        request=request_from_json(body),
        turn_id=TurnId(row["turn_id"]),
        ordinal=row["ordinal"],
        supersedes=RequestId(row["supersedes"]) if row["supersedes"] else None,
        case_id=row["case_id"],
        conversation_id=conversation_id,
        created_at=row["created_at"],
        step=row["step"],
    )


def _decision_row(unit: Unit, row: Mapping[Any, Any], conversation_id: ConversationId) -> DecisionRow:
    place = _decision_place(row["request_id"], row["ordinal"])
    body = unit.vault.unseal_object(conversation_key(conversation_id), place, row["body"])
    return DecisionRow(
        request_id=row["request_id"],
        ordinal=row["ordinal"],
        phase=cast(Phase, row["phase"]),
        effect=row["effect"],
        policy_version=row["policy_version"],
        decision=cast(dict[str, Json], body["decision"]),
        situation=cast(dict[str, Json], body["situation"]),
        created_at=row["created_at"],
    )
