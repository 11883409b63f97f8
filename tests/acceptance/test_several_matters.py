"""Several matters in one message, one of which waits for a person: the others go on, and nothing is lost (P2, P5)."""

import pytest
from houses import AMELIE, SAM, SOFIA, SUE, OpenHouse, TestHouse

from graphs.results import TurnResult

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])
"""What differs between the backends, conformance tests; here it is about the turn."""


async def two_refunds(house: TestHouse) -> TurnResult:
    """Both asked for in one message; the first confirmed, so that it waits for a person."""
    await house.say("I want a refund for order 20690 and also a refund for order 20701 please")
    await house.say(SOFIA)
    return await house.say("yes")


async def approve_all(house: TestHouse) -> None:
    """Until nothing waits: what one refund changes in the books reopens the approval of the other (P3)."""
    for _ in range(4):
        for approval in await house.pending():
            voted = {vote.reviewer for vote in approval.votes}
            await house.decide(approval, reviewer=SUE if SAM.id in voted else SAM)


async def test_p5_what_waits_for_a_person_holds_up_nothing_else_of_the_message(house: TestHouse) -> None:
    waiting = await two_refunds(house)
    assert waiting.outcome == "awaiting_approval"
    assert "599.00 EUR needs a colleague's approval" in waiting.reply
    assert "I can refund 3080.00 EUR" in waiting.reply
    both = await house.say("yes")
    assert (both.outcome, len(await house.pending())) == ("awaiting_approval", 2)
    await approve_all(house)
    assert (house.records.amounts("20690"), house.records.amounts("20701")) == ([59900], [308000])


async def test_p5_a_no_to_the_second_matter_leaves_the_first_one_waiting(house: TestHouse) -> None:
    await two_refunds(house)
    declined = await house.say("no, leave that one")
    assert "haven't changed anything" in declined.reply
    await house.decide(await house.only_pending(), reviewer=SAM)
    assert (house.records.amounts("20690"), house.records.amounts("20701")) == ([59900], [])


@pytest.mark.parametrize("first", [0, 1])
async def test_p2_p5_both_wait_in_one_turn_and_run_once_in_any_order_though_its_checkpoint_is_gone(
    open_house: OpenHouse, first: int
) -> None:
    house = await open_house()
    await two_refunds(house)
    await house.say("yes")
    numbers = house.numbers
    await house.close()
    for file in house.directory.glob("checkpoints.db*"):
        file.unlink()
    again = await open_house(clock=house.clock, numbers=numbers)
    pending = await again.pending()
    assert len(pending) == 2
    for reviewer in (SAM, SUE)[: pending[first].count]:
        await again.decide(await again.approval(pending[first].id), reviewer=reviewer)
    assert len(again.records.amounts("20690") + again.records.amounts("20701")) == 1
    await approve_all(again)
    assert (again.records.amounts("20690"), again.records.amounts("20701")) == ([59900], [308000])
    told = "\n".join(await again.texts())
    assert told.count("I have refunded 599.00 EUR") == told.count("I have refunded 3080.00 EUR") == 1


async def test_a_question_to_knowledge_is_answered_before_anybody_is_asked_who_they_are(house: TestHouse) -> None:
    first = await house.say("where is order 20731, and how long is the warranty on furniture?")
    assert "five years" in first.reply
    assert "postcode" in first.reply


async def test_it_means_the_order_that_was_named_before(house: TestHouse) -> None:
    await house.say("please cancel order 20866 and refund it")
    both = await house.say(AMELIE)
    assert "20866 is delivered, so it can't be cancelled" in both.reply
    assert "refund for order 20866" in both.reply


async def test_a_part_of_an_address_is_put_into_the_one_that_was_shown(house: TestHouse) -> None:
    await house.say("i moved, send order 21102 to 8 rue mercière, 69002 lyon, france")
    await house.say(AMELIE)
    shown = await house.say("yes, but apartment 4")
    assert "8 Rue Mercière, apartment 4, 69002 Lyon" in shown.reply
    shown = await house.say("no, the postcode is 69003")
    assert "apartment 4, 69003 Lyon" in shown.reply
    await house.say("yes")
    assert house.records.order("21102")["postcode"] == "69003"


async def test_what_is_refused_and_what_is_wanted_stand_in_one_message(house: TestHouse) -> None:
    await house.say("don't cancel order 21102, I just want to know where it is")
    told = await house.say(AMELIE)
    assert "21102" in told.reply
    assert house.records.order("21102")["status"] == "pending"
