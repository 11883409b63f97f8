"""One message read without a model: what is wanted, named, answered and felt."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rapidfuzz import fuzz

from agents.confirmation import read_confirmation
from agents.journeys import Journey, Need, Voice
from agents.local.acts import CONTROL, act_of, is_courtesy, is_question
from agents.local.address_parts import find_corrected
from agents.local.clauses import Clause, split_clauses, wanted_part
from agents.local.entities import EntityPatterns, find_entities, find_ordinals, in_clauses
from agents.local.foreign import read_foreign
from agents.local.intents import IntentModel, Ranking
from agents.local.language import language_of
from agents.local.matching import all_but, label_of, match_records
from agents.local.mood import flags as flags_of
from agents.local.mood import sentiment as sentiment_of
from agents.tasks import Act, Entity, IntentGuess, IntentReading, IntentTask, Question
from policies.words import Json

CLARIFY = "clarify"
"""The slot under which a clarifying question is counted."""
SURE = 0.5
"""How probable a matter must be to be taken up without asking."""
WORTH_ASKING = 0.1
"""How probable the best of two matters must be to ask which of them it is, instead of what is meant."""
SURE_OF_PERSON = 0.9
"""The same for a person where no rule heard the customer ask for one."""
SECOND_MATTER = 0.6
"""How probable a further matter beside an accepted one must be; we would rather be asked again than invent one."""
SURE_BESIDE_A_LACK = 0.9
"""The same for a question to knowledge in a message that says they haven't got what we asked for."""
NEW_MATTER_IN_ANSWER = 0.75
"""The same for a matter that comes along with an answer to our question."""
URGENT_FLAGS = frozenset({"legal_threat", "vulnerable", "fraud", "angry", "urgent"})
Priority: TypeAlias = Literal["low", "normal", "high"]
FOLLOW_UP_WORDS = 6
"""A message with more words than this is not "and order 20592?"."""
PARTS = frozenset({"postcode", "order_id", "ordinal", "items", "phone"})
"""Kinds of entities that a part of an address may look like."""
REFERS = re.compile(
    r"\b(?:it|that|this|that order|this order|the same order|that one|this one)\b(?! is| was)", re.IGNORECASE
)
"""How a clause speaks of the order that was named just before."""
FREE_WORDS = 40
"""A text answer longer than this is more than an answer; its first words are kept."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Everything that reading a message needs: the journeys, their classifier, the playbook's ids."""

    journeys: Mapping[str, Journey]
    model: IntentModel
    patterns: EntityPatterns
    voice: Voice | None = None
    """How the brand talks, in which languages."""
    further_models: Mapping[str, IntentModel] = field(default_factory=dict)
    """By code, of the languages besides the journeys' own that have utterances."""

    def read(self, task: IntentTask) -> IntentReading:
        """Read one message in the light of what we asked."""
        text = CONTROL.sub(lambda match: " " * len(match[0]), task.text)
        language = self._language(task)
        if language != self._own_language:
            return read_foreign(
                text,
                task,
                language=language,
                voice=self.voice,
                model=self.further_models.get(language),
                patterns=self.patterns,
                journeys=self.journeys,
            )
        question = task.question
        asked = question.slots if question is not None else []
        flags = flags_of(task.text, asked=[] if question is None or question.kind == "confirm" else asked)
        clauses = split_clauses(text)
        entities = find_entities(text, patterns=self.patterns, now=task.now, asked=asked)
        entities = self._corrected(text, entities, task)
        answers = self._answers(text, entities, task) if question is not None else []
        chosen = _chosen_journey(text, question)
        guesses: list[IntentGuess] = []
        places: list[int | None] = [None] * len(clauses)
        if chosen is not None:
            guesses = [IntentGuess(journey=chosen, confidence=0.95, answer="accept", text=text.strip())]
            places = [0] * len(clauses)
        elif not (question is not None and question.kind == "confirm" and read_confirmation(text) == "yes"):
            answered = bool(answers) or _fits(entities, asked)
            guesses, places = self._matters(clauses, text, task, flags, answered=answered)
            if not answered and self._is_follow_up(text, entities, guesses, task):
                follow_up = IntentGuess(journey=task.recent_journey, confidence=0.8, answer="accept", text=text.strip())
                guesses, places = [follow_up], [0] * len(clauses)
        asks = any(clause.asks and not clause.refuses and not is_courtesy(clause.text) for clause in clauses)
        act = act_of(task, text, guesses, [*entities, *answers], flags, asks=asks)
        if act in {"thanks", "goodbye", "greeting", "withdraw", "status"}:
            guesses, places = [], [None] * len(clauses)
        named = _without_answer_kinds(entities) if answers else entities
        named = _joined_items(in_clauses(named, clauses, places))
        named += _referred_to(named, clauses, places, guesses)
        named += self._choices(text, clauses, places, guesses, task, named) if not answers else []
        sentiment = sentiment_of(text)
        return IntentReading(
            act=act,
            intents=guesses,
            entities=sorted([*named, *answers], key=lambda entity: (entity.start, entity.end)),
            sentiment=sentiment,
            priority=self._priority(guesses, flags),
            flags=flags,
            language=language,
            confidence=_confidence(act, guesses, flags),
        )

    @property
    def _own_language(self) -> str:
        return self.voice.language if self.voice is not None else "en"

    def _language(self, task: IntentTask) -> str:
        """The language of the message; of what came before it where its own words are too few to tell."""
        said = [line.text for line in task.transcript if line.author == "customer"]
        language = self._own_language
        for text in [*said, task.text]:
            language = language_of(text, fallback=language)
        return language

    def _corrected(self, text: str, entities: list[Entity], task: IntentTask) -> list[Entity]:
        """The entities with the address that the message makes of the one before, where an address is in question."""
        question = task.question
        needs = [need for name in task.open_journeys[:1] if name in self.journeys for need in self.journeys[name].needs]
        slots = {need.slot for need in needs if need.kind == "address"}
        if question is None or not slots or not (question.kind == "confirm" or slots & set(question.slots)):
            return entities
        found = find_corrected(text, [line for line in task.transcript if line.text.strip() != task.text.strip()])
        if found is None:
            return entities
        kept = [each for each in entities if each.kind not in PARTS or not found.start <= each.start < found.end]
        own = Entity(
            kind="address",
            value=dict(found.value),
            text=text[found.start : found.end],
            start=found.start,
            end=found.end,
        )
        return [*kept, own]

    def _is_follow_up(
        self, text: str, entities: Sequence[Entity], guesses: Sequence[IntentGuess], task: IntentTask
    ) -> bool:
        """Whether a few words name another record and nothing else: the same is wanted for that one."""
        return (
            task.recent_journey in self.journeys
            and not any(guess.answer == "accept" for guess in guesses)
            and len(text.split()) <= FOLLOW_UP_WORDS
            and any(entity.kind == "order_id" and not entity.negated for entity in entities)
        )

    def _matters(
        self, clauses: Sequence[Clause], text: str, task: IntentTask, flags: Sequence[str], *, answered: bool
    ) -> tuple[list[IntentGuess], list[int | None]]:
        """New matters in order of mention, and for each clause the matter it belongs to."""
        pieces = [wanted_part(clause) for clause in clauses]
        rankings = self.model.rank_all(pieces)
        continuing = answered or task.question is not None or bool(task.open_journeys)
        guesses: list[IntentGuess] = []
        places: list[int | None] = []
        current: int | None = None
        # What is asked for counts before what is told: "I just placed an order. Can I still change the address?" Not so
        # where telling is all that somebody does who wants a person: "I have a complaint", "somebody used my card".
        urgent = [
            clause.asks or self.journeys[ranking.best].ends_with_person
            for clause, ranking in zip(clauses, rankings, strict=True)
        ]
        asking = any(
            clause.asks and self._is_matter(clause, piece, ranking, task, flags, continuing=continuing)
            for clause, piece, ranking in zip(clauses, pieces, rankings, strict=True)
        )
        for clause, piece, ranking, urges in zip(clauses, pieces, rankings, urgent, strict=True):
            enough = SURE if not guesses else SECOND_MATTER
            if (
                (urges or not asking)
                and (urges or not guesses)
                and ranking.confidence >= enough
                and self._is_matter(clause, piece, ranking, task, flags, continuing=continuing)
            ):
                known = next((n for n, guess in enumerate(guesses) if guess.journey == ranking.best), None)
                if known is None:
                    guesses.append(
                        IntentGuess(
                            journey=ranking.best, confidence=ranking.confidence, answer="accept", text=clause.text
                        )
                    )
                    known = len(guesses) - 1
                current = known
            places.append(current)
        if len(guesses) == 1:
            return guesses, [0] * len(clauses)
        if guesses:
            return guesses, [0 if place is None else place for place in places]
        return self._whole(clauses, rankings, text, task, continuing=continuing), [None] * len(clauses)

    def _is_matter(
        self,
        clause: Clause,
        piece: str,
        ranking: Ranking,
        task: IntentTask,
        flags: Sequence[str],
        *,
        continuing: bool,
    ) -> bool:
        """Whether a clause asks for something that we know and aren't at already."""
        if ranking.answer != "accept" or clause.refuses or clause.supposes or is_courtesy(piece):
            return False
        if self.journeys[ranking.best].kind == "person" and "asks_person" not in flags:
            return ranking.confidence >= SURE_OF_PERSON
        if ranking.best in task.open_journeys[:1] and task.question is not None:
            return False
        if self.journeys[ranking.best].kind == "answer" and task.question is not None and "cannot_answer" in flags:
            # "Is there another way you can find it?" is about our question, not one of theirs.
            return ranking.confidence >= SURE_BESIDE_A_LACK and clause.asks
        return not continuing or (ranking.confidence >= NEW_MATTER_IN_ANSWER and clause.asks)

    def _whole(
        self, clauses: Sequence[Clause], rankings: Sequence[Ranking], text: str, task: IntentTask, *, continuing: bool
    ) -> list[IntentGuess]:
        """No clause alone was clear: look at the message as a whole, then at the clause that came closest."""
        wanted = " ".join(wanted_part(clause) for clause in clauses if not clause.refuses)
        if continuing or is_courtesy(wanted):
            return []
        whole = self.model.rank(wanted)
        if whole.answer == "accept" and whole.confidence >= SURE:
            return [IntentGuess(journey=whole.best, confidence=whole.confidence, answer="accept", text=text.strip())]
        unsure = [each for each, clause in zip(rankings, clauses, strict=True) if not clause.refuses]
        closest = max([whole, *unsure], key=lambda ranking: (ranking.answer != "abstain", ranking.score))
        unclear = closest.answer != "abstain" and closest.confidence >= WORTH_ASKING
        return [
            IntentGuess(
                journey=closest.best,
                confidence=closest.confidence,
                answer="clarify" if unclear else "abstain",
                alternatives=list(closest.alternatives[1:]) if unclear else [],
                text=text.strip(),
            )
        ]

    def _answers(self, text: str, entities: Sequence[Entity], task: IntentTask) -> list[Entity]:
        """What the message says about the slot we asked for, where that takes the question to understand."""
        question = task.question
        if question is None or question.kind != "slot" or not question.slots or not text.strip():
            return []
        need = self._need(question.slots[0], task.open_journeys)
        options = question.options or (need.options if need else {})
        if options:
            value = _option(text, options)
            return [_whole_text(text, "choice", value)] if value is not None else []
        if question.records and (picked := _picked(text, entities, question, need)) is not None:
            return [_whole_text(text, "choice", picked)]
        if need is not None and need.kind == "text" and not is_question(text):
            return [_whole_text(text, "text", " ".join(text.split()[:FREE_WORDS]))]
        return []

    def _choices(
        self,
        text: str,
        clauses: Sequence[Clause],
        places: Sequence[int | None],
        guesses: Sequence[IntentGuess],
        task: IntentTask,
        named: Sequence[Entity],
    ) -> list[Entity]:
        """Options of the matters at hand that the message names unasked: "ordered by mistake"."""
        found: list[Entity] = []
        journeys: list[tuple[int | None, str]] = [
            (n, guess.journey) for n, guess in enumerate(guesses) if guess.answer == "accept"
        ]
        if not journeys:
            journeys = [(None, name) for name in task.open_journeys[:1]]
        for place, name in journeys:
            for need in self.journeys[name].needs if name in self.journeys else []:
                if not need.options or any(entity.kind == need.slot for entity in named):
                    continue
                for clause, own in zip(clauses, places, strict=True):
                    value = _option(clause.text, need.options, exact=True) if own in {place, None} else None
                    if value is not None:
                        found.append(
                            Entity(
                                kind=need.slot,
                                value=value,
                                text=clause.text,
                                start=clause.start,
                                end=clause.end,
                                intent=place,
                            )
                        )
                        break
        return found

    def _need(self, slot: str, open_journeys: Sequence[str]) -> Need | None:
        for name in open_journeys:
            for need in self.journeys[name].needs if name in self.journeys else []:
                if need.slot == slot:
                    return need
        return None

    def _priority(self, guesses: Sequence[IntentGuess], flags: Sequence[str]) -> Priority:
        own = {self.journeys[guess.journey].priority for guess in guesses if guess.journey in self.journeys}
        if "high" in own or URGENT_FLAGS & set(flags):
            return "high"
        return "low" if own == {"low"} else "normal"


