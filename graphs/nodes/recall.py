"""recall: what this turn may know: passages of approved knowledge that fit the message, within the budget."""

from functools import lru_cache

from langgraph.runtime import Runtime

from agents.local.clauses import split_clauses
from graphs.context import TurnContext
from graphs.messages import said_in
from graphs.state import TurnState
from memory.lexical import content_stems
from memory.retrieval import Scored
from policies.detectors.screening import PLANTED, screen
from policies.words import TurnId

PASSAGES = 4
LEAST_WORDS = 2
"""Words with a meaning that a clause must have to be searched for by itself: "can you use that?" fits anything."""
QUESTIONS = 6
"""Clauses of one message that are searched for; the message as a whole comes first."""


async def recall(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Find passages for the message. Rows of the case are read where they are needed, filtered by customer.

    Runs again when assurance rises. Before that, only this conversation and approved knowledge are in reach.
    """
    ctx = runtime.context
    said = await said_in(ctx, turn_id=TurnId(state["turn_id"]))
    allowed = [passage for passage in ctx.house.playbook.passages_at(ctx.now) if is_clean(passage.text)]
    found: dict[str, Scored] = {}
    for question in questions_of(said.text) if allowed else []:
        for hit in await ctx.house.retriever.search(question, allowed=allowed, k=PASSAGES):
            before = found.get(hit.passage.id)
            if before is None or hit.coverage > before.coverage:
                found[hit.passage.id] = hit
    best = sorted(found.values(), key=lambda hit: (-hit.coverage, -hit.score))[:PASSAGES]
    return {
        "passages": [hit.passage.id for hit in best],
        "next": "authentication" if "reading" in state else "intent",
    }


@lru_cache(maxsize=4096)
def is_clean(text: str) -> bool:
    """Whether a text that is recalled speaks to customers, and not to whoever reads it to them."""
    return not PLANTED & screen(text).kinds


def questions_of(text: str) -> list[str]:
    """What to search for: the whole message, and its clauses that ask, for a long message dilutes them all."""
    clauses = [
        clause.text
        for clause in split_clauses(text)
        if clause.asks and not clause.refuses and len(content_stems(clause.text)) >= LEAST_WORDS
    ]
    return list(dict.fromkeys([text, *clauses[:QUESTIONS]]))
