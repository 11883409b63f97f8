"""P2: a further occurrence of an effect comes from the plan and a yes of the customer, from nothing else."""

from datetime import UTC, datetime

from agents.journeys import Journey, Step
from agents.tasks import (
    Attempt,
    AttemptState,
    AuthenticationAdvice,
    Confirmation,
    ToolProposal,
    WorkflowTask,
)
from graphs.occurrences import occurrence_of, repeats
from policies.canonical import digest

ARGUMENTS = {"parcel": "1"}


def step(name: str, **more: object) -> Step:
    return Step.model_validate(
        {"id": name, "does": name, "tool": "send", "arguments": {"parcel": "value:1"}, "confirm": "shall_i", **more}
    )


def plan(*steps: Step) -> Journey:
    return Journey(
        id="twice", title="twice", goal="It is sent twice.", owner="-", utterances=["a", "b", "c", "d", "e"],
        steps=list(steps),
    )  # fmt: skip


TWICE = plan(step("first"), step("second", after=["first"]))
YES = Confirmation(evidence_id="e", request_digest=digest({"tool": "send", "arguments": ARGUMENTS}))


def task(*done: tuple[str, AttemptState], confirmations: tuple[Confirmation, ...] = ()) -> WorkflowTask:
    return WorkflowTask(
        journey="twice", text="yes", act="confirm", flags=[], known=[],
        attempts=[
            Attempt(request_id=name, tool="send", arguments=dict(ARGUMENTS), step=name, state=state)
            for name, state in done
        ],
        eligibility=[], confirmations=list(confirmations), authentication=AuthenticationAdvice(state="enough"),
        asked={}, question=None, now=datetime(2026, 11, 21, tzinfo=UTC),
    )  # fmt: skip


def occurrence(call: ToolProposal, now: WorkflowTask, *, asks: bool = False, journey: Journey = TWICE) -> str:
    found = repeats(journey, call)
    return occurrence_of(now, journey, found, call, asks=asks) if found else ""


def call(name: str) -> ToolProposal:
    return ToolProposal(tool="send", arguments=dict(ARGUMENTS), step=name)


def test_p2_the_first_step_of_a_plan_is_the_first_occurrence() -> None:
    assert occurrence(call("first"), task(confirmations=(YES,))) == ""


def test_p2_a_later_step_counts_anew_once_it_is_due_and_confirmed() -> None:
    assert occurrence(call("second"), task(("first", "committed"), confirmations=(YES,))) == "second"
    assert occurrence(call("second"), task(("first", "committed")), asks=True) == "second"


def test_p2_a_later_step_is_no_occurrence_of_its_own_before_its_time_or_without_a_yes() -> None:
    spent = YES.model_copy(update={"spent": True})
    assert occurrence(call("second"), task(confirmations=(YES,))) == ""
    assert occurrence(call("second"), task(("first", "committed"))) == ""
    assert occurrence(call("second"), task(("first", "committed"), confirmations=(spent,))) == ""
    assert occurrence(call("second"), task(("first", "committed"), ("second", "committed"), confirmations=(YES,))) == ""


def test_p2_a_step_that_the_plan_does_not_have_is_none() -> None:
    assert occurrence(call("third"), task(("first", "committed"), confirmations=(YES,))) == ""
    assert occurrence(call("first"), task(confirmations=(YES,)), journey=plan(step("first"))) == ""
