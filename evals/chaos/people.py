"""Customers and reviewers of a chaos run: they write, wait, click twice and change their minds."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol, cast

from evals.chaos.books import Customer
from evals.chaos.wire import Gone, Refused
from graphs.results import ApprovalState, ReviewDecision, Reviewer, TurnResult
from policies.words import Json

ErrandKind = Literal["refund", "cancel", "address", "status", "person"]

MESSAGES = 12
"""A conversation ends after so many messages of the customer, whatever was answered."""
PATIENCE_S = 120.0
"""How long a customer waits for a conversation to come to its end."""
ANSWER_S = 30.0
"""How long one delivery may take before it is made again."""

YES = "Yes, please go ahead."
CLAIMS = {"refund": "I have refunded", "cancellation": "I have cancelled", "address": "now goes to"}
"""What a reply says when something was done."""

_HEARD: tuple[tuple[str, str], ...] = (
    ("answer yes or no", "yes"),
    ("e-mail address and the postcode", "identity"),
    ("e-mail address of your account", "identity"),
    ("need to know who you are", "identity"),
    ("postcode of your account", "identity"),
    ("number of one of your orders", "identity"),
    ("the new address", "address"),
    ("full new address", "address"),
    ("Which order", "opening"),
    ("Is it about one of these", "opening"),
    ("not sure I understood", "opening"),
    ("still don't follow", "opening"),
)
"""What the customer hears in a reply → what they say next. Anything else ends the conversation."""

_RETRIED = frozenset(
    {"RunnerClosed", "StoreClosed", "StoreUnavailable", "TurnFailed", "TurnNotFound", "CancelledError", "TimeoutError"}
)
"""Refusals of a process that is going down: the delivery is made again."""

_REVIEWERS = (Reviewer("sam", "supervisor"), Reviewer("sue", "supervisor"), Reviewer("ada", "admin"))
_JUNIOR = Reviewer("kim", "reviewer", limits={"EUR": 1})

_ANSWERS = (
    ("approve", 32),
    ("twice", 20),
    ("bad_first", 8),
    ("reject", 6),
    ("respond", 3),
    ("edit", 5),
    ("withdraw", 9),
    ("drift", 9),
    ("late", 5),
    ("never", 3),
)


@dataclass(frozen=True, slots=True)
class Errand:
    """What one customer wants in one conversation."""

    conversation: str
    kind: ErrandKind
    customer: Customer
    seed: str

    def says(self, what: str) -> str:
        """The customer's words."""
        order = self.customer.order_id
        if what == "identity":
            return f"{self.customer.email}, postcode {self.customer.postcode}"
        if what == "address":
            return "42 Elm Street, Apt 3, 20115 Berlin, Germany"
        if what == "yes":
            return YES
        return {
            "refund": f"Hi, I want a refund for order {order}",
            "cancel": f"Please cancel my order {order}",
            "address": f"Please send order {order} to another address",
            "status": f"Hi, where is my order {order}?",
            "person": "I want to talk to a human, please",
        }[self.kind]


@dataclass(slots=True)
class Delivery:
    """One message and what the channel was told of it."""

    conversation: str
    key: str
    text: str
    sent: int
    """The moment of its first delivery, counted."""
    acknowledged: int = 0
    """The moment of the first answer; 0 if there was none."""
    turns: set[str] = field(default_factory=set)
    """The turns that the answers named: one, however often it was delivered."""


@dataclass(slots=True)
class Answered:
    """What people did to one approval, and what they were told."""

    seen: int
    """When it was first seen to wait, counted."""
    given: list[str] = field(default_factory=list)
    """Answers that were sent, whatever came back: "approve", "edit", "reject", "respond", "withdraw"."""
    told: list[str] = field(default_factory=list)
    """The states that were acknowledged."""


