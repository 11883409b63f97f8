"""One seam, several reasoners: falling back, recording, replaying and scripting, with every answer checked."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.errors import AnswerInvalid, CassetteMiss, ReasonerUnavailable, ScriptExhausted, UnknownTask
from agents.prompting import Prompt, load_prompt
from agents.reasoners.base import Solved, parsed
from agents.reasoners.fallback import FallbackReasoner
from agents.reasoners.local import LocalReasoner
from agents.reasoners.recorded import Cassette, RecordedReasoner
from agents.reasoners.scripted import ScriptedReasoner
from agents.tasks import Draft, DraftTask, Typed

PROMPT = Prompt("drafting", "Write.")
TASK = DraftTask(cues=[], journeys=[], known=[], text="hello", disclose=False)
HELLO = Draft(text="Hello.")


def local(text: str = "Local.") -> LocalReasoner:
    return LocalReasoner({DraftTask: lambda task: Draft(text=text)})


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def ask(reasoner: object, prompt: Prompt = PROMPT) -> Solved[Draft]:
    return await reasoner.solve(TASK, Draft, prompt=prompt)  # type: ignore[attr-defined, no-any-return]  # any reasoner


async def test_local_solves_what_it_has_a_solver_for() -> None:
    assert (await ask(local())).answer.text == "Local."
    with pytest.raises(UnknownTask):
        await ask(LocalReasoner({}))


async def test_a_script_is_followed_in_order_and_then_falls_through() -> None:
    scripted = ScriptedReasoner({DraftTask: [HELLO, None]}, otherwise=local())
    assert [(await ask(scripted)).answer.text for _ in range(3)] == ["Hello.", "Local.", "Local."]
    assert len(scripted.asked) == 3
    with pytest.raises(ScriptExhausted):
        await ask(ScriptedReasoner({DraftTask: []}))


async def test_a_scripted_function_sees_the_task() -> None:
    scripted = ScriptedReasoner({DraftTask: lambda task: Draft(text=task.text)})
    assert (await ask(scripted)).answer.text == "hello"


async def test_p12_a_failing_model_is_replaced_and_the_notes_say_why() -> None:
    first = ScriptedReasoner({DraftTask: lambda task: ReasonerUnavailable("down")})
    solved = await ask(FallbackReasoner(first, local(), clock=Clock()))
    assert (solved.answer.text, solved.reasoner) == ("Local.", "local")
    assert "ReasonerUnavailable: down" in solved.notes[0]


@pytest.mark.parametrize("lie", [{"nonsense": 1}, "text", Draft.model_construct(text=3), 7, Draft.model_construct()])
async def test_p12_an_answer_that_does_not_hold_counts_as_none(lie: object) -> None:
    solved = await ask(FallbackReasoner(ScriptedReasoner({DraftTask: [lie]}), local(), clock=Clock()))
    assert solved.answer.text == "Local."


async def test_p12_an_answer_that_fails_its_check_counts_as_none() -> None:
    def never(task: Typed, answer: Typed) -> tuple[str, ...]:
        return ("text: no",)

    solved = await ask(FallbackReasoner(ScriptedReasoner({DraftTask: [HELLO]}), local(), clock=Clock(), check=never))
    assert (solved.answer.text, "text: no" in solved.notes[0]) == ("Local.", True)


async def test_p12_a_model_that_keeps_failing_is_left_alone_for_a_while() -> None:
    clock = Clock()
    first = ScriptedReasoner({DraftTask: lambda task: ReasonerUnavailable("down")})
    fallback = FallbackReasoner(first, local(), clock=clock, failures=2, pause=timedelta(seconds=30))
    for _ in range(5):
        assert (await ask(fallback)).answer.text == "Local."
    assert len(first.asked) == 2
    clock.now += timedelta(seconds=31)
    await ask(fallback)
    await ask(fallback)
    assert len(first.asked) == 3, "one task is let through to see, and no more until the next pause is over"


async def test_p12_a_model_that_recovered_is_used_again() -> None:
    clock = Clock()
    answers = [ReasonerUnavailable("down"), HELLO, HELLO]
    fallback = FallbackReasoner(ScriptedReasoner({DraftTask: answers}), local(), clock=clock, failures=1)
    await ask(fallback)
    clock.now += timedelta(minutes=1)
    assert [(await ask(fallback)).answer.text for _ in range(2)] == ["Hello.", "Hello."]


async def test_p13_a_recording_replays_exactly_without_the_one_it_recorded(tmp_path: Path) -> None:
    path = tmp_path / "tape" / "one.jsonl"
    recording = RecordedReasoner(Cassette(path), mode="record", inner=ScriptedReasoner({DraftTask: [HELLO]}))
    recorded = await ask(recording)
    replayed = await ask(RecordedReasoner(Cassette(path), mode="replay"))
    assert replayed.answer == recorded.answer == HELLO
    assert (replayed.reasoner, replayed.prompt_version) == ("scripted", PROMPT.version)


async def test_p13_a_strict_replay_misses_another_prompt_and_a_lax_one_falls_through(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    await ask(RecordedReasoner(Cassette(path), mode="record", inner=local("Taped.")))
    other = Prompt("drafting", "Write better.")
    with pytest.raises(CassetteMiss):
        await ask(RecordedReasoner(Cassette(path), mode="replay"), other)
    lax = RecordedReasoner(Cassette(path), mode="fall_through", inner=local())
    assert ((await ask(lax)).answer.text, (await ask(lax, other)).answer.text) == ("Taped.", "Local.")
    assert len(Cassette(path)) == 1, "falling through records nothing"


def test_faults_are_named_by_place_and_never_quote_the_answer() -> None:
    with pytest.raises(AnswerInvalid) as caught:
        parsed(Draft, {"text": 3, "secret-of-a-customer": "4111"}, task=TASK)
    assert "4111" not in str(caught.value)
    assert any(fault.startswith("text: ") for fault in caught.value.faults)


def test_a_prompt_has_the_version_of_all_that_a_model_reads() -> None:
    plain, told = load_prompt("intent"), load_prompt("intent", context="Journeys: refund")
    assert plain.version != told.version
    assert told.text.startswith(plain.text.rstrip())
    assert load_prompt("intent").version == plain.version
