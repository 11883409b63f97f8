"""Knowledge: articles with owner, version and validity, cut into passages that can be retrieved and cited."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, select
from sqlmodel import Field

from memory.rows import Moment, Row, table_of
from memory.unit import Unit
from policies.documents import parse, read_bytes
from policies.errors import Mistake, PlaybookMistakes

ArticleState = Literal["draft", "in_review", "approved", "retired"]

PASSAGE_LETTERS = 900
"""How long a passage may be."""

_FENCE = "---"
_HEADING = re.compile(r"^#{1,6}\s+(.*)$")


class PassageRow(Row, table=True):
    """One passage with what decides whether it may be used. Knowledge is nobody's personal data, so it is in clear."""

    __tablename__ = "passages"

    id: str = Field(primary_key=True)
    article_id: str = Field(index=True)
    version: str
    title: str
    owner: str
    state: str
    valid_from: date | None
    valid_until: date | None
    ordinal: int
    heading: str
    text: str
    stored_at: datetime = Field(sa_type=Moment)


_TABLE = table_of(PassageRow)


class FrontMatter(BaseModel):
    """The head of an article's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    owner: str
    """Who answers for it: a team or a role."""
    version: str
    valid_from: date | None = None
    valid_until: date | None = None
    """The last day on which it may be used."""
    state: ArticleState


@dataclass(frozen=True, slots=True)
class Article:
    """One article as written."""

    front: FrontMatter
    text: str
    """Markdown without the front matter."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of an article, small enough to quote."""

    id: str
    """Article, version, place and content hash: another text is another id."""
    article_id: str
    version: str
    title: str
    heading: str
    """The headings it stands under, outermost first; "" at the top."""
    text: str


def read_article(file: Path, name: str | None = None) -> Article:
    """Read one Markdown file with YAML front matter between two lines of `---`.

    Args:
        file: The file to read.
        name: What to call it in mistakes; the path as given if None.

    Raises:
        PlaybookMistakes: It can't be read, or its front matter is wrong.
    """
    shown = name or str(file)
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise PlaybookMistakes([Mistake(shown, 1, "The file can't be read.")]) from error
    except UnicodeDecodeError as error:
        raise PlaybookMistakes([Mistake(shown, 1, "The file is not UTF-8. Save it as UTF-8.")]) from error
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FENCE or _FENCE not in (line.strip() for line in lines[1:]):
        problem = "An article begins with its front matter, between two lines of ---."
        raise PlaybookMistakes([Mistake(shown, 1, problem, "id, title, owner, version, state")])
    end = next(place for place, line in enumerate(lines[1:], start=1) if line.strip() == _FENCE)
    # An empty line in place of the fence, so that mistakes name the file's own lines.
    front = parse(FrontMatter, read_bytes("\n".join(["", *lines[1:end]]).encode(), shown))
    body = "\n".join(lines[end + 1 :]).strip()
    if not body:
        raise PlaybookMistakes([Mistake(shown, end + 1, "The article has no text.")])
    if front.valid_from and front.valid_until and front.valid_until < front.valid_from:
        raise PlaybookMistakes([Mistake(shown, 1, "The article ends before it begins.", "a later valid_until")])
    return Article(front, body)


def read_articles(directory: Path) -> list[Article]:
    """Read every `*.md` of a directory, all or nothing.

    Raises:
        PlaybookMistakes: All mistakes of all files; also two articles with one id and version.
    """
    mistakes: list[Mistake] = []
    articles: dict[tuple[str, str], Article] = {}
    for file in sorted(directory.glob("*.md")):
        try:
            article = read_article(file)
        except PlaybookMistakes as error:
            mistakes.extend(error.mistakes)
            continue
        key = (article.front.id, article.front.version)
        if key in articles:
            mistakes.append(Mistake(str(file), 1, f"Article {key[0]} has a version {key[1]} already.", "a new version"))
        articles[key] = article
    if mistakes:
        raise PlaybookMistakes(mistakes)
    return list(articles.values())


