"""The customer's words of one turn: screened, joined, the same line said twice kept once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from graphs.context import TurnContext
from memory import inbox, turns
from memory.inbox import InboxItem
from memory.store import Unit
from policies.detectors.screening import screen
from policies.words import TurnId


@dataclass(frozen=True, slots=True)
class Screened:
    """A text as models, timeline and people may see it."""

    text: str
    kinds: list[str]
    """What was found: "injection", "card", "self_harm", …; sorted, each once."""


def texts_of(items: Sequence[InboxItem]) -> list[Screened]:
    """Screen each message; cards and secrets are masked."""
    return [screened(str(item.body.get("text", ""))) for item in items]


@lru_cache(maxsize=32)
def screened(text: str) -> Screened:
    """Screen one text; a turn asks for its own message at every node."""
    # Half a character, as a broken encoding leaves it, has no JSON and no digest: it is shown as the mark for that.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    found = screen(whole)
    return Screened(found.text_masked, sorted(found.kinds))


def of_turn(unit: Unit, *, turn_id: TurnId) -> Screened:
    """Everything that the customer wrote in this turn, as one text."""
    turn = turns.get(unit, turn_id=turn_id)
    items = [inbox.get(unit, seq=seq) for seq in turn.item_seqs] if turn else []
    parts = texts_of([item for item in items if item.kind == "message"])
    unique = list(dict.fromkeys(part.text.strip() for part in parts))
    return Screened("\n".join(unique), sorted({kind for part in parts for kind in part.kinds}))


async def said_in(ctx: TurnContext, *, turn_id: TurnId) -> Screened:
    """The same for a node: it doesn't change while the turn runs."""
    noted = ctx.notes.said.get(turn_id)
    if noted is None:
        noted = ctx.notes.said[turn_id] = await ctx.read(lambda unit: of_turn(unit, turn_id=turn_id))
    return noted
