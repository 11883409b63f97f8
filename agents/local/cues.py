"""The journey interpreter: what happens next in a case, read off its journey and its rows, without a model."""

from dataclasses import dataclass

from agents.journeys import Journey, Step
from agents.local.openings import choose_tool
from agents.local.sheets import Sheets
from agents.local.slots import ask_for
from agents.local.standing import Standing, same_call
from agents.local.wording import worded
from agents.tasks import Attempt, Cue, ToolProposal, WorkflowTask
from policies.canonical import digest
from policies.words import Json

MOST_SHOWN = 2
"""How often the same details are shown for confirmation before a person takes over."""
MOST_UNANSWERED = 2
"""How often we may ask again what a message is about, in one conversation."""
UNAVAILABLE = frozenset({"unavailable", "timeout"})
NO_ANSWER, NOT_UNDERSTOOD = "no_answer", "not_understood"
ANSWERED = "answered"
"""Counted under "answered:<journey>": how often a journey was ended with an answer in this conversation."""
CONFIRMATION = "confirmation"
"""Counted under "confirmation:<step>" like a slot that was asked for."""


def next_cue(task: WorkflowTask, sheets: Sheets) -> Cue:
    """The next cue of one case.

    In this order: what a person decided this turn, a wish for a person, what we didn't understand, who the customer is,
    then the journey. It never proposes a call that was made this turn with the same arguments: that ends with a person.
    """
    journey = sheets.journeys.get(task.journey or "")
    cue = _decided(task, sheets, journey) or _without_journey(task, sheets, journey)
    if cue is None and journey is not None:
        cue = _turned_down(task) or _identity(task, sheets) or _journey_cue(task, sheets, journey)
    return _bounded(task, cue or escalation("Nothing in the playbook says what comes next."))


def takes_planning(task: WorkflowTask, sheets: Sheets) -> bool:
    """Whether nothing that is written down says what comes next: an open journey that has its turn."""
    journey = sheets.journeys.get(task.journey or "")
    if journey is None or journey.kind != "open":
        return False
    return not (
        _decided(task, sheets, journey)
        or _without_journey(task, sheets, journey)
        or _turned_down(task)
        or _identity(task, sheets)
    )


def escalation(reason: str, template: str = "escalated") -> Cue:
    """A person takes over."""
    return Cue(kind="escalate", template=template, reason=reason)


def _decided(task: WorkflowTask, sheets: Sheets, journey: Journey | None) -> Cue | None:
    """What became of a request of this case while a person had it."""
    for attempt in reversed(task.attempts):
        if not attempt.this_turn:
            continue
        step = _step_of(journey, attempt)
        told: dict[str, Json] = {"approval": {"message": attempt.message}}
        match attempt.state:
            case "rejected":
                template = step.rejected if step and step.rejected else "rejected"
                return Cue(kind="reply", template=template, values=told, ends=True, reason="A person said no.")
            case "responded":
                return Cue(
                    kind="reply", template="responded", values=told, ends=True, reason="A person answered instead."
                )
            case "withdrawn":
                return Cue(kind="reply", template="withdrawn", ends=True, reason="The customer took it back.")
            case "expired" if attempt.code == "reject":
                return Cue(kind="reply", template="expired", ends=True, reason="Nobody decided in time.")
            case "expired":
                return escalation("Nobody decided in time.", template="expired")
            case "escalated":
                return escalation(attempt.message or "Policy wants a person for this.")
    return None


def _without_journey(task: WorkflowTask, sheets: Sheets, journey: Journey | None) -> Cue | None:
    """A wish for a person, an unclear intent, small talk: what needs no journey."""
    if "asks_person" in task.flags:
        return escalation("The customer asked for a person.")
    if task.withdrawn:
        return Cue(kind="reply", template="withdrawn", ends=True, reason="The customer took it back.")
    if task.pending and task.act in {"status", "withdraw"}:
        return _still_waiting(task)
    if task.pending and task.noted and "noted" in sheets.voice.templates:
        return _still_waiting(task, "noted")
    if journey is not None:
        if task.act == "goodbye" and task.answer == "none" and not task.pending:
            return Cue(kind="reply", template="goodbye", ends=True, reason="The customer said goodbye.")
        return None
    if task.clarify:
        named = [each for each in dict.fromkeys(task.clarify) if each in sheets.journeys]
        if named and task.asked.get("clarify", 0) < MOST_UNANSWERED:
            titles = {each: sheets.journeys[each].title for each in named}
            return Cue(
                kind="ask",
                template="clarify",
                slots=["clarify"],
                options={each: [title] for each, title in titles.items()},
                values={"options": list(titles.values())},
                reason="Two matters fit what was said.",
            )
        return escalation("It stayed unclear what the customer wants.")
    match task.act:
        case "greeting":
            return Cue(kind="reply", template="greeting", reason="A greeting.")
        case "thanks":
            return Cue(kind="reply", template="thanks", reason="Thanks.")
        case "goodbye":
            return Cue(kind="reply", template="goodbye", ends=True, reason="The customer said goodbye.")
        case "decline":
            return Cue(kind="reply", template="goodbye", ends=True, reason="Nothing else is wanted.")
    if task.pending:
        return _still_waiting(task)
    if task.asked.get(NOT_UNDERSTOOD, 0) >= MOST_UNANSWERED:
        return escalation("The customer was not understood several times.")
    again = task.asked.get(NOT_UNDERSTOOD, 0) > 0 and "not_understood_again" in sheets.voice.templates
    template = "not_understood_again" if again else "not_understood"
    return Cue(kind="ask", template=template, slots=[NOT_UNDERSTOOD], reason="No journey fits what was said.")


