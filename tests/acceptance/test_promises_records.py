"""P13 and P11 on disk: at no commit is there anything without what it follows from."""

from typing import Any

from houses import ANA, YES, OpenHouse
from sqlalchemy import text as sql

from memory.store import Unit

FOLLOWS: dict[str, str] = {
    "requests without the answer that proposed them": (
        "SELECT id FROM requests WHERE supersedes = '' AND NOT EXISTS "
        "(SELECT 1 FROM readings WHERE readings.turn_id = requests.turn_id AND readings.ordinal = requests.ordinal)"
    ),
    "decisions without their request": (
        "SELECT seq FROM decisions WHERE NOT EXISTS (SELECT 1 FROM requests WHERE requests.id = decisions.request_id)"
    ),
    "receipts without a decision that was made to act": (
        "SELECT id FROM receipts WHERE NOT EXISTS "
        "(SELECT 1 FROM decisions WHERE decisions.request_id = receipts.request_id AND decisions.phase = 'act')"
    ),
    "approvals without the decision that asks for them": (
        "SELECT id FROM approvals WHERE NOT EXISTS "
        "(SELECT 1 FROM decisions WHERE decisions.request_id = approvals.request_id)"
    ),
    "replies without the draft that was checked": (
        "SELECT outbox.id FROM outbox JOIN turns ON turns.id = outbox.turn_id WHERE turns.state = 'done' "
        "AND NOT EXISTS (SELECT 1 FROM readings WHERE readings.turn_id = turns.id AND readings.task = 'Reply')"
    ),
    "cases that a turn placed without its reading": (
        "SELECT seq FROM timeline WHERE kind = 'reading' AND NOT EXISTS "
        "(SELECT 1 FROM readings WHERE readings.turn_id = timeline.turn_id AND readings.task = 'IntentTask')"
    ),
}


async def test_p13_whatever_is_on_disk_stands_on_the_answers_and_decisions_that_led_to_it(
    open_house: OpenHouse,
) -> None:
    house = await open_house()
    store = house.runtime.store
    write = store.write
    found: list[tuple[int, str]] = []
    commits = 0

    def look(unit: Unit) -> list[str]:
        return [what for what, query in FOLLOWS.items() if unit.rows(sql(query))]

    async def write_and_look(*args: Any, **options: Any) -> Any:
        nonlocal commits
        value = await write(*args, **options)
        commits += 1
        found.extend((commits, what) for what in await store.read(look))
        return value

    store.write = write_and_look  # type: ignore[method-assign]  # to see every state that a crash could leave
    await house.ask_refund()
    await house.runtime.runner.decide((await house.only_pending()).id, YES, ANA)
    await house.settle()
    assert house.records.amounts("20418") == [14890]
    assert found == []
    assert commits > 20
