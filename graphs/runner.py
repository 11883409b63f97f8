"""The runner: the only door to the graph. Messages in, results out; all else that happens comes through the inbox."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from traceback import format_tb
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command

from graphs.context import House, TurnContext
from graphs.errors import Forgotten, NotWithPerson, RunnerClosed, TurnFailed, TurnNotFound
from graphs.lanes import LocalLanes, OpenLanes
from graphs.last_resort import give_up
from graphs.parking import park
from graphs.reconciling import answer_outcome
from graphs.relay import Ended, Event, LocalRelay, Relay
from graphs.results import ApprovalState, InboundMessage, Progress, ReviewDecision, Reviewer, TurnResult
from graphs.reviewing import answer, as_authority, claim, note_end, release, state_of, take_back, warn_due
from graphs.state import TurnState
from graphs.turn_graph import GRAPH_VERSION, TurnGraph
from graphs.undoing import ask_to_undo
from graphs.waiting import IS_NEW
from memory import approvals, audit, conversations, inbox, outbox, reconciliations, timeline, turns
from memory.approvals import Approval
from memory.boundaries import crossing
from memory.errors import FencedOut, Overloaded
from memory.inbox import InboxItem
from memory.reconciliations import Reconciliation, Verdict
from memory.store import Unit
from memory.turns import Turn
from policies.engine import PolicyEngine
from policies.words import ApprovalId, CaseId, ConversationId, Json, ReceiptId, TurnId

log = logging.getLogger("callboard.runner")

ATTEMPTS = 3
"""How often a turn is begun before it goes to a person: twice after a crash or a failing store."""

UNDO_TURN = "undo-"
"""Begins the id of a turn in which a person wants an effect undone; the item's number follows."""

DRAIN_S = 5.0
"""How long, in seconds, a turn that is told to stop may take for the step it is at; a call in it has its time-out."""

THREADS = 8
"""How often one turn may go on in a fresh thread; each needs a person's answer or facts that moved."""


@dataclass(frozen=True, slots=True)
class Due:
    """What time alone has brought about."""

    expired: int
    """Approvals that nobody answered in time."""
    warned: int
    """Approvals that will expire soon."""
    followed_up: int
    """Calls of unknown outcome about which their system is asked again."""


