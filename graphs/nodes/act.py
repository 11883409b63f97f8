"""act: the only caller of the gateway. Reads the facts again, spends the permit, keeps receipt and evidence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from langgraph.runtime import Runtime

from graphs.context import TurnContext
from graphs.judging import Judged, canonical_arguments, differences, judge
from graphs.matter import approval_id_of, next_after
from graphs.reading import signals_of
from graphs.recording import binding, keep_outcome, reopen_approval, write_decision
from graphs.state import TurnState
from memory import approvals, conversations, evidence, receipts, reconciliations, requests
from memory.approvals import Approval
from memory.errors import ApprovalClosed, FactsOutdated
from memory.receipts import Receipt
from memory.requests import RequestRow
from memory.store import Unit
from policies.canonical import decision_from_json, facts_from_json, is_same
from policies.words import ActionRequest, CaseId, CustomerId, Effect, Facts, Json, ReceiptId, RequestId, TurnId
from tools.gateway import Errand, Gateway, Outcome, Permit

PAUSES_S = (0.02, 0.1, 0.5, 1.0, 2.0, 4.0)
"""How long an act waits, time after time, for another one of the same customer; then a person looks at both."""

_PARKING = frozenset({"case_id", "cue", "parts", "part_cases", "queue", "undoing"})
"""What of the state a turn that parks is asked for."""

Node = Callable[[TurnState, Runtime[TurnContext]], Awaitable[TurnState]]


def act_with(gateway: Gateway) -> Node:
    """The act node over this gateway."""

    async def act(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
        """Decide once more on fresh facts, then act exactly once, or go back if the ground has moved."""
        ctx = runtime.context
        turn_id, case_id = TurnId(state["turn_id"]), CaseId(state["case_id"])
        request_id = RequestId(state["request_id"])
        proposed = ctx.notes.proposed.pop(request_id, None)
        row, first, receipt, approval, customer_id = (
            (proposed, proposed.request, None, None, None)
            if proposed is not None
            else await ctx.read(lambda unit: (*_gather(unit, request_id), _customer(unit, ctx)))
        )
        request = row.request

        def record(unit: Unit, outcome: Outcome) -> None:
            keep_outcome(
                unit,
                ctx,
                row,
                turn_id,
                case_id,
                state=outcome.state,
                result=outcome.result,
                code=outcome.code,
                receipt=outcome.receipt,
                circuit=outcome.circuit,
                was_unknown=outcome.was_unknown,
            )

        if receipt is not None:
            outcome = await gateway.finish(receipt, customer_id=customer_id, write=ctx.write, record=record)
            return _onward(ctx, state, row, outcome)

        confirmed = canonical_arguments(ctx.house, first)
        for pause_s in PAUSES_S:
            judged = await judge(
                ctx.house,
                request,
                conversation_id=ctx.conversation_id,
                case_id=case_id,
                signals=await signals_of(ctx, state),
                now=ctx.now,
                confirmed_as=first if first.id != request.id else None,
            )
            moved = await _has_moved(ctx, judged, approval, turn_id, case_id)
            if moved is not None:
                return {**moved, "calls": state.get("calls", 0) + 1}
            try:
                outcome = await gateway.execute(
                    _permit(judged, approval),
                    Errand(
                        turn_id=turn_id,
                        case_id=case_id,
                        conversation_id=ctx.conversation_id,
                        customer_id=judged.situation.customer_id,
                        receipt_id=ReceiptId(f"rcp-{request.id.removeprefix('req-')}"),
                    ),
                    write=ctx.write,
                    spend=partial(_spend_confirmation, case_id=case_id, tool=first.tool, arguments=confirmed),
                    record=record,
                )
            except ApprovalClosed:
                # Taken back between our look at it and the reservation: the customer hears that, not of a failure.
                return {"next": "approve", "approval_id": approval_id_of(first.id), "calls": state.get("calls", 0) + 1}
            except FactsOutdated:
                # Another conversation of the customer acts just now; what it does is a fact of this decision.
                await asyncio.sleep(pause_s)
                continue
            return _onward(ctx, state, row, outcome)
        return {"reason": "another action for this customer did not come to its end", "next": "escalate"}

    return act


def _gather(unit: Unit, request_id: RequestId) -> tuple[RequestRow, ActionRequest, Receipt | None, Approval | None]:
    """The request in force, the one first proposed, the receipt if it was begun, the approval if it needed one."""
    approval = approvals.of_request(unit, request_id=request_id)
    # An edit by a reviewer puts its own request in the place of the one that was proposed.
    effective = approval.request_id if approval else request_id
    return (
        requests.get_request(unit, request_id=effective),
        requests.get_request(unit, request_id=request_id).request,
        receipts.of_request(unit, request_id=effective),
        approval,
    )


async def _has_moved(
    ctx: TurnContext, judged: Judged, approval: Approval | None, turn_id: TurnId, case_id: CaseId
) -> TurnState | None:
    """Where to go instead of acting if policy no longer says what it said; None if the permit stands."""
    effect = judged.decision.effect
    if approval is None:
        if effect is Effect.ALLOW:
            _record_later(ctx, judged, turn_id, case_id)
            return None
        return {"next": "guard"}
    row = await ctx.read(lambda unit: requests.decisions_of(unit, request_id=judged.request.id))
    granted = next(one for one in reversed(row) if one.phase in {"guard", "edit", "reopened"})
    changed = differences(
        decision_from_json(granted.decision),
        _shown(approval),
        judged,
        ctx.house.tools.get(judged.request.tool).profile().clock_facts,
        ctx.house.tools.get(judged.request.tool).tolerances(),
    )
    if not changed:
        _record_later(ctx, judged, turn_id, case_id)
        return None

    def reopen(unit: Unit) -> None:
        write_decision(unit, judged, ctx, turn_id, case_id, phase="reopened")
        if effect in {Effect.ALLOW, Effect.REQUIRE_APPROVAL}:
            reopen_approval(unit, judged, ctx.house, ctx, approval, changed)
        else:
            approvals.void(unit, approval_id=approval.id, by="policy", now=ctx.now)

    await ctx.write(reopen, at="reopen")
    return {"next": "approve", "approval_id": approval.id}


def _record_later(ctx: TurnContext, judged: Judged, turn_id: TurnId, case_id: CaseId) -> None:
    """Record the decision with what it permits: the reservation, which is on disk before the call; a read's answer."""
    ctx.notes.later.append(lambda unit: write_decision(unit, judged, ctx, turn_id, case_id, phase="act"))


