"""A served Callboard: a real process on loopback, what it prints, and the command line beside it."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from callboard.commands.serving import TRY_REFUND, TRY_STATUS

ROOT = Path(__file__).resolve().parents[2]
CALLBOARD = [sys.executable, "-c", "import sys; from callboard.cli import run; sys.exit(run())"]


class Served:
    """A server process in its own data directory."""

    def __init__(self, directory: Path, *options: str, **environment: str) -> None:
        self.directory = directory
        self.environment = {**os.environ, **environment}
        self.log = directory / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*CALLBOARD, "serve", "--port", "0", "--json", *options],
                cwd=directory,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        announced = json.loads(line)
        self.url: str = announced["url"]
        self.keys: dict[str, str] = announced["keys"]

    def run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command in the same directory."""
        return subprocess.run(
            [*CALLBOARD, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            input=given,
            timeout=60,
        )

    def shell(self, script: str) -> str:
        """What lines print that somebody pastes into a shell."""
        environment = self.environment | {
            "CALLBOARD": self.url,
            "BOT": self.keys["bot"],
            "REVIEWER": self.keys["reviewer"],
        }
        done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> int:
        """End it as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("served"), "--demo")
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs bash and curl")
def test_the_lines_that_it_prints_to_try_work_as_printed(served: Served) -> None:
    first, second = [json.loads(line) for line in served.shell(TRY_STATUS).splitlines()]
    assert first["outcome"] == "awaiting_customer"
    assert second["outcome"] == "resolved"
    *turns, decided, conversation = [json.loads(line) for line in served.shell(TRY_REFUND).splitlines()]
    assert [turn["outcome"] for turn in turns] == ["awaiting_customer", "awaiting_customer", "awaiting_approval"]
    assert decided["status"] == "approved"
    assert "148.90 EUR" in conversation["messages"][-1]["text"]


def test_the_readme_shows_the_same_lines() -> None:
    readme = (ROOT / "README.md").read_text()
    for block in (TRY_STATUS, TRY_REFUND):
        assert block in readme


def test_commands_talk_to_the_process_that_holds_the_data_directory(served: Served) -> None:
    said = served.run(
        "chat",
        "--json",
        given="I returned order 20586, refund please\nnora.byrne@example.org, D08 X9T2\n/case\n/quit\n",
    )
    assert said.returncode == 0, said.stderr
    events = [json.loads(line) for line in said.stdout.splitlines()]
    assert [event["kind"] for event in events] == ["said", "said", "note"]
    case = served.run("case", "show", events[-1]["text"], "--json")
    assert json.loads(case.stdout)["journey"] == "refund"
    whole = served.run("audit", "verify", "--json")
    assert (whole.returncode, json.loads(whole.stdout)["ok"]) == (0, True)
    missing = served.run("approvals", "show", "apr-none")
    assert (missing.returncode, missing.stderr.strip()) == (4, "There is no approval apr-none.")


def test_an_approval_can_be_answered_in_the_middle_of_a_chat(served: Served) -> None:
    lines = [
        "I returned order 20812 and want a refund",
        "tomasz.zielinski@example.org, 31-147",
        "yes",
        "/approvals",
        "/approve",
        "/quit",
    ]
    said = served.run("chat", "--json", given="\n".join(lines))
    assert said.returncode == 0, said.stderr
    events = [json.loads(line) for line in said.stdout.splitlines()]
    assert [event["kind"] for event in events] == [*["said"] * 3, "approvals", "approvals", "approval", "said"]
    assert events[-2]["status"] == "spent"
    assert "24.90 EUR" in events[-1]["text"]


def test_the_operators_key_is_private_and_the_log_has_no_customers_words(served: Served) -> None:
    key = served.directory / "data" / "operator.key"
    assert key.stat().st_mode & 0o777 == 0o600
    httpx2.post(
        f"{served.url}/v1/conversations/log-1/messages",
        headers={"Authorization": f"Bearer {served.keys['bot']}"},
        json={"message_id": "1", "text": "xylophone"},
        timeout=30,
    )
    log = served.log.read_text()
    assert "POST /v1/conversations/{conversation_id}/messages 200" in log
    assert "xylophone" not in log
    assert "log-1" not in log


def test_a_second_server_on_the_same_directory_says_who_holds_it(served: Served) -> None:
    second = served.run("serve", "--port", "0")
    assert second.returncode == 3
    assert f"process {served.process.pid}" in second.stderr
    assert served.url in second.stderr


def test_a_taken_port_is_said_in_plain_words(served: Served, tmp_path: Path) -> None:
    port = served.url.rsplit(":", 1)[1]
    second = served.run("--data-dir", str(tmp_path / "other"), "serve", "--port", port)
    assert second.returncode == 3
    assert second.stderr.startswith(f"Can't listen on 127.0.0.1:{port}")


def test_it_ends_cleanly_and_refuses_demo_keys_outside_development(served: Served) -> None:
    keys = dict(served.keys)
    assert served.stop() == 0
    assert not (served.directory / "data" / "operator.key").exists()
    refused = subprocess.run(
        [*CALLBOARD, "serve", "--port", "0"],
        cwd=served.directory,
        env=served.environment | {"CALLBOARD_ENV": "production"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 3
    assert re.search(r"holds 5 demo keys.*keys revoke --demo", refused.stderr)

    again = Served(served.directory, "--demo")
    assert again.keys == keys  # Derived, not stored: the same at every start.
    assert again.stop() == 0
    revoked = served.run("keys", "revoke", "--demo", "--json")
    assert len(json.loads(revoked.stdout)["keys"]) == 5
    production = Served(served.directory, CALLBOARD_ENV="production")
    try:
        response = httpx2.get(f"{production.url}/v1/approvals", headers={"Authorization": f"Bearer {keys['admin']}"})
        assert response.status_code == 401
    finally:
        assert production.stop() == 0


def test_the_server_does_on_its_own_what_time_brings_about(tmp_path: Path) -> None:
    """Audit chains are anchored although nobody asked for it."""
    server = Served(tmp_path, "--demo", CALLBOARD_TIMER_S="0.1")
    try:
        httpx2.post(
            f"{server.url}/v1/conversations/c/messages",
            headers={"Authorization": f"Bearer {server.keys['bot']}"},
            json={"message_id": "1", "text": "Do you sell gift cards?"},
            timeout=30,
        )
        assert any(anchors(tmp_path / "data" / "callboard.db") or time.sleep(0.1) for _ in range(100))
    finally:
        assert server.stop() == 0


def anchors(database: Path) -> int:
    """How many anchors are on disk."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM audit_anchors").fetchone()[0])
