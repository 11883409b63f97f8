"""The inbox: whatever happens to a conversation, durable before it is acknowledged, run in the order of arrival."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Column, UniqueConstraint, bindparam, case, func, select, tuple_, update
from sqlmodel import Field

from memory import conversations
from memory.errors import MessageConflict, Overloaded, RecordNotFound
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Kept, Unit
from memory.vault import conversation_key
from policies.words import ConversationId, Json, TurnId

ItemKind = Literal["message", "decision", "expiry", "timer", "handback"]
ItemState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Intake:
    """How many messages may wait or run before another one is refused, over all processes on these records."""

    per_conversation: int
    total: int


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be done at this moment, over all processes on these records."""

    waiting: int
    """Items that nobody has taken up."""
    running: int
    oldest_at: datetime | None
    """When the oldest of them came."""


_AT_ONCE = 500
"""Messages that one statement asks for."""

BURST = 10
"""How many messages that wait together are answered together, at most."""


class InboxRow(Row, table=True):
    """One item; what was said is sealed."""

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("conversation_id", "kind", "dedupe_key"), {"sqlite_autoincrement": True})

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    conversation_id: str = Field(index=True)
    kind: str
    dedupe_key: str
    state: str = Field(index=True)
    turn_id: str | None = Field(index=True)
    attempts: int
    created_at: datetime = Field(sa_type=Moment)
    claimed_at: datetime | None = Field(sa_type=Moment)
    digest: str
    """Keyed digest of a message's text, to tell a repeat from another text under the same id."""
    body: bytes


