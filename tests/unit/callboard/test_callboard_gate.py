"""The gate: bodies have a size, errors have no words, and the log has no customers."""

import json
import logging
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, Request

from callboard.api.access import Principal
from callboard.api.gate import MAX_BODY_BYTES, Gate
from callboard.api.models import MessageIn
from callboard.logs import PlacesFormatter

KEY = {"Authorization": "Bearer k"}


async def anybody(key: str) -> Principal | None:
    return Principal(name="x", role="admin")


def app() -> FastAPI:
    inner = FastAPI()

    @inner.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @inner.post("/break")
    async def break_it(request: Request) -> None:
        raise ValueError(f"could not handle {(await request.body()).decode()}")

    inner.add_middleware(Gate, authenticate=anybody)
    return inner


def client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app()), base_url="http://c", headers=KEY)


async def test_a_body_up_to_the_limit_passes_whole() -> None:
    async with client() as http:
        assert (await http.post("/size", content=b"x" * MAX_BODY_BYTES)).json() == MAX_BODY_BYTES


async def test_a_body_above_the_limit_is_refused_however_it_is_sent() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * (MAX_BODY_BYTES // 5)

    async with client() as http:
        for content in (b"x" * (MAX_BODY_BYTES + 1), parts()):
            response = await http.post("/size", content=content)
            assert (response.status_code, response.json()["type"]) == (413, "urn:callboard:problem:body-too-large")


def test_the_longest_message_fits_even_when_every_character_is_escaped() -> None:
    longest = MessageIn(message_id="m" * 128, text="\U0001f600" * 8000, customer_hint="\u00e9" * 256)
    assert len(json.dumps(longest.model_dump())) <= MAX_BODY_BYTES


async def test_an_error_is_answered_and_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(PlacesFormatter())
    with caplog.at_level(logging.INFO, logger="callboard.api"):
        async with client() as http:
            response = await http.post("/break", content=b"my card is 4111 1111 1111 1111")
    assert (response.status_code, response.json()["type"]) == (500, "urn:callboard:problem:internal")
    assert "4111" not in response.text + caplog.text
    assert "ValueError" in caplog.text
    assert "test_callboard_gate.py" in caplog.text


def test_a_logged_exception_shows_types_and_places_of_its_whole_chain_but_no_message() -> None:
    try:
        try:
            raise KeyError("mira.okafor@example.org")
        except KeyError as inner:
            raise RuntimeError("about Mira") from inner
    except RuntimeError as error:
        record = logging.LogRecord(
            "callboard", logging.ERROR, "f", 1, "it failed", None, (type(error), error, error.__traceback__)
        )
    text = PlacesFormatter().format(record)
    assert "RuntimeError at" in text
    assert "KeyError at" in text
    assert "ira" not in text