def _still_waiting(task: WorkflowTask, template: str = "still_waiting") -> Cue:
    """The truth about what waits for a person: that it does, and since when."""
    since = min(((each.asked_on, each.asked_time) for each in task.pending if each.asked_on), default=None)
    values: dict[str, Json] = {"waiting": {"asked_on": since[0], "asked_time": since[1]}} if since else {}
    return Cue(kind="wait", template=template, values=values, reason="A request waits for a person.")


def _turned_down(task: WorkflowTask) -> Cue | None:
    """A plain no to a question about what is missing: the matter is dropped."""
    question = task.question
    if question is None or question.kind != "slot" or task.act != "decline":
        return None
    return Cue(kind="reply", template="declined", ends=True, reason="The customer doesn't want to go on.")


def _identity(task: WorkflowTask, sheets: Sheets) -> Cue | None:
    """The next check of who the customer is, as authentication advised it."""
    advice = task.authentication
    match advice.state:
        case "verify" if advice.call is not None:
            return Cue(kind="call", call=advice.call, reason="Identity comes first.")
        case "ask":
            template = _identity_template(task, sheets)
            return Cue(kind="ask", template=template, slots=advice.ask, reason="Who is it?")
        case "give_up" | "verify":
            return escalation("The customer's identity could not be confirmed.", template="identity_locked")
    return None


def _identity_template(task: WorkflowTask, sheets: Sheets) -> str:
    """The question's words: after a failed check, for one thing that is left, for another way, or the usual ones."""
    ask = task.authentication.ask
    checks = [each for each in task.attempts if each.tool in sheets.verification_tools]
    wanted = []
    question = task.question
    if any(each.state == "failed" and each.this_turn for each in checks):
        return "ask_identity_again"
    has_failed = any(each.state == "failed" for each in checks)
    if question is not None and question.kind == "identity" and (has_failed or question.slots == ask):
        # It was asked in these words just now, and the answer was about something else.
        wanted.append("ask_identity_still")
    if has_failed:
        wanted.append("ask_identity_again")
    if len(ask) == 1:
        wanted.append(f"ask_identity_{ask[0]}")
    elif sheets.methods and set(ask) != set(sheets.methods[0].slots.values()):
        # The usual words ask for the first method's details.
        wanted.append("ask_identity_other")
    return next((each for each in wanted if each in sheets.voice.templates), "ask_identity")


def _journey_cue(task: WorkflowTask, sheets: Sheets, journey: Journey) -> Cue:
    match journey.kind:
        case "person":
            return escalation(f"{journey.title}: handled by a person.")
        case "answer":
            return _answer(task, sheets, journey)
        case "open":
            return _open(task, sheets, journey)
    return _Course(task, sheets, journey).cue()


def _answer(task: WorkflowTask, sheets: Sheets, journey: Journey) -> Cue:
    """From knowledge; drafting says what the passages say, and that there is nothing where there are none."""
    has_rows = any(row.kind == "passage" for row in task.known)
    if task.passages == [] and not has_rows:
        return Cue(kind="reply", template=NO_ANSWER, ends=True, reason="Knowledge has nothing on it.")
    if journey.at_most and task.asked.get(f"{ANSWERED}:{journey.id}", 0) >= journey.at_most:
        return escalation("What the articles say was not enough.")
    templates = (journey.done, "answer", "anything_else")
    template = next(name for name in templates if name in sheets.voice.templates)
    return Cue(kind="reply", template=template, fulfils=True, ends=True, reason="Answered from knowledge.")


