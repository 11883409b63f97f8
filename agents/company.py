"""Putting the company together for one playbook: the local reasoner, the prompts, and the five specialists."""

import json
from collections.abc import Mapping, Sequence

from agents.checks import AnswerChecks
from agents.journeys import Journey, VerificationMethod, Voice
from agents.local.authentication import next_check
from agents.local.cues import next_cue
from agents.local.drafting import draft
from agents.local.entities import EntityPatterns
from agents.local.intents import fit, fit_journeys
from agents.local.reading import Reader
from agents.local.sheets import Sheets, ToolCard
from agents.prompting import load_prompt
from agents.reasoners.base import AnswerCheck, Reasoner
from agents.reasoners.local import LocalReasoner
from agents.specialists import (
    AuthenticationSpecialist,
    DecideTable,
    DraftingSpecialist,
    EligibilitySpecialist,
    IntentSpecialist,
    Specialists,
    WorkflowSpecialist,
)
from agents.tasks import AuthenticationTask, Draft, Drafts, DraftsTask, DraftTask, IntentTask, WorkflowTask
from memory.vectors import Embedder
from tools.spec import ToolSpec

UTTERANCES_SHOWN = 3
"""Example utterances of a journey that a model sees."""


def sheets_of(
    journeys: Mapping[str, Journey], voice: Voice, *, methods: Sequence[VerificationMethod], tools: Sequence[ToolSpec]
) -> Sheets:
    """A playbook as the interpreter reads it."""
    cards = {spec.name: ToolCard.of(spec) for spec in tools}
    return Sheets(journeys=dict(journeys), voice=voice, tools=cards, methods=tuple(methods))


def local_reasoner(sheets: Sheets, patterns: EntityPatterns, *, embedder: Embedder | None = None) -> LocalReasoner:
    """Everything that needs no model. Fits the classifier, which takes a fraction of a second.

    Args:
        sheets: The playbook as the interpreter reads it.
        patterns: How the business writes what customers name.
        embedder: Verified weights that know the meaning of words, where there are any.

    Raises:
        TooFewExamples: A journey has too few utterances.
    """
    model = fit_journeys(list(sheets.journeys.values()), embedder=embedder)
    languages = {code: fit(each.utterances) for code, each in sheets.voice.languages.items() if each.utterances}
    reader = Reader(
        journeys=sheets.journeys, model=model, patterns=patterns, voice=sheets.voice, further_models=languages
    )

    def write(task: DraftTask) -> Draft:
        return draft(task, journeys=sheets.journeys, voice=sheets.voice.in_language(task.language))

    return LocalReasoner(
        {
            IntentTask: reader.read,
            AuthenticationTask: lambda task: next_check(task, sheets.methods),
            WorkflowTask: lambda task: next_cue(task, sheets),
            DraftTask: write,
            DraftsTask: lambda task: Drafts(drafts=[write(each) for each in task.drafts]),
        }
    )


def specialists_of(
    sheets: Sheets, *, reasoner: Reasoner, decide_table: DecideTable, check: AnswerCheck | None = None
) -> Specialists:
    """The five specialists over one reasoner; where a table or a method decides, it isn't asked.

    Args:
        sheets: The playbook.
        reasoner: Who solves tasks.
        decide_table: Gives a decision table's answer.
        check: What answers must stand up to; None for the checks of `AnswerChecks`.
    """
    check = check or AnswerChecks(sheets)
    return Specialists(
        intent=IntentSpecialist(reasoner, load_prompt("intent", context=_journeys_told(sheets)), check),
        authentication=AuthenticationSpecialist(sheets.methods),
        eligibility=EligibilitySpecialist(decide_table),
        workflow=WorkflowSpecialist(reasoner, load_prompt("workflow", context=_plans_told(sheets)), check),
        drafting=DraftingSpecialist(reasoner, load_prompt("drafting", context=_voice_told(sheets)), check),
    )


def _journeys_told(sheets: Sheets) -> str:
    lines = ["Journeys:"]
    for journey in sheets.journeys.values():
        examples = "; ".join(journey.utterances[:UTTERANCES_SHOWN])
        lines.append(f"- {journey.id}: {journey.title}. {journey.goal} For example: {examples}")
    return "\n".join(lines)


def _plans_told(sheets: Sheets) -> str:
    """Of the journeys, the open ones: the steps of all others are walked, not planned."""
    plans = [f"- {each.id}: {each.title}. {each.goal}" for each in sheets.journeys.values() if each.kind == "open"]
    return "\n".join(["Open journeys:", *plans]) if plans else ""


def _voice_told(sheets: Sheets) -> str:
    voice = sheets.voice.model_dump(mode="json", exclude={"templates", "languages"})
    return f"Voice: {json.dumps(voice, ensure_ascii=False)}"
