"""The same turn as users of LangGraph write it: ChatOpenAI with tools, all messages in the state, SQLite saver."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from pydantic import SecretStr

from evals.peer_tools import SYSTEM_PROMPT, TOOLS, OpenBooks, call_tool

Durability = Literal["sync", "exit"]


class ChatState(TypedDict):
    """The whole conversation, and what it is about."""

    messages: Annotated[list[AnyMessage], add_messages]
    matter: str


@asynccontextmanager
async def open_langgraph(
    directory: Path, *, base_url: str, model: str, books: OpenBooks, durability: Durability
) -> AsyncIterator["LangGraphChat"]:
    """A chat of five nodes on LangGraph.

    Args:
        directory: Where the checkpoints go.
        base_url: The model's endpoint.
        model: Its name there.
        books: The system behind the tools.
        durability: When checkpoints are written: after every node, or at the end of a turn.
    """
    chat = ChatOpenAI(model=model, base_url=base_url, api_key=SecretStr("mock"), max_retries=2)
    able = chat.bind_tools(TOOLS)
    graph: StateGraph[ChatState, None, ChatState, ChatState] = StateGraph(ChatState)

    def prompt(state: ChatState) -> list[AnyMessage]:
        return [SystemMessage(SYSTEM_PROMPT), *state["messages"]]

    async def understand(state: ChatState) -> dict[str, Any]:
        return {"matter": str((await chat.ainvoke(prompt(state))).content)}

    async def plan(state: ChatState) -> dict[str, Any]:
        said = await able.ainvoke(prompt(state))
        return {"messages": [said]} if said.tool_calls else {"matter": "planned"}

    async def act(state: ChatState) -> dict[str, Any]:
        last = state["messages"][-1]
        calls = last.tool_calls if isinstance(last, AIMessage) else []
        return {
            "messages": [
                ToolMessage(
                    json.dumps(await call_tool(books, call["name"], call["args"], key=str(call["id"]))),
                    tool_call_id=call["id"],
                )
                for call in calls
            ]
        }

    async def reply(state: ChatState) -> dict[str, Any]:
        return {"messages": [await chat.ainvoke(prompt(state))]}

    def planned(state: ChatState) -> str:
        return "act" if isinstance(state["messages"][-1], AIMessage) else "reply"

    graph.add_node("understand", understand)
    graph.add_node("plan", plan)
    graph.add_node("act", act)
    graph.add_node("reply", reply)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "plan")
    graph.add_conditional_edges("plan", planned, ["act", "reply"])
    graph.add_edge("act", "plan")
    graph.add_edge("reply", END)
    async with AsyncSqliteSaver.from_conn_string(str(directory / "checkpoints.db")) as saver:
        yield LangGraphChat(graph.compile(checkpointer=saver), durability)


class LangGraphChat:
    """One thread per conversation."""

    def __init__(self, chat: Any, durability: Durability) -> None:
        self._chat, self._durability = chat, durability

    async def say(self, conversation: str, text: str) -> str:
        """Send a message; the reply."""
        config: RunnableConfig = {"configurable": {"thread_id": conversation}}
        given = {"messages": [HumanMessage(text)], "matter": ""}
        after = await self._chat.ainvoke(given, config, durability=self._durability)
        return str(after["messages"][-1].content)
