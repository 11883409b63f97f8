"""What a process that is going to be killed does: it runs a Callboard and takes what the harness sends."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

from agents.errors import ReasonerUnavailable
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, A, Reasoner, Solved, Watcher
from agents.reasoners.fallback import FallbackReasoner
from agents.tasks import Typed
from evals.chaos.nursery import Bomb, Life
from evals.chaos.wire import Wire
from evals.running import Running
from graphs.results import InboundMessage, ReviewDecision, Reviewer
from graphs.reviewing import state_of
from memory import approvals, audit, outbox, receipts, reconciliations
from memory.store import Unit
from policies.words import ApprovalId, ConversationId, Json, TurnId

Clock = Callable[[], datetime]


class OpenRuntime(Protocol):
    """Opens a Callboard for one life, on systems of record at the other end of the wire."""

    def __call__(
        self, life: Life, *, wire: Wire, clock: Clock, checkpoint: Bomb, model: Callable[[Reasoner], Reasoner]
    ) -> AbstractAsyncContextManager[Running]: ...


class FailingModel:
    """A model that often doesn't answer; when it does, it answers as the local reasoner would."""

    name = "model"

    def __init__(self, local: Reasoner, *, fails: float, random: Random) -> None:
        self._local, self._fails, self._random = local, fails, random

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt, watcher: Watcher = UNWATCHED) -> Solved[A]:
        """Solve, or fail in one of the ways of models."""
        if self._random.random() < self._fails:
            if self._random.random() < 0.1:
                raise RuntimeError("The model's client broke in a way that nobody foresaw.")
            await asyncio.sleep(self._random.uniform(0, 0.02))
            raise ReasonerUnavailable("The model doesn't answer.")
        return replace(await self._local.solve(task, answer, prompt=prompt, watcher=watcher), reasoner=self.name)


class Ahead:
    """The machine's clock, moved ahead."""

    def __init__(self, offset_s: float) -> None:
        self.by = timedelta(seconds=offset_s)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


async def live(life: Life, bomb: Bomb, *, open_runtime: OpenRuntime) -> None:
    """Open a Callboard, serve the harness until it says that it is enough or goes away, and close."""
    logging.getLogger("callboard").setLevel(logging.CRITICAL)
    clock = Ahead(life.offset_s)
    enough = asyncio.Event()
    running: asyncio.Future[Running] = asyncio.get_running_loop().create_future()

    async def handle(name: str, arguments: tuple[Any, ...]) -> Any:
        return await _ANSWERS[name](await running, clock, enough, *arguments)

    reader, writer = await asyncio.open_unix_connection(life.socket)
    wire = Wire(reader, writer, handle)
    serving = asyncio.create_task(wire.serve())
    serving.add_done_callback(lambda _: enough.set())
    dice = Random(f"{life.seed}:model")  # reproducible on purpose

    def model(local: Reasoner) -> Reasoner:
        return FallbackReasoner(FailingModel(local, fails=life.model_fails, random=dice), local, clock=clock)

    await wire.call("hello", os.getpid())
    async with open_runtime(life, wire=wire, clock=clock, checkpoint=bomb, model=model) as opened:
        running.set_result(opened)
        await wire.call("up")
        await enough.wait()


async def _say(running: Running, clock: Ahead, enough: asyncio.Event, conversation: str, key: str, text: str) -> Any:
    return await running.runner.handle(InboundMessage(ConversationId(conversation), key, text))


async def _decide(
    running: Running, clock: Ahead, enough: asyncio.Event, approval: str, decision: ReviewDecision, reviewer: Reviewer
) -> Any:
    return await running.runner.decide(ApprovalId(approval), decision, reviewer)


async def _approval(running: Running, clock: Ahead, enough: asyncio.Event, approval: str) -> Any:
    return state_of(await running.store.read(lambda unit: approvals.get(unit, approval_id=ApprovalId(approval))))


async def _withdraw(running: Running, clock: Ahead, enough: asyncio.Event, approval: str) -> Any:
    return await running.runner.withdraw(ApprovalId(approval), by="customer", reason="The customer changed their mind.")


async def _unknown(running: Running, clock: Ahead, enough: asyncio.Event, conversation: str) -> list[tuple[str, str]]:
    """Effects of a conversation that a person is asked about: the item, and the key they were ordered with."""

    def work(unit: Unit) -> list[tuple[str, str]]:
        asked = reconciliations.listing(unit, status="open", limit=1000)
        own = [item for item in asked if item.conversation_id == conversation]
        return [(item.id, receipts.get(unit, receipt_id=item.receipt_id).key) for item in own]

    return await running.store.read(work)


async def _reconcile(
    running: Running, clock: Ahead, enough: asyncio.Event, item: str, found: dict[str, Json] | None
) -> None:
    await running.runner.reconcile(
        item,
        verdict="did_not_happen" if found is None else "happened",
        result=found,
        note="Looked it up in the shop's books.",
        reviewer=Reviewer("ada", "admin"),
    )


async def _hand_back(running: Running, clock: Ahead, enough: asyncio.Event, conversation: str) -> None:
    await running.runner.handback(
        ConversationId(conversation), by=Reviewer("rosa", "reviewer"), summary="Talked it over on the phone."
    )


async def _expire(running: Running, clock: Ahead, enough: asyncio.Event) -> int:
    return await running.runner.expire_due()


async def _forward(running: Running, clock: Ahead, enough: asyncio.Event, seconds: float) -> None:
    clock.by += timedelta(seconds=seconds)


async def _result(running: Running, clock: Ahead, enough: asyncio.Event, turn: str) -> Any:
    return await running.runner.result(TurnId(turn))


async def _settle(running: Running, clock: Ahead, enough: asyncio.Event, conversation: str) -> None:
    await running.runner.settle(ConversationId(conversation))


async def _recover(running: Running, clock: Ahead, enough: asyncio.Event) -> int:
    return await running.runner.recover()


async def _replies(running: Running, clock: Ahead, enough: asyncio.Event, conversation: str) -> list[str]:
    said = await running.store.read(
        lambda unit: outbox.of_conversation(unit, conversation_id=ConversationId(conversation))
    )
    return [outgoing.text for outgoing in said]


async def _verify(running: Running, clock: Ahead, enough: asyncio.Event) -> list[str]:
    checked = await running.store.read(audit.verify)
    return [] if checked.ok else [str(problem) for problem in checked.problems]


async def _end(running: Running, clock: Ahead, enough: asyncio.Event) -> None:
    # Answered first, then the process closes as after a SIGTERM.
    asyncio.get_running_loop().call_later(0.01, enough.set)


_ANSWERS: dict[str, Callable[..., Awaitable[Any]]] = {
    "say": _say,
    "decide": _decide,
    "approval": _approval,
    "unknown": _unknown,
    "reconcile": _reconcile,
    "withdraw": _withdraw,
    "handback": _hand_back,
    "expire": _expire,
    "forward": _forward,
    "result": _result,
    "settle": _settle,
    "recover": _recover,
    "replies": _replies,
    "verify": _verify,
    "end": _end,
}
