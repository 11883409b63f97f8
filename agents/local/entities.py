"""What a customer names: ids, e-mail, postcode, phone, name, dates, amounts, addresses, items; by rule, no guesses."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import dateparser
import phonenumbers
from email_validator import EmailNotValidError, validate_email
from price_parser import Price
from pydantic import BaseModel, ConfigDict, Field, field_validator

from agents.local.addresses import POSTCODE, find_addresses
from agents.local.clauses import Clause
from agents.local.matching import EXCLUDED
from agents.tasks import Entity
from policies.sentences import EXPONENTS
from policies.words import Json


class EntityPatterns(BaseModel):
    """What the playbook says about its own ids and its customers' countries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patterns: dict[str, list[str]] = Field(default_factory=dict)
    """Kind → regular expressions; the first group, or the whole match, is the value."""
    lookalikes: dict[str, list[str]] = Field(default_factory=dict)
    """The same for ids of another form, kept as written, so that looking them up fails politely: "#W8665881"."""
    regions: list[str] = Field(default_factory=lambda: ["DE", "GB", "US"])
    """Countries, ISO codes, whose phone numbers may be written without a country code; the first is tried first."""
    currency: str = "EUR"
    """What an amount without a currency sign is in."""
    date_order: str = "DMY"

    @field_validator("patterns", "lookalikes")
    @classmethod
    def _compiles(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for kind, expressions in value.items():
            for expression in expressions:
                try:
                    re.compile(expression)
                except re.error as error:
                    raise ValueError(f"{kind}: {expression!r} is no regular expression ({error})") from None
        return value


@dataclass(frozen=True, slots=True)
class _Found:
    kind: str
    value: Json
    start: int
    end: int
    rank: int
    """Where two overlap, the higher one stays."""


EMAIL = re.compile(r"[A-Za-z0-9._%+-]+\s?@\s?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
NAME_WORD = r"[A-ZÀ-Ý][\w'’-]*[a-zà-ÿ][\w'’-]*"
NAME = re.compile(
    rf"(?:\b[Mm]y (?:full )?name(?:'s| is|:)|\b[Ii](?:'m| am)|\b[Tt]his is|\b[Nn]ame\s*(?:is|:|-)|"
    rf"\b[Uu]nder the name(?: of)?|\b[Uu]se|\b(?i:name and (?:zip(?: code)?|postcode)):?)\s+"
    rf"(?P<name>{NAME_WORD}(?:[ ]+(?:(?:van|von|de|der|den|la|le|da|di|del|bin|al|ten)\s+)*{NAME_WORD}){{1,3}})"
)
LOWER_NAME = re.compile(r"\bmy (?:full )?name is ([a-z'-]+ [a-z'-]+)(?=$|[.,;\n]| and )", re.IGNORECASE)
FIRST_NAME = re.compile(r"first ?name\s*(?:is|:|-)\s*([^\s,;]+(?: [A-Z][\w'-]+)?)", re.IGNORECASE)
LAST_NAME = re.compile(
    r"(?:last ?name|surname|family name)\s*(?:is|:|-)\s*([^\s,;.]+(?: [A-Z][\w'-]+)?)", re.IGNORECASE
)
BARE_NAME = re.compile(
    rf"^\W*(?P<name>{NAME_WORD}(?: (?:van |von |de |der |la )?{NAME_WORD}){{1,3}})(?=\s*(?:$|[,.;\n]|and\b|-|–))",
    re.MULTILINE,
)
NOT_NAMES = frozenset(
    re.findall(
        r"\S+",
        """Not Sorry Sure Looking Happy Writing Calling Trying Waiting Having Really Very Just Glad Order The My Please
        Thanks Thank Hi Hello Yes No Ok Okay Zip Zipcode Email Postcode Phone Address Name First Last Good
        Dear Paypal PayPal Visa Mastercard Gift Card Credit Going Interested Afraid Unable Still Also Here
        Sincerely Regards Use""",
    )
)
POSTCODE_CONTEXT = re.compile(
    r"(?:zip(?:\s?code)?|post(?:al)?\s?code|plz|postcode)\b[^\w\n]{0,4}(?:(?:is|was|would be|should be|"
    r"on (?:the|my) account|number)\W{0,3}){0,2}\W{0,4}$",
    re.IGNORECASE,
)
ID_CONTEXT = re.compile(
    r"(?:order|purchase|confirmation|reference|ref|bestellung|bestellnummer|auftrag|commande|pedido)\b[\s:#.-]*(?:(?:number|no|nr|id|ids|is|it's|"
    r"reference)\b[\s:#.-]*){0,3}(?:\w{0,3}\s)?$|#\s?$",
    re.IGNORECASE,
)
PLACE_BEFORE = re.compile(r"(?:,\s*|\b)(?:[A-Z]{2}|[A-Z][a-z]+)[\s,]+$")
UNMISTAKABLE = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|\d{4}\s?[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|\d{5}-\d{4}|\d{3}\s\d{2}|\d{2}-\d{3}|\d{4}-\d{3}"
)
AMOUNT = re.compile(
    r"(?:(?:€|\$|£|¥|\b(?:EUR|USD|GBP|CHF|SEK|DKK|NOK|PLN|CAD|AUD|JPY)\b)\s?\d[\d.,' ]*\d|(?:€|\$|£|¥)\s?\d|"
    r"\d[\d.,']*\s?(?:€|\$|£|¥|\b(?:EUR|USD|GBP|CHF|SEK|DKK|NOK|PLN|CAD|AUD|JPY|euros?|dollars?|bucks|"
    r"pounds?|quid|francs|kronor)\b))",
    re.IGNORECASE,
)
CURRENCY_WORDS = {
    "€": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "dollar": "USD", "dollars": "USD", "bucks": "USD",
    "£": "GBP", "pound": "GBP", "pounds": "GBP", "quid": "GBP", "¥": "JPY", "francs": "CHF", "kronor": "SEK",
}  # fmt: skip
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
DATE = re.compile(
    rf"\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b\d{{1,2}}[./]\d{{1,2}}[./](?:\d{{4}}|\d{{2}})\b|\b\d{{1,2}}(?:st|nd|"
    rf"rd|th)?(?: of)? {MONTH}(?:,? \d{{4}})?\b|"
    rf"\b{MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?\b|\b(?:today|yesterday|tomorrow|the day before yesterday)\b|"
    r"\b(?:last|next|this) (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|week|month)\b|"
    r"\b(?:\d{1,3}|a|two|three|four|five|six|seven|ten) (?:days?|weeks?|months?) ago\b|\bin (?:\d{1,2}|two|"
    r"three|a) (?:days?|weeks?)\b",
    re.IGNORECASE,
)
NUMBERS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4,
    "5th": 5, "former": 1, "latter": -1,
}  # fmt: skip
ORDINAL = re.compile(
    r"\b(?:the\s+)?(first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|5th|former|latter)\s+(?:one|"
    r"option|order|item|of (?:them|these|those))\b|"
    r"\b(?:number|option|no\.?|item|choice)\s*#?\s*(\d{1,2})\b(?![.,]?\d)|^\W*(?:the\s+)?(first|second|"
    r"third|fourth|fifth|last|1st|2nd|3rd|4th|5th|former|latter)\W*$|"
    r"^\W*(\d{1,2})[.)]?\W*$",
    re.IGNORECASE | re.MULTILINE,
)
ALL = re.compile(
    r"\b(?:all of (?:them|it|these|those|the items)|everything|every(?: single)? item|both(?: of (?:them|"
    r"these))?|the (?:whole|entire|complete|full) (?:order|thing|lot)|"
    r"whole order|all (?:the |my |\w+ )?(?:items|products|things)|all (?:two|three|four|five|six)|"
    r"them all)\b|^\W*all\W*$",
    re.IGNORECASE,
)
NOT_ALL = re.compile(
    r"(?:that's|that is|is that|was|with|for|correct|handling|help with|taking care of|summarized)\s+$", re.IGNORECASE
)
ITEMS = re.compile(
    r"\b(?:return(?:ing)?|refund(?:ed)?(?: for| on)?|exchang(?:e|ing)|cancel(?:ling|ing)?|about|for|of|"
    r"with|swap|keep|send back|bought|ordered|received|got|damaged|sent|"
    r"broken|want|it's|its|on|it is|missing|replace|waiting for|where(?:'s| is| are)|lost|and(?: also)?|or|"
    r",|^|\n\W*)\s*\b"
    r"(?:just |only |back )?(?:the|my|a|an|this|these|those|two|three|both|some|one of the)\s+(?:two |three |pair of )?"
    r"(?P<items>[\w][\w'’-]*(?:\s+[\w'’-]+){0,4}?)"
    r"(?=$|[.,;:!?()\n—–]|\s(?:from|in|that|which|i|i'd|because|since|on|to|is|are|was|were|for|but|so|as|"
    r"please|and i|it|at|have|has|hasn't|haven't|didn't|arrived|with|"
    r"you|we|when|if|then|back|instead|not|never|today|now|yet|using|into|and|or|only|too|again|still|just|"
    r"will|would|can|could|should)\b)",
    re.IGNORECASE,
)
ITEMS_OF_ORDER = re.compile(
    r"\b(?:the|my|this|these|those|one of the)\s+(?P<items>[\w][\w'’-]*(?:\s+[\w'’-]+){0,3}?)"
    r"(?=\s(?:from|in|of)\s+(?:my\s+|the\s+)?(?:last\s+)?order\b)",
    re.IGNORECASE,
)
"""Things of an order, whatever the verb before them, misspelt too: "retrun the belt from order 20490"."""
NOT_ITEMS = frozenset(
    re.findall(
        r"\S+",
        """order orders refund refunds package parcel parcels delivery shipment money payment account address email
        number status help update change time problem issue question questions person human agent manager
        day days week return returns exchange info information details tracking zip postcode code name phone
        one ones item items product products thing things way moment same wrong new old original rest first
        second last recent following card paypal website store shop company policy price bill invoice label
        mistake system chat bot options cancellation confirmation difference total amount reason process
        purchase purchases order's couple few lot bit wallet cost""",
    )
)
OTHER_MATTERS = frozenset(
    re.findall(r"\S+", "refund refunds order orders payment account address shipping delivery email human agent")
)
NOT_FIRST = frozenset(re.findall(r"\S+", "is are was were has have i you we it they that this not be been all other"))
NEGATION_BEFORE = re.compile(
    r"(?:\bnot|\bisn't|\bnor|\bwasn't|\brather than|\binstead of|\bexcept(?: for)?|\bdon't (?:mean|"
    r"want))\s+(?:(?:the|my|that|this|for|order|number|one|item|#|in|with|about|at|on|to)\s*)*$",
    re.IGNORECASE,
)


def find_entities(text: str, *, patterns: EntityPatterns, now: datetime, asked: Sequence[str] = ()) -> list[Entity]:
    """Everything named in a message, in order, without overlaps.

    Args:
        text: The message; masked parts stay masked.
        patterns: The playbook's ids and countries.
        now: What "yesterday" is counted from.
        asked: Slots that we just asked for; five digits are a postcode if that was asked, an order id if not.
    """
    plain = text.replace("’", "'").replace("‘", "'")
    found = [
        *_emails(plain),
        *_addresses(plain),
        *_ids(plain, patterns),
        *_postcodes(plain, asked),
        *_phones(plain, patterns, asked),
        *_names(plain, asked),
        *_amounts(plain, patterns),
        *_dates(plain, now, patterns.date_order),
        *_ordinals(plain),
        *_alls(plain),
        *_items(plain),
    ]
    kept: list[_Found] = []
    for each in sorted(found, key=lambda one: (-one.rank, one.start, -one.end)):
        if any(each.kind == other.kind and each.value == other.value for other in kept):
            continue
        if all(each.end <= other.start or each.start >= other.end or _may_share(each, other) for other in kept):
            kept.append(each)
    return [
        Entity(
            kind=each.kind,
            value=each.value,
            text=text[each.start : each.end],
            start=each.start,
            end=each.end,
            negated=bool(NEGATION_BEFORE.search(plain[max(0, each.start - 40) : each.start])),
        )
        for each in sorted(kept, key=lambda one: (one.start, one.end))
    ]


def in_clauses(entities: Sequence[Entity], clauses: Sequence[Clause], intents: Sequence[int | None]) -> list[Entity]:
    """The same entities, each with the intent of the clause it stands in.

    Args:
        entities: As found.
        clauses: Of the same text.
        intents: For each clause the intent it belongs to, None for none in particular.
    """
    placed: list[Entity] = []
    for entity in entities:
        own = next((n for n, each in enumerate(clauses) if each.start <= entity.start < each.end), None)
        placed.append(entity.model_copy(update={"intent": intents[own] if own is not None else None}))
    return placed


def _may_share(one: _Found, other: _Found) -> bool:
    """A postcode inside an address is both; what an item is called may hold anything."""
    return {one.kind, other.kind} == {"address", "postcode"}


def _emails(text: str) -> Iterator[_Found]:
    for match in EMAIL.finditer(text):
        try:
            address = validate_email(re.sub(r"\s", "", match[0]), check_deliverability=False, allow_smtputf8=True)
        except EmailNotValidError:
            continue
        yield _Found("email", address.normalized.casefold(), match.start(), match.end(), 100)


def _addresses(text: str) -> Iterator[_Found]:
    for address in find_addresses(text):
        yield _Found("address", dict(address.value), address.start, address.end, 90)


def _ids(text: str, patterns: EntityPatterns) -> Iterator[_Found]:
    for source, rank in ((patterns.patterns, 60), (patterns.lookalikes, 59)):
        for kind, expressions in source.items():
            for expression in expressions:
                for match in _compiled(expression).finditer(text):
                    group = 1 if match.re.groups and match[1] is not None else 0
                    start, end = match.span(group)
                    bonus = 20 if ID_CONTEXT.search(text[max(0, start - 40) : start]) else 0
                    yield _Found(kind, match[group], start, end, rank + bonus)


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)


