"""A model that thinks nothing, over the real protocol: an endpoint on loopback that answers chats about meters.

It speaks two ways: to Callboard's reasoner, which asks for answers in a schema, and to a plain chat, which offers
tools. Either way a turn about one reading takes five calls of the model, two of them for tools. A name such as
`mock-300ms` says how long it takes to answer.
"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

SAID = re.compile(r"(M-[0-9]{4})\b.*?\bshows ([0-9]+)", re.DOTALL)
DELAY = re.compile(r"-([0-9]+)ms$")
DISCLOSURE = "Hi, I'm the AI assistant of Brightwater Utilities. "
REPLY = "Thank you. I have stored {reading.value} for meter {reading.meter_id}."
READY = "listening on "

Json = Any


def answer(body: Mapping[str, Any]) -> dict[str, Json]:
    """The message with which the model answers one request."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("name", "")
    messages = body["messages"]
    if schema:
        task = json.loads(messages[1]["content"].removeprefix("<task>").removesuffix("</task>"))
        said = {"IntentReading": _reading, "Cue": _cue, "Draft": _draft}[schema](task)
        return {"role": "assistant", "content": json.dumps(said)}
    place = max(at for at, message in enumerate(messages) if message["role"] == "user")
    meter_id, value = _named(str(messages[place]["content"]))
    made = sum(message["role"] == "tool" for message in messages[place:])
    calls: list[tuple[str, dict[str, Json]]] = [
        ("get_meter", {"meter_id": meter_id}),
        ("record_reading", {"meter_id": meter_id, "value": value}),
    ]
    if body.get("tools") and made < len(calls):
        name, arguments = calls[made]
        function = {"name": name, "arguments": json.dumps(arguments)}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"call-{len(messages)}", "type": "function", "function": function}],
        }
    return {"role": "assistant", "content": f"Thank you. I have stored {value} for meter {meter_id}."}


def _named(text: str) -> tuple[str, int]:
    found = SAID.search(text)
    return (found[1], int(found[2])) if found else ("M-0000", 0)


def _reading(task: Mapping[str, Json]) -> dict[str, Json]:
    text = task["text"]
    found = SAID.search(text)
    named = [] if found is None else [("meter_id", found[1], found.start(1)), ("reading", found[2], found.start(2))]
    return {
        "act": "request",
        "intents": [
            {"journey": "meter_reading", "confidence": 0.97, "answer": "accept", "alternatives": [], "text": text}
        ],
        "entities": [
            {
                "kind": kind,
                "value": json.dumps(int(word) if kind == "reading" else word),
                "text": word,
                "start": start,
                "end": start + len(word),
                "intent": 0,
                "negated": False,
            }
            for kind, word, start in named
        ],
        "sentiment": 0.1,
        "priority": "normal",
        "flags": [],
        "language": "en",
        "confidence": 0.97,
    }


def _cue(task: Mapping[str, Json]) -> dict[str, Json]:
    made = {attempt["tool"] for attempt in task["attempts"] if attempt.get("this_turn")}
    known = {row["name"]: row for row in task["known"] if row["kind"] == "customer"}
    if "get_meter" not in made:
        return _call("get_meter", {"meter_id": known["meter_id"]})
    if "record_reading" not in made:
        return _call("record_reading", {"meter_id": known["meter_id"], "value": known["reading"]})
    return _bare_cue("reply", template="result_reading", fulfils=True)


def _call(tool: str, arguments: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    proposal = {
        "tool": tool,
        "arguments": [{"key": name, "value": json.dumps(row["value"])} for name, row in arguments.items()],
        "provenance": [
            {"key": name, "value": {"origin": "customer", "ref": row["id"]}} for name, row in arguments.items()
        ],
        "why": "The customer sent a reading.",
        "occurrence": "",
        "step": "",
    }
    return _bare_cue("call", call=proposal)


def _bare_cue(kind: str, **given: Json) -> dict[str, Json]:
    empty: dict[str, Json] = {
        "call": None,
        "template": "",
        "lead": "",
        "slots": [],
        "records": [],
        "options": [],
        "values": [],
        "evidence": [],
        "reason": "",
        "fulfils": False,
        "ends": False,
        "until": None,
    }
    return {"kind": kind, **empty, **given}


def _draft(task: Mapping[str, Json]) -> dict[str, Json]:
    return {"text": (DISCLOSURE if task["disclose"] else "") + REPLY, "cites": []}


class Endpoint(asyncio.Protocol):
    """One connection of a client: HTTP/1.1 with bodies of known length, kept alive."""

    calls = 0
    """Requests that all connections of this process answered."""

    def __init__(self) -> None:
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a stream server's
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].decode("latin-1").lower()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
            if len(self._held) < end + 4 + length:
                return
            body, self._held = self._held[end + 4 : end + 4 + length], self._held[end + 4 + length :]
            self._serve(head, body)

    def _serve(self, head: str, body: bytes) -> None:
        if head.startswith("get "):
            self._send({"calls": Endpoint.calls})
            return
        request = json.loads(body)
        Endpoint.calls += 1
        message = answer(request)
        given = {
            "id": f"chatcmpl-{Endpoint.calls}",
            "object": "chat.completion",
            "created": 1_750_000_000,
            "model": request["model"],
            "choices": [
                {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
            ],
            "usage": {"prompt_tokens": len(body) // 4, "completion_tokens": 60, "total_tokens": len(body) // 4 + 60},
        }
        delay = DELAY.search(request["model"])
        if delay is None:
            self._send(given)
        else:
            asyncio.get_running_loop().call_later(int(delay[1]) / 1000, self._send, given)

    def _send(self, given: Mapping[str, Json]) -> None:
        body = json.dumps(given).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(head.encode() + body)


@asynccontextmanager
async def mock_model(*, cores: Sequence[int] = ()) -> AsyncIterator[str]:
    """Run the endpoint in a process of its own; its base URL.

    Args:
        cores: The processor's cores that it may use; all when none is named.
    """
    options = [f"--core={core}" for core in cores]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, *options, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    try:
        line = (await process.stdout.readline()).decode()
        if not line.startswith(READY):
            raise RuntimeError("The mock model didn't start; its own words are above.")
        yield f"{line.removeprefix(READY).strip()}/v1"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _main(cores: Sequence[int]) -> None:
    if cores:
        import os  # only here: the endpoint's own process

        os.sched_setaffinity(0, cores)
    server = await asyncio.get_running_loop().create_server(Endpoint, "127.0.0.1", 0, backlog=4096)
    host, port = server.sockets[0].getsockname()
    print(f"{READY}http://{host}:{port}", flush=True)
    # Ends when whoever started it does: then nothing holds the other end of the pipe any more.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=int, action="append", default=[], help="a core that it may use")
    asyncio.run(_main(parser.parse_args().core))
