"""What models were asked and what that took: who answered each task of a turn, and the counters that budgets go by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, bindparam, or_, select
from sqlmodel import Field

from memory.rows import Moment, Row, table_of
from memory.unit import Kept, Unit
from policies.words import CaseId, ConversationId, TurnId


class ModelAnswerRow(Row, table=True):
    """Who answered one task of a turn. Ids and words of ours only, so nothing of it is sealed."""

    __tablename__ = "model_answers"

    turn_id: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    case_id: str = Field(index=True)
    task: str
    reasoner: str
    prompt_version: str
    calls: int
    prompt_tokens: int = Field(sa_type=BigInteger)
    cached_tokens: int = Field(sa_type=BigInteger)
    completion_tokens: int = Field(sa_type=BigInteger)
    cost_nano: int = Field(sa_type=BigInteger)
    milliseconds: int
    notes: list[str] = Field(sa_type=JSON)
    at: datetime = Field(sa_type=Moment)


class ModelSpendingRow(Row, table=True):
    """What one turn, case or day has spent so far."""

    __tablename__ = "model_spending"

    scope: str = Field(primary_key=True)
    """ "turn:…", "case:…", "day:2026-11-25"."""
    conversation_id: str | None = Field(index=True)
    """Whose turn or case it is; none of a day."""
    calls: int
    tokens: int = Field(sa_type=BigInteger)
    cost_nano: int = Field(sa_type=BigInteger)
    milliseconds: int = Field(sa_type=BigInteger)


_ANSWERS = table_of(ModelAnswerRow)
_SPENDING = table_of(ModelSpendingRow)
_COUNTED = ("calls", "tokens", "cost_nano", "milliseconds")
_ADD = Kept(
    # Added by the database itself: on one that more than one process writes to, a sum made here could be old.
    _SPENDING.update()
    .where(_SPENDING.c.scope == bindparam("of"))
    .values({name: _SPENDING.c[name] + bindparam(f"more_{name}") for name in _COUNTED})
)
_ASKED = ("first", "second", "third")
"""Scopes that are read at once: a turn's, its case's and the day's."""
_SPENT = Kept(select(_SPENDING).where(or_(*(_SPENDING.c.scope == bindparam(name) for name in _ASKED))))


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """Who answered one task, why, and what it took."""

    turn_id: TurnId
    ordinal: int
    """The task's place in the turn."""
    case_id: CaseId
    task: str
    reasoner: str
    """Who answered in the end; empty when nobody did."""
    prompt_version: str
    calls: int
    """Calls of models, failed ones too."""
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_nano: int
    """In billionths of the currency of the prices."""
    milliseconds: int
    """How long the calls took, together."""
    notes: tuple[str, ...]
    """What happened on the way: a failed call, a fallback, that a form decided."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent."""

    calls: int = 0
    tokens: int = 0
    """Prompt and completion together."""
    cost_nano: int = 0
    milliseconds: int = 0


def keep_answer(unit: Unit, answer: ModelAnswer) -> None:
    """Note who answered; what is noted for this place of the turn already stands."""
    if unit.row(_ANSWERS, turn_id=answer.turn_id, ordinal=answer.ordinal) is not None:
        return
    unit.insert(
        _ANSWERS,
        turn_id=answer.turn_id,
        ordinal=answer.ordinal,
        case_id=answer.case_id,
        task=answer.task,
        reasoner=answer.reasoner,
        prompt_version=answer.prompt_version,
        calls=answer.calls,
        prompt_tokens=answer.prompt_tokens,
        cached_tokens=answer.cached_tokens,
        completion_tokens=answer.completion_tokens,
        cost_nano=answer.cost_nano,
        milliseconds=answer.milliseconds,
        notes=list(answer.notes),
        at=answer.at,
    )


def answers_of_case(unit: Unit, *, case_id: CaseId) -> list[ModelAnswer]:
    """Who answered the tasks of a case, in order; nothing of turns in which no model was at hand."""
    statement = select(_ANSWERS).where(_ANSWERS.c.case_id == case_id).order_by(_ANSWERS.c.at, _ANSWERS.c.ordinal)
    return [_answer(row) for row in unit.rows(statement)]


def answers_of_turn(unit: Unit, *, turn_id: TurnId) -> list[ModelAnswer]:
    """Who answered the tasks of a turn, in order."""
    statement = select(_ANSWERS).where(_ANSWERS.c.turn_id == turn_id).order_by(_ANSWERS.c.ordinal)
    return [_answer(row) for row in unit.rows(statement)]


def spend(unit: Unit, *, scopes: Sequence[str], spent: Spent, conversation_id: ConversationId | None = None) -> None:
    """Add to the counters of these scopes: a turn and its case, of a conversation, or its day."""
    more = asdict(spent)
    for scope in scopes:
        if not unit.run(_ADD, of=scope, **{f"more_{name}": value for name, value in more.items()}):
            unit.insert(_SPENDING, scope=scope, conversation_id=conversation_id, **more)


def spent_by(unit: Unit, *, scopes: Sequence[str]) -> dict[str, Spent]:
    """What these scopes have spent so far; every scope is in the answer."""
    found = {scope: Spent() for scope in scopes}
    for first in range(0, len(scopes), len(_ASKED)):
        asked = dict(zip(_ASKED, [*scopes[first : first + len(_ASKED)], *[""] * len(_ASKED)], strict=False))
        for row in unit.rows(_SPENT, **asked):
            found[row["scope"]] = Spent(row["calls"], row["tokens"], row["cost_nano"], row["milliseconds"])
    return found


def _answer(row: Mapping[Any, Any]) -> ModelAnswer:
    return ModelAnswer(
        turn_id=TurnId(row["turn_id"]),
        ordinal=row["ordinal"],
        case_id=CaseId(row["case_id"]),
        task=row["task"],
        reasoner=row["reasoner"],
        prompt_version=row["prompt_version"],
        calls=row["calls"],
        prompt_tokens=row["prompt_tokens"],
        cached_tokens=row["cached_tokens"],
        completion_tokens=row["completion_tokens"],
        cost_nano=row["cost_nano"],
        milliseconds=row["milliseconds"],
        notes=tuple(row["notes"]),
        at=row["at"],
    )
