"""Requests as JSON lines, judged by a playbook's policies: one decision a line, whatever a line holds."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from evals.request_lines import LineUnusable, RequestLine, read_line
from graphs.playbook import Playbook
from policies.canonical import facts_to_json
from policies.explanation import reasons
from policies.words import (
    ActionRequest,
    Decision,
    Effect,
    Facts,
    Json,
    PastUse,
    Situation,
)
from tools.errors import ToolArgumentsError, UnknownTool
from tools.spec import BusinessSystem, ToolContext

FactsFrom = Literal["recorded", "live"]


@dataclass(frozen=True, slots=True)
class Court:
    """What lines are judged with."""

    playbook: Playbook
    systems: Mapping[str, BusinessSystem]
    """The systems of record; empty where facts are recorded only."""
    facts_from: FactsFrom
    now: datetime
    """For lines that don't say when; aware, UTC."""
    fact_timeout_s: float = 3.0

    async def decide(self, lines: Iterable[bytes]) -> AsyncIterator[dict[str, Json]]:
        """One answer per line that isn't blank, in order; a line that can't be used is denied and the rest goes on."""
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield await self.answer(line, number=number)

    async def answer(self, line: bytes, *, number: int) -> dict[str, Json]:
        """The answer to one line. Never raises.

        Args:
            line: One JSON object, see `read_line`.
            number: Its place in the file, for the message.
        """
        try:
            read = read_line(line, playbook=self.playbook, now=self.now)
        except LineUnusable as problem:
            return self._refused(problem.line_id, f"Line {number}: {problem}")
        try:
            return answer_of(read.id, await self.judge(read))
        except (UnknownTool, ToolArgumentsError) as problem:
            return self._refused(read.id, str(problem))
        except Exception as error:  # Nothing that one line does may stop the others or pass for an answer.
            return self._refused(read.id, f"Line {number} could not be judged ({type(error).__name__}).")

    async def judge(self, line: RequestLine) -> Decision:
        """What policy says of one request.

        Raises:
            UnknownTool: There is no such tool.
            ToolArgumentsError: The arguments don't fit it.
        """
        engine = self.playbook.policies
        arguments = self.playbook.tools.validate(line.request.tool, line.request.arguments)
        request = replace(line.request, arguments=arguments)
        facts = dict(line.facts)
        if self.facts_from == "live" and engine.facts_needed(request.tool) - facts.keys():
            facts = {**await self._read(request, line.situation), **facts}
        situation = line.situation
        if not line.says_uses:
            keys = engine.limits_for(request, facts, situation)
            uses = {key.key: self._uses(key.limit, request, situation) for key in keys}
            situation = replace(situation, uses=uses)
        return engine.decide(request, facts, situation)

    async def _read(self, request: ActionRequest, situation: Situation) -> Facts:
        context = ToolContext(self.systems, situation.customer_id, f"facts:{request.id}", situation.now)
        read = await self.playbook.tools.read_facts(
            request.tool, request.arguments, context, timeout_s=self.fact_timeout_s
        )
        return read.facts

    def _uses(self, limit: str, request: ActionRequest, situation: Situation) -> tuple[PastUse, ...]:
        """What the line's own history has used of a limit; nothing else is known of the past here."""
        uses = []
        profiles = self.playbook.policies.policies.tools
        programs = self.playbook.policies.policies.programs
        for event in situation.history:
            profile = profiles.get(event.tool)
            if event.kind != "call" or not event.ok or profile is None:
                continue
            rule = next((each.limit for each in programs[event.tool].rules if each.id == limit), None)
            record = profiles[request.tool].record_argument
            same = event.arguments.get(profile.record_argument) == request.arguments.get(record)
            if rule is None or (rule.rule.per == "record" and not same):
                continue
            amount = event.arguments.get(profile.amount_argument)
            currency = event.arguments.get(profile.currency_argument)
            # A call without a time counts as just made: further back, a window might forgive it.
            uses.append(
                PastUse(
                    event.at or situation.now,
                    amount if type(amount) is int else 0,
                    currency if isinstance(currency, str) else "",
                )
            )
        return tuple(uses)

    def _refused(self, line_id: Json, problem: str) -> dict[str, Json]:
        return {
            "id": line_id,
            "effect": Effect.DENY.value,
            "rules": [],
            "reasons": [],
            "obligations": [],
            "facts": {},
            "policy_version": self.playbook.policies.version,
            "error": problem,
        }


def answer_of(line_id: Json, decision: Decision) -> dict[str, Json]:
    """A decision as one line says it."""
    answer: dict[str, Json] = {
        "id": line_id,
        "effect": decision.effect.value,
        "rules": [*decision.rules],
        "reasons": [*reasons(decision)],
        "obligations": [{"kind": duty.kind, "detail": duty.detail} for duty in decision.obligations],
        "facts": facts_to_json(decision.facts),
        "policy_version": decision.policy_version,
    }
    if decision.error:
        answer["error"] = decision.error
    return answer
