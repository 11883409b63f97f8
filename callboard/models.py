"""Which models stand behind the specialists: put together from settings and playbook, with what they may cost."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import TYPE_CHECKING

from agents.checks import AnswerChecks
from agents.local.sheets import Sheets
from agents.reasoners.base import Reasoner
from agents.reasoners.briefs import Briefs
from agents.reasoners.fallback import FallbackReasoner
from agents.reasoners.forms import FormsReasoner
from agents.reasoners.recorded import Cassette, RecordedReasoner
from agents.tasks import DraftsTask, DraftTask, IntentTask, Typed, WorkflowTask
from callboard.errors import SettingsInvalid
from callboard.settings import Settings
from graphs.context import Clock
from graphs.playbook import Models
from graphs.spending import Budget, Price, Spending

# The client of a model takes half a second to import, and is not needed where there is none.
if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from openai import AsyncOpenAI

    from agents.reasoners.chat import ChatReasoner
    from agents.reasoners.models import ChatModel

NANO = 1_000_000_000


async def open_reasoner(
    settings: Settings, models: Models, sheets: Sheets, local: Reasoner, *, clock: Clock, stack: AsyncExitStack
) -> Reasoner:
    """The reasoner that the specialists ask.

    Forms first, then the model, then the second model, then local code. Without a key, a LangChain model and a cassette
    it is local code alone.

    Args:
        settings: Endpoint, key, models, cassette.
        models: Which specialist asks which model, as the playbook says.
        sheets: The playbook.
        local: What needs no model.
        clock: For circuit breakers.
        stack: Closes what is opened here.

    Raises:
        SettingsInvalid: Names the setting that is wrong.
    """
    chats = _chats(settings, models, sheets, stack)
    _check_prices(settings, {name for chat in chats for name in chat.model_names})
    asked = chain_of(chats, local, sheets, clock=clock)
    if settings.cassette is not None:
        inner = None if settings.cassette_mode == "replay" else asked
        if settings.cassette_mode == "record" and asked is local:
            raise SettingsInvalid("CALLBOARD_CASSETTE_MODE: there is no model to record; set OPENAI_API_KEY.")
        if settings.cassette_mode == "replay" and not settings.cassette.exists():
            raise SettingsInvalid("CALLBOARD_CASSETTE: there is no such file to replay; record one first.")
        asked = RecordedReasoner(Cassette(settings.cassette), mode=settings.cassette_mode, inner=inner)
    return local if asked is local else FormsReasoner(sheets, local=local, otherwise=asked)


def reasoner_of(model: "ChatModel | BaseChatModel", sheets: Sheets, local: Reasoner, *, clock: Clock) -> Reasoner:
    """The same over one model object: ours, or any chat model of LangChain. For whoever opens a runtime themselves."""
    chat = _chat(_as_model(model), {}, sheets, timeout_s=Settings.model_fields["model_timeout_s"].default)
    return FormsReasoner(sheets, local=local, otherwise=chain_of([chat], local, sheets, clock=clock))


def chain_of(chats: "Sequence[Reasoner]", local: Reasoner, sheets: Sheets, *, clock: Clock) -> Reasoner:
    """One after the other, local code last, each model behind a circuit breaker of its own."""
    asked = local
    for chat in reversed(chats):
        asked = FallbackReasoner(chat, asked, clock=clock, check=AnswerChecks(sheets))
    return asked


def spending_of(settings: Settings) -> Spending:
    """Prices and budgets of the settings."""
    money = (settings.budget_turn_money, settings.budget_case_money, settings.budget_day_money)
    prices = {name: Price(one.input, one.output, one.cached) for name, one in settings.model_prices.items()}
    turn, case, day = (None if amount is None else _nano(amount) for amount in money)
    return Spending(
        prices=prices,
        turn=Budget(settings.budget_turn_tokens, turn),
        case=Budget(settings.budget_case_tokens, case),
        day=Budget(settings.budget_day_tokens, day),
        turn_seconds=settings.model_turn_s,
    )


def _chats(settings: Settings, models: Models, sheets: Sheets, stack: AsyncExitStack) -> "list[ChatReasoner]":
    if settings.langchain_model:
        return [_chat(_as_model(load_model(settings.langchain_model)), {}, sheets, timeout_s=settings.model_timeout_s)]
    if not settings.key_of_model:
        return []
    # Slow to import, and only needed where there is a model.
    from agents.reasoners.openai_model import OpenAIModel, openai_client

    def client(key: str, url: str) -> "AsyncOpenAI":
        made = openai_client(api_key=key, base_url=url, timeout_s=settings.model_timeout_s)
        stack.push_async_callback(made.close)
        return made

    first = client(settings.key_of_model, settings.openai_base_url)
    by_task: dict[type[Typed], ChatModel] = {
        kind: OpenAIModel(first, name) for kind, name in _names(settings, models) if name
    }
    default = OpenAIModel(first, models.default or settings.model)
    chats = [_chat(default, by_task, sheets, timeout_s=settings.model_timeout_s)]
    if settings.second_model:
        again = client(settings.key_of_second_model, settings.second_model_url or settings.openai_base_url)
        second = OpenAIModel(again, settings.second_model)
        chats.append(_chat(second, {}, sheets, timeout_s=settings.model_timeout_s))
    return chats


def _chat(
    model: "ChatModel", by_task: "Mapping[type[Typed], ChatModel]", sheets: Sheets, *, timeout_s: float
) -> "ChatReasoner":
    # Slow to import, and only needed where there is a model.
    from agents.reasoners.chat import ChatReasoner

    return ChatReasoner(
        model, by_task=by_task, briefing=Briefs(sheets), check=AnswerChecks(sheets), timeout_s=timeout_s
    )


def _names(settings: Settings, models: Models) -> Iterator[tuple[type[Typed], str]]:
    """Which kind of task goes to which model, where the playbook names one."""
    yield IntentTask, models.intent
    yield WorkflowTask, models.workflow
    yield DraftTask, models.drafting
    yield DraftsTask, models.drafting


def _as_model(model: "ChatModel | BaseChatModel") -> "ChatModel":
    # Slow to import, and only needed where there is a model.
    from langchain_core.language_models.chat_models import BaseChatModel

    from agents.reasoners.langchain_model import LangChainModel

    return LangChainModel(model) if isinstance(model, BaseChatModel) else model


def load_model(place: str) -> "BaseChatModel":
    """The chat model object that a setting names, or what the function of that name makes.

    Raises:
        SettingsInvalid: There is none.
    """
    from langchain_core.language_models.chat_models import BaseChatModel

    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
        found = found if isinstance(found, BaseChatModel) else found()
    except Exception as error:  # Whatever that module does when it is imported or called.
        raise SettingsInvalid(
            f"CALLBOARD_LANGCHAIN_MODEL: it can't be loaded ({type(error).__name__}). Write module:name of a chat "
            "model of LangChain, or of a function that makes one; the module must be importable."
        ) from error
    if not isinstance(found, BaseChatModel):
        raise SettingsInvalid("CALLBOARD_LANGCHAIN_MODEL: what it names is no chat model of LangChain.")
    return found


def _check_prices(settings: Settings, names: set[str]) -> None:
    """A budget of money counts nothing for a model without a price, and would hold nothing back."""
    money = (settings.budget_turn_money, settings.budget_case_money, settings.budget_day_money)
    if any(money) and (lacking := names - {*settings.model_prices}):
        raise SettingsInvalid(
            f"CALLBOARD_MODEL_PRICES: a budget of money needs the price of {', '.join(sorted(lacking))}."
        )


def _nano(amount: Decimal) -> int:
    return int(amount * NANO)
