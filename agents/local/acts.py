"""What a message does: ask, answer, agree, refuse, take back, or be polite."""

import re
from collections.abc import Sequence

from agents.confirmation import read_confirmation, read_withdrawal
from agents.local.pieces import content_words, normalised
from agents.tasks import Act, Entity, IntentGuess, IntentTask

CONTROL = re.compile(r"#{2,}\s*(\w+)\s*#{2,}")
"""Marks that channels and simulators put into the text."""
STOP = "STOP"
IDENTIFYING = frozenset({"email", "postcode", "phone", "name", "order_id"})
"""Kinds of entities that answer the question who is writing, also where another of them was asked for."""
THANKS = re.compile(r"\b(?:thanks|thank you|thx|cheers|much appreciated|appreciate (?:it|your|the))\b", re.IGNORECASE)
GOODBYE = re.compile(
    r"\b(?:bye|goodbye|good ?night|see you|have a (?:good|great|nice|lovely|wonderful)|that'?s (?:all|it|"
    r"everything)(?: i need(?:ed)?| for (?:now|today))?|"
    r"that is all|that will be all|that'll be all|nothing else|no further (?:help|questions|changes)|"
    r"i'?m (?:all )?(?:set|good|done)|"
    r"all i needed|no more questions|nothing more)\b",
    re.IGNORECASE,
)
GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|greetings|hiya|yo|hallo|howdy)(?: there|"
    r" team| all| everyone| again)?"
    r"(?:[\s,.!]*(?:how are you(?: doing)?(?: today)?|are you there|anyone there|i need (?:some |"
    r"your )?help|i have a question|can you help(?: me)?"
    r"(?: (?:out|please|with something))?|please help|help))?\W*$",
    re.IGNORECASE,
)
STATUS = re.compile(
    r"\b(?:any (?:news|update|progress)|what'?s (?:happening|the status|going on|taking)|how (?:long|"
    r"much longer)|when will (?:it|that|this|you|someone)|is it (?:done|approved)|"
    r"did (?:you|they|anyone|someone) (?:approve|decide)|has (?:it|that|my request) been|still waiting|"
    r"are you (?:still )?there|hello\?|what about my (?:refund|request)|status of my (?:refund|request)|"
    r"update on)\b",
    re.IGNORECASE,
)
META = re.compile(
    r"\b(?:what (?:other |else |kind of |sort of )?(?:information|info|details?|do) (?:\w+ ){0,4}need\b[^.?!\n]*|"
    r"(?:can|could|would|will) you (?:please )?help(?: me)?(?: out| sort (?:this|that|it)(?: out)?|"
    r" get (?:this|that|it) \w+| with (?:this|that|it|both|these|those|either|"
    r"both of (?:these|those|them)|a (?:few|couple(?: of)?) things?|two things|something|them))*(?: please|"
    r" today| quickly| at once)*|"
    r"(?:please )?let me know (?:what|if|how|when|once|which)\b[^.?!\n]*|"
    r"i (?:need|could use|would like|want|have|'d like)(?: some| a bit of)? (?:help|a hand|"
    r"assistance)(?: with (?:a (?:few|couple of) things|two things|something|this|that|some things))?|"
    r"how (?:can|do|should) (?:we|i) (?:get (?:this |that )?(?:started|going)|start|proceed)|what (?:are|"
    r"is) the next steps?|to get (?:this |that )?(?:started|going)|"
    r"(?:is there|do you have) (?:another|any other|some other|a different) way\b[^.?!\n]*|"
    r"(?:can|could|would) you (?:please )?(?:look|find|pull|check) (?:me|it|that|my account|us)(?: up)?\b[^.?!\n]*|"
    r"(?:please )?(?:use|verify me (?:with|by|using)) my name\b[^.?!\n]*|"
    r"i can (?:give|share|provide|tell)(?: you)? (?:my|the|you)\b[^.?!\n]*|"
    r"is (?:that|this|it) possible|is (?:that|this) (?:ok|okay|enough|correct|right))\b",
    re.IGNORECASE,
)
"""Talk about the talk: asking for help as such, what we need, how to begin."""
WHERE = re.compile(r"\bwhere (?:it|they|my|is|are)\b|\bwhere's\b", re.IGNORECASE)
PLAIN_NO = re.compile(
    r"^\W*(?:no|nope|none|nothing|neither|never ?mind|forget it|no thanks?|no thank you|"
    r"not (?:any|one) of (?:them|these|those))\W*$",
    re.IGNORECASE,
)
YES_OR_NO = re.compile(
    r"\b(?:yes|yeah|yep|no|nope|ok|okay|sure|great|perfect|right|fine|correct|good|awesome|cool|wonderful|"
    r"alright|wait|exactly|"
    r"please|sorry|go ahead|not sure|maybe|i don't know|dunno|sounds good|looks good|got it|understood|all|"
    r"for now|so much|very much)\b",
    re.IGNORECASE,
)


def act_of(
    task: IntentTask,
    text: str,
    guesses: Sequence[IntentGuess],
    entities: Sequence[Entity],
    flags: Sequence[str],
    *,
    asks: bool,
) -> Act:
    """What the message does, in the light of what we asked and of what waits for a person.

    Args:
        task: What was asked before, and what waits.
        text: The message without control marks.
        guesses: The matters found in it.
        entities: What it names.
        flags: What it is a sign of.
        asks: Whether any of it is a request or a question, courtesies aside.
    """
    words = text.strip()
    accepted = any(guess.answer == "accept" for guess in guesses)
    question = task.question
    if question is not None and question.kind == "confirm":
        answer = read_confirmation(words)
        if answer != "unclear":
            return "confirm" if answer == "yes" else "decline"
    if question is not None and question.kind == "slot" and not accepted and PLAIN_NO.match(words):
        return "decline"
    if task.pending_approval and read_withdrawal(words):
        return "withdraw"
    if not asks and STOP in _marks(task.text):
        return "goodbye"
    if accepted:
        return "request"
    if task.pending_approval and (STATUS.search(words.replace("’", "'")) or is_question(words)):
        return "status"
    if GREETING.match(words):
        return "greeting"
    substance = [entity for entity in entities if entity.kind not in {"items", "date", "amount"}]
    answers = question is not None and any(
        entity.kind in question.slots or (question.kind == "identity" and entity.kind in IDENTIFYING)
        for entity in entities
    )
    if not answers and not is_question(words) and _ends(task.text, words):
        return "goodbye"
    if not substance and "cannot_answer" not in flags:
        if not words and CONTROL.search(task.text):
            return "other"
        if THANKS.search(words) and len(content_words(normalised(words))) <= 6 and not is_question(words):
            return "thanks"
    if question is not None or substance or "cannot_answer" in flags:
        return "inform"
    return "request" if guesses and is_question(words) else "other"


def _ends(text: str, words: str) -> bool:
    """Whether the customer leaves: says so, or their channel marks the end."""
    return STOP in _marks(text) or GOODBYE.search(words.replace("’", "'")) is not None


def _marks(text: str) -> list[str]:
    return [mark.upper() for mark in CONTROL.findall(text)]


def is_courtesy(text: str) -> bool:
    """Whether nothing is left of a text without thanks, greetings, goodbyes and a yes or no."""
    plain = GREETING.sub(" ", text.replace("’", "'"))
    if WHERE.search(plain):
        # Small words only, and yet the whole of a question: "I just want to know where it is".
        return False
    for pattern in (META, THANKS, GOODBYE, YES_OR_NO):
        plain = pattern.sub(" ", plain)
    return not content_words(normalised(plain))


def is_question(text: str) -> bool:
    """Whether anything is asked."""
    return "?" in text
