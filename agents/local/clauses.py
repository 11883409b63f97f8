"""A message cut into clauses, each with what it does: ask, refuse, correct, or merely suppose."""

import re
from dataclasses import dataclass

BREAK = re.compile(
    r"\n+"
    r"|(?<=[.!?…])[\"')\]]*\s+(?=[^\s])"
    r"|\s*[;•]\s*"
    r"|\s+[—–]\s+|—"
    r"|,?\s+(?:and|but)\s+(?:then\s+|also\s+|i\s+also\s+)?(?=(?:i|i'd|i'm|i'll|i've|we|can|could|would|"
    r"will|please|what|when|where|how|"
    r"why|is|are|do|does|cancel|return|refund|exchange|change|update|check|tell|send|track|also|don't|do not)\b)"
    r"|,?\s+(?=(?:also|plus)[, ])"
    r"|,\s+(?=(?:but|then|so|can you|could you|please|i want|i'd like|i need|i just|i only|i would|just|not)\b)",
    re.IGNORECASE,
)
BULLET = re.compile(r"^\s*(?:[-*•]+|\d{1,2}[.)]|[A-Z][.)])\s+")
ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|st|apt|no|nr|ste|e\.g|i\.e|str)\.$", re.IGNORECASE)

REFUSAL = re.compile(
    r"\b(?:do not|don't|dont|didn't|did not|never|no longer|not|without|rather than|instead of|rather not|hold off on|"
    r"won't|wouldn't|not going to|no need to|stop)\s+"
    r"(?:(?:really|actually|just|even|yet|want(?:ing)?|wanna|wish|need|like|ask(?:ed|ing)?|have|you|me|to|"
    r"be|try(?:ing)?|mean|going|"
    r"planning|looking|please|for|said|anything)\s+)*"
    r"(?:a |an |the |my |any )?"
    r"(?:cancel|return|refund|exchang|chang|updat|modif|swap|replac|transfer|track|order(?:ing)?\b)\w*",
    re.IGNORECASE,
)
CORRECTION = re.compile(
    r"^\s*(?:no[,.—–-]+\s*|nope[,.]?\s*|sorry[,.]?\s+(?:i meant|it'?s|that should)|actually[,.—]?\s|"
    r"correction\b|i meant\b|i mean\b|wait[,.—]?\s|"
    r"oops|my mistake|on second thought|scratch that|not that|i mistyped|wrong (?:order|number|one))",
    re.IGNORECASE,
)
SUPPOSITION = re.compile(r"^\s*(?:if|in case|unless|assuming|provided|once|after|before|when)\b", re.IGNORECASE)
REQUEST = re.compile(
    r"\b(?:i want|i'd like|(?:i )?would like|i'd love|i'd prefer|i wish|i need|i'm trying|i am trying|"
    r"i'm looking|i'm hoping|i wanted|can you|could you|"
    r"can i|could i|may i|would you|will you|please|help me|let's|is it possible|is there (?:a|any) way|"
    r"how (?:do|can|about|long|much|many)|"
    r"what(?:'s| is| are| about)|when|where|why|has|have you|did you|do you|does|are there|are you|"
    r"i have to|looking to|trying to|want to)\b|\?",
    re.IGNORECASE,
)
IMPERATIVE = re.compile(
    r"^\s*(?:please\s+|just\s+|then\s+|also\s+|so\s+|ok(?:ay)?[,.]?\s+|next[,.]?\s+|hi[,.!]?\s+|hello[,.!]?\s+)*"
    r"(?:cancel|return|refund|exchange|change|update|check|tell|send|track|show|list|find|look|give|swap|"
    r"switch|replace|ship|"
    r"stop|pause|reset|book|move|remove|add|transfer|connect|get|put|call|explain|start|process|confirm|modify)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause and its place in the message."""

    text: str
    start: int
    end: int
    refuses: bool
    """It says what is not wanted: "don't cancel it"."""
    corrects: bool
    """It takes back or replaces what was said: "no, not that one, order 20419"."""
    supposes: bool
    """It states a condition: "if it hasn't shipped"."""
    asks: bool
    """It reads like a request or a question."""


def split_clauses(text: str) -> list[Clause]:
    """The clauses of a message in order; list markers and blank ones left out."""
    plain = text.replace("’", "'").replace("‘", "'")
    clauses: list[Clause] = []
    for start, end in _spans(plain):
        piece = plain[start:end]
        if bullet := BULLET.match(piece):
            start += bullet.end()
        piece = plain[start:end].strip()
        if not re.search(r"\w", piece):
            continue
        start = plain.index(piece, start)
        clauses.append(
            Clause(
                text=text[start : start + len(piece)],
                start=start,
                end=start + len(piece),
                refuses=bool(REFUSAL.search(piece)) and not _wants_after_refusal(piece),
                corrects=bool(CORRECTION.match(piece)),
                supposes=bool(SUPPOSITION.match(piece)) and not piece.endswith("?"),
                asks=bool(REQUEST.search(piece) or IMPERATIVE.match(piece)),
            )
        )
    return clauses


def _spans(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = 0
    for match in BREAK.finditer(text):
        if ABBREVIATION.search(text[start : match.start()].rstrip()):
            continue
        spans.append((start, match.start()))
        start = match.end()
    spans.append((start, len(text)))
    return spans


def _wants_after_refusal(piece: str) -> bool:
    """Whether a wish follows: "I don't want to cancel, just change the address", "why don't you refund me"."""
    if re.search(r"\bwhy (?:don't|didn't|won't|can't|has|have)\b|\bwhy .* not\b", piece, re.IGNORECASE):
        return True
    refusal = REFUSAL.search(piece)
    if refusal is None:
        return False
    turn = re.search(r"\b(?:just|only|instead|but|rather)\b,?\s*", piece[refusal.end() :], re.IGNORECASE)
    if turn is None:
        return False
    rest = piece[refusal.end() + turn.end() :]
    return bool(REQUEST.search(rest) or IMPERATIVE.search(rest))


def wanted_part(clause: Clause) -> str:
    """The clause's text without the part it refuses, for the classifier."""
    plain = clause.text.replace("’", "'")
    return re.sub(r"\s+", " ", REFUSAL.sub(" ", plain)).strip() if REFUSAL.search(plain) else plain
