"""The least that a turn can cost: an HTTP client, a table of messages, no framework, no policy, no ledger."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2

from evals.peer_tools import SYSTEM_PROMPT, TOOLS, OpenBooks, call_tool


@asynccontextmanager
async def open_floor(directory: Path, *, base_url: str, model: str, books: OpenBooks) -> AsyncIterator["Floor"]:
    """A chat on bare parts; its sessions are in one SQLite file, one commit per turn, as durable as our ledger."""
    with closing(sqlite3.connect(directory / "floor.db", isolation_level=None)) as sessions:
        sessions.execute("PRAGMA journal_mode=WAL")
        sessions.execute("PRAGMA synchronous=FULL")
        sessions.execute(
            "CREATE TABLE messages (conversation TEXT, seq INTEGER, body TEXT, PRIMARY KEY (conversation, seq))"
        )
        limits = httpx2.Limits(max_connections=1_000, max_keepalive_connections=1_000)
        async with httpx2.AsyncClient(base_url=base_url, timeout=60, limits=limits, trust_env=False) as client:
            yield Floor(sessions, client, model, books)


class Floor:
    """Five calls of the model, two of tools, one commit."""

    def __init__(self, sessions: sqlite3.Connection, client: httpx2.AsyncClient, model: str, books: OpenBooks) -> None:
        self._sessions, self._client, self._model, self._books = sessions, client, model, books

    async def say(self, conversation: str, text: str) -> str:
        """Send a message; the reply."""
        rows = self._sessions.execute("SELECT body FROM messages WHERE conversation = ? ORDER BY seq", (conversation,))
        messages: list[dict[str, Any]] = [json.loads(row[0]) for row in rows]
        before = len(messages)
        messages.append({"role": "user", "content": text})
        await self._ask(messages)
        while calls := (said := await self._ask(messages, tools=True)).get("tool_calls"):
            messages.append(said)
            for call in calls:
                given = call["function"]
                result = await call_tool(self._books, given["name"], json.loads(given["arguments"]), key=call["id"])
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)})
        reply = await self._ask(messages)
        messages.append(reply)
        self._sessions.execute("BEGIN IMMEDIATE")
        self._sessions.executemany(
            "INSERT INTO messages VALUES (?, ?, ?)",
            [(conversation, seq, json.dumps(messages[seq])) for seq in range(before, len(messages))],
        )
        self._sessions.execute("COMMIT")
        return str(reply["content"])

    async def _ask(self, messages: list[dict[str, Any]], *, tools: bool = False) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "system", "content": SYSTEM_PROMPT}, *messages],
        }
        if tools:
            body["tools"] = TOOLS
        response = await self._client.post("/chat/completions", json=body)
        response.raise_for_status()
        message: dict[str, Any] = response.json()["choices"][0]["message"]
        return message