def _postcodes(text: str, asked: Sequence[str]) -> Iterator[_Found]:
    with_email = EMAIL.search(text) is not None
    for match in POSTCODE.finditer(text):
        before = text[max(0, match.start() - 40) : match.start()]
        digits = sum(character.isdigit() for character in match[0])
        if POSTCODE_CONTEXT.search(before):
            rank = 85
        elif ID_CONTEXT.search(before) or (digits == 4 and match[0].isdigit() and "postcode" not in asked):
            continue
        elif UNMISTAKABLE.fullmatch(match[0]):
            # Asked for, it is no phone number, however much it looks like one.
            rank = 71 if "postcode" in asked and "phone" not in asked else 58
        elif "postcode" in asked and "order_id" not in asked:
            rank = 82 if match[0].isdigit() and len(match[0]) == 5 else 65
        elif (
            PLACE_BEFORE.search(before)
            and len(match[0]) == 5
            and not re.search(
                r"(?:Order|Orders|Number|My|Is|ID|No|Hi|For|Bestellung|Bestellnummer|Auftrag|Nummer|Commande|Pedido)[\s,]+$",
                before,
            )
        ):
            rank = 75
        elif "postcode" in asked:
            rank = 55
        elif with_email:
            # Beside an e-mail address a lone number that is none of our ids is the other half of an identity.
            rank = 45
        else:
            continue
        yield _Found("postcode", re.sub(r"\s+", " ", match[0]).upper(), match.start(), match.end(), rank)


