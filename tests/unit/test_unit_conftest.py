"""The test suite's own fences hold."""

import asyncio
import os
import socket

import pytest


def test_a_connection_out_of_the_machine_is_refused_in_plain_words() -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match="only use loopback"):
        sock.connect(("192.0.2.1", 80))


async def test_a_look_up_of_a_name_is_refused() -> None:
    with pytest.raises(RuntimeError, match="only use loopback"):
        await asyncio.get_running_loop().getaddrinfo("example.org", 80)


def test_loopback_stays_open() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()[:2]) as client:
            assert client.getpeername() == server.getsockname()


def test_keys_of_the_developer_do_not_leak_into_tests() -> None:
    assert not [name for name in os.environ if name.startswith(("CALLBOARD_", "OPENAI_"))]
