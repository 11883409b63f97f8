"""How a customer feels and what their message is a sign of: sentiment and risk flags, by lexicon and rule."""

import re
from collections.abc import Sequence
from functools import lru_cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

PERSON = (
    r"(?:human(?: being)?|real person|actual person|live (?:agent|person|representative|chat)|person|"
    r"someone real|agent|representative|"
    r"rep|supervisor|manager|operator|colleague|employee|advisor|adviser|staff member|member of staff|somebody real)"
)
ASKS_PERSON = (
    re.compile(
        rf"\b(?:talk|speak|chat|connect(?:ed)?|transfer(?:red)?|pass(?:ed)?|put|get|hand(?:ed)?|"
        rf"escalate(?:d)?|switch(?:ed)?|forward(?:ed)?|refer(?:red)?)\b"
        rf"(?:\s+(?:me|this|it|us|back|over|through|directly|on|with|to|in touch)){{0,4}}\s+(?:a |an |the |"
        rf"some |your |one of your |another )?(?:customer service |customer support |support |"
        rf"service |live |real |actual |human )*{PERSON}\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:i(?:'d| would)? (?:want|need|like|prefer|demand|wish)|give me|get me|can i (?:have|get)|"
        rf"is there|let me have|may i have)\s+(?:to have |to get )?(?:a |an |some |the |your )?"
        rf"(?:customer service |support |real |actual |live |human )*{PERSON}\b(?!\s+(?:id|number|to have|name))",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:transfer|escalate|connect)\s+(?:me|this)(?:\s+(?:now|please|immediately|over))*\s*(?:$|[.!,])",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(
        r"\b(?:i(?:'d| would)? (?:want|like|prefer) to be (?:transferred|connected)|call me back|"
        r"have (?:someone|somebody) (?:call|contact) me|a callback)\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:don't|do not|not) want (?:to (?:talk|speak|chat|deal) (?:to|with) )?(?:a |an |this |the |"
        r"your )?(?:bot|robot|machine|ai|computer|chatbot)\b",
        re.IGNORECASE,
    ),
    re.compile(r"\bstop (?:this )?(?:bot|robot)|\bno more bots?\b", re.IGNORECASE),
    re.compile(rf"^\W*(?:a |an )?(?:real |live |actual |human )*{PERSON}(?: please)?\W*$", re.IGNORECASE),
    re.compile(r"#{2,}\s*(?:TRANSFER|AGENT|HUMAN)\w*\s*#{2,}"),
)
NOT_NOW = re.compile(
    r"\b(?:hold off on|don't|do not|no need to|without|instead of|rather than|before|not)\s+(?:\w+\s+){0,3}?"
    r"(?:transfer|escalat|connect|speak|talk|hand|pass|putting)\w*",
    re.IGNORECASE,
)
OTHERWISE = re.compile(
    r"^\W*(?:and |but )?(?:if not|otherwise|if (?:you|it|that|this|there)\b[^,]*\b(?:can't|cannot|can not|"
    r"couldn't|doesn't|don't|isn't|aren't|not|no|unable|fails?)\b)",
    re.IGNORECASE,
)
ASKS_IF_AI = re.compile(
    r"\bare you (?:an? |really |actually )*(?:ai|bot|robot|human|real|person|machine|computer|chatbot|"
    r"real person|automated)\b|"
    r"\bam i (?:talking|speaking|chatting) (?:to|with) (?:an? )?(?:real |actual )?(?:ai|bot|robot|human|"
    r"person|machine|computer|chatbot)\b|"
    r"\bis this (?:an? )(?:ai|bot|robot|human|real person|machine|chatbot)\b",
    re.IGNORECASE,
)
ANGRY_WORDS = re.compile(
    r"\b(?:ridiculous|unacceptable|outrageous|furious|angry|pissed(?: off)?|fed up|sick of|disgust(?:ed|"
    r"ing)|terrible|horrible|worst (?:service|company|shop|store|experience|customer|support|ever)|"
    r"appalling|pathetic|"
    r"useless|incompetent|joke of a|scandal(?:ous)?|infuriat\w+|livid|bs|bullshit|crap|shit\w*|fuck\w*|"
    r"f\*+\w*|wtf|damn|hell is|idiots?|never (?:buy|order|shop)ing? (?:here |from you )?again|"
    r"waste of (?:time|money)|had enough|rip-?off|a disgrace|shame on you|extremely (?:frustrat|upset|"
    r"disappoint|annoy)\w+|very (?:angry|upset|frustrated)|so (?:angry|frustrat\w+|upset))(?!\w)",
    re.IGNORECASE,
)
LEGAL = re.compile(
    r"\b(?:lawyer|attorney|solicitor|legal (?:action|steps|advice|counsel|proceedings)|sue|suing|lawsuit|"
    r"take (?:you|this) to court|small claims|ombudsman|consumer (?:protection|rights|council|agency)|"
    r"trading standards|better business bureau|bbb|chargeback|data protection authority|regulator|"
    r"press charges|report you to)\b",
    re.IGNORECASE,
)
VULNERABLE = re.compile(
    r"\b(?:(?:i'm|i am|my (?:mother|father|wife|husband|mum|mom|dad|son|daughter|grandmother|"
    r"grandfather)(?:'s| is| was)?) (?:in |very |seriously |terminally |currently )*(?:ill|hospital|"
    r"disabled|blind|deaf|dying|bereaved|homeless|pregnant)|"
    r"passed away|funeral|died|bereavement|can't afford (?:food|rent|to eat|medication)|lost my job|"
    r"back on my feet|in debt|bankrupt\w*|depress\w+|anxiety|panic attack|cancer|chemo\w*|dementia|"
    r"alzheimer\w*|"
    r"disability|wheelchair|domestic (?:abuse|violence)|suicid\w*|kill myself|end my life|self-harm|hurt myself)\b",
    re.IGNORECASE,
)
OPT_OUT = re.compile(
    r"\b(?:unsubscribe|opt(?: me)? out|stop (?:sending|emailing|e-mailing|texting|calling|contacting|"
    r"messaging)(?: me)?|"
    r"(?:don't|do not) (?:send|email|e-mail|text|call|contact)\w* me (?:any ?more|again|any|marketing|ads|"
    r"newsletters?|promotions?|offers?)|"
    r"(?:take|remove) me (?:off|from) (?:your|the|this|all)\b|delete (?:all )?my (?:data|personal data|"
    r"account)|right to be forgotten|gdpr (?:request|deletion)|no more (?:emails|texts|marketing|"
    r"newsletters?))\b",
    re.IGNORECASE,
)
FRAUD = re.compile(
    r"\b(?:fraud\w*|scam\w*|hacked|stolen (?:card|identity|account)|(?:card|identity|account) (?:was |"
    r"has been |got )?(?:stolen|hacked|compromised)|unauthori[sz]ed|"
    r"(?:didn't|did not|never|haven't) (?:place|placed|make|made|authori[sz]ed?|order|ordered|"
    r"recogni[sz]e) (?:this|that|these|any|an?|the)? ?(?:order|purchase|charge|payment|transaction|it)s?|"
    r"someone (?:else )?(?:used|has|ordered|is using|got into|accessed) (?:with )?my|"
    r"don't recogni[sz]e (?:this|that|a|the|these) (?:charge|order|payment|transaction)|phishing|"
    r"identity theft)\b",
    re.IGNORECASE,
)
LACK = (
    r"(?:don't|do not|didn't|can't|cannot|couldn't|won't|no longer|not)\s+(?:\w+\s+){0,2}?"
    r"(?:have|know|remember|recall|got|find|use|see|access|sure (?:about|of|which|what)|share|keep|"
    r"certain (?:about|of))|"
    r"(?:lost|forgot(?:ten)?|misplaced|deleted|i've no|i have no|no clue|no idea|without|never (?:got|received|had)|"
    r"not sure (?:about|of|which|what)|unsure (?:about|of|which)|might not remember|without having|no access to)"
)
SLOT_WORDS = {
    "email": r"e-?mails?(?: addresses| address| account| i used)?",
    "order_id": r"(?:order|purchase|confirmation|reference)s?[\s-]*(?:#|numbers?|no\.?|ids?|codes?|details|it was)|"
    r"which order",
    "phone": r"phone(?: number)?|telephone(?: number)?|mobile(?: number)?",
    "postcode": r"post ?code|zip(?: ?code)?|postal code",
    "name": r"name on the (?:order|account)",
    "address": r"(?<!mail )(?<!email)(?<!e-mail )address(?!es? i used| book| (?:i|that i) used)",
}
CANNOT = {
    slot: re.compile(
        rf"(?:{LACK})\b(?:[^.!?\n;,]{{0,40}}?)\b(?:{words})\b|\b(?:{words})\b[^.!?\n;]{{0,25}}?\b(?:{LACK}|"
        rf"no clue|no idea)",
        re.IGNORECASE,
    )
    for slot, words in SLOT_WORDS.items()
}
CANNOT_IT = re.compile(
    r"\b(?:i\s+(?:really |honestly |actually |just )?(?:don't|do not|can't|cannot|couldn't)\s+(?:really |"
    r"actually |even )?(?:have (?:it|that|one|them|any|either|those)|know(?: it| that)?\s*(?:$|[.,!?])|"
    r"remember(?: it| that| them)?\s*(?:$|[.,!?])|recall(?: it| that)?\s*(?:$|[.,!?])|find (?:it|that|"
    r"them))|no (?:idea|clue)\b|i forgot(?: it)?\s*(?:$|[.,!?])|i(?:'ve| have) lost it|i'm not sure\s*(?:$|"
    r"[.,!?])|"
    r"not sure\s*(?:$|[.,!?])|don't have (?:it|that) (?:handy|with me|on me|at hand|anymore)|i(?:'d|"
    r" would) rather not (?:share|say|give)|another way|other way|look (?:it|me|that) up|can't find it)",
    re.IGNORECASE,
)
LOOK_UP = re.compile(
    r"\b(?:look|pull|find|check|list|show)\b[^.?!\n]{0,30}\b(?:it|them|that|my (?:recent |latest |"
    r"last )?orders?|recent orders?|those) ?(?:up)?\b",
    re.IGNORECASE,
)
URGENT = re.compile(
    r"\b(?:urgent(?:ly)?|asap|as soon as possible|right away|immediately|emergency|by tomorrow|in a hurry)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=1)
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


def sentiment(text: str) -> float:
    """From -1 to 1: the mean of a message's sentences, the worst one counted twice; plain facts are neutral."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if re.search(r"\w", part)]
    values = [float(_analyzer().polarity_scores(part)["compound"]) for part in sentences]
    if not values:
        return 0.0
    return round((sum(values) + min(values)) / (len(values) + 1), 3)


def flags(text: str, *, asked: Sequence[str] = ()) -> list[str]:
    """What the message is a sign of, sorted; "cannot:email" beside "cannot_answer" names what the customer hasn't got.

    Args:
        text: The message.
        asked: Slots that we just asked for, so that "I don't have it" can be understood.
    """
    plain = text.replace("’", "'").replace("‘", "'")
    found: set[str] = set()
    if asks_person(plain):
        found.add("asks_person")
    elif _asks_person_otherwise(plain):
        found.add("asks_person_otherwise")
    if ASKS_IF_AI.search(plain):
        found.add("asks_if_ai")
    if is_angry(plain):
        found.add("angry")
    for flag, pattern in (("legal_threat", LEGAL), ("vulnerable", VULNERABLE), ("opt_out", OPT_OUT), ("fraud", FRAUD)):
        if pattern.search(plain):
            found.add(flag)
    if URGENT.search(plain):
        found.add("urgent")
    lacking = [slot for slot, pattern in CANNOT.items() if pattern.search(plain)]
    if not lacking and asked and CANNOT_IT.search(plain):
        lacking = [asked[0]] if len(asked) == 1 else []
        found.add("cannot_answer")
    if lacking:
        found |= {"cannot_answer", *(f"cannot:{slot}" for slot in lacking)}
    return sorted(found)


def asks_person(text: str) -> bool:
    """Whether the customer wants a person now.

    "Hold off on transferring me", "are you a person?" and "if you can't, get me a person" don't ask for one now.
    """
    return any(_names_person(sentence) and not OTHERWISE.search(sentence) for sentence in _sentences(text))


def _asks_person_otherwise(text: str) -> bool:
    return any(_names_person(sentence) and OTHERWISE.search(sentence) for sentence in _sentences(text))


def _names_person(sentence: str) -> bool:
    return any(pattern.search(sentence) for pattern in ASKS_PERSON) and (
        not NOT_NOW.search(sentence)
        or re.search(r"\b(?:bot|robot|machine|chatbot)\b", sentence, re.IGNORECASE) is not None
    )


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def is_angry(text: str) -> bool:
    """Strong words with a bad mood around them, or shouting."""
    letters = [character for character in text if character.isalpha()]
    shouting = len(letters) >= 20 and sum(character.isupper() for character in letters) > 0.7 * len(letters)
    mood = sentiment(text)
    if ANGRY_WORDS.search(text) and mood < 0.1:
        return True
    return (shouting or text.count("!") >= 3 or "?!" in text or "??" in text) and mood < -0.3
