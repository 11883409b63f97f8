"""The command line: fast help, plain sentences, documented exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from callboard.cli import run
from callboard.commands.records import read_limits
from callboard.commands.serving import announcement, welcome

PLAYBOOK = Path(__file__).resolve().parents[3] / "playbooks" / "retail"


@pytest.fixture(autouse=True)
def _own_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_imports_none_of_the_slow_libraries() -> None:
    code = (
        "import sys; from callboard.cli import run; code = run(['--help']);"
        "slow = [name for name in ('langgraph', 'chromadb', 'openai', 'sqlmodel', 'fastapi', 'sklearn', 'httpx2') "
        "if name in sys.modules]; print('SLOW', slow); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "SLOW []" in done.stdout
    assert "Exit codes: 0 done" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["worker"],
        ["db", "upgrade"],
        ["chat"],
        ["demo"],
        ["approvals", "list"],
        ["approvals", "show"],
        ["approvals", "decide"],
        ["approvals", "withdraw"],
        ["case", "show"],
        ["playbook", "check"],
        ["audit", "verify"],
        ["keys", "create"],
        ["keys", "list"],
        ["keys", "revoke"],
        ["eval", "transcripts"],
        ["eval", "bench", "turns"],
    ],
    ids=" ".join,
)
def test_every_command_can_print_json(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


def test_a_wrong_word_is_wrong_usage() -> None:
    assert run(["approvals", "decide", "apr-1", "perhaps"]) == 2
    assert run(["keys", "revoke"]) == 2
    assert run(["nonsense"]) == 2


def test_a_wrong_setting_is_a_sentence_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLBOARD_PORT", "many")
    assert run(["serve"]) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("CALLBOARD_PORT: ")
    assert "Traceback" not in captured.err


def test_an_error_is_json_where_json_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLBOARD_API_URL", "http://127.0.0.1:9")
    assert run(["audit", "verify", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "SettingsInvalid"
    monkeypatch.setenv("CALLBOARD_API_KEY", "k")
    assert run(["audit", "verify", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "ServerUnreachable"


def test_demo_keys_outside_development_are_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CALLBOARD_ENV", "production")
    assert run(["--data-dir", str(tmp_path / "data"), "serve", "--demo", "--port", "0"]) == 3
    assert "development only" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_the_demo_wants_a_directory_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("x")
    assert run(["demo", "--keep", str(tmp_path)]) == 3
    assert "not empty" in capsys.readouterr().err


def test_a_playbook_without_mistakes_is_said_to_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["playbook", "check", str(PLAYBOOK), "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert checked["ok"] is True
    assert checked["journeys"] >= 7
    understood = checked["intents"]
    assert 0.8 <= understood["accuracy"] <= 1.0
    assert 0.8 <= understood["coverage"] <= 1.0
    assert {"calibration_error", "uncovered_refused", "confused", "odd"} <= set(understood)


def test_a_folder_that_is_no_playbook_is_named_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["playbook", "check", str(tmp_path), "--json"]) == 1
    [mistake] = json.loads(capsys.readouterr().out)["mistakes"]
    assert (mistake["file"], mistake["line"]) == ("playbook.yaml", 1)
    assert run(["playbook", "check", str(tmp_path)]) == 1
    assert "playbook.yaml:1:" in capsys.readouterr().out


def test_limits_are_minor_units_by_currency() -> None:
    assert read_limits(["EUR:50000", "USD:0"]) == {"EUR": 50000, "USD": 0}
    for wrong in ("EUR", "EUR:500.00", "eur:5", "EUR:-1", "EURO:5", "EUR:"):
        with pytest.raises(typer.BadParameter):
            read_limits([wrong])


def test_without_demo_keys_the_welcome_says_how_to_make_one() -> None:
    assert "keys create" in welcome("http://127.0.0.1:8080", {})
    assert json.loads(announcement("http://x", {"bot": "k"})) == {"url": "http://x", "keys": {"bot": "k"}}
