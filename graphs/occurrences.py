"""Which occurrence of an effect a proposal means: a further one only where the journey's own plan has it. Pure.

The receipt's key holds it, so whoever may choose it may have an effect again. No specialist may: it follows from the
journey, which a person wrote, from where the case stands, and from a yes of the customer that isn't used up.
"""

from agents.journeys import Journey, Step
from agents.local.standing import Standing
from agents.tasks import ToolProposal, WorkflowTask
from policies.canonical import digest


def repeats(journey: Journey | None, call: ToolProposal) -> Step | None:
    """The step of the plan that does once more what an earlier confirmed step did; None for everything else."""
    if journey is None:
        return None
    steps = [step for step in journey.steps if step.tool == call.tool and step.confirm]
    return next((step for step in steps[1:] if step.id == call.step), None)


def occurrence_of(task: WorkflowTask, journey: Journey, step: Step, call: ToolProposal, *, asks: bool) -> str:
    """The step's id if it is due and, unless the call only asks for it, confirmed; empty for the first occurrence.

    Args:
        task: Made from rows just now, so that nobody has written into it.
        journey: The case's.
        step: As `repeats` found it.
        call: What is proposed.
        asks: Whether the customer is only shown the details.
    """
    due = Standing(task, journey).next_step()
    if due is None or due.id != step.id:
        return ""
    wanted = digest({"tool": call.tool, "arguments": call.arguments})
    said_yes = any(not each.spent and each.request_digest == wanted for each in task.confirmations)
    return step.id if asks or said_yes else ""
