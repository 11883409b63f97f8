"""The output guardrail over one draft: what in it is backed by the case, and what stands against sending it (P9).

A sentence that is the playbook's own (the template of a cue of this reply, a cited passage, the disclosure) is said by
the playbook's owner. Everything else is a writer's, and may hold a figure, a status, a statement of action or a promise
only where evidence of this very case bears it out. Pure: the same draft on the same case gives the same answer.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agents.journeys import Voice
from agents.rendering import PLACEHOLDER, Rendered, in_words, render
from agents.tasks import Draft, Known
from policies.detectors.claims import Claim, find_claims, free_text, sentences
from policies.detectors.plainness import WORD, find_unplain, grade_of
from policies.detectors.prose import ProseRules
from policies.detectors.screening import PLANTED, screen
from policies.words import Json

GENERAL = frozenset(
    (
        "complete", "completed", "done", "processed", "confirmed", "submitted", "sorted", "handled", "settled",
        "finalised", "finalized", "issued", "registered", "initiated", "taken", "gone", "went",
    )
)  # fmt: skip
"""Words for any action."""
KINDS = {
    "refund": ("refund", "credit", "reimburs", "returned the", "paid back", "payout", "reversed"),
    "cancel": ("cancel",),
    "change": ("chang", "updat", "modif", "correct", "now goes", "redirect", "rerout"),
    "address": ("chang", "updat", "modif", "correct", "now goes", "redirect", "rerout"),
    "return": ("return", "label", "registered"),
    "book": ("book", "schedul", "arrang", "reserv"),
    "appointment": ("book", "schedul", "arrang", "reserv", "moved"),
    "schedule": ("book", "schedul", "arrang", "reserv", "moved"),
    "pause": ("paus", "stopp"),
    "exchange": ("exchang", "replac"),
    "replace": ("replac", "sent", "shipp"),
    "block": ("block", "lock", "secured"),
    "lock": ("block", "lock", "secured"),
    "open": ("open", "creat", "raised", "filed", "registered"),
    "ticket": ("open", "creat", "raised", "filed", "registered", "forwarded"),
    "send": ("sent", "mailed"),
    "reset": ("reset", "sent"),
}
"""A word in the name of a tool or its result, and the stems of statements that its receipt bears out."""
LISTED = re.compile(r"(?:^|\n)[ \t]*(?:\d{1,2}[.)]|[-•])[ \t]+(?=\{)")
"""The number of a line of a list that shows a value."""
WORDS_OF_A_PART, COUNTRY = 4, 2
OF_MONEY = re.compile(r"\b(?:money|refund\w*|cash|account|card|payment|credit)\b", re.IGNORECASE)
"""What no parcel's status says anything about."""
SHORTEST = 30
"""Words of a writer's own from which on reading level counts: shorter texts have none to speak of."""


@dataclass(frozen=True, slots=True)
class Receipted:
    """One thing that was done in the case: a committed receipt of a tool that changes the world."""

    tool: str
    returns: str
    value: Json
    arguments: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DraftCase:
    """Everything that may back a draft, and the rules it must keep."""

    voice: Voice
    own: Sequence[str]
    """Templates of the cues that the reply is made of."""
    values: Mapping[str, Json]
    """What placeholders may be filled with."""
    passages: Mapping[str, str] = field(default_factory=dict)
    """Passages of approved knowledge that this turn found, by id; only those that the draft cites count."""
    known: Sequence[Known] = ()
    """Evidence of the case, without what the customer said."""
    receipts: Sequence[Receipted] = ()
    customer: str = ""
    """What the customer wrote in this conversation."""
    labels: Sequence[str] = ()
    """Texts of the house that values may hold: titles of journeys, a reviewer's words."""
    words: frozenset[str] = frozenset()
    """Words, in small letters, of the playbook: they are nobody's name."""
    rules: ProseRules = field(default_factory=lambda: ProseRules(()))
    channel: str = "chat"
    language: str = "en"
    discloses: bool = False
    """Whether this reply must say that it comes from an AI."""


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """A draft with its values filled in, and what stands against sending it."""

    text: str
    holds: tuple[str, ...]
    """Sentences for who writes it again; empty if it may be sent."""


