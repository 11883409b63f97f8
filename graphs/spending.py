"""What models may cost: prices and budgets, as the settings say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from agents.reasoners.base import Usage
from memory.model_usage import Spent

NANO_PER_UNIT_AND_MILLION = 1_000
"""Prices are per million tokens, costs in billionths: one token at 1.00 costs a thousand billionths."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens of one model cost."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    """Prompt tokens from the provider's cache; as `input` when None."""

    def of(self, usage: Usage) -> int:
        """The cost in billionths, rounded up."""
        cached = self.input if self.cached is None else self.cached
        cost = (
            self.input * (usage.prompt_tokens - usage.cached_tokens)
            + cached * usage.cached_tokens
            + self.output * usage.completion_tokens
        )
        return int((cost * NANO_PER_UNIT_AND_MILLION).to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent; None for no limit."""

    tokens: int | None = None
    money_nano: int | None = None

    def exceeded_by(self, spent: Spent) -> str:
        """Which of both is used up: "tokens", "money"; empty when neither."""
        if self.tokens is not None and spent.tokens >= self.tokens:
            return "tokens"
        if self.money_nano is not None and spent.cost_nano >= self.money_nano:
            return "money"
        return ""


@dataclass(frozen=True, slots=True)
class Spending:
    """Prices and budgets of this Callboard."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    """By the model's name."""
    turn: Budget = Budget()
    case: Budget = Budget()
    day: Budget = Budget()
    """Of all conversations together, by the business's own calendar."""
    turn_seconds: float | None = None
    """How long models may take for one turn, all calls and waits together; then it goes on without."""

    def cost(self, model: str, usage: Usage) -> int:
        """In billionths; 0 for a model without a price."""
        price = self.prices.get(model.removeprefix("chat:"))
        return price.of(usage) if price else 0
