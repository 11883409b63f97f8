"""Conversations against a model's endpoint that misbehaves: each must end in a correct answer or a complete handoff."""

import asyncio
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from evals.errors import SamplesUnreadable
from evals.model_brain import brain_of, local_of
from evals.model_server import FAULTS, Brain, Fault, ModelServer, Plan, serving_model
from evals.running import Running
from graphs.playbook import Playbook
from graphs.results import InboundMessage, ReviewDecision, Reviewer, TurnResult
from memory import cases, handoffs, model_usage, receipts
from memory.cases import Case
from memory.receipts import Receipt
from memory.store import Unit
from policies.words import ConversationId, Json

ModelledFactory = Callable[[str, Path, Path], AbstractAsyncContextManager[Running]]
"""Opens a Callboard on fixtures that asks the model at this URL: records in the first folder, systems in the other."""

MIXED = "mixed"
"""The run in which every request has a fault of its own, by chance, and every other one none."""
COMPLETE = 1.0
"""Score of a handoff bundle in which no part is empty."""
OWN_WORK_S = 30.0
"""How long a turn may take besides its models on a slow machine with much else to do; one that hangs never ends."""
FROM_NOWHERE = "999.00"
"""A figure that only a model that lies would say."""
SHARED = re.compile(r"\b\d{5}\b|[\w.]+@[\w.]+")
"""What samples may share: order numbers and customers. Those that do play on records of their own."""
REVIEWER = Reviewer(id="Rosa Lind", role="supervisor")


