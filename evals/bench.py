"""What a turn costs as a conversation grows: time and bytes, ours beside a plain LangGraph chat with the same words."""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from evals.errors import FellSilent, SamplesUnreadable
from evals.plain_graph import open_plain_graph
from evals.running import RuntimeFactory
from graphs.results import InboundMessage
from policies.words import ConversationId, Json

POINTS = (1, 50, 200)
"""The turns at which it is measured."""
WINDOW = 10
"""Turns that a figure is taken over; a multiple of a mix's length compares like with like."""

Say = Callable[[str], Awaitable[str]]
"""Sends one message; the reply."""


class Script(BaseModel):
    """What the customer of a long conversation says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opening: list[str]
    """Said first, once, not measured."""
    mix: list[str] = Field(min_length=1)
    """Said over and over, measured."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What turns around one place of a conversation cost."""

    turn: int
    first: int
    last: int
    """The window: turns from and to, both counted."""
    milliseconds: float
    """Median, by the clock on the wall."""
    cpu_milliseconds: float
    """Median of what the process's threads computed: what is left of it where a machine does other things too."""
    bytes_written: int | None
    """Handed to the operating system per turn, by the process; None where the system doesn't count it."""
    bytes_kept: int
    """By how much the files grew per turn: pages of the databases in use, committed ones in the log among them."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Both sides of one run."""

    ours: tuple[Figure, ...]
    plain: tuple[Figure, ...]

    def as_json(self) -> dict[str, Json]:
        """The figures as plain JSON, each with its ratio to the first."""
        return {"ours": _rows(self.ours), "plain": _rows(self.plain)}


def read_script(file: Path) -> Script:
    """Read a script of turns.

    Raises:
        SamplesUnreadable: It isn't what `Script` says.
    """
    try:
        return Script.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise SamplesUnreadable(file, mark.line + 1 if mark else 1, problem="not YAML") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the file"
        raise SamplesUnreadable(file, 1, problem=f"{where}: {error.errors()[0]['msg']}") from None


async def bench_turns(
    open_runtime: RuntimeFactory,
    script: Script,
    *,
    points: Sequence[int] = POINTS,
    window: int = WINDOW,
    on_turn: Callable[[], None] = lambda: None,
) -> Bench:
    """Measure one conversation with us, then the same words with a plain LangGraph chat, on fresh files.

    The plain graph is told our replies to say, so that both keep the same texts; it thinks nothing, so its time is what
    the framework and its checkpoints take, ours is the whole turn. A conversation before it warms the process up.

    Raises:
        FellSilent: The script leads to a person.
    """
    replies: list[str] = []
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as place:
        ours, theirs = Path(place, "ours"), Path(place, "plain")
        await asyncio.to_thread(theirs.mkdir)
        async with open_runtime(ours, Path(place, "systems")) as running:

            def told(conversation_id: str, keep: list[str]) -> Say:
                async def say(text: str) -> str:
                    message = InboundMessage(ConversationId(conversation_id), f"m{len(keep)}", text)
                    result = await running.runner.handle(message)
                    keep.append(result.reply)
                    if result.outcome in {"escalated", "with_person"}:
                        raise FellSilent(len(keep))
                    return result.reply

                return say

            warm = told("warm", [])
            for text in [*script.opening, *script.mix]:
                await warm(text)
            say = told("bench", replies)
            for text in script.opening:
                await say(text)
            our_figures = await _measure(say, script.mix, ours, points=points, window=window, on_turn=on_turn)
        said = iter(replies)
        async with open_plain_graph(theirs / "checkpoints.db", reply=lambda: next(said)) as chat:
            for text in script.opening:
                await chat(text)
            plain_figures = await _measure(chat, script.mix, theirs, points=points, window=window, on_turn=on_turn)
    return Bench(our_figures, plain_figures)


async def _measure(
    say: Say,
    mix: Sequence[str],
    directory: Path,
    *,
    points: Sequence[int],
    window: int,
    on_turn: Callable[[], None],
) -> tuple[Figure, ...]:
    windows = {_first(point, window): point for point in points}
    length = max(_first(point, window) + window for point in points) - 1
    figures: list[Figure] = []
    times: list[float] = []
    computed: list[float] = []
    begun: tuple[int, int | None, int] | None = None
    for turn in range(1, length + 1):
        if turn in windows:
            begun, times, computed = (turn, _written(), bytes_in_use(directory)), [], []
        start, cpu = time.perf_counter(), time.process_time()
        await say(mix[(turn - 1) % len(mix)])
        times.append((time.perf_counter() - start) * 1000)
        computed.append((time.process_time() - cpu) * 1000)
        on_turn()
        if begun is not None and turn == begun[0] + window - 1:
            first, written, kept = begun
            now_written = _written()
            figures.append(
                Figure(
                    turn=windows[first],
                    first=first,
                    last=turn,
                    milliseconds=round(statistics.median(times), 2),
                    cpu_milliseconds=round(statistics.median(computed), 2),
                    bytes_written=None if written is None or now_written is None else (now_written - written) // window,
                    bytes_kept=(bytes_in_use(directory) - kept) // window,
                )
            )
            begun = None
    return tuple(figures)


def _first(point: int, window: int) -> int:
    """The window ends with its point, as far as the conversation's beginning allows."""
    return max(1, point - window + 1)


def _written() -> int | None:
    """Bytes that this process has written so far, as Linux counts them."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), None)


def bytes_in_use(directory: Path) -> int:
    """Bytes in use: of a SQLite file the pages that a reader sees, of any other its length.

    A write-ahead log is written over again and again, so its length says nothing; its committed pages are counted.
    """
    total = 0
    for file in directory.rglob("*"):
        if not file.is_file() or file.name.endswith(("-wal", "-shm", "-journal")):
            continue
        total += _pages(file) if file.suffix in {".db", ".sqlite3"} else file.stat().st_size
    return total


def _pages(file: Path) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
        count: int = connection.execute("PRAGMA page_count").fetchone()[0]
        free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return (count - free) * size


def _rows(figures: Sequence[Figure]) -> list[Json]:
    first = figures[0]
    return [
        {
            "turn": one.turn,
            "turns": [one.first, one.last],
            "ms": one.milliseconds,
            "ms_ratio": _ratio(one.milliseconds, first.milliseconds),
            "cpu_ms": one.cpu_milliseconds,
            "cpu_ms_ratio": _ratio(one.cpu_milliseconds, first.cpu_milliseconds),
            "bytes_written": one.bytes_written,
            "bytes_written_ratio": _ratio(one.bytes_written, first.bytes_written),
            "bytes_kept": one.bytes_kept,
            "bytes_kept_ratio": _ratio(one.bytes_kept, first.bytes_kept),
        }
        for one in figures
    ]


def _ratio(value: float | None, first: float | None) -> float | None:
    return round(value / first, 2) if value is not None and first else None
