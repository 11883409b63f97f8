"""Other languages: recognised, spoken where there are words for it, and else left to people."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from agents.confirmation import read_confirmation
from agents.journeys import Language
from agents.local.cues import next_cue
from agents.local.drafting import draft
from agents.local.entities import EntityPatterns
from agents.local.intents import fit, fit_journeys
from agents.local.language import language_of
from agents.local.reading import Reader
from agents.local.sheets import Sheets
from agents.tasks import Cue, DraftTask, IntentReading, IntentTask, Line, WorkflowTask

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GERMAN = Language(
    disclosure="Ich bin eine KI.",
    date_format="%d.%m.%Y",
    templates={"escalated": "Ein Kollege hilft.", "goodbye": "Tschüss.", "status_shipped": "{order.order_id} kommt."},
    utterances={
        "status": [
            "wo ist meine Bestellung", "wann kommt mein Paket", "ist meine Lieferung unterwegs",
            "Status der Bestellung bitte", "wo bleibt mein Paket",
        ],
        "person": [
            "ich möchte mit einem Menschen sprechen", "bitte einen Mitarbeiter", "ich möchte mein Geld zurück",
            "ich möchte etwas zurückschicken", "geben Sie mir einen Kollegen",
        ],
    },
    phrases={"thanks": ["danke"], "person": ["mitarbeiter"]},
)  # fmt: skip


@pytest.fixture(scope="module")
def speaking(sheets: Sheets) -> Sheets:
    voice = sheets.voice.model_copy(update={"languages": {"de": GERMAN}})
    return Sheets(sheets.journeys, voice, sheets.tools, sheets.methods)


@pytest.fixture(scope="module")
def reader(speaking: Sheets) -> Reader:
    return Reader(
        speaking.journeys,
        fit_journeys(list(speaking.journeys.values())),
        EntityPatterns(patterns={"order_id": [r"\b(2\d{4})\b"]}),
        speaking.voice,
        {"de": fit(GERMAN.utterances)},
    )


def read(reader: Reader, text: str, *before: str) -> IntentReading:
    transcript = [Line(author="customer", text=line) for line in before]
    return reader.read(IntentTask(text=text, transcript=transcript, question=None, open_journeys=[], now=NOW))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wo ist meine Bestellung 20731?", "de"),
        ("Ich moechte bitte stornieren", "de"),
        ("Bonjour, je voudrais un remboursement pour ma commande", "fr"),
        ("Hola, quiero saber dónde está mi pedido", "es"),
        ("Ciao, dove è il mio ordine? Grazie", "it"),
        ("Waar is mijn bestelling?", "nl"),
        ("Var är min beställning?", "sv"),
        ("Where is my order 20731?", "en"),
        ("please send order 21102 to 8 rue de la Paix, 69002 Lyon, France", "en"),
        ("amelie.laurent@example.org, 69001", "en"),
        ("ok", "en"),
    ],
)
def test_the_language_of_a_message_is_told_from_its_small_words(text: str, language: str) -> None:
    assert language_of(text, fallback="en") == language


def test_a_german_message_is_read_with_german_examples(reader: Reader) -> None:
    reading = read(reader, "Guten Tag, wo ist meine Bestellung 20418?")
    assert [guess.journey for guess in reading.intents] == ["status"]
    assert [entity.value for entity in reading.entities if entity.kind == "order_id"] == ["20418"]
    assert reading.language == "de"


def test_a_few_words_are_in_the_language_of_what_came_before(reader: Reader) -> None:
    assert read(reader, "20418", "Wo ist meine Bestellung?").language == "de"
    assert read(reader, "danke", "Wo ist meine Bestellung?").act == "thanks"
    assert read(reader, "Where is my order please?", "Wo ist meine Bestellung?").language == "en"


def test_what_nobody_taught_it_in_that_language_goes_to_a_person(reader: Reader) -> None:
    assert [guess.journey for guess in read(reader, "ich möchte mein Geld zurück bitte").intents] == ["person"]
    assert read(reader, "Bonjour, je voudrais savoir où est ma commande").intents == []


def test_a_person_is_asked_for_in_german(reader: Reader) -> None:
    assert "asks_person" in read(reader, "Ich will jetzt bitte einen Mitarbeiter haben").flags


def test_a_cue_without_words_in_the_language_is_a_person(speaking: Sheets, task: Callable[..., WorkflowTask]) -> None:
    goodbye = next_cue(task(journey=None, act="goodbye", language="de"), speaking)
    thanks = next_cue(task(journey=None, act="thanks", language="de"), speaking)
    french = next_cue(task(journey=None, act="goodbye", language="fr"), speaking)
    assert (goodbye.kind, thanks.kind, french.kind) == ("reply", "escalate", "escalate")


def test_a_reply_is_in_the_language_where_there_are_words_and_says_first_that_it_is_an_ai(speaking: Sheets) -> None:
    task = DraftTask(
        cues=[Cue(kind="reply", template="goodbye")], journeys=[None], known=[], text="danke", disclose=True,
        language="de",
    )  # fmt: skip
    voice = speaking.voice.in_language("de")
    assert draft(task, journeys=speaking.journeys, voice=voice).text == "Ich bin eine KI. Tschüss."
    assert voice.templates["thanks"] == speaking.voice.templates["thanks"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("ja", "yes"),
        ("Ja bitte, machen Sie das", "yes"),
        ("genau, danke", "yes"),
        ("nein", "no"),
        ("nein, lieber nicht", "no"),
        ("ja, aber nicht heute", "unclear"),
        ("ja, nur wenn es kostenlos ist", "unclear"),
        ("vielleicht", "unclear"),
    ],
)
def test_a_german_yes_is_a_yes_only_when_it_is_plain(text: str, answer: str) -> None:
    assert read_confirmation(text) == answer