def _phones(text: str, patterns: EntityPatterns, asked: Sequence[str]) -> Iterator[_Found]:
    if sum(character.isdigit() for character in text) < 7:
        return
    seen: set[tuple[int, int]] = set()
    for region in patterns.regions:
        for match in phonenumbers.PhoneNumberMatcher(text, region):
            span = (match.start, match.end)
            said = match.raw_string
            plain_id = said.isdigit() and len(said) < 9 and "phone" not in asked
            if span in seen or plain_id or text[max(0, match.start - 1) : match.start] in {"#", "_"}:
                continue
            seen.add(span)
            value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
            yield _Found("phone", value, match.start, match.end, 70)


def _names(text: str, asked: Sequence[str]) -> Iterator[_Found]:
    first, last = FIRST_NAME.search(text), LAST_NAME.search(text)
    if first and last:
        start, end = min(first.start(1), last.start(1)), max(first.end(1), last.end(1))
        yield _Found("name", f"{first[1].strip(' .')} {last[1].strip(' .')}", start, end, 80)
        return
    for match in NAME.finditer(text):
        if not NOT_NAMES & set(match["name"].split()):
            yield _Found("name", match["name"], match.start("name"), match.end("name"), 50)
            return
    lower = LOWER_NAME.search(text)
    if lower:
        yield _Found("name", lower[1].title(), lower.start(1), lower.end(1), 50)
        return
    if "name" in asked:
        for match in BARE_NAME.finditer(text):
            if not NOT_NAMES & set(match["name"].split()):
                yield _Found("name", match["name"], match.start("name"), match.end("name"), 50)
                return


