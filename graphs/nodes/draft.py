"""draft: the reply in the brand's voice, one draft for each case it speaks of; values stay placeholders."""

import logging
from itertools import groupby

from langgraph.runtime import Runtime

from agents.tasks import DraftTask, IntentReading
from graphs.context import TurnContext
from graphs.messages import of_turn
from graphs.replying import Part, known_of, parts_of, passages_of, unsaid
from graphs.showing import CheckReply, showing
from graphs.state import TurnState
from graphs.thinking import think_together
from graphs.watching import TurnWatcher
from memory import cases, conversations
from memory.errors import StoreError
from memory.store import Unit
from policies.words import CaseId, TurnId

log = logging.getLogger("callboard.turn")

SAID_ONCE = frozenset({"angry", "asks_if_ai"})
"""Flags that make a draft begin with words of its own."""


async def draft(state: TurnState, runtime: Runtime[TurnContext], *, check: CheckReply) -> TurnState:
    """Have the reply drafted, or drafted once more with the reasons why the first was held.

    Args:
        state: The turn.
        runtime: The run.
        check: The checks of a whole reply; what is shown of a draft before it is whole has passed them.
    """
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    groups = await ctx.read(lambda unit: grouped(unit, ctx, state, turn_id))
    ordinal = state["ordinal"]
    tasks = await ctx.read(
        lambda unit: [
            _task(unit, ctx, state, turn_id, case_id, parts, first=number == 0)
            for number, (case_id, parts) in enumerate(groups)
        ]
    )
    watcher = TurnWatcher(ctx, turn_id, groups[0][0] if groups else CaseId(state["case_id"]))
    if len(tasks) == 1 and ctx.is_heard():
        watcher.show_draft = showing(ctx, state, turn_id, check=check, tell=runtime.stream_writer)
    try:
        await think_together(
            ctx,
            turn_id=turn_id,
            ordinal=ordinal,
            tasks=tasks,
            ask=lambda: ctx.house.specialists.drafting.solve_all(tasks, watcher=watcher),
            watcher=watcher,
        )
    except StoreError:
        raise
    except Exception as error:  # whoever drafts can't: what is to be said is known, and templates can say it
        log.warning("drafting failed in turn %s (%s); templates speak", turn_id, type(error).__name__)
        return {"ordinal": ordinal, "drafts": [], "next": "check_draft"}
    after = ordinal + len(tasks)
    return {"ordinal": after, "drafts": [*range(ordinal, after)], "next": "check_draft"}


def grouped(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId) -> list[tuple[CaseId, list[Part]]]:
    """The cues that were not sent yet, by case, in order."""
    ordinals = unsaid(unit, conversation_id=ctx.conversation_id, turn_id=turn_id, ordinals=state.get("parts", []))
    parts = parts_of(unit, ctx, turn_id=turn_id, ordinals=ordinals, cases=state.get("part_cases", {}))
    return [(case_id, list(group)) for case_id, group in groupby(parts, key=lambda part: part.case_id)]


def _task(
    unit: Unit,
    ctx: TurnContext,
    state: TurnState,
    turn_id: TurnId,
    case_id: CaseId,
    parts: list[Part],
    *,
    first: bool,
) -> DraftTask:
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    case = cases.get(unit, case_id=case_id)
    row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=state["reading"]) if "reading" in state else None
    reading = IntentReading.model_validate(row.output) if row else IntentReading(act="other")
    return DraftTask(
        cues=[part.cue for part in parts],
        journeys=[case.journey if case else None] * len(parts),
        known=known_of(unit, case_id=case_id),
        passages=passages_of(ctx.house, state.get("passages", []), journey=case.journey if case else None),
        text=of_turn(unit, turn_id=turn_id).text,
        asked=next((guess.text for guess in reading.intents if case and guess.journey == case.journey), ""),
        language=reading.language,
        disclose=first and conversation is not None and not conversation.disclosed,
        # Said once in a reply: that we are sorry, that this is an AI.
        flags=reading.flags if first else [flag for flag in reading.flags if flag not in SAID_ONCE],
        sentiment=reading.sentiment if first else 0.0,
        hold_reasons=state.get("holds", []),
        rewrites=state.get("rewrites", 0),
    )
