"""The one gateway that acts: spends a permit, reserves the receipt, calls the tool, records what came of it."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, Protocol, cast

from memory import receipts
from memory.boundaries import Checkpoint, Transition, crossing, unwatched
from memory.errors import AlreadyDone, InFlight, LimitExceeded, ReceiptStateError, StoreError
from memory.receipts import Receipt
from memory.store import Unit
from policies.words import (
    ActionRequest,
    ApprovalId,
    CaseId,
    ConversationId,
    CustomerId,
    Decision,
    Effect,
    Json,
    ReceiptId,
    TurnId,
)
from tools.circuits import CircuitOpen, Circuits, circuits_of_systems
from tools.errors import PermitError, ToolRefused, ToolUnavailable
from tools.registry import Registry
from tools.spec import ToolContext, ToolResult, ToolSpec


class Write(Protocol):
    """Runs work in one fenced transaction, between the two boundaries of the step that it is."""

    async def __call__(self, work: Callable[[Unit], Any], *, at: Transition = "note") -> Any: ...


LEASE_S = 60.0
"""How long a call counts as being made by who began it, unless they say again that they are at it."""
PATIENCE_S = 5.0
"""The longest settling time that a turn waits out itself; above it the outcome stays unknown and a person is asked."""
ATTEMPTS = 3
RETRY_S = 0.05
"""The first pause before what is safe to repeat is tried again, on average; each further one is twice as long."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call, once."""

    request: ActionRequest
    decision: Decision
    """Made just now, from facts read just now."""
    ledger: frozenset[str]
    """From `receipts.ended`, read before the decision's facts: the effects that they show."""
    approval: tuple[ApprovalId, int, str] | None = None
    """Id, version and digest of the approval that is spent on it."""

    def check(self) -> None:
        """Raise `PermitError` unless the decision allows the call, or asks for an approval that is here."""
        effect = self.decision.effect
        if effect is Effect.ALLOW or (effect is Effect.REQUIRE_APPROVAL and self.approval is not None):
            return
        raise PermitError(f"The decision on {self.request.tool} is {effect.value}; there is no permit for it.")


