"""A system of record in one JSON file: copies out, whole effects in, amounts turned at the door."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.records import CHANGES, RECORDS, RecordsFile, ShowsChanges

SHOP: dict[str, dict[str, dict[str, Any]]] = {
    "orders": {
        "W1": {"id": "W1", "status": "pending", "payments": [{"amount": 148.9}], "tip": None},
        "W2": {"id": "W2", "status": "sent", "payments": [], "tip": None},
    }
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / RECORDS).write_text(json.dumps(SHOP), encoding="utf-8")
    return tmp_path


def opened(directory: Path) -> RecordsFile:
    return RecordsFile("shop", directory, money=("amount", "tip"))


def test_amounts_are_minor_units_inside_and_decimal_numbers_outside(directory: Path) -> None:
    records = opened(directory)
    order = records.get("orders", "W1")
    assert order is not None
    assert order["payments"] == [{"amount_minor": 14890}]
    assert order["tip_minor"] is None
    order["payments"].append({"amount_minor": 5})
    records.commit("k1", {"orders": {"W1": order}}, result={})
    assert records.changed_records()["orders"]["W1"]["payments"] == [{"amount": 148.9}, {"amount": 0.05}]


def test_what_is_read_is_a_copy_and_changes_nothing(directory: Path) -> None:
    records = opened(directory)
    order = records.get("orders", "W1")
    assert order is not None
    order["status"] = "stolen"
    assert opened(directory).get("orders", "W1") == records.get("orders", "W1")
    assert records.changed_records() == {}


def test_a_committed_effect_is_there_after_the_process_ended_and_known_by_its_key(directory: Path) -> None:
    records = opened(directory)
    records.commit("k1", {"orders": {"W3": {"id": "W3", "status": "new"}}}, result={"order": "W3"})
    again = opened(directory)
    assert again.get("orders", "W3") == {"id": "W3", "status": "new"}
    assert again.result_of("k1") == {"order": "W3"}
    assert again.result_of("k2") is None
    assert json.loads((directory / RECORDS).read_text(encoding="utf-8")) == SHOP


def test_an_effect_that_was_cut_off_while_it_was_written_never_happened(directory: Path) -> None:
    records = opened(directory)
    records.commit("k1", {"orders": {"W1": {"id": "W1", "status": "one"}}}, result={})
    with (directory / CHANGES).open("a", encoding="utf-8") as log:
        log.write('{"key": "k2", "result": {}, "changed": {"orders": {"W1": {"id"')
    again = opened(directory)
    assert again.result_of("k2") is None
    again.commit("k3", {"orders": {"W2": {"id": "W2", "status": "two"}}}, result={})
    last = opened(directory)
    assert [record["status"] for record in last.find("orders", lambda _: True)].count("two") == 1
    assert last.result_of("k3") == {}


def test_only_records_that_differ_count_as_changed(directory: Path) -> None:
    records = opened(directory)
    assert isinstance(records, ShowsChanges)
    for status in ("cancelled", "pending"):
        order = records.get("orders", "W1")
        assert order is not None
        records.commit(status, {"orders": {"W1": order | {"status": status}}}, result={})
        changed = {"orders": {"W1": SHOP["orders"]["W1"] | {"status": status}}}
        assert records.changed_records() == (changed if status == "cancelled" else {})


def test_finding_sees_records_as_they_stand_now(directory: Path) -> None:
    records = opened(directory)
    records.commit("k1", {"orders": {"W1": {"id": "W1", "status": "sent"}}}, result={})
    assert {record["id"] for record in records.find("orders", lambda order: order["status"] == "sent")} == {"W1", "W2"}
    assert list(records.find("nothing", lambda _: True)) == []


def test_processes_that_share_the_records_see_what_the_others_committed_and_each_effect_once(directory: Path) -> None:
    one, other = opened(directory), opened(directory)
    one.commit("k1", {"orders": {"W1": {"id": "W1", "status": "sent"}}}, result={"by": "one"})
    assert other.result_of("k1") == {"by": "one"}
    assert (other.get("orders", "W1") or {})["status"] == "sent"
    assert {record["id"] for record in other.find("orders", lambda order: order["status"] == "sent")} == {"W1", "W2"}
    other.commit("k1", {"orders": {"W1": {"id": "W1", "status": "again"}}}, result={"by": "other"})
    other.commit("k2", {"orders": {"W2": {"id": "W2", "status": "back"}}}, result={"by": "other"})
    for records in (one, other, opened(directory)):
        assert (records.result_of("k1"), records.result_of("k2")) == ({"by": "one"}, {"by": "other"})
        assert [records.get("orders", name) for name in ("W1", "W2")] == [
            {"id": "W1", "status": "sent"},
            {"id": "W2", "status": "back"},
        ]
