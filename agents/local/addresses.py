"""Postal addresses in free text: labelled lines, or a street and what follows it."""

import re
from dataclasses import dataclass

STREET_WORDS = (
    r"street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|way|court|ct|place|pl|square|sq|terrace|"
    r"close|crescent|"
    r"gardens|grove|hill|highway|hwy|parkway|pkwy|circle|row|mews|walk|quay|park|path"
)
STREET_PATTERNS = (
    # 42 Elm Street
    rf"\d{{1,5}}[a-z]?(?:\s+(?:[NSEW]\.?|north|south|east|"
    rf"west))?\s+(?:[A-Z][\w'’.-]*\s+){{1,4}}(?i:{STREET_WORDS})\b\.?",
    # Linden Street 4, Mill Lane 12b
    rf"(?:[A-Z][\w'’.-]*\s+){{1,3}}(?i:{STREET_WORDS})\b\.?,?\s+\d{{1,4}}\s?[a-z]?\b(?!\s+(?i:{STREET_WORDS})\b)",
    # 101 Highway
    rf"\d{{1,5}}\s+(?i:{STREET_WORDS})\b",
    # 12 rue de la Paix, 12bis, Rue Oberkampf
    r"\d{1,4}(?:\s?(?:bis|ter))?,?\s+(?i:rue|avenue|boulevard|place|chemin|allée|impasse|quai|"
    r"cours)\s+[\w'’ -]{3,40}?(?=,|\n|$|\s\d{4,5}\b)",
    # Rue Oberkampf 12, Via Roma 3, Calle Mayor 5
    r"(?i:rue|via|viale|piazza|corso|calle|avenida|plaza|rua|paseo|carrer|"
    r"largo)\s+[A-ZÀ-Ý][\w'’ .-]{2,40}?,?\s+\d{1,4}[a-z]?\b",
    # Lindenstraße 12, Kerkstraat 5, Storgatan 3B, Am Markt 7
    r"(?:[A-ZÀ-Ý][\w'’-]*\s+){0,3}[A-ZÀ-Ý][\w'’-]*(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm|"
    r"ring|straat|laan|gracht|plein|"
    r"kade|gatan|gata|vägen|gade|vej|katu|tie)\s+\d{1,4}\s?[a-z]?\b",
    r"(?:Am|An der|Auf der|Im|Zum|Zur)\s+[A-ZÀ-Ý][\w-]+\s+\d{1,4}[a-z]?\b",
    r"(?:[A-ZÀ-Ý][\w'’-]*\s+){0,2}(?:Straße|Strasse|Weg|Platz|Allee|Gasse)\s+\d{1,4}\s?[a-z]?\b",
)
STREET = re.compile("|".join(f"(?:{pattern})" for pattern in STREET_PATTERNS))
LINE2 = re.compile(
    r"^(?:(?:apt|apartment|suite|ste|unit|flat|floor|room|building|bldg|wohnung|appartement|étage|"
    r"c/o)\b\.?\s*#?\s*[\w-]+|#\s*\w+|"
    r"\d+(?:st|nd|rd|th)\s+floor)$",
    re.IGNORECASE,
)
POSTCODE_PATTERN = (
    r"\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|\d{4}\s?[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|"
    r"\d{2}-\d{3}|\d{4}-\d{3}|"
    r"\d{3}\s\d{2}|(?:[A-Z]{1,2}-)?\d{4,5}|[AC-FHKNPRTV-Y]\d[\dW]\s?[\dAC-FHKNPRTV-Y]{4}"
)
POSTCODE = re.compile(rf"(?<![\w#-])(?:{POSTCODE_PATTERN})(?![\w-])")
REGIONS = frozenset(
    [
        "AL",
        "AK",
        "AZ",
        "AR",
        "CA",
        "CO",
        "CT",
        "DE",
        "FL",
        "GA",
        "HI",
        "ID",
        "IL",
        "IN",
        "IA",
        "KS",
        "KY",
        "LA",
        "ME",
        "MD",
        "MA",
        "MI",
        "MN",
        "MS",
        "MO",
        "MT",
        "NE",
        "NV",
        "NH",
        "NJ",
        "NM",
        "NY",
        "NC",
        "ND",
        "OH",
        "OK",
        "OR",
        "PA",
        "RI",
        "SC",
        "SD",
        "TN",
        "TX",
        "UT",
        "VT",
        "VA",
        "WA",
        "WV",
        "WI",
        "WY",
        "DC",
        "AB",
        "BC",
        "MB",
        "NB",
        "NL",
        "NS",
        "ON",
        "PE",
        "QC",
        "SK",
    ]
)
COUNTRIES = {
    "germany": "DE", "deutschland": "DE", "austria": "AT", "österreich": "AT", "switzerland": "CH", "schweiz": "CH",
    "france": "FR", "italy": "IT", "italia": "IT", "spain": "ES", "españa": "ES", "portugal": "PT", "netherlands": "NL",
    "the netherlands": "NL", "holland": "NL", "belgium": "BE", "luxembourg": "LU", "denmark": "DK", "sweden": "SE",
    "norway": "NO", "finland": "FI", "ireland": "IE", "poland": "PL", "czechia": "CZ", "czech republic": "CZ",
    "slovakia": "SK", "hungary": "HU", "slovenia": "SI", "croatia": "HR", "romania": "RO", "bulgaria": "BG",
    "greece": "GR",
    "estonia": "EE", "latvia": "LV", "lithuania": "LT", "united kingdom": "GB", "great britain": "GB", "england": "GB",
    "scotland": "GB", "wales": "GB", "uk": "GB", "united states": "US", "united states of america": "US", "usa": "US",
    "u.s.a.": "US", "us": "US", "u.s.": "US", "canada": "CA",
}  # fmt: skip
LABELS = {
    "street": r"(?:street(?: address)?|address(?: ?line)? ?1|address1|address|street and number)",
    "line2": r"(?:address(?: ?line)? ?2|address2|apt|apartment|suite|unit|line ?2)",
    "city": r"(?:city|town)",
    "region": r"(?:state|region|province|county)",
    "postcode": r"(?:zip(?: ?code)?|post ?code|postal code|plz)",
    "country": r"country",
}
WITH_CITY = 2
"""Parts beside which a postcode is more than a number after a street."""
SMALL_WORDS = frozenset(
    re.findall(
        r"\S+",
        """a an and are as at be but can change could deliver delivery for from have hello hi i i'd i'm in instead is it
        its just me moved move my need new no not now of on or order orders our parcel please send ship shipped so
        that the then there this to too update use we with would yes you your address want will should go goes
        going addressed parents house office home flat de la le du del della di da von van der den am""",
    )
)
"""Words that are no part of a street's or a city's name where somebody types without capitals."""
NOTHING = frozenset({"none", "n/a", "na", "-", "no", "nothing", "empty"})


