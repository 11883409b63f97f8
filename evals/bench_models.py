"""What resolving a conversation asks of a model: calls and tokens, ours beside LangGraph's supervisor pattern."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from agents.prompting import Prompt
from agents.reasoners.base import Reasoner
from agents.reasoners.wire import to_wire
from agents.tasks import Cue, Typed
from evals.counting_model import Counted, CountingModel
from evals.errors import PeersDisagree
from evals.model_brain import TASKS, local_of
from evals.running import Running
from evals.supervisor import SCRIPTS, ScriptedSupervisor, open_supervisor
from graphs.playbook import Playbook
from graphs.results import InboundMessage, ReviewDecision, Reviewer
from policies.words import ConversationId, Json

OpenWithModel = Callable[[CountingModel, Path, Path], AbstractAsyncContextManager[Running]]
"""Opens a Callboard over a chat model object, on fixtures: records in the first folder, systems in the other."""

REVIEWER = Reviewer(id="Rosa Lind", role="supervisor")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one conversation asked of the model."""

    conversation: str
    ours: Counted
    supervisor: Counted


@dataclass(frozen=True, slots=True)
class ModelBench:
    """Both sides of one run."""

    asked: tuple[Asked, ...]

    def as_json(self) -> dict[str, Json]:
        """Per conversation and per resolved conversation on average."""
        return {
            "conversations": [
                {"conversation": one.conversation, "ours": _row(one.ours), "supervisor": _row(one.supervisor)}
                for one in self.asked
            ],
            "resolved": len(self.asked),
            "ours": self.mean("ours"),
            "supervisor": self.mean("supervisor"),
        }

    def mean(self, side: str) -> dict[str, Json]:
        """Per resolved conversation."""
        counts: list[Counted] = [getattr(one, side) for one in self.asked]
        number = len(counts)
        return {
            "calls": round(sum(each.calls for each in counts) / number, 2),
            "prompt_tokens": round(sum(each.prompt_tokens for each in counts) / number),
            "completion_tokens": round(sum(each.completion_tokens for each in counts) / number),
        }


async def bench_models(
    open_ours: OpenWithModel,
    playbook: Playbook,
    conversations: Mapping[str, Sequence[str]],
    *,
    on_turn: Callable[[], None] = lambda: None,
) -> ModelBench:
    """Play the same conversations on both sides, each on fixtures of its own, with a model that counts.

    Args:
        open_ours: Opens a Callboard over a chat model object.
        playbook: The retail playbook.
        conversations: Name → what the customer says; each must have a script for the other side.
        on_turn: Called after each turn.

    Raises:
        PeersDisagree: The supervisor's script and its calls don't fit.
        PeerMissing: The supervisor's library isn't installed.
    """
    brain = _Brain(local_of(playbook))
    ours = CountingModel(say=brain)
    counts: dict[str, Counted] = {}
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as place:
        async with open_ours(ours, Path(place, "data"), Path(place, "systems")) as running:
            for name, lines in conversations.items():
                before = ours.counted.copy()
                await _converse(running, name, lines, on_turn)
                counts[name] = ours.counted.since(before)
            moment = running.clock()
        theirs = Path(place, "theirs")
        await asyncio.to_thread(theirs.mkdir)
        playbook.build_fixtures(theirs, now=moment)
        systems = await playbook.open_systems(theirs)
        try:
            script = ScriptedSupervisor()
            model = CountingModel(say=script)
            say = open_supervisor(model, {spec.name: spec for spec in playbook.tools}, systems, now=moment)
            asked = []
            for name in conversations:
                before = model.counted.copy()
                for line, moves in zip(conversations[name], SCRIPTS[name], strict=False):
                    script.take(moves)
                    await say(name, line)
                    on_turn()
                    if script.left:
                        raise PeersDisagree("the supervisor", name)
                asked.append(Asked(name, counts[name], model.counted.since(before)))
        finally:
            for system in systems.values():
                await system.close()
    return ModelBench(tuple(asked))


async def _converse(running: Running, name: str, lines: Sequence[str], on_turn: Callable[[], None]) -> None:
    conversation_id = ConversationId(f"bench-{name}")
    for number, line in enumerate(lines):
        result = await running.runner.handle(InboundMessage(conversation_id, f"m{number}", line))
        for approval_id in result.approvals:
            await running.runner.decide(approval_id, ReviewDecision("approve"), REVIEWER)
            await running.runner.settle(conversation_id)
        on_turn()


class _Brain:
    """Says what local code would, as the call of the tool that stands for the answer."""

    def __init__(self, local: Reasoner) -> None:
        self._local = local

    async def __call__(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> AIMessage:
        names = [tool["function"]["name"] for tool in tools]
        kind, answer = TASKS[next(name for name in names if name in TASKS)]
        content = str(next(each.content for each in messages if each.type == "human"))
        data: dict[str, Any] = json.loads(content.removeprefix("<task>").removesuffix("</task>"))
        task: Typed = kind.model_validate({key: value for key, value in data.items() if key in kind.model_fields})
        value = (await self._local.solve(task, answer, prompt=Prompt("loopback", ""))).answer
        if isinstance(value, Cue) and value.kind == "call" and value.call is not None and value.call.tool in names:
            return _call(value.call.tool, dict(value.call.arguments))
        return _call(answer.__name__, to_wire(answer, value))


def _call(name: str, arguments: Mapping[str, Any]) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": dict(arguments), "id": "call-1"}])


def _row(counted: Counted) -> dict[str, Json]:
    return {
        "calls": counted.calls,
        "prompt_tokens": counted.prompt_tokens,
        "completion_tokens": counted.completion_tokens,
    }
