"""Only what waits is kept: a turn that ends in one go leaves nothing in the checkpoints."""

from pathlib import Path
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from graphs.waiting import WaitingOnly


class State(TypedDict, total=False):
    asks: bool
    answer: str


async def ask(state: State) -> State:
    return {"answer": str(interrupt("well?")) if state["asks"] else "at once"}


async def begin(state: State) -> State:
    return {}


def _graph(saver: AsyncSqliteSaver) -> Any:
    graph: StateGraph[State, None, State, State] = StateGraph(State)
    graph.add_node("begin", begin)
    graph.add_node("ask", ask)
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "ask")
    graph.add_edge("ask", END)
    return graph.compile(checkpointer=WaitingOnly(saver))


async def _rows(saver: AsyncSqliteSaver) -> int:
    cursor = await saver.conn.execute("SELECT (SELECT count(*) FROM checkpoints) + (SELECT count(*) FROM writes)")
    row = await cursor.fetchone()
    return int(row[0]) if row else -1


def _config(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


async def test_a_run_that_ends_leaves_no_checkpoint(tmp_path: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
        graph = _graph(saver)
        assert (await graph.ainvoke({"asks": False}, _config("t1"), durability="exit"))["answer"] == "at once"
        assert await _rows(saver) == 0
        await graph.checkpointer.adelete_thread("t1")
        assert await _rows(saver) == 0


async def test_p5_a_run_that_waits_is_resumed_by_another_process_and_then_forgotten(tmp_path: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
        waits = await _graph(saver).ainvoke({"asks": True}, _config("t1"), durability="exit")
        assert waits["__interrupt__"][0].value == "well?"
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "c.db")) as saver:
        graph = _graph(saver)
        assert [task.interrupts[0].value for task in (await graph.aget_state(_config("t1"))).tasks] == ["well?"]
        after = await graph.ainvoke(Command(resume="yes"), _config("t1"), durability="exit")
        assert after["answer"] == "yes"
        await graph.checkpointer.adelete_thread("t1")
        assert await _rows(saver) == 0
