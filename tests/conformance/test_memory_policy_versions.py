"""The life of a policy version: no step is skipped, and what is in force is always known."""

from datetime import datetime, timedelta

import pytest

from memory import audit, policy_versions
from memory.errors import PolicyNotReady, RecordNotFound, SecondPersonNeeded
from memory.policy_versions import PolicyVersion, Term
from memory.store import Store, Unit

SHOP = "shop"
ONE, TWO = "a" * 64, "b" * 64


def draft(unit: Unit, content_hash: str, now: datetime, *, by: str = "ana") -> PolicyVersion:
    return policy_versions.draft(
        unit, playbook=SHOP, content_hash=content_hash, content={"files": {}}, by=by, note="why", now=now
    )


def adopt(unit: Unit, now: datetime) -> None:
    policy_versions.adopt(unit, playbook=SHOP, content_hash=ONE, content={"files": {}}, now=now)


def approve(
    unit: Unit, content_hash: str, now: datetime, *, by: str = "ben", role: str = "supervisor"
) -> PolicyVersion:
    policy_versions.attach_backtest(
        unit, playbook=SHOP, content_hash=content_hash, report={"decisions": 3, "flipped": 1}, by="ana", now=now
    )
    policy_versions.shadow(unit, playbook=SHOP, content_hash=content_hash, by="ana", now=now)
    return policy_versions.approve(unit, playbook=SHOP, content_hash=content_hash, by=by, role=role, now=now)


def activate(
    unit: Unit, content_hash: str, now: datetime, *, share: int = 100, later: timedelta = timedelta(0)
) -> Term:
    return policy_versions.activate(
        unit, playbook=SHOP, content_hash=content_hash, by="ben", now=now, starts_at=now + later, share=share
    )


async def test_a_version_takes_every_step_or_none(store: Store, now: datetime) -> None:
    await store.write(lambda unit: draft(unit, TWO, now))
    with pytest.raises(PolicyNotReady, match="a backtest first"):
        await store.write(lambda unit: policy_versions.shadow(unit, playbook=SHOP, content_hash=TWO, by="a", now=now))
    with pytest.raises(PolicyNotReady, match="a time in the shadow"):
        await store.write(
            lambda unit: policy_versions.approve(
                unit, playbook=SHOP, content_hash=TWO, by="ben", role="supervisor", now=now
            )
        )
    with pytest.raises(PolicyNotReady, match="a second person's yes"):
        await store.write(lambda unit: activate(unit, TWO, now))
    version = await store.read(lambda unit: policy_versions.get(unit, playbook=SHOP, content_hash=TWO))
    assert (version.state, version.approved_by) == ("draft", None)


async def test_nobody_approves_what_they_drafted_nor_with_a_lower_role(store: Store, now: datetime) -> None:
    await store.write(lambda unit: draft(unit, TWO, now))
    for by, role in (("ana", "admin"), ("ben", "reviewer")):
        with pytest.raises(SecondPersonNeeded):
            await store.write(lambda unit, by=by, role=role: approve(unit, TWO, now, by=by, role=role))
    approved = await store.write(lambda unit: approve(unit, TWO, now))
    assert (approved.state, approved.approved_by) == ("approved", "ben")


async def test_a_rollback_brings_back_what_was_in_force_before(store: Store, now: datetime) -> None:
    def life(unit: Unit) -> list[str]:
        adopt(unit, now)
        draft(unit, TWO, now)
        approve(unit, TWO, now)
        activate(unit, TWO, now + timedelta(minutes=1))
        after = [term.hash for term in policy_versions.terms(unit, playbook=SHOP)]
        policy_versions.roll_back(unit, playbook=SHOP, by="ben", now=now + timedelta(minutes=2))
        return after

    assert await store.write(life) == [TWO, ONE]
    assert [term.hash for term in await store.read(lambda unit: policy_versions.terms(unit, playbook=SHOP))] == [ONE]
    with pytest.raises(PolicyNotReady, match="a version before it"):
        await store.write(lambda unit: policy_versions.roll_back(unit, playbook=SHOP, by="ben", now=now))


async def test_a_scheduled_version_is_taken_back_before_it_begins(store: Store, now: datetime) -> None:
    def life(unit: Unit) -> Term:
        adopt(unit, now)
        draft(unit, TWO, now)
        approve(unit, TWO, now)
        activate(unit, TWO, now, later=timedelta(days=7))
        return policy_versions.roll_back(unit, playbook=SHOP, by="ben", now=now)

    assert (await store.write(life)).hash == TWO
    assert len(await store.read(lambda unit: policy_versions.terms(unit, playbook=SHOP))) == 1


async def test_one_version_at_a_time_is_in_the_shadow_and_its_flips_are_counted(store: Store, now: datetime) -> None:
    def life(unit: Unit) -> None:
        for content_hash in (ONE, TWO):
            draft(unit, content_hash, now)
            policy_versions.attach_backtest(
                unit, playbook=SHOP, content_hash=content_hash, report={"decisions": 0}, by="ana", now=now
            )
            policy_versions.shadow(unit, playbook=SHOP, content_hash=content_hash, by="ana", now=now)
        for flipped in (True, False, False):
            policy_versions.count_shadow(unit, playbook=SHOP, content_hash=TWO, flipped=flipped)

    await store.write(life)
    shadow = await store.read(lambda unit: policy_versions.in_shadow(unit, playbook=SHOP))
    assert shadow is not None
    assert (shadow.hash, shadow.shadowed, shadow.flipped) == (TWO, 3, 1)
    one = await store.read(lambda unit: policy_versions.get(unit, playbook=SHOP, content_hash=ONE))
    assert one.state == "draft"


async def test_a_version_is_found_by_the_beginning_of_its_hash_if_it_is_the_only_one(
    store: Store, now: datetime
) -> None:
    await store.write(lambda unit: (draft(unit, "abc1" + "0" * 60, now), draft(unit, "abd2" + "0" * 60, now)))
    found = await store.read(lambda unit: policy_versions.get(unit, playbook=SHOP, content_hash="abc1"))
    assert found.hash.startswith("abc1")
    for unclear in ("ab", "ff", "%"):
        with pytest.raises(RecordNotFound):
            await store.read(
                lambda unit, unclear=unclear: policy_versions.get(unit, playbook=SHOP, content_hash=unclear)
            )


async def test_p11_every_step_is_on_a_chain_that_verifies(store: Store, now: datetime) -> None:
    def life(unit: Unit) -> None:
        adopt(unit, now)
        draft(unit, TWO, now)
        approve(unit, TWO, now)
        activate(unit, TWO, now, share=20)

    await store.write(life)
    steps = await store.read(lambda unit: policy_versions.events(unit, playbook=SHOP))
    assert [(step.kind, step.hash[0], step.details["by"]) for step in steps] == [
        ("drafted", "a", "adopted"),
        ("adopted", "a", "adopted"),
        ("drafted", "b", "ana"),
        ("backtested", "b", "ana"),
        ("shadowed", "b", "ana"),
        ("approved", "b", "ben"),
        ("activated", "b", "ben"),
    ]
    assert steps[-1].details["share"] == 20
    assert (await store.read(audit.verify)).ok


async def test_the_same_rules_beside_other_tools_decide_under_another_version(store: Store, now: datetime) -> None:
    def load(unit: Unit) -> dict[str, str]:
        for version in ("v1", "v2", "v1"):
            policy_versions.note_engine(unit, playbook=SHOP, content_hash=ONE, version=version, now=now)
        return policy_versions.engines(unit, playbook=SHOP)

    assert await store.write(load) == {"v1": ONE, "v2": ONE}
