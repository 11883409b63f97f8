"""Which check of a journey is due now, and what it is decided on."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.journeys import Journey, Step
from agents.local.standing import Standing
from agents.tasks import WorkflowTask
from policies.words import Json


@dataclass(frozen=True, slots=True)
class DueCheck:
    """A check whose predecessors are done and which has no verdict on the present inputs."""

    journey: str
    step: Step
    inputs: dict[str, Json]
    """From slots, evidence and the playbook. A source without a value is left out."""
    fact_inputs: dict[str, str]
    """Input → dotted name of the fact that it is; read for the call below."""
    tool: str
    """The next write step's tool, whose facts they are; empty if there is none."""
    arguments: dict[str, Json]
    """That call's arguments as far as they are known."""


def due_check(task: WorkflowTask, journeys: Mapping[str, Journey]) -> DueCheck | None:
    """The check that must be decided before workflow can go on; None if there is none now."""
    journey = journeys.get(task.journey or "")
    if journey is None or journey.kind != "steps" or task.authentication.state != "enough":
        return None
    standing = Standing(task, journey)
    step = standing.next_step()
    if step is None or not step.check or standing.verdict(step) is not None:
        return None
    if any(standing.slot(slot) is None for slot in step.needs):
        return None
    facts = {name: source.removeprefix("fact:") for name, source in step.inputs.items() if source.startswith("fact:")}
    inputs = {name: source for name, source in step.inputs.items() if name not in facts}
    guarded = standing.guarded(step)
    return DueCheck(
        journey=journey.id,
        step=step,
        inputs=standing.bind(inputs).arguments,
        fact_inputs=facts,
        tool=guarded.tool if guarded else "",
        arguments=standing.bind(guarded.arguments).arguments if guarded else {},
    )
