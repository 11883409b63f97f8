"""Statements that are worked out once say the same as those that SQLAlchemy works out each time."""

from datetime import datetime

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import IntegrityError

from memory import inbox
from memory.rows import table_of
from memory.store import Store, Unit
from memory.turns import TurnRow
from memory.unit import Kept
from policies.words import ConversationId

TURNS = table_of(TurnRow)
KEPT = Kept(select(TURNS).where(TURNS.c.id == bindparam("id")))


def _insert(unit: Unit, now: datetime, turn_id: str = "t1") -> None:
    unit.insert(
        TURNS,
        id=turn_id,
        conversation_id="c1",
        case_id=None,
        item_seqs=[1, 2],
        first_seq=1,
        state="running",
        outcome=None,
        threads=1,
        approval_id=None,
        versions={"graph": "é"},
        started_at=now,
        ended_at=None,
    )


async def test_a_kept_statement_gives_lists_times_and_nothing_as_sqlalchemy_does(store: Store, now: datetime) -> None:
    await store.write(lambda unit: _insert(unit, now))
    ours, theirs = await store.read(
        lambda unit: (
            unit.first(KEPT, id="t1"),
            dict(unit.connection.execute(select(TURNS).where(TURNS.c.id == "t1")).mappings().one()),
        )
    )
    assert ours == theirs
    assert (ours["item_seqs"], ours["versions"], ours["started_at"]) == ([1, 2], {"graph": "é"}, now)
    assert await store.read(lambda unit: unit.first(KEPT, id="t2")) is None


async def test_a_broken_constraint_is_sqlalchemys_error_and_tells_no_value(store: Store, now: datetime) -> None:
    await store.write(lambda unit: _insert(unit, now, "t-secret"))
    with pytest.raises(IntegrityError) as raised:
        await store.write(lambda unit: _insert(unit, now, "t-secret"))
    assert "t-secret" not in str(raised.value)


async def test_a_value_that_is_missing_or_naive_is_refused_before_the_database_sees_it(
    store: Store, now: datetime
) -> None:
    with pytest.raises(KeyError):
        await store.read(lambda unit: unit.first(KEPT))
    with pytest.raises(ValueError, match="aware"):
        await store.write(lambda unit: _insert(unit, now.replace(tzinfo=None)))


async def test_the_database_gives_the_number_of_a_row_that_has_none(store: Store, now: datetime) -> None:
    def put(unit: Unit, key: str) -> int:
        item, _ = inbox.put_message(
            unit, conversation_id=ConversationId("c1"), message_id=key, text="hello", channel="chat", now=now
        )
        return item.seq

    first = await store.write(lambda unit: put(unit, "m1"))
    second = await store.write(lambda unit: put(unit, "m2"))
    assert await store.read(lambda unit: unit.value(text("SELECT max(seq) FROM inbox"))) == second > first
