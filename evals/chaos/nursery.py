"""A process that is warm once and forks the processes that are killed. It has no threads and opens nothing itself."""

import asyncio
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from traceback import extract_tb

FAILED = 70
"""The exit code of a forked process that ended with an error."""
MOMENT_S = 0.03
"""A death that isn't at a boundary comes up to so long after one."""


@dataclass(frozen=True, slots=True)
class Life:
    """How one process lives, and where it dies."""

    role: str
    """What kind of process: "whole" has everything, "front" takes what comes in, "worker" runs turns."""
    socket: str
    """Where the harness listens."""
    data_dir: str
    offset_s: float
    """How far its clock is ahead of the machine's."""
    seed: str
    stop: str = ""
    """The boundary at which it kills itself; empty for none."""
    grace: int = 0
    """How many boundaries it passes first, that one among them."""
    latest: int = 0
    """After so many boundaries it dies a moment later, wherever it is then; 0 for never."""
    pauses: bool = False
    """Whether it only stops at that boundary, and is woken up later."""
    model_fails: float = 0.0
    """How often the model doesn't answer."""
    database: str = ""
    """Where the records are, if not in the data directory."""


class Bomb:
    """Kills, or stops, its process at a boundary, or a moment after so many: counted, so that it hangs on no clock."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._passed = 0
        self._has_halted = False

    def __call__(self, boundary: str) -> None:
        self._passed += 1
        if boundary == self._life.stop and self._passed > self._life.grace and not self._has_halted:
            self._has_halted = True
            _say("boom", os.getpid(), boundary)
            os.kill(os.getpid(), signal.SIGSTOP if self._life.pauses else signal.SIGKILL)
        if self._passed == self._life.latest:
            moment_s = Random(self._life.seed).uniform(0, MOMENT_S)  # reproducible on purpose
            timer = threading.Timer(moment_s, os.kill, (os.getpid(), signal.SIGKILL))
            timer.daemon = True
            timer.start()


def keep(live: Callable[[Life, Bomb], Awaitable[None]]) -> None:
    """Fork a process for each line of input until there is none; tell of each birth and death on the output.

    Args:
        live: What such a process does, until it has nothing more to do.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    alive: set[int] = set()
    pending = b""
    _say("ready", os.getpid())
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury(alive)
        if 0 in ready:
            given = os.read(0, 65536)
            if not given:
                break
            *lines, pending = (pending + given).split(b"\n")
            for line in lines:
                child = os.fork()
                if child == 0:
                    _become(Life(**json.loads(line)), live)
                alive.add(child)
                _say("born", child)
    for child in alive:
        os.kill(child, signal.SIGKILL)


def order_of(life: Life) -> bytes:
    """The line that asks for such a process."""
    return json.dumps(asdict(life)).encode() + b"\n"


def _become(life: Life, live: Callable[[Life, Bomb], Awaitable[None]]) -> None:
    """What a forked process does. Never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    code = 0
    try:
        asyncio.run(live(life, Bomb(life)))  # type: ignore[arg-type]  # a coroutine function's awaitable
    except BaseException as error:  # it must end here and nowhere else
        code = FAILED
        frames = " < ".join(f"{Path(at.filename).name}:{at.lineno}" for at in reversed(extract_tb(error.__traceback__)))
        _say("failed", os.getpid(), f"{type(error).__name__}: {str(error)[:80]!r} {frames}"[:3000])
    finally:
        sys.stderr.flush()
        os._exit(code)


def _bury(alive: set[int]) -> None:
    while alive:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        alive.discard(child)
        _say("dead", child, os.waitstatus_to_exitcode(status))


def _say(what: str, pid: int, detail: object = "") -> None:
    # Shorter than PIPE_BUF, so that lines of several processes don't mix.
    os.write(1, f"{what} {pid} {detail}\n".encode())
