"""The demo: three conversations played to the end on the real runtime, on records of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from callboard.api.models import ApprovalOut, CaseOut, DecisionOut, ReceiptOut
from callboard.errors import SettingsInvalid
from callboard.runtime import Runtime
from callboard.settings import Settings, read_settings
from callboard.views import view_approval, view_case
from graphs.results import InboundMessage, ReviewDecision, Reviewer, TurnResult
from memory import conversations, model_usage
from memory.store import Unit
from policies.words import ApprovalId, CaseId, ConversationId, TurnId


@dataclass(frozen=True, slots=True)
class Scene:
    """One conversation of the demo."""

    name: str
    title: str
    customer: str
    lines: tuple[str, ...]
    outcomes: tuple[str, ...]
    """What each line's turn must come to, approvals decided; anything else is a failed demo."""
    customer_id: str = ""
    """Whose refunds are counted in the system of record at the end."""


REVIEWER = Reviewer(id="Rosa Lind", role="reviewer", limits={"EUR": 50_000})

SCENES = (
    Scene(
        name="order_status",
        title="Where is my order? Answered by the AI alone.",
        customer="Jonas",
        lines=(
            "Hi, where is my order 20731?",
            "jonas.lindqvist@example.org, 411 24",
            "Great, thank you!",
        ),
        outcomes=("awaiting_customer", "resolved", "replied"),
        customer_id="C-1002",
    ),
    Scene(
        name="refund_above_threshold",
        title="A refund above the threshold: a person decides, then it is done once.",
        customer="Mira",
        lines=(
            "Hello, I sent the walking boots from order 20418 back to you and would like my money back.",
            "Sure: mira.okafor@example.org, postcode 10435",
            "Yes, please go ahead.",
        ),
        outcomes=("awaiting_customer", "awaiting_customer", "resolved"),
        customer_id="C-1001",
    ),
    Scene(
        name="asks_for_a_person",
        title="An angry customer asks for a person: a bundle, and then silence.",
        customer="Luca",
        lines=(
            "My parcel 20955 has been lost for weeks, nobody answers me and I am furious! "
            "I want to talk to a real person, now.",
            "Hello? Is anybody there?",
        ),
        outcomes=("escalated", "with_person"),
        customer_id="C-1004",
    ),
)


@dataclass(slots=True)
class Played:
    """One conversation as it went."""

    scene: Scene
    conversation_id: ConversationId
    currency: str
    """Of the amounts."""
    turns: list[dict[str, Any]] = field(default_factory=list)
    approvals: list[ApprovalOut] = field(default_factory=list)
    decisions: list[DecisionOut] = field(default_factory=list)
    receipts: list[ReceiptOut] = field(default_factory=list)
    handoffs: list[dict[str, Any]] = field(default_factory=list)
    refunds_booked: dict[str, int] = field(default_factory=dict)
    """What the system of record holds for this customer since the demo began."""
    ended_as_planned: bool = False

    def as_json(self) -> dict[str, Any]:
        """As data."""
        return {
            "name": self.scene.name,
            "title": self.scene.title,
            "conversation_id": self.conversation_id,
            "turns": self.turns,
            "approvals": [approval.model_dump(mode="json") for approval in self.approvals],
            "decisions": [decision.model_dump(mode="json") for decision in self.decisions],
            "receipts": [receipt.model_dump(mode="json") for receipt in self.receipts],
            "handoffs": self.handoffs,
            "refunds_booked": self.refunds_booked,
            "currency": self.currency,
            "ended_as_planned": self.ended_as_planned,
        }


class Audience:
    """Who watches the demo. This one looks at nothing; others say what they want to see."""

    def scene(self, scene: Scene) -> None:
        """A conversation begins."""

    def customer(self, scene: Scene, text: str) -> None:
        """The customer writes."""

    def decided(self, decision: DecisionOut) -> None:
        """Policy decided on a proposed call."""

    def reply(self, text: str, outcome: str) -> None:
        """The customer is told something, or nothing: then the text is empty."""

    def approval(self, approval: ApprovalOut, reviewer: Reviewer, status: str) -> None:
        """A reviewer saw this approval and answered it."""

    def receipt(self, receipt: ReceiptOut) -> None:
        """An effect is on the ledger."""

    def handoff(self, bundle: Mapping[str, Any], score: float) -> None:
        """A person got the case."""


async def play(
    settings: Settings, *, clock: Callable[[], datetime], new_id: Callable[[], str], audience: Audience
) -> list[Played]:
    """Play all scenes. On Postgres by the workers that there are, else by this process.

    Args:
        settings: Where records and systems of record are; they are made there, or fresh. With a chat model the same
            scenes are played with it.
        clock: Gives the present moment, aware, UTC.
        new_id: Gives a fresh random id.
        audience: Who watches.

    Raises:
        SettingsInvalid: It was played on these records before.
    """
    async with Runtime.open(settings, clock=clock, new_id=new_id, works="alone") as runtime:
        if await runtime.store.read(_was_played):
            raise SettingsInvalid(
                "The demo was played on these records before. Give it a fresh database and directory."
            )
        began = clock()
        return [await _Stage(runtime, scene, audience, began).play() for scene in SCENES]


def demo_settings(directory: Path, playbook: Path) -> Settings:
    """Settings of a demo in a directory, whatever the environment says of addresses; with a model, if there is one."""
    return read_settings(data_dir=directory, playbook=playbook, env="development", host="127.0.0.1")


