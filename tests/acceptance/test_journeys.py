"""Every journey of the retail playbook as customers have it: to its goal, refused, or handed over complete."""

from pathlib import Path
from typing import Any

import pytest
from houses import TestHouse

from callboard.settings import DEFAULT_PLAYBOOK
from graphs.bundle import PARTS
from graphs.results import TurnResult
from memory import cases, handoffs, receipts, requests
from memory.handoffs import Handoff
from memory.store import Unit
from policies.documents import read_document
from policies.words import ConversationId, Json

SUITE = DEFAULT_PLAYBOOK / "suites" / "journeys.yaml"
QUEUES = {
    "parcel-delivered-long-ago": "complaints",
    "charged-twice": "refunds",
    "email-by-a-person": "service",
    "sign-in-without-mailbox": "service",
    "fraud": "fraud",
    "fraud-and-a-person-at-once": "people",
    "complaint": "complaints",
    "complaint-with-a-lawyer": "complaints",
}
"""Where those wait whose conversations end with a person."""


def samples() -> list[dict[str, Any]]:
    suite: Any = read_document(SUITE).data
    found: list[dict[str, Any]] = suite["samples"]
    return found


def effects_of(unit: Unit, conversation: str) -> list[tuple[str, dict[str, Json]]]:
    made = []
    for case in _cases(unit, conversation):
        for receipt in receipts.of_case(unit, case_id=case):
            if receipt.state == "committed":
                made.append(
                    (receipt.tool, dict(requests.get_request(unit, request_id=receipt.request_id).request.arguments))
                )
    return made


def _cases(unit: Unit, conversation: str) -> list[Any]:
    return [case.id for case in cases.of_conversation(unit, conversation_id=ConversationId(conversation))]


async def handoffs_of(house: TestHouse, conversation: str) -> list[Handoff]:
    return await house.read(lambda unit: handoffs.of_conversation(unit, conversation_id=ConversationId(conversation)))


def differences(expect: dict[str, Any], last: TurnResult, said: str, made: list[Any], journey: str) -> list[str]:
    found = []
    if last.outcome != expect.get("outcome", last.outcome):
        found.append(f"outcome {last.outcome}")
    if journey != expect.get("journey", journey):
        found.append(f"journey {journey}")
    if "effects" in expect:
        wanted = [(each["tool"], each["arguments"]) for each in expect["effects"]]
        fits = len(wanted) == len(made) and all(
            tool == other and all(arguments.get(name) == value for name, value in given.items())
            for (tool, given), (other, arguments) in zip(wanted, made, strict=True)
        )
        found += [] if fits else [f"effects {made}"]
    found += [f"lacks {text!r}" for text in expect.get("reply_has", []) if text not in said]
    found += [f"says {text!r}" for text in expect.get("reply_lacks", []) if text in said]
    return found


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_each_journey_comes_to_its_goal_is_refused_or_is_handed_over_complete(house: TestHouse) -> None:
    wrong: dict[str, list[str]] = {}
    for sample in samples():
        name = str(sample["id"])
        for line in sample["says"]:
            last = await house.say(str(line), conversation=name)
        said = "\n".join(await house.texts(name))
        made = await house.read(lambda unit, name=name: effects_of(unit, name))  # type: ignore[misc]  # bound now
        writes = [each for each in made if house.runtime.playbook.tools.get(each[0]).kind == "write"]
        case = await house.read(lambda unit, last=last: cases.get(unit, case_id=last.case_id))  # type: ignore[misc, arg-type]
        problems = differences(sample["expect"], last, said, writes, case.journey or "" if case else "")
        if last.outcome == "escalated":
            (handoff,) = await handoffs_of(house, name)
            problems += [f"bundle lacks {part}" for part in PARTS if part not in handoff.bundle]
            problems += [] if handoff.score == 1.0 else [f"bundle scores {handoff.score}"]
            queue = QUEUES.get(name, handoff.queue)
            problems += [] if handoff.queue == queue else [f"queue {handoff.queue}"]
        if problems:
            wrong[name] = [*problems, said]
    assert wrong == {}, "\n".join(f"{name}: {problems}" for name, problems in wrong.items())


def test_each_journey_after_the_purchase_is_in_the_suite_at_least_twice() -> None:
    played = [str(sample["expect"].get("journey")) for sample in samples()]
    before = {"cancel_order", "change_address", "order_help", "order_status", "refund"}
    talk = {"change_items", "person", "question", "returns"}
    names = {file.stem for file in Path(SUITE.parent.parent, "journeys").glob("*.yaml")} - before - talk
    assert {name: played.count(name) for name in names if played.count(name) < 2} == {}
