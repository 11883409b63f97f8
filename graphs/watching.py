"""Who follows a task of a turn while models work on it: keeps them within budgets, counts, shows what may be shown."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from agents.errors import BudgetSpent, ReasonerUnavailable
from agents.reasoners.base import ModelCall, Solved, Usage
from agents.tasks import Typed
from graphs.context import TurnContext
from memory import model_usage
from memory.model_usage import ModelAnswer, Spent
from memory.store import Unit
from policies.words import CaseId, TurnId

ShowDraft = Callable[[str], Awaitable[None]]
"""Takes a draft as far as it is written; shows of it what passes the checks of a whole reply."""


@dataclass(slots=True)
class TurnWatcher:
    """Follows one task of one turn.

    Counters are rows, so that a budget holds across restarts. A call is counted when it has ended: calls that run at
    the same time in other conversations may together go past the day's budget by what they cost.
    """

    ctx: TurnContext
    turn_id: TurnId
    case_id: CaseId
    show_draft: ShowDraft | None = None
    usage: Usage = field(default_factory=Usage)
    cost_nano: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def wants_text(self) -> bool:
        """Whether somebody wants to see a draft while it is written."""
        return self.show_draft is not None

    async def before_call(self, model: str) -> float | None:
        """Look at the budgets.

        Raises:
            BudgetSpent: One of them is used up.
            ReasonerUnavailable: Models have had their time of this turn.
        """
        spending, scopes = self.ctx.house.spending, self._scopes
        spent = await self.ctx.read(lambda unit: model_usage.spent_by(unit, scopes=[*scopes.values()]))
        for of, budget in (("turn", spending.turn), ("case", spending.case), ("day", spending.day)):
            if kind := budget.exceeded_by(spent[scopes[of]]):
                raise BudgetSpent(of, kind)
        if spending.turn_seconds is None:
            return None
        left_s = spending.turn_seconds - spent[scopes["turn"]].milliseconds / 1000
        if left_s <= 0:
            raise ReasonerUnavailable(f"Models have had their {spending.turn_seconds:g} s of this turn.", is_well=True)
        return left_s

    async def after_call(self, call: ModelCall) -> None:
        """Count a call, whatever became of it."""
        cost = self.ctx.house.spending.cost(call.model, call.usage)
        self.usage += call.usage
        self.cost_nano += cost
        self.seconds += call.seconds
        if call.problem:
            self.problems.append(call.problem)
        spent = Spent(
            calls=call.usage.calls,
            tokens=call.usage.prompt_tokens + call.usage.completion_tokens,
            cost_nano=cost,
            milliseconds=round(call.seconds * 1000),
        )
        day = self._scopes["day"]
        own = [scope for scope in self._scopes.values() if scope != day]

        def count(unit: Unit) -> None:
            model_usage.spend(unit, scopes=own, spent=spent, conversation_id=self.ctx.conversation_id)
            model_usage.spend(unit, scopes=[day], spent=spent)

        await self.ctx.write(count)

    async def show(self, text: str) -> None:
        """Pass a draft on to be checked."""
        if self.show_draft is not None:
            await self.show_draft(text)

    def keep(self, task: Typed, ordinal: int, solved: Solved[Any] | None, *, error: str = "") -> None:
        """Note who answered and why, with the next write; nothing where no model was at hand and all went plainly."""
        notes = [*self.problems, *(solved.notes if solved else ()), *([error] if error else [])]
        if not notes and not self.usage.calls:
            return
        answer = ModelAnswer(
            turn_id=self.turn_id,
            ordinal=ordinal,
            case_id=self.case_id,
            task=type(task).__name__,
            reasoner=solved.reasoner if solved else "",
            prompt_version=solved.prompt_version if solved else "",
            calls=self.usage.calls,
            prompt_tokens=self.usage.prompt_tokens,
            cached_tokens=self.usage.cached_tokens,
            completion_tokens=self.usage.completion_tokens,
            cost_nano=self.cost_nano,
            milliseconds=round(self.seconds * 1000),
            notes=tuple(dict.fromkeys(notes)),
            at=self.ctx.now,
        )
        self.ctx.notes.later.append(lambda unit: model_usage.keep_answer(unit, answer))

    @property
    def _scopes(self) -> dict[str, str]:
        day = self.ctx.now.astimezone(ZoneInfo(self.ctx.house.playbook.sheet.time_zone)).date()
        return {"turn": f"turn:{self.turn_id}", "case": f"case:{self.case_id}", "day": f"day:{day}"}
