"""Recorded conversations: what customers said, in order, one JSON object a line."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from evals.errors import NothingToPlay, SamplesUnreadable


@dataclass(frozen=True, slots=True)
class Recorded:
    """One conversation's customer side."""

    id: str
    """The recording's own id, or its line number."""
    messages: tuple[str, ...]


def read_conversations(file: Path, *, limit: int | None = None) -> Sequence[Recorded]:
    """Read a file of recorded conversations.

    A line is an object with `events`: a list of objects whose `t` is "user" for what the customer said (`text`); the
    other events are of no interest here. `run` or `id` names the conversation.

    Raises:
        SamplesUnreadable: Names the line.
        NothingToPlay: No customer says anything.
    """
    found = list(islice((one for one in _each(file) if one.messages), limit))
    if not found:
        raise NothingToPlay(file)
    return found


def _each(file: Path) -> Iterator[Recorded]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _conversation(file, number, line)


def _conversation(file: Path, number: int, line: str) -> Recorded:
    try:
        row: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise SamplesUnreadable(file, number, problem=f"not JSON ({error.msg})") from None
    events = row.get("events") if isinstance(row, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise SamplesUnreadable(file, number, problem="no list of `events`")
    texts = [event.get("text") for event in events if event.get("t") == "user"]
    if not all(isinstance(text, str) for text in texts):
        raise SamplesUnreadable(file, number, problem="a user event without `text`")
    said = tuple(str(text) for text in texts if str(text).strip())
    return Recorded(str(row.get("run") or row.get("id") or f"line-{number}"), said)
