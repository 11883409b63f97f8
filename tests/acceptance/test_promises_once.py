"""P2: one intended action has one effect, whoever approves, retries or repeats it."""

import asyncio

from houses import ANA, BEN, YES, TestHouse

from memory.errors import ApprovalError


async def test_p2_two_reviewers_approving_at_once_refund_once(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    answers = await asyncio.gather(
        house.runtime.runner.decide(approval.id, YES, ANA),
        house.runtime.runner.decide(approval.id, YES, BEN),
        return_exceptions=True,
    )
    await house.settle()
    assert sorted(isinstance(answer, ApprovalError) for answer in answers) == [False, True]
    assert house.records.amounts("20418") == [14890]
    assert [text.count("148.90 EUR") for text in await house.texts()][-1] == 1
