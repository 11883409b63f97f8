"""Whoever changes the record is found out, and forgetting somebody doesn't break it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from memory import audit
from memory.audit import AuditReport
from memory.store import Store, Unit
from memory.vault import conversation_key
from policies.words import CaseId, ConversationId

C1, C2 = ConversationId("c1"), ConversationId("c2")
K1, K2 = CaseId("k1"), CaseId("k2")

_TABLES = audit.AuditRow.metadata.tables
ENTRIES, HEADS, ANCHORS = _TABLES["audit"], _TABLES["audit_heads"], _TABLES["audit_anchors"]


async def _record(store: Store, now: datetime) -> str | None:
    """Two chains of five entries, anchored, and one entry more each."""

    def append(unit: Unit, number: int) -> None:
        for case_id, conversation_id in ((K1, C1), (K2, C2)):
            audit.append(
                unit,
                case_id=case_id,
                conversation_id=conversation_id,
                kind="decision",
                ids={"request": f"r{number}"},
                payload={"effect": "allow", "number": number},
                at=now,
            )

    def work(unit: Unit) -> str | None:
        for number in range(5):
            append(unit, number)
        anchored = audit.anchor(unit, now=now)
        append(unit, 5)
        return anchored

    return await store.write(work)


async def _verify(store: Store, **options: Any) -> AuditReport:
    return await store.read(lambda unit: audit.verify(unit, **options))


async def test_p11_an_untouched_record_verifies(store: Store, now: datetime) -> None:
    anchored = await _record(store, now)
    report = await _verify(store, anchor_hash=anchored)
    assert (report.ok, report.chains, report.entries, report.unreadable, report.anchors) == (True, 2, 12, 0, 1)
    entries = await store.read(lambda unit: audit.of_case(unit, case_id=K1))
    assert [entry.payload["number"] for entry in entries] == list(range(6))  # type: ignore[call-overload,index]
    assert await store.write(lambda unit: audit.anchor(unit, now=now)) is not None
    assert await store.write(lambda unit: audit.anchor(unit, now=now)) is None
    assert (await _verify(store, case_id=K2)).entries == 6


def _edits_kind(unit: Unit) -> None:
    unit.run(update(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 3)).values(kind="approval"))


def _edits_ids(unit: Unit) -> None:
    unit.run(update(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 3)).values(ids={"request": "r9"}))


def _removes_from_the_middle(unit: Unit) -> None:
    unit.run(delete(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 3)))


def _cuts_the_end(unit: Unit) -> None:
    unit.run(delete(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq >= 4)))


def _cuts_the_end_and_mends_the_head(unit: Unit) -> None:
    _cuts_the_end(unit)
    last = unit.value(select(ENTRIES.c.hash).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 3)))
    unit.run(update(HEADS).where(HEADS.c.chain == "k1").values(seq=3, hash=last))


def _removes_a_whole_chain(unit: Unit) -> None:
    unit.run(delete(ENTRIES).where(ENTRIES.c.chain == "k1"))
    unit.run(delete(HEADS).where(HEADS.c.chain == "k1"))


def _swaps_two_entries(unit: Unit) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        unit.run(update(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == old)).values(seq=new))


def _swaps_two_payloads(unit: Unit) -> None:
    def body(seq: int) -> bytes:
        value: bytes = unit.value(select(ENTRIES.c.body).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == seq)))
        return value

    second, third = body(2), body(3)
    unit.run(update(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 2)).values(body=third))
    unit.run(update(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 3)).values(body=second))


def _writes_another_payload(unit: Unit) -> None:
    sealed = unit.vault.seal(conversation_key(C1), "audit:k1:3", {"effect": "deny", "number": 2})
    unit.run(update(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 3)).values(body=sealed))


def _inserts_an_entry(unit: Unit) -> None:
    row = dict(unit.first(select(ENTRIES).where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == 6))) or {})
    unit.run(insert(ENTRIES).values(**{**row, "seq": 7}))


def _rewrites_the_chain_without_the_keys(unit: Unit) -> None:
    """All hashes are made anew over an edited entry, and the head with them; only the anchor can tell."""
    prev = "0" * 64
    for row in unit.rows(select(ENTRIES).where(ENTRIES.c.chain == "k1").order_by(ENTRIES.c.seq)):
        kind = "approval" if row["seq"] == 3 else row["kind"]
        entry_hash = audit._entry_hash(
            prev, "k1", row["seq"], row["origin"], kind, row["ids"], row["at"], row["digest"]
        )
        unit.run(
            update(ENTRIES)
            .where((ENTRIES.c.chain == "k1") & (ENTRIES.c.seq == row["seq"]))
            .values(kind=kind, prev_hash=prev, hash=entry_hash)
        )
        prev = entry_hash
    unit.run(update(HEADS).where(HEADS.c.chain == "k1").values(hash=prev))


def _edits_an_anchor(unit: Unit) -> None:
    unit.run(update(ANCHORS).values(heads={}))


@pytest.mark.parametrize(
    "tamper",
    [
        _edits_kind,
        _edits_ids,
        _removes_from_the_middle,
        _cuts_the_end,
        _cuts_the_end_and_mends_the_head,
        _removes_a_whole_chain,
        _swaps_two_entries,
        _swaps_two_payloads,
        _writes_another_payload,
        _inserts_an_entry,
        _rewrites_the_chain_without_the_keys,
        _edits_an_anchor,
    ],
)
async def test_p11_tampering_is_found_and_named(store: Store, now: datetime, tamper: Callable[[Unit], None]) -> None:
    await _record(store, now)
    await store.write(tamper)
    report = await _verify(store)
    assert not report.ok
    assert all("k1" in problem or "anchor" in problem for problem in report.problems)
    assert (await _verify(store, case_id=K2)).ok or tamper is _edits_an_anchor


async def test_p11_anchors_that_were_removed_are_missed_by_who_kept_the_last_one(store: Store, now: datetime) -> None:
    anchored = await _record(store, now)
    await store.write(lambda unit: unit.run(delete(ANCHORS)))
    assert not (await _verify(store, anchor_hash=anchored)).ok


async def test_p8_the_chain_of_a_forgotten_person_still_verifies(store: Store, now: datetime) -> None:
    await _record(store, now)
    await store.write(lambda unit: unit.vault.destroy(conversation_key(C1)))
    report = await _verify(store)
    assert (report.ok, report.entries, report.unreadable) == (True, 12, 6)
    entries = await store.read(lambda unit: audit.of_case(unit, case_id=K1))
    assert [(entry.readable, entry.payload) for entry in entries] == [(False, None)] * 6


async def test_what_has_no_case_yet_is_on_the_record_of_its_conversation(store: Store, now: datetime) -> None:
    await store.write(
        lambda unit: audit.append(
            unit, case_id=None, conversation_id=C1, kind="screening", ids={}, payload={"flags": []}, at=now
        )
    )
    (entry,) = await store.read(lambda unit: audit.of_conversation(unit, conversation_id=C1))
    assert entry.payload == {"flags": []}
    assert (await _verify(store)).ok
