"""Claims in the free text of a draft: what only evidence may say, and a writer wrote anyway (P9).

Amounts, dates, ids, statuses, statements of action and promises are rendered from evidence through placeholders like
`{evidence.refund.amount}`. Whatever of these stands outside a placeholder is found here; whether something backs it is
the caller's to say. Patterns lean towards finding too much: a held draft costs a moment, a false statement costs trust.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from policies.detectors.normalisation import normalise

ClaimKind: TypeAlias = Literal["amount", "date", "id", "status", "action", "promise"]

PLACEHOLDER: Final = re.compile(r"\{[A-Za-z_][\w.\-\[\]]*\}")


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, where it stands in the text."""

    kind: ClaimKind
    text: str
    start: int
    end: int


def free_text(draft: str) -> str:
    """The draft with every placeholder blanked, so that places stay the same."""
    return PLACEHOLDER.sub(lambda match: " " * len(match.group()), draft)


def find_claims(text: str) -> tuple[Claim, ...]:
    """All claims outside placeholders, in order of place; of claims of one kind that overlap the longest."""
    seen = normalise(free_text(text))
    found: dict[ClaimKind, list[tuple[int, int]]] = {}
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(seen.text):
            start, end = match.span()
            if kind in ("status", "action", "promise") and _is_conditional(seen.text, start):
                continue
            found.setdefault(kind, []).append(seen.span(start, end))
    claims = [
        Claim(kind, text[start:end], start, end) for kind, spans in found.items() for start, end in _widest(spans)
    ]
    return tuple(sorted(claims, key=lambda claim: (claim.start, claim.end, claim.kind)))