def check(draft: Draft, case: DraftCase) -> CheckedDraft:
    """Render a draft and say what stands against it."""
    rendered = render(draft.text, case.values, case.voice)
    backing = Backing(draft, case)
    holds = [f"{name}: no evidence of this name" for name in rendered.missing]
    holds += backing.faults(draft.text)
    holds += _untold(rendered, backing)
    holds += [f"{found.rule}: {found.sentence}" for found in case.rules.check(rendered.text, channel=case.channel)]
    if case.discloses and plain(case.voice.disclosure) not in plain(rendered.text):
        holds.append("disclosure: the reply doesn't say first that it comes from an AI")
    holds += _manner(backing.free(draft.text), rendered.text, case.voice)
    return CheckedDraft(rendered.text, tuple(dict.fromkeys(holds)))


class Backing:
    """What of a case bears a draft out."""

    def __init__(self, draft: Draft, case: DraftCase) -> None:
        self._case = case
        cited = [case.passages[one] for one in draft.cites if one in case.passages]
        own = [*case.own, case.voice.disclosure, case.voice.templates.get("acknowledge", "")]
        self._own = frozenset(mark for text in (*own, *cited) for mark in _marks_of(text))
        self._labels = [plain(label) for label in case.labels]
        self._customer = plain(case.customer)
        self._customer_words = frozenset(map(plain, case.customer.split()))
        self._receipted = {row.returns for row in case.receipts}
        leaves = [leaf for row in case.known for leaf in leaves_of(row.value)]
        rendered = [in_words(leaf, case.voice) for leaf in leaves if leaf not in (None, "", [], {})]
        self._leaves = [plain(text) for text in rendered]
        self._figures = frozenset(self._leaves)
        self._phrases = [" ".join(text.casefold().split()) for text in rendered if len(text) >= 4]
        self._acts = [_bears(row) for row in case.receipts]
        self._done_figures = frozenset(
            plain(in_words(leaf, case.voice))
            for row in case.receipts
            for leaf in (*leaves_of(row.value), *leaves_of(dict(row.arguments)))
            if leaf not in (None, "", [], {})
        )
        words = WORD.findall(" ".join((*case.own, *cited, case.voice.disclosure, case.customer, *rendered)).casefold())
        self._words = case.words | {word.replace("’", "'") for word in words}

    def free(self, text: str) -> list[str]:
        """The sentences that are the writer's own."""
        unnumbered = LISTED.sub("\n", text)
        found = [unnumbered[start:end] for start, end in sentences(unnumbered)]
        return [sentence for sentence in found if not self._is_own(sentence)]

    def faults(self, text: str) -> Iterable[str]:
        """What a text says that nothing bears out."""
        for sentence in self.free(text):
            yield from self._sentence(sentence)

    def _sentence(self, sentence: str) -> Iterable[str]:
        claims = find_claims(sentence)
        acts = [claim for claim in claims if claim.kind == "action"]
        borne = [claim for claim in acts if self._is_done(claim, sentence)]
        for claim in claims:
            if claim.kind in ("amount", "date", "id"):
                figures = self._done_figures if borne else self._figures
                if plain(claim.text) not in figures and not self._is_customers(claim):
                    yield f"{claim.kind}: stated without evidence"
            elif claim.kind == "status":
                if not self._is_status(claim):
                    yield "status: stated without evidence"
            elif claim.kind == "action":
                if claim not in borne and (OF_MONEY.search(sentence) or not self._is_status(claim)):
                    yield "action: stated without a receipt"
            else:
                yield "promise: nobody may promise it"
        if acts and borne:
            for path in PLACEHOLDER.findall(sentence):
                first = path.removeprefix("cue").lstrip("0123456789").lstrip(".").split(".", 1)[0]
                if first not in self._receipted and first not in ("args", "customer"):
                    yield f"{path}: not from the receipt of what the sentence says was done"
        if PLANTED & screen(free_text(sentence)).kinds:
            yield "injection: words that speak to a model, not to a customer"
        yield from find_unplain(free_text(sentence).strip(), language=self._case.language, known=self._words)

    def value_faults(self, text: str) -> list[str]:
        """What a value says that it should not: one that evidence doesn't hold is a text like any other."""
        if plain(text) in self._figures or self._is_tiled(plain(text)) or self._is_given(text):
            return []
        return [fault for fault in self._sentence(text) if not fault.startswith("tone")]

    def _is_tiled(self, text: str) -> bool:
        """Whether a text is put together from values of evidence, as the label of a record is."""
        for leaf in sorted({leaf for leaf in (*self._leaves, *self._labels) if leaf}, key=len, reverse=True):
            text = text.replace(leaf, "\n")
        return all(part in ("", "or", "and") for part in text.split("\n"))

    def _is_given(self, text: str) -> bool:
        """Whether the customer gave it themselves, part by part, as an address is put together."""
        if any(claim.kind in ("action", "promise", "status") for claim in find_claims(text)):
            return False
        for part in filter(None, map(str.strip, text.split(","))):
            words = [plain(word) for word in part.split()]
            whole = plain(part) in self._customer or plain(part) in self._figures
            spoken = len(words) <= WORDS_OF_A_PART and set(words) <= self._customer_words
            if not (whole or spoken or (len(part) == COUNTRY and part.isupper())):
                return False
        return True

    def _is_own(self, sentence: str) -> bool:
        mark = _skeleton(sentence)
        return not mark or mark in self._own

    def _is_customers(self, claim: Claim) -> bool:
        """Whether the customer wrote the same number themselves: an id or a figure is no secret to them."""
        return claim.kind == "id" and plain(claim.text) in plain(self._case.customer)

    def _is_status(self, claim: Claim) -> bool:
        said = " ".join(claim.text.casefold().split())
        return any(phrase in said for phrase in self._phrases)

    def _is_done(self, claim: Claim, sentence: str) -> bool:
        """Whether a receipt is of what a statement says; one in words for any action must say which in its sentence."""
        said = claim.text.casefold()
        if any(word in GENERAL for word in WORD.findall(said)):
            said = sentence.casefold()
        return any(any(stem in said for stem in stems) for stems in self._acts)