def _confidence(act: Act, guesses: Sequence[IntentGuess], flags: Sequence[str]) -> float:
    """How sure the reading is: of its weakest accepted matter, or of what it could not place."""
    if guesses:
        accepted = [guess.confidence for guess in guesses if guess.answer == "accept"]
        return min(accepted) if accepted else min(guess.confidence for guess in guesses)
    return 0.5 if act == "other" and not flags else 1.0


def _chosen_journey(text: str, question: Question | None) -> str | None:
    if question is None or not question.options:
        return None
    if question.kind != "clarify" and question.slots != [CLARIFY]:
        return None
    place = _place_of(text, len(question.options))
    if place is not None:
        return list(question.options)[place]
    return _option(text, question.options)


def _option(text: str, options: Mapping[str, Sequence[str]], *, exact: bool = False) -> str | None:
    """The option a text means: a phrase of it in the text, or (when asked) the one most alike."""
    plain = text.replace("’", "'").casefold()
    scored: dict[str, float] = {}
    for value, phrases in options.items():
        for phrase in [*phrases, value.replace("_", " ")]:
            said = phrase.casefold()
            if re.search(rf"(?<!\w){re.escape(said)}(?!\w)", plain):
                scored[value] = max(scored.get(value, 0.0), 100.0 + len(said))
            elif not exact:
                alike = fuzz.token_set_ratio(said, plain) if len(plain) < 80 else 0.0
                scored[value] = max(scored.get(value, 0.0), alike)
    if not scored:
        return None
    ranked = sorted(scored.items(), key=lambda pair: -pair[1])
    best, score = ranked[0]
    return best if score >= 75 and (len(ranked) == 1 or score - ranked[1][1] > 3) else None