@dataclass(frozen=True, slots=True)
class FoundAddress:
    """An address and where it stands."""

    value: dict[str, str]
    """street, line2, city, region, postcode, country (ISO code where we know it); only what was said."""
    start: int
    end: int


def find_addresses(text: str) -> list[FoundAddress]:
    """Addresses in a text. One counts only with a street and a city or postcode; the rest would be a guess."""
    labelled = _labelled(text)
    if labelled is not None:
        return [labelled]
    found = _in_prose(text)
    if found:
        return found
    # Typed without capitals nothing tells a city from any other word, so such an address needs its postcode.
    return [each for each in _in_prose(_capitalised(text)) if "postcode" in each.value and len(each.value) > WITH_CITY]


def read_place(text: str) -> dict[str, str]:
    """Postcode, city and country of a few words that are nothing else: "8010 Graz, Austria"; empty if they are more."""
    value: dict[str, str] = {}
    pieces = [piece.strip(" .") for piece in re.split(r"[,\n]", text) if piece.strip(" .")]
    taken = all(_takes(_capitalised(piece), value) for piece in pieces)
    return value if taken and "postcode" in value else {}


def _capitalised(text: str) -> str:
    """The text with a capital for each word that may be part of a name, letter by letter in the same places."""

    def upper(match: re.Match[str]) -> str:
        word = match[0]
        first = word[0].upper()
        return first + word[1:] if len(first) == 1 and word.casefold() not in SMALL_WORDS else word

    return re.sub(r"(?<![\w'’])[^\W\d_][\w'’]*", upper, text)


def _in_prose(text: str) -> list[FoundAddress]:
    found: list[FoundAddress] = []
    for match in STREET.finditer(text):
        if found and match.start() < found[-1].end:
            continue
        address = _from_street(text, match)
        if address is not None:
            found.append(address)
    return found


