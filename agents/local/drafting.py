"""The reply without a model: the cues' templates joined in the brand's voice, evidence left in braces."""

import re
from collections.abc import Mapping, Sequence

from agents.journeys import Journey, Voice
from agents.local.pieces import content_words, normalised
from agents.rendering import PLACEHOLDER
from agents.tasks import Cue, Draft, DraftTask, Passage

QUESTIONS = frozenset({"ask", "confirm"})
ACKNOWLEDGE, ACKNOWLEDGE_WORDS = "acknowledge", "I'm sorry about the trouble this has caused you."
"""Template said first to someone who is upset, and our words where the voice has none."""
UPSET = -0.45
EXTRACT_SENTENCES = 3
EXTRACT_CHARACTERS = 480
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-Ý0-9\"'*])|\n+")
LEANS = re.compile(
    r"(?:but|and|or|so|otherwise|if not|in that case|(?:after|before|with|for|from) (?:that|this|it))\b"
    r"|(?:[\w']+ ){0,2}(?:it|its|they|them|their|these|those|this|then)\b",
    re.IGNORECASE,
)
"""How a sentence begins that means nothing without the one before it."""
TOO_EARLY = frozenset({"greeting", "thanks", "goodbye"})
"""Templates beside which an acknowledgement would sound odd."""


def draft(task: DraftTask, *, journeys: Mapping[str, Journey], voice: Voice) -> Draft:
    """Write the reply of a turn.

    Disclosure first where it is due, then a word to someone upset, what is finished, and the question last. On a
    rewrite everything that isn't a template is left out.
    """
    plain = bool(task.hold_reasons)
    ordered = sorted(
        enumerate(zip(task.cues, task.journeys, strict=False), start=1), key=lambda each: each[1][0].kind in QUESTIONS
    )
    parts: list[str] = []
    cites: list[str] = []
    for number, (cue, name) in ordered:
        place = number if len(ordered) > 1 else 0
        journey = journeys.get(name or "")
        if journey is not None and journey.kind == "answer" and cue.fulfils:
            text, cited = _answer(task, cue, place, voice)
            cites += cited
        else:
            text = _cue_text(cue, place, journey, voice)
        if text and text not in parts:
            parts.append(text)
    opening = [voice.disclosure] if task.disclose or "asks_if_ai" in task.flags else []
    if not plain and _is_upset(task) and any(cue.template not in TOO_EARLY for cue in task.cues):
        opening.append(voice.templates.get(ACKNOWLEDGE, ACKNOWLEDGE_WORDS))
    body = "\n\n".join(parts)
    opened = " ".join(opening)
    text = f"{opened}\n\n{body}" if opened and len(body) > 200 else f"{opened} {body}".strip()
    return Draft(text=text, cites=list(dict.fromkeys(cites)))


def _cue_text(cue: Cue, place: int, journey: Journey | None, voice: Voice) -> str:
    template = voice.templates.get(_template_id(cue, journey), "")
    text = _own(template, cue, place)
    if cue.lead:
        text = f"{_own(voice.templates.get(cue.lead, ''), cue, place)}\n\n{text}".strip()
    if cue.records and "records" not in _names(template):
        path = f"cue{place}.records" if place else "records"
        lines = "\n".join(f"{number + 1}. {{{path}.{number}}}" for number in range(len(cue.records)))
        text = f"{text}\n{lines}"
    return text


def _template_id(cue: Cue, journey: Journey | None) -> str:
    return cue.template or _details_id(cue, journey)


def _details_id(cue: Cue, journey: Journey | None) -> str:
    """The template that shows the details of a cue's call."""
    if journey is None or cue.call is None:
        return ""
    return next((step.confirm for step in journey.steps if step.id == cue.call.step), "")


def _own(template: str, cue: Cue, place: int) -> str:
    """The template with the names that this cue gives a meaning of its own pointed at that meaning.

    A cue that stands alone (place 0) needs no pointing: nothing else can be meant.
    """
    if not place:
        return template
    own = {*cue.values, *cue.evidence, *({"records"} if cue.records else ())}

    def pointed(match: re.Match[str]) -> str:
        path = match[1]
        return f"{{cue{place}.{path}}}" if path.split(".", 1)[0] in own else f"{{{path}}}"

    return PLACEHOLDER.sub(pointed, template)


def _names(template: str) -> set[str]:
    return {path.split(".", 1)[0] for path in PLACEHOLDER.findall(template)}


def _answer(task: DraftTask, cue: Cue, place: int, voice: Voice) -> tuple[str, list[str]]:
    """A short extract of the best passage with its article's title, or that we have no answer."""
    if not task.passages:
        return _own(voice.templates.get("no_answer", ""), cue, place), []
    best = _best(task)
    extract = f"{_extract(best, task.asked or task.text)} [{_unbraced(best.title)}]"
    template = _own(voice.templates.get(cue.template, ""), cue, place)
    if "{answer}" in template:
        return template.replace("{answer}", extract), [best.id]
    if task.hold_reasons or cue.template == "":
        return extract, [best.id]
    return f"{extract}\n\n{template}".strip(), [best.id]


def _best(task: DraftTask) -> Passage:
    """The passage to answer from: what recall put first; of several matters in a message, the nearest to this one."""
    wanted = set(_stems(task.asked or task.text))
    share = {passage.id: len(wanted & set(_stems(f"{passage.title} {passage.text}"))) for passage in task.passages}
    if task.asked and task.asked != task.text.strip():
        return max(task.passages, key=lambda passage: (share[passage.id], passage.score))
    return max(task.passages, key=lambda passage: (passage.score, share[passage.id]))


def _extract(passage: Passage, question: str) -> str:
    """A short passage whole; of a long one the sentence that shares most with the question and those right after it."""
    sentences = [_unbraced(part.strip(" -*#")) for part in SENTENCE.split(passage.text) if part.strip(" -*#")]
    if not sentences:
        return _unbraced(passage.title)
    if len(sentences) <= EXTRACT_SENTENCES and sum(map(len, sentences)) <= EXTRACT_CHARACTERS:
        return " ".join(sentence if sentence[-1] in ".!?:" else f"{sentence}." for sentence in sentences)
    wanted = set(_stems(question))
    scores = [len(wanted & set(_stems(sentence))) for sentence in sentences]
    first = max(range(len(sentences)), key=lambda place: (scores[place], -place))
    while first and LEANS.match(sentences[first]):
        first -= 1
    chosen: list[str] = []
    for sentence in sentences[first : first + EXTRACT_SENTENCES]:
        if chosen and sum(map(len, chosen)) + len(sentence) > EXTRACT_CHARACTERS:
            break
        chosen.append(sentence if sentence[-1] in ".!?:" else f"{sentence}.")
    return " ".join(chosen)


def _stems(text: str) -> Sequence[str]:
    return [word[:5] for word in content_words(normalised(text))]


def _is_upset(task: DraftTask) -> bool:
    return "angry" in task.flags or task.sentiment <= UPSET


def _unbraced(text: str) -> str:
    return text.replace("{", "").replace("}", "")
