"""Any chat model of LangChain behind the reasoner: by tool calls where it has them, by words where not."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage

from agents.errors import ReasonerUnavailable
from agents.prompting import Prompt
from agents.reasoners.chat import ChatReasoner
from agents.reasoners.langchain_model import LangChainModel
from agents.tasks import Draft, DraftTask
from evals.counting_model import CountingModel

PROMPT = Prompt("drafting", "Write the reply.")
TASK = DraftTask(cues=[], journeys=[], known=[], text="hello", disclose=False)


async def solve(model: Any) -> Any:
    return await ChatReasoner(LangChainModel(model), attempts=1).solve(TASK, Draft, prompt=PROMPT)


async def test_a_model_that_calls_tools_answers_by_the_tool_that_stands_for_the_answer() -> None:
    seen: list[Any] = []

    async def say(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> AIMessage:
        seen.append((messages, tools))
        usage = {"input_tokens": 40, "output_tokens": 5, "total_tokens": 45, "input_token_details": {"cache_read": 30}}
        call = {"name": "Draft", "args": {"text": "Hello.", "cites": []}, "id": "1"}
        return AIMessage("", tool_calls=[call], usage_metadata=usage)  # type: ignore[arg-type]  # as providers send it

    solved = await solve(CountingModel(say=say))
    assert solved.answer == Draft(text="Hello.")
    assert (solved.usage.prompt_tokens, solved.usage.cached_tokens, solved.usage.completion_tokens) == (40, 30, 5)
    messages, tools = seen[0]
    assert [tool["function"]["name"] for tool in tools] == ["Draft"]
    assert [message.type for message in messages] == ["system", "human"]


async def test_a_model_that_cannot_call_tools_is_told_the_schema_in_words() -> None:
    fenced = "```json\n" + json.dumps({"text": "Hello.", "cites": []}) + "\n```"
    solved = await solve(FakeListChatModel(responses=[fenced]))
    assert solved.answer == Draft(text="Hello.")
    assert solved.reasoner == "chat:FakeListChatModel"


async def test_p12_whatever_an_integration_raises_is_unavailable() -> None:
    async def say(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> AIMessage:
        raise KeyError("something of theirs")

    with pytest.raises(ReasonerUnavailable, match="KeyError"):
        await solve(CountingModel(say=say))
