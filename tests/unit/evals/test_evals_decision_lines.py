"""Requests as JSON lines: every line gets its answer, whatever it holds."""

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.courts import open_court
from evals.decision_lines import Court
from evals.request_lines import MAX_LINE, LineUnusable, lines_of, read_line
from graphs import playbook as playbooks
from graphs.playbook import Playbook
from policies.words import Assurance

RETAIL = Path(playbooks.__file__).resolve().parent.parent / "playbooks" / "retail"
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
READ = {"id": "1", "tool": "get_order", "args": {"order_id": "20418"}, "customer_id": "C-1001", "assurance": 2}
OWN = {"owner.customer_id": "C-1001"}


@cache
def retail() -> Playbook:
    return playbooks.load_playbook(RETAIL)


@pytest.fixture
def court() -> Court:
    """Recorded facts only: no system is opened."""
    return Court(retail(), {}, "recorded", NOW)


@pytest.fixture
async def live() -> AsyncIterator[Court]:
    async with open_court(RETAIL, facts_from="live", systems=None, now=NOW) as opened:
        yield opened


def line(**changes: Any) -> bytes:
    return json.dumps({**READ, **changes}).encode()


async def test_an_answer_says_effect_rules_reasons_duties_facts_and_version(court: Court) -> None:
    answer = await court.answer(line(facts=OWN), number=1)
    assert list(answer) == ["id", "effect", "rules", "reasons", "obligations", "facts", "policy_version"]
    assert (answer["id"], answer["effect"], answer["rules"]) == ("1", "allow", ["looking-things-up"])
    assert answer["policy_version"] == retail().policies.version
    assert answer["facts"] == {
        "owner.customer_id": {"value": "C-1001", "source": "recorded", "read_at": NOW.isoformat()}
    }


async def test_facts_that_a_line_leaves_out_are_read_live_and_stay_unknown_otherwise(court: Court, live: Court) -> None:
    unknown = await court.answer(line(), number=1)
    assert (unknown["effect"], "could not be read" in str(unknown["error"])) == ("deny", True)
    read = await live.answer(line(), number=1)
    assert (read["effect"], read["facts"]["owner.customer_id"]["source"]) == ("allow", "orders database")  # type: ignore[index,call-overload]  # plain JSON
    stated = await live.answer(line(facts={"owner.customer_id": "C-7"}), number=1)
    assert (stated["effect"], stated["rules"]) == ("deny", ["baseline.own-records"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"nonsense", "It is not JSON that can be used."),
        (b"[1]", "It is not a JSON object."),
        (b'{"id": "1", "id": "2", "tool": "get_order"}', "It is not JSON that can be used."),
        (b'{"id": "1", "tool": "get_order", "args": {"a": NaN}}', "It is not JSON that can be used."),
        (b'{"id": "1"}', "It names no tool."),
        (b"\xff\xfe", "It is not JSON that can be used."),
        (line(args=[1]), "args is not an object."),
        (line(assurance=9), "assurance is not 0, 1, 2 or 3."),
        (line(assurance=True), "assurance is not 0, 1, 2 or 3."),
        (line(now="yesterday"), "now holds no moment with an offset."),
        (line(history=[{"args": {}}]), "An entry of history names no call."),
        (line(provenance={"order_id": "hearsay"}), "provenance names an unknown origin."),
        (line(uses={"k": [{"amount_minor": "4"}]}), "uses can't be read."),
    ],
)
async def test_a_line_that_cannot_be_used_is_denied_with_its_number(court: Court, content: bytes, problem: str) -> None:
    answer = await court.answer(content, number=7)
    assert answer["effect"] == "deny"
    assert str(answer["error"]).startswith(f"Line 7: {problem}")


async def test_a_wrong_line_stops_no_other(court: Court) -> None:
    lines = [line(facts=OWN), b"{", b"\n", line(id="3", tool="fly"), line(id="4", args={}), line(id="5", facts=OWN)]
    answers = [answer async for answer in court.decide(lines)]
    assert [(answer["id"], answer["effect"], "error" in answer) for answer in answers] == [
        ("1", "allow", False),
        (None, "deny", True),
        ("3", "deny", True),
        ("4", "deny", True),
        ("5", "allow", False),
    ]


def test_a_line_without_an_end_is_refused_without_being_kept() -> None:
    stream = io.BytesIO(b"a" * (3 * MAX_LINE) + b"\n" + line() + b"\n")
    read = list(lines_of(stream))
    assert [len(each) <= MAX_LINE + 1 for each in read] == [True, True]
    with pytest.raises(LineUnusable, match="longer than"):
        read_line(read[0], playbook=retail(), now=NOW)
    assert read_line(read[1], playbook=retail(), now=NOW).request.tool == "get_order"


def test_everything_that_the_guide_names_is_read() -> None:
    read = read_line(
        line(
            case={"id": "case-7", "journey": "refund", "channel": "email"},
            now="2026-11-20T10:00:00+01:00",
            level="autonomous",
            specialist="reviewer",
            occurrence="second",
            provenance={"order_id": {"origin": "fact", "ref": "order.id"}},
            signals={"failures": 2},
            history=[
                {"call": "get_order", "args": {"order_id": "1"}, "ok": False, "result": {"a": 1}},
                {"confirmed": "get_order", "args": {"order_id": "1"}, "at": "2026-11-20T09:00:00Z"},
            ],
            facts={"a": 1, "b": {"value": 2, "source": "books", "read_at": "2026-11-19T00:00:00Z"}},
            uses={"limit|C-1": [{"at": "2026-11-01T00:00:00Z", "amount_minor": 5, "currency": "EUR"}]},
            label="kept by whoever wrote it",
        ),
        playbook=retail(),
        now=NOW,
    )
    made = read.situation
    assert (made.case_id, made.journey, made.channel, made.level) == ("case-7", "refund", "email", "autonomous")
    assert (made.now.isoformat(), made.assurance) == ("2026-11-20T09:00:00+00:00", Assurance.VERIFIED)
    assert [(event.kind, event.ok) for event in made.history] == [("call", False), ("confirmation", True)]
    assert read.request.provenance["order_id"].ref == "order.id"
    assert [(fact.value, fact.source) for fact in read.facts.values()] == [(1, "recorded"), (2, "books")]
    assert (read.says_uses, made.uses["limit|C-1"][0].amount_minor) == (True, 5)


async def test_the_calls_of_a_lines_history_use_up_limits(court: Court) -> None:
    refund = {
        "order_id": "20418",
        "item_ids": ["20418-1"],
        "amount_minor": 4000,
        "currency": "EUR",
        "reason": "returned",
    }
    asked: dict[str, Any] = {"tool": "refund_order", "case": "case-1"}
    earlier = [{"call": "refund_order", "args": {**refund, "item_ids": [str(each)]}} for each in range(4)]
    with_past = await court.answer(line(**asked, args=refund, history=earlier), number=1)
    without = await court.answer(line(**asked, args=refund), number=1)
    assert "refunds-per-customer" in with_past["rules"]  # type: ignore[operator]  # plain JSON
    assert "refunds-per-customer" not in without["rules"]  # type: ignore[operator]  # plain JSON


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["tool", "args", "customer_id", "assurance", "facts", "case", "now", "history", "uses", "signals"]
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=4))
async def test_no_line_is_answered_with_anything_but_a_decision(changes: dict[str, Any]) -> None:
    court = Court(retail(), {}, "recorded", NOW)
    answer = await court.answer(line(**changes), number=1)
    assert answer["effect"] in {"allow", "require_approval", "escalate", "deny"}
    assert answer["effect"] == "deny" or "error" not in answer
