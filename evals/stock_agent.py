"""The stock stack: LangChain's agent with its human-in-the-loop middleware, LangGraph's SQLite saver, a fake model.

Run as a program it dies right after the effect of an approved call, as a process does that is killed there.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from evals.errors import StockMissing

ORDER, AMOUNT_MINOR = "20418", 14890
APPROVE = {"decisions": [{"type": "approve"}]}
REJECT_ONLY = {"allowed_decisions": ["reject"]}
"""For a tool that nobody may approve."""


class FakeModel(GenericFakeChatModel):
    """Proposes one refund, then says that it is done."""

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """It knows its tools already."""
        return self


class StockAgent:
    """One agent over a checkpoint file; what its tools did stands in a file of its own, line by line."""

    def __init__(self, directory: Path, *, after_effect: Callable[[], None] = lambda: None) -> None:
        """Build it as its documentation says.

        Args:
            directory: Where checkpoints and effects are.
            after_effect: Called when a tool has done its work, before it returns.

        Raises:
            StockMissing: LangChain isn't installed.
        """
        try:
            from langchain.agents import create_agent  # an extra: not there where nobody compares
            from langchain.agents.middleware import HumanInTheLoopMiddleware
        except ImportError:
            raise StockMissing from None
        self._effects = directory / "effects.txt"
        self.checkpoints = directory / "checkpoints.db"

        def do(what: str) -> str:
            with self._effects.open("a", encoding="utf-8") as effects:
                effects.write(f"{what}\n")
            after_effect()
            return "done"

        @tool
        def refund_order(order_id: str, amount_minor: int) -> str:
            """Give money back for an order."""
            return do(f"refund {order_id} {amount_minor}")

        @tool
        def close_account(customer_id: str) -> str:
            """Close a customer's account."""
            return do(f"close {customer_id}")

        call = {"name": "refund_order", "args": {"order_id": ORDER, "amount_minor": AMOUNT_MINOR}, "id": "call-1"}
        says = [AIMessage("", tool_calls=[{**call, "type": "tool_call"}]), *(AIMessage("Done.") for _ in range(9))]
        self._connection = sqlite3.connect(self.checkpoints, check_same_thread=False)
        self._agent: Any = create_agent(
            FakeModel(messages=iter(says)),
            [refund_order, close_account],
            middleware=[
                HumanInTheLoopMiddleware(interrupt_on={"refund_order": True, "close_account": REJECT_ONLY})  # type: ignore[dict-item]  # plain JSON
            ],
            checkpointer=SqliteSaver(self._connection),
        )
        self._config: RunnableConfig = {"configurable": {"thread_id": "conversation"}}

    @property
    def effects(self) -> list[str]:
        """What was done."""
        return self._effects.read_text(encoding="utf-8").splitlines() if self._effects.exists() else []

    @property
    def waiting(self) -> int:
        """How many approvals wait."""
        return len(self._agent.get_state(self._config).interrupts)

    def say(self, text: str) -> None:
        """A customer's message."""
        self._agent.invoke({"messages": [{"role": "user", "content": text}]}, self._config)

    def answer(self, decision: Any) -> None:
        """A reviewer's answer."""
        self._agent.invoke(Command(resume=decision), self._config)

    def go_on(self) -> None:
        """What a new process does with an interrupted thread."""
        self._agent.invoke(None, self._config)

    def forget(self) -> None:
        """Delete the conversation."""
        self._agent.checkpointer.delete_thread("conversation")

    def close(self) -> None:
        """Close the checkpoint file."""
        self._connection.close()


def main() -> None:
    """Ask, wait, be approved, act, and die. The one argument is the directory."""
    agent = StockAgent(Path(sys.argv[1]), after_effect=lambda: os.kill(os.getpid(), signal.SIGKILL))
    agent.say(f"Refund order {ORDER}")
    agent.answer(APPROVE)


if __name__ == "__main__":
    main()