def _amounts(text: str, patterns: EntityPatterns) -> Iterator[_Found]:
    for match in AMOUNT.finditer(text):
        price = Price.fromstring(match[0])
        if price.amount is None:
            continue
        sign = (price.currency or "").casefold()
        currency = CURRENCY_WORDS.get(sign, sign.upper() if re.fullmatch(r"[a-z]{3}", sign) else "")
        if not currency:
            currency = next(
                (code for word, code in CURRENCY_WORDS.items() if word in match[0].casefold()), patterns.currency
            )
        minor = int((Decimal(price.amount) * 10 ** EXPONENTS.get(currency, 2)).to_integral_value())
        yield _Found("amount", {"amount_minor": minor, "currency": currency}, match.start(), match.end(), 72)


def _dates(text: str, now: datetime, order: str) -> Iterator[_Found]:
    for match in DATE.finditer(text):
        said = match[0]
        if re.fullmatch(r"(?i)may(?: \d)?", said):
            continue
        settings = {
            "RELATIVE_BASE": now.replace(tzinfo=None),
            "DATE_ORDER": order,
            "PREFER_DATES_FROM": "future" if re.match(r"(?i)next|tomorrow|in ", said) else "past",
        }
        day = dateparser.parse(said, languages=["en"], settings=settings)
        if day is not None:
            yield _Found("date", day.date().isoformat(), match.start(), match.end(), 74)


