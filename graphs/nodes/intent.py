"""intent: what the customer wants, named and feels; the cases it opens, the evidence it gives, the yes it says."""

from typing import cast

from langgraph.runtime import Runtime

from agents.confirmation import read_withdrawal
from agents.errors import BudgetSpent
from agents.journeys import Journey
from agents.tasks import Entity, IntentReading, IntentTask, Question
from graphs.agenda import Item, OpenCase, plan
from graphs.context import TurnContext
from graphs.judging import trigger_of
from graphs.matter import CANNOT, CUSTOMER_TRUST, RECENT, WITHDRAWAL, Matter, read_matter, turn_source
from graphs.messages import said_in
from graphs.reading import answer_of, signals
from graphs.recording import add_note
from graphs.sayings import choices_of, is_said
from graphs.state import TurnState
from graphs.thinking import think
from graphs.watching import TurnWatcher
from memory import approvals, audit, cases, conversations, evidence, timeline
from memory.approvals import Approval
from memory.cases import Case
from memory.store import Unit
from policies.words import CaseId, EvidenceId, Json, Risk, TurnId

ADDS_NOTHING = frozenset({"status", "withdraw", "thanks", "goodbye", "greeting"})
"""What a customer does while something waits for a person that says nothing about it."""

ANSWER_KINDS = frozenset({"text", "choice", "ordinal", "all", "items"})
"""Entities that mean something only as an answer to a question; kept under the slot that was asked."""