def country_code(name: str) -> str:
    """The ISO code of a country's name; the name itself where we don't know it."""
    plain = name.strip(" .").casefold()
    return COUNTRIES.get(plain, COUNTRIES.get(name.strip().casefold(), name.strip()))


def _labelled(text: str) -> FoundAddress | None:
    value: dict[str, str] = {}
    start, end = len(text), 0
    for key, pattern in LABELS.items():
        match = re.search(rf"(?:^|[\n,;/]|[-*•]\s)\s*[-*•]?\s*{pattern}\s*[:=]\s*([^\n;]+)", text, re.IGNORECASE)
        if match is None:
            continue
        said = match[1].strip(" ,.*")
        following = re.search(r",\s*(?:" + "|".join(LABELS.values()) + r")\s*[:=]", said, re.IGNORECASE)
        if following:
            said = said[: following.start()].strip(" ,")
        if said.casefold() in NOTHING:
            continue
        value[key] = country_code(said) if key == "country" else said
        start, end = min(start, match.start(1)), max(end, match.end(1))
    if "street" not in value or not ({"city", "postcode"} & set(value)):
        return None
    if not re.search(r"\d", value["street"]) or "," in value["street"]:
        return None
    return FoundAddress(value, start, end)


def _from_street(text: str, match: re.Match[str]) -> FoundAddress | None:
    value = {"street": re.sub(r"\s+", " ", match[0]).strip(" ,")}
    end = match.end()
    tail = text[end : end + 160]
    stop = re.search(
        r"(?<=[a-z0-9])[.!?](?:\s|$)|\n\s*\n|\s[—–-]\s|[;()]|\b(?:please|thanks|thank|instead|and|for|as|is|so)\b",
        tail,
        re.IGNORECASE,
    )
    tail = tail[: stop.start()] if stop else tail
    place = 0
    for part in re.split(r"(\s*[,\n]\s*)", tail):
        width = len(part)
        piece = part.strip(" ,\n.")
        if piece:
            if (
                place
                and not re.match(r"^\s*[,\n]", tail)
                and not value.keys() - {"street"}
                and not _takes(piece, dict(value))
            ):
                break
            if not _takes(piece, value):
                break
            end = match.end() + place + width
        place += width
    if not ({"city", "postcode"} & set(value)):
        return None
    return FoundAddress(value, match.start(), end)


def _takes(piece: str, value: dict[str, str]) -> bool:
    """Put one part of an address where it belongs; False if it is none."""
    if "country" in value:
        return False
    if LINE2.match(piece) and "city" not in value and "postcode" not in value:
        value["line2"] = piece
        return True
    if piece.casefold().strip(".") in COUNTRIES or piece.casefold() in COUNTRIES:
        value["country"] = country_code(piece)
        return True
    if piece.upper() in REGIONS and "city" in value and "region" not in value:
        value["region"] = piece.upper()
        return True
    postcode = POSTCODE.search(piece)
    if postcode and "postcode" not in value:
        before, after = piece[: postcode.start()].strip(" ,"), piece[postcode.end() :].strip(" ,")
        words = [word for word in (before, after) if word]
        if any(not _is_place(word) for word in words):
            return False
        value["postcode"] = postcode[0]
        for word in words:
            _place_name(word, value)
        return True
    if _is_place(piece):
        _place_name(piece, value)
        return True
    return False


def _place_name(words: str, value: dict[str, str]) -> None:
    *city, last = words.split()
    if last.upper() in REGIONS and last.isupper() and (city or "city" in value):
        value["region"] = last
        words = " ".join(city)
    elif words.casefold() in COUNTRIES:
        value["country"] = country_code(words)
        return
    if words:
        key = "city" if "city" not in value else "region"
        value.setdefault(key, words)


def _is_place(words: str) -> bool:
    return bool(
        re.fullmatch(
            r"(?:[A-ZÀ-Ý][\w'’.-]*|de|del|la|le|sur|am|an|der|upon|of|the)(?:\s+(?:[A-ZÀ-Ý][\w'’.-]*|de|"
            r"del|la|le|sur|am|an|der|upon|of|the|D\.?C\.?)){0,4}",
            words,
        )
    )
