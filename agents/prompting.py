"""Prompts: files with a version that is the hash of all that the model reads before the task."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from agents.errors import PromptMissing

PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The stable part of what a model is told; the task comes after it, so that prompt caches hit."""

    name: str
    text: str

    @property
    def version(self) -> str:
        """Name and content hash: "intent-1f3a0c9b2d4e"."""
        return f"{self.name}-{sha256(self.text.encode()).hexdigest()[:12]}"


def load_prompt(name: str, *, context: str = "") -> Prompt:
    """The prompt of one specialist.

    Args:
        name: The file's name without its ending.
        context: What the playbook adds, the same for every task: journeys, tools, voice. Part of the version.

    Raises:
        PromptMissing: There is no such file.
    """
    path = PROMPTS / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PromptMissing(f"There is no prompt {name!r}. Add agents/prompts/{name}.md.") from None
    return Prompt(name=name, text=f"{text.rstrip()}\n\n{context.strip()}\n" if context.strip() else text)
