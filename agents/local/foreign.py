"""A message in a language besides the journeys' own: one matter, what it names, and what is said around it."""

import re
from collections.abc import Mapping, Sequence

from agents.confirmation import read_confirmation
from agents.journeys import Journey, Voice
from agents.local.entities import EntityPatterns, find_entities
from agents.local.intents import IntentModel
from agents.local.mood import flags as flags_of
from agents.tasks import Act, Entity, IntentGuess, IntentReading, IntentTask

COURTESIES: tuple[Act, ...] = ("thanks", "goodbye", "greeting")
SHORT = 6
"""Words of a message that is nothing but polite."""


def read_foreign(
    text: str,
    task: IntentTask,
    *,
    language: str,
    voice: Voice | None,
    model: IntentModel | None,
    patterns: EntityPatterns,
    journeys: Mapping[str, Journey],
) -> IntentReading:
    """Read a message with what the playbook has in its language.

    Without utterances in it nothing is understood but ids and addresses of e-mail, and a person takes over.
    """
    question = task.question
    asked = question.slots if question is not None else []
    words = voice.languages.get(language) if voice is not None else None
    phrases: Mapping[str, Sequence[str]] = {} if words is None else {str(k): v for k, v in words.phrases.items()}
    flags = [flag for flag in flags_of(text) if flag != "asks_person"]
    entities = find_entities(text, patterns=patterns, now=task.now, asked=asked)
    if _has(text, phrases.get("person", ())):
        flags = sorted({*flags, "asks_person"})
    answers = any(entity.kind in asked for entity in entities)
    guesses: list[IntentGuess] = []
    if model is not None and not (answers or _confirms(task, text)):
        ranking = model.rank(text)
        if ranking.answer == "accept" and ranking.best in journeys and ranking.best not in task.open_journeys[:1]:
            guesses = [
                IntentGuess(journey=ranking.best, confidence=ranking.confidence, answer="accept", text=text.strip())
            ]
    act = _act(text, task, phrases, guesses, entities)
    if act in COURTESIES:
        guesses = []
    return IntentReading(
        act=act,
        intents=guesses,
        entities=[entity.model_copy(update={"intent": 0}) for entity in entities] if guesses else entities,
        flags=flags,
        priority="high" if "asks_person" in flags else "normal",
        language=language,
        confidence=guesses[0].confidence if guesses else 1.0 if act != "other" else 0.5,
    )


def _confirms(task: IntentTask, text: str) -> bool:
    return task.question is not None and task.question.kind == "confirm" and read_confirmation(text) != "unclear"


def _act(
    text: str,
    task: IntentTask,
    phrases: Mapping[str, Sequence[str]],
    guesses: Sequence[IntentGuess],
    entities: Sequence[Entity],
) -> Act:
    if _confirms(task, text):
        return "confirm" if read_confirmation(text) == "yes" else "decline"
    if guesses:
        return "request"
    if len(text.split()) <= SHORT and not entities:
        for act in COURTESIES:
            if _has(text, phrases.get(act, ())):
                return act
    return "inform" if entities or task.question is not None else "other"


def _has(text: str, phrases: Sequence[str]) -> bool:
    plain = text.casefold()
    return any(re.search(rf"(?<!\w){re.escape(phrase.casefold())}(?:s|e|en|n)?(?!\w)", plain) for phrase in phrases)
