"""Claims in the free text of a draft: what only evidence may say, and a writer wrote anyway (P9).

Amounts, dates, ids, statuses, statements of action and promises are rendered from evidence through placeholders like
`{evidence.refund.amount}`. Whatever of these stands outside a placeholder is found here; whether something backs it is
the caller's to say. Patterns lean towards finding too much: a held draft costs a moment, a false statement costs trust.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from policies.detectors.normalisation import normalise

ClaimKind: TypeAlias = Literal["amount", "date", "id", "status", "action", "promise"]

PLACEHOLDER: Final = re.compile(r"\{\s*[A-Za-z_][\w-]*(?:\.[\w-]+)*\s*\}")
"""As rendering knows them: whatever else stands in braces is text."""

SENTENCE: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n\s*\n")
"""Between sentences."""


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


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence of a text in which nothing is blanked yet."""
    blanked = free_text(text)
    start = 0
    for match in SENTENCE.finditer(blanked):
        if text[start : match.start()].strip():
            yield start, match.start()
        start = match.end()
    if text[start:].strip():
        yield start, len(text)


def find_claims(text: str) -> tuple[Claim, ...]:
    """All claims outside placeholders, in order of place; of claims of one kind that overlap the longest."""
    seen = normalise(free_text(text))
    flat = seen.text.replace("\n", " ")
    found: dict[ClaimKind, list[tuple[int, int]]] = {}
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(flat):
            start, end = match.span()
            if kind in ("status", "action", "promise") and _is_no_statement(seen.text, start, end):
                continue
            found.setdefault(kind, []).append(seen.span(start, end))
    figures = [span for kind in ("amount", "date", "id") for span in found.get(kind, [])]
    for match in FIGURE.finditer(flat):
        span = seen.span(*match.span())
        if not any(start <= span[0] < end for start, end in figures):
            found.setdefault("amount", []).append(span)
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


def _is_no_statement(text: str, start: int, end: int) -> bool:
    """Whether it is asked, denied, made to depend on something, or said of what the customer did."""
    before = text[max(0, start - 80) : start]
    after = REST.match(text, end)
    rest, ends_at = (after.group(), after.end()) if after else ("", end)
    asked = text[ends_at : ends_at + 1] == "?"
    clause = text[start:end]
    return (
        (asked and not TAG.search(rest))
        or bool(CONDITIONAL.search(before))
        or bool(NEGATED.search(before))
        or bool(NEGATED_INSIDE.search(clause))
        or bool(OF_THE_CUSTOMER.search(before))
    )


REST: Final = re.compile(r"[^.!?;\n]*")
TAG: Final = re.compile(r"[,;:–-]\s*(?:shall|may|can|could|is|do|would|ok|right|anything)\b")
"""A question that only hangs on a statement."""
CONDITIONAL: Final = re.compile(
    r"\b(?:if|whether|unless|until|once|when|whenever|in case|as soon as|before|after)\b[^.,;:!?\n]*$"
)
NEGATED: Final = re.compile(
    r"\b(?:not|never|cannot|nothing|no one|nobody|without|neither|nor|(?:do|does|did|is|are|was|were|have|has|had|"
    r"ca|could|"
    r"wo|would|should)n't)\b(?:\s+(?:be|been|yet|anything|your|the|any|a|an|my|this|that|to|have|has|get|it|been|"
    r"being|"
    r"\w+ly)){0,4}\s*$|\b(?:can|could|may|might|must|need to|needs to|to|would|should) be\s+(?:\w+ly\s+)?$"
)
NEGATED_INSIDE: Final = re.compile(r"\b(?:not|never|cannot|nothing|\w+n't)\b")
OF_THE_CUSTOMER: Final = re.compile(r"\byou(?:'ve| have| had)?(?:\s+(?:already|just|also))*\s+$")
FIGURE: Final = re.compile(r"\d[\d.,:/-]*\d|\d")

_DONE = (
    r"(?:refunded|credited|reimbursed|reversed|compensated|wired|deposited|granted|awarded|authori[sz]ed|adjusted|"
    r"fixed|resolved|settled|handled|sorted|finali[sz]ed|secured|pushed|posted|collected|picked up|redirected|"
    r"rerouted|handed over|told|instructed|asked the|contacted|called|signed off|agreed|paused|stopped|"
    r"ended|terminated|suspended|renewed|signed up|enrolled|waived|deducted|revoked|withdrawn|voided|lifted|"
    r"cancell?ed|changed|updated|modified|corrected|booked|"
    r"re-?booked|scheduled|rescheduled|sent|"
    r"e-?mailed|texted|shipped|dispatched|re-?shipped|ordered|reordered|replaced|exchanged|returned|"
    r"issued|processed|submitted|"
    r"created|opened|filed|raised|registered|removed|deleted|added|applied|approved|confirmed|"
    r"completed|initiated|started|"
    r"arranged|reserved|escalated|forwarded|transferred|notified|informed|charged|paid|verified|closed|stopped|"
    r"blocked|"
    r"unlocked|reset|activated|deactivated|unsubscribed|extended|upgraded|waived|taken care of|gone ahead|"
    r"put through)"
)
_DOING = (
    r"(?:refunding|crediting|reversing|paying|wiring|compensating|reimbursing|cancell?ing|changing|updating|booking|"
    r"sending|shipping|replacing|"
    r"exchanging|issuing|processing|"
    r"submitting|applying|arranging|escalating|transferring|opening|creating)"
)
_WILL = (
    r"(?:refund|credit|reimburse|cancel|change|update|book|send|e-?mail|ship|replace|exchange|issue|"
    r"process|submit|apply|arrange|"
    r"escalate|transfer|call|waive|upgrade|deliver|pay|compensate)"
)
_ADVERBS = (
    r"(?:\s+(?:just|now|already|also|successfully|gladly|personally|immediately|therefore|then|both|fully|finally|"
    r"gone ahead and|went ahead and|taken care of|meanwhile|hereby|today|automatically|got|had))*"
)
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