class Runner:
    """Takes messages and says what becomes of them; runs turns, each conversation in its own lane."""

    def __init__(
        self,
        *,
        house: House,
        graph: TurnGraph,
        new_id: Callable[[], str],
        open_lanes: OpenLanes = LocalLanes,
        relay: Relay | None = None,
        wait_s: float | None = None,
        intake: inbox.Intake | None = None,
        most_turns: int | None = None,
    ) -> None:
        """Bind the runner.

        Args:
            house: What all turns share.
            graph: The compiled turn.
            new_id: Gives a fresh random id.
            open_lanes: Makes the lanes that turns run in, here or elsewhere; in this process by default.
            relay: Brings notice of turns that run elsewhere; of this process's by default.
            wait_s: How long, in seconds, a caller waits for a turn that runs elsewhere; None for as long as it takes.
            intake: How much may wait before messages are refused; None for no limit.
            most_turns: How many turns run at a time in this process; None for no limit.
        """
        self._intake = intake
        self._refused = {"conversation": 0, "total": 0}
        self._taking: Counter[tuple[ConversationId, str]] = Counter()
        self._house = house
        self._graph = graph
        self._new_id = new_id
        self._room = asyncio.Semaphore(most_turns) if most_turns is not None else None
        self._running = 0
        self._lanes = open_lanes(self._run_one)
        self._relay = relay or LocalRelay()
        self._wait_s = wait_s
        self._waiting: set[asyncio.Future[Ended]] = set()
        self._controls: set[RunControl] = set()
        self._closed = False
        self._versions = {
            "graph": GRAPH_VERSION,
            "playbook": house.playbook.hash,
            **{f"prompt:{name}": version for name, version in house.specialists.prompt_versions.items()},
        }

    async def handle(self, message: InboundMessage) -> TurnResult:
        """Take a message and wait for what becomes of its turn. The same message id gives the same turn.

        Raises:
            MessageConflict: The id came before with another text.
            Overloaded: Too much waits already; the message was not taken.
            RunnerClosed: Shutting down; the message was not taken.
        """
        item = await self._take(message)
        return await self._outcome_of(item)

    async def stream(self, message: InboundMessage) -> AsyncIterator[Progress]:
        """The same, told step by step; ends with the result. Raises as `handle`."""
        heard: asyncio.Queue[Progress] = asyncio.Queue()

        def hear(event: Event) -> None:
            if isinstance(event, Progress):
                heard.put_nowait(event)

        begun: list[asyncio.Task[Any]] = []
        try:
            with self._relay.listening(message.conversation_id, hear, to_progress=True):
                item = await self._take(message)
                outcome = asyncio.create_task(self._outcome_of(item))
                begun.append(outcome)
                while not outcome.done() or not heard.empty():
                    step = asyncio.create_task(heard.get())
                    begun[1:] = [step]
                    await asyncio.wait({step, outcome}, return_when=asyncio.FIRST_COMPLETED)
                    if step.done():
                        yield step.result()
                    else:
                        step.cancel()
                        if heard.empty():
                            break
            result = await outcome
            for text in result.parts:
                yield Progress(result.turn_id, "reply", text=text)
            yield Progress(result.turn_id, "finished", result=result)
        finally:
            # Whoever listened may be gone in the middle; the turn goes on without them.
            for task in begun:
                task.cancel()

    async def decide(self, approval_id: ApprovalId, decision: ReviewDecision, reviewer: Reviewer) -> ApprovalState:
        """Take a person's answer. Waits for nothing: the turn goes on in its lane.

        Raises:
            ApprovalError: The answer can't be taken; the approval is exactly as it was.
            EditRefused: What stands against the edit; likewise.
        """
        settled = await answer(self._house, approval_id, decision, reviewer, now=self._house.clock())
        if settled.status != "pending":
            self._lanes.wake(settled.conversation_id)
        return state_of(settled)

    async def withdraw(
        self, approval_id: ApprovalId, *, by: str, conversation_id: ConversationId | None = None, reason: str = ""
    ) -> ApprovalState:
        """Take a request back before it was acted on.

        Args:
            approval_id: Which.
            by: Who does.
            conversation_id: For a bot: where the customer said so.
            reason: For a person: why.

        Raises:
            NotOfConversation: It waits in another conversation.
            JustificationMissing: Neither a conversation nor a reason.
            ApprovalClosed: It is too late.
        """
        now = self._house.clock()
        with crossing(self._house.checkpoint, "withdrawal"):
            ended = await self._house.store.write(
                lambda unit: take_back(
                    unit, approval_id, by=by, now=now, conversation_id=conversation_id, reason=reason
                )
            )
        self._lanes.wake(ended.conversation_id)
        return state_of(ended)

    async def claim(self, approval_id: ApprovalId, reviewer: Reviewer, *, lease: timedelta) -> ApprovalState:
        """Take an approval in hand for a while, or hold it longer. Raises `ApprovalError`."""
        now = self._house.clock()
        return state_of(
            await self._house.store.write(lambda unit: claim(unit, approval_id, reviewer, lease=lease, now=now))
        )

    async def renew_claim(self, approval_id: ApprovalId, reviewer: Reviewer, *, lease: timedelta) -> ApprovalState:
        """Hold a claim of one's own longer. Raises `ApprovalError`."""
        now, person = self._house.clock(), as_authority(reviewer)
        return state_of(
            await self._house.store.write(
                lambda unit: approvals.renew_claim(unit, approval_id=approval_id, reviewer=person, lease=lease, now=now)
            )
        )

    async def release_claim(self, approval_id: ApprovalId, reviewer: Reviewer) -> ApprovalState:
        """Give a claim back. Raises `ApprovalError`."""
        now = self._house.clock()
        return state_of(await self._house.store.write(lambda unit: release(unit, approval_id, reviewer, now=now)))

    async def reconcile(
        self,
        reconciliation_id: str,
        *,
        verdict: Verdict,
        result: Mapping[str, Json] | None,
        note: str,
        reviewer: Reviewer,
    ) -> Reconciliation:
        """Take a person's word on what came of a call; its turn goes on in its lane.

        Raises:
            ReconciliationError: The answer can't be taken; item and receipt are exactly as they were.
            RecordNotFound: There is no such item.
        """
        answered = await answer_outcome(
            self._house,
            reconciliation_id,
            verdict=verdict,
            result=result,
            note=note,
            reviewer=reviewer,
            now=self._house.clock(),
        )
        self._lanes.wake(answered.conversation_id)
        return answered

    async def compensate(self, receipt_id: ReceiptId, *, reviewer: Reviewer, reason: str) -> None:
        """Have an effect undone: a request that policy judges, and people where it says so, in a turn of its own.

        Raises:
            RecordNotFound: There is no such receipt.
            NothingToUndo: It did not happen, was undone, or its tool doesn't say how.
        """
        receipt = await self._house.store.write(
            lambda unit: ask_to_undo(
                unit, self._house, receipt_id, reviewer=reviewer, reason=reason, now=self._house.clock()
            )
        )
        self._lanes.wake(receipt.conversation_id)
        await self.settle(receipt.conversation_id)

    async def handback(self, conversation_id: ConversationId, *, by: Reviewer, summary: str) -> None:
        """Give a conversation back to the AI, explicitly, with a summary of what the person did.

        Raises:
            NotWithPerson: No person has it.
        """

        def work(unit: Unit) -> None:
            conversation = conversations.get(unit, conversation_id=conversation_id)
            if conversation is None or conversation.status != "person":
                raise NotWithPerson(NotWithPerson.__doc__)
            inbox.put(
                unit,
                conversation_id=conversation_id,
                kind="handback",
                dedupe_key=self._new_id(),
                body={"by": by.id, "summary": summary},
                now=self._house.clock(),
            )

        with crossing(self._house.checkpoint, "handback"):
            await self._house.store.write(work)
        self._lanes.wake(conversation_id)
        await self.settle(conversation_id)

    async def result(self, turn_id: TurnId) -> TurnResult:
        """Where a turn stands. Raises `TurnNotFound`."""
        return await self._house.store.read(lambda unit: _result(unit, turn_id))

    @property
    def turns_in_flight(self) -> int:
        """How many turns this process runs at this moment."""
        return self._running

    @property
    def refused(self) -> Mapping[str, int]:
        """How many messages this process refused because too much waited, by where it did."""
        return dict(self._refused)

    async def settle(self, conversation_id: ConversationId) -> None:
        """Wait until nothing is in hand for a conversation, or for as long as a caller waits for a turn elsewhere."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                await self._lanes.settle(conversation_id)

    async def dismiss(self, conversation_id: ConversationId) -> None:
        """Let go of a conversation whose person was erased: its run has no right to write any more."""
        self._relay.tell(conversation_id, Ended(problem="forgotten"))
        await self.settle(conversation_id)

    async def recover(self) -> int:
        """Go on with what a crash or a shutdown left behind; how many conversations that concerns."""
        left = await self._house.store.read(inbox.unfinished)
        for conversation_id in left:
            self._lanes.wake(conversation_id)
        return len(left)

    async def tick(self) -> Due:
        """Do what has become due: expire and warn, ask systems again about calls whose outcome is unknown."""
        now = self._house.clock()
        expired = await self.expire_due()
        warned = await self._house.store.write(lambda unit: warn_due(unit, now=now))
        followed = await self._house.store.write(lambda unit: reconciliations.follow_up_due(unit, now=now))
        for item in followed:
            self._lanes.wake(item.conversation_id)
        return Due(expired=expired, warned=len(warned), followed_up=len(followed))

    async def expire_due(self) -> int:
        """Close approvals that nobody answered in time; their turns follow the fallback. How many there were."""
        now = self._house.clock()

        def work(unit: Unit) -> list[Approval]:
            expired = approvals.expire_due(unit, now=now)
            for approval in expired:
                note_end(unit, approval, by="clock", now=now)
            return expired

        with crossing(self._house.checkpoint, "expiry"):
            expired = await self._house.store.write(work)
        for approval in expired:
            self._lanes.wake(approval.conversation_id)
        return len(expired)

    async def close(self, *, patience_s: float = 10.0) -> None:
        """Take no more messages and let what is in hand finish.

        What doesn't finish in time stops after the step it is at and goes back to the inbox, where `recover` or another
        process finds it.
        """
        self._closed = True
        closing = asyncio.create_task(self._lanes.close(patience_s=patience_s + DRAIN_S))
        await asyncio.wait([closing], timeout=patience_s)
        for control in self._controls:
            control.request_drain()
        await closing
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(RunnerClosed(RunnerClosed.__doc__))

    async def _take(self, message: InboundMessage) -> InboxItem:
        if self._closed:
            raise RunnerClosed(RunnerClosed.__doc__)
        now = self._house.clock()
        taken = (message.conversation_id, message.message_id)
        self._taking[taken] += 1
        try:
            if self._intake is not None:
                await self._check_room(message, self._intake)
            with crossing(self._house.checkpoint, "take"):
                item, _ = await self._house.store.write(
                    lambda unit: inbox.put_message(
                        unit,
                        conversation_id=message.conversation_id,
                        message_id=message.message_id,
                        text=message.text,
                        channel=message.channel,
                        customer_hint=message.customer_hint,
                        now=now,
                    )
                )
        finally:
            self._taking[taken] -= 1
            if not self._taking[taken]:
                del self._taking[taken]
        if item.state in {"waiting", "running"}:
            self._lanes.wake(message.conversation_id)
        return item

    async def _check_room(self, message: InboundMessage, intake: inbox.Intake) -> None:
        own = (message.conversation_id, message.message_id)
        beside = [taken for taken in self._taking if taken != own]
        try:
            await self._house.store.read(
                lambda unit: inbox.check_room(
                    unit,
                    conversation_id=message.conversation_id,
                    message_id=message.message_id,
                    intake=intake,
                    beside=beside,
                )
            )
        except Overloaded as full:
            self._refused[full.scope] += 1
            raise

    async def _outcome_of(self, item: InboxItem) -> TurnResult:
        """Wait until an item has been dealt with, here or elsewhere.

        Raises:
            TurnFailed: It can't be run now, or not soon enough to wait for it.
        """
        loop = asyncio.get_running_loop()
        until = None if self._wait_s is None else loop.time() + self._wait_s
        while True:
            ended: asyncio.Future[Ended] = loop.create_future()

            def hear(event: Event, ended: asyncio.Future[Ended] = ended) -> None:
                if isinstance(event, Ended) and (not event.seqs or item.seq in event.seqs) and not ended.done():
                    ended.set_result(event)

            with self._relay.listening(item.conversation_id, hear):
                self._waiting.add(ended)
                try:
                    # Only now, with an ear open: what ends after this look is heard.
                    current = await self._house.store.read(lambda unit: inbox.find(unit, seq=item.seq))
                    if current is None:
                        # Its person was erased meanwhile, by whatever process.
                        raise Forgotten(Forgotten.__doc__)
                    if current.state not in {"waiting", "running"}:
                        break
                    await asyncio.wait([ended], timeout=self._relay.patience_s)
                finally:
                    self._waiting.discard(ended)
            problem = ended.result().problem if ended.done() else ""
            if problem == "forgotten":
                raise Forgotten(Forgotten.__doc__)
            if problem or (until is not None and loop.time() > until):
                raise TurnFailed(TurnFailed.__doc__)
        if current.turn_id is None:
            raise TurnNotFound(TurnNotFound.__doc__)
        return await self.result(current.turn_id)

    async def _run_one(self, conversation_id: ConversationId) -> bool:
        """Run the conversation's next items as soon as fewer turns run than may."""
        async with self._room or nullcontext():
            self._running += 1
            try:
                return await self._run_next(conversation_id)
            finally:
                self._running -= 1

    async def _run_next(self, conversation_id: ConversationId) -> bool:
        """Take the conversation's next items and run them to their end. False if there were none to run."""
        if self._closed:
            return False
        try:
            with crossing(self._house.checkpoint, "claim"):
                items, epoch = await self._house.store.write(partial(self._claim, conversation_id=conversation_id))
            if not items:
                return False
            ctx = TurnContext(
                self._house, conversation_id, epoch, is_heard=lambda: self._relay.is_heard(conversation_id)
            )
            try:
                await self._run_or_give_up(ctx, items)
            except (asyncio.CancelledError, GraphDrained):
                # Shutting down. Whoever comes next goes on at once, and it doesn't count as a failed attempt.
                await asyncio.shield(ctx.write(lambda unit: inbox.release(unit, seqs=[item.seq for item in items])))
                raise
        except FencedOut:
            log.warning("another run has taken over conversation %s", conversation_id)
            return False
        except GraphDrained:
            return False
        except Exception as error:
            # Nothing could be written about it: the items stay in the inbox for `recover`, whoever waits is told,
            # also for what came behind them: this lane doesn't come to it now.
            log.error("conversation %s can't be run now: %s", conversation_id, type(error).__name__)
            self._relay.tell(conversation_id, Ended(problem="failed"))
            return False
        self._relay.tell(conversation_id, Ended(tuple(item.seq for item in items)))
        return True

    def _claim(self, unit: Unit, *, conversation_id: ConversationId) -> tuple[list[InboxItem], int]:
        items = inbox.claim(unit, conversation_id=conversation_id, now=self._house.clock())
        epoch = conversations.advance_epoch(unit, conversation_id=conversation_id) if items else 0
        return items, epoch

    async def _run_or_give_up(self, ctx: TurnContext, items: list[InboxItem]) -> None:
        """Run the items; once more after a failure, and after `ATTEMPTS` hand the conversation to a person."""
        begun = max(item.attempts for item in items)
        if begun > ATTEMPTS:
            # Each time the process ended before the turn did: begun again it might end that way for ever.
            await give_up(ctx, items, TurnFailed(TurnFailed.__doc__), self._new_id)
            return
        for attempt in range(begun, ATTEMPTS + 1):
            try:
                await self._run(ctx, items)
                return
            except (FencedOut, GraphDrained):
                raise
            except Exception as error:
                ctx.notes.forget()
                log.error("attempt %d at items from %d failed: %s", attempt, items[0].seq, type(error).__name__)
                log.debug("its frames:\n%s", "".join(format_tb(error.__traceback__)))
                # Refused if the conversation is somebody else's by now, or its person was erased meanwhile.
                await ctx.write(lambda unit: None)
                # Read anew: the turn that was begun on them goes on, instead of another beside it.
                items = await ctx.read(partial(_as_they_stand, items=items))
                if attempt >= ATTEMPTS:
                    await give_up(ctx, items, error, self._new_id)

    async def _run(self, ctx: TurnContext, items: list[InboxItem]) -> None:
        first = items[0]
        match first.kind:
            case "message":
                turn_id = first.turn_id or TurnId(f"turn-{self._new_id()}")
                turn = await ctx.write(
                    at="begin",
                    work=lambda unit: turns.start(
                        unit,
                        turn_id=turn_id,
                        conversation_id=ctx.conversation_id,
                        item_seqs=[item.seq for item in items],
                        # Asked anew: another process may have brought another into force.
                        versions={**self._versions, "policy": self._in_force(unit, ctx).version},
                        now=ctx.now,
                    ),
                )
                await self._run_turn(ctx, turn, again=first.turn_id is not None)
                return  # The end of a turn, or its waiting, ends its messages too.
            case "decision" if "compensate" in first.body:
                await self._undo(ctx, first)
            case "decision" | "expiry" | "timer":
                await self._go_on(ctx, TurnId(str(first.body["turn_id"])))
            case "handback":
                await ctx.write(lambda unit: _hand_back(unit, ctx, first))
        await ctx.write(lambda unit: inbox.finish(unit, seqs=[item.seq for item in items]), at="finish")

    async def _undo(self, ctx: TurnContext, item: InboxItem) -> None:
        """Run the turn in which a person wants an effect undone; its steps are those of any request."""
        turn = await ctx.write(
            lambda unit: turns.start(
                unit,
                turn_id=TurnId(f"{UNDO_TURN}{item.seq}"),
                conversation_id=ctx.conversation_id,
                item_seqs=[item.seq],
                versions={**self._versions, "policy": self._house.desk.latest.version},
                now=ctx.now,
            )
        )
        if turn.state == "running":
            await self._run_turn(ctx, turn, again=item.turn_id is not None)

    async def _go_on(self, ctx: TurnContext, turn_id: TurnId) -> None:
        """Resume the turn that waited for what has come now; a turn that has ended needs nothing more."""
        turn = await ctx.read(lambda unit: turns.get(unit, turn_id=turn_id))
        if turn is None:
            return
        if turn.state == "done":
            for number in range(1, turn.threads + 1):
                await self._forget_thread(turn, number)
            return
        await self._run_turn(ctx, turn, resume=turn.state == "parked", again=True)

    async def _run_turn(self, ctx: TurnContext, turn: Turn, *, resume: bool = False, again: bool = False) -> None:
        """Run a turn's threads until it ends or waits.

        A thread that waited is resumed from its checkpoint if that can be read; if not, or if the thread handed on,
        the turn runs from its rows in a fresh one. So does one that was begun by a run that is gone (`again`).
        """
        thread = turn.threads
        start: TurnState | Command[str] = _fresh(turn)
        if resume and await self._can_resume(turn):
            start = Command(resume=turn.approval_id)
        elif resume:
            thread = await ctx.write(lambda unit: turns.resume(unit, turn_id=turn.id), at="resume")
            start = _fresh(turn)
        elif again:
            # What the run before left on this thread would mix with the fresh state.
            await self._forget_thread(turn, thread)
        for _ in range(THREADS):
            state, waits_for = await self._run_thread(ctx, turn, thread, start)
            if waits_for is not None:
                parking = partial(park, ctx=ctx, turn_id=turn.id, state=state, waits_for=waits_for)
                await ctx.write(parking, at="park")
                return
            if state.get("next") != "hand_on":
                break
            await self._forget_thread(turn, thread)
            thread = await ctx.write(lambda unit: turns.resume(unit, turn_id=turn.id), at="resume")
            start = _fresh(turn)
        for number in range(1, thread + 1):
            await self._forget_thread(turn, number)

    async def _run_thread(
        self, ctx: TurnContext, turn: Turn, thread: int, start: TurnState | Command[str]
    ) -> tuple[TurnState, ApprovalId | None]:
        """Run one thread: its last state, and the approval or reconciliation it waits for, if it does."""
        # A thread that is resumed has waited, and doesn't wait again: what it began with isn't asked for any more.
        state: TurnState = {} if isinstance(start, Command) else {**start}
        waits_for: ApprovalId | None = None
        self._tell(ctx.conversation_id, Progress(turn.id, "started"))
        control = RunControl()
        self._controls.add(control)
        try:
            async for mode, chunk in self._graph.astream(
                start,
                _config(turn, thread, is_new=not isinstance(start, Command)),
                context=ctx,
                control=control,
                durability="exit",
                stream_mode=["updates", "custom"],
            ):
                update = cast(dict[str, Any], chunk)
                if mode == "custom":
                    self._tell(ctx.conversation_id, Progress(turn.id, "draft", text=update["draft"]))
                    continue
                if interrupts := update.get("__interrupt__"):
                    waits_for = ApprovalId(interrupts[0].value["approval_id"])
                    continue
                for node, changed in update.items():
                    state.update(changed)
                    self._tell(ctx.conversation_id, Progress(turn.id, "node", node=node))
        finally:
            self._controls.discard(control)
        if waits_for is not None:
            # Written when the stream ended, as `durability` says.
            self._house.checkpoint("after_checkpoint")
        if state.get("next") == "wait":
            waits_for = ApprovalId(state["reconciliation_id"])
        return state, waits_for

    def _in_force(self, unit: Unit, ctx: TurnContext) -> PolicyEngine:
        return self._house.desk.seats(unit, case_id=None, now=ctx.now).in_force

    async def _can_resume(self, turn: Turn) -> bool:
        if turn.versions.get("graph") != GRAPH_VERSION:
            return False
        try:
            snapshot = await self._graph.aget_state(_config(turn, turn.threads))
        except Exception as error:  # whatever makes it unreadable, rows are enough
            log.warning("checkpoint of turn %s can't be read (%s); rebuilding", turn.id, type(error).__name__)
            return False
        return any(task.interrupts for task in snapshot.tasks)

    async def _forget_thread(self, turn: Turn, thread: int) -> None:
        saver = self._graph.checkpointer
        if saver is not None and not isinstance(saver, bool):
            with crossing(self._house.checkpoint, "forget"):
                await saver.adelete_thread(_thread_id(turn, thread))

    def _tell(self, conversation_id: ConversationId, progress: Progress) -> None:
        self._relay.tell(conversation_id, progress)


