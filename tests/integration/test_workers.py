"""P2, P5, P6, P12 with real worker processes on Postgres: killed, paused, stopped, and beside servers."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import houses
import httpx2
import pytest
from pydantic import SecretStr

from callboard.demo import SCENES, Audience, demo_settings, play
from callboard.runtime import Runtime
from callboard.settings import DEFAULT_PLAYBOOK, Settings
from graphs.relay import Event
from graphs.results import InboundMessage, Progress, TurnResult
from memory import audit, inbox, turns
from memory.store import Unit
from policies.words import ConversationId

CALLBOARD = [sys.executable, "-c", "import sys; from callboard.cli import run; sys.exit(run())"]
HERE = Path(__file__).resolve()
C1 = ConversationId("c1")
MIRA = "mira.okafor@example.org, 10435"


class Nest:
    """The process whose children are the workers."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(HERE.parents[2]), str(HERE.parents[1])])
        # One thread of algebra only: the process forks.
        environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE.with_name("nest.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._answer() == "ready"

    def worker(self, directory: Path, url: str) -> int:
        """Its pid, once it works."""
        return int(self._ask({"directory": str(directory), "url": url}))

    def wait(self, pid: int) -> int:
        """A worker's exit code, once it has ended."""
        return int(self._ask({"pid": pid}))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, order: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    made = Nest()
    yield made
    made.end()


class Workers:
    """Two workers on one database and one data directory, of which the second stands still until it is needed."""

    def __init__(self, nest: Nest, directory: Path, url: str) -> None:
        self.nest, self.directory, self.url = nest, directory, url
        self.first, self.heir = nest.worker(directory, url), nest.worker(directory, url)
        os.kill(self.heir, signal.SIGSTOP)

    def send(self, number: int) -> None:
        """Send the first one a signal, and let the heir go on."""
        os.kill(self.first, number)
        os.kill(self.heir, signal.SIGCONT)

    def end(self) -> None:
        for pid in (self.first, self.heir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextlib.asynccontextmanager
    async def front(self) -> AsyncIterator[Runtime]:
        """This process takes messages and runs nothing."""
        settings = Settings(data_dir=self.directory, database_url=SecretStr(self.url), takeover_s=1.0, wait_s=120.0)
        async with Runtime.open(settings, works="no") as runtime:
            yield runtime


@pytest.fixture
def workers(nest: Nest, tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    houses.warm(monkeypatch.setattr)
    made = Workers(nest, tmp_path / "data", postgres)
    yield made
    made.end()


def _on_node(runtime: Runtime, conversation_id: ConversationId, node: str, act: Callable[[], None]) -> Any:
    """While it is open: `act` once, when that node of a turn of the conversation has run, in whichever process."""
    acts = iter([act])

    def hear(event: Event) -> None:
        if isinstance(event, Progress) and event.node == node:
            next(acts, lambda: None)()

    return runtime.runner._relay.listening(conversation_id, hear, to_progress=True)


async def _say(runtime: Runtime, text: str, message_id: str) -> TurnResult:
    return await runtime.runner.handle(InboundMessage(C1, message_id, text))


def _left_over(unit: Unit) -> tuple[int, set[str]]:
    known = turns.of_conversation(unit, conversation_id=C1)
    return len(inbox.unfinished(unit)), {turn.state for turn in known}


async def test_the_retail_demo_runs_on_two_workers_of_which_one_is_killed_in_the_middle(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLBOARD_DATABASE_URL", workers.url)
    scene = next(one for one in SCENES if one.name == "refund_above_threshold")
    settings = demo_settings(workers.directory, DEFAULT_PLAYBOOK)
    numbers = iter(range(10_000))
    async with workers.front() as watching:
        with _on_node(watching, ConversationId(f"demo-{scene.name}"), "guard", lambda: workers.send(signal.SIGKILL)):
            played = await play(settings, clock=watching.clock, new_id=lambda: f"n{next(numbers)}", audience=Audience())
        assert workers.nest.wait(workers.first) == -signal.SIGKILL
        assert [one.ended_as_planned for one in played] == [True, True, True]
        assert played[1].refunds_booked == {"count": 1, "amount_minor": 14890}
        assert (await watching.store.read(audit.verify)).problems == []


async def test_p6_a_worker_that_was_paused_and_wakes_up_changes_nothing(workers: Workers) -> None:
    """The trap of locks: it was taken over while it stood still, and goes on as if nothing was."""
    async with workers.front() as runtime:
        with _on_node(runtime, C1, "intent", lambda: workers.send(signal.SIGSTOP)):
            first = await _say(runtime, "I want a refund for order 20418", "m1")
        os.kill(workers.first, signal.SIGCONT)
        await _say(runtime, MIRA, "m2")
        waiting = await _say(runtime, "yes", "m3")
        assert (first.outcome, waiting.outcome) == ("awaiting_customer", "awaiting_approval")
        said = await runtime.runner.result(first.turn_id)
        assert len(said.parts) == 1
        assert await runtime.store.read(_left_over) == (0, {"done", "parked"})
        assert (await runtime.store.read(audit.verify)).problems == []
    for pid in (workers.first, workers.heir):
        os.kill(pid, 0)  # both live


async def test_a_worker_that_is_stopped_ends_cleanly_and_leaves_nothing_undone(workers: Workers) -> None:
    async with workers.front() as runtime:
        with _on_node(runtime, C1, "screen", lambda: workers.send(signal.SIGTERM)):
            first = await _say(runtime, "Where is my order 20731?", "m1")
        assert first.outcome == "awaiting_customer"
        item = await runtime.store.read(
            lambda unit: inbox.by_key(unit, conversation_id=C1, kind="message", dedupe_key="m1")
        )
        assert item is not None
        assert item.attempts == 1
    assert workers.nest.wait(workers.first) == 0


@pytest.fixture
def serve(tmp_path: Path, postgres: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Starts a server process on one database and one data directory; what it announced."""
    started: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> dict[str, Any]:
        with (tmp_path / f"{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*CALLBOARD, "serve", "--port", "0", "--demo", "--json"],
                cwd=tmp_path,
                env={**os.environ, "CALLBOARD_DATABASE_URL": postgres, **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (tmp_path / f"{len(started) - 1}.log").read_text()
        return dict(json.loads(line))

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
    for process in started:
        assert process.wait(timeout=60) == 0
        if process.stdout is not None:
            process.stdout.close()


async def test_p6_a_message_delivered_to_two_servers_at_once_is_one_turn_that_both_answer(
    serve: Callable[..., dict[str, Any]],
) -> None:
    one, other = [serve(CALLBOARD_WORKER=works) for works in ("false", "true")]
    assert one["keys"] == other["keys"]
    key = one["keys"]["bot"]
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=120, trust_env=False) as client:

        async def send(url: str, **headers: str) -> httpx2.Response:
            body = {"message_id": "m1", "text": "Where is my order 20731?"}
            return await client.post(f"{url}/v1/conversations/c1/messages", json=body, headers=headers)

        answers = await asyncio.gather(send(one["url"]), send(other["url"]), send(one["url"]))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["turn_id"] for answer in answers}) == 1
        assert {answer.json()["outcome"] for answer in answers} == {"awaiting_customer"}
        # Streamed by the server that runs nothing, of a turn that runs in the other process.
        body = {"message_id": "m2", "text": "jonas.lindqvist@example.org, 411 24"}
        streamed = await client.post(
            f"{one['url']}/v1/conversations/c1/messages", json=body, headers={"Accept": "text/event-stream"}
        )
        events = [line.removeprefix("event: ") for line in streamed.text.splitlines() if line.startswith("event: ")]
        assert events[-2:] == ["reply", "finished"]
        assert "node" in events
        assert '"outcome": "resolved"' in streamed.text