async def intent(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Read the message once; place it on its cases; escalate where policy's triggers say so."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    said = await said_in(ctx, turn_id=turn_id)

    def gather(unit: Unit) -> tuple[Matter, list[Case], str]:
        return (
            read_matter(unit, ctx, case_id=CaseId(state["case_id"]), turn_id=turn_id),
            cases.agenda(unit, conversation_id=ctx.conversation_id),
            cases.last_journey(unit, conversation_id=ctx.conversation_id) or "",
        )

    matter, agenda, recent = await ctx.read(gather)
    ordered = sorted(agenda, key=lambda case: case.id != matter.case.id)
    task = IntentTask(
        text=said.text,
        transcript=matter.transcript,
        question=matter.question,
        open_journeys=[case.journey for case in ordered if case.journey],
        recent_journey=recent,
        pending_approval=bool(matter.pending),
        now=ctx.now,
    )
    ordinal = state["ordinal"]
    watcher = TurnWatcher(ctx, turn_id, matter.case.id)
    reading = await think(
        ctx,
        turn_id=turn_id,
        ordinal=ordinal,
        task=task,
        answer=IntentReading,
        ask=lambda: ctx.house.specialists.intent.solve(task, watcher=watcher),
        watcher=watcher,
    )
    reading = _known_journeys(reading, frozenset(ctx.house.playbook.journeys))
    items = plan(
        reading,
        current=OpenCase(matter.case.id, matter.case.journey),
        open_cases=[OpenCase(case.id, case.journey) for case in agenda] or [OpenCase(matter.case.id, None)],
        question=matter.question,
        people=[name for name, each in ctx.house.playbook.journeys.items() if each.kind == "person"],
        rank_of=lambda journey: _rank(ctx.house.playbook.journeys[journey], matter.conversation.assurance),
    )
    placed: list[CaseId] = await ctx.write(
        lambda unit: _settle(unit, ctx, turn_id, reading, items, matter, said.text), at="place"
    )
    after: TurnState = {
        "ordinal": ordinal + 1,
        "reading": ordinal,
        "case_id": placed[0],
        "queue": [str(case_id) for case_id in placed[1:]],
    }
    about = signals(reading, said.kinds, matter, handled=await _handled(ctx, placed[0], {*reading.flags, *said.kinds}))
    trigger = await trigger_of(ctx.house, ctx.conversation_id, placed[0], about, ctx.now)
    if trigger is not None:
        await ctx.write(
            lambda unit: audit.append(
                unit,
                case_id=placed[0],
                conversation_id=ctx.conversation_id,
                kind="trigger",
                ids={"turn": turn_id, "rule": trigger.rules[0] if trigger.rules else ""},
                payload={"effect": trigger.effect.value, "rules": list(trigger.rules)},
                at=ctx.now,
            )
        )
        sentences = [verdict.sentence for verdict in trigger.verdicts]
        reason = sentences[0] if sentences else "A trigger asked for a person."
        return {**after, "reason": reason, "desk": trigger.queue, "next": "escalate"}
    if (spent := BudgetSpent.of_flags(reading.flags)) is not None:
        return {**after, "reason": str(spent), "next": "escalate"}
    return {**after, "next": "authentication"}


async def _handled(ctx: TurnContext, case_id: CaseId, flags: set[str]) -> frozenset[str]:
    """The flags that the case's journey is there for: it gathers what a person needs, and then hands over."""
    journeys = ctx.house.playbook.journeys
    if not any(flags & set(each.handles) for each in journeys.values()):
        return frozenset()
    case = await ctx.read(lambda unit: cases.get(unit, case_id=case_id))
    journey = journeys.get((case.journey if case else None) or "")
    return frozenset(journey.handles) if journey and journey.ends_with_person else frozenset()


def _rank(journey: Journey, assurance: int) -> tuple[int, ...]:
    """What goes without asking who is writing comes first, then what carries little risk; what ends with a person last.

    Unless it is urgent: where somebody speaks of fraud, nothing else is done before a person has looked at it.
    """
    hands_over = journey.ends_with_person and not journey.handles
    return int(hands_over), int(journey.assurance > assurance), list(Risk).index(journey.risk)


def _known_journeys(reading: IntentReading, journeys: frozenset[str]) -> IntentReading:
    """Without guesses of journeys that the playbook doesn't have, whoever made them."""
    return reading.model_copy(update={"intents": [guess for guess in reading.intents if guess.journey in journeys]})


def _settle(
    unit: Unit,
    ctx: TurnContext,
    turn_id: TurnId,
    reading: IntentReading,
    items: list[Item],
    matter: Matter,
    text: str,
) -> list[CaseId]:
    before = timeline.by_key(unit, conversation_id=ctx.conversation_id, dedupe_key=f"reading:{turn_id}")
    if before is not None:
        # Run again after a crash or a wait: other turns may have opened or closed cases since; the placing stands.
        return [CaseId(str(case_id)) for case_id in cast(list[str], before.body["placed"])]
    placed = [_case_of(unit, ctx, turn_id, item, place, matter) for place, item in enumerate(items)]
    if not matter.case.journey and matter.case.id not in placed:
        # The case that was opened for an empty beginning is taken by nothing; it would stay open for ever.
        cases.close(unit, case_id=matter.case.id, status="closed", disposition="merged", now=ctx.now)
    withdrawn = _withdraw(unit, ctx, turn_id, reading, text)
    if withdrawn is None and matter.pending and reading.act not in ADDS_NOTHING:
        _note(unit, ctx, turn_id, placed, reading, text)
    if withdrawn is not None:
        placed = [withdrawn, *(case_id for case_id in placed[1:] if case_id != withdrawn)]
        items = items[:1] + items[len(items) - len(placed) + 1 :]
    conversations.set_case(unit, conversation_id=ctx.conversation_id, case_id=placed[0])
    choices = choices_of(ctx.house.playbook.journeys.values())
    is_shown = matter.question is not None and matter.question.kind == "confirm"
    shown = (
        next((line.text for line in reversed(matter.transcript) if line.author == "assistant"), "") if is_shown else ""
    )
    for case_id, item in zip(placed, items, strict=True):
        for number, entity in enumerate(item.entities):
            # What is changed of the details that we have shown is said by the change, and by our showing the rest.
            words = f"{text}\n{shown}" if entity.kind == "address" else text
            if not entity.negated and is_said(entity, words, choices):
                _state(unit, ctx, turn_id, case_id, entity, number, matter.question)
    for flag in reading.flags:
        if flag.startswith(f"{CANNOT}:"):
            _lacks(unit, ctx, turn_id, placed[0], slot=flag.removeprefix(f"{CANNOT}:"))
    answer = answer_of(reading, text, matter.question, matter.transcript)
    if matter.question is not None and answer == "yes":
        _confirm(unit, ctx, turn_id, matter.question)
    body: dict[str, Json] = {
        "intents": [
            {"journey": guess.journey, "confidence": guess.confidence, "answer": guess.answer}
            for guess in reading.intents
        ],
        "act": reading.act,
        "sentiment": reading.sentiment,
        "flags": [*reading.flags],
        "placed": [str(case_id) for case_id in placed],
    }
    timeline.append(
        unit,
        case_id=placed[0],
        conversation_id=ctx.conversation_id,
        turn_id=turn_id,
        kind="reading",
        author="intent",
        at=ctx.now,
        body=body,
        dedupe_key=f"reading:{turn_id}",
    )
    audit.append(
        unit,
        case_id=placed[0],
        conversation_id=ctx.conversation_id,
        kind="reading",
        ids={"turn": turn_id},
        payload=body,
        at=ctx.now,
    )
    return placed


def _withdraw(unit: Unit, ctx: TurnContext, turn_id: TurnId, reading: IntentReading, text: str) -> CaseId | None:
    """Take back what waits for a person if the customer plainly says so; the case it belonged to.

    Both the reading and deterministic code must see it: no model alone discards a pending approval (P5). With several
    waiting, the message must name which; otherwise they all stay.
    """
    if reading.act != "withdraw" or not read_withdrawal(text):
        return None
    waiting = approvals.pending_of_conversation(unit, conversation_id=ctx.conversation_id)
    named = {str(entity.value) for entity in reading.entities}
    if len(waiting) > 1:
        waiting = [one for one in waiting if named & {str(value) for value in _arguments(one).values()}]
    if len(waiting) != 1 or waiting[0].case_id is None:
        return None
    approval = approvals.withdraw(
        unit, approval_id=waiting[0].id, by="customer", conversation_id=ctx.conversation_id, now=ctx.now
    )
    case_id = waiting[0].case_id
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{turn_id}-withdrawal"),
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="customer",
        name=WITHDRAWAL,
        subject=approval.id,
        value=True,
        source=turn_source(turn_id),
        trust=CUSTOMER_TRUST,
        at=ctx.now,
        dedupe_key=f"{turn_id}:withdrawal",
    )
    audit.append(
        unit,
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="approval_withdrawn",
        ids={"turn": turn_id, "approval": approval.id, "by": "customer"},
        payload={"digest": approval.digest},
        at=ctx.now,
    )
    return case_id