class _Sheet(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ExpectedEffect(_Sheet):
    """An effect that must be there; arguments that are named must be equal."""

    tool: str
    arguments: dict[str, Json] = Field(default_factory=dict)


class Expected(_Sheet):
    """What must come of a conversation; what isn't said isn't checked."""

    outcome: str = ""
    journey: str = ""
    effects: list[ExpectedEffect] | None = None
    reply_has: list[str] = Field(default_factory=list)
    reply_lacks: list[str] = Field(default_factory=list)


class Answer(_Sheet):
    """What a person answers to an approval."""

    answer: str
    message: str = ""


class Sample(_Sheet):
    """One conversation of a suite."""

    id: str
    says: list[str] = Field(min_length=1)
    approvals: list[Answer] = Field(default_factory=list)
    expect: Expected


@dataclass(frozen=True, slots=True)
class Ended:
    """How one conversation ended."""

    sample: str
    fault: str
    how: str
    """`correct`, `handed_over`, `neither` or `hung`."""
    problem: str
    """What was wrong with it, if it was neither."""
    longest_turn_s: float
    models_s: float
    """The longest that models took for one of its turns."""


@dataclass(slots=True)
class FaultReport:
    """What came of all conversations under all faults."""

    ended: list[Ended] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    """By fault: how often the endpoint was asked."""
    budget_s: float = 0.0
    """How long models may take for one turn."""

    @property
    def ok(self) -> bool:
        """Whether each conversation ended as it may, in its time."""
        return not any(one.how in {"neither", "hung"} for one in self.ended)

    def as_json(self) -> dict[str, Json]:
        """The figures, in all and by fault."""
        faults = list(dict.fromkeys(one.fault for one in self.ended))
        rows: list[Json] = [
            {
                "fault": fault,
                **self._counts([one for one in self.ended if one.fault == fault]),
                "requests": self.requests[fault],
            }
            for fault in faults
        ]
        problems: list[Json] = [f"{one.fault}, {one.sample}: {one.problem}" for one in self.ended if one.problem]
        return {
            **self._counts(self.ended),
            "requests": self.requests.total(),
            "turn_budget_s": self.budget_s,
            "ok": self.ok,
            "faults": rows,
            "problems": problems,
        }

    def _counts(self, ended: Sequence[Ended]) -> dict[str, Json]:
        how = Counter(one.how for one in ended)
        return {
            "conversations": len(ended),
            "correct": how["correct"],
            "handed_over": how["handed_over"],
            "neither": how["neither"],
            "hung": how["hung"],
            "longest_turn_s": round(max((one.longest_turn_s for one in ended), default=0.0), 2),
            "longest_models_s": round(max((one.models_s for one in ended), default=0.0), 2),
        }


def read_samples(file: Path) -> list[Sample]:
    """The conversations of a suite.

    Raises:
        SamplesUnreadable: It isn't what `Sample` says.
    """
    try:
        data = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        return [Sample.model_validate(each) for each in data["samples"]]
    except (YAMLError, KeyError, TypeError) as error:
        raise SamplesUnreadable(file, 1, problem=f"no suite ({type(error).__name__})") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise SamplesUnreadable(file, 1, problem=f"{where}: {error.errors()[0]['msg']}") from None


async def play_faults(
    open_runtime: ModelledFactory,
    playbook: Playbook,
    samples: Sequence[Sample],
    *,
    faults: Sequence[Fault] = FAULTS,
    mixed: bool = True,
    turn_budget_s: float,
    seed: int = 1,
    on_played: Callable[[], None] = lambda: None,
) -> FaultReport:
    """Play every conversation under every fault, the endpoint failing each time, and once under faults by chance.

    Args:
        open_runtime: Opens a Callboard that asks a model.
        playbook: The business; the endpoint's model answers as its local code would.
        samples: The conversations, with what must come of them.
        faults: Which faults.
        mixed: Whether to play the mixed run too.
        turn_budget_s: How long models may take for one turn, as the runtime is set.
        seed: For the mixed run.
        on_played: Called after each conversation.
    """
    brain = brain_of(local_of(playbook))
    report = FaultReport(budget_s=turn_budget_s)
    plans: list[tuple[str, Plan]] = [(fault, lambda _number, fault=fault: fault) for fault in faults]  # type: ignore[misc]  # bound now
    if mixed:
        chance = random.Random(seed)
        plans.append((MIXED, lambda number: "none" if number % 2 else chance.choice(FAULTS)))
    for name, plan in plans:
        for group in grouped(samples):
            ended, server = await _play(open_runtime, brain, name, plan, group, turn_budget_s, on_played)
            report.ended += ended
            report.requests[name] += len(server.asked)
    return report


def grouped(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples in groups within which none speaks of another one's order or customer."""
    groups: list[tuple[set[str], list[Sample]]] = []
    for sample in samples:
        named = {match for text in sample.says for match in SHARED.findall(text)}
        for taken, members in groups:
            if not taken & named:
                taken |= named
                members.append(sample)
                break
        else:
            groups.append((named, [sample]))
    return [members for _, members in groups]


async def _play(
    open_runtime: ModelledFactory,
    brain: Brain,
    fault: str,
    plan: Plan,
    samples: Sequence[Sample],
    turn_budget_s: float,
    on_played: Callable[[], None],
) -> tuple[list[Ended], ModelServer]:
    with tempfile.TemporaryDirectory(prefix="callboard-faults-") as place:
        async with (
            serving_model(brain, plan=plan) as server,
            open_runtime(server.url, Path(place, "data"), Path(place, "systems")) as running,
        ):

            async def one(sample: Sample) -> Ended:
                ended = await _converse(running, sample, fault, turn_budget_s)
                on_played()
                return ended

            return [*await asyncio.gather(*(one(sample) for sample in samples))], server


async def _converse(running: Running, sample: Sample, fault: str, turn_budget_s: float) -> Ended:
    conversation_id = ConversationId(f"faults-{sample.id}")
    results: list[TurnResult] = []
    result: TurnResult | None = None
    answers = iter(sample.approvals)
    shown: list[str] = []
    longest = 0.0
    for number, text in enumerate(sample.says):
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(turn_budget_s + OWN_WORK_S):
                async for progress in running.runner.stream(InboundMessage(conversation_id, f"m{number}", text)):
                    shown.append(progress.text)
                    result = progress.result or result
        except TimeoutError:
            return Ended(sample.id, fault, "hung", f"message {number + 1} got no answer", turn_budget_s, 0.0)
        longest = max(longest, time.perf_counter() - begun)
        assert result is not None  # noqa: S101  # a stream ends with its result
        for approval_id in result.approvals:
            given = next(answers, None)
            if given is not None:
                decision = ReviewDecision(given.answer, message=given.message)  # type: ignore[arg-type]  # the suite's words
                await running.runner.decide(approval_id, decision, REVIEWER)
                await running.runner.settle(conversation_id)
                result = await running.runner.result(result.turn_id)
        results.append(result)
    writing = frozenset(spec.name for spec in running.playbook.tools if spec.kind == "write")
    how, problem, models_s = await running.store.read(lambda unit: _judge(unit, sample, results, shown, writing))
    return Ended(sample.id, fault, how, problem, longest, models_s)


def _judge(
    unit: Unit, sample: Sample, results: Sequence[TurnResult], shown: Sequence[str], writing: frozenset[str]
) -> tuple[str, str, float]:
    """How it ended, what is wrong with that, and the longest that models took."""
    scopes = [f"turn:{result.turn_id}" for result in results]
    spent = model_usage.spent_by(unit, scopes=scopes)
    models_s = max((each.milliseconds for each in spent.values()), default=0) / 1000
    done = [
        receipt
        for case in _cases(unit, results)
        for receipt in receipts.of_case(unit, case_id=case.id)
        if receipt.state == "committed" and receipt.tool in writing
    ]
    lies = [f"{FROM_NOWHERE} was said" for text in shown if FROM_NOWHERE in text]
    wrong = [*lies, *_differences(unit, sample, results, done)]
    if not wrong:
        return "correct", "", models_s
    scores = [handoff.score for case in _cases(unit, results) for handoff in handoffs.of_case(unit, case_id=case.id)]
    if not lies and scores and min(scores) >= COMPLETE and all(_is_expected(sample, each) for each in done):
        return "handed_over", "", models_s
    if scores:
        wrong.append(f"a handoff that is {min(scores):.0%} complete")
    return "neither", "; ".join(wrong), models_s


def _differences(unit: Unit, sample: Sample, results: Sequence[TurnResult], done: Sequence[Receipt]) -> list[str]:
    """What came otherwise than it must, in words of ours."""
    expect, last = sample.expect, results[-1]
    said = "\n".join(result.reply for result in results)
    found = [f"{words!r} was not said" for words in expect.reply_has if words not in said]
    found += [f"{words!r} was said" for words in expect.reply_lacks if words in said]
    if expect.outcome and last.outcome != expect.outcome:
        found.append(f"it ended {last.outcome}, not {expect.outcome}")
    journeys = [case.journey for case in _cases(unit, results)]
    if expect.journey and (not journeys or expect.journey not in journeys):
        found.append(f"its matter is {journeys}, not {expect.journey}")
    if expect.effects is not None:
        fitting = [each for each in done if _is_expected(sample, each)]
        if len(done) != len(expect.effects) or len(fitting) != len(done):
            found.append(f"{[each.tool for each in done]} was done")
    return found


def _cases(unit: Unit, results: Sequence[TurnResult]) -> list[Case]:
    ids = dict.fromkeys(result.case_id for result in results if result.case_id is not None)
    return [case for case_id in ids if (case := cases.get(unit, case_id=case_id)) is not None]


def _is_expected(sample: Sample, done: Receipt) -> bool:
    return any(
        each.tool == done.tool and all(done.arguments.get(name) == value for name, value in each.arguments.items())
        for each in sample.expect.effects or ()
    )
