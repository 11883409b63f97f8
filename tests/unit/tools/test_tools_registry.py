"""The registry: arguments made canonical, facts read side by side, declarations that contradict themselves refused."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from policies.words import Fact, Facts, Json
from tools.errors import ToolArgumentsError, ToolSpecError, ToolUnavailable, UnknownTool
from tools.registry import Registry
from tools.spec import FactProvider, ToolContext, ToolResult, ToolSpec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTEXT = ToolContext(systems={}, customer_id=None, idempotency_key="k", now=NOW)


class Transfer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: str
    amount_minor: int
    currency: str = "EUR"
    on: date | None = None
    lines: list[str] | None = None
    code: str | None = None


async def transfer(arguments: Any, context: ToolContext) -> ToolResult:
    return ToolResult({"account": arguments.account})


def spec(**changes: Any) -> ToolSpec:
    base = ToolSpec(
        name="transfer",
        description="Send money.",
        system="bank",
        kind="write",
        arguments=Transfer,
        call=transfer,
        returns="transfer",
        identity=("account", "lines"),
        amount_argument="amount_minor",
        currency_argument="currency",
        secret_arguments=frozenset({"code"}),
        summary="Send {amount} to {account} with {code} for {lines}",
    )
    return replace(base, **changes)


def provider(read: Any, facts: Mapping[str, str]) -> FactProvider:
    return FactProvider(read=read, facts=facts)


def reading(**values: Json) -> Any:
    async def read(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
        return {name.replace("__", "."): Fact(value, "bank", context.now) for name, value in values.items()}

    return read


def test_an_unknown_tool_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownTool, match="Did you mean transfer"):
        Registry([spec()]).get("trasnfer")
    with pytest.raises(UnknownTool, match="The playbook has: transfer"):
        Registry([spec()]).get("zzz")


def test_canonical_arguments_hold_defaults_and_no_nulls() -> None:
    registry = Registry([spec()])
    short = registry.validate("transfer", {"account": "A", "amount_minor": 100})
    assert short == {"account": "A", "amount_minor": 100, "currency": "EUR"}
    assert registry.validate("transfer", {"account": "A", "amount_minor": 100, "on": None, "currency": "EUR"}) == short


def test_dates_are_taken_from_text_and_given_as_text() -> None:
    arguments = Registry([spec()]).validate("transfer", {"account": "A", "amount_minor": 1, "on": "2026-05-01"})
    assert arguments["on"] == "2026-05-01"


@pytest.mark.parametrize("amount", ["100", 100.0, 100.5, True, None, [100], {"amount_minor": 100}, "١٠٠"])
def test_an_amount_of_another_kind_is_refused_and_named(amount: Json) -> None:
    with pytest.raises(ToolArgumentsError, match="amount_minor"):
        Registry([spec()]).validate("transfer", {"account": "A", "amount_minor": amount})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"x"])
def test_what_is_not_plain_json_is_refused(value: Any) -> None:
    with pytest.raises(ToolArgumentsError, match="plain JSON"):
        Registry([spec()]).validate("transfer", {"account": value, "amount_minor": 1})


def test_an_unknown_argument_is_refused_without_its_value_in_the_message() -> None:
    with pytest.raises(ToolArgumentsError) as refused:
        Registry([spec()]).validate("transfer", {"account": "A", "amount_minor": "sesame", "iban": "DE-secret"})
    assert "iban" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "sesame" not in str(refused.value)


def test_an_edit_that_came_back_as_text_means_the_same_as_the_original() -> None:
    registry = Registry([spec()])
    edited = {"account": "A", "amount_minor": "100", "lines": '["x", "y"]', "currency": "EUR"}
    original = registry.validate("transfer", {"account": "A", "amount_minor": 100, "lines": ["x", "y"]})
    assert registry.validate("transfer", edited, coerce=True) == original


def test_a_text_argument_that_looks_like_a_list_stays_refused_or_text() -> None:
    with pytest.raises(ToolArgumentsError, match="account"):
        Registry([spec()]).validate("transfer", {"account": '["A"]', "amount_minor": 1, "x": 1}, coerce=True)


JSON_LIKE = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3))
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*Transfer.model_fields, "other"]), JSON_LIKE, min_size=1))
def test_any_arguments_are_either_canonical_or_refused(arguments: dict[str, Any]) -> None:
    registry = Registry([spec()])
    try:
        canonical = registry.validate("transfer", arguments)
    except ToolArgumentsError:
        return
    assert registry.validate("transfer", canonical) == canonical


def test_p2_the_identity_of_an_effect_leaves_out_what_does_not_identify_it() -> None:
    arguments = {"account": "A", "amount_minor": 100, "lines": ["x"], "currency": "EUR"}
    assert Registry([spec()]).identity_of("transfer", arguments) == {"account": "A", "lines": ["x"]}


def test_a_summary_shows_money_and_lists_in_words_and_no_secret() -> None:
    arguments: dict[str, Json] = {
        "account": "A",
        "amount_minor": 14890,
        "currency": "EUR",
        "lines": ["x", "y"],
        "code": "1234",
    }
    assert Registry([spec()]).summary_of("transfer", arguments) == "Send 148.90 EUR to A with … for x, y"


async def test_p1_a_provider_that_fails_leaves_its_facts_out_and_the_others_alone() -> None:
    async def broken(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
        raise KeyError("customer words")

    async def away(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
        raise ToolUnavailable

    async def asleep(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
        await asyncio.sleep(60)
        return {}

    registry = Registry(
        [
            spec(
                providers=(
                    provider(reading(a__balance=5), {"a.balance": "int"}),
                    provider(broken, {"b.owner": "string"}),
                    provider(away, {"c.state": "string"}),
                    provider(asleep, {"d.state": "string", "d.since": "timestamp"}),
                )
            )
        ]
    )
    read = await registry.read_facts("transfer", {}, CONTEXT, timeout_s=0.05)
    assert {name: fact.value for name, fact in read.facts.items()} == {"a.balance": 5}
    assert set(read.missing) == {"b.owner", "c.state", "d.state", "d.since"}
    assert "KeyError" in read.missing["b.owner"]
    assert "customer words" not in read.missing["b.owner"]
    assert "out of reach" in read.missing["c.state"]
    assert "0.05 s" in read.missing["d.state"]


async def test_providers_are_asked_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    async def one(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
        await both.wait()
        return {"one.x": Fact(1, "bank", context.now)}

    async def two(arguments: Mapping[str, Json], context: ToolContext) -> Facts:
        await both.wait()
        return {"two.x": Fact(2, "bank", context.now)}

    registry = Registry([spec(providers=(provider(one, {"one.x": "int"}), provider(two, {"two.x": "int"})))])
    read = await registry.read_facts("transfer", {}, CONTEXT, timeout_s=5)
    assert set(read.facts) == {"one.x", "two.x"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "5"),
        ("int", True),
        ("int", 5.0),
        ("bool", 1),
        ("string", 5),
        ("float", float("nan")),
        ("timestamp", "2026-03-01T12:00:00"),
        ("timestamp", "yesterday"),
        ("list", {}),
        ("map", []),
    ],
)
async def test_p1_a_fact_of_another_type_than_declared_is_unknown(kind: str, value: Json) -> None:
    registry = Registry([spec(providers=(provider(reading(a__x=value), {"a.x": kind}),))])
    read = await registry.read_facts("transfer", {}, CONTEXT, timeout_s=1)
    assert not read.facts
    assert kind in read.missing["a.x"]


async def test_a_fact_that_nobody_declared_is_not_passed_on_and_one_not_given_is_missing() -> None:
    registry = Registry([spec(providers=(provider(reading(a__x=1, a__y=2), {"a.x": "int", "a.z": "int"}),))])
    read = await registry.read_facts("transfer", {}, CONTEXT, timeout_s=1)
    assert set(read.facts) == {"a.x"}
    assert set(read.missing) == {"a.z"}


class Loose(BaseModel):
    account: str


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"identity": ("acount",)}, "account"),
        ({"identity": ()}, "has no identity"),
        ({"amount_argument": ""}, "go together"),
        ({"summary": "Send it to {whom}"}, "whom"),
        ({"record_argument": "order_id"}, "order_id"),
        ({"arguments": Loose, "identity": ("account",), "amount_argument": "", "currency_argument": "",
          "secret_arguments": frozenset(), "summary": ""}, "forbid"),
        ({"returns": "The Result"}, "words of small letters"),
        ({"providers": (provider(reading(), {"a.x": "int"}), provider(reading(), {"a.x": "int"}))}, "two providers"),
        ({"providers": (FactProvider(reading(), {"a.x": "int"}, frozenset({"a.y"})),)}, "a.y"),
    ],
)  # fmt: skip
def test_a_declaration_that_contradicts_itself_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ToolSpecError, match=complaint):
        Registry([spec(**changes)])


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ToolSpecError, match="Two tools are called transfer"):
        Registry([spec(), spec()])


def test_profiles_tell_policy_what_a_tool_does() -> None:
    profile = Registry([spec(providers=(provider(reading(), {"a.x": "int"}),))]).profiles()["transfer"]
    assert profile.kind == "write"
    assert profile.amount_argument == "amount_minor"
    assert profile.fact_types == {"a.x": "int"}
    assert profile.argument_types["on"] == "timestamp"
    assert profile.argument_types["lines"] == "list<string>"
