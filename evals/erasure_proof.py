"""Whether a person who is erased is gone: every file searched for every form in which something of theirs could stand.

A busy Callboard, one customer with marks in every place where a person leaves something, erased while others write.
What is searched for afterwards: their words and ids as text, in UTF-16, base64, percent-encoding and JSON escapes; the
sealed bytes of every row of theirs; and pieces of the vectors of everything they wrote.
"""

import asyncio
import base64
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol
from urllib.parse import quote

import numpy as np

from evals.errors import SamplesUnreadable
from evals.running import Running
from graphs.errors import Forgotten
from graphs.forgetting import Forgetting
from graphs.results import InboundMessage, ReviewDecision, Reviewer
from memory import approvals, audit, erasure
from memory.rows import Row
from memory.signing import is_genuine
from memory.store import Unit
from memory.vectors import HashingEmbedder
from policies.words import ConversationId, CustomerId, Json

SUBJECT: Final = CustomerId("C-1001")
"""A customer of the retail fixtures with an order whose refund needs an approval; renamed for the run."""
ORDER: Final = "20418"
NAME, STREET, TELEPHONE, NOTE = "Zdenka Wüstenfuchs", "Quittenhöhe 77", "+49 151 70099123", "Marzipankugelfisch"
EMAIL, POSTCODE = "zdenka.wuestenfuchs@example.org", "10435"
REVIEW: Final = "seen with Frau Wüstenfuchs on the telephone"

_PIECE: Final = 32
"""Floats of a vector that are searched for at once: a page of a database holds no vector whole."""
_LEAST_SEALED: Final = 29
"""Format, nonce and tag: what a seal has beside what it seals."""


class Erasing(Running, Protocol):
    """A running Callboard that can erase."""

    @property
    def forgetting(self) -> Forgetting:
        """Erases people."""


Open = Callable[[Path, Path], Any]
"""As `RuntimeFactory`, of what can erase too."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was done, and what was found."""

    customers: int
    conversations: int
    messages: int
    forms: int
    """Byte strings that were searched for."""
    files: int
    bytes_scanned: int
    bytes_found_before: int
    """The same search before the erasure, or it would prove nothing."""
    bytes_found: int
    """After the purge."""
    found_in: tuple[str, ...]
    rows_removed: int
    answers_lost_of_others: int
    """Messages of other customers, sent meanwhile, that got no answer."""
    audit_ok: bool
    receipt_ok: bool

    @property
    def ok(self) -> bool:
        """Whether it is as it should be."""
        kept = self.answers_lost_of_others == 0 and self.audit_ok and self.receipt_ok
        return self.bytes_found == 0 and self.bytes_found_before > 0 and kept

    def as_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {**asdict(self), "found_in": [*self.found_in], "ok": self.ok}