def _picked(text: str, entities: Sequence[Entity], question: Question, need: Need | None) -> Json:
    """The value, or values, of the shown records that the answer means; None if it can't be told."""
    records = question.records
    choose = need.choose if need else None
    many = choose.many if choose else False
    field = choose.value if choose else "value"
    labels = [str(record.get("label") or label_of(record, choose.label if choose else [])) for record in records]
    values = [record.get("value", record.get(field)) for record in records]
    said = {str(entity.value) for entity in entities if not entity.negated}
    places = [place for place, value in enumerate(values) if str(value) in said or _names_id(text, value)]
    if not places and any(entity.kind == "all" for entity in entities) and (many or len(records) == 1):
        places = all_but(text, labels)
    if not places:
        place = _place_of(text, len(records))
        places = [place] if place is not None else match_records(text, labels, many=many)
    if not places or (len(places) > 1 and not many):
        return None
    picked: list[Json] = [values[place] for place in places]
    return picked if many else picked[0]


def _names_id(text: str, value: Json) -> bool:
    return isinstance(value, str | int) and re.search(rf"(?<![\w]){re.escape(str(value))}(?![\w])", text) is not None


def _place_of(text: str, count: int) -> int | None:
    named = find_ordinals(text)
    if len(named) != 1:
        return None
    place = named[0] - 1 if named[0] > 0 else count + named[0]
    return place if 0 <= place < count else None


