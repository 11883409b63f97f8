"""Seven abuses of an approval, put to the stock stack and to Callboard, and what each of them did."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evals.running import RuntimeFactory
from evals.stock_agent import APPROVE, ORDER, StockAgent
from evals.stock_ours import Ours, crash_after_effect
from graphs.playbook import Playbook
from policies.words import Json

Held = Literal["held", "partly", "failed"]
WORDS = "QUETZALCOATL-1519"
"""What a customer wrote and wants forgotten."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an abuse did to one side."""

    held: Held
    says: str
    """What happened, as counted."""

    def as_json(self) -> dict[str, Json]:
        """As plain JSON."""
        return {"held": self.held, "says": self.says}


@dataclass(frozen=True, slots=True)
class Abuse:
    """One abuse, and both outcomes."""

    id: str
    title: str
    stock: Outcome
    callboard: Outcome


@dataclass(frozen=True, slots=True)
class StockReport:
    """All of them."""

    abuses: tuple[Abuse, ...]
    versions: dict[str, str]
    """Of the stock stack."""

    @property
    def ok(self) -> bool:
        """Whether Callboard held against all of them, at least partly."""
        return all(abuse.callboard.held != "failed" for abuse in self.abuses)

    def as_json(self) -> dict[str, Json]:
        """As plain JSON."""
        return {
            "versions": dict(self.versions),
            "abuses": [
                {
                    "id": abuse.id,
                    "title": abuse.title,
                    "stock": abuse.stock.as_json(),
                    "callboard": abuse.callboard.as_json(),
                }
                for abuse in self.abuses
            ],
        }


async def compare_with_stock(
    open_runtime: RuntimeFactory,
    *,
    playbook: Playbook,
    command: list[str],
    on_abuse: Callable[[], None] = lambda: None,
) -> StockReport:
    """Run every abuse against both, each on fresh records.

    Args:
        open_runtime: Opens a Callboard.
        playbook: The retail playbook, for the process that is killed.
        command: Starts the process that forks the one that is killed.
        on_abuse: Told of each abuse when it is over.

    Raises:
        StockMissing: LangChain isn't installed.
    """
    abuses = []
    for name, title, theirs, ours in ABUSES:
        with tempfile.TemporaryDirectory(prefix="callboard-stock-") as place:
            directory = Path(place)
            stock = await asyncio.to_thread(theirs, directory)
            if ours is None:
                callboard = _crashed(await crash_after_effect(directory / "ours", playbook, command))
            else:
                async with open_runtime(directory / "data", directory / "systems") as running:
                    callboard = await ours(Ours(running, directory / "data", directory / "systems"))
        abuses.append(Abuse(name, title, stock, callboard))
        on_abuse()
    return StockReport(tuple(abuses), _versions())


def _asked(directory: Path) -> StockAgent:
    """An agent that waits for an approval."""
    agent = StockAgent(directory)
    agent.say(f"Refund order {ORDER}")
    return agent


