"""Parts of an address that add to or correct one given before: "yes, but apartment 4", "the postcode is 69003"."""

import re
from collections.abc import Mapping, Sequence

from agents.local.addresses import COUNTRIES, POSTCODE, STREET, FoundAddress, country_code, find_addresses, read_place
from agents.tasks import Line

LINE2 = re.compile(
    r"\b(?:(?:apt|apartment|flat|suite|unit|floor|room|door|wohnung|appartement)\b\.?\s*(?:number|no\.?|#)?\s*"
    r"(?:\d[\w-]*|[A-Z]\b)|\d+(?:st|nd|rd|th) floor\b)",
    re.IGNORECASE,
)
HOUSE_NUMBER = re.compile(
    r"\b(?:house |street )?(?:number|no\.|nr\.?)\s*(?:is|should be|was|:)?\s*(?:actually )?(\d{1,4}\s?[a-z]?)\b(?!\d)",
    re.IGNORECASE,
)
POSTCODE_SAID = re.compile(r"\b(?:post ?code|zip(?: ?code)?|postal code|plz)\b", re.IGNORECASE)
CITY = re.compile(
    r"\b(?:city|town)\s*(?:is|should be|:)?\s*(?:actually )?([A-ZÀ-Ý][\w'’-]+(?: [A-ZÀ-Ý][\w'’-]+)*)|"
    r"\bin ([A-ZÀ-Ý][\w'’-]+(?: [A-ZÀ-Ý][\w'’-]+)*)"
)
NOT_BEFORE = re.compile(r"(?:\bnot|\binstead of|\brather than|\bisn't)\s+(?:in |the |number |no\.? )*$", re.IGNORECASE)
OTHER_NUMBER = re.compile(
    r"\b(?:order|phone|tracking|apartment|apt|flat|suite|unit|floor|room|door)\s*(?:number|no\.)", re.IGNORECASE
)
BARE = re.compile(
    r"\W*(?:(?:yes|no|nope|but|sorry|actually|it's|it is|should be|make it|i meant|rather)\W+)*", re.IGNORECASE
)
"""What may stand before a postcode that is nothing but one."""
SHORT = 8
"""Words of a message that can be nothing but a postcode and a city."""


def find_corrected(text: str, earlier: Sequence[Line]) -> FoundAddress | None:
    """The address that a message makes of the one before by adding or correcting parts; None if it does neither.

    Args:
        text: The message, which answers our question for an address, or our showing one.
        earlier: What was said before, in order.
    """
    said = find_addresses(text)
    if said:
        return None
    base: dict[str, str] = {}
    shown = ""
    for line in earlier:
        if line.author != "customer":
            shown = line.text
            continue
        whole = find_addresses(line.text)
        if whole:
            base = dict(whole[-1].value)
        elif base and _is_about(base, shown, line.text) and (parts := find_parts(line.text)) is not None:
            base = merged(base, parts.value)
        elif not base and (street := STREET.search(line.text)):
            base = {"street": street[0].strip(" ,")}
    parts = find_parts(text)
    if not base or parts is None:
        return None
    value = merged(base, parts.value)
    if "street" not in value or not ({"city", "postcode"} & set(value)) or value == base:
        return None
    return FoundAddress(value, parts.start, parts.end)


def _is_about(base: Mapping[str, str], shown: str, said: str) -> bool:
    """Whether what was said adds to the address: it is not whole yet, or we had just shown it.

    Elsewhere a postcode says who is writing, above all beside an e-mail address.
    """
    is_whole = bool({"city", "postcode"} & set(base))
    return "@" not in said and (not is_whole or base.get("street", "") in shown)


def merged(base: Mapping[str, str], parts: Mapping[str, str]) -> dict[str, str]:
    """An address with parts put in place of its own; a new country or city keeps nothing of what it replaces."""
    value = dict(base) | {name: part for name, part in parts.items() if name != "number"}
    if "number" in parts and "street" in base and "street" not in parts:
        value["street"] = re.sub(r"\d{1,5}(?:\s?[a-z])?\b", parts["number"], base["street"], count=1)
    return value


def find_parts(text: str) -> FoundAddress | None:
    """The parts of an address in a message that gives no whole one; those that it takes back are left out."""
    found: dict[str, tuple[str, int, int]] = {}

    def take(name: str, value: str, start: int, end: int) -> None:
        if value.strip() and not NOT_BEFORE.search(text[:start]):
            found[name] = (value.strip(), start, end)

    for match in LINE2.finditer(text):
        take("line2", match[0], *match.span())
    for match in STREET.finditer(text):
        take("street", re.sub(r"\s+", " ", match[0]).strip(" ,"), *match.span())
    for match in HOUSE_NUMBER.finditer(text):
        if not OTHER_NUMBER.search(text[max(0, match.start() - 12) : match.end()]):
            take("number", match[1], *match.span(1))
    taken = [(start, end) for _, start, end in found.values()]
    for match in POSTCODE.finditer(text):
        free = all(match.end() <= start or match.start() >= end for start, end in taken)
        if free and (POSTCODE_SAID.search(text) or BARE.fullmatch(text[: match.start()])):
            take("postcode", match[0], *match.span())
    for match in CITY.finditer(text):
        group = 1 if match[1] else 2
        name = "country" if match[group].casefold() in COUNTRIES else "city"
        take(name, country_code(match[group]) if name == "country" else match[group], *match.span(group))
    if "street" not in found and len(text.split()) <= SHORT:
        for name, part in read_place(text).items():
            found.setdefault(name, (part, 0, len(text.rstrip())))
    if not found:
        return None
    return FoundAddress(
        {name: value for name, (value, _, _) in found.items()},
        min(start for _, start, _ in found.values()),
        max(end for _, _, end in found.values()),
    )
