"""check_draft: the output guardrail. Fills in values from evidence; holds what claims more than evidence shows (P9)."""

from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.runtime import Runtime

from agents.journeys import Voice
from agents.rendering import money, render
from agents.tasks import Draft
from graphs.context import House, TurnContext
from graphs.nodes.draft import grouped
from graphs.replying import Part, known_of, passages_of, values_of, voice_of
from graphs.state import TurnState
from memory import audit, conversations, requests
from memory.readings import Reading
from memory.store import Unit
from policies.detectors.claims import find_claims
from policies.detectors.prose import ProseRules
from policies.words import Json, TurnId

REWRITES = 2
"""How often a held draft is written again before templates alone speak: by whoever wrote it, then without a model."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A reply ready to be sent, or the reasons why it isn't."""

    text: str
    holds: tuple[str, ...]


async def check_draft(state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    """Render and check; once more from draft with the reasons, then by the playbook's own templates alone."""
    ctx = runtime.context
    turn_id = TurnId(state["turn_id"])
    ordinal = state["ordinal"]
    done = await ctx.reading(turn_id=turn_id, ordinal=ordinal)
    if done is not None and done.task == "Held":
        held = done.output["holds"]
        return {
            "ordinal": ordinal + 1,
            "holds": [str(reason) for reason in held] if isinstance(held, list) else [],
            "rewrites": state.get("rewrites", 0) + 1,
            "next": "draft",
        }
    checked = await ctx.read(lambda unit: _check(unit, ctx, state, turn_id))
    if checked.holds and state.get("rewrites", 0) < REWRITES:
        _keep(ctx, state, turn_id, "Held", {"holds": list(checked.holds)})
        return {
            "ordinal": ordinal + 1,
            "holds": list(checked.holds),
            "rewrites": state.get("rewrites", 0) + 1,
            "next": "draft",
        }
    text = checked.text
    if checked.holds:
        text, is_safe = await ctx.read(lambda unit: _plain(unit, ctx, state, turn_id))
        if not is_safe:
            return {"reason": "the details to be confirmed could not be shown", "parts": [], "next": "escalate"}
    _keep(ctx, state, turn_id, "Reply", {"text": text, "holds": list(checked.holds)})
    return {"ordinal": ordinal + 1, "reply": ordinal, "next": "close"}


def _check(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId) -> Checked:
    """The reply's drafts, as they were stored."""
    if grouped(unit, ctx, state, turn_id) and not state["drafts"]:
        return Checked("", ("nobody could draft it",))
    drafts = []
    for place in state["drafts"]:
        row = ctx.notes.reading(unit, turn_id=turn_id, ordinal=place)
        assert row is not None  # noqa: S101  # draft wrote it
        drafts.append(Draft.model_validate(row.output))
    return check_reply(unit, ctx, state, turn_id, drafts)


def check_reply(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId, drafts: Sequence[Draft]) -> Checked:
    """Every draft of a reply, or of its beginning, rendered, with all that stands against it."""
    texts: list[str] = []
    holds: list[str] = []
    rules = ProseRules(ctx.house.desk.seats(unit, case_id=None, now=ctx.now).in_force.prose_rules)
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    channel = conversation.channel if conversation else "chat"
    voice = voice_of(unit, ctx, turn_id=turn_id, reading=state.get("reading"))
    groups = grouped(unit, ctx, state, turn_id)
    for written, (case_id, parts) in zip(drafts, groups, strict=False):
        known = known_of(unit, case_id=case_id)
        values = values_of(unit, turn_id=turn_id, parts=parts, known=known)
        rendered = render(written.text, values, voice)
        holds += [f"{name}: no evidence of this name" for name in rendered.missing]
        holds += unbacked(ctx.house, written, parts, voice)
        holds += [f"{found.rule}: {found.sentence}" for found in rules.check(rendered.text, channel=channel)]
        holds += [
            f"{name}: not shown in what is to be confirmed" for name in unshown(unit, ctx.house, parts, rendered.text)
        ]
        texts.append(rendered.text)
    # Two cases may have come to the same words; they are said once.
    return Checked("\n\n".join(dict.fromkeys(text for text in texts if text)), tuple(holds))


def unbacked(house: House, written: Draft, parts: list[Part], voice: Voice) -> list[str]:
    """Claims in the draft's free text that neither the playbook's own words nor a cited passage bear out."""
    templates = voice.templates
    own = [templates[name] for part in parts for name in (part.cue.lead, part.cue.template) if name in templates]
    own += [voice.disclosure]
    own += [passage.text for passage in passages_of(house, written.cites)]
    return [
        f"{claim.kind}: stated without evidence"
        for claim in find_claims(written.text)
        if not any(claim.text.casefold() in text.casefold() for text in own)
    ]


def unshown(unit: Unit, house: House, parts: list[Part], text: str) -> list[str]:
    """Arguments of a call to be confirmed, its record and its amount, that the customer would not see in the text."""
    missing = []
    for part in parts:
        if part.cue.kind != "confirm" or part.request_id is None:
            continue
        request = requests.get_request(unit, request_id=part.request_id).request
        spec = house.tools.get(request.tool)
        amount = request.arguments.get(spec.amount_argument)
        if (
            isinstance(amount, int)
            and money(amount, str(request.arguments.get(spec.currency_argument, ""))) not in text
        ):
            missing.append(spec.amount_argument)
        record = request.arguments.get(spec.record_argument)
        if record is not None and str(record) not in text:
            missing.append(spec.record_argument)
    return missing


def _plain(unit: Unit, ctx: TurnContext, state: TurnState, turn_id: TurnId) -> tuple[str, bool]:
    """The reply by templates alone, and whether it shows all that is to be confirmed."""
    voice = voice_of(unit, ctx, turn_id=turn_id, reading=state.get("reading"))
    conversation = conversations.get(unit, conversation_id=ctx.conversation_id)
    texts = [voice.disclosure] if conversation is not None and not conversation.disclosed else []
    for case_id, parts in grouped(unit, ctx, state, turn_id):
        known = known_of(unit, case_id=case_id)
        for part in parts:
            values = values_of(unit, turn_id=turn_id, parts=[part], known=known)
            for template in filter(None, (part.cue.lead, part.cue.template)):
                rendered = render(voice.templates[template], values, voice)
                texts.append(voice.templates["not_understood"] if rendered.missing else rendered.text)
    text = "\n\n".join(dict.fromkeys(texts))
    groups = grouped(unit, ctx, state, turn_id)
    return text, not any(unshown(unit, ctx.house, parts, text) for _, parts in groups)


def _keep(ctx: TurnContext, state: TurnState, turn_id: TurnId, task: str, output: dict[str, Json]) -> None:
    now = ctx.now
    reading = Reading(turn_id, state["ordinal"], task, "check_draft", "", "", output, now)
    ctx.notes.store_later(reading, conversation_id=ctx.conversation_id)
    if output["holds"]:
        ctx.notes.later.append(
            lambda unit: audit.append(
                unit,
                case_id=grouped(unit, ctx, state, turn_id)[0][0],
                conversation_id=ctx.conversation_id,
                kind="draft_held",
                ids={"turn": turn_id},
                payload={"holds": output["holds"]},
                at=now,
            )
        )
