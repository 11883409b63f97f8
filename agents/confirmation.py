"""The customer's answer to "shall I?", read by rule: a yes is a yes only when it is plain, whole and unconditional."""

import re
from typing import Literal

Answer = Literal["yes", "no", "unclear"]

YES = re.compile(
    r"^(?:yes|yep|yeah|yup|yea|ya|sure|ok|okay|k|correct|right|exactly|absolutely|definitely|certainly|"
    r"of course|confirm|"
    r"confirmed|i confirm|i agree|agreed|go ahead|please do|do it|proceed|go for it|sounds good|"
    r"sounds right|looks good|looks right|"
    r"looks correct|that all looks (?:good|right|correct)|that looks (?:good|right|correct)|"
    r"it (?:all )?looks (?:good|right|correct)|all good|perfect|fine|great|please go ahead|please proceed|"
    r"please confirm|that's (?:right|correct|fine|it|perfect|good)|"
    r"that is (?:right|correct|fine)|that works|works for me|all correct|it's correct|"
    r"everything is correct|please|affirmative|ja|jawohl|genau|richtig|einverstanden|in ordnung|gerne?|bitte|"
    r"machen sie das|👍|✅)(?![\w'])"
)
NO = re.compile(
    r"^(?:no|nope|nah|never ?mind|stop|don't|dont|do not|not now|not yet|negative|leave it|forget (?:it|"
    r"about it)|hold on|hold off|"
    r"wait|cancel that|i don't|i do not|i've changed my mind|i changed my mind|i'd rather not|actually no|"
    r"absolutely not|"
    r"definitely not|of course not|please don't|please do not|please stop|nein|nee|nicht|lieber nicht|stopp|halt|"
    r"doch nicht|👎|❌)(?![\w'])"
)
WITHDRAW = re.compile(
    r"\b(?:forget (?:it|about it|that)|never ?mind|withdraw|take (?:it|that|my request) back|"
    r"changed my mind|don'?t want (?:it|that|the \w+|this)(?: any ?more)?|"
    r"no longer (?:want|need)|stop (?:the|that|my) (?:request|refund|cancellation|change)|(?:cancel|drop|"
    r"stop|scrap) (?:my|the|that|this) (?:refund |cancellation |change |address )*request|"
    r"leave (?:it|the order|everything|order #?\w+) as (?:it )?is|on second thought|keep (?:it|the order|"
    r"my order) (?:after all|as is)|don'?t bother)\b",
    re.IGNORECASE,
)
FILLER = re.compile(
    r"^(?:(?:oh|ah|um+|uh+|well|hmm+|hi|hello|hey|thanks|thank you|so|and|alright|all right|[a-d][.)]|"
    r"great|perfect|awesome|cool|"
    r"wonderful|excellent|good|got it|i see|understood)[\s,.!…—–:-]+)+"
)
NO_CONTENT = frozenset(
    re.findall(
        r"\S+",
        """yes yep yeah yup yea ya sure ok okay k correct right exactly absolutely definitely certainly of course
        confirm confirmed confirming i agree agreed go going ahead please do does it proceed for sounds good
        great looks look all perfect fine that thats that's this the these those is are am it's i'd i'll i'm
        like to want would be with and a an my me you your as works work well very much thanks thank so
        lovely awesome cool excellent wonderful happy everything is its make made process submit complete
        finish finalize finalise place now today immediately asap away away then just done doing help
        helping appreciate really oh ah um uh hmm alright one both them him her here there again by way in
        summarized summarised listed shown stated described outlined described above exactly details detail
        summary from on at we we're affirmative approve approved approval cheers kindly gladly totally
        quickly soon possible patience taking care handling handle sorting sort out getting get explaining
        explanation let's lets carry start started thing those these changes correct 👍 ✅
        ja jawohl genau richtig einverstanden in ordnung gern gerne bitte machen sie das tun es so stimmt passt danke
        vielen dank""",
    )
)
"""Words that neither add nor change anything beside a yes."""

TURNING = frozenset(
    re.findall(
        r"\S+",
        """not no never don't dont but except if only instead other another different unless without until before after
        however though rather change nicht nein kein keine keinen aber doch nur erst wenn falls sondern
        stattdessen ohne andere""",
    )
)
"""Words that turn or condition a yes, even where the details we showed hold them too."""

WHEN_QUESTION = re.compile(r"^(?:and )?(?:when|how long|how soon)\b[^?]*\?$")
SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+|\s+[—–]\s+|—")
WORD = re.compile(r"[\w'#@.+-]*\w|[👍✅👎❌]")


def read_confirmation(text: str, *, shown: str = "") -> Answer:
    """How the customer answered the details they were shown.

    "yes" takes words for it and nothing that could add, change or condition anything: every other word must be one that
    was shown. "no" takes a plain refusal first. All the rest is "unclear", and asked again.

    Args:
        text: The whole message.
        shown: The details as they were shown; repeating them ("yes, cancel order 20418") is still a plain yes.
    """
    plain = re.sub(r"###\w+###", " ", text).replace("’", "'").replace("‘", "'").casefold().strip()
    plain = re.sub(r"[*_\"“”]", " ", plain).strip()
    sentences = [part.strip() for part in SENTENCE.split(plain) if re.search(r"[\w👍✅👎❌]", part)]
    if not sentences:
        return "unclear"
    if not YES.match(sentences[0]):
        sentences[0] = _without_filler(sentences[0])
    if NO.match(sentences[0]):
        return "unclear" if _takes_back_refusal(sentences[0]) else "no"
    while (
        len(sentences) > 1
        and not (YES.match(sentences[0]) or NO.match(sentences[0]))
        and _adds_nothing(sentences[0], "")
    ):
        sentences = [_without_filler(sentences[1]), *sentences[2:]]
    if NO.match(sentences[0]):
        return "no"
    if not YES.match(sentences[0]):
        return "unclear"
    known = shown.replace("’", "'").casefold()
    for sentence in sentences:
        if WHEN_QUESTION.match(sentence):
            continue
        if "?" in sentence or not _adds_nothing(sentence, known):
            return "unclear"
    return "yes"


def _without_filler(sentence: str) -> str:
    match = FILLER.match(sentence)
    rest = sentence[match.end() :].strip() if match else sentence
    return rest or sentence


def _takes_back_refusal(sentence: str) -> bool:
    """ "No problem, go ahead", "no, that's fine" and "don't worry" say no to nothing we asked."""
    return bool(
        re.match(
            r"^(?:no (?:problem|worries|objections?|issue|changes?)|no,? (?:that's|it's|all)|(?:don't|do not) worry)\b",
            sentence,
        )
    ) or bool(re.match(r"^(?:do not|don't) (?:forget|hesitate)\b", sentence))


def _adds_nothing(sentence: str, known: str) -> bool:
    known_words = {_bare(word) for word in WORD.findall(known)} - TURNING
    return all(_bare(word) in NO_CONTENT or _bare(word) in known_words for word in WORD.findall(sentence))


def _bare(word: str) -> str:
    return word.strip(".,#'-").removesuffix("'s") if len(word) > 1 else word


def read_withdrawal(text: str) -> bool:
    """Whether the customer plainly takes back what waits for a person."""
    return WITHDRAW.search(text.replace("’", "'")) is not None