_TABLE = table_of(InboxRow)
_RELEASE = Kept(
    update(_TABLE)
    .where((_TABLE.c.seq == bindparam("seq_given")) & (_TABLE.c.state == "running"))
    .values(state="waiting", attempts=_TABLE.c.attempts - 1)
)
_IN_STATE = Kept(
    select(_TABLE)
    .where((_TABLE.c.conversation_id == bindparam("conversation_id")) & (_TABLE.c.state == bindparam("state")))
    .order_by(_TABLE.c.seq)
    .limit(BURST)
)
_UNFINISHED = ("waiting", "running")
_COUNTED = Kept(
    select(
        func.count().label("total"),
        func.sum(case((_TABLE.c.conversation_id == bindparam("conversation_id"), 1), else_=0)).label("conversation"),
    ).where((_TABLE.c.state == "waiting") | (_TABLE.c.state == "running"))
)


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One thing that happened to a conversation."""

    seq: int
    """The order of arrival. Within a conversation, none becomes visible after a higher one."""
    conversation_id: ConversationId
    kind: ItemKind
    dedupe_key: str
    state: ItemState
    turn_id: TurnId | None
    attempts: int
    """How often it was claimed; more than 1 after a crash."""
    created_at: datetime
    claimed_at: datetime | None
    """When it was last taken up; None while it waits for the first time."""
    body: dict[str, Json]


def put(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    kind: ItemKind,
    dedupe_key: str,
    body: dict[str, Json],
    now: datetime,
    allow_existing: bool = True,
) -> tuple[InboxItem, bool]:
    """Add an item once per conversation, kind and key; the item that stands, and whether it is new.

    Raises:
        ValueError: It exists and `allow_existing` is false.
    """
    # Numbers are given one at a time: another's put waits here until this one is committed, and is numbered after it.
    conversations.lock_epoch(unit, conversation_id=conversation_id)
    known = unit.row(_TABLE, conversation_id=conversation_id, kind=kind, dedupe_key=dedupe_key)
    if known is None:
        return _add(unit, conversation_id, kind, dedupe_key, body, now, digest=""), True
    if not allow_existing:
        raise ValueError(f"Conversation {conversation_id} has the {kind} item {dedupe_key} already.")
    return _item(unit, known), False


def put_message(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    message_id: str,
    text: str,
    channel: str,
    customer_hint: str | None = None,
    now: datetime,
) -> tuple[InboxItem, bool]:
    """Add a customer's message once per message id, and its conversation if it is the first.

    Raises:
        MessageConflict: The id is known with another text.
    """
    # Locks the conversation: see `put`.
    conversations.ensure(
        unit, conversation_id=conversation_id, channel=channel, now=now, customer_hint=customer_hint or ""
    )
    digest = unit.vault.mac(conversation_key(conversation_id), text.encode("utf-8", "surrogatepass"))
    known = unit.row(_TABLE, conversation_id=conversation_id, kind="message", dedupe_key=message_id)
    if known is not None:
        if known["digest"] != digest:
            raise MessageConflict(conversation_id, message_id)
        return _item(unit, known), False
    body: dict[str, Json] = {"text": text, "channel": channel, "customer_hint": customer_hint or ""}
    return _add(unit, conversation_id, "message", message_id, body, now, digest=digest), True


def claim(unit: Unit, *, conversation_id: ConversationId, now: datetime) -> list[InboxItem]:
    """Take what is to be run next in a conversation; empty if nothing waits.

    What a crashed process left running comes first, as it was taken then. Else the oldest waiting item; if that is a
    message, the messages right behind it too, a burst to be answered once.

    Args:
        unit: The transaction.
        conversation_id: Whose. The caller sees to it that nobody else runs it (its lock, its epoch).
        now: Noted as the time of the claim.
    """
    chosen = unit.rows(_IN_STATE, conversation_id=conversation_id, state="running")
    if not chosen:
        waiting = unit.rows(_IN_STATE, conversation_id=conversation_id, state="waiting")
        chosen = waiting[:1]
        if chosen and chosen[0]["kind"] == "message":
            for row in waiting[1:]:
                # What was handed back belongs to its turn; what came later belongs to the next.
                if row["kind"] != "message" or row["turn_id"] != chosen[0]["turn_id"]:
                    break
                chosen = [*chosen, row]
    claimed = []
    for row in chosen:
        taken = {"state": "running", "attempts": row["attempts"] + 1, "claimed_at": now}
        unit.change(_TABLE, {"seq": row["seq"]}, **taken)
        claimed.append(_item(unit, {**row, **taken}))
    return claimed


def assign(unit: Unit, *, seqs: Sequence[int], turn_id: TurnId) -> None:
    """Say which turn runs these items."""
    for seq in seqs:
        unit.change(_TABLE, {"seq": seq}, turn_id=turn_id)


def finish(unit: Unit, *, seqs: Sequence[int], state: Literal["done", "failed"] = "done") -> None:
    """Say that these items have been dealt with."""
    for seq in seqs:
        unit.change(_TABLE, {"seq": seq}, state=state)


def release(unit: Unit, *, seqs: Sequence[int]) -> None:
    """Put claimed items back to wait in their place, for a shutdown that hands back the turn in hand.

    An orderly end is no failed attempt.
    """
    for seq in seqs:
        unit.run(_RELEASE, seq_given=seq)


def unfinished(unit: Unit) -> list[ConversationId]:
    """Conversations that have something waiting or left running, the longest waiting first."""
    statement = (
        select(_TABLE.c.conversation_id)
        .where(_TABLE.c.state.in_(("waiting", "running")))
        .group_by(_TABLE.c.conversation_id)
        .order_by(func.min(_TABLE.c.seq))
    )
    return [ConversationId(row["conversation_id"]) for row in unit.rows(statement)]


def has_unfinished(unit: Unit, *, conversation_id: ConversationId) -> bool:
    """Whether a conversation has something waiting or left running."""
    left = (_TABLE.c.conversation_id == conversation_id) & _TABLE.c.state.in_(("waiting", "running"))
    return unit.value(select(_TABLE.c.seq).where(left).limit(1)) is not None


def get(unit: Unit, *, seq: int) -> InboxItem:
    """The item with this number.

    Raises:
        RecordNotFound: There is none.
    """
    found = find(unit, seq=seq)
    if found is None:
        raise RecordNotFound("inbox item", str(seq))
    return found


def find(unit: Unit, *, seq: int) -> InboxItem | None:
    """The item with this number, or None."""
    row = unit.row(_TABLE, seq=seq)
    return None if row is None else _item(unit, row)


def by_key(unit: Unit, *, conversation_id: ConversationId, kind: ItemKind, dedupe_key: str) -> InboxItem | None:
    """The item with this key, or None."""
    row = unit.row(_TABLE, conversation_id=conversation_id, kind=kind, dedupe_key=dedupe_key)
    return None if row is None else _item(unit, row)


def waiting_count(unit: Unit, *, conversation_id: ConversationId | None = None) -> int:
    """How many items wait, in one conversation or in all."""
    statement = select(func.count()).select_from(_TABLE).where(_TABLE.c.state == "waiting")
    if conversation_id is not None:
        statement = statement.where(_TABLE.c.conversation_id == conversation_id)
    return int(unit.value(statement))


def load(unit: Unit) -> Load:
    """What waits and runs, in all conversations."""
    statement = (
        select(_TABLE.c.state, func.count().label("items"), func.min(_TABLE.c.created_at).label("oldest_at"))
        .where(_TABLE.c.state.in_(_UNFINISHED))
        .group_by(_TABLE.c.state)
    )
    found = {row["state"]: row for row in unit.rows(statement)}
    oldest = [row["oldest_at"] for row in found.values()]
    counts = {state: int(row["items"]) for state, row in found.items()}
    return Load(counts.get("waiting", 0), counts.get("running", 0), min(oldest, default=None))


def check_room(
    unit: Unit,
    *,
    conversation_id: ConversationId,
    message_id: str,
    intake: Intake,
    beside: Collection[tuple[ConversationId, str]] = (),
) -> None:
    """Refuse a new message where too much waits or runs; one that is known already is never refused.

    Looked at before the message is written, not with it: counting all that waits in the transaction that adds to it
    would make every two messages at once collide on Postgres. What several processes take at the same moment may exceed
    the limits by as much as they have in hand.

    Args:
        unit: The transaction, of reading.
        conversation_id: Whose message.
        message_id: Its id.
        intake: The limits.
        beside: Other messages that this process is taking just now: their conversations and ids. One that is in its row
            already is not counted twice.

    Raises:
        Overloaded: As many as `intake` allows wait or run; nothing was taken.
    """
    if unit.row(_TABLE, conversation_id=conversation_id, kind="message", dedupe_key=message_id) is not None:
        return
    counted = unit.first(_COUNTED, conversation_id=conversation_id)
    assert counted is not None  # noqa: S101  # a count has always a row
    own = [one for one in beside if one[0] == conversation_id]
    for scope, limit, others in (("conversation", intake.per_conversation, own), ("total", intake.total, [*beside])):
        waiting = int(counted[scope] or 0) + len(others)
        if waiting >= limit and others:
            waiting -= _stored(unit, others)
        if waiting >= limit:
            # The longer the queue, the longer until it is worth another try.
            raise Overloaded(scope=scope, waiting=waiting, limit=limit, retry_after_s=min(1 + waiting // 50, 60))


def _stored(unit: Unit, messages: Sequence[tuple[ConversationId, str]]) -> int:
    """How many of these messages wait or run already."""
    stored = 0
    for start in range(0, len(messages), _AT_ONCE):
        part = messages[start : start + _AT_ONCE]
        stored += int(
            unit.value(
                select(func.count())
                .select_from(_TABLE)
                .where(
                    (_TABLE.c.kind == "message")
                    & _TABLE.c.state.in_(("waiting", "running"))
                    & tuple_(_TABLE.c.conversation_id, _TABLE.c.dedupe_key).in_(part)
                )
            )
        )
    return stored


def _add(
    unit: Unit,
    conversation_id: ConversationId,
    kind: ItemKind,
    dedupe_key: str,
    body: dict[str, Json],
    now: datetime,
    *,
    digest: str,
) -> InboxItem:
    seq = unit.insert(
        _TABLE,
        conversation_id=conversation_id,
        kind=kind,
        dedupe_key=dedupe_key,
        state="waiting",
        turn_id=None,
        attempts=0,
        created_at=now,
        claimed_at=None,
        digest=digest,
        body=unit.vault.seal(conversation_key(conversation_id), _place(conversation_id, kind, dedupe_key), body),
    )
    return InboxItem(
        seq=int(seq),
        conversation_id=conversation_id,
        kind=kind,
        dedupe_key=dedupe_key,
        state="waiting",
        turn_id=None,
        attempts=0,
        created_at=now,
        claimed_at=None,
        body=body,
    )


def _place(conversation_id: str, kind: str, dedupe_key: str) -> str:
    return f"inbox:{conversation_id}:{kind}:{dedupe_key}"


def _item(unit: Unit, row: Mapping[Any, Any]) -> InboxItem:
    conversation_id = ConversationId(row["conversation_id"])
    place = _place(conversation_id, row["kind"], row["dedupe_key"])
    return InboxItem(
        seq=row["seq"],
        conversation_id=conversation_id,
        kind=cast(ItemKind, row["kind"]),
        dedupe_key=row["dedupe_key"],
        state=cast(ItemState, row["state"]),
        turn_id=row["turn_id"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        claimed_at=row["claimed_at"],
        body=unit.vault.unseal_object(conversation_key(conversation_id), place, row["body"]),
    )
