"""A chat model at any endpoint that speaks the OpenAI protocol."""

from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, AsyncStream, BadRequestError

from agents.errors import ReasonerUnavailable
from agents.reasoners.base import Usage
from agents.reasoners.models import CallProposal, Completion, Ending, ModelRequest, TellText, text_of
from memory.tokens import estimate

PATH = "/chat/completions"
MOST_BYTES = 2_000_000
"""More than this is no answer to anything that we ask."""
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same request may succeed."""
ENDINGS: Mapping[str, Ending] = {"tool_calls": "calls", "length": "length", "content_filter": "refusal"}


def openai_client(*, api_key: str, base_url: str, timeout_s: float) -> AsyncOpenAI:
    """A client that tries once, since tries are counted by whoever asks, and reads no more than `MOST_BYTES`."""
    http = httpx2.AsyncClient(
        timeout=httpx2.Timeout(timeout_s),
        event_hooks={"response": [_bound]},
        follow_redirects=True,
        # A few kilobytes can unpack to gigabytes, and they are counted as they come.
        headers={"accept-encoding": "identity"},
    )
    return AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, http_client=http)


class OpenAIModel:
    """One model over one client.

    The body is posted as plain data: the client's typed `create` walks every message's types, which costs 0.13 ms of
    CPU each. What comes back is read as plain data too, for an endpoint may send anything.
    """

    def __init__(self, client: AsyncOpenAI, model: str) -> None:
        self._client = client
        self._model = model
        # Endpoints older than the parameter's new name refuse it; which one this is shows at the first refusal.
        self._limit_name = "max_completion_tokens"

    @property
    def name(self) -> str:
        """The model's name at the endpoint."""
        return self._model

    async def complete(self, request: ModelRequest, *, tell: TellText | None = None) -> Completion:
        """Ask once; streamed if somebody wants to hear it come. Raises `ReasonerUnavailable`."""
        try:
            return await self._complete(request, tell)
        except BadRequestError as error:
            if self._limit_name not in str(error.message) or self._limit_name == "max_tokens":
                raise _unavailable(self._model, error) from None
            self._limit_name = "max_tokens"
        except (APIError, httpx2.HTTPError, ValueError, RecursionError) as error:
            raise _unavailable(self._model, error) from None
        try:
            return await self._complete(request, tell)
        except (APIError, httpx2.HTTPError, ValueError, RecursionError) as error:
            raise _unavailable(self._model, error) from None

    async def _complete(self, request: ModelRequest, tell: TellText | None) -> Completion:
        body = self._body(request)
        if tell is None:
            return read_completion(await self._client.post(PATH, body=body, cast_to=object), request)
        stream = await self._client.post(
            PATH,
            body={**body, "stream": True, "stream_options": {"include_usage": True}},
            cast_to=object,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        try:
            return await _gather(stream, request, tell)
        finally:
            await stream.close()

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [dict(message) for message in request.messages],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": request.schema_name, "strict": True, "schema": request.schema},
            },
            self._limit_name: request.max_tokens,
        }
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                        "strict": True,
                    },
                }
                for tool in request.tools
            ]
            body["parallel_tool_calls"] = False
        return body


def read_completion(data: object, request: ModelRequest) -> Completion:
    """A completion from whatever an endpoint sent.

    Raises:
        ReasonerUnavailable: It is none.
    """
    choice = _first(_of(data, "choices"))
    message = _of(choice, "message")
    if not isinstance(message, Mapping):
        raise ReasonerUnavailable("The endpoint broke its protocol (no message).", may_pass=True)
    content = _of(message, "content")
    text = content if isinstance(content, str) else ""
    calls = []
    for call in _list(_of(message, "tool_calls")):
        name, arguments = _of(_of(call, "function"), "name"), _of(_of(call, "function"), "arguments")
        calls.append(CallProposal(str(name or ""), arguments if isinstance(arguments, str) else ""))
    ending = ENDINGS.get(str(_of(choice, "finish_reason")), "stop")
    if _of(message, "refusal"):
        ending = "refusal"
    said = text + "".join(call.arguments for call in calls)
    return Completion(text, tuple(calls), _usage(_of(data, "usage"), request, said), ending)