def _double_approve(directory: Path) -> Outcome:
    import threading

    meet = threading.Barrier(2, timeout=10)
    agent = StockAgent(directory, after_effect=lambda: _meet(meet))
    agent.say(f"Refund order {ORDER}")
    clicks = [threading.Thread(target=agent.answer, args=(APPROVE,)) for _ in range(2)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    return _counted(agent)


def _meet(barrier: "object") -> None:
    """Both calls are at it at once, if both are made; alone it goes on after a second."""
    import threading

    try:
        barrier.wait(timeout=1)  # type: ignore[attr-defined]  # a Barrier
    except threading.BrokenBarrierError:
        return


def _crash(directory: Path) -> Outcome:
    killed = subprocess.run([sys.executable, "-W", "ignore", "-m", "evals.stock_agent", str(directory)], check=False)  # noqa: S603  # our own module
    agent = StockAgent(directory)
    before = len(agent.effects)
    try:
        agent.go_on()
    finally:
        agent.close()
    after = len(agent.effects)
    return Outcome(
        "held" if after == 1 else "failed",
        f"{before} refund before the crash (exit {killed.returncode}), {after} after the restart",
    )


def _new_message(directory: Path) -> Outcome:
    agent = _asked(directory)
    agent.say("Is it done yet?")
    waiting = agent.waiting
    problem = _answered(agent, APPROVE)
    told = problem or "the late approve returns as if all were well"
    held = waiting == 1 and len(agent.effects) == 1
    agent.close()
    return Outcome(
        "held" if held else "failed",
        f"approvals that wait after the message: {waiting}; {told}; refunds: {len(agent.effects)}",
    )


def _switch(directory: Path) -> Outcome:
    agent = _asked(directory)
    edit = {"type": "edit", "edited_action": {"name": "close_account", "args": {"customer_id": "C-1001"}}}
    problem = _answered(agent, {"decisions": [edit]})
    agent.close()
    done = ", ".join(agent.effects) or "nothing"
    return Outcome("failed" if agent.effects else "held", f"{problem or 'taken'}; done: {done}")


def _bad_then_good(directory: Path) -> Outcome:
    agent = _asked(directory)
    first = _answered(agent, [{"type": "accept", "args": None}])
    then = _answered(agent, APPROVE)
    agent.close()
    return Outcome(
        "held" if first and not then and len(agent.effects) == 1 else "failed",
        f"bad: {first or 'taken'}; then a good one: {then or 'taken'}; refunds: {len(agent.effects)}",
    )


def _late(directory: Path) -> Outcome:
    agent = _asked(directory)
    agent.answer({"decisions": [{"type": "reject", "message": "No."}]})
    problem = _answered(agent, APPROVE)
    agent.close()
    return Outcome(
        "held" if problem and not agent.effects else "failed",
        f"an approve after the reject: {problem or 'no error, nothing says that it was too late'}; "
        f"refunds: {len(agent.effects)}",
    )


def _delete(directory: Path) -> Outcome:
    agent = StockAgent(directory)
    agent.say(f"Refund order {ORDER}, my code is {WORDS}")
    agent.forget()
    left = _files_with(directory, WORDS.encode())
    agent.close()
    return Outcome(
        "failed" if left else "held", f"its words are still in {', '.join(left)}" if left else "no byte left"
    )


def _counted(agent: StockAgent) -> Outcome:
    agent.close()
    return Outcome("held" if len(agent.effects) == 1 else "failed", f"refunds: {len(agent.effects)}")


def _answered(agent: StockAgent, decision: object) -> str:
    """What the agent says against an answer; empty if it took it."""
    try:
        agent.answer(decision)
    except Exception as error:  # whatever it raises is what a caller sees
        return type(error).__name__
    return ""


def _crashed(refunds: tuple[int, int]) -> Outcome:
    before, after = refunds
    return Outcome(
        "held" if after == 1 else "failed", f"{before} refund before the crash (SIGKILL), {after} after the restart"
    )


async def _our_double_approve(ours: Ours) -> Outcome:
    approval = await ours.ask()
    told = await asyncio.gather(*(ours.approve(approval, by) for by in ("ana", "ana", "ben")))
    await ours.settle()
    refused = sorted({problem for problem in told if problem})
    count = ours.refunds()
    held = count == 1 and told.count("") == 1
    return Outcome("held" if held else "failed", f"refunds: {count}; the others: {', '.join(refused)}")


async def _our_new_message(ours: Ours) -> Outcome:
    approval = await ours.ask()
    await ours.say("Is it done yet?")
    waiting = await ours.waiting()
    problem = await ours.approve(approval, "ana")
    await ours.settle()
    held = waiting == 1 and not problem and ours.refunds() == 1
    return Outcome(
        "held" if held else "failed",
        f"approvals that wait after the message: {waiting}; the approve: {problem or 'taken'}; "
        f"refunds: {ours.refunds()}",
    )


async def _our_switch(ours: Ours) -> Outcome:
    approval = await ours.ask()
    before = await ours.row(approval)
    problem = await ours.edit(approval, tool="cancel_order", arguments={"order_id": ORDER})
    unchanged = before == await ours.row(approval)
    await ours.settle()
    held = bool(problem) and unchanged and ours.refunds() == 0
    kept = "as it was" if unchanged else "changed"
    return Outcome(
        "held" if held else "failed",
        f"{problem or 'taken'}; the approval is {kept}; done: {'something' if ours.refunds() else 'nothing'}",
    )


async def _our_bad_then_good(ours: Ours) -> Outcome:
    approval = await ours.ask()
    before = await ours.row(approval)
    first = await ours.edit(approval, tool="", arguments=None)
    unchanged = before == await ours.row(approval)
    then = await ours.approve(approval, "ana")
    await ours.settle()
    held = bool(first) and unchanged and not then and ours.refunds() == 1
    return Outcome(
        "held" if held else "failed",
        f"bad: {first or 'taken'}; then a good one: {then or 'taken'}; refunds: {ours.refunds()}",
    )


async def _our_late(ours: Ours) -> Outcome:
    approval = await ours.ask()
    await ours.reject(approval)
    problem = await ours.approve(approval, "ana")
    await ours.settle()
    held = bool(problem) and ours.refunds() == 0
    return Outcome(
        "held" if held else "failed", f"an approve after the reject: {problem or 'taken'}; refunds: {ours.refunds()}"
    )


async def _our_delete(ours: Ours) -> Outcome:
    await ours.ask(also=f", my code is {WORDS}")
    sealed = ours.sealed_words()
    in_clear = _files_with(ours.data_dir, WORDS.encode())
    await ours.erase()
    left = _files_with(ours.data_dir, WORDS.encode()) + _files_with(ours.data_dir, sealed)
    if in_clear or left:
        return Outcome("failed", f"its words, in clear or sealed, are still in {', '.join(in_clear + left)}")
    return Outcome("held", f"no byte left, neither of the words nor of the {len(sealed)} that they were sealed in")


ABUSES: tuple[tuple[str, str, Callable[[Path], Outcome], Callable[[Ours], Awaitable[Outcome]] | None], ...] = (
    ("double_approve", "two people approve at once", _double_approve, _our_double_approve),
    ("crash_after_effect", "killed right after the effect", _crash, None),
    ("new_message", "a new message while it waits", _new_message, _our_new_message),
    ("tool_switch", "an edit to another tool", _switch, _our_switch),
    ("bad_then_good", "a bad answer, then a good one", _bad_then_good, _our_bad_then_good),
    ("late_decision", "an answer that comes too late", _late, _our_late),
    ("delete_leaves_bytes", "deleted, but still on disk", _delete, _our_delete),
)


def _files_with(directory: Path, words: bytes) -> list[str]:
    return sorted(file.name for file in directory.rglob("*") if file.is_file() and words in file.read_bytes())


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("langchain", "langgraph", "langgraph-checkpoint-sqlite")}