def _note(
    unit: Unit, ctx: TurnContext, turn_id: TurnId, placed: list[CaseId], reading: IntentReading, text: str
) -> None:
    """Put what the customer says beside the request that waits, for who decides; the request stays as it is.

    Beside those of the cases that the message is about; else, where one alone waits and no other order is named, beside
    that: a line too many costs a reviewer a glance, one too few the customer their point.
    """
    waiting = approvals.pending_of_conversation(unit, conversation_id=ctx.conversation_id)
    waiting = [one for one in waiting if one.case_id is not None and one.turn_id != turn_id]
    about = [one for one in waiting if one.case_id in placed]
    if not about and len(waiting) == 1:
        named = {str(entity.value) for entity in reading.entities if entity.kind == "order_id"}
        about = waiting if named <= {str(value) for value in _arguments(waiting[0]).values()} else []
    for approval in about:
        add_note(unit, ctx, approval, turn_id, text)


def _arguments(approval: Approval) -> dict[str, Json]:
    arguments = approval.body.get("arguments")
    return arguments if isinstance(arguments, dict) else {}


def _case_of(unit: Unit, ctx: TurnContext, turn_id: TurnId, item: Item, place: int, matter: Matter) -> CaseId:
    priority = _priority(ctx, item.journey)
    if item.case_id is None:
        case = cases.open_case(
            unit,
            case_id=CaseId(f"case-{turn_id.removeprefix('turn-')}-{place}"),
            conversation_id=ctx.conversation_id,
            customer_id=matter.conversation.customer_id,
            journey=item.journey,
            priority=priority,
            now=ctx.now,
        )
        return case.id
    if item.journey is not None:
        cases.set_journey(unit, case_id=item.case_id, journey=item.journey, priority=priority)
    return item.case_id


def _priority(ctx: TurnContext, journey: str | None) -> str:
    sheet = ctx.house.playbook.journeys.get(journey or "")
    return sheet.priority if sheet else "normal"


def _state(
    unit: Unit,
    ctx: TurnContext,
    turn_id: TurnId,
    case_id: CaseId,
    entity: Entity,
    number: int,
    question: Question | None,
) -> None:
    """Keep what the customer said as evidence that they said it; it is no fact."""
    slots = question.slots if question is not None and question.kind == "slot" else []
    name = slots[0] if slots and entity.kind in ANSWER_KINDS else entity.kind
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{turn_id}-{case_id}-{number}"),
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="customer",
        name=name,
        subject="",
        value=entity.value,
        source=turn_source(turn_id),
        trust=CUSTOMER_TRUST,
        at=ctx.now,
        dedupe_key=f"{turn_id}:{case_id}:{number}",
    )


def _lacks(unit: Unit, ctx: TurnContext, turn_id: TurnId, case_id: CaseId, *, slot: str) -> None:
    """Keep what the customer hasn't got, so that nobody asks for it again."""
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{turn_id}-lacks-{slot}"),
        case_id=case_id,
        conversation_id=ctx.conversation_id,
        kind="customer",
        name=CANNOT,
        subject=slot,
        value=True,
        source=turn_source(turn_id),
        trust=CUSTOMER_TRUST,
        at=ctx.now,
        dedupe_key=f"{turn_id}:lacks:{slot}",
    )


def _confirm(unit: Unit, ctx: TurnContext, turn_id: TurnId, question: Question) -> None:
    """A yes to details that we rendered: evidence with the digest and both messages, to be spent once."""
    said = [
        entry
        for entry in timeline.messages(unit, conversation_id=ctx.conversation_id, limit=RECENT)
        if entry.kind == "message_out" and entry.turn_id != turn_id
    ]
    shown = said[-1] if said else None
    details = shown.body.get("confirm") if shown is not None else None
    if shown is None or not isinstance(details, dict):
        return
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"ev-{turn_id}-yes"),
        case_id=CaseId(question.case_id),
        conversation_id=ctx.conversation_id,
        kind="confirmation",
        name="confirmation",
        subject=question.request_digest,
        value={
            "digest": question.request_digest,
            "tool": details["tool"],
            "arguments": details["arguments"],
            "shown": str(shown.turn_id),
            "answered": turn_id,
        },
        source=turn_source(turn_id),
        trust=CUSTOMER_TRUST,
        at=ctx.now,
        dedupe_key=f"{turn_id}:yes",
    )
