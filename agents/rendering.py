"""Filling a draft's {placeholders} from evidence: money as money, dates in the brand's way, never a brace left over."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from agents.journeys import Voice
from agents.tasks import Cue, Known
from policies.sentences import EXPONENTS
from policies.words import Json

PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*\}")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
ADDRESS_ORDER = ("name", "street", "line2", "postcode", "city", "region", "state", "country")
SAID = frozenset({"customer", "person"})


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text with its values filled in."""

    text: str
    used: tuple[str, ...]
    """Paths that were filled, in order."""
    missing: tuple[str, ...]
    """Paths without a value, in order. With any of these the text must not be sent."""
    free_spans: tuple[tuple[int, int], ...]
    """Where the text is not from values: (start, end) pairs, in order. Only there can a draft claim anything itself."""


def render(text: str, values: Mapping[str, Json], voice: Voice) -> Rendered:
    """Fill the placeholders of a text.

    A value's own braces mean nothing: it is filled in once, as it is. A brace that is no placeholder is left out.

    Args:
        text: With dotted paths in braces: "{order.total}", "{cue1.records.0}".
        values: By the first name of the path. Money is {"amount_minor": 14890, "currency": "EUR"}.
        voice: How dates are written.
    """
    parts: list[str] = []
    used: list[str] = []
    missing: list[str] = []
    free: list[tuple[int, int]] = []
    length = position = 0

    def add(part: str, *, is_free: bool) -> None:
        nonlocal length
        if part and is_free:
            free.append((length, length + len(part)))
        parts.append(part)
        length += len(part)

    for match in PLACEHOLDER.finditer(text):
        add(_without_braces(text[position : match.start()]), is_free=True)
        position = match.end()
        path = match[1]
        value = value_at(values, path)
        if value is None:
            missing.append(path)
            continue
        used.append(path)
        add(in_words(value, voice, joiner="or" if path.endswith("options") else "and"), is_free=False)
    add(_without_braces(text[position:]), is_free=True)
    return Rendered("".join(parts), tuple(used), tuple(missing), tuple(free))


def placeholders(text: str) -> tuple[str, ...]:
    """The paths that a text refers to, in order."""
    return tuple(PLACEHOLDER.findall(text))


def values_of(known: Sequence[Known], cues: Sequence[Cue], *, reserved: Collection[str] = ()) -> dict[str, Json]:
    """What the placeholders of a draft may refer to.

    Evidence by name (of several rows of a name the latest), and each cue's own view under "cue1", "cue2", …: the rows
    it pins, its extra values, its records as labels. A cue that stands alone is also seen without that name. What a
    customer said is no evidence and is not there.

    Args:
        known: Evidence of the case.
        cues: The cues of the reply, in order.
        reserved: Names of tools' results. They come from evidence alone: a cue can't give them another meaning.
    """
    rows = {row.id: row for row in known}
    values: dict[str, Json] = {row.name: row.value for row in known if row.kind not in SAID}
    for place, cue in enumerate(cues, start=1):
        own: dict[str, Json] = {
            name: rows[each].value
            for name, each in cue.evidence.items()
            if each in rows and rows[each].name == name and rows[each].kind not in SAID
        }
        own |= {name: value for name, value in cue.values.items() if name not in reserved}
        if cue.records:
            own["records"] = [str(record.get("label", record.get("value", ""))) for record in cue.records]
        values[f"cue{place}"] = own
        if len(cues) == 1:
            values |= own
    return values


def value_at(values: Mapping[str, Json], path: str) -> Json:
    """The value at a dotted path; None where there is none."""
    first, *rest = path.split(".")
    value: Json = values.get(first)
    for part in rest:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return None if value in ("", [], {}) else value


def in_words(value: Json, voice: Voice, *, joiner: str = "and") -> str:
    """One value as the brand writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _date(value, voice) if ISO_DATE.fullmatch(value) else value
    if isinstance(value, dict):
        return _map(value, voice)
    if isinstance(value, list):
        words = [in_words(each, voice) for each in value if each is not None]
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joiner} {words[-1]}"
    return str(value)


def money(amount_minor: int, currency: str) -> str:
    """An amount in minor units as people read it: "148.90 EUR"."""
    digits = EXPONENTS.get(currency, 2)
    sign, whole = "-" if amount_minor < 0 else "", abs(amount_minor)
    if digits == 0:
        return f"{sign}{whole} {currency}".strip()
    return f"{sign}{whole // 10**digits}.{whole % 10**digits:0{digits}d} {currency}".strip()


def _map(value: Mapping[str, Json], voice: Voice) -> str:
    amount = value.get("amount_minor")
    if isinstance(amount, int) and not isinstance(amount, bool):
        return money(amount, str(value.get("currency", "")))
    if "label" in value:
        return in_words(value["label"], voice)
    if "street" in value or "postcode" in value:
        return _address(value, voice)
    if "name" in value:
        return in_words(value["name"], voice)
    return ", ".join(in_words(each, voice) for each in value.values() if each not in (None, "", [], {}))


def _address(value: Mapping[str, Json], voice: Voice) -> str:
    """ "42 Elm Street, Apt 3, 10115 Berlin, DE": postcode and city together, the rest by commas."""
    ordered = [name for name in ADDRESS_ORDER if value.get(name)] + [
        name for name in value if name not in ADDRESS_ORDER and value.get(name)
    ]
    parts: list[str] = []
    for name in ordered:
        words = in_words(value[name], voice)
        if name == "city" and value.get("postcode"):
            parts[-1] += f" {words}"
        else:
            parts.append(words)
    return ", ".join(parts)


def _date(text: str, voice: Voice) -> str:
    try:
        day = datetime.fromisoformat(text) if len(text) > 10 else date.fromisoformat(text)
    except ValueError:
        return text
    # "%-d" is not known to every platform's strftime.
    pattern = voice.date_format.replace("%-d", str(day.day)).replace("%-m", str(day.month))
    return day.strftime(pattern)


def _without_braces(text: str) -> str:
    return text.replace("{", "").replace("}", "")
