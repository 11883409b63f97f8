"""An episode is learned as a playbook is, and each text counts where it belongs."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from callboard.cli import run
from evals.errors import EpisodeUnusable
from evals.intents import measure_intents, read_episode

EPISODE: dict[str, Any] = {
    "journey": "library",
    "intents": {
        "borrow": [
            "borrow a book",
            "lend me that novel",
            "take this book home",
            "check out a book",
            "a book to borrow",
        ],
        "renew": ["renew my loan", "keep it longer", "extend the loan", "renew the book", "two more weeks for my loan"],
        "card": ["I lost my card", "new library card", "my card is broken", "replace the card", "card was stolen"],
    },
    "test": [
        {"text": "can I borrow this book", "label": "borrow"},
        {"text": "please renew my loan", "label": "renew"},
        {"text": "my library card is lost", "label": "card"},
        {"text": "when do you open on sundays", "label": "__oos_near__"},
        {"text": "how tall is the highest mountain", "label": "__oos_far__"},
    ],
}
KEYS = {
    "accuracy",
    "coverage",
    "accuracy_accepted",
    "near_rejected",
    "far_rejected",
    "clarify_top2",
    "ece",
    "ms_per_text",
    "fit_s",
    "weights",
}


def test_the_command_prints_every_figure_of_an_episode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "library.json"
    file.write_text(json.dumps(EPISODE))
    assert run(["eval", "intents", "--journey", str(file), "--weights", "none", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) >= KEYS
    assert figures["accuracy"] == 1.0
    assert figures["far_rejected"] == 1.0
    assert figures["weights"] == "none"
    assert figures["texts"] == {"covered": 3, "near": 1, "far": 1}
    assert run(["eval", "intents", "--journey", str(file), "--weights", "none"]) == 0
    assert max(len(line.rstrip()) for line in capsys.readouterr().out.splitlines()) <= 80


def test_shares_are_of_the_texts_they_speak_of(tmp_path: Path) -> None:
    file = tmp_path / "library.json"
    wrong = [
        {"text": "please renew my loan", "label": "card"},
        {"text": "can I borrow this book", "label": "__oos_far__"},
    ]
    file.write_text(json.dumps(EPISODE | {"test": [EPISODE["test"][0], *wrong]}))
    ticks = count()
    figures = measure_intents(read_episode(file), embedder=None, clock=lambda: float(next(ticks))).as_json()
    assert figures["accuracy"] == 0.5
    assert figures["coverage"] == 1.0
    assert figures["accuracy_accepted"] == 0.5
    assert figures["far_rejected"] == 0.0
    assert figures["near_rejected"] is None
    assert (figures["fit_s"], figures["ms_per_text"]) == (1.0, pytest.approx(1000 / 3, abs=0.01))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"test": [{"text": "x", "label": "unheard"}]}, "unheard"),
        ({"test": []}, "no test texts"),
        ({"intents": {"one": "text"}}, "intents"),
        ({"intents": {**EPISODE["intents"], "sparse": ["one", "two"]}}, "sparse"),
    ],
)
def test_an_episode_of_another_form_is_refused_with_what_is_wrong(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(EPISODE | change))
    with pytest.raises(EpisodeUnusable, match=says):
        measure_intents(read_episode(file), embedder=None, clock=lambda: 0.0)


def test_a_file_that_is_no_json_is_refused_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "no.json"
    file.write_text("{")
    assert run(["eval", "intents", "--journey", str(file)]) == 3
    assert "no.json" in capsys.readouterr().err
