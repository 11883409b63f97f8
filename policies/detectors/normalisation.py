"""Text as detectors read it: look-alike letters, invisible characters and odd spacing undone, every place traceable.

Attackers write "іgnore" with a Cyrillic letter or put zero-width characters between letters; people paste full-width
digits. Patterns run on the normalised text, and what they find is reported at its place in the original.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

LOOKALIKES: Final = str.maketrans(
    "аеорсухіјѕһԁӏɡνοαετικρυχϲАВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ’‘‛ʼ＇´`“”„‟–—‐‑‒−",
    "aeopcyxijshdlgvoaetikpuxcABEKMHOPCTYXIJSABEZHIKMNOPTYX'''''''\"\"\"\"------",
)
"""Cyrillic and Greek letters that look Latin, and the many quotes and dashes."""


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

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Start and end in the original of a piece that isn't empty."""
        return self.origins[start], self.origins[end - 1] + 1


def normalise(text: str) -> Normalised:
    """Undo what hides words from patterns."""
    letters: list[str] = []
    origins: list[int] = []
    hidden = 0
    for index, original in enumerate(text):
        category = unicodedata.category(original)
        if category in ("Cf", "Mn", "Me", "Cs") or (category == "Cc" and not original.isspace()):
            inside = 0 < index < len(text) - 1 and text[index - 1].isalnum() and text[index + 1].isalnum()
            hidden += category == "Cf" and inside
            continue
        for plain in unicodedata.normalize("NFKD", original).translate(LOOKALIKES).lower():
            if not unicodedata.combining(plain):
                letters.append(" " if plain.isspace() and plain != "\n" else plain)
                origins.append(index)
    return Normalised("".join(letters), tuple(origins), hidden, _disguised(text))


def _disguised(text: str) -> int:
    count = 0
    for word in text.split():
        if any("a" <= letter <= "z" for letter in word.lower()):
            count += sum(
                letter.isalpha() and ord(letter) > 0x2FF and letter.translate(LOOKALIKES) != letter for letter in word
            )
    return count
