"""A process that warms up once and then, for each line it reads, forks a child that plays a conversation until it dies.

A line names directory, Postgres database if any, template of the shop's records, order, who asks, and the boundary at
which the child kills itself with SIGKILL, the nth time it is passed; an answer line says how it ended. `part` is "ask"
(up to the customer's yes), "decide" (a reviewer says yes), "both", "person" (asks for one), or "recover" (only go on
with what is left, `seconds` later).
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import houses
from houses import ANA, YES, Clock

from callboard.settings import DEFAULT_PLAYBOOK
from graphs import runner


class Bomb:
    """Goes off when its boundary is passed for the nth time."""

    def __init__(self, stop: str, nth: int) -> None:
        self._stop, self._left = stop, nth

    def __call__(self, boundary: str) -> None:
        if boundary == self._stop:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def arm(bomb: Bomb) -> None:
    """Boundaries between steps: the nodes."""
    tell = runner.Runner._tell

    def telling(self: Any, conversation_id: Any, progress: Any) -> None:
        if progress.kind == "node":
            bomb(f"after_{progress.node}")
        tell(self, conversation_id, progress)

    runner.Runner._tell = telling  # type: ignore[method-assign]  # a boundary of its own


async def play(order: dict[str, Any], bomb: Bomb) -> None:
    clock = Clock()
    clock.forward(seconds=order["seconds"])
    async with houses.opened(
        Path(order["directory"]),
        clock=clock,
        template=Path(order["template"]),
        checkpoint=bomb,
        database=order["database"],
    ) as house:
        await house.settle()
        if order["part"] == "person":
            await house.say("I want to speak to a human")
        if order["part"] in {"ask", "both"}:
            await house.ask_refund(order["order"], order["who"])
        if order["part"] in {"decide", "both"}:
            approval = await house.only_pending()
            await house.runtime.runner.decide(approval.id, YES, ANA)
            await house.settle()


def main() -> None:
    houses.warm(setattr)
    playbook = houses.load_playbook(DEFAULT_PLAYBOOK)
    houses.fit(playbook)
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            bomb = Bomb(order["stop"], order["nth"])
            arm(bomb)
            asyncio.run(play(order, bomb))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