@dataclass(frozen=True, slots=True)
class Errand:
    """For whom and where a call is made."""

    turn_id: TurnId
    case_id: CaseId
    conversation_id: ConversationId
    customer_id: CustomerId | None
    receipt_id: ReceiptId


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call."""

    state: Literal["committed", "failed", "unknown"]
    result: dict[str, Json]
    code: str = ""
    """Why it failed: the tool's refusal code, "unavailable", "did_not_happen", "limit:<id>", "in_flight"; or
    "already_done"."""
    receipt: Receipt | None = None
    circuit: str = ""
    """How the system's circuit stood afterwards, where it wasn't closed."""
    was_unknown: bool = False
    """Whether nobody knew its outcome before."""


Record = Callable[[Unit, Outcome], None]
"""Writes what follows from an outcome (evidence, audit), in the transaction that completes the receipt."""


class Gateway:
    """Calls tools. Nothing else in the house does."""

    def __init__(
        self,
        *,
        registry: Registry,
        systems: Mapping[str, Any],
        clock: Callable[[], datetime],
        owner: str,
        checkpoint: Checkpoint = unwatched,
        circuits: Circuits | None = None,
        lease_s: float = LEASE_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Bind the gateway to the playbook's tools and systems.

        Args:
            registry: The tools.
            systems: The opened systems of record, by name.
            clock: Gives the present moment, aware, UTC.
            owner: This process, as receipts name who holds their lease.
            checkpoint: Told the boundaries of each call; those of what is written are `write`'s to tell.
            circuits: Where systems that keep failing are known, shared with whoever else asks them.
            lease_s: How long a call is its owner's without a sign of life; they give one three times as often.
            jitter: Gives 0 to 1, so that retries of many callers don't come at once.
        """
        self._circuits = circuits or circuits_of_systems()
        self._lease_s = lease_s
        self._jitter = jitter
        self._registry = registry
        self._systems = systems
        self._clock = clock
        self._owner = owner
        self._checkpoint = checkpoint

    async def execute(
        self,
        permit: Permit,
        errand: Errand,
        *,
        write: Write,
        spend: Callable[[Unit], None] = lambda _: None,
        record: Record,
    ) -> Outcome:
        """Make one call under its permit, or finish one that an earlier run began.

        Args:
            permit: The decision, and the approval to spend.
            errand: The turn it belongs to.
            write: The turn's fenced write.
            spend: What else is used up with the reservation: the customer's confirmation.
            record: Writes what follows from the outcome, together with the receipt's completion.

        Raises:
            PermitError: The permit doesn't allow the call. Nothing was written.
            FactsOutdated: Another effect came between its facts and the reservation. Nothing was written; decide again.
        """
        permit.check()
        spec = self._registry.get(permit.request.tool)
        if spec.kind == "read":
            return await self._read(spec, permit, errand, write=write, record=record)
        key = receipts.key_of(
            spec.name,
            self._registry.identity_of(spec.name, permit.request.arguments),
            permit.request.occurrence,
        )

        record_id = permit.request.arguments.get(spec.record_argument)

        def reserve(unit: Unit) -> Receipt:
            spend(unit)
            return receipts.reserve(
                unit,
                receipt_id=errand.receipt_id,
                key=key,
                request=permit.request,
                turn_id=errand.turn_id,
                case_id=errand.case_id,
                conversation_id=errand.conversation_id,
                approval=permit.approval,
                limits=permit.decision.limits,
                beside=receipts.Beside(permit.ledger, spec.record_argument, record_id),
                owner=self._owner,
                lease_s=self._lease_s,
                now=self._clock(),
            )

        try:
            receipt: Receipt = await write(reserve, at="reserve")
        except AlreadyDone as already:
            return await self._note(
                Outcome("failed", {}, "already_done", cast(Receipt, already.receipt)), write, record
            )
        except InFlight as flight:
            return await self._note(Outcome("unknown", {}, "in_flight", cast(Receipt, flight.receipt)), write, record)
        except LimitExceeded as limit:
            return await self._note(Outcome("failed", {}, f"limit:{limit.limit}"), write, record)
        return await self.finish(receipt, customer_id=errand.customer_id, write=write, record=record)

    async def finish(
        self, receipt: Receipt, *, customer_id: CustomerId | None, write: Write, record: Record
    ) -> Outcome:
        """Bring a reserved receipt to its outcome; also one that an earlier run of the turn left behind.

        A receipt that was only reserved has not been called: it goes on while its lease lasts, after that its permit is
        too old to act on. One that may have been called is reconciled, never simply called again.
        """
        spec = self._registry.get(receipt.tool)
        context = self._context(customer_id, receipt.key)
        match receipt.state:
            case "committed":
                return Outcome("committed", receipt.result or {}, receipt=receipt)
            case "failed":
                return Outcome("failed", {}, receipt.error_code or "", receipt)
            case "reserved" if self._clock() > receipt.lease_until:
                return await self._failed(receipt, "permit_expired", write, record)
            case "reserved":
                begun: Receipt = await write(lambda unit: self._begin(unit, receipt), at="executing")
                return await self._call(spec, receipt.arguments, context, begun, write=write, record=record)
            case "executing":
                # Whoever called is gone, nobody knows since when: the call counts as lost from now on.
                lost: Receipt = await write(
                    lambda unit: receipts.mark_unknown(
                        unit, receipt_id=receipt.id, error_code="lost", now=self._clock()
                    ),
                    at="unknown",
                )
                return await self._reconcile(spec, receipt.arguments, context, lost, write, record)
            case _:
                return await self._reconcile(spec, receipt.arguments, context, receipt, write, record)

    async def _read(self, spec: ToolSpec, permit: Permit, errand: Errand, *, write: Write, record: Record) -> Outcome:
        # A read has no effect to protect: one row when it is answered is enough, and a crash before it repeats it.
        context = self._context(errand.customer_id, f"read:{permit.request.id}")
        outcome = Outcome("failed", {}, "unavailable")
        for attempt in range(ATTEMPTS):
            try:
                result = await self._ask(spec, permit.request.arguments, context)
                outcome = Outcome("committed", result.value)
                break
            except ToolRefused as refused:
                outcome = Outcome("failed", {}, refused.code)
                break
            except CircuitOpen:
                break
            except (ToolUnavailable, TimeoutError, OSError):
                await self._pause(attempt)

        def complete(unit: Unit) -> Outcome:
            receipt = receipts.record_read(
                unit,
                receipt_id=errand.receipt_id,
                request=permit.request,
                turn_id=errand.turn_id,
                case_id=errand.case_id,
                conversation_id=errand.conversation_id,
                state="committed" if outcome.state == "committed" else "failed",
                result=outcome.result,
                error_code=outcome.code,
                owner=self._owner,
                now=self._clock(),
            )
            done = Outcome(outcome.state, outcome.result, outcome.code, receipt, circuit=self._circuit(spec))
            record(unit, done)
            return done

        completed: Outcome = await write(complete, at="read")
        return completed

    async def _call(
        self,
        spec: ToolSpec,
        arguments: Mapping[str, Json],
        context: ToolContext,
        receipt: Receipt,
        *,
        write: Write,
        record: Record,
    ) -> Outcome:
        try:
            with crossing(self._checkpoint, "call"):
                receipt = await self._still_ours(spec, receipt, write)
                result = await self._beating(self._ask(spec, arguments, context), receipt, write)
        except ToolRefused as refused:
            return await self._failed(receipt, refused.code, write, record)
        except (ToolUnavailable, CircuitOpen):
            return await self._failed(receipt, "unavailable", write, record)
        except StoreError:
            # Not the call's: its sign of life could not be written. Whoever runs this next finds it executing.
            raise
        except Exception as error:  # whatever it was, the call may have taken effect
            problem = type(error).__name__
            lost: Receipt = await write(
                lambda unit: receipts.mark_unknown(unit, receipt_id=receipt.id, error_code=problem, now=self._clock()),
                at="unknown",
            )
            return await self._reconcile(spec, arguments, context, lost, write, record)
        return await self._committed(receipt, result, write, record)

    async def _still_ours(self, spec: ToolSpec, receipt: Receipt, write: Write) -> Receipt:
        """Make sure, as late as can be, that nobody else has this call in hand by now.

        A process may be stopped between its last write and its call, and wake up when another has taken the turn over,
        found nothing and is about to call. Whoever takes over waits for the settling time: a call that begins in its
        first half is in time, and a later one begins with a fenced write.
        """
        while self._clock() - (receipt.started_at or receipt.reserved_at) > spec.settling_time / 2:
            receipt = await write(partial(self._begin, receipt=receipt), at="executing")
        return receipt

    async def _reconcile(
        self,
        spec: ToolSpec,
        arguments: Mapping[str, Json],
        context: ToolContext,
        receipt: Receipt,
        write: Write,
        record: Record,
    ) -> Outcome:
        """Retry with the same key, ask the system, or leave it to a person: by what the tool declares."""
        if spec.idempotent:
            for attempt in range(ATTEMPTS):
                try:
                    with crossing(self._checkpoint, "call"):
                        found = await self._ask(spec, arguments, context)
                except ToolRefused as refused:
                    return await self._failed(receipt, refused.code, write, record)
                except CircuitOpen:
                    break
                except Exception:  # still unknown; the same key makes another try safe
                    await self._pause(attempt)
                else:
                    return await self._committed(receipt, found, write, record)
        elif spec.probe is not None:
            shown = await self._probe(spec, arguments, context)
            if shown is None and (wait := self._until_settled(spec, receipt)) <= timedelta(seconds=PATIENCE_S):
                await asyncio.sleep(max(wait.total_seconds(), 0))
                shown = await self._probe(spec, arguments, context)
                if shown is None and self._may_repeat(receipt):
                    # Settled, asked twice, not there: it did not happen, so another try is the first effect.
                    again: Receipt = await write(lambda unit: self._begin(unit, receipt), at="executing")
                    return await self._call(spec, arguments, context, again, write=write, record=record)
                if shown is None:
                    # As certain, but what allowed it was decided too long ago, or it was tried often enough.
                    return await self._failed(receipt, "did_not_happen", write, record)
            if isinstance(shown, ToolResult):
                return await self._committed(receipt, shown, write, record)
        return await self._note(Outcome("unknown", {}, "unknown", receipt), write, record)

    async def _probe(
        self, spec: ToolSpec, arguments: Mapping[str, Json], context: ToolContext
    ) -> "ToolResult | Literal[False] | None":
        """The effect's result, None if the system says it isn't there, False if the system can't be asked."""
        if spec.probe is None:
            return False
        try:
            async with self._circuits.through(spec.system), asyncio.timeout(spec.timeout_s):
                return await spec.probe(arguments, context)
        except Exception:  # a probe that fails tells nothing
            return False

    async def _ask(self, spec: ToolSpec, arguments: Mapping[str, Json], context: ToolContext) -> ToolResult:
        """One call, bounded in time, unless its system keeps failing."""
        model = self._registry.model_of(spec.name, arguments)
        async with self._circuits.through(spec.system), asyncio.timeout(spec.timeout_s):
            return await spec.call(model, context)

    async def _beating(self, call: Coroutine[Any, Any, ToolResult], receipt: Receipt, write: Write) -> ToolResult:
        """Wait for a call and renew its lease meanwhile, so that nobody takes a long one for lost."""
        calling = asyncio.ensure_future(call)
        is_ours = True
        try:
            while True:
                ended, _ = await asyncio.wait({calling}, timeout=self._lease_s / 3)
                if ended:
                    return calling.result()
                if is_ours:
                    is_ours = await write(lambda unit: self._renew(unit, receipt))
        finally:
            if not calling.done():
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)

    def _renew(self, unit: Unit, receipt: Receipt) -> bool:
        """Whether the receipt is still this process's; its lease then runs anew."""
        try:
            receipts.renew(unit, receipt_id=receipt.id, owner=self._owner, lease_s=self._lease_s, now=self._clock())
        except ReceiptStateError:
            return False
        return True

    async def _pause(self, attempt: int) -> None:
        await asyncio.sleep(RETRY_S * 2**attempt * (0.5 + self._jitter()))

    def _circuit(self, spec: ToolSpec) -> str:
        state = self._circuits.state_of(spec.system)
        return "" if state == "closed" else state

    def _may_repeat(self, receipt: Receipt) -> bool:
        return receipt.attempt < ATTEMPTS and self._clock() <= receipt.reserved_at + timedelta(seconds=self._lease_s)

    def _until_settled(self, spec: ToolSpec, receipt: Receipt) -> timedelta:
        # From when the call was lost, not from when it was sent: one that timed out here may still be running there.
        lost = receipt.ended_at or receipt.started_at or receipt.reserved_at
        return lost + spec.settling_time - self._clock()

    async def _committed(self, receipt: Receipt, result: ToolResult, write: Write, record: Record) -> Outcome:
        def complete(unit: Unit) -> Outcome:
            done = Outcome(
                "committed",
                result.value,
                receipt=receipts.commit(unit, receipt_id=receipt.id, result=result.value, now=self._clock()),
                was_unknown=_was_unknown(receipt),
            )
            record(unit, done)
            return done

        outcome: Outcome = await write(complete, at="commit")
        return outcome

    async def _failed(self, receipt: Receipt, code: str, write: Write, record: Record) -> Outcome:
        def complete(unit: Unit) -> Outcome:
            failed = receipts.fail(unit, receipt_id=receipt.id, error_code=code, now=self._clock())
            outcome = Outcome(
                "failed",
                {},
                code,
                failed,
                circuit=self._circuit(self._registry.get(receipt.tool)),
                was_unknown=_was_unknown(receipt),
            )
            record(unit, outcome)
            return outcome

        outcome: Outcome = await write(complete, at="fail")
        return outcome

    async def _note(self, outcome: Outcome, write: Write, record: Record) -> Outcome:
        await write(lambda unit: record(unit, outcome), at="refusal")
        return outcome

    def _begin(self, unit: Unit, receipt: Receipt) -> Receipt:
        return receipts.mark_executing(
            unit, receipt_id=receipt.id, owner=self._owner, lease_s=self._lease_s, now=self._clock()
        )

    def _context(self, customer_id: CustomerId | None, key: str) -> ToolContext:
        return ToolContext(systems=self._systems, customer_id=customer_id, idempotency_key=key, now=self._clock())


def _was_unknown(receipt: Receipt) -> bool:
    """Whether somebody may have been asked about it: it was unknown, or was called again after it had been."""
    return receipt.state == "unknown" or receipt.attempt > 1