def find_ordinals(text: str) -> list[int]:
    """Places in a list that a text names, from 1; the last is -1."""
    return [each.value for each in _ordinals(text) if isinstance(each.value, int)]


def _ordinals(text: str) -> Iterator[_Found]:
    for match in ORDINAL.finditer(text):
        word = next(group for group in match.groups() if group)
        place = int(word) if word.isdigit() else NUMBERS[word.casefold()]
        yield _Found("ordinal", place, match.start(), match.end(), 20)


def _alls(text: str) -> Iterator[_Found]:
    for match in ALL.finditer(text):
        if not NOT_ALL.search(text[max(0, match.start() - 20) : match.start()]):
            sentence = re.split(r"[.!?\n]", text[match.end() :], maxsplit=1)[0]
            excluded: list[Json] = [*EXCLUDED.findall(sentence)]
            yield _Found("all", {"except": excluded} if excluded else True, match.start(), match.end(), 15)


def _items(text: str) -> Iterator[_Found]:
    for match in (*ITEMS.finditer(text), *ITEMS_OF_ORDER.finditer(text)):
        phrase = match["items"]
        words = [word.casefold() for word in phrase.split()]
        if (
            words[0] in NOT_FIRST
            or any(character.isdigit() for character in phrase)
            or not set(words) - NOT_ITEMS
            or words[-1] in NOT_ITEMS
        ):
            continue
        yield _Found("items", phrase, match.start("items"), match.end("items"), 10)
