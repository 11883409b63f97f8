"""What the model on loopback says: the answers of local code in the protocol's words, so that it needs no script."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from agents.company import local_reasoner, sheets_of
from agents.prompting import Prompt
from agents.reasoners.base import Reasoner
from agents.reasoners.wire import to_wire
from agents.tasks import Cue, Draft, Drafts, DraftsTask, DraftTask, IntentReading, IntentTask, Typed, WorkflowTask
from evals.model_server import Body, Brain, Said
from graphs.playbook import Playbook

TASKS: Mapping[str, tuple[type[Typed], type[Typed]]] = {
    "IntentReading": (IntentTask, IntentReading),
    "Cue": (WorkflowTask, Cue),
    "Draft": (DraftTask, Draft),
    "Drafts": (DraftsTask, Drafts),
}
"""By the name of the answer's schema: the task's type and the answer's."""

Accent = Callable[[str], str]
"""Takes a draft; the same in the model's own words, so that it can be told whose it is."""


def local_of(playbook: Playbook) -> Reasoner:
    """The local reasoner of a playbook."""
    sheets = sheets_of(playbook.journeys, playbook.voice, methods=playbook.verification, tools=list(playbook.tools))
    return local_reasoner(sheets, playbook.entities)


def brain_of(local: Reasoner, *, accent: Accent = lambda text: text) -> Brain:
    """A model that reads its task out of the prompt, as a real one does, and answers as local code would."""

    async def say(body: Body) -> Said:
        task, answer = read_task(body)
        solved = await local.solve(task, answer, prompt=Prompt("loopback", ""))
        value = solved.answer
        if isinstance(value, Cue) and value.kind == "call" and value.call is not None and body.get("tools"):
            return Said(call=(value.call.tool, value.call.arguments))
        if isinstance(value, Draft):
            value = value.model_copy(update={"text": accent(value.text)})
        return Said(content=json.dumps(to_wire(answer, value), ensure_ascii=False))

    return say


def read_task(body: Body) -> tuple[Typed, type[Typed]]:
    """The task that a request carries between its delimiters, and the type of its answer."""
    kind, answer = TASKS[body["response_format"]["json_schema"]["name"]]
    content = next(each["content"] for each in body["messages"] if each["role"] == "user")
    data: dict[str, Any] = json.loads(content.removeprefix("<task>").removesuffix("</task>"))
    return kind.model_validate({name: value for name, value in data.items() if name in kind.model_fields}), answer