async def prove_erasure(open_runtime: Open, *, customers: int, on_message: Callable[[], None] = lambda: None) -> Proof:
    """Fill a Callboard, erase one customer while others write, search every file of its data directory.

    Args:
        open_runtime: Opens one on the retail fixtures.
        customers: How many write in all.
        on_message: Called after each message.
    """
    with TemporaryDirectory(prefix="callboard-erasure-") as place:
        data, systems = Path(place, "data"), Path(place, "systems")
        async with open_runtime(data, systems):
            pass
        others = _prepare_shop(systems)[: customers - 1]
        async with open_runtime(data, systems) as running:
            sent = await _play_others(running, others[: len(others) // 2], on_message)
            texts = await _play_subject(running, on_message)
            forms = [*_forms_of_words(), *await running.store.read(_sealed_rows), *_pieces_of_vectors(texts)]
            before = _search(data, forms)
            erased: asyncio.Task[erasure.Erasure] = asyncio.create_task(
                running.forgetting.erase(SUBJECT, by="proof", role="admin", reason="requested", now=True)
            )
            lost = 0
            try:
                sent += await _play_others(running, others[len(others) // 2 :], on_message)
            except Forgotten:
                lost += 1
            done = await erased
            # What others wrote after the purge must not bring anything back.
            after = _search(data, forms)
            verified = await running.store.read(audit.verify)
        closed = _search(data, forms)
        return Proof(
            customers=len(others) + 1,
            conversations=len(others) + 2,
            messages=sent + len(texts),
            forms=len(forms),
            files=closed.files,
            bytes_scanned=closed.scanned,
            bytes_found_before=before.found,
            bytes_found=after.found + closed.found,
            found_in=tuple(sorted({*after.places, *closed.places})),
            rows_removed=sum(done.removed.values()),
            answers_lost_of_others=lost,
            audit_ok=verified.ok,
            receipt_ok=done.receipt is not None and is_genuine(done.receipt),
        )


@dataclass(frozen=True, slots=True)
class _Search:
    files: int
    scanned: int
    found: int
    places: tuple[str, ...]


def _search(directory: Path, forms: Sequence[bytes]) -> _Search:
    """How many bytes of these forms stand in the files of a directory, and in which files."""
    files = scanned = found = 0
    places = []
    for file in sorted(directory.rglob("*")):
        if not file.is_file():
            continue
        content = file.read_bytes()
        files += 1
        scanned += len(content)
        hits = sum(len(form) for form in forms if form in content)
        found += hits
        if hits:
            places.append(file.relative_to(directory).as_posix())
    return _Search(files, scanned, found, tuple(places))


def _forms_of_words() -> Iterator[bytes]:
    for word in (NAME, STREET, TELEPHONE, NOTE, EMAIL, SUBJECT, REVIEW, *NAME.split()):
        raw = word.encode()
        yield raw
        yield word.encode("utf-16-le")
        yield word.encode("utf-16-be")
        yield from (one.encode() for one in {quote(word, safe=""), quote(word), json.dumps(word)[1:-1]} - {word})
        for shift in range(3):
            # The characters of base64 that don't depend on what stands before and after.
            inner = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4]
            if len(inner) >= 8:
                yield inner


def _sealed_rows(unit: Unit) -> list[bytes]:
    """The sealed bytes of every row of the subject, whole: even unreadable they are to go."""
    known = erasure.conversations_of(unit, customer_id=SUBJECT)
    found = []
    for table in Row.metadata.sorted_tables:
        if "body" in table.c and "conversation_id" in table.c and table.name != "audit_heads":
            rows = unit.rows(table.select().where(table.c.conversation_id.in_(known)))
            # Long seals are split over pages; their beginning is in one piece nearly always.
            found += [bytes(row["body"])[:64] for row in rows if row["body"] and len(row["body"]) > _LEAST_SEALED]
    return found


def _pieces_of_vectors(texts: Sequence[str]) -> Iterator[bytes]:
    for vector in HashingEmbedder().embed(texts):
        for start in range(0, len(vector), _PIECE):
            piece = vector[start : start + _PIECE]
            if np.count_nonzero(piece) >= 3:
                yield piece.tobytes()


def _prepare_shop(systems: Path) -> list[tuple[str, str, str]]:
    """Rename the subject in the shop's own books; e-mail, postcode and an order of each of the others.

    Raises:
        SamplesUnreadable: These aren't the books of the retail playbook.
    """
    file = systems / "shop.db"
    if not file.is_file():
        raise SamplesUnreadable(file, 1, problem="the proof plays on the retail playbook's fixtures")
    with closing(sqlite3.connect(file)) as books:
        books.execute("UPDATE customers SET name = ?, email = ? WHERE id = ?", (NAME, EMAIL, SUBJECT))
        books.execute("UPDATE orders SET street = ? WHERE customer_id = ?", (STREET, SUBJECT))
        books.commit()
        return books.execute(
            "SELECT customers.email, addresses.postcode, max(orders.id) FROM customers "
            "JOIN addresses ON addresses.customer_id = customers.id JOIN orders ON orders.customer_id = customers.id "
            "WHERE customers.id <> ? GROUP BY customers.id ORDER BY customers.id",
            (SUBJECT,),
        ).fetchall()


async def _play_others(running: Erasing, others: Sequence[tuple[str, str, str]], on_message: Callable[[], None]) -> int:
    sent = 0
    for email, postcode, order in others:
        for number, text in enumerate((f"Where is my order {order}?", f"{email}, {postcode}")):
            await running.runner.handle(InboundMessage(ConversationId(f"other-{order}"), f"m{number}", text))
            sent += 1
            on_message()
    return sent


async def _play_subject(running: Erasing, on_message: Callable[[], None]) -> list[str]:
    """Chat and e-mail: an approval with a reviewer's words, a handoff, hints and ids that name the person."""
    chat, mail = ConversationId(f"tel:{TELEPHONE.replace(' ', '')}"), ConversationId(f"mail:{EMAIL}")
    said: list[str] = []

    async def say(conversation_id: ConversationId, text: str, channel: Any = "chat") -> None:
        said.append(text)
        message_id = f"{EMAIL}/{len(said)}"
        await running.runner.handle(
            InboundMessage(conversation_id, message_id, text, channel, customer_hint=f"{NAME} {TELEPHONE}")
        )
        on_message()

    await say(chat, f"Hello, {NAME} here, {STREET}. I want a refund for order {ORDER}, note: {NOTE}")
    await say(chat, f"{EMAIL}, {POSTCODE}")
    await say(chat, "yes, please")
    (waiting,) = await running.store.read(lambda unit: approvals.listing(unit, status="pending"))
    await running.runner.decide(waiting.id, ReviewDecision("approve", message=REVIEW), Reviewer("ana", "supervisor"))
    await running.runner.settle(chat)
    await say(mail, f"{NAME} again: where is order 21240? My number is {TELEPHONE}.", "email")
    await say(mail, f"{EMAIL}, {POSTCODE}", "email")
    await say(mail, f"I want to speak to a human about the {NOTE}.", "email")
    return said