def _fresh(turn: Turn) -> TurnState:
    return {
        "turn_id": turn.id,
        "ordinal": 0,
        "calls": 0,
        "parts": [],
        "queue": [],
        "next": "compensate" if turn.id.startswith(UNDO_TURN) else "screen",
    }


def thread_ids(turn: Turn) -> list[str]:
    """The LangGraph threads that a turn has used so far."""
    return [_thread_id(turn, number) for number in range(1, turn.threads + 1)]


def _thread_id(turn: Turn, thread: int) -> str:
    return f"{turn.id}/{thread}"


def _config(turn: Turn, thread: int, *, is_new: bool = False) -> RunnableConfig:
    return {"configurable": {"thread_id": _thread_id(turn, thread), IS_NEW: is_new}, "recursion_limit": 120}


def _as_they_stand(unit: Unit, *, items: Sequence[InboxItem]) -> list[InboxItem]:
    return [inbox.get(unit, seq=item.seq) for item in items]


def _hand_back(unit: Unit, ctx: TurnContext, item: InboxItem) -> None:
    conversations.set_status(unit, conversation_id=ctx.conversation_id, status="ai")
    conversations.mark_disclosed(unit, conversation_id=ctx.conversation_id, disclosed=False)
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    timeline.append(
        unit,
        conversation_id=ctx.conversation_id,
        case_id=conversation.case_id if conversation else None,
        kind="note",
        author=str(item.body["by"]),
        at=ctx.now,
        body={"text": item.body["summary"], "handback": True},
        dedupe_key=f"handback:{item.seq}",
    )
    if conversation is not None and conversation.case_id is not None:
        audit.append(
            unit,
            case_id=CaseId(conversation.case_id),
            conversation_id=ctx.conversation_id,
            kind="handback",
            ids={"by": str(item.body["by"])},
            payload={"summary": item.body["summary"]},
            at=ctx.now,
        )


def _result(unit: Unit, turn_id: TurnId) -> TurnResult:
    turn = turns.get(unit, turn_id=turn_id)
    if turn is None:
        raise TurnNotFound(TurnNotFound.__doc__)
    said = tuple(outgoing.text for outgoing in outbox.of_turn(unit, turn_id=turn_id))
    waiting = tuple(
        approval.id for approval in approvals.of_turn(unit, turn_id=turn_id) if approval.status == "pending"
    )
    return TurnResult(
        turn_id=turn_id,
        conversation_id=turn.conversation_id,
        case_id=turn.case_id,
        outcome=turn.outcome or "replied",  # type: ignore[arg-type]  # close and park write the literal's words
        reply="\n\n".join(said),
        parts=said,
        approvals=waiting,
        final=turn.state == "done",
    )