def _widest(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _is_conditional(text: str, start: int) -> bool:
    """Whether the clause before says that it is about a case and not about what happened."""
    return bool(CONDITIONAL.search(text[max(0, start - 60) : start]))


CONDITIONAL: Final = re.compile(r"\b(?:if|whether|unless|until|once|when|whenever|in case|as soon as)\b[^.,;:!?\n]*$")

_DONE = (
    r"(?:refunded|credited|reimbursed|cancell?ed|changed|updated|modified|corrected|booked|"
    r"re-?booked|scheduled|rescheduled|sent|"
    r"e-?mailed|texted|shipped|dispatched|re-?shipped|ordered|reordered|replaced|exchanged|returned|"
    r"issued|processed|submitted|"
    r"created|opened|filed|raised|registered|removed|deleted|added|applied|approved|confirmed|"
    r"completed|initiated|started|"
    r"arranged|reserved|escalated|forwarded|transferred|notified|informed|charged|paid|verified|closed|stopped|blocked|"
    r"unlocked|reset|activated|deactivated|unsubscribed|extended|upgraded|waived|taken care of|gone ahead|put through)"
)
_DOING = (
    r"(?:refunding|crediting|cancell?ing|changing|updating|booking|sending|shipping|replacing|"
    r"exchanging|issuing|processing|"
    r"submitting|applying|arranging|escalating|transferring|opening|creating)"
)
_WILL = (
    r"(?:refund|credit|reimburse|cancel|change|update|book|send|e-?mail|ship|replace|exchange|issue|"
    r"process|submit|apply|arrange|"
    r"escalate|transfer|call|waive|upgrade|deliver|pay|compensate)"
)
_ADVERBS = r"(?:\s+(?:just|now|already|also|successfully|gladly|personally|immediately|therefore|then|both))*"
_THING = r"(?:your|the|this|that|a|its|it|they|all|both|everything)(?:\s+[#\w'-]+){0,4}?"
_AMOUNT_WORDS = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|"
    r"fifty|sixty|seventy|eighty|"
    r"ninety|hundred|thousand)"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_CURRENCY = r"(?:usd|eur|gbp|chf|cad|aud|jpy|sek|nok|dkk|pln|inr|dollars?|euros?|pounds?|cents?|francs?|bucks|quid)"

_SOURCES: Final[tuple[tuple[ClaimKind, str], ...]] = (
    ("amount", r"[$€£¥]\s?\d[\d.,' ]{0,20}\d|[$€£¥]\s?\d|\d[\d.,']{0,20}\s?[$€£¥]"),
    ("amount", rf"\b\d[\d.,']{{0,20}}\s?{_CURRENCY}\b|\b{_CURRENCY}\s?\d[\d.,']{{0,20}}"),
    ("amount", rf"\b{_AMOUNT_WORDS}(?:[ -]{_AMOUNT_WORDS})*\s+{_CURRENCY}\b"),
    ("amount", r"\b\d+(?:[.,]\d+)?\s?(?:%|percent\b|per cent\b)"),
    ("amount", r"(?<![\d.,])\d{1,3}(?:[.,]\d{3})*[.,]\d{2}(?![\d.,]*\d)"),
    ("date", r"\b\d{4}-\d{2}-\d{2}(?:[t ]\d{2}:\d{2}(?::\d{2})?)?\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b"),
    (
        "date",
        rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}|{_MONTH}\.?\s+\d{{1,2}}(?:st|nd|rd|"
        rf"th)?)\b(?:,?\s+\d{{4}})?",
    ),
    (
        "date",
        rf"\b(?:on|by|until|before|after|since|next|this|last|for)\s+{_DAY}\b|\b(?:tomorrow|yesterday|"
        rf"tonight|day after tomorrow|next (?:week|month)|by (?:noon|midnight|the end of (?:the )?(?:day|"
        rf"week|month)))\b",
    ),
    (
        "date",
        rf"\b(?:in|within|after|takes?|up to|about|around|at least)\s+(?:the next\s+)?(?:\d+|"
        rf"{_AMOUNT_WORDS}|a few|a couple of)(?:\s?(?:-|to|or)\s?(?:\d+|{_AMOUNT_WORDS}))?\s+(?:business |"
        rf"working )?(?:minutes?|hours?|days?|weeks?|months?)\b",
    ),
    (
        "date",
        rf"\b(?:\d+|{_AMOUNT_WORDS})\s?(?:-|to)\s?(?:\d+|{_AMOUNT_WORDS})\s+(?:business |"
        rf"working )?(?:minutes|hours|days|weeks|months)\b",
    ),
    (
        "date",
        r"\b(?:at|by|before|after|until)\s+\d{1,2}(?::\d{2})?\s?(?:am|pm|a\.m\.|p\.m\.|o'clock)\b|"
        r"\b\d{1,2}:\d{2}\b",
    ),
    ("id", r"#\s?\w*\d\w*|\b[a-z]{1,5}-?\d{3,}[a-z0-9-]*\b|\b[a-z]{2,5}(?:-[a-z0-9]+){0,6}-\d+\b|\b\d[\d-]{4,}\d\b"),
    ("id", r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+\b"),
    (
        "status",
        rf"\b{_THING}\s+(?:is|are|was|were|has been|have been)(?:\s+(?:now|already|currently|still|also|"
        rf"successfully))*\s+"
        r"(?:shipped|delivered|cancell?ed|refunded|processed|approved|confirmed|returned|dispatched|paid|"
        r"pending|delayed|lost|"
        r"on (?:its|the) way|out for delivery|in transit|in stock|out of stock|available|complete[d]?|"
        r"active|closed|open|verified|"
        r"eligible|ready|scheduled|booked|blocked|being (?:processed|shipped|prepared|refunded))\b",
    ),
    ("status", r"\bstatus\s*(?:is|:|=|shows|reads)\s*\"?[a-z]+"),
    (
        "status",
        r"\b(?:it|(?:your|the) (?:order|package|parcel|item|refund|shipment)) (?:has )?(?:arrived|"
        r"shipped|went out|left (?:our|the) warehouse)\b",
    ),
    ("action", rf"\b(?:i|we)(?:'ve| have| had)?{_ADVERBS}\s+{_DONE}\b"),
    ("action", rf"\b(?:i|we)(?:'m|'re| am| are){_ADVERBS}\s+{_DOING}\b"),
    ("action", rf"\b{_THING}\s+(?:was|were|has been|have been|is being|are being){_ADVERBS}\s+{_DONE}\b"),
    (
        "action",
        r"\b(?:refund|cancellation|change|exchange|return|replacement|transfer|request|booking|payment|"
        r"credit)\s+(?:is|was|has been|went)\s+(?:done|complete|through|successful|made|in progress|"
        r"on its way)\b",
    ),
    (
        "action",
        r"\b(?:all done|it(?:'s| is) done|that(?:'s| is) (?:done|taken care of|sorted)|you(?:'re| are) all set)\b",
    ),
    (
        "promise",
        r"\b(?:i|we)(?:\s+can)?\s+(?:guarantee|promise|assure you|ensure)\b|\b(?:guaranteed|rest assured|"
        r"you have my word)\b",
    ),
    (
        "promise",
        rf"\b(?:i|we)(?:'ll| will| shall|'m going to|'re going to| am going to|"
        rf" are going to){_ADVERBS}\s+{_WILL}\b",
    ),
    (
        "promise",
        r"\byou(?:'ll| will| shall| should)(?:\s+(?:also|then|soon|shortly|automatically))*\s+(?:receive|"
        r"get|be (?:refunded|credited|contacted|notified|charged|compensated|reimbursed)|see (?:the|your|"
        r"it)|have (?:the|your|it))\b",
    ),
    (
        "promise",
        rf"\b{_THING}\s+will(?:\s+(?:also|then|soon|automatically))*\s+(?:be\s+(?:\w+ly\s+)?(?:{_DONE}|"
        rf"delivered|free)|arrive|ship|appear|go out|reach you|take)\b",
    ),
)
PATTERNS: Final = tuple((kind, re.compile(pattern)) for kind, pattern in _SOURCES)
