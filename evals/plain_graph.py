"""The usual chat on LangGraph, for comparison: all messages in the state, one thread, the SQLite saver."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

STEPS = 10
"""Nodes of a turn: about as many as ours passes in a plain answer."""


class ChatState(TypedDict):
    """The whole conversation, and a note of the step that ran last."""

    messages: Annotated[list[AnyMessage], add_messages]
    note: str


@asynccontextmanager
async def open_plain_graph(file: Path, *, reply: Callable[[], str]) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """A chat that takes a message and gives a reply, on LangGraph's own defaults.

    Args:
        file: Where the checkpoints go.
        reply: What it says next.
    """
    graph: StateGraph[ChatState, None, ChatState, ChatState] = StateGraph(ChatState)

    async def step(state: ChatState) -> dict[str, str]:
        return {"note": f"at message {len(state['messages'])}, after {state['note']}"[:60]}

    async def answer(state: ChatState) -> dict[str, list[AIMessage]]:
        return {"messages": [AIMessage(reply())]}

    names = [f"step_{number}" for number in range(1, STEPS)]
    for name in names:
        graph.add_node(name, step)
    graph.add_node("answer", answer)
    for before, after in zip([START, *names], [*names, "answer"], strict=True):
        graph.add_edge(before, after)
    graph.add_edge("answer", END)
    async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
        chat = graph.compile(checkpointer=saver)
        config: RunnableConfig = {"configurable": {"thread_id": "bench"}}

        async def say(text: str) -> str:
            after = await chat.ainvoke({"messages": [HumanMessage(text)], "note": ""}, config)
            return str(after["messages"][-1].content)

        yield say
