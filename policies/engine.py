"""The policy engine: says of one proposed tool call whether it may run, and why. Pure, total, and closed by default."""

from policies.asking import Inquiry, ask, ask_matrix, ask_table, ask_trigger
from policies.attributes import checked, parse_timestamp
from policies.errors import ConditionError
from policies.findings import Findings
from policies.limits import LimitKey, limit_key
from policies.loading import load_policies
from policies.moments import Moment, add_signals, read_moment, read_turn
from policies.programs import CALL_TYPES, SITUATION_TYPES, PolicySet
from policies.rules import Never, ObligationRule, Permission, ProseRule, Trigger
from policies.tables import DecisionTable
from policies.words import ActionRequest, Decision, Effect, Facts, Obligation, RequestId, RuleVerdict, Situation

__all__ = ["PolicyEngine", "PolicySet", "load_policies"]

UNKNOWN_TOOL = "callboard.unknown-tool"
NO_PERMISSION = "callboard.no-permission"
JOURNEY = "callboard.journey-tools"
ARGUMENTS = "callboard.arguments"
ENGINE = "callboard.engine"


class PolicyEngine:
    """Decides by one set of policies."""

    def __init__(self, policies: PolicySet) -> None:
        self.policies = policies

    @property
    def version(self) -> str:
        """Content hash of the policies."""
        return self.policies.version

    @property
    def prose_rules(self) -> tuple[ProseRule, ...]:
        """What drafts must and must not say."""
        return self.policies.prose

    def table(self, table_id: str) -> DecisionTable:
        """A decision table by its id.

        Raises:
            KeyError: There is no such table.
        """
        return self.policies.tables[table_id]

    def facts_needed(self, tool: str) -> frozenset[str]:
        """The facts that rules about a tool read or show; empty for an unknown tool."""
        program = self.policies.programs.get(tool)
        return program.facts if program else frozenset()

    def limits_for(self, request: ActionRequest, facts: Facts, situation: Situation) -> tuple[LimitKey, ...]:
        """Whose past uses `Situation.uses` must hold before `decide`: an empty tuple says none, an absent key unread.

        A limit that has nobody to count for is left out here, and denies in `decide`.
        """
        program = self.policies.programs.get(request.tool)
        keys: list[LimitKey] = []
        for limit in program.limits if program else ():
            try:
                key = limit_key(limit, request, profile=program.profile, situation=situation) if program else None
            except ConditionError:
                continue
            if key is not None:
                keys.append(key)
        return tuple(keys)

    def moment(self, request: ActionRequest, facts: Facts, situation: Situation) -> Moment:
        """The values that rules about a tool read, each checked; for looking at a decision from the inside.

        Raises:
            KeyError: There is no such tool.
        """
        return read_moment(self.policies.programs[request.tool], request, facts, situation)

    def decide(self, request: ActionRequest, facts: Facts, situation: Situation) -> Decision:
        """Say whether one proposed tool call may run. Never raises.

        A `deny` outranks an `escalate`, that a `require_approval`, that an `allow`. Without a permission, and whenever
        a rule has no answer, the effect is `deny`.

        Args:
            request: The call as proposed.
            facts: What the tool's fact providers read just now, by dotted name; `facts_needed` says which. An absent
                one is unknown, and a rule that reads it then denies.
            situation: The moment, with the past uses of every key that `limits_for` names.

        Returns:
            Effect; the verdicts of the rules that objected (of the permissions that allowed, if none did) and of
            those that had no objection; obligations; terms of the approval; uses to reserve.
        """
        try:
            return self._decide(request, facts, situation)
        except Exception as error:  # Whatever goes wrong in here must end in a deny, never in an action.
            return self._refusal(ENGINE, f"The engine failed ({type(error).__name__}).", kind="error")

    def offers(self, tool: str, specialist: str, situation: Situation) -> bool:
        """Whether a call of the tool could be allowed, or reserved for people, as the conversation stands now.

        Looks at what needs neither arguments nor facts: the journey's tools, permissions, and hard constraints on who
        the customer is and what was done. A "yes" promises nothing, every call is decided on; a "no" means that none
        could pass, so that it needn't be proposed. Never raises.
        """
        try:
            program = self.policies.programs.get(tool)
            if program is None or (situation.allowed_tools is not None and tool not in situation.allowed_tools):
                return False
            moment = read_moment(program, ActionRequest(RequestId("offer"), tool, {}, specialist), {}, situation)
            is_granted = any(
                isinstance(each.rule, Permission) and each.rule.names(specialist) for each in program.rules
            )
            known = program.constants.keys() | SITUATION_TYPES.keys() | CALL_TYPES.keys()
            return is_granted and not any(
                isinstance(each.rule, Never)
                and all(name in known or name.startswith("calls.") for name in each.reads)
                and moment.holds(each.condition)
                for each in program.rules
            )
        except Exception:  # What can't be told is proposed, and decided on then.
            return True

    def trigger(self, situation: Situation) -> Decision | None:
        """Whether the conversation as it stands goes to a person, without any request; None if not. Never raises."""
        try:
            return self._trigger(situation)
        except Exception as error:  # As in `decide`; a conversation that can't be judged goes to a person.
            sentence = f"The engine failed ({type(error).__name__})."
            return self._refusal(ENGINE, sentence, kind="error", effect=Effect.ESCALATE)

    def turn_obligations(self, situation: Situation) -> tuple[Obligation, ...]:
        """What every turn like this one owes, such as saying that an AI speaks; what can't be computed is owed."""
        moment = read_turn(self.policies.turn.constants, situation, self.policies.signals)
        owed = set()
        for compiled in self.policies.turn.obligations:
            if isinstance(compiled.rule, ObligationRule):
                try:
                    speaks = moment.holds(compiled.condition)
                except ConditionError:
                    speaks = True
                if speaks:
                    owed.add(Obligation(compiled.rule.oblige, compiled.rule.detail))
        return tuple(sorted(owed, key=lambda each: (each.kind, each.detail)))

    def _decide(self, request: ActionRequest, facts: Facts, situation: Situation) -> Decision:
        program = self.policies.programs.get(request.tool)
        if program is None:
            return self._refusal(UNKNOWN_TOOL, "There is no such tool.")
        parse_timestamp(situation.now)
        moment = read_moment(program, request, facts, situation)
        findings = Findings()
        inquiry = Inquiry(self.policies, program, request, situation, moment, findings)
        _check_arguments(inquiry)
        if situation.allowed_tools is not None and request.tool not in situation.allowed_tools:
            sentence = f"The journey in hand does not use {request.tool}."
            findings.object_with(RuleVerdict(JOURNEY, Effect.DENY, sentence, "", "permission"))
        _ask_all(inquiry)
        if not findings.grants:
            sentence = f"No permission lets {request.specialist} use {request.tool}."
            findings.object_with(RuleVerdict(NO_PERMISSION, Effect.DENY, sentence, "", "permission"))
        if program.triggers:
            add_signals(moment, situation, self.policies.signals)
            for rule in program.triggers:
                ask_trigger(inquiry, rule)
        for use in program.tables:
            if use.speaks:
                ask_table(inquiry, use)
        ask_matrix(inquiry)
        read = {name: facts[name] for name in program.fact_order if name in facts}
        return findings.decision(facts=read, version=self.version, reviewer_roles=self.policies.reviewer_roles)

    def _trigger(self, situation: Situation) -> Decision | None:
        findings = Findings()
        moment = read_turn(self.policies.turn.constants, situation, self.policies.signals)
        for compiled in self.policies.turn.triggers:
            unread = (compiled.reads & self.policies.signals.keys()) - moment.values.keys() - moment.broken.keys()
            if unread or not isinstance(compiled.rule, Trigger):
                continue
            rule = compiled.rule
            try:
                speaks = moment.holds(compiled.condition)
                sentence = compiled.sentence.fill(moment.values)
                kind = "trigger"
            except ConditionError as error:
                speaks = True
                sentence = f"{compiled.id} could not be decided: {error}"
                kind = "error"
                findings.errors.append(sentence)
            if speaks:
                verdict = RuleVerdict(compiled.id, Effect.ESCALATE, sentence, rule.source, kind)
                findings.object_with(verdict, queue=rule.queue)
        if not findings.objections:
            return None
        findings.obligations.update(self.turn_obligations(situation))
        return findings.decision(facts={}, version=self.version, reviewer_roles=self.policies.reviewer_roles)

    def _refusal(self, rule: str, sentence: str, *, kind: str = "permission", effect: Effect = Effect.DENY) -> Decision:
        return Decision(
            effect=effect,
            verdicts=(RuleVerdict(rule, effect, sentence, "", kind),),
            passed=(),
            obligations=(),
            facts={},
            policy_version=self.version,
            error=sentence if kind == "error" else "",
        )


