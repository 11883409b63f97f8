"""Showing a draft while it is written: no more of it than has passed the checks of a whole reply."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from agents.tasks import Draft
from graphs.context import TurnContext
from graphs.state import TurnState
from graphs.watching import ShowDraft
from memory import conversations
from memory.store import Unit
from policies.words import TurnId

SENTENCE_END = re.compile(r"[.!?:](?=\s)|\n")


class CheckedReply(Protocol):
    """A reply, or its beginning, as its checks found it."""

    @property
    def text(self) -> str:
        """With its values filled in."""

    @property
    def holds(self) -> tuple[str, ...]:
        """What stands against it."""


class CheckReply(Protocol):
    """The checks of a whole reply."""

    def __call__(
        self, unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId, drafts: Sequence[Draft], /
    ) -> CheckedReply:
        """Check it."""


def showing(
    ctx: TurnContext, state: TurnState, turn_id: TurnId, *, check: CheckReply, tell: Callable[[Any], None]
) -> ShowDraft:
    """How to show a draft of a turn.

    Whole sentences only, each time from the beginning, checked like a reply that ends there. Where anything stands
    against it, nothing more is shown; so the listener never sees a word that `check_draft` would have held. It may
    still be written anew for what comes later: the reply then takes the place of what was shown.

    Args:
        ctx: The run.
        state: The turn as the draft node found it.
        turn_id: The turn.
        check: The checks.
        tell: Takes {"draft": text}.
    """
    looked_at = 0

    def work(unit: Unit, text: str) -> str:
        conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
        if conversation is None or (conversation.status == "person" and state.get("outcome") != "escalated"):
            return ""
        checked = check(unit, ctx, state, turn_id, [Draft(text=text)])
        return "" if checked.holds else checked.text

    async def show(text: str) -> None:
        nonlocal looked_at
        whole = whole_sentences(text)
        if len(whole) <= looked_at:
            return
        looked_at = len(whole)
        if shown := await ctx.read(lambda unit: work(unit, whole)):
            tell({"draft": shown})

    return show


def whole_sentences(text: str) -> str:
    """The text up to its last sentence end that stands in no placeholder."""
    end = 0
    for match in SENTENCE_END.finditer(text):
        before = text[: match.end()]
        if before.count("{") == before.count("}"):
            end = match.end()
    return text[:end]
