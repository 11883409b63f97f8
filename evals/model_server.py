"""A chat model's endpoint on loopback: speaks the OpenAI protocol, streaming included, and misbehaves on order."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Fault = Literal[
    "none",
    "rate_limit",
    "rate_limit_short",
    "rate_limit_long",
    "server_error",
    "unauthorised",
    "hang",
    "drop",
    "drop_mid_stream",
    "html",
    "not_json",
    "invalid_json",
    "wrong_schema",
    "wrong_values",
    "lies",
    "unknown_tool",
    "no_choices",
    "empty",
    "refusal",
    "cut_off",
    "huge",
    "endless",
]
"""What may be wrong with one answer: of the connection, of the protocol, or of what the model says."""

FAULTS: tuple[Fault, ...] = get_args(Fault)
HUGE_BYTES = 6_000_000
PIECE = 16
"""Characters of a chunk when streaming."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What the model says when nothing is wrong."""

    content: str = ""
    call: tuple[str, Mapping[str, Any]] | None = None
    """A tool call instead: its name and arguments."""


Brain = Callable[[Body], Awaitable[Said]]
"""Takes a request's body; what the model behind this endpoint says to it."""

Plan = Callable[[int], Fault]
"""Takes the number of the request, from 0; what shall be wrong with its answer."""


@dataclass(slots=True)
class ModelServer:
    """The endpoint while it is open."""

    url: str
    """What `OPENAI_BASE_URL` takes."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Every request's body, in order."""
    faults: list[Fault] = field(default_factory=list)
    """What was wrong with each answer."""