def plain(text: str) -> str:
    """Letters and digits only, in small letters."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).casefold() if letter.isalnum())


def leaves_of(value: Json) -> Iterable[Json]:
    """Every value that is shown as one: scalars, and maps that are money or an address as a whole."""
    if isinstance(value, Mapping):
        yield value
        for each in value.values():
            yield from leaves_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves_of(each)
    else:
        yield value


def _skeleton(text: str) -> str:
    """A text for comparing sentences: its words, and the paths of its placeholders without the number of a cue."""
    paths = PLACEHOLDER.sub(lambda match: f"⟨{re.sub(r'^cue[0-9]+[.]', '', match[1])}⟩", text)
    folded = unicodedata.normalize("NFC", paths).casefold()
    return "".join(letter for letter in folded if letter.isalnum() or letter in "⟨⟩._%$€£").replace(".", "")


def _marks_of(text: str) -> Iterable[str]:
    """What the sentences of a text of the house are known by, also where each of its lines is made a sentence."""
    for piece in (text, *text.splitlines()):
        for start, end in sentences(piece):
            yield _skeleton(piece[start:end])


def _bears(row: Receipted) -> frozenset[str]:
    words = set(re.split(r"[^a-z]+", f"{row.tool} {row.returns}".casefold()))
    stems = {stem for word in words for name, own in KINDS.items() if word.startswith(name) for stem in own}
    return frozenset(
        stems | {word[:-1] if word.endswith("e") else word for word in words if len(word) > 4 and word != "order"}
    )


def _untold(rendered: Rendered, backing: Backing) -> Iterable[str]:
    """What filled-in values say that evidence doesn't hold."""
    end = 0
    for start, stop in (*rendered.free_spans, (len(rendered.text), len(rendered.text))):
        value = rendered.text[end:start]
        if value.strip():
            yield from (f"value: {fault}" for fault in backing.value_faults(value))
        end = stop


def _manner(free: Sequence[str], text: str, voice: Voice) -> Iterable[str]:
    """Length and reading level of what the writer wrote themselves, by the brand's voice."""
    own = " ".join(free_text(sentence) for sentence in free)
    words = len(WORD.findall(own))
    if words > voice.most_words:
        yield f"length: {words} words of the writer's own, where the voice has {voice.most_words}"
    if words >= SHORTEST and (grade := grade_of(own)) > voice.reading_grade:
        yield f"reading level: grade {grade:.0f}, where the voice has {voice.reading_grade}; write shorter sentences"