def _permit(judged: Judged, approval: Approval | None) -> Permit:
    if approval is None:
        return Permit(judged.request, judged.decision, judged.ledger)
    # Under the policies that it was asked for: that is what the person said yes to. That it stands under those in force
    # was just seen.
    bound = binding(judged.request, _shown(approval), approval.policy_version)
    return Permit(judged.request, judged.decision, judged.ledger, (approval.id, approval.version, bound))


def _shown(approval: Approval) -> Facts:
    """The facts that people saw when they said yes."""
    return facts_from_json(cast(dict[str, Any], approval.body["facts"]))


def _spend_confirmation(unit: Unit, case_id: CaseId, tool: str, arguments: Mapping[str, Json]) -> None:
    """The customer's yes to these very arguments, canonical, is used up by the reservation."""
    for row in evidence.of_case(unit, case_id=case_id):
        if (
            row.kind == "confirmation"
            and not row.spent
            and isinstance(row.value, dict)
            and row.value.get("tool") == tool
            and is_same(row.value.get("arguments"), dict(arguments))
        ):
            evidence.spend(unit, evidence_id=row.id)


def _customer(unit: Unit, ctx: TurnContext) -> CustomerId | None:
    found = conversations.get(unit, conversation_id=ctx.conversation_id)
    return found.customer_id if found else None


def _onward(ctx: TurnContext, state: TurnState, row: RequestRow, outcome: Outcome) -> TurnState:
    if outcome.state == "unknown" and outcome.receipt is not None and outcome.receipt.request_id == row.request.id:
        # Nothing true can be said before somebody knows: the turn waits for who finds it out. With what parking reads:
        # a thread that was resumed tells only of what came after.
        kept = cast(TurnState, {name: value for name, value in state.items() if name in _PARKING})
        return {**kept, "reconciliation_id": reconciliations.id_of(outcome.receipt.id), "next": "wait"}
    if state.get("undoing"):
        return {"next": "compensate"}
    if row.request.tool not in ctx.house.playbook.verification_tools:
        return {"next": next_after(ctx, CaseId(state["case_id"]))}
    # Who the customer is is known now: what may be recalled has changed.
    return {"next": "recall" if outcome.state == "committed" else "authentication"}