def _open(task: WorkflowTask, sheets: Sheets, journey: Journey) -> Cue:
    """Without a model: one read tool that the message asks for, if evidence gives all its arguments; else a person."""
    standing = Standing(task, journey)
    tool = choose_tool(
        task.text,
        [
            sheets.tools[name]
            for name in journey.tools
            if name in sheets.tools and (not task.tools or name in task.tools)
        ],
    )
    if tool is None:
        return escalation("An open matter that takes planning.")
    arguments = {name: f"slot:{name}" for name in sorted(tool.required | tool.optional)}
    bound = standing.bind(arguments)
    lacking = sorted(name for name in bound.missing if name in tool.required)
    done = next((each for each in task.attempts if each.tool == tool.name and each.this_turn), None)
    if done is not None and done.state == "committed":
        template = f"result_{tool.returns}"
        if template not in sheets.voice.templates:
            return escalation("An open matter that the templates can't answer.")
        return worded(task, sheets, standing, Cue(kind="reply", template=template, fulfils=True, ends=True))
    if done is not None:
        return escalation(f"{tool.name} gave no result ({done.code or done.state}).")
    for name in lacking:
        if standing.need(name) is not None:
            return ask_for(standing, sheets, name)
    if lacking:
        return escalation("An open matter that lacks details.")
    call = ToolProposal(tool=tool.name, arguments=bound.arguments, provenance=bound.provenance, why=journey.goal)
    return Cue(kind="call", call=call, reason=f"The message asks for {tool.name}.")