def _check_arguments(inquiry: Inquiry) -> None:
    """Deny arguments that the tool doesn't have or that are not of its types, whether or not a rule reads them."""
    types = inquiry.program.profile.argument_types
    for name, value in inquiry.request.arguments.items():
        if name not in types:
            inquiry.findings.fail(ARGUMENTS, f"The tool has no argument {name[:80]}.")
        elif value is not None:
            try:
                checked(f"args.{name}", types[name], value)
            except ConditionError as error:
                inquiry.findings.fail(ARGUMENTS, str(error))


def _ask_all(inquiry: Inquiry) -> None:
    """Ask every rule: conditions in one step where all can be computed, singly where one can't."""
    program, moment = inquiry.program, inquiry.moment
    answers = None
    if not moment.broken or program.batch.reads.isdisjoint(moment.broken):
        answers = program.batch.hold(moment.values)
    if answers is None:
        for rule in program.conditional:
            ask(inquiry, rule)
    elif True not in answers:
        inquiry.findings.passed += program.all_quiet
    else:
        for rule, answer, quiet in zip(program.conditional, answers, program.quiet, strict=True):
            if answer:
                ask(inquiry, rule, answer)
            elif quiet is not None:
                inquiry.findings.passed.append(quiet)
    for rule in program.unconditional:
        ask(inquiry, rule, True)
