"""Settings are read once, checked, and shown in `.env.example` as they are."""

import base64
from pathlib import Path

import pytest

from callboard.errors import SettingsInvalid, UnsafeStart
from callboard.names import OWN_ROOT
from callboard.settings import Settings, read_settings, setting_name


@pytest.fixture(autouse=True)
def _no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    lines = (OWN_ROOT / ".env.example").read_text().splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings = Settings()
    defaults = {}
    for field, info in Settings.model_fields.items():
        default = getattr(settings, field)
        # The playbook's default is a path of this installation.
        defaults[setting_name(field)] = "" if default is None or field == "playbook" else _written(default)
        assert info.default is not None or defaults[setting_name(field)] == ""
    assert shown == defaults


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_of_the_example_file_is_really_read(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {
        "CALLBOARD_ENV": "production",
        "CALLBOARD_DATA_DIR": "/var/lib/callboard",
        "CALLBOARD_DATABASE_URL": "postgresql://callboard@db/callboard",
        "CALLBOARD_DATABASE_CONNECTIONS": "20",
        "CALLBOARD_DATABASE_STATEMENT_TIMEOUT_S": "30",
        "CALLBOARD_DATABASE_LOCK_TIMEOUT_S": "2",
        "CALLBOARD_WORKER": "false",
        "CALLBOARD_WORKER_TURNS": "50",
        "CALLBOARD_TAKEOVER_S": "10",
        "CALLBOARD_WAIT_S": "30",
        "CALLBOARD_PLAYBOOK": "/srv/shop",
        "CALLBOARD_SYSTEMS_DIR": "/srv/systems",
        "CALLBOARD_HOST": "0.0.0.0",
        "CALLBOARD_PORT": "9000",
        "CALLBOARD_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
        "CALLBOARD_API_URL": "https://callboard.example",
        "CALLBOARD_API_KEY": "k",
        "CALLBOARD_TIMER_S": "3",
        "CALLBOARD_CLAIM_S": "60",
        "CALLBOARD_MAX_TURNS": "10",
        "CALLBOARD_MAX_WAITING": "100",
        "CALLBOARD_MAX_WAITING_PER_CONVERSATION": "5",
        "CALLBOARD_MAX_MESSAGE_CHARS": "2000",
        "CALLBOARD_PURGE_WITHIN_H": "2",
        "CALLBOARD_LOG_LEVEL": "error",
        "OPENAI_API_KEY": "sk",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "CALLBOARD_MODEL": "other",
        "CALLBOARD_MODEL_TIMEOUT_S": "5",
        "CALLBOARD_MODEL_TURN_S": "9",
        "CALLBOARD_SECOND_MODEL": "another",
        "CALLBOARD_SECOND_MODEL_URL": "http://127.0.0.1:10/v1",
        "CALLBOARD_SECOND_MODEL_KEY": "sk2",
        "CALLBOARD_LANGCHAIN_MODEL": "shop.models:claude",
        "CALLBOARD_MODEL_PRICES": '{"other": {"input": 0.25, "output": 2}}',
        "CALLBOARD_BUDGET_TURN_TOKENS": "0",
        "CALLBOARD_BUDGET_CASE_TOKENS": "1000",
        "CALLBOARD_BUDGET_DAY_TOKENS": "2000",
        "CALLBOARD_BUDGET_TURN_MONEY": "0.05",
        "CALLBOARD_BUDGET_CASE_MONEY": "0.5",
        "CALLBOARD_BUDGET_DAY_MONEY": "20",
        "CALLBOARD_CASSETTE": "/var/lib/tape.jsonl",
        "CALLBOARD_CASSETTE_MODE": "record",
    }
    assert set(other) == {setting_name(field) for field in Settings.model_fields}
    before = Settings()
    for name, value in other.items():
        monkeypatch.setenv(name, value)
    after = Settings()
    assert [field for field in Settings.model_fields if getattr(before, field) == getattr(after, field)] == []
    assert after.master_key_bytes == bytes(range(32))


def test_an_option_of_the_command_line_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLBOARD_PORT", "9000")
    assert read_settings(port=9001, host=None).port == 9001
    assert read_settings(port=None).port == 9000


def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLBOARD_MASTER_KEY", "c2VjcmV0")
    monkeypatch.setenv("CALLBOARD_PORT", "seventy")
    with pytest.raises(SettingsInvalid) as caught:
        read_settings()
    assert "CALLBOARD_MASTER_KEY" in str(caught.value)
    assert "CALLBOARD_PORT" in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)
    assert "seventy" not in str(caught.value)


def test_development_does_not_listen_to_other_machines() -> None:
    with pytest.raises(UnsafeStart, match="CALLBOARD_ENV=production"):
        read_settings(host="0.0.0.0")
    assert read_settings(host="0.0.0.0", env="production").host == "0.0.0.0"


def test_a_database_that_is_no_postgres_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsInvalid, match="CALLBOARD_DATABASE_URL: it takes postgresql://") as refused:
        read_settings(database_url="mysql://root:hush@db/x")
    assert "hush" not in str(refused.value)
    assert read_settings(database_url="postgres://db/x").postgres_url == "postgresql://db/x"


def test_processes_on_postgres_share_one_master_key_in_production() -> None:
    with pytest.raises(UnsafeStart, match="CALLBOARD_MASTER_KEY"):
        read_settings(database_url="postgresql://db/x", env="production")
    assert read_settings(database_url="postgresql://db/x").master_key_bytes is None


def test_secrets_are_not_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    assert "sk-very-secret" not in repr(read_settings())


def test_an_env_file_beside_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CALLBOARD_PORT=8181\nSOMEBODY_ELSE=1\n")
    assert read_settings().port == 8181
