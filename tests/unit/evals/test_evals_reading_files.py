import json
from pathlib import Path

import pytest

from evals.bench import read_script
from evals.conversations import read_conversations
from evals.errors import NothingToPlay, SamplesUnreadable


def written(directory: Path, *rows: object) -> Path:
    file = directory / "conversations.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return file


def said(*texts: str) -> list[dict[str, str]]:
    return [{"t": "user", "text": text} for text in texts]


def test_only_what_customers_said_is_read_in_order(tmp_path: Path) -> None:
    events = [{"t": "assistant", "text": "Hi"}, *said("one", "  ", "two"), {"t": "call", "name": "x"}]
    found = read_conversations(written(tmp_path, {"run": "r-1", "events": events}, "", {"events": said("three")}))
    assert [(one.id, one.messages) for one in found] == [("r-1", ("one", "two")), ("line-3", ("three",))]


def test_a_limit_takes_the_first_conversations(tmp_path: Path) -> None:
    file = written(tmp_path, {"events": []}, {"events": said("a")}, {"events": said("b")})
    assert [one.messages for one in read_conversations(file, limit=1)] == [("a",)]


@pytest.mark.parametrize("row", ["{", "[]", {"events": "none"}, {"events": [{"t": "user"}]}])
def test_a_line_of_another_form_is_named(tmp_path: Path, row: object) -> None:
    with pytest.raises(SamplesUnreadable, match="line 2"):
        read_conversations(written(tmp_path, {"events": said("a")}, row))


def test_a_file_without_customers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToPlay):
        read_conversations(written(tmp_path, {"events": []}))


@pytest.mark.parametrize("text", ["mix: []", "opening: []", "mix: [a", "mix: [a]\nopening: []\nmore: 1"])
def test_a_script_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "turns.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SamplesUnreadable):
        read_script(file)
