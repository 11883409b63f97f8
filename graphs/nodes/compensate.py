"""compensate: what a plan did before it failed is undone, one effect after the other, each a request like any other."""

from langgraph.runtime import Runtime

from agents.tasks import Cue, Source, ToolProposal
from graphs.context import House, TurnContext
from graphs.matter import PERSON_TRUST, SYSTEM_TRUST
from graphs.state import TurnState
from memory import evidence, inbox, readings, receipts, requests, turns
from memory.receipts import Receipt
from memory.requests import UNDO, RequestRow
from memory.store import Unit
from policies.canonical import digest
from policies.words import (
    ActionRequest,
    CaseId,
    EvidenceId,
    Json,
    Origin,
    Provenance,
    ReceiptId,
    RequestId,
    TurnId,
)

PROPOSER = "workflow"
"""Who proposes what a failed plan left to undo: the specialist whose plan it was."""


async def compensate(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Propose to undo the latest effect that still stands, or end where there is none left.

    Policy judges the proposal, and people where it says so; what it denies stays as it is, and a person hears of it.
    Run again it finds its own requests and goes the same way.
    """
    ctx = runtime.context
    return await ctx.write(lambda unit: _next(unit, ctx, state))


def undoable(unit: Unit, house: House, receipt: Receipt) -> bool:
    """Whether an effect stands and its tool says how it is undone; what undid another effect is not undone itself."""
    if receipt.state != "committed" or receipt.tool not in house.tools:
        return False
    if house.tools.get(receipt.tool).compensation is None:
        return False
    own = requests.get_request(unit, request_id=receipt.request_id).request
    if own.occurrence.startswith(UNDO) or receipt.case_id is None:
        return False
    undone = [
        receipts.of_request(unit, request_id=row.request.id)
        for row in requests.of_case(unit, case_id=receipt.case_id)
        if row.request.occurrence == f"{UNDO}{receipt.id}"
    ]
    return all(made is None or made.state == "failed" for made in undone)


def _next(unit: Unit, ctx: TurnContext, state: TurnState) -> TurnState:
    turn_id, ordinal = TurnId(state["turn_id"]), state["ordinal"]
    asked_by, of = _asked(unit, turn_id)
    case_id = CaseId(state["case_id"]) if "case_id" in state else of.case_id if of is not None else None
    assert case_id is not None  # noqa: S101  # every effect of a turn belongs to a case
    shared: TurnState = {"case_id": case_id, "undoing": True, "ordinal": ordinal + 1, "cue": ordinal}
    if asked_by:
        shared["asked_by"] = asked_by
    known = requests.request_at(unit, turn_id=turn_id, ordinal=ordinal)
    if known is not None:
        return {**shared, "request_id": known.request.id, "next": "guard"}
    mine = [row for row in requests.of_turn(unit, turn_id=turn_id) if row.request.occurrence.startswith(UNDO)]
    if of is not None:
        left = [] if mine else [of]
    else:
        tried = {row.request.occurrence for row in requests.of_case(unit, case_id=case_id)}
        left = [
            receipt
            for receipt in reversed(receipts.of_case(unit, case_id=case_id))
            if f"{UNDO}{receipt.id}" not in tried and undoable(unit, ctx.house, receipt)
        ]
    for receipt in left:
        request = _propose(unit, ctx, receipt, turn_id, ordinal, case_id, asked_by)
        if request is not None:
            return {**shared, "request_id": request.id, "next": "guard"}
    return _end(unit, state, mine, case_id, by_person=of is not None)


def _asked(unit: Unit, turn_id: TurnId) -> tuple[str, Receipt | None]:
    """Who asked for it and of which effect, where a person did; a plan that failed asks by itself."""
    turn = turns.get(unit, turn_id=turn_id)
    assert turn is not None  # noqa: S101  # the runner made it
    item = inbox.get(unit, seq=turn.item_seqs[0])
    if "compensate" not in item.body:
        return "", None
    receipt = receipts.get(unit, receipt_id=ReceiptId(str(item.body["compensate"])))
    return str(item.body["by"]), receipt


def _propose(
    unit: Unit,
    ctx: TurnContext,
    receipt: Receipt,
    turn_id: TurnId,
    ordinal: int,
    case_id: CaseId,
    asked_by: str,
) -> ActionRequest | None:
    """Store the request that undoes an effect; None if its receipt doesn't say how."""
    spec = ctx.house.tools.get(receipt.tool)
    arguments = spec.compensation.derive(receipt.arguments, receipt.result or {}) if spec.compensation else None
    if spec.compensation is None or arguments is None:
        return None
    evidence_id = EvidenceId(f"ev-{turn_id}-undo-{ordinal}")
    evidence.add(
        unit,
        evidence_id=evidence_id,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="receipt",
        name="undo",
        subject=receipt.id,
        value={"arguments": arguments},
        source=f"ledger, {receipt.id}",
        trust=SYSTEM_TRUST,
        at=ctx.now,
        dedupe_key=f"undo:{turn_id}:{ordinal}",
    )
    if asked_by:
        _vouch(unit, ctx, spec.compensation.tool, arguments, turn_id, ordinal, case_id, asked_by)
    why = f"Asked for by {asked_by}." if asked_by else "A later step failed; this undoes what was done before it."
    request = ActionRequest(
        id=RequestId(f"req-{turn_id.removeprefix('turn-')}-{ordinal}"),
        tool=spec.compensation.tool,
        arguments=arguments,
        specialist=PROPOSER,
        why=why,
        provenance={name: Provenance(Origin.EVIDENCE, evidence_id) for name in arguments},
        occurrence=f"{UNDO}{receipt.id}",
    )
    sources = {name: Source(origin=Origin.EVIDENCE, ref=evidence_id) for name in arguments}
    call = ToolProposal(tool=request.tool, arguments=arguments, provenance=sources, why=why)
    readings.save(
        unit,
        turn_id=turn_id,
        ordinal=ordinal,
        task="Cue",
        reasoner="compensate",
        prompt_version="",
        input_digest="",
        output=Cue(kind="call", call=call, reason=why).model_dump(mode="json"),
        at=ctx.now,
    )
    requests.save_request(
        unit,
        turn_id=turn_id,
        ordinal=ordinal,
        request=request,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        now=ctx.now,
    )
    return request


def _vouch(
    unit: Unit,
    ctx: TurnContext,
    tool: str,
    arguments: dict[str, Json],
    turn_id: TurnId,
    ordinal: int,
    case_id: CaseId,
    asked_by: str,
) -> None:
    """A person who wants it undone answers for the customer's yes, as one who edits does (docs/design/ledger.md)."""
    canonical = ctx.house.tools.validate(tool, arguments)
    mark = digest({"tool": tool, "arguments": canonical})
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{turn_id}-yes-{ordinal}"),
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="confirmation",
        name="confirmation",
        subject=mark,
        value={"digest": mark, "tool": tool, "arguments": canonical, "shown": turn_id, "answered": turn_id},
        source=f"{asked_by}, for the customer",
        trust=PERSON_TRUST,
        at=ctx.now,
        dedupe_key=f"{turn_id}:yes:{ordinal}",
    )


def _end(unit: Unit, state: TurnState, mine: list[RequestRow], case_id: CaseId, *, by_person: bool) -> TurnState:
    """Where the turn goes on: as it would have, or to a person if something could not be undone."""
    after: TurnState = {"case_id": case_id, "undoing": False}
    undone = [receipts.of_request(unit, request_id=row.request.id) for row in mine]
    stands = [one for one in undone if one is None or one.state != "committed"]
    if by_person:
        # Whoever asked sees in the case what came of it; the customer hears it from them.
        return {**after, "parts": [], "outcome": "resolved", "next": "close"}
    if stands:
        return {**after, "reason": "a step failed, and what was done before it could not be undone", "next": "escalate"}
    return {**after, "next": "draft" if state.get("then") == "draft" else "escalate"}