@lru_cache(maxsize=4096)
def passages_of(article: Article) -> tuple[Passage, ...]:
    """Cut an article at its headings, and long sections at paragraphs, then sentences, then words.

    Articles can't change, and every turn asks for their passages: each is cut once.
    """
    front = article.front
    found: list[Passage] = []
    for heading, section in _sections(article.text):
        for piece in _pieces(section, PASSAGE_LETTERS):
            content = hashlib.sha256(f"{heading}\n{piece}".encode()).hexdigest()[:12]
            found.append(
                Passage(
                    id=f"{front.id}@{front.version}#{len(found)}-{content}",
                    article_id=front.id,
                    version=front.version,
                    title=front.title,
                    heading=heading,
                    text=piece,
                )
            )
    return tuple(found)


def store(unit: Unit, *, articles: Sequence[Article], now: datetime) -> tuple[list[str], list[str]]:
    """Make the stored passages those of these articles, all of them.

    Returns:
        The passage ids that came, and those that went: what the index must follow.
    """
    wanted = {passage.id: (article, place, passage) for article in articles for place, passage in _numbered(article)}
    present = {row["id"] for row in unit.rows(select(_TABLE.c.id))}
    unit.run(delete(_TABLE))
    for passage_id, (article, place, passage) in wanted.items():
        front = article.front
        unit.insert(
            _TABLE,
            id=passage_id,
            article_id=front.id,
            version=front.version,
            title=front.title,
            owner=front.owner,
            state=front.state,
            valid_from=front.valid_from,
            valid_until=front.valid_until,
            ordinal=place,
            heading=passage.heading,
            text=passage.text,
            stored_at=now,
        )
    return sorted(wanted.keys() - present), sorted(present - wanted.keys())


def allowed(unit: Unit, *, on: date) -> list[Passage]:
    """The passages that may be used on a day: approved and valid, in the order of their articles."""
    statement = (
        select(_TABLE)
        .where(
            (_TABLE.c.state == "approved")
            & (_TABLE.c.valid_from.is_(None) | (_TABLE.c.valid_from <= on))
            & (_TABLE.c.valid_until.is_(None) | (_TABLE.c.valid_until >= on))
        )
        .order_by(_TABLE.c.article_id, _TABLE.c.version, _TABLE.c.ordinal)
    )
    return [_passage(row) for row in unit.rows(statement)]


def stored(unit: Unit) -> list[Passage]:
    """All passages, allowed or not: what the index holds."""
    statement = select(_TABLE).order_by(_TABLE.c.article_id, _TABLE.c.version, _TABLE.c.ordinal)
    return [_passage(row) for row in unit.rows(statement)]


def get(unit: Unit, *, passage_id: str) -> Passage | None:
    """The passage, or None."""
    row = unit.row(_TABLE, id=passage_id)
    return None if row is None else _passage(row)


def _numbered(article: Article) -> list[tuple[int, Passage]]:
    return list(enumerate(passages_of(article)))


def _sections(text: str) -> list[tuple[str, str]]:
    """Heading path and text of each part that has text."""
    path: list[tuple[int, str]] = []
    sections: list[tuple[str, list[str]]] = [("", [])]
    in_code = False
    for line in text.splitlines():
        in_code ^= line.lstrip().startswith("```")
        match = None if in_code else _HEADING.match(line)
        if match is None:
            sections[-1][1].append(line)
            continue
        depth = len(line) - len(line.lstrip("#"))
        path = [(level, name) for level, name in path if level < depth]
        path.append((depth, match[1].strip()))
        sections.append((" > ".join(name for _, name in path), []))
    return [(heading, "\n".join(lines).strip()) for heading, lines in sections if "".join(lines).strip()]


def _pieces(text: str, limit: int) -> list[str]:
    """The text in pieces no longer than the limit, cut where it hurts least, short neighbours joined."""
    if len(text) <= limit:
        return [text]
    for separator, joiner in ((r"\n\s*\n", "\n\n"), (r"(?<=[.!?])\s+", " "), (r"\s+", " ")):
        parts = [part for part in re.split(separator, text) if part.strip()]
        if len(parts) > 1:
            pieces: list[str] = []
            for part in parts:
                if pieces and len(pieces[-1]) + len(joiner) + len(part) <= limit:
                    pieces[-1] += joiner + part
                else:
                    pieces.append(part)
            return [piece for part in pieces for piece in _pieces(part, limit)]
    return [text[start : start + limit] for start in range(0, len(text), limit)]


def _passage(row: Mapping[Any, Any]) -> Passage:
    return Passage(row["id"], row["article_id"], row["version"], row["title"], row["heading"], row["text"])
