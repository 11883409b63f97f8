"""The reasoner that answers from a cassette: what another reasoner once said to the same task, prompt and input."""

import json
from pathlib import Path
from typing import Any, Literal

from agents.errors import CassetteMiss
from agents.prompting import Prompt
from agents.reasoners.base import UNWATCHED, A, Reasoner, Solved, Usage, Watcher, parsed
from agents.reasoners.scrubbing import MASKED, Scrubber
from agents.tasks import Typed
from policies.canonical import digest
from policies.words import Json

Mode = Literal["record", "replay", "fall_through"]


class Cassette:
    """A file of JSON lines, one recorded answer each; the first one of a key counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    entry = json.loads(line)
                    self._lines.setdefault(entry["key"], entry)

    def __len__(self) -> int:
        return len(self._lines)

    def get(self, key: str) -> dict[str, Any] | None:
        """The recorded entry, or None."""
        return self._lines.get(key)

    def put(self, entry: dict[str, Any]) -> None:
        """Add one entry at the end of the file, unless its key is there."""
        if entry["key"] in self._lines:
            return
        self._lines[entry["key"]] = entry
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n")


def cassette_key(task: Typed, answer: type[Typed], prompt: Prompt) -> str:
    """SHA-256 over the canonical JSON of task type, answer type, prompt version and scrubbed input."""
    data = task.model_dump(mode="json")
    return _key(task, answer, prompt, Scrubber(data).key_form(data))


def _key(task: Typed, answer: type[Typed], prompt: Prompt, scrubbed: Json) -> str:
    return digest({"task": type(task).__name__, "answer": answer.__name__, "prompt": prompt.version, "input": scrubbed})


class RecordedReasoner:
    """Records another reasoner, or replays it: strictly, or falling through to it where nothing was recorded."""

    def __init__(self, cassette: Cassette, *, mode: Mode, inner: Reasoner | None = None) -> None:
        """Make one.

        Args:
            cassette: What is recorded on, or replayed from.
            mode: `record` asks the inner reasoner and keeps what it says, `replay` never asks anybody, `fall_through`
                asks it where nothing was recorded, and keeps nothing.
            inner: Who is recorded.
        """
        if mode != "replay" and inner is None:
            raise ValueError(f"Mode {mode!r} needs an inner reasoner. Give it one, or replay strictly.")
        self._cassette, self._mode, self._inner = cassette, mode, inner

    @property
    def name(self) -> str:
        """Its mode and what it records or replays."""
        return f"recorded:{self._mode}"

    async def solve(self, task: Typed, answer: type[A], *, prompt: Prompt, watcher: Watcher = UNWATCHED) -> Solved[A]:
        """The recorded answer; in mode "record" always the inner reasoner's, which is then kept.

        Raises:
            CassetteMiss: A strict replay found nothing.
        """
        data = task.model_dump(mode="json")
        scrubber = Scrubber(data)
        key = _key(task, answer, prompt, scrubber.key_form(data))
        entry = None if self._mode == "record" else self._cassette.get(key)
        if entry is not None:
            masked = json.dumps(entry["output"], ensure_ascii=False).count(MASKED)
            return Solved(
                answer=parsed(answer, scrubber.fill(entry["output"]), task=task),
                reasoner=entry["reasoner"],
                prompt_version=entry["prompt_version"],
                usage=Usage(),
                notes=(f"replayed; {masked} values are masked" if masked else "replayed",),
            )
        if self._inner is None:
            raise CassetteMiss(
                f"The cassette has no {answer.__name__} for this {type(task).__name__} ({key[:12]}, prompt "
                f"{prompt.version}). Record it again, or replay with fall-through."
            )
        solved = await self._inner.solve(task, answer, prompt=prompt, watcher=watcher)
        if self._mode == "record":
            output = parsed(answer, solved.answer, task=task).model_dump(mode="json")
            self._cassette.put(
                {
                    "key": key,
                    "task": type(task).__name__,
                    "answer": answer.__name__,
                    "prompt_version": solved.prompt_version,
                    "reasoner": solved.reasoner,
                    "output": scrubber.scrub(output),
                }
            )
        return solved
