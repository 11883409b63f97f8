"""Text as detectors read it: look-alike letters, invisible characters and odd spacing undone, every place traceable.

Attackers write "іgnore" with a Cyrillic letter, put zero-width characters between letters or write them as references
of HTML; people paste full-width digits. Patterns run on the normalised text, and what they find is reported at its
place in the original. `views` gives further readings of the same text: letters spaced out, digits for letters, base64.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FROM = (
    "аеорсухіјѕһԁӏɡԛԝѵкмтнвгпґєїўё"  # Cyrillic
    "νοαετικρυχϲβγηωσζμϳ"  # Greek
    "АВЕКМНОРСТУХІЈЅԌԚԜҐ"
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
    "օոսցհաՕՍ"  # Armenian
    "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"  # small capitals
    "ⅼⅰⅴⅹıɑɩʋƖƽØøĐđŁłŦŧ"
    "’‘‛ʼ＇´`“”„‟«»–—‐‑‒−⁃"
)
_TO = (
    "aeopcyxijshdlgqwvkmthbrnreiye"
    "voaetikpuxcbynwozuj"
    "ABEKMHOPCTYXIJSGQWR"
    "ABEZHIKMNOPTYX"
    "onughaOU"
    "abcdefghijklmnoprstuvwyz"
    "livxiaivIsOoDdLlTt"
    "'''''''\"\"\"\"\"\"-------"
)
LOOKALIKES: Final = str.maketrans(_FROM, _TO)
"""Letters that look Latin, and the many quotes and dashes."""

LEET: Final = str.maketrans("013457@$!|8", "oieastasilb")
REFERENCE: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,10});")
SPACED: Final = re.compile(r"(?<!\w)\w(?:[ .\-_*·]{1,3}\w(?!\w)){3,}")
MIXED: Final = re.compile(r"(?<![\w@$!|])(?=[a-z@$!|]*[0-9@$!|][a-z0-9@$!|]*[a-z])[a-z0-9@$!|]{3,}(?!\w)")
ENCODED: Final = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/_-]{16,}={0,2}(?![\w+/=])")
HEXADECIMAL: Final = re.compile(r"(?<!\w)(?:[0-9a-fA-F]{2}[ :]?){12,}(?!\w)")
MOST_ENCODED: Final = 8
"""Encoded stretches that are read in one text; more is no message of a customer."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text in lower case and its way back to the original."""

    text: str
    origins: tuple[int, ...]
    """Index in the original of each character."""
    hidden: int
    """How many invisible characters stood inside words."""
    disguised: int
    """How many letters of other scripts stood in words that also have Latin ones."""
    ends: tuple[int, ...] = ()
    """Index behind each character in the original; empty where each is one character long."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Start and end in the original of a piece that isn't empty."""
        last = self.ends[end - 1] if self.ends else self.origins[end - 1] + 1
        return self.origins[start], last


@dataclass(frozen=True, slots=True)
class View:
    """Another reading of a stretch of the original."""

    kind: str
    """How it was hidden: "spaced", "leet", "base64", "hex", "reversed"."""
    text: str
    """Normalised."""
    start: int
    end: int


def normalise(text: str) -> Normalised:
    """Undo what hides words from patterns."""
    letters: list[str] = []
    origins: list[int] = []
    ends: list[int] = []
    hidden = 0
    for index, end, original in _characters(text):
        category = unicodedata.category(original)
        if category in ("Cf", "Mn", "Me", "Cs", "Co") or (category == "Cc" and not original.isspace()):
            inside = 0 < index < len(text) - 1 and text[index - 1].isalnum() and text[index + 1].isalnum()
            hidden += category == "Cf" and inside
            continue
        for plain in unicodedata.normalize("NFKD", original).translate(LOOKALIKES).lower():
            if not unicodedata.combining(plain):
                letters.append(" " if plain.isspace() and plain != "\n" else plain)
                origins.append(index)
                ends.append(end)
    return Normalised("".join(letters), tuple(origins), hidden, _disguised(text), tuple(ends))


def views(text: str, seen: Normalised) -> Iterator[View]:
    """What else a text may say: stretches that were spaced out, spelt with digits, encoded or written backwards.

    Args:
        text: The original.
        seen: The same, normalised.
    """
    for match in SPACED.finditer(seen.text):
        start, end = seen.span(*match.span())
        yield View("spaced", "".join(letter for letter in match.group() if letter.isalnum()), start, end)
    if spaced := SPACED.search(seen.text):
        # Letters spaced out with wider gaps between the words.
        joined = re.sub(r"(?<=\w)[ .\-_*·](?=\w(?!\w))", "", seen.text[spaced.start() :])
        yield View("spaced", joined, seen.span(spaced.start(), spaced.start() + 1)[0], len(text))
    if MIXED.search(seen.text):
        yield View("leet", MIXED.sub(lambda match: match.group().translate(LEET), seen.text), 0, len(text))
    found = 0
    for pattern, kind in ((ENCODED, "base64"), (HEXADECIMAL, "hex")):
        for match in pattern.finditer(text):
            decoded = decode(match.group(), kind)
            if decoded:
                found += 1
                yield View(kind, normalise(decoded).text, *match.span())
            if found >= MOST_ENCODED:
                return
    yield View("reversed", seen.text[::-1], 0, len(text))


def decode(text: str, kind: str) -> str:
    """The readable text that an encoded one stands for; empty where there is none."""
    try:
        if kind == "hex":
            raw = bytes.fromhex(re.sub(r"[ :]", "", text))
        else:
            bare = text.rstrip("=").replace("-", "+").replace("_", "/")
            raw = base64.b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4), validate=True)
        decoded = raw.decode()
    except (ValueError, binascii.Error):
        return ""
    readable = sum(letter.isalpha() or letter in " .,!?'-\n" for letter in decoded)
    return decoded if decoded and readable >= 0.8 * len(decoded) else ""


def _characters(text: str) -> Iterator[tuple[int, int, str]]:
    """Each character with its place, a reference of HTML as the character it stands for."""
    position = 0
    for match in REFERENCE.finditer(text):
        for index in range(position, match.start()):
            yield index, index + 1, text[index]
        for letter in html.unescape(match.group()):
            yield match.start(), match.end(), letter
        position = match.end()
    for index in range(position, len(text)):
        yield index, index + 1, text[index]


def _disguised(text: str) -> int:
    count = 0
    for word in text.split():
        if any("a" <= letter <= "z" for letter in word.lower()):
            count += sum(
                letter.isalpha() and ord(letter) > 0x2FF and letter.translate(LOOKALIKES) != letter for letter in word
            )
    return count
