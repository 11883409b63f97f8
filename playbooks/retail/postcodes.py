"""Countries by name or code, and what their postcodes look like."""

import re

from .catalogue import COUNTRIES

_SPELLINGS = {
    **{name.casefold(): code for code, name in COUNTRIES.items()},
    "deutschland": "DE",
    "österreich": "AT",
    "the netherlands": "NL",
    "holland": "NL",
    "españa": "ES",
    "italia": "IT",
    "sverige": "SE",
    "danmark": "DK",
    "polska": "PL",
    "suomi": "FI",
    "belgique": "BE",
    "belgië": "BE",
    "republic of ireland": "IE",
    "éire": "IE",
    "switzerland": "CH",
    "norway": "NO",
    "united kingdom": "GB",
    "great britain": "GB",
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "usa": "US",
    "united states": "US",
    "united states of america": "US",
}

_FORMS = {
    "AT": r"[0-9]{4}",
    "BE": r"[0-9]{4}",
    "DE": r"[0-9]{5}",
    "DK": r"[0-9]{4}",
    "ES": r"[0-9]{5}",
    "FI": r"[0-9]{5}",
    "FR": r"[0-9]{5}",
    "IE": r"[A-Z][0-9][0-9W][A-Z0-9]{4}",
    "IT": r"[0-9]{5}",
    "LU": r"[0-9]{4}",
    "NL": r"[0-9]{4}[A-Z]{2}",
    "PL": r"[0-9]{5}",
    "PT": r"[0-9]{7}",
    "SE": r"[0-9]{5}",
}


def country_code(country: str) -> str:
    """The two-letter code for a country as people write it; what was written, in capitals, if it isn't known."""
    plain = " ".join(country.split()).strip(".")
    return _SPELLINGS.get(plain.casefold(), plain.upper())


def is_postcode(postcode: str, country: str) -> bool:
    """Whether a postcode has the form of those in the country; spaces and hyphens don't matter."""
    form = _FORMS.get(country)
    plain = "".join(postcode.split()).replace("-", "").upper().removeprefix(country)
    return form is not None and re.fullmatch(form, plain) is not None
