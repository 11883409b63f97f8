"""The port behind which a chat model stands: a request in plain data, a completion or a failure."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from agents.reasoners.base import Usage
from policies.words import Json

Message = Mapping[str, str]
"""`role` (system, user, assistant) and `content`."""

TellText = Callable[[str], Awaitable[None]]
"""Takes the content as far as it has come."""

Ending = Literal["stop", "calls", "length", "refusal"]
"""How a completion ended: by itself, with calls of tools, cut off, or with a refusal."""


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool that the model may propose to call."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of its arguments."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked: messages, and the form of the answer."""

    messages: Sequence[Message]
    """The stable part first, so that prompt caches hit."""
    schema_name: str
    schema: Mapping[str, Any]
    """Strict JSON schema of the answer."""
    tools: Sequence[ToolOffer] = ()
    """Instead of an answer the model may call one of these."""
    max_tokens: int = 4000
    """Bounds the completion."""


@dataclass(frozen=True, slots=True)
class CallProposal:
    """A tool call as the model wrote it; nothing of it is checked."""

    name: str
    arguments: str
    """JSON text, if the model kept to the protocol."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model said."""

    text: str
    calls: tuple[CallProposal, ...] = ()
    usage: Usage = field(default_factory=Usage)
    ending: Ending = "stop"


class ChatModel(Protocol):
    """One model at one endpoint. Implementations: OpenAI's protocol, any LangChain chat model."""

    @property
    def name(self) -> str:
        """For records: "gpt-5-mini"."""

    async def complete(self, request: ModelRequest, *, tell: TellText | None = None) -> Completion:
        """Ask once; who calls sets the time limit and tries again.

        Args:
            request: What is asked.
            tell: Hears the content while it comes; the model may then be asked to stream.

        Raises:
            ReasonerUnavailable: No answer, or none that keeps to the protocol; `may_pass` says whether trying again
                makes sense.
        """


def text_of(messages: Sequence[Message], request: ModelRequest) -> str:
    """All that a model reads of a request, as one text, for estimates of its size."""
    parts: list[Json] = [f"{message['role']}: {message['content']}" for message in messages]
    return "\n".join([*map(str, parts), str(dict(request.schema)), *(str(tool) for tool in request.tools)])
