"""The state machine of one turn: which node follows which. Every node may end in escalate, and so may its failure."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from traceback import format_tb
from typing import Any, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphBubbleUp
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agents.errors import BudgetSpent
from graphs.context import TurnContext
from graphs.nodes.approve import approve
from graphs.nodes.authentication import authentication
from graphs.nodes.check_draft import check_draft, check_reply
from graphs.nodes.close import close
from graphs.nodes.compensate import compensate
from graphs.nodes.draft import draft
from graphs.nodes.eligibility import eligibility
from graphs.nodes.escalate import escalate
from graphs.nodes.guard import guard
from graphs.nodes.intent import intent
from graphs.nodes.recall import recall
from graphs.nodes.receive import receive
from graphs.nodes.screen import screen
from graphs.nodes.workflow import workflow
from graphs.state import TurnState
from graphs.waiting import WaitingOnly
from memory.errors import StoreError

log = logging.getLogger("callboard.turn")

Node = Callable[[TurnState, Runtime[TurnContext]], Awaitable[TurnState]]
TurnGraph = CompiledStateGraph[TurnState, TurnContext, TurnState, TurnState]

GRAPH_VERSION = "2"
"""Raised when nodes or state change so that a checkpoint of the version before can't be resumed; the turn is then
rebuilt from its rows."""

ENDING = frozenset({"hand_on", "wait"})
"""What ends a thread; the turn goes on in a fresh one, at once or when a person has found out what came of a call."""

ROUTES: dict[str, list[str]] = {
    "receive": ["screen", "close"],
    "screen": ["recall", "escalate"],
    "recall": ["intent", "authentication", "escalate"],
    "intent": ["authentication", "escalate"],
    "authentication": ["eligibility", "workflow", "escalate"],
    "eligibility": ["workflow", "eligibility", "escalate"],
    "workflow": ["guard", "authentication", "compensate", "draft", "escalate"],
    "guard": ["act", "approve", "eligibility", "compensate", "draft", "escalate"],
    "approve": ["act", "eligibility", "compensate", "hand_on", "close", "escalate"],
    "act": [
        "eligibility",
        "workflow",
        "authentication",
        "recall",
        "guard",
        "approve",
        "compensate",
        "wait",
        "escalate",
    ],
    "compensate": ["guard", "draft", "close", "escalate"],
    "escalate": ["draft"],
    "draft": ["check_draft", "escalate"],
    "check_draft": ["close", "draft", "escalate"],
}
"""Where each node may lead. `hand_on` and `wait` end the thread; the turn goes on in a fresh one, at once or when a
person has found out what came of a call."""


def build_graph(act: Node, saver: BaseCheckpointSaver[str]) -> TurnGraph:
    """Compile the turn.

    Args:
        act: The act node, bound to the gateway by the composition root.
        saver: Where a waiting turn's checkpoint is kept. Disposable: a turn can be rebuilt from its rows.
    """
    nodes: dict[str, Node] = {
        "receive": receive,
        "screen": screen,
        "recall": recall,
        "intent": intent,
        "authentication": authentication,
        "eligibility": eligibility,
        "workflow": workflow,
        "guard": guard,
        "approve": approve,
        "act": act,
        "compensate": compensate,
        "draft": partial(draft, check=check_reply),
        "check_draft": check_draft,
    }
    graph: StateGraph[TurnState, TurnContext, TurnState, TurnState] = StateGraph(TurnState, context_schema=TurnContext)
    for name, targets in ROUTES.items():
        node = escalate if name == "escalate" else _failing_to_people(name, nodes[name])
        ends = tuple(END if target in ENDING else target for target in targets)
        graph.add_node(name, cast(Any, _going_on(name, node)), destinations=ends)  # no overload has a runtime
    graph.add_node("close", close)
    graph.add_edge("close", END)
    graph.add_conditional_edges(START, _first, ["receive", "compensate"])
    return graph.compile(checkpointer=WaitingOnly(saver))


def _going_on(name: str, node: Node) -> Callable[[TurnState, Runtime[TurnContext]], Awaitable[Command[str]]]:
    """A node that says itself where the turn goes; a conditional edge would read the whole state once more."""
    targets = frozenset(ROUTES[name])

    async def run(state: TurnState, runtime: Runtime[TurnContext]) -> Command[str]:
        after = await node(state, runtime)
        target = after["next"]
        if target not in targets:
            raise ValueError(f"{name} doesn't lead to {target}.")
        return Command(update=after, goto=END if target in ENDING else target)

    run.__name__ = name
    return run


def _first(state: TurnState) -> str:
    """A message is received; what a person wants undone is no message."""
    return "compensate" if state["next"] == "compensate" else "receive"


def _failing_to_people(name: str, node: Node) -> Node:
    """A node whose failure becomes an escalation: the conversation ends in a handoff, never in silence (P12).

    Not caught: what LangGraph itself raises to pause, and a store that refuses or a fence that was passed, where
    nothing could be written any more; the runner deals with those.
    """

    async def run(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
        try:
            return await node(state, runtime)
        except (GraphBubbleUp, StoreError):
            raise
        except BudgetSpent as spent:
            if state.get("outcome") == "escalated":
                raise
            return {"reason": str(spent), "next": "escalate"}
        except Exception as error:
            # The frames, not the message: that may quote what a customer wrote.
            frames = "".join(format_tb(error.__traceback__))
            log.error("node %s failed in turn %s: %s\n%s", name, state.get("turn_id"), type(error).__name__, frames)
            if state.get("outcome") == "escalated":
                raise
            return {"reason": f"{name} failed: {type(error).__name__}", "next": "escalate"}

    run.__name__ = name
    return run
