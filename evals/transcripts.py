"""Plays recorded customers against a running Callboard, whatever it answers, and counts what must never happen."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from evals.conversations import Recorded
from evals.questions import plain_values, questions_of, repeated_questions
from evals.running import Running, RuntimeFactory
from evals.systems_of_record import Effects, Permit, Snapshot, effects_between
from graphs.results import InboundMessage, TurnOutcome
from memory import approvals, audit, handoffs, receipts, requests, turns
from memory.receipts import Receipt
from memory.store import Unit
from policies.words import ConversationId, Effect, Json

OUTCOMES: frozenset[str] = frozenset(get_args(TurnOutcome))
FAILED = "failed: "
"""What the reason of a handoff holds where a node failed or a turn was given up, before the error's name."""

SILENT = frozenset({"with_person"})
"""Outcomes of a turn that says nothing because a person has the conversation."""


@dataclass(frozen=True, slots=True)
class PlayedTurn:
    """One message and what became of it."""

    customer: str
    reply: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Played:
    """One conversation as it went."""

    id: ConversationId
    turns: tuple[PlayedTurn, ...]
    crashes: tuple[str, ...] = ()
    """What went wrong, in words of ours."""


@dataclass(slots=True)
class TranscriptReport:
    """What came out of a run."""

    played: list[Played]
    effects: Effects
    receipts_committed: int
    audit_ok: bool
    audit_problems: list[str]
    repeated: Counter[str]
    """How often, by kind: "given", "verbatim"."""
    repeated_in: list[str]
    """Where: "conversation, turn: kind slot, slot"."""
    crashes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    """A kind of crash → a conversation where it happened."""
    handoff_reasons: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether everything that must hold held. Repeated questions are bad manners, not a failure."""
        return not self.crashes and not self.effects.unpermitted and self.audit_ok

    def as_json(self) -> dict[str, Json]:
        """The report as plain JSON."""
        said = [turn for one in self.played for turn in one.turns]
        return {
            "conversations": len(self.played),
            "turns": len(said),
            "crashes": sum(self.crashes.values()),
            "outcomes": dict(sorted(Counter(turn.outcome for turn in said).items())),
            "effects": self.effects.total,
            "effects_without_permit": len(self.effects.unpermitted),
            "audit_ok": self.audit_ok,
            "repeated_questions": sum(self.repeated.values()),
            "crash_kinds": {kind: {"times": n, "example": self.examples[kind]} for kind, n in self.crashes.items()},
            "receipts_committed": self.receipts_committed,
            "unpermitted": list(self.effects.unpermitted),
            "audit_problems": list(self.audit_problems),
            "repeated_kinds": dict(sorted(self.repeated.items())),
            "repeated_in": list(self.repeated_in),
            "handoff_reasons": dict(self.handoff_reasons.most_common()),
        }


async def play_transcripts(
    open_runtime: RuntimeFactory,
    conversations: Sequence[Recorded],
    *,
    workers: int = 4,
    on_played: Callable[[Played], None] = lambda _: None,
) -> TranscriptReport:
    """Play all conversations on fresh records in a temporary directory, several at a time, each in its own order.

    Nobody answers approvals: what waits keeps waiting.

    Args:
        open_runtime: Opens the Callboard to play against.
        conversations: Whose messages are sent, whatever is answered.
        workers: How many conversations are in hand at once.
        on_played: Told of each conversation when it has ended.
    """
    with tempfile.TemporaryDirectory(prefix="callboard-eval-") as place:
        systems = Path(place, "systems")
        async with open_runtime(Path(place, "data"), systems) as running:
            before = Snapshot.of(systems)
            played = await _play_all(running, conversations, workers, on_played)
            report = await _examine(running, played, before, systems)
    return report


async def _play_all(
    running: Running, conversations: Sequence[Recorded], workers: int, on_played: Callable[[Played], None]
) -> list[Played]:
    waiting = list(reversed(list(enumerate(conversations))))
    played: dict[int, Played] = {}

    async def work() -> None:
        while waiting:
            place, recorded = waiting.pop()
            played[place] = await _play(running, ConversationId(f"{place:04d}-{recorded.id}"), recorded.messages)
            on_played(played[place])

    await asyncio.gather(*(work() for _ in range(workers)))
    return [played[place] for place in sorted(played)]


async def _play(running: Running, conversation_id: ConversationId, messages: Sequence[str]) -> Played:
    done: list[PlayedTurn] = []
    crashes: list[str] = []
    for number, text in enumerate(messages):
        try:
            result = await running.runner.handle(InboundMessage(conversation_id, f"m{number}", text))
        except Exception as error:  # whatever it was, it is what we count
            crashes.append(f"unhandled {type(error).__name__}")
            done.append(PlayedTurn(text, "", "crashed"))
            continue
        if result.outcome not in OUTCOMES:
            crashes.append(f"outcome {result.outcome}")
        if not result.reply and result.outcome not in SILENT:
            crashes.append("no reply")
        done.append(PlayedTurn(text, result.reply, result.outcome))
    return Played(conversation_id, tuple(done), tuple(crashes))


async def _examine(running: Running, played: list[Played], before: Snapshot, systems: Path) -> TranscriptReport:
    """Look at rows and files; nothing that was said counts as proof."""
    written = frozenset(spec.name for spec in running.playbook.tools if spec.kind == "write")
    committed: list[Receipt] = []
    permits: list[Permit] = []
    repeated: Counter[str] = Counter()
    repeated_in: list[str] = []
    crashes: Counter[str] = Counter()
    examples: dict[str, str] = {}
    reasons: Counter[str] = Counter()
    for one in played:
        found, leave, failures, handed = await running.store.read(
            lambda unit, one=one: _rows_of(unit, one.id, written)  # type: ignore[misc]  # bound now
        )
        committed += found
        permits += leave
        reasons.update(handed)
        for kind in [*one.crashes, *failures]:
            crashes[kind] += 1
            examples.setdefault(kind, one.id)
        asked, given, refused = await running.store.read(
            lambda unit, one=one: questions_of(unit, conversation_id=one.id)  # type: ignore[misc]  # bound now
        )
        for again in repeated_questions(asked, given, refused):
            repeated[again.kind] += 1
            repeated_in.append(f"{one.id}, turn {again.place + 1}: {again.kind} {', '.join(again.slots)}".rstrip())
    proof = await running.store.read(audit.verify)
    return TranscriptReport(
        played=played,
        effects=effects_between(before, Snapshot.of(systems), permits),
        receipts_committed=len(committed),
        audit_ok=proof.ok,
        audit_problems=list(proof.problems),
        repeated=repeated,
        repeated_in=repeated_in,
        crashes=crashes,
        examples=examples,
        handoff_reasons=reasons,
    )


def _rows_of(
    unit: Unit, conversation_id: ConversationId, written: frozenset[str]
) -> tuple[list[Receipt], list[Permit], list[str], list[str]]:
    """A conversation's committed writes, the leave they had, what failed, and why it was handed to people."""
    made = [
        receipt
        for turn in turns.of_conversation(unit, conversation_id=conversation_id)
        for receipt in receipts.of_turn(unit, turn_id=turn.id)
        if receipt.tool in written and receipt.state == "committed"
    ]
    leave = [
        Permit(receipt.key, plain_values(dict(receipt.arguments))) for receipt in made if _had_leave(unit, receipt)
    ]
    handed = [handoff.reason for handoff in handoffs.of_conversation(unit, conversation_id=conversation_id)]
    return made, leave, [reason for reason in handed if FAILED in reason], handed


def _had_leave(unit: Unit, receipt: Receipt) -> bool:
    """Whether the receipt's own request was allowed just before the call, or its approval was spent on it."""
    if receipt.approval_id is not None:
        approval = approvals.get(unit, approval_id=receipt.approval_id)
        return approval.status == "spent" and approval.request_id == receipt.request_id
    made = requests.decisions_of(unit, request_id=receipt.request_id)
    return any(decision.phase == "act" and decision.effect == Effect.ALLOW for decision in made)
