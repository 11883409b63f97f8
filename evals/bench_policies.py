"""What a decision costs: ours beside Cedar, ZEN, a bare CEL list and plain Python, and a backtest of many.

Times are of the processor, not of the clock on the wall: others who work on the machine then count for little.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any

from evals.errors import PeersDisagree
from evals.policy_peers import Peer, cedar, cel_list, plain_python, sample_values, zen
from evals.policy_sample import FACTS, REQUEST, SITUATION, sample_engine
from policies.engine import PolicyEngine
from policies.explanation import explain
from policies.replaying import Backtest, Recorded
from policies.words import Effect, Fact, Json

ROUNDS = 9
"""Rounds are taken in turn, so that all see the same machine; the median round counts."""
PER_ROUND = 400
DISTINCT = 2_000
"""Different decisions in the backtest; they come round again until it has as many as it should."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long one call takes."""

    name: str
    microseconds: float
    """Median over the rounds."""

    @property
    def per_second(self) -> int:
        return round(1e6 / self.microseconds)


@dataclass(frozen=True, slots=True)
class PolicyBench:
    """The figures of one run."""

    warm: tuple[Speed, ...]
    cold_ms: float
    """Reading, checking and compiling the sample's files, and the first decision."""
    parts: tuple[Speed, ...]
    """Where the time of one of our decisions goes."""
    backtest_decisions: int
    backtest_s: float
    backtest_identical: int

    def as_json(self) -> dict[str, Json]:
        """The figures as plain JSON."""
        return {
            "rules": 30,
            "tables": 3,
            "facts": len(FACTS),
            "cold_ms": self.cold_ms,
            "warm": [{"name": one.name, "us": one.microseconds, "per_second": one.per_second} for one in self.warm],
            "parts": [{"name": one.name, "us": one.microseconds} for one in self.parts],
            "backtest": {
                "decisions": self.backtest_decisions,
                "distinct": min(DISTINCT, self.backtest_decisions),
                "seconds": self.backtest_s,
                "identical": self.backtest_identical,
            },
        }


def bench_policies(*, decisions: int = 100_000, rounds: int = ROUNDS, per_round: int = PER_ROUND) -> PolicyBench:
    """Measure on one core.

    Args:
        decisions: How many recorded decisions the backtest replays.
        rounds: How many rounds; the median counts.
        per_round: Calls of each in a round.

    Raises:
        PeersDisagree: One of them says something else of the same request, so the figures would compare nothing.
    """
    started = time.process_time()
    engine = sample_engine()
    engine.decide(REQUEST, FACTS, SITUATION)
    cold = time.process_time() - started
    values = sample_values()
    peers = {name: peer for name, peer in _peers().items() if peer is not None}
    _agree(engine, peers, values)
    decision = engine.decide(REQUEST, FACTS, SITUATION)
    calls: dict[str, Callable[[], object]] = {"callboard decide": lambda: engine.decide(REQUEST, FACTS, SITUATION)}
    calls |= {"callboard decide and explain": lambda: explain(engine.decide(REQUEST, FACTS, SITUATION), REQUEST)}
    calls |= {name: _call(peer, values) for name, peer in peers.items()}
    warm = _race(calls, rounds=rounds, per_round=per_round)
    program = engine.policies.programs[REQUEST.tool]
    moment = engine.moment(REQUEST, FACTS, SITUATION)
    parts = {
        "facts, arguments and tables read and checked": lambda: engine.moment(REQUEST, FACTS, SITUATION),
        "conditions": lambda: program.batch.hold(moment.values),
        "explanation in words": lambda: explain(decision, REQUEST),
    }
    timed = _race(parts, rounds=rounds, per_round=per_round)
    recorded = list(_recorded(engine, min(DISTINCT, decisions)))
    report = Backtest(engine)
    begun = time.process_time()
    report.add(islice(cycle(recorded), decisions))
    took = time.process_time() - begun
    return PolicyBench(
        warm=warm,
        cold_ms=round(cold * 1000, 1),
        parts=timed,
        backtest_decisions=report.total,
        backtest_s=round(took, 2),
        backtest_identical=report.fates["identical"],
    )


def _peers() -> dict[str, Peer | None]:
    return {"cedarpy": cedar(), "zen-engine": zen(), "CEL list": cel_list(), "plain Python": plain_python}


def _agree(engine: PolicyEngine, peers: dict[str, Peer], values: dict[str, Any]) -> None:
    """All must let the sample pass, and all must stop a refund of too much, a disputed payment and an invoice."""
    changes: list[tuple[str, Json]] = [
        ("", None),
        ("order.refundable_minor", 1_000),
        ("payment.disputed", True),
        ("payment.method", "invoice"),
    ]
    for name, value in changes:
        facts = {**FACTS, name: Fact(value, "sample", SITUATION.now)} if name else FACTS
        ours = engine.decide(REQUEST, facts, SITUATION).effect is not Effect.ALLOW
        for peer, objects in peers.items():
            if objects({**values, name: value} if name else values) != ours or ours != bool(name):
                raise PeersDisagree(peer, name)


def _call(peer: Peer, values: dict[str, Any]) -> Callable[[], object]:
    return lambda: peer(values)


def _race(calls: Mapping[str, Callable[[], object]], *, rounds: int, per_round: int) -> tuple[Speed, ...]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.process_time()
            for _ in range(per_round):
                call()
            times[name].append((time.process_time() - started) / per_round * 1e6)
    return tuple(Speed(name, round(statistics.median(each), 1)) for name, each in times.items())


def _recorded(engine: PolicyEngine, count: int) -> Iterator[Recorded]:
    """Decisions on refunds of many amounts and ages, some of them stopped or sent to people."""
    for number in range(count):
        amount = 100 + number * 37 % 25_000
        facts = dict(FACTS)
        facts["order.days_since_delivery"] = Fact(number % 80, "orders database", SITUATION.now)
        facts["customer.refunds_90d"] = Fact(number % 5, "orders database", SITUATION.now)
        request = replace(REQUEST, arguments={**REQUEST.arguments, "amount_minor": amount})
        read, said_yes = SITUATION.history
        situation = replace(SITUATION, history=(read, replace(said_yes, arguments=request.arguments)))
        decision = engine.decide(request, facts, situation)
        yield Recorded(f"req-{number}#0", situation.now, request, facts, frozenset(), situation, decision)
