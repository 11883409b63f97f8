"""A chat model object of LangChain that says what it is told to, and counts what it is asked: calls and tokens."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field

from memory.tokens import estimate

Say = Callable[[Sequence[BaseMessage], Sequence[dict[str, Any]]], Awaitable[AIMessage]]
"""Takes the messages and the tools that the model is given; what it says."""


@dataclass(slots=True)
class Counted:
    """What a model was asked."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def since(self, before: "Counted") -> "Counted":
        """What came on top of an earlier count."""
        return Counted(
            self.calls - before.calls,
            self.prompt_tokens - before.prompt_tokens,
            self.completion_tokens - before.completion_tokens,
        )

    def copy(self) -> "Counted":
        """The count as it is now."""
        return Counted(self.calls, self.prompt_tokens, self.completion_tokens)


class CountingModel(BaseChatModel):
    """Whoever uses it, it counts the same: all messages and all tools, as text, by one estimate of tokens."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    say: Say
    counted: Counted = Field(default_factory=Counted)

    @property
    def _llm_type(self) -> str:
        return "counting"

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Runnable[Any, AIMessage]:
        """With these tools at hand."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        raise NotImplementedError("It is asked asynchronously only.")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        tools: list[dict[str, Any]] = options.get("tools", [])
        said = await self.say(messages, tools)
        self.counted.calls += 1
        self.counted.prompt_tokens += estimate("\n".join([*map(_text, messages), *map(json.dumps, tools)]))
        self.counted.completion_tokens += estimate(_text(said))
        return ChatResult(generations=[ChatGeneration(message=said)])


def _text(message: BaseMessage) -> str:
    """A message as a provider gets it: its role, its words and its calls."""
    calls = [{"name": call["name"], "args": call["args"]} for call in getattr(message, "tool_calls", [])]
    return f"{message.type}: {message.content}{json.dumps(calls) if calls else ''}"
