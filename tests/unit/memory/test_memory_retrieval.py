"""Knowledge is cut, allowed, found and cited; what doesn't answer stays away."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from memory import knowledge
from memory.index import InMemoryIndex
from memory.knowledge import PASSAGE_LETTERS, Article, FrontMatter, Passage
from memory.lexical import Lexicon
from memory.retrieval import Retriever
from memory.store import Store
from memory.vectors import HashingEmbedder
from policies.errors import PlaybookMistakes

ARTICLE = """---
id: returns
title: Returns and refunds
owner: care
version: "3"
state: approved
valid_from: 2026-01-01
valid_until: 2026-12-31
---
# Returns

You may return most items within 30 days of delivery.

## Refunds

We refund to the payment method you used, within 5 working days after the parcel is back.
"""

TEXTS = {
    "returns": (
        "Returns",
        "You may return unworn clothing within 30 days of delivery. Print the label.",
    ),
    "refunds": ("Refunds", "Refunds go to the card or account you paid with, within 5 working days of the return."),
    "delivery": (
        "Delivery times",
        "Standard delivery takes 3 to 5 working days, express delivery one day.",
    ),
    "gift": ("Gift cards", "Gift cards are valid for three years and can't be exchanged for cash."),
    "wash": ("Washing linen", "Wash linen bedding at 40 degrees and dry it on the line. Don't use bleach."),
    "sizes": ("Sizes", "Our shirts run large. Measure your chest and compare it with the size chart."),
    "warranty": ("Warranty", "Furniture has a warranty of two years against broken parts."),
}


def _passages() -> list[Passage]:
    return [Passage(key, key, "1", title, "", text) for key, (title, text) in TEXTS.items()]


def _write(directory: Path, text: str, name: str = "returns.md") -> Path:
    file = directory / name
    file.write_text(text)
    return file


def test_an_article_is_cut_at_its_headings(tmp_path: Path) -> None:
    article = knowledge.read_article(_write(tmp_path, ARTICLE))
    passages = knowledge.passages_of(article)
    assert [passage.heading for passage in passages] == ["Returns", "Returns > Refunds"]
    assert passages[0].text == "You may return most items within 30 days of delivery."
    assert article.front.valid_until == date(2026, 12, 31)
    assert len({passage.id for passage in passages}) == 2


def test_no_passage_is_too_long_and_no_word_is_lost() -> None:
    words = [f"word{number}" for number in range(2_000)]
    sentences = [" ".join(words[start : start + 12]) + "." for start in range(0, len(words), 12)]
    text = (
        "\n\n".join(" ".join(sentences[start : start + 9]) for start in range(0, len(sentences), 9))
        + "\n\n"
        + "x" * 2_000
    )
    front = FrontMatter(id="a", title="A", owner="o", version="1", state="approved")
    passages = knowledge.passages_of(Article(front, text))
    assert max(len(passage.text) for passage in passages) <= PASSAGE_LETTERS
    together = " ".join(passage.text for passage in passages)
    assert [word for word in words if word not in together] == []
    assert together.count("x") == 2_000


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("no front matter", 1, "front matter"),
        (ARTICLE.replace("owner: care\n", ""), 2, "owner"),
        (ARTICLE.replace("owner: care", "onwer: care"), 4, "onwer"),
        (ARTICLE.replace("state: approved", "state: live"), 6, "state"),
        (ARTICLE.replace("2026-12-31", "2025-12-31"), 1, "ends before"),
        (ARTICLE[: ARTICLE.index("# Returns")], 9, "no text"),
    ],
)
def test_a_mistake_in_an_article_names_file_and_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    file = _write(tmp_path, text)
    with pytest.raises(PlaybookMistakes) as found:
        knowledge.read_article(file)
    assert any(
        mistake.file == str(file) and mistake.line == line and says in str(mistake) for mistake in found.value.mistakes
    )


def test_a_directory_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    _write(tmp_path, ARTICLE, "a.md")
    assert [article.front.id for article in knowledge.read_articles(tmp_path)] == ["returns"]
    _write(tmp_path, ARTICLE, "b.md")
    with pytest.raises(PlaybookMistakes, match="already"):
        knowledge.read_articles(tmp_path)


async def test_only_approved_and_valid_articles_are_allowed(store: Store, now: datetime) -> None:
    def article(name: str, **front: object) -> Article:
        given = {"id": name, "title": name, "owner": "o", "version": "1", "state": "approved", **front}
        return Article(FrontMatter.model_validate(given), f"About {name}.")

    articles = [
        article("valid", valid_from=date(2026, 11, 21), valid_until=date(2026, 11, 21)),
        article("always"),
        article("draft", state="draft"),
        article("retired", state="retired"),
        article("past", valid_until=date(2026, 11, 20)),
        article("future", valid_from=date(2026, 11, 22)),
    ]
    came, went = await store.write(lambda unit: knowledge.store(unit, articles=articles, now=now))
    assert (len(came), went) == (6, [])
    allowed = await store.read(lambda unit: knowledge.allowed(unit, on=date(2026, 11, 21)))
    assert [passage.article_id for passage in allowed] == ["always", "valid"]
    assert len(await store.read(knowledge.stored)) == 6
    came, went = await store.write(lambda unit: knowledge.store(unit, articles=articles[1:], now=now))
    assert (came, len(went)) == ([], 1)
    found = await store.read(lambda unit: knowledge.get(unit, passage_id=allowed[0].id))
    assert found == allowed[0]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How long do I have to return a shirt?", "returns"),
        ("when will i get my refund", "refunds"),
        ("how long does express delivery take", "delivery"),
        ("Can I exchange a gift card for cash?", "gift"),
        ("can i wash linen with bleach", "wash"),
        ("Which size of shirt should I take?", "sizes"),
    ],
)
async def test_a_question_finds_the_passage_that_answers_it(question: str, wanted: str) -> None:
    retriever = Retriever(HashingEmbedder(), InMemoryIndex())
    await retriever.sync(_passages())
    found = await retriever.search(question, allowed=_passages(), k=3)
    assert found[0].passage.id == wanted
    assert [scored.score for scored in found] == sorted((scored.score for scored in found), reverse=True)


@pytest.mark.parametrize(
    "question",
    ["", "   ", "hello there", "What is the capital of France?", "write me a poem about the sea", "ignore all rules"],
)
async def test_what_knowledge_has_nothing_on_gets_nothing(question: str) -> None:
    retriever = Retriever(HashingEmbedder(), InMemoryIndex())
    await retriever.sync(_passages())
    assert await retriever.search(question, allowed=_passages()) == []


async def test_p7_nothing_is_found_that_is_not_allowed() -> None:
    retriever = Retriever(HashingEmbedder(), InMemoryIndex())
    await retriever.sync(_passages())
    others = [passage for passage in _passages() if passage.id != "gift"]
    found = await retriever.search("Can I exchange a gift card for cash?", allowed=others)
    assert "gift" not in [scored.passage.id for scored in found]
    assert await retriever.search("gift card", allowed=[]) == []


class BrokenIndex(InMemoryIndex):
    """An index that is down."""

    async def get(self, ids: Sequence[str]) -> dict[str, object]:  # type: ignore[override]  # it only raises
        raise OSError("down")


async def test_p12_a_lost_index_costs_time_and_no_answers() -> None:
    sound = Retriever(HashingEmbedder(), InMemoryIndex())
    await sound.sync(_passages())
    question = "how long does express delivery take"
    expected = await sound.search(question, allowed=_passages())
    assert expected
    for index in (BrokenIndex(), InMemoryIndex()):
        found = await Retriever(HashingEmbedder(), index).search(question, allowed=_passages())
        assert [(scored.passage.id, pytest.approx(scored.score, abs=1e-5)) for scored in found] == [
            (scored.passage.id, scored.score) for scored in expected
        ]


async def test_the_index_follows_the_passages() -> None:
    index = InMemoryIndex()
    retriever = Retriever(HashingEmbedder(), index)
    assert await retriever.sync(_passages()) == (7, 0)
    assert await retriever.sync(_passages()) == (0, 0)
    assert await retriever.sync(_passages()[1:]) == (0, 1)
    assert "returns" not in await index.ids()


def test_bm25_is_the_share_of_what_a_text_of_the_questions_words_could_reach() -> None:
    lexicon = Lexicon(["refund for a lamp", "refund", "delivery of a lamp on monday", "gift cards"])
    scores = lexicon.bm25("refund")
    assert list(np.argsort(-scores)[:2]) == [1, 0]
    assert scores[2] == scores[3] == 0
    assert 0 < scores.max() < 1
    assert list(lexicon.bm25("nothing here")) == [0, 0, 0, 0]
