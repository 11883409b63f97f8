"""Numbers that a state gives to a person or a bank to an account, told from other numbers by their check digits.

A number is taken for one where its own form and check digits leave little doubt, or where the words before it name it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
"""The letter of a Spanish DNI is the number's remainder by 23."""
_IRISH = "WABCDEFGHIJKLMNOPQRSTUV"
_FINNISH = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ITALIAN_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip
_NAMED = (
    r"(?:social security|national insurance|national id(?:entity)?|id(?:entity)? card|passport|driver'?s licen[cs]e|"
    r"tax(?:payer)? (?:id(?:entification)?|number|file)|ssn|nino|bsn|dni|nie|nif|nir|pesel|cpr|personnummer|"
    r"henkilotunnus|"
    r"codice fiscale|steuer(?:-?id|nummer|identifikationsnummer)?|sozialversicherungsnummer|"
    r"personalausweis(?:nummer)?|"
    r"numero de securite sociale|pps)"
)
NAMED: Final = re.compile(
    rf"\b{_NAMED}\b(?:\s*(?:number|no\.?|nr\.?|nummer|id|#))?\s*(?:is|ist|est|es|:|=|-)?\s*"
    r"(?P<value>(?=[a-z0-9 ./-]*\d{2})[a-z0-9](?:[a-z0-9]|[ ./-](?=\w*\d)){4,19})(?!\w)"
)
"""A number that the words before it name, whatever country it is of."""

IBAN: Final = re.compile(r"(?<![a-z0-9])[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){2,7}(?: ?[a-z0-9]{1,4})?(?![a-z0-9])", re.ASCII)


def find_national_ids(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and which kind of number, in a normalised text."""
    for kind, pattern, is_valid in FORMS:
        for match in pattern.finditer(text):
            if is_valid(re.sub(r"[ ./-]", "", match.group()).upper()):
                yield *match.span(), kind
    for match in NAMED.finditer(text):
        yield *match.span("value"), "a number that was named"


def find_bank_accounts(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each IBAN with right check digits, in a normalised text."""
    for match in IBAN.finditer(text):
        # The last group may be an ordinary word that follows: the longest piece that checks is the number.
        words = match.group().split(" ")
        for last in range(len(words), 0, -1):
            piece = " ".join(words[:last])
            if 15 <= len(piece.replace(" ", "")) <= 34 and _is_iban(piece.replace(" ", "").upper()):
                yield match.start(), match.start() + len(piece)
                break


def _is_iban(text: str) -> bool:
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def _weighted(text: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(text, weights, strict=False))


def _is_us(text: str) -> bool:
    return text[:3] not in {"000", "666"} and text[0] != "9" and text[3:5] != "00" and text[5:] != "0000"


def _is_pesel(text: str) -> bool:
    month = int(text[2:4]) % 20
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    return 1 <= month <= 12 and 1 <= int(text[4:6]) <= 31 and -_weighted(text, weights) % 10 == int(text[10])


def _is_swedish(text: str) -> bool:
    digits = text[-10:]
    if not (1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) % 60 <= 31):
        return False
    total = 0
    for place, digit in enumerate(digits):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_danish(text: str) -> bool:
    # Numbers since 2007 need no check digit; the form with its hyphen and a date tells.
    return 1 <= int(text[:2]) <= 31 and 1 <= int(text[2:4]) <= 12


def _is_finnish(text: str) -> bool:
    return _FINNISH[int(text[:6] + text[-4:-1]) % 31] == text[-1]


def _is_french(text: str) -> bool:
    body = text[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(text[13:]) and text[0] in "12"


def _is_belgian(text: str) -> bool:
    rest = 97 - int(text[:9]) % 97, 97 - int(f"2{text[:9]}") % 97
    return int(text[9:]) in rest and int(text[2:4]) <= 12 and int(text[4:6]) <= 31


def _is_italian(text: str) -> bool:
    total = 0
    for place, letter in enumerate(text[:15]):
        total += _ITALIAN_ODD[letter] if place % 2 == 0 else (int(letter) if letter.isdigit() else ord(letter) - 65)
    return chr(65 + total % 26) == text[15]


def _is_spanish(text: str) -> bool:
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return _LETTERS[int(number) % 23] == text[-1]


def _is_irish(text: str) -> bool:
    total = _weighted(text, (8, 7, 6, 5, 4, 3, 2)) + (9 * (ord(text[8]) - 64) if len(text) == 9 else 0)
    return _IRISH[total % 23] == text[7]


FORMS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]] = (
    ("a number of the United States", re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])", re.ASCII), _is_us),
    (
        "a number of the United Kingdom",
        re.compile(r"(?<!\w)[a-ceghj-prstw-z][a-ceghj-nprstw-z] ?\d{2} ?\d{2} ?\d{2} ?[a-d](?!\w)", re.ASCII),
        lambda text: text[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"},
    ),
    ("a number of Poland", re.compile(r"(?<![\w-])\d{11}(?![\w-])", re.ASCII), _is_pesel),
    ("a number of Sweden", re.compile(r"(?<![\w-])(?:19|20)?\d{6}[-+]\d{4}(?![\w-])", re.ASCII), _is_swedish),
    ("a number of Denmark", re.compile(r"(?<![\w-])\d{6}-\d{4}(?![\w-])", re.ASCII), _is_danish),
    ("a number of Finland", re.compile(r"(?<![\w-])\d{6}[-+a-f]\d{3}[0-9a-fhj-npr-y](?![\w-])", re.ASCII), _is_finnish),
    (
        "a number of France",
        re.compile(r"(?<![\w-])[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[ab]) ?\d{3} ?\d{3} ?\d{2}(?![\w-])", re.ASCII),
        _is_french,
    ),
    ("a number of Belgium", re.compile(r"(?<![\w-])\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}(?![\w-])", re.ASCII), _is_belgian),
    (
        "a number of Italy",
        re.compile(r"(?<!\w)[a-z]{6}\d{2}[a-ehlmprst]\d{2}[a-z]\d{3}[a-z](?!\w)", re.ASCII),
        _is_italian,
    ),
    ("a number of Spain", re.compile(r"(?<!\w)(?:\d{8}|[xyz]-?\d{7})-?[a-hj-np-tv-z](?!\w)", re.ASCII), _is_spanish),
    ("a number of Ireland", re.compile(r"(?<!\w)\d{7}[a-w][a-i]?(?!\w)", re.ASCII), _is_irish),
)
"""Kinds whose form and check digits tell them from other numbers. Those of other countries are known where named."""
