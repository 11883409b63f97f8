"""Whether a draft's free text is plain: readable letters, the reply's own language, nothing hidden, links or names.

A claim that is spelt with other letters, in another language or in pieces is one that patterns can't read. So what a
customer is sent must first of all be text that can be read.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Final

from policies.detectors.normalisation import ENCODED, MIXED, REFERENCE, SPACED

_COMMON: Final = {
    "en": (
        "the a an and or but if so to of in on at for with from by as is are was were be been am do does did "
        "have has had can could will would shall should may might must not no yes i you he she it we they me "
        "him her us them my your his its our their this that these those there here what which who where when "
        "how why all any some more just please about into up out over then than because while let thanks "
        "thank sorry hello hi"
    ),
    "de": (
        "der die das und oder aber ich sie wir ihr ihre ihren ihnen ist sind war wurde wurden haben hat nicht "
        "ein eine einen mit für auf von zu im den dem bitte wie kann können bei"
    ),
    "fr": (
        "le la les un une des et ou mais je vous nous votre vos notre est sont a été avons avez ne pas de du "
        "en pour avec sur dans que qui mon ma"
    ),
    "es": (
        "el la los las un una y o pero yo usted nosotros su sus nuestro es son fue ha hemos no de del en para "
        "con por que mi ya"
    ),
    "it": "il lo la gli le un una e o ma io lei noi il suo tuo è sono abbiamo ha non di del in per con che",
    "nl": "de het een en of maar ik u wij uw is zijn was werd heeft hebben niet van in op voor met dat",
    "pt": "o a os as um uma e ou mas eu você nós seu sua é são foi não de do da em para com que",
    "sv": "och eller men jag ni vi er är var har inte en ett av i på för med att det",
    "da": "og eller men jeg du vi jeres er var har ikke en et af i på for med at det",
    "pl": "i lub ale ja pan pani my jest są był została zostały nie z w na do dla że to się",
}
FUNCTION_WORDS: Final = {code: frozenset(words.split()) for code, words in _COMMON.items()}
"""The commonest words of a language: no sentence of some length is without them."""

LONG: Final = 4
"""Words from which on a sentence must have one of its language's commonest."""
WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
MARKUP: Final = re.compile(r"\w[*_~`]+\w|\*\*|__|[<>{}\\|~`^]|\[[^\]]*\]\(")
NAME: Final = re.compile(r"(?<![\w'’-])[A-ZÀ-ÞŁŚŻ][\w'’-]*")
SPOKEN: Final = frozenset({"I", "I'm", "I'll", "I've", "I'd", "OK", "AI", "PS", "FAQ"})
OF_SOMEBODY: Final = re.compile(
    r"\b(?:belongs? to|registered (?:to|for|under)|in the name of|lives? (?:at|in|on)|living at|(?:address|name|"
    r"phone|"
    r"e-?mail|number) (?:is|was)|ordered by|bought by|sent to|goes to|went to|delivered to|account of|"
    r"order of)\s+(?!you\b|"
    r"your\b|us\b|our\b|the\b|a\b|an\b|this\b|that\b|my\b|me\b)\w+"
)


SELF: Final = re.compile(
    r"\b(?:i am|i'm|this is|you(?:'re| are) (?:talking|speaking|chatting|writing) (?:to|with)|it's)\s+"
    r"(?:really |actually |just )?(?:an? )?(?:real|actual|living|human|flesh)\b|\b(?:no|not an?|isn't an?) (?:bots?|"
    r"ai|machine|robot|computer)\b|"
    r"\b(?:as|i'm|i am) a (?:human|person|man|woman)\b|\bmy (?:real )?name is\b|"
    r"\b(?:system prompt|(?:my|the) (?:instructions|prompt|guidelines|rules) (?:say|says|are|tell|forbid|state))\b"
)
"""What nobody may say who is an AI."""


def find_unplain(text: str, *, language: str, known: Collection[str]) -> Iterator[str]:
    """What of a draft's free text can't be read or names what nobody gave it, in words for who rewrites it.

    Args:
        text: One sentence or more, without what was filled in.
        language: Two letters: the language that the reply is in.
        known: Words, in small letters, that are known from evidence, the customer's own message and the playbook.
    """
    if any(_is_strange(letter) for letter in text):
        yield "letters: characters that hide words or belong to another script"
        return
    lowered = text.lower()
    if SPACED.search(lowered) or REFERENCE.search(text) or MARKUP.search(text):
        yield "letters: words in pieces, or markup"
    if any(word.group() not in known for word in MIXED.finditer(lowered)):
        yield "letters: digits inside of words"
    if any(_is_code(match.group()) for match in ENCODED.finditer(text)):
        yield "letters: encoded text"
    letters = [letter for letter in text if letter.isalpha()]
    if len(letters) > 12 and sum(letter.isupper() for letter in letters) > 0.6 * len(letters):
        yield "tone: capitals throughout"
    if not is_in(text, language):
        yield "language: not the one of the reply"
    if SELF.search(lowered.replace("’", "'")):
        yield "disclosure: speaks as a person, or of its own instructions"
    if _names(text, known):
        yield "other people: a name that is not in evidence"
    elif OF_SOMEBODY.search(lowered):
        yield "other people: whose something is, without evidence"


def is_in(text: str, language: str) -> bool:
    """Whether a text can be in a language, told by the commonest words; short texts can be in any."""
    own = FUNCTION_WORDS.get(language)
    if own is None:
        return True
    for sentence in re.split(r"[.!?\n]+", text):
        words = [word.lower().replace("’", "'") for word in WORD.findall(sentence)]
        parts = [word.split("'")[0] for word in words]
        mine = sum(word in own for word in parts)
        most = max(sum(word in others for word in parts) for code, others in FUNCTION_WORDS.items() if code != language)
        if len(words) >= LONG and not mine:
            return False
        if most > mine and most >= 2:
            return False
    return True


def _is_strange(letter: str) -> bool:
    if letter.isascii():
        return not (letter.isprintable() or letter in "\n")
    category = unicodedata.category(letter)
    if category[0] in "LNM":
        return not unicodedata.name(letter, "").startswith("LATIN ") or unicodedata.normalize("NFKC", letter) != letter
    return category in ("Cf", "Co", "Cs", "Cc", "Cn", "Zl", "Zp", "Zs")


def _is_code(text: str) -> bool:
    return any(letter.isdigit() for letter in text) or sum(a.islower() != b.islower() for a, b in pairwise(text)) > 4


def _names(text: str, known: Collection[str]) -> bool:
    for sentence in re.split(r"(?<=[.!?:])\s+", text):
        stripped = sentence.lstrip(" -–•*\"'(")
        for match in NAME.finditer(stripped):
            word = match.group()
            if (
                match.start() > 0
                and word not in SPOKEN
                and word.lower().removesuffix("'s").removesuffix("’s") not in known
            ):
                return True
    return False


def grade_of(text: str) -> float:
    """The years of school that a text takes to read.

    Source:
        Flesch-Kincaid grade level (Kincaid et al., 1975): 0.39 words per sentence + 11.8 syllables per word - 15.59.
    """
    words = WORD.findall(text)
    spans = [part for part in re.split(r"[.!?:]+\s|\n+", text) if WORD.search(part)]
    if not words or not spans:
        return 0.0
    return 0.39 * len(words) / len(spans) + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def _syllables(word: str) -> int:
    lowered = word.lower()
    groups = len(re.findall(r"[aeiouyà-ÿ]+", lowered))
    silent = lowered.endswith("e") and not lowered.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)
