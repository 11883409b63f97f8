"""guard: asks policy about the request in hand and writes the decision. The only writer of decisions before an act."""

from langgraph.runtime import Runtime

from agents.tasks import Cue
from graphs.context import TurnContext
from graphs.holding import step_aside
from graphs.judging import judge
from graphs.matter import approval_id_of, first_rule
from graphs.reading import signals_of
from graphs.recording import open_approval, write_decision
from graphs.state import TurnState
from memory import approvals, receipts, requests
from memory.requests import DecisionRow, RequestRow
from memory.store import Unit
from policies.canonical import decision_from_json
from policies.words import CaseId, Effect, RequestId, TurnId


async def guard(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Judge the request; allowed ones go to act, reserved ones wait for a person, the others back to workflow."""
    ctx = runtime.context
    turn_id, case_id = TurnId(state["turn_id"]), CaseId(state["case_id"])
    request_id = RequestId(state["request_id"])

    approval_id = approval_id_of(request_id)
    answer = await ctx.reading(turn_id=turn_id, ordinal=state["cue"])
    assert answer is not None  # noqa: S101  # workflow made it before the request
    cue = Cue.model_validate(answer.output)

    def gather(unit: Unit) -> tuple[RequestRow, DecisionRow | None, bool, bool]:
        made = requests.decisions_of(unit, request_id=request_id)
        return (
            requests.get_request(unit, request_id=request_id),
            made[-1] if made else None,
            receipts.of_request(unit, request_id=request_id) is not None,
            approvals.of_request(unit, request_id=request_id) is not None,
        )

    proposed = ctx.notes.proposed.get(request_id)
    row, made, begun, reserved_for_people = (proposed, None, False, False) if proposed else await ctx.read(gather)
    if reserved_for_people:
        return await step_aside(ctx, state, approval_id)
    if begun:
        return {"next": "act"}
    if state.get("undoing") and made is not None and made.effect != Effect.ALLOW:
        # Refused by an earlier run; it stays refused.
        return {"next": "compensate"}
    if made is not None and made.phase == "confirm":
        return _ask(state, cue)
    if made is not None and made.effect == Effect.ESCALATE:
        return {"reason": first_rule(made), "desk": decision_from_json(made.decision).queue, "next": "escalate"}
    if made is not None and made.effect == Effect.DENY:
        return _refused(out_of_reach=made.situation.get("out_of_reach") is True)
    # An `allow` of an earlier run is not reused: its facts are old, and act decides on fresh ones anyway.
    judged = await judge(
        ctx.house,
        row.request,
        conversation_id=ctx.conversation_id,
        case_id=case_id,
        signals=await signals_of(ctx, state),
        now=ctx.now,
    )
    may_ask = cue.kind == "confirm" and judged.decision.effect in {Effect.ALLOW, Effect.REQUIRE_APPROVAL}
    asks = (may_ask or judged.lacks_only_confirmation) and not state.get("undoing")

    def decide(unit: Unit) -> None:
        write_decision(unit, judged, ctx, turn_id, case_id, phase="confirm" if asks else "guard")
        if judged.decision.effect is Effect.REQUIRE_APPROVAL and not asks:
            open_approval(unit, judged, ctx.house, ctx, turn_id, case_id, asked_by=state.get("asked_by", ""))

    if judged.decision.effect is Effect.ALLOW and not asks:
        # On the record together with what act decides on fresh facts, before anything is called.
        ctx.notes.later.append(decide)
        return {"next": "act"}
    ctx.notes.proposed.pop(request_id, None)
    await ctx.write(decide, at="decision")
    if asks:
        return _ask(state, cue)
    match judged.decision.effect:
        case Effect.REQUIRE_APPROVAL:
            return await step_aside(ctx, state, approval_id)
        case _ if state.get("undoing"):
            # What policy won't have undone stays; the next effect, or a person.
            return {"next": "compensate"}
        case Effect.ESCALATE:
            rules = judged.decision.rules
            return {"reason": rules[0] if rules else "policy", "desk": judged.decision.queue, "next": "escalate"}
        case _:
            return _refused(out_of_reach=judged.is_out_of_reach)


def _refused(*, out_of_reach: bool) -> TurnState:
    """Back to workflow with the refusal; to a person where it only says that a system could not be asked (P12)."""
    if out_of_reach:
        return {"reason": "a system of record could not be reached", "next": "escalate"}
    return {"next": "eligibility"}


def _ask(state: TurnState, cue: Cue) -> TurnState:
    """The details are shown to the customer, and the request is made again once they said yes.

    Only a `confirm` cue shows details; for a call that lacks the customer's yes, workflow chooses such a cue.
    """
    if cue.kind != "confirm":
        return {"next": "eligibility"}
    return {
        "parts": [*state.get("parts", []), state["cue"]],
        "part_cases": {**state.get("part_cases", {}), str(state["cue"]): state["case_id"]},
        "next": "draft",
    }