_COUNTS = (
    r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|"
    r"nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|dozen|half|twice|"
    r"double|"
    r"triple|a couple of"
)
_THIRD = (
    r"(?:my|our|your|the|a|an|some)\s+(?:\w+\s+)?(?:colleagues?|manager|supervisor|team|agent|system|courier|"
    r"carrier|driver|"
    r"warehouse|department|bank|office|boss|person|staff|refund|money|order|payment|package|parcel|replacement|"
    r"cancellation|subscription|account|charge|address|request|case|pickup|label|amount|sum|fee|card)|"
    r"someone(?: from our team| here)?|somebody|an agent"
)
_HARMLESS = (
    r"look|check|see|help|try|explain|need|have to|find|be (?:happy|glad|able|here|honest)|do my best|have a look|"
    r"take a look|"
    r"gladly (?:help|look|check)|understand|wait|want|like|know|ask you|stay"
)
_ELSEWHERE = (
    r"\berstatte\w*|\bzuruckerstatt\w*|\bstornier\w*|\bgutgeschrieben\b|\buberwiesen\b|\bverschickt\b|\brembours\w*|"
    r"\bannule\w*|"
    r"\breembols\w*|\bdevuelt\w*|\bcancelad[oa]\b|\brimbors\w*|\bannullat\w*|\bteruggestort\b|\bterugbetaald\b|"
    r"\bgeannuleerd\b|\baterbetal\w*|\bavbestall\w*|\brefundere\w*|\bzwroc\w*|\banulowan\w*"
)
"""Stems of what may have been done, in the languages around us."""

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
    ("amount", rf"\b(?:{_COUNTS})\b"),
    (
        "date",
        rf"(?<!nice )(?<!good )(?<!great )(?<!happy )(?<!lovely )\b{_DAY}s?\b|"
        rf"\b(?:this (?:morning|afternoon|evening|week|month)|"
        r"later today|as of now|any (?:minute|moment|day)|(?:a )?(?:moment|minute|while|few minutes|"
        r"second) ago|overnight|"
        r"within the hour|in the morning|by then)\b",
    ),
    (
        "id",
        r"\b(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|org|net|io|co|eu|de|uk|fr|es|it|nl|info|biz|app|shop|example|link|"
        r"online|site|xyz)\b(?:/\S*)?",
    ),
    (
        "action",
        rf"\b(?:is|are|was|were|has|have|had|been|being|got|gets|getting|'s|'ve|'re|i|we|just|already|now|consider it|"
        rf"it|that|everything|they|he|she|(?:{_THIRD}))(?:\s+(?:been|being|just|now|already|also|fully|\w+ly|"
        rf"all|both|got|"
        rf"gone ahead and|went ahead and)){{0,4}}\s+{_DONE}\b",
    ),
    ("action", rf"\b{_DONE}\b"),
    ("action", rf"\b(?:{_THIRD})\s+(?:\w+\s+){{0,2}}(?:approves|confirms|agrees|signs off|sends|books|tells)\b"),
    (
        "action",
        r"\b(?:took (?:the liberty|care) of|taken care of|went (?:through|ahead)|gone (?:through|ahead)|came through|"
        r"(?:all|is|it's|that's|everything(?:'s| is)) (?:done|sorted|set|settled|complete|handled|good to go)|"
        r"nothing left to do|mission accomplished|problem solved|consider it|you're good to go|on (?:its|the|"
        r"their) way|"
        r"in (?:your|the) (?:inbox|mail|post|account)|back (?:in|on|to) your (?:account|card|bank)|"
        r"(?:paid|pay) out|payout|full payout|cleared|no longer (?:exists?|active|there|owe))\b",
    ),
    (
        "promise",
        r"\b(?:guarantee\w*|promis(?:e|ed|es)|assur(?:e|ed|es)|ensure|for (?:sure|certain)|certain to|bound to|sure to|"
        r"definitely|without (?:a )?doubt|no matter what|count on|rest assured|you have my word|my word|"
        r"entitled to|owed to you|expect (?:your|the|it|a|to (?:see|get|receive))|in no time|"
        r"before you know it|"
        r"shortly|soon|right away|asap|any time now|is set to|are set to|voucher|coupon|discount|"
        r"store credit|"
        r"goodwill|compensation|free (?:gift|replacement|shipping|item|of charge))\b",
    ),
    (
        "promise",
        rf"\b(?:i|we|you|he|she|it|they|this|that|someone|somebody|everything|(?:{_THIRD})|{_THING})"
        rf"(?:'ll|\s+will|\s+shall|\s+(?:is|am|are) (?:going|about) to|'(?:m|s|re) (?:going|about) to|"
        rf"\s+gonna)\s+"
        rf"(?!(?:\w+ly\s+)?(?:{_HARMLESS})\b)\w+",
    ),
    ("action", rf"(?:{_ELSEWHERE})"),
)
PATTERNS: Final = tuple((kind, re.compile(pattern)) for kind, pattern in _SOURCES)