def _whole_text(text: str, kind: str, value: Json) -> Entity:
    stripped = text.strip()
    start = text.index(stripped)
    return Entity(kind=kind, value=value, text=stripped, start=start, end=start + len(stripped))


def _fits(entities: Sequence[Entity], asked: Sequence[str]) -> bool:
    return any(entity.kind in asked for entity in entities)


def _referred_to(
    entities: Sequence[Entity], clauses: Sequence[Clause], places: Sequence[int | None], guesses: Sequence[IntentGuess]
) -> list[Entity]:
    """The order that "it" means where a further matter names none: "cancel 20592 and refund it"."""
    found: list[Entity] = []
    orders = [entity for entity in entities if entity.kind == "order_id" and not entity.negated]
    for number in range(1, len(guesses)):
        own = [clause for clause, place in zip(clauses, places, strict=True) if place == number]
        if not own or any(order.intent == number for order in orders):
            continue
        before = [order for order in orders if order.end <= own[0].start]
        if before and any(REFERS.search(clause.text) for clause in own):
            found.append(before[-1].model_copy(update={"intent": number}))
    return found


def _without_answer_kinds(entities: Sequence[Entity]) -> list[Entity]:
    return [entity for entity in entities if entity.kind not in {"items", "all", "ordinal"}]


def _joined_items(entities: Sequence[Entity]) -> list[Entity]:
    """Things named for the same matter as one entity with a list, so that none replaces another."""
    groups: dict[int | None, list[Entity]] = {}
    rest: list[Entity] = []
    for entity in entities:
        if entity.kind == "items" and not entity.negated:
            groups.setdefault(entity.intent, []).append(entity)
        else:
            rest.append(entity)
    for own in groups.values():
        phrases: list[Json] = list(dict.fromkeys(str(entity.value) for entity in own))
        rest.append(own[0].model_copy(update={"value": phrases if len(phrases) > 1 else phrases[0]}))
    return rest