@dataclass(frozen=True, slots=True)
class _Course:
    """A journey with fixed steps, walked by one case."""

    task: WorkflowTask
    sheets: Sheets
    journey: Journey

    def cue(self) -> Cue:
        standing = Standing(self.task, self.journey)
        step = standing.next_step()
        if step is None:
            if standing.is_complete():
                return self._done(standing)
            return escalation("The journey's steps wait for each other.")
        if step.owner == "person":
            return escalation(step.does)
        listing = self._listing(standing, step)
        if listing is not None:
            step = listing
        for slot in step.needs:
            need = standing.need(slot)
            if standing.slot(slot) is None and not (need is not None and need.optional):
                return ask_for(standing, self.sheets, slot)
        if step.check:
            return self._checked(standing, step)
        return self._tool(standing, step)

    def _listing(self, standing: Standing, step: Step) -> Step | None:
        """The step that reads a list, before asking for what can be chosen from it."""
        for slot in step.needs:
            need = standing.need(slot)
            if need is not None and standing.slot(slot) is None and not standing.has_list(need):
                return standing.source_step(need)
        return None

    def _checked(self, standing: Standing, step: Step) -> Cue:
        verdict = standing.verdict(step)
        if verdict is None or verdict.verdict == "unknown":
            return escalation(f"The check {step.id!r} could not be decided.", template="unavailable")
        return self._refused(standing, step, verdict.verdict, {"verdict": dict(verdict.values)})

    def _tool(self, standing: Standing, step: Step) -> Cue:
        bound = standing.bind(step.arguments)
        for name, source in bound.missing.items():
            if not self.sheets.is_required(step.tool, name):
                continue
            kind, _, rest = source.partition(":")
            if kind == "slot" and standing.need(rest) is not None:
                return ask_for(standing, self.sheets, rest)
            return escalation(f"The step {step.id!r} lacks its {name}.")
        call = ToolProposal(
            tool=step.tool,
            arguments=bound.arguments,
            provenance=bound.provenance,
            why=f"{self.journey.title}: {step.does}",
            step=step.id,
        )
        earlier = [each for each in standing.attempts(step) if same_call(call.arguments, each.arguments)]
        if earlier and (cue := self._after(standing, step, call, earlier[-1])) is not None:
            return cue
        return self._proposal(standing, step, call)

    def _after(self, standing: Standing, step: Step, call: ToolProposal, attempt: Attempt) -> Cue | None:
        """What an earlier attempt at this very call means; None if it may be made again."""
        match attempt.state:
            case "unknown":
                return Cue(kind="wait", template="reconciling", reason="The outcome is being found out.")
            case "waiting":
                if not attempt.this_turn:
                    return worded(self.task, self.sheets, standing, _still_waiting(self.task), call)
                cue = Cue(kind="wait", template=step.waiting or "waiting")
                return worded(self.task, self.sheets, standing, cue, call)
            case "failed" if attempt.code in UNAVAILABLE:
                return escalation("A system can't be reached.", "unavailable") if attempt.this_turn else None
            case "failed" | "denied" if attempt.this_turn:
                if attempt.state == "failed" or attempt.code in step.refusals:
                    return self._refused(standing, step, attempt.code, {"reason": attempt.message}, call)
                if "asks_person_otherwise" in self.task.flags:
                    return escalation("The customer wants a person if it can't be done.")
                values: dict[str, Json] = {"reason": attempt.message}
                cue = Cue(kind="reply", template="denied", values=values, reason=f"Policy says no ({attempt.code}).")
                return worded(self.task, self.sheets, standing, cue, call)
            case "failed" | "denied" | "rejected" | "responded" | "escalated":
                again = self._id_again(standing, step, attempt.code)
                return again or escalation(f"{step.tool} was {attempt.state} before; the customer insists.")
        return None

    def _refused(
        self, standing: Standing, step: Step, code: str, values: dict[str, Json], call: ToolProposal | None = None
    ) -> Cue:
        """A refusal: ask again for what the customer gave, where that is what was refused; else say so and end."""
        if "asks_person_otherwise" in self.task.flags:
            return escalation("The customer wants a person if it can't be done.")
        again = self._id_again(standing, step, code)
        if again is not None:
            return again
        template = step.refusals.get(code) or step.refusals.get("*")
        if template is None:
            return escalation(f"{step.id!r} was refused ({code}) and the journey doesn't say what then.")
        cue = Cue(kind="reply", template=template, values=values, ends=True, reason=f"{step.does} Refused: {code}.")
        return worded(self.task, self.sheets, standing, cue, call)

    def _id_again(self, standing: Standing, step: Step, code: str) -> Cue | None:
        """The question for a slot of this step that the customer filled themselves, in the refusal's words."""
        if step.confirm:
            return None
        for slot in step.needs:
            filled, need = standing.slot(slot), standing.need(slot)
            if filled is None or need is None or filled.source.origin not in {"customer", "person"}:
                continue
            if self.task.asked.get(slot, 0) >= need.at_most:
                return escalation(f"What the customer gives as {slot} is refused again and again ({code}).")
            template = step.refusals.get(code) or need.ask_again or need.ask
            cue = Cue(kind="ask", template=template, slots=[slot], reason=f"The {slot} was refused ({code}).")
            return worded(self.task, self.sheets, standing, cue)
        return None

    def _proposal(self, standing: Standing, step: Step, call: ToolProposal) -> Cue:
        """The call itself, or its details for the customer to confirm first."""
        marks = self._digests(call)
        if not step.confirm or any(not each.spent and each.request_digest in marks for each in self.task.confirmations):
            cue = Cue(kind="call", call=call, template=step.confirm, reason=step.does)
            return worded(self.task, self.sheets, standing, cue, call) if step.confirm else cue
        counter = f"{CONFIRMATION}:{step.id}"
        cue = Cue(kind="confirm", call=call, template=step.confirm, slots=[counter], reason=step.does)
        question = self.task.question
        if question is not None and question.kind == "confirm" and question.request_digest in marks:
            if self.task.answer == "no":
                return Cue(kind="reply", template="declined", ends=True, reason="The customer said no.")
            if max(self.task.asked.get(counter, 0), self._times_shown(call)) >= MOST_SHOWN:
                return escalation("The customer's answer to the details stayed unclear.")
            cue = cue.model_copy(update={"lead": "confirm_again"})
        return worded(self.task, self.sheets, standing, cue, call)

    def _times_shown(self, call: ToolProposal) -> int:
        """In how many earlier turns the customer was shown this very call."""
        return sum(
            each.tool == call.tool
            and each.state == "needs_confirmation"
            and not each.this_turn
            and same_call(call.arguments, each.arguments)
            for each in self.task.attempts
        )

    def _digests(self, call: ToolProposal) -> frozenset[str]:
        """Digests under which this very call may have been shown: as proposed, and as the registry completed it."""
        shown = [
            each.arguments
            for each in self.task.attempts
            if each.tool == call.tool
            and each.state == "needs_confirmation"
            and same_call(call.arguments, each.arguments)
        ]
        return frozenset(digest({"tool": call.tool, "arguments": arguments}) for arguments in [call.arguments, *shown])

    def _done(self, standing: Standing) -> Cue:
        template = self.journey.done
        for path, replies in self.journey.done_by.items():
            found = standing.evidence(path)
            chosen = replies.get(str(found[0])) if found else None
            chosen = chosen or replies.get("*")
            if chosen:
                template = chosen
                break
        cue = Cue(kind="reply", template=template or "anything_else", fulfils=True, ends=True, reason="Goal reached.")
        return worded(self.task, self.sheets, standing, cue)


def _step_of(journey: Journey | None, attempt: Attempt) -> Step | None:
    if journey is None:
        return None
    return next((step for step in journey.steps if step.tool == attempt.tool and attempt.step in {step.id, ""}), None)


def _bounded(task: WorkflowTask, cue: Cue) -> Cue:
    """No call twice in a turn with the same arguments: whatever the reason, going round is no way."""
    if (
        cue.kind == "call"
        and cue.call is not None
        and any(
            each.this_turn
            and each.tool == cue.call.tool
            and each.state not in {"needs_confirmation", "waiting"}
            and same_call(cue.call.arguments, each.arguments)
            for each in task.attempts
        )
    ):
        return escalation(f"{cue.call.tool} was tried this turn and did not settle the step.")
    return cue
