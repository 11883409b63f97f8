"""The HTTP door over the real runtime: conversations, approvals, cases, the record."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callboard.api.app import create_app
from callboard.keys import create_key
from callboard.operator import authenticator
from callboard.runtime import Runtime
from callboard.settings import Settings
from memory.store import Unit

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIRA = "mira.okafor@example.org, 10435"
REFUND = ("I sent the walking boots from order 20418 back and want my money back.", MIRA, "Yes, please go ahead.")


class Office:
    """Everybody who talks to one Callboard, each with their own key."""

    def __init__(self, runtime: Runtime, clients: dict[str, httpx2.AsyncClient]) -> None:
        self.runtime = runtime
        self.clients = clients

    def __getattr__(self, name: str) -> httpx2.AsyncClient:
        return self.clients[name]

    async def say(self, conversation: str, *lines: str) -> dict[str, Any]:
        """Send these lines one after the other; the last turn."""
        turn: dict[str, Any] = {}
        for line in lines:
            response = await self.bot.post(
                f"/v1/conversations/{conversation}/messages", json={"message_id": secrets.token_hex(4), "text": line}
            )
            assert response.status_code == 200, response.text
            turn = response.json()
        return turn

    async def conversation(self, conversation: str) -> dict[str, Any]:
        """As it stands, with nothing in hand."""
        await self.runtime.runner.settle(conversation)  # type: ignore[arg-type]  # an id is text on the wire
        response = await self.bot.get(f"/v1/conversations/{conversation}")
        return dict(response.json())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    data: Path = tmp_path_factory.mktemp("api") / "data"
    people = {
        "bot": ("bot", None),
        "rosa": ("reviewer", {"EUR": 50_000}),
        "small": ("reviewer", {"EUR": 1_000}),
        "sam": ("supervisor", None),
        "admin": ("admin", None),
    }
    async with Runtime.open(Settings(data_dir=data)) as runtime:

        def make(unit: Unit) -> dict[str, str]:
            return {
                name: create_key(unit, name=name, role=role, limits=limits, now=runtime.clock()).key  # type: ignore[arg-type]  # roles as written above
                for name, (role, limits) in people.items()
            }

        keys = await runtime.store.write(make)
        app = create_app(runtime, authenticate=authenticator(runtime.store, operator_key="unused-operator-key"))
        transport = httpx2.ASGITransport(app=app)
        clients = {
            name: httpx2.AsyncClient(
                transport=transport, base_url="http://callboard", headers={"Authorization": f"Bearer {key}"}
            )
            for name, key in keys.items()
        }
        yield Office(runtime, clients)


async def test_a_bot_gets_a_reply_and_the_conversation_holds_both_sides(office: Office) -> None:
    turn = await office.say("status", "Where is my order 20731?", "jonas.lindqvist@example.org, 411 24")
    assert turn["outcome"] == "resolved"
    assert "20731" in turn["reply"]
    conversation = await office.conversation("status")
    assert [message["author"] for message in conversation["messages"]] == ["customer", "assistant"] * 2
    assert conversation["messages"][-1]["text"] == turn["reply"]
    assert (conversation["status"], conversation["outcome"]) == ("ai", "resolved")


async def test_p6_the_same_message_id_returns_the_same_turn(office: Office) -> None:
    message = {"message_id": "m-1", "channel": "email", "text": "Do you ship to Norway?"}
    first = (await office.bot.post("/v1/conversations/twice/messages", json=message)).json()
    again = (await office.bot.post("/v1/conversations/twice/messages", json=message)).json()
    assert again == first
    assert len((await office.conversation("twice"))["messages"]) == 2


async def test_p6_the_same_message_id_with_another_text_is_refused(office: Office) -> None:
    message = {"message_id": "m-1", "text": "Do you sell gift cards?"}
    assert (await office.bot.post("/v1/conversations/other/messages", json=message)).status_code == 200
    refused = await office.bot.post("/v1/conversations/other/messages", json=message | {"text": "Do you sell cats?"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:callboard:problem:message-conflict")
    assert "cats" not in refused.text


async def test_a_refused_request_is_a_problem_that_does_not_repeat_the_customers_words(office: Office) -> None:
    for body in (
        {"message_id": "m", "text": "secret word", "colour": "red"},
        {"message_id": "", "text": "secret word"},
    ):
        refused = await office.bot.post("/v1/conversations/bad/messages", json=body)
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:callboard:problem:invalid-request")
        assert refused.headers["content-type"] == "application/problem+json"
        assert "secret" not in refused.text
    broken = await office.bot.post(
        "/v1/conversations/bad/messages", content=b'{"text": ', headers={"Content-Type": "application/json"}
    )
    assert broken.status_code == 422
    surrogate = await office.bot.post(
        "/v1/conversations/bad/messages",
        content=b'{"message_id": "m", "text": "\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert surrogate.status_code == 422
    assert (await office.bot.get("/v1/conversations/bad")).status_code == 404


async def test_a_turn_that_waits_answers_at_once_and_its_final_reply_appears_on_the_conversation(
    office: Office,
) -> None:
    turn = await office.say("refund", *REFUND)
    assert (turn["outcome"], turn["final"]) == ("awaiting_approval", False)
    assert "148.90" in turn["reply"]
    [approval_id] = turn["approvals"]
    waiting = await office.conversation("refund")
    assert [one["approval_id"] for one in waiting["pending_approvals"]] == [approval_id]

    listed = (await office.rosa.get("/v1/approvals", params={"status": "pending"})).json()["approvals"]
    [shown] = [one for one in listed if one["approval_id"] == approval_id]
    assert shown["details"]["arguments"]["amount_minor"] == 14890
    assert shown["case_id"]
    assert shown["details"]["reasons"]

    # P4: answers that can't be taken leave it as it was.
    for client, answer, slug in (
        (office.small, {"answer": "approve"}, "above-limit"),
        (office.rosa, {"answer": "approve", "version": 7}, "approval-changed"),
        (office.rosa, {"answer": "reject"}, "justification-missing"),
        (office.rosa, {"answer": "edit", "tool": "cancel_order", "arguments": {"order_id": "20418"}}, None),
    ):
        refused = await client.post(f"/v1/approvals/{approval_id}/decision", json=answer)
        assert refused.status_code in (403, 409, 422), refused.text
        assert slug is None or refused.json()["type"].endswith(f":{slug}")
        assert (await office.rosa.get(f"/v1/approvals/{approval_id}")).json() == shown

    decided = await office.rosa.post(f"/v1/approvals/{approval_id}/decision", json={"answer": "approve", "version": 1})
    assert (decided.status_code, decided.json()["status"]) == (200, "approved")
    ended = await office.conversation("refund")
    assert "148.90 EUR" in ended["messages"][-1]["text"]
    assert (ended["outcome"], ended["pending_approvals"]) == ("resolved", [])

    late = await office.rosa.post(f"/v1/approvals/{approval_id}/decision", json={"answer": "reject", "message": "no"})
    assert (late.status_code, late.json()["type"]) == (409, "urn:callboard:problem:approval-closed")

    case = (await office.rosa.get(f"/v1/cases/{shown['case_id']}")).json()
    [refund] = [receipt for receipt in case["receipts"] if receipt["tool"] == "refund_order"]
    assert (refund["state"], refund["approval_id"]) == ("committed", approval_id)
    effects = {(made["tool"], made["effect"]) for made in case["decisions"]}
    assert ("refund_order", "require_approval") in effects
    assert all(made["reasons"] and made["rules"] for made in case["decisions"])
    assert any(known["name"] == "refund" for known in case["evidence"])
    assert [approval["status"] for approval in case["approvals"]] == ["spent"]


async def test_p5_a_customer_withdraws_explicitly_and_nothing_is_done(office: Office) -> None:
    lines = ("I returned order 20812 and want a refund", "tomasz.zielinski@example.org, 31-147", "yes")
    turn = await office.say("withdrawn", *lines)
    [approval_id] = turn["approvals"]
    path = f"/v1/approvals/{approval_id}/withdraw"
    for client, body, problem in (
        (office.bot, {}, "not-of-conversation"),
        (office.bot, {"reason": "They said so."}, "not-of-conversation"),
        (office.bot, {"conversation_id": "another"}, "not-of-conversation"),
        (office.rosa, {}, "justification-missing"),
        (office.rosa, {"conversation_id": "withdrawn"}, "justification-missing"),
    ):
        refused = await client.post(path, json=body)
        assert refused.json()["type"].endswith(problem)
    ended = await office.bot.post(path, json={"conversation_id": "withdrawn", "reason": "Changed their mind"})
    assert (ended.status_code, ended.json()["status"]) == (200, "withdrawn")
    assert (ended.json()["ended_by"], ended.json()["ended_because"]) == ("bot", "Changed their mind")
    conversation = await office.conversation("withdrawn")
    assert conversation["pending_approvals"] == []
    late = await office.admin.post(f"/v1/approvals/{approval_id}/decision", json={"answer": "approve"})
    assert late.status_code == 409


async def test_what_needs_a_supervisor_is_not_for_a_reviewer(office: Office) -> None:
    lines = ("I returned order 20690 and want a refund", "sofia.almeida@example.org, my postcode is 4050-262", "yes")
    [approval_id] = (await office.say("armchair", *lines))["approvals"]
    path = f"/v1/approvals/{approval_id}/decision"
    refused = await office.rosa.post(path, json={"answer": "approve"})
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:callboard:problem:not-authorised")
    assert (refused.json()["needed"], refused.json()["role"]) == ("supervisor", "reviewer")
    decided = await office.sam.post(path, json={"answer": "reject", "message": "The armchair has not come back yet."})
    assert decided.json()["status"] == "rejected"
    said = (await office.conversation("armchair"))["messages"][-1]["text"]
    assert "has not come back yet" in said


async def test_p10_after_a_takeover_the_ai_is_silent_until_it_is_handed_back(office: Office) -> None:
    turn = await office.say("person", "I want to talk to a human being, please!")
    assert turn["outcome"] == "escalated"
    turn = await office.say("person", "Anybody?")
    assert (turn["outcome"], turn["reply"]) == ("with_person", "")
    assert (await office.conversation("person"))["status"] == "person"
    case = (await office.sam.get(f"/v1/cases/{turn['case_id']}")).json()
    [handoff] = case["handoffs"]
    assert len(handoff["bundle"]) == 7

    back = await office.rosa.post("/v1/conversations/person/handback", json={"summary": "Called them; all is well."})
    assert (back.status_code, back.json()["status"]) == (200, "ai")
    turn = await office.say("person", "Do you sell gift cards?")
    assert turn["reply"]
    again = await office.rosa.post("/v1/conversations/person/handback", json={"summary": "once more"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:callboard:problem:not-with-person")


async def test_a_turn_can_be_streamed_and_ends_with_the_same_result(office: Office) -> None:
    message = {"message_id": "s-1", "text": "What does shipping cost?"}
    streamed = await office.bot.post(
        "/v1/conversations/stream/messages", json=message, headers={"Accept": "text/event-stream"}
    )
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n", 1) for block in streamed.text.strip().split("\n\n")]
    kinds = [kind.removeprefix("event: ") for kind, _ in events]
    assert kinds[-1] == "finished"
    assert "node" in kinds
    result = json.loads(events[-1][1].removeprefix("data: "))["result"]
    assert result == (await office.bot.post("/v1/conversations/stream/messages", json=message)).json()
    refused = await office.bot.post(
        "/v1/conversations/stream/messages",
        json=message | {"text": "Something else"},
        headers={"Accept": "text/event-stream"},
    )
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:callboard:problem:message-conflict")


async def test_what_is_not_there_is_said_not_to_be_there(office: Office) -> None:
    for path, slug in (
        ("/v1/conversations/none", "not-found"),
        ("/v1/cases/none", "not-found"),
        ("/v1/approvals/none", "approval-not-found"),
        ("/v1/approvals?after=none", "approval-not-found"),
    ):
        response = await office.admin.get(path)
        assert (response.status_code, response.json()["type"]) == (404, f"urn:callboard:problem:{slug}"), path
    missing = await office.admin.delete("/v1/keys/none")
    assert missing.status_code == 404


async def test_approvals_come_in_pages(office: Office) -> None:
    whole = (await office.rosa.get("/v1/approvals")).json()
    assert whole["next"] is None
    ids, after = [], None
    while True:
        page = (
            await office.rosa.get("/v1/approvals", params={"limit": 1} | ({"after": after} if after else {}))
        ).json()
        ids += [one["approval_id"] for one in page["approvals"]]
        after = page["next"]
        if after is None:
            break
    assert ids == [one["approval_id"] for one in whole["approvals"]]
    assert len(ids) >= 2


async def test_a_revoked_key_is_out_at_once(office: Office) -> None:
    made = (await office.admin.post("/v1/keys", json={"name": "Temp", "role": "bot"})).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert (await office.bot.get("/openapi.json", headers=headers)).status_code == 200
    assert (await office.admin.delete(f"/v1/keys/{made['key_id']}")).json()["revoked_at"]
    assert (await office.bot.get("/openapi.json", headers=headers)).status_code == 401
    listed = (await office.admin.get("/v1/keys")).json()["keys"]
    assert made["key"] not in json.dumps(listed)


async def test_keys_are_not_kept_in_clear(office: Office) -> None:
    made = (await office.admin.post("/v1/keys", json={"name": "Someone", "role": "bot"})).json()
    data = office.runtime.settings.data_dir
    stored = b"".join(file.read_bytes() for file in data.glob("callboard.db*"))
    assert made["key_id"].encode() in stored
    assert made["key"].encode() not in stored


async def test_p11_the_record_of_all_this_is_whole(office: Office) -> None:
    report = (await office.sam.get("/v1/audit/verify")).json()
    assert report["ok"] is True
    assert report["entries"] > 20


async def test_it_says_when_it_is_ready(office: Office) -> None:
    response = await office.bot.get("/readyz", headers={"Authorization": ""})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_reviewers_claim_and_whoever_watches_hears_of_it(office: Office) -> None:
    turn = await office.say("claimed", "I want a refund for order 20955", "luca.bianchi@example.org, 40122", "yes")
    [approval_id] = turn["approvals"]
    path = f"/v1/approvals/{approval_id}"
    assert (await office.bot.post(f"{path}/claim")).status_code == 403
    claimed = (await office.rosa.post(f"{path}/claim")).json()
    assert claimed["claimed_by"] == "rosa"
    refused = await office.sam.post(f"{path}/decision", json={"answer": "approve"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:callboard:problem:approval-claimed")
    assert (await office.sam.post(f"{path}/claim/renew")).json()["type"].endswith("approval-claimed")
    assert (await office.rosa.post(f"{path}/claim/renew")).json()["claimed_until"] >= claimed["claimed_until"]
    assert (await office.rosa.post(f"{path}/claim/release")).json()["claimed_by"] is None
    await office.say("claimed", "Please refund it to the other card if you can")
    read = (await office.sam.get(path)).json()
    assert [each["text"] for each in read["additions"]] == ["Please refund it to the other card if you can"]
    decided = await office.sam.post(f"{path}/decision", json={"answer": "reject", "message": "Not back yet."})
    assert decided.json()["status"] == "rejected"
    told = (await office.sam.get("/v1/events?limit=1000")).json()
    about = [event["kind"] for event in told["events"] if event["ids"].get("approval") == approval_id]
    assert about == ["approval_opened", "approval_noted", "approval_ended"]
    assert (await office.sam.get("/v1/events", params={"after": told["next"]})).json()["events"] == []
    measured = (await office.sam.get("/v1/approvals/measures", params={"reviewer": "sam"})).json()["measures"]
    assert [(one["tool"], one["rejected"] >= 1) for one in measured] == [("refund_order", True)]


async def test_back_pressure_refuses_what_is_too_much_and_loses_nothing_that_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path / "data", max_waiting=4, max_waiting_per_conversation=2, max_message_chars=40)
    async with Runtime.open(settings) as runtime:
        key = await runtime.store.write(
            lambda unit: create_key(unit, name="bot", role="bot", limits=None, now=runtime.clock()).key
        )
        app = create_app(runtime, authenticate=authenticator(runtime.store, operator_key="unused-operator-key"))
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url="http://callboard",
            headers={"Authorization": f"Bearer {key}"},
        )
        go_on = asyncio.Event()
        run = runtime.runner._run_or_give_up

        async def later(*given: Any) -> None:
            await go_on.wait()
            await run(*given)

        monkeypatch.setattr(runtime.runner, "_run_or_give_up", later)

        def send(conversation: str, message: str, text: str = "Hello") -> asyncio.Task[httpx2.Response]:
            body = {"message_id": message, "text": text}
            return asyncio.create_task(client.post(f"/v1/conversations/{conversation}/messages", json=body))

        async def has_taken(count: int) -> None:
            for _ in range(1000):
                load = (await client.get("/v1/load")).json()
                if load["waiting"] + load["running"] >= count:
                    return
                await asyncio.sleep(0.01)

        taken = [send("c1", "m1"), send("c1", "m2")]
        await has_taken(2)
        full = await send("c1", "m3")
        assert (full.status_code, full.json()["scope"], int(full.headers["retry-after"]) >= 1) == (
            429,
            "conversation",
            True,
        )
        assert full.json()["type"] == "urn:callboard:problem:overloaded"
        taken += [send("c2", "m1"), send("c3", "m1")]
        await has_taken(4)
        everywhere = await send("c4", "m1")
        assert (everywhere.status_code, everywhere.json()["scope"]) == (429, "total")
        taken.append(send("c1", "m2"))
        assert (await send("c5", "m1", "x" * 41)).status_code == 413
        load = (await client.get("/v1/load")).json()
        assert (load["refused"], load["limits"]["waiting"]) == ({"conversation": 1, "total": 1}, 4)
        go_on.set()
        answers = await asyncio.gather(*taken)
        assert [answer.status_code for answer in answers] == [200] * 5
        assert all(answer.json()["reply"] for answer in answers)
        assert answers[1].json() == answers[4].json()
        assert (await send("c1", "m3")).status_code == 200
        await client.aclose()
