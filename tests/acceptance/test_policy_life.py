"""A change of policies on a running Callboard: backtest, shadow, second person, share of cases, rollback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from houses import AMELIE, MIRA, NOW, SAM, OpenHouse, TestHouse

from agents.reasoners.scripted import ScriptedReasoner
from agents.tasks import Cue, ToolProposal, WorkflowTask
from callboard.api.access import Principal
from callboard.api.app import create_app
from callboard.policy_office import backtest
from callboard.settings import DEFAULT_PLAYBOOK
from graphs.judging import judge
from graphs.policy_desk import falls_into
from memory import requests
from memory.policy_versions import Term
from policies.contents import PolicyContent, read_content
from policies.words import CaseId, ConversationId, Effect
from tools.errors import ToolUnavailable

PEOPLE: dict[str, Principal] = {
    "ana": Principal("ana", "supervisor"),
    "sue": Principal("sue", "supervisor"),
    "eva": Principal("eva", "evaluator"),
}


def candidate() -> PolicyContent:
    """Refunds of up to 200 EUR by the AI alone; today it is 100."""
    content = read_content(DEFAULT_PLAYBOOK)
    text = content.files["policies/refunds.yaml"]
    assert "args.amount_minor > 10000" in text
    changed = text.replace("args.amount_minor > 10000", "args.amount_minor > 20000")
    return replace(content, files={**content.files, "policies/refunds.yaml": changed})


class Api:
    """Callboard's API as one person sees it."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def call(self, who: str, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        response = await self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {who}"})
        assert response.status_code == expect, response.text
        return response.json()

    async def post(self, who: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        return await self.call(who, "POST", path, body, expect=expect)


@asynccontextmanager
async def api_of(house: TestHouse) -> AsyncIterator[Api]:
    async def authenticate(key: str) -> Principal | None:
        return PEOPLE.get(key)

    app = create_app(house.runtime, authenticate=authenticate)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://callboard") as client:
        yield Api(client)


async def bring_in(api: Api, content: PolicyContent, **activation: Any) -> str:
    """The whole life of a change; its hash."""
    drafted = await api.post("ana", "/v1/policies", {**content.as_json(), "note": "Up to 200 EUR."}, expect=201)
    path = f"/v1/policies/{drafted['hash'][:12]}"
    await api.post("eva", f"{path}/backtest")
    await api.post("ana", f"{path}/shadow")
    await api.post("sue", f"{path}/approve")
    await api.post("ana", f"{path}/activate", activation)
    return str(drafted["hash"])


def worded_otherwise(old: str, new: str) -> PolicyContent:
    """Today's policies with another text in the place of one."""
    content = read_content(DEFAULT_PLAYBOOK)
    files = dict(content.files)
    (name,) = [each for each, text in files.items() if old in text]
    files[name] = files[name].replace(old, new)
    return replace(content, files=files)


async def test_p13_todays_policy_replays_every_recorded_decision_identically(house: TestHouse) -> None:
    await house.ask_refund()
    await house.say("Where is my order 20418?", conversation="c2")
    report = await backtest(house.runtime, house.runtime.desk.latest)
    decisions = report["decisions"]
    assert isinstance(decisions, int)
    assert decisions >= 4
    assert (report["identical"], report["flipped"], report["unreplayable"]) == (decisions, 0, 0)


async def test_a_change_is_backtested_shadowed_approved_by_a_second_person_and_rolled_back(house: TestHouse) -> None:
    await house.ask_refund()
    async with api_of(house) as api:
        content = candidate()
        report = await api.post("eva", "/v1/policies/backtest", content.as_json())
        assert report["directions"] == {"require_approval → allow": 1}
        assert report["by_rule"] == {"refund-above-100": {"require_approval → allow": 1}}
        assert report["approvals_saved"] == {"refunds": 1}

        drafted = await api.post("ana", "/v1/policies", {**content.as_json(), "note": "Up to 200."}, expect=201)
        path = f"/v1/policies/{drafted['hash']}"
        assert (await api.post("ana", f"{path}/shadow", expect=409))["type"].endswith("policy-not-ready")
        await api.post("eva", f"{path}/backtest")
        await api.post("ana", f"{path}/shadow")
        await house.ask_refund(conversation="c9")
        refused = await api.post("ana", f"{path}/approve", expect=403)
        assert refused["type"].endswith("second-person-needed")
        assert (await api.post("ana", f"{path}/activate", {}, expect=409))["type"].endswith("policy-not-ready")
        approved = await api.post("sue", f"{path}/approve")
        assert approved["shadowed"] > 0
        await api.post("ana", f"{path}/activate", {})

        before = house.runtime.playbook.policies.version
        after = house.runtime.desk.compile(content).version
        assert await version_of_next_decision(house, "c3") == after
        history = await api.call("eva", "GET", "/v1/policies")
        assert history["in_force"][0]["hash"] == content.hash
        made = {version["hash"]: version["decisions"] for version in history["versions"]}
        assert all(count > 0 for count in made.values())

        await api.post("ana", "/v1/policies/rollback")
        assert await version_of_next_decision(house, "c4") == before
        steps = [step["kind"] for step in (await api.call("eva", "GET", "/v1/policies"))["events"]]
        assert steps[-5:] == ["backtested", "shadowed", "approved", "activated", "rolled_back"]


async def version_of_next_decision(house: TestHouse, conversation: str) -> str:
    for text in ("Where is my order 20418?", MIRA):
        await house.say(text, conversation=conversation)
    rows = await house.runtime.store.read(lambda unit: requests.decisions_after(unit, seq=0, limit=1000))
    last = rows[-1][1]
    assert last is not None
    return last.policy_version


async def test_nothing_follows_from_what_the_shadow_says(house: TestHouse) -> None:
    async with api_of(house) as api:
        drafted = await api.post("ana", "/v1/policies", candidate().as_json(), expect=201)
        await api.post("eva", f"/v1/policies/{drafted['hash']}/backtest")
        await api.post("ana", f"/v1/policies/{drafted['hash']}/shadow")
        result = await house.ask_refund()
        assert result.outcome == "awaiting_approval"
        (shadow,) = [
            version
            for version in (await api.call("eva", "GET", "/v1/policies"))["versions"]
            if version["state"] == "shadow"
        ]
        assert (shadow["flipped"], shadow["shadowed"] > 1) == (1, True)
        rows = await house.runtime.store.read(lambda unit: requests.decisions_after(unit, seq=0, limit=1000))
        said = [row.situation["shadow"] for _, row in rows if row and row.effect == Effect.REQUIRE_APPROVAL]
        assert [each["effect"] for each in said if isinstance(each, dict)] == ["allow"]


async def test_what_was_activated_stays_in_force_after_a_restart_whatever_the_files_say(open_house: OpenHouse) -> None:
    first = await open_house()
    async with api_of(first) as api:
        wanted = await bring_in(api, candidate())
    await first.close()
    again = await open_house()
    assert again.runtime.desk.latest.version == again.runtime.desk.compile(candidate()).version
    async with api_of(again) as api:
        history = await api.call("eva", "GET", "/v1/policies")
    assert history["in_force"][0]["hash"] == wanted


def test_a_share_of_the_cases_is_always_the_same_share() -> None:
    term = Term(1, "ab" * 32, NOW, 20)
    chosen = {number for number in range(1000) if falls_into(term, CaseId(f"case-{number}"))}
    assert 150 < len(chosen) < 250
    assert chosen == {number for number in range(1000) if falls_into(term, CaseId(f"case-{number}"))}
    assert not falls_into(term, None)
    wider = replace(term, share=50)
    assert chosen < {number for number in range(1000) if falls_into(wider, CaseId(f"case-{number}"))}


async def test_a_request_is_explained_with_what_every_rule_said(house: TestHouse) -> None:
    await house.ask_refund()
    rows = await house.runtime.store.read(lambda unit: requests.decisions_after(unit, seq=0, limit=1000))
    refund = next(row for _, row in rows if row and row.effect == Effect.REQUIRE_APPROVAL)
    async with api_of(house) as api:
        found = await api.call("eva", "GET", f"/v1/requests/{refund.request_id}/decisions")
    assert found["tool"] == "refund_order"
    text = found["decisions"][-1]["explanation"]
    assert "refund_order needs an approval." in text
    assert "refund-above-100: A refund of 148.90 EUR is above the 100.00 EUR that the AI may give alone." in text


async def test_p1_a_fact_provider_that_fails_leaves_its_facts_unknown_and_unknown_denies(
    house: TestHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("Where is my order 20418?", MIRA):
        await house.say(text)
    rows = await house.runtime.store.read(lambda unit: requests.decisions_after(unit, seq=0, limit=1000))
    row = next(row for _, row in reversed(rows) if row and row.effect == Effect.ALLOW)
    stored = await house.runtime.store.read(lambda unit: requests.get_request(unit, request_id=row.request_id))
    runner: Any = house.runtime.runner
    inside = runner._house
    spec = inside.tools.get("get_order")

    async def broken(*_: object) -> Any:
        raise ToolUnavailable

    providers = tuple(replace(provider, read=broken) for provider in spec.providers)
    monkeypatch.setitem(inside.tools._specs, "get_order", replace(spec, providers=providers))
    judged = await judge(
        inside,
        replace(stored.request, tool="get_order", arguments={"order_id": "20418"}),
        conversation_id=ConversationId("c1"),
        case_id=CaseId(str(stored.case_id)),
        signals={},
        now=house.clock(),
    )
    assert judged.decision.effect is Effect.DENY
    assert "owner.customer_id" in judged.missing
    assert "could not be read" in judged.decision.error


async def test_p3_policies_that_come_to_the_same_let_an_approval_stand_that_others_asked_for(house: TestHouse) -> None:
    waiting = await house.ask_refund()
    approval = await house.only_pending()
    async with api_of(house) as api:
        await bring_in(
            api, worded_otherwise("Every refund is confirmed by e-mail.", "Each refund is confirmed by mail.")
        )
    await house.decide(approval)
    assert house.records.amounts("20418") == [14890]
    spent = await house.approval(approval.id)
    assert (spent.status, spent.version, spent.policy_version) == ("spent", 1, approval.policy_version)
    made = await house.read(lambda unit: requests.decisions_of(unit, request_id=approval.request_id))
    assert made[-1].policy_version != approval.policy_version
    assert (await house.runtime.runner.result(waiting.turn_id)).final


async def test_p3_policies_that_ask_for_another_person_reopen_it(house: TestHouse) -> None:
    await house.ask_refund()
    approval = await house.only_pending()
    async with api_of(house) as api:
        await bring_in(api, worded_otherwise("args.amount_minor > 50000", "args.amount_minor > 12000"))
    await house.decide(approval)
    reopened = await house.approval(approval.id)
    assert (reopened.status, reopened.role, house.records.amounts("20418")) == ("pending", "supervisor", [])
    assert reopened.policy_version != approval.policy_version
    await house.decide(reopened, reviewer=SAM)
    assert house.records.amounts("20418") == [14890]


PARIS = {"street": "12 Rue de la Paix", "city": "Paris", "postcode": "75002", "country": "FR"}
ROME = {"street": "Via Roma 3", "city": "Roma", "postcode": "00184", "country": "IT"}


def plan_of_two_steps(task: WorkflowTask) -> Cue:
    """An address is changed, and changed again; what fails goes to a person."""
    if task.authentication.state != "enough":
        return Cue(kind="call", call=task.authentication.call, reason="Who is it?")
    if not any(each.tool == "get_order" for each in task.attempts):
        return Cue(kind="call", call=ToolProposal(tool="get_order", arguments={"order_id": "21102"}), reason="Look.")
    made = [each for each in task.attempts if each.tool == "change_shipping_address"]
    if len(made) == 2:
        return Cue(kind="escalate", template="escalated", reason="The second step failed.")
    arguments: dict[str, Any] = {"order_id": "21102", "address": ROME if made else PARIS}
    return Cue(kind="call", call=ToolProposal(tool="change_shipping_address", arguments=arguments), reason="A step.")


async def test_p12_what_a_plan_did_before_it_failed_is_undone_if_policy_lets_it(
    open_house: OpenHouse,
) -> None:
    house = await open_house(
        reasoner=lambda _sheets, local: ScriptedReasoner({WorkflowTask: plan_of_two_steps}, otherwise=local)
    )
    shop: Any = house.runtime.systems["shop"]
    before, change = house.records.order("21102")["street"], shop.change_address

    async def only_once(order_id: str, *, address: Any, **named: Any) -> Any:
        if address.city == "Roma":
            raise ToolUnavailable
        return await change(order_id, address=address, **named)

    shop.change_address = only_once
    async with api_of(house) as api:
        await bring_in(
            api, worded_otherwise("{if: {risk: medium}, asks: confirm}", "{if: {risk: medium}, asks: nothing}")
        )
        result = await house.say(f"Please send order 21102 to another address. {AMELIE}")
    assert (result.outcome, house.records.order("21102")["street"]) == ("escalated", before)