def _conversation_of(scene: Scene) -> ConversationId:
    return ConversationId(f"demo-{scene.name}")


def _was_played(unit: Unit) -> bool:
    return any(conversations.get(unit, conversation_id=_conversation_of(scene)) is not None for scene in SCENES)


class _Stage:
    """One scene while it is played."""

    def __init__(self, runtime: Runtime, scene: Scene, audience: Audience, began: datetime) -> None:
        self._runtime, self._scene, self._audience, self._began = runtime, scene, audience, began
        self._played = Played(scene, _conversation_of(scene), runtime.playbook.sheet.currency)
        self._cases: list[CaseId] = []
        self._counted: set[tuple[TurnId, int]] = set()
        """Answers of models that an earlier part of a turn's reply has counted."""

    async def play(self) -> Played:
        """Say every line, let the reviewer decide what waits, and look at what is left behind."""
        self._audience.scene(self._scene)
        outcomes = []
        for number, line in enumerate(self._scene.lines, start=1):
            self._audience.customer(self._scene, line)
            result, drafts = await self._say(
                InboundMessage(self._played.conversation_id, f"demo-{self._scene.name}-{number}", line)
            )
            await self._tell(line, result.reply, result, drafts=drafts)
            if result.approvals:
                result = await self._review(result)
            outcomes.append(result.outcome)
        self._played.refunds_booked = await self._count_refunds()
        self._played.ended_as_planned = tuple(outcomes) == self._scene.outcomes
        return self._played

    async def _say(self, message: InboundMessage) -> tuple[TurnResult, list[str]]:
        """Send a line; the result, and what of the reply could be shown while it was written."""
        drafts: list[str] = []
        async for progress in self._runtime.runner.stream(message):
            if progress.kind == "draft":
                drafts.append(progress.text)
            if progress.result is not None:
                result = progress.result
        return result, drafts

    async def _tell(self, line: str, reply: str, result: TurnResult, *, drafts: Sequence[str] = ()) -> None:
        await self._catch_up(result)
        answers = [
            answer
            for answer in await self._runtime.store.read(
                lambda unit: model_usage.answers_of_turn(unit, turn_id=result.turn_id)
            )
            if (answer.turn_id, answer.ordinal) not in self._counted
        ]
        self._counted |= {(answer.turn_id, answer.ordinal) for answer in answers}
        self._played.turns.append(
            {
                "customer": line,
                "reply": reply,
                "outcome": result.outcome,
                "turn_id": result.turn_id,
                "drafts": list(drafts),
                "answered_by": sorted({answer.reasoner for answer in answers if answer.reasoner}),
                "model_calls": sum(answer.calls for answer in answers),
                "model_tokens": sum(answer.prompt_tokens + answer.completion_tokens for answer in answers),
            }
        )
        self._audience.reply(reply, result.outcome)

    async def _review(self, waiting: TurnResult) -> TurnResult:
        """The reviewer reads each approval and says yes; the turn's final reply follows."""
        runtime = self._runtime
        for approval_id in waiting.approvals:
            shown = await self._approval(approval_id)
            state = await runtime.runner.decide(approval_id, ReviewDecision("approve", version=shown.version), REVIEWER)
            self._audience.approval(shown, REVIEWER, state.status)
        await runtime.runner.settle(waiting.conversation_id)
        result = await runtime.runner.result(waiting.turn_id)
        for approval_id in waiting.approvals:
            final = await self._approval(approval_id)
            self._played.approvals.append(final)
        await self._tell("", "\n\n".join(result.parts[len(waiting.parts) :]), result)
        return result

    async def _catch_up(self, result: TurnResult) -> None:
        """Show what is new on the record of the cases seen so far."""
        if result.case_id is not None and result.case_id not in self._cases:
            self._cases.append(result.case_id)
        cases = [await self._case(case_id) for case_id in self._cases]
        played = self._played
        decisions = [decision for case in cases for decision in case.decisions]
        for decision in decisions[len(played.decisions) :]:
            self._audience.decided(decision)
        receipts = [receipt for case in cases for receipt in case.receipts]
        known = {receipt.receipt_id for receipt in played.receipts}
        for receipt in receipts:
            if receipt.receipt_id not in known:
                self._audience.receipt(receipt)
        handoffs = [handoff for case in cases for handoff in case.handoffs]
        for handoff in handoffs[len(played.handoffs) :]:
            self._audience.handoff(handoff.bundle, handoff.score)
        played.decisions, played.receipts = decisions, receipts
        played.handoffs = [handoff.model_dump(mode="json") for handoff in handoffs]

    async def _case(self, case_id: CaseId) -> CaseOut:
        return await self._runtime.store.read(lambda unit: view_case(unit, case_id=case_id))

    async def _approval(self, approval_id: ApprovalId) -> ApprovalOut:
        return await self._runtime.store.read(lambda unit: view_approval(unit, approval_id=approval_id))

    async def _count_refunds(self) -> dict[str, int]:
        """Asked of the payments system itself, not of our records."""
        payments: Any = self._runtime.systems["payments"]
        count, amount_minor = await payments.refunds_since(self._scene.customer_id, since=self._began)
        return {"count": count, "amount_minor": amount_minor}