@dataclass(slots=True)
class Log:
    """What the world outside knows, for the judge."""

    deliveries: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    approvals: dict[str, Answered] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What should never be answered, and customers who waited in vain."""
    now: int = 0

    def tick(self) -> int:
        """The next moment."""
        self.now += 1
        return self.now


class World(Protocol):
    """What people can reach."""

    async def ask(self, name: str, *arguments: Any) -> Any:
        """Ask the Callboard that lives now. Raises `Gone` and `Refused`."""

    def drift(self, order_id: str) -> None:
        """Change something about an order in the books, as somebody else would."""

    async def look_up(self, key: str) -> dict[str, Json] | None:
        """What the books have under an idempotency key, when nothing more can come; None if nothing."""

    async def pass_hours(self) -> None:
        """Let so much time pass that what waited for a person has expired, and have it noticed."""


class Talk:
    """One conversation, from the customer's side."""

    def __init__(self, errand: Errand, world: World, log: Log) -> None:
        """Bind it.

        Args:
            errand: What the customer wants.
            world: What they can reach.
            log: Where it is kept what was sent and told.
        """
        self._errand, self._world, self._log = errand, world, log
        self._ask = world.ask
        self._dice = Random(errand.seed)  # reproducible on purpose
        self._count = 0
        self._late: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Talk until it has come to an end, deliveries that came late and double among it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._talk()
                await asyncio.gather(*self._late)
        except TimeoutError:
            self._log.problems.append(f"{self._errand.conversation}: no end after {PATIENCE_S:.0f} s")
        finally:
            for task in self._late:
                task.cancel()

    async def _talk(self) -> None:
        dice, says = self._dice, self._errand.says
        if self._errand.kind != "person" and dice.random() < 0.1:
            # Out of order: who they are arrives before what they want.
            both = await asyncio.gather(self._say(says("identity")), self._say(says("opening")))
            result = both[-1]
        else:
            result = await self._say(says("opening"))
        while self._count < MESSAGES:
            if result.approvals or not result.final:
                await self._wait_for_people(result)
                return
            heard = next((what for phrase, what in _HEARD if phrase in result.reply), "")
            if not heard:
                break
            result = await self._say(says(heard))
        if result.outcome in {"escalated", "with_person"} and dice.random() < 0.7:
            await self._come_back()

    async def _come_back(self) -> None:
        """The person gives the conversation back; the customer asks something else."""
        try:
            await self._ask("handback", self._errand.conversation)
        except (Gone, Refused):
            return
        await self._say(f"Where is my order {self._errand.customer.order_id}?")

    async def _say(self, text: str) -> TurnResult:
        """Deliver one message until it is answered: late, twice, or again much later."""
        dice = self._dice
        self._count += 1
        key = f"m{self._count}"
        known = Delivery(self._errand.conversation, key, text, self._log.tick())
        self._log.deliveries[known.conversation, key] = known
        if dice.random() < 0.3:
            await asyncio.sleep(dice.uniform(0, 0.2))
        times = 2 if dice.random() < 0.15 else 1
        answers = await asyncio.gather(*(self._deliver(known) for _ in range(times)))
        if dice.random() < 0.1:
            self._late.append(asyncio.create_task(self._deliver_late(known, dice.uniform(0.2, 2))))
        if dice.random() < 0.03:
            await self._forge(known)
        return answers[0]

    async def _deliver(self, known: Delivery) -> TurnResult:
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    result: TurnResult = await self._ask("say", known.conversation, known.key, known.text)
            except (Gone, TimeoutError):
                await asyncio.sleep(self._dice.uniform(0, 0.1))
            except Refused as refused:
                if refused.kind not in _RETRIED:
                    raise
                await asyncio.sleep(0.05)
            else:
                known.acknowledged = known.acknowledged or self._log.tick()
                known.turns.add(result.turn_id)
                return result

    async def _deliver_late(self, known: Delivery, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._deliver(known)

    async def _forge(self, known: Delivery) -> None:
        """The same id with another text must be refused, always."""
        try:
            await self._ask("say", known.conversation, known.key, f"{known.text} And something else.")
        except Refused as refused:
            if refused.kind not in _RETRIED | {"MessageConflict"}:
                self._log.problems.append(f"{known.conversation}: another text under {known.key}: {refused.kind}")
        except Gone:
            pass
        else:
            self._log.problems.append(f"{known.conversation}: another text under {known.key} was taken")

    async def _wait_for_people(self, result: TurnResult) -> None:
        """Reviewers answer what waits; the customer may ask about it meanwhile."""
        turn = result.turn_id
        while not result.final:
            for approval in result.approvals:
                answered = self._log.approvals.setdefault(approval, Answered(self._log.tick()))
                how = self._dice.choices([how for how, _ in _ANSWERS], [weight for _, weight in _ANSWERS])[0]
                if how == "never":
                    return
                if self._dice.random() < 0.2 and self._count < MESSAGES:
                    self._late.append(asyncio.create_task(self._ask_about_it()))
                await self._review(approval, how, answered)
            await asyncio.sleep(self._dice.uniform(0.02, 0.15))
            result = await self._look(turn)
            if not result.final and not result.approvals:
                await self._find_out()

    async def _find_out(self) -> None:
        """A person looks up in the books what became of calls whose outcome nobody knows, and says so."""
        with suppress(Gone, Refused):
            for item, key in await self._ask("unknown", self._errand.conversation):
                await self._ask("reconcile", item, await self._world.look_up(key))

    async def _ask_about_it(self) -> None:
        await self._say("Is there any news about my request?")

    async def _look(self, turn: str) -> TurnResult:
        while True:
            try:
                found: TurnResult = await self._ask("result", turn)
                return found
            except Gone:
                continue
            except Refused as refused:
                if refused.kind not in _RETRIED:
                    raise
                await asyncio.sleep(0.05)

    async def _review(self, approval: str, how: str, answered: Answered) -> None:
        await asyncio.sleep(self._dice.uniform(0, 0.2))
        if how == "drift":
            self._world.drift(self._errand.customer.order_id)
        if how == "late":
            await self._world.pass_hours()
        if how == "bad_first":
            await self._answer_badly(approval)
        if how == "twice":
            clicks = (self._click(approval, answered, "approve", one) for one in (0, 0, 1))
            await asyncio.gather(*clicks)
        if how == "withdraw":
            await asyncio.gather(self._withdraw(approval, answered), self._click(approval, answered, "approve", 0))
        answer = how if how in {"reject", "respond", "edit"} else "approve"
        for number in range(3):
            state = await self._click(approval, answered, answer, number)
            if state is None or state.status != "pending":
                return
            answer = "approve" if answer == "edit" else answer

    async def _click(self, approval: str, answered: Answered, answer: str, number: int) -> ApprovalState | None:
        """One reviewer answers, again if the line broke. None if it was too late or refused."""
        message = "Looked at it." if answer in {"reject", "respond"} else ""
        while True:
            arguments = await self._edited(approval) if answer == "edit" else None
            decision = ReviewDecision(answer, message=message, arguments=arguments)  # type: ignore[arg-type]  # one of the four
            answered.given.append(answer)
            try:
                state: ApprovalState = await self._ask("decide", approval, decision, _REVIEWERS[number % 3])
            except Gone:
                await asyncio.sleep(0.02)
            except Refused as refused:
                if refused.kind in _RETRIED:
                    await asyncio.sleep(0.05)
                elif refused.kind in {"ApprovalClosed", "ApprovalExpired", "AlreadyVoted", "EditRefused"}:
                    return None
                elif refused.kind != "ApprovalChanged":
                    self._log.problems.append(f"{approval}: {answer} was refused: {refused.kind}")
                    return None
            else:
                answered.told.append(state.status)
                return state

    async def _edited(self, approval: str) -> dict[str, Any] | None:
        while True:
            try:
                state: ApprovalState = await self._ask("approval", approval)
            except (Gone, Refused):
                await asyncio.sleep(0.02)
                continue
            arguments = cast(dict[str, Any], state.details["arguments"]).copy()
            if isinstance(arguments.get("amount_minor"), int):
                arguments["amount_minor"] -= 1
            return arguments

    async def _answer_badly(self, approval: str) -> None:
        """Answers that must be refused and change nothing."""
        bad = [
            (ReviewDecision("reject"), _REVIEWERS[0], {"JustificationMissing"}),
            (ReviewDecision("approve", version=99), _REVIEWERS[1], {"ApprovalChanged"}),
            (ReviewDecision("edit", arguments={}, tool="close_account"), _REVIEWERS[1], {"EditRefused"}),
        ]
        if self._errand.kind == "refund":
            bad.append((ReviewDecision("approve"), _JUNIOR, {"AboveLimit", "NotAuthorised"}))
        for decision, reviewer, wanted in bad:
            try:
                before = await self._ask("approval", approval)
                await self._ask("decide", approval, decision, reviewer)
            except Refused as refused:
                if refused.kind in _RETRIED | {"ApprovalClosed", "ApprovalExpired"}:
                    return
                if refused.kind not in wanted:
                    self._log.problems.append(f"{approval}: refused with {refused.kind}, not {sorted(wanted)}")
            except Gone:
                continue
            else:
                self._log.problems.append(f"{approval}: a bad answer was taken ({sorted(wanted)})")
                continue
            try:
                if await self._ask("approval", approval) != before:
                    self._log.problems.append(f"{approval}: a bad answer changed it ({sorted(wanted)})")
            except (Gone, Refused):
                continue

    async def _withdraw(self, approval: str, answered: Answered) -> None:
        while True:
            answered.given.append("withdraw")
            try:
                state: ApprovalState = await self._ask("withdraw", approval)
            except Gone:
                await asyncio.sleep(0.02)
            except Refused as refused:
                if refused.kind not in _RETRIED:
                    return
                await asyncio.sleep(0.05)
            else:
                answered.told.append(state.status)
                return
