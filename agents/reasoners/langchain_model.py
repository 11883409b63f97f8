"""Any chat model of LangChain behind our port, so that every provider that LangChain knows plugs in.

LangChain has no structured output that all providers share, but all that can call tools can be made to. So the answer's
schema is offered as a tool of its own beside the real ones, and one call is demanded. A model that can't call tools is
told the schema in words.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, BaseMessageChunk, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable

from agents.errors import ReasonerUnavailable
from agents.reasoners.base import Usage
from agents.reasoners.models import CallProposal, Completion, Ending, Message, ModelRequest, TellText, text_of
from memory.tokens import estimate

IN_WORDS = "\n\nAnswer with one JSON object of this schema and nothing else: "
KINDS: Mapping[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
ENDINGS: Mapping[str, Ending] = {"length": "length", "max_tokens": "length", "content_filter": "refusal"}


class LangChainModel:
    """One chat model object of LangChain."""

    def __init__(self, model: BaseChatModel, *, name: str = "") -> None:
        """Wrap it.

        Args:
            model: Configured with key, model name and what else its provider takes.
            name: For records and prices; the model's own name when empty.
        """
        self._model = model
        own = getattr(model, "model_name", None) or getattr(model, "model", None)
        self._name = name or (own if isinstance(own, str) else "") or type(model).__name__
        self._calls_tools = True

    @property
    def name(self) -> str:
        """As given, or the model's own."""
        return self._name

    async def complete(self, request: ModelRequest, *, tell: TellText | None = None) -> Completion:
        """Ask once. Raises `ReasonerUnavailable`, whatever the provider's integration raised."""
        try:
            said = await self._ask(request, tell)
        except ReasonerUnavailable:
            raise
        except Exception as error:  # Each integration has errors of its own, and none of them may end a turn.
            status = getattr(error, "status_code", None)
            what = f"answered with status {status}" if isinstance(status, int) else f"failed ({type(error).__name__})"
            passes = not isinstance(status, int) or status in {408, 409, 429} or status >= 500
            raise ReasonerUnavailable(f"{self._name} {what}.", may_pass=passes) from None
        return _completion(said, request)

    async def _ask(self, request: ModelRequest, tell: TellText | None) -> BaseMessage:
        model, messages = self._bound(request)
        if tell is None or not isinstance(model, BaseChatModel):
            # What comes as a tool's arguments can't be shown before it is whole: integrations differ in how it streams.
            return await model.ainvoke(messages)
        whole: BaseMessageChunk | None = None
        async for chunk in model.astream(messages):
            whole = chunk if whole is None else whole + chunk
            if text := _text(whole):
                await tell(text)
        if whole is None:
            raise ReasonerUnavailable(f"{self._name} sent nothing.", may_pass=True)
        return whole

    def _bound(self, request: ModelRequest) -> tuple[Runnable[Any, BaseMessage], list[BaseMessage]]:
        """The model with its tools, and what it reads."""
        if self._calls_tools:
            answer = _tool(request.schema_name, "Give the answer to the task.", request.schema)
            tools = [answer, *(_tool(tool.name, tool.description, tool.parameters) for tool in request.tools)]
            try:
                return self._model.bind_tools(tools, tool_choice="any"), _messages(request.messages)
            except NotImplementedError:
                self._calls_tools = False
        return self._model, _messages(request.messages, schema=request.schema)


def _tool(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": name, "description": description, "parameters": dict(parameters)}
    return {"type": "function", "function": function}


def _messages(messages: Sequence[Message], *, schema: Mapping[str, Any] | None = None) -> list[BaseMessage]:
    made = [KINDS[message["role"]](message["content"]) for message in messages]
    if schema is not None:
        words = f"{messages[0]['content']}{IN_WORDS}{json.dumps(schema)}"
        made[0] = KINDS[messages[0]["role"]](words)
    return made


def _completion(said: BaseMessage, request: ModelRequest) -> Completion:
    calls = [call for call in getattr(said, "tool_calls", []) if isinstance(call, Mapping)]
    answer = next((call for call in calls if call.get("name") == request.schema_name), None)
    text = json.dumps(answer.get("args")) if answer is not None else _unfenced(_text(said))
    proposals = tuple(
        CallProposal(str(call.get("name")), json.dumps(call.get("args"))) for call in calls if call is not answer
    )
    reason = str(said.response_metadata.get("finish_reason") or said.response_metadata.get("stop_reason") or "")
    counted = getattr(said, "usage_metadata", None) or {}
    details = counted.get("input_token_details") or {}
    prompt = counted.get("input_tokens") or estimate(text_of(request.messages, request))
    wrote = counted.get("output_tokens") or estimate(text + "".join(call.arguments for call in proposals))
    usage = Usage(1, prompt, min(details.get("cache_read") or 0, prompt), wrote)
    return Completion(text, () if answer is not None else proposals, usage, ENDINGS.get(reason, "stop"))


def _text(said: BaseMessage) -> str:
    """The words of a message; parts that are none (thoughts, images) left out."""
    if isinstance(said.content, str):
        return said.content
    parts = [part if isinstance(part, str) else part.get("text", "") for part in said.content]
    return "".join(part for part in parts if isinstance(part, str))


def _unfenced(text: str) -> str:
    """JSON out of the Markdown fence that some models put around it."""
    inside = text.strip()
    if inside.startswith("```") and inside.endswith("```"):
        inside = inside.removeprefix("```").removesuffix("```").removeprefix("json").strip()
    return inside