@asynccontextmanager
async def serving_model(brain: Brain, *, plan: Plan = lambda _number: "none") -> AsyncIterator[ModelServer]:
    """Serve until the block ends.

    Args:
        brain: Says what the model says.
        plan: Says what is wrong with each answer.
    """
    open_writers: set[asyncio.StreamWriter] = set()
    begun: set[asyncio.Task[Any] | None] = set()
    server = ModelServer("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        begun.add(asyncio.current_task())
        try:
            while (body := await _read(reader)) is not None:
                number = len(server.asked)
                fault = plan(number)
                server.asked.append(body)
                server.faults.append(fault)
                if not await _answer(writer, body, await brain(body), fault):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client is gone, or the server closes: an answer that hangs hangs no longer.
            pass
        finally:
            open_writers.discard(writer)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()
        for task in begun:
            if task is not None:
                task.cancel()
        for writer in [*open_writers]:
            writer.transport.abort()
        with suppress(TimeoutError):
            await asyncio.wait_for(listening.wait_closed(), 2)


async def _read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """One request's body; None when the client is gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    body: dict[str, Any] = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
    return body


async def _answer(writer: asyncio.StreamWriter, body: Body, said: Said, fault: Fault) -> bool:
    """Send one answer with its fault; whether the connection may be used again."""
    match fault:
        case "rate_limit":
            return await _send(writer, 429, _error("slow down"))
        case "rate_limit_short":
            return await _send(writer, 429, _error("slow down"), {"retry-after-ms": "50"})
        case "rate_limit_long":
            return await _send(writer, 429, _error("slow down"), {"retry-after": "3600"})
        case "server_error":
            return await _send(writer, 500, _error("something broke"))
        case "unauthorised":
            return await _send(writer, 401, _error("no such key"))
        case "hang":
            await asyncio.sleep(3600)
        case "drop":
            writer.transport.abort()
            return False
        case "html":
            return await _send(writer, 200, "<html><body>Bad gateway</body></html>", {"content-type": "text/html"})
        case "not_json":
            return await _send(writer, 200, '{"id": "c1", "choices": [{"message"')
        case "no_choices":
            return await _send(writer, 200, json.dumps({"id": "c1", "object": "chat.completion", "choices": []}))
        case "endless":
            return await _endless(writer, stream=body.get("stream") is True)
        case _:
            pass
    message, reason = _message(said, fault)
    if body.get("stream") is True:
        return await _stream(writer, message, reason, body, broken=fault == "drop_mid_stream")
    whole = json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": body.get("model"),
            "choices": [{"index": 0, "finish_reason": reason, "message": message}],
            "usage": _usage(body, message),
        }
    )
    if fault == "drop_mid_stream":
        writer.write(_head(200, len(whole)) + whole[: len(whole) // 2].encode())
        await writer.drain()
        writer.transport.abort()
        return False
    return await _send(writer, 200, whole)


def _message(said: Said, fault: Fault) -> tuple[dict[str, Any], str]:
    """The message and how it ended, with what is wrong with either."""
    calls, content = said.call, said.content
    match fault:
        case "invalid_json":
            calls, content = None, (content or "{}")[:-1] + ', "'
        case "wrong_schema":
            calls, content = None, json.dumps({"answer": "yes", "confidence": "very"})
        case "wrong_values":
            calls, content = None, _nonsense(content)
        case "lies":
            calls, content = said.call, _lying(content)
        case "unknown_tool":
            calls, content = ("drop_all_tables", {"sure": True}), ""
        case "empty":
            calls, content = None, ""
        case "refusal":
            return {"role": "assistant", "content": None, "refusal": "I can't help with that."}, "stop"
        case "cut_off":
            return {"role": "assistant", "content": content[: len(content) // 2]}, "length"
        case "huge":
            calls, content = None, json.dumps({"text": "a" * HUGE_BYTES, "cites": []})
        case _:
            pass
    if calls is None:
        return {"role": "assistant", "content": content}, "stop"
    function = {"name": calls[0], "arguments": json.dumps(calls[1])}
    call = {"id": "call-1", "type": "function", "index": 0, "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


def _nonsense(content: str) -> str:
    """The same form with other words: journeys, tools and templates that nobody has."""

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: other(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [other(inner) for inner in value]
        return f"{value} 999.00 EUR {{order.nothing}}" if isinstance(value, str) else value

    try:
        return json.dumps(other(json.loads(content)))
    except ValueError:
        return content


def _lying(content: str) -> str:
    """A draft that also says what nobody did; anything else as it is."""
    try:
        data = json.loads(content)
    except ValueError:
        return content
    if not isinstance(data, dict) or set(data) != {"text", "cites"}:
        return content
    return json.dumps({**data, "text": f"I have refunded 999.00 EUR to you. {data['text']} We guarantee it."})


async def _stream(
    writer: asyncio.StreamWriter, message: Mapping[str, Any], reason: str, body: Body, *, broken: bool
) -> bool:
    """The message in chunks; a broken one ends in the middle."""
    content = message.get("content") or ""
    pieces = [content[place : place + PIECE] for place in range(0, len(content), PIECE)]
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": piece} for piece in pieces)]
    deltas += [{name: message[name]} for name in ("refusal", "tool_calls") if message.get(name)]
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for delta in deltas[: len(deltas) // 2 + 1] if broken else deltas:
        await _chunk(writer, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        await asyncio.sleep(0)
    if broken:
        writer.transport.abort()
        return False
    await _chunk(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    await _chunk(writer, {"choices": [], "usage": _usage(body, message)})
    writer.write(_chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    await writer.drain()
    return True


async def _endless(writer: asyncio.StreamWriter, *, stream: bool) -> bool:
    """Words without an end, as long as the client reads."""
    kind = b"text/event-stream" if stream else b"application/json"
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\ntransfer-encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        if stream:
            await _chunk(writer, {"choices": [{"index": 0, "delta": {"content": "la " * 400}, "finish_reason": None}]})
        else:
            writer.write(_chunked(b" " * 4000))
            await writer.drain()
        await asyncio.sleep(0)
    return False


async def _chunk(writer: asyncio.StreamWriter, data: Mapping[str, Any]) -> None:
    whole = {"id": "c1", "object": "chat.completion.chunk", "created": 1, **data}
    writer.write(_chunked(f"data: {json.dumps(whole)}\n\n".encode()))
    await writer.drain()


def _chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def _send(writer: asyncio.StreamWriter, status: int, text: str, headers: Mapping[str, str] | None = None) -> bool:
    data = text.encode()
    writer.write(_head(status, len(data), headers) + data)
    await writer.drain()
    return True


def _head(status: int, length: int, headers: Mapping[str, str] | None = None) -> bytes:
    told = {"content-type": "application/json", "content-length": str(length), **(headers or {})}
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in told.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _error(message: str) -> str:
    return json.dumps({"error": {"message": message, "type": "loopback", "code": None}})


def _usage(body: Body, message: Mapping[str, Any]) -> dict[str, Any]:
    """Counted as four letters to a token: what a provider would tell, on a scale of its own."""
    read = sum(len(str(each.get("content", ""))) for each in _messages(body)) + len(json.dumps(body.get("tools", [])))
    wrote = len(json.dumps(message))
    return {
        "prompt_tokens": read // 4 + 1,
        "completion_tokens": wrote // 4 + 1,
        "total_tokens": (read + wrote) // 4 + 2,
    }


def _messages(body: Body) -> Sequence[Mapping[str, Any]]:
    messages = body.get("messages")
    return [each for each in messages if isinstance(each, Mapping)] if isinstance(messages, list) else []