async def _gather(stream: AsyncIterator[object], request: ModelRequest, tell: TellText) -> Completion:
    """Put a stream together. One that ends before its last word broke."""
    texts: list[str] = []
    refused = False
    calls: dict[int, list[str]] = {}
    reason: object = None
    usage: object = None
    async for chunk in stream:
        usage = _of(chunk, "usage") or usage
        choice = _first(_of(chunk, "choices"))
        delta = _of(choice, "delta")
        reason = _of(choice, "finish_reason") or reason
        refused = refused or bool(_of(delta, "refusal"))
        for part in _list(_of(delta, "tool_calls")):
            place, function = _of(part, "index"), _of(part, "function")
            held = calls.setdefault(place if isinstance(place, int) else 0, ["", ""])
            held[0] += str(_of(function, "name") or "")
            held[1] += str(_of(function, "arguments") or "")
        if isinstance(content := _of(delta, "content"), str) and content:
            texts.append(content)
            await tell("".join(texts))
    if reason is None:
        raise ReasonerUnavailable("The stream broke off.", may_pass=True)
    ending: Ending = "refusal" if refused else ENDINGS.get(str(reason), "stop")
    text = "".join(texts)
    proposals = tuple(CallProposal(name, arguments) for name, arguments in calls.values())
    said = text + "".join(call.arguments for call in proposals)
    return Completion(text, proposals, _usage(usage, request, said), ending)


def _usage(data: object, request: ModelRequest, said: str) -> Usage:
    """As the provider counts it; where it doesn't, rather too much than too little, so that budgets hold."""
    prompt, completion = _of(data, "prompt_tokens"), _of(data, "completion_tokens")
    cached = _of(_of(data, "prompt_tokens_details"), "cached_tokens")
    if not isinstance(prompt, int) or prompt <= 0:
        prompt, cached = estimate(text_of(request.messages, request)), 0
    if not isinstance(completion, int) or completion < 0:
        completion = estimate(said)
    cached = cached if isinstance(cached, int) else 0
    return Usage(1, prompt, min(max(cached, 0), prompt), completion)


def _unavailable(model: str, error: Exception) -> ReasonerUnavailable:
    if isinstance(error, APIStatusError):
        status = error.status_code
        return ReasonerUnavailable(
            f"{model} is over its rate limit." if status == 429 else f"{model} answered with status {status}.",
            retry_after_s=_retry_after(error.response.headers),
            may_pass=status in PASSING,
        )
    if isinstance(error, _TooLong) or isinstance(error.__cause__, _TooLong):
        return ReasonerUnavailable(f"{model} sent more than {MOST_BYTES} bytes.")
    if isinstance(error, APIConnectionError | httpx2.HTTPError):
        return ReasonerUnavailable(f"{model} can't be reached ({type(error).__name__}).", may_pass=True)
    return ReasonerUnavailable(f"{model} broke its protocol ({type(error).__name__}).", may_pass=True)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from whichever form of the header came: `retry-after-ms`, seconds, or a date."""
    try:
        return max(0.0, float(headers.get("retry-after-ms", "")) / 1000)
    except ValueError:
        pass
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        # Against the sender's own clock, which stands beside it.
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _of(data: object, name: str) -> Any:
    return data.get(name) if isinstance(data, Mapping) else None


def _list(data: object) -> list[Any]:
    return data if isinstance(data, list) else []


def _first(data: object) -> Any:
    return data[0] if isinstance(data, list) and data else None


async def _bound(response: httpx2.Response) -> None:
    """Count an answer's bytes while they are read."""
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


class _TooLong(httpx2.ReadError):
    """More bytes came than an answer can have."""


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error once it is too long."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > MOST_BYTES:
                raise _TooLong("The answer is too long.")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
