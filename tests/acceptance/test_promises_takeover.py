"""P5, P10: a person takes a conversation over while a request of it waits; the answer to that still counts."""

from houses import TestHouse
from sqlalchemy import text as sql

ORDER = "20418"


async def with_a_person(house: TestHouse) -> None:
    await house.ask_refund()
    assert (await house.say("let me talk to a human agent please")).outcome == "escalated"


async def test_p5_an_approval_counts_after_an_upgrade_though_a_person_has_the_conversation(house: TestHouse) -> None:
    await with_a_person(house)
    said = await house.texts()
    await house.runtime.store.write(lambda unit: unit.run(sql("UPDATE turns SET versions = '{}'")))
    approval = await house.only_pending()
    await house.decide(approval)
    assert house.records.amounts(ORDER) == [14890]
    assert (await house.approval(approval.id)).status == "spent"
    assert await house.texts() == said


async def test_p5_an_approval_that_reopened_counts_though_a_person_has_the_conversation(house: TestHouse) -> None:
    await with_a_person(house)
    said = await house.texts()
    approval = await house.only_pending()
    house.records.change("UPDATE orders SET placed_at = '2026-10-01T00:00:00+00:00' WHERE id = ?", ORDER)
    await house.decide(approval)
    again = await house.only_pending()
    assert (again.id, again.version) == (approval.id, 2)
    await house.decide(again)
    assert house.records.amounts(ORDER) == [14890]
    assert await house.texts() == said
