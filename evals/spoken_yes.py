"""Whether a recorded customer said yes in their own words, beside whatever else they said.

Callboard itself asks again unless a yes is plain and whole (`agents.confirmation`). A recording has no second question,
and the policy that it was made under asks for an explicit yes; so that is what is read here (docs/evaluation.md).
"""

import re

PART = re.compile(r"[.!?;:,…\n—–]+|\s-\s|\b(?:and|but|so)\b")
LEAD = re.compile(r"^(?:[\W_\d]+|\b[a-d]\b[.)]|(?:oh|ah|well|great|perfect|thanks|thank you|alright|all right)\b)+")
YES = re.compile(
    r"(?:yes|yep|yeah|yup|yea|sure|ok|okay|correct|exactly|absolutely|definitely|confirmed|agreed|of course)\b"
    r"|i(?:'m| am)? (?:confirm(?:ing)?|approve|authorize|authorise|agree)\b"
    r"|(?:please |you can |you may |let's |just )*"
    r"(?:go ahead|proceed|do it|do that|do so|confirm it|submit|process (?:it|that|this|all))\b"
    r"|(?:that|this|it|everything|all)(?:'s| is| all is| all)? ?(?:looks? |sounds? )?(?:all )?"
    r"(?:right|correct|fine|good|perfect|works)\b"
    r"|(?:sounds|looks) (?:good|right|correct|great|perfect)\b"
)
NO = re.compile(
    r"(?:no|nope|nah|stop|wait|hold on|hold off|not yet|never ?mind|don't|do not)\b"
    r"(?! (?:other|more|need|problem|worr|further))"
)


def has_said_yes(text: str) -> bool:
    """Whether some part of a message begins with a yes, and its first part with no refusal."""
    plain = text.replace("’", "'").casefold()
    parts = [part for each in PART.split(plain) if (part := LEAD.sub("", each.strip()).strip())]
    if not parts or NO.match(parts[0]):
        return False
    return any(YES.match(part) for part in parts)
