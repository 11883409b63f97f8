"""What values the names of conditions can have, where that is known; a comparison with any other one is a mistake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from policies.detectors.phrases import FlagKind
from policies.words import AutonomyLevel, Reversibility, Risk, ToolProfile


@dataclass(frozen=True, slots=True)
class Domain:
    """The values that one name can have. Without `values` a text may be anything, without an end a number may."""

    values: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None


COUNT: Final = Domain(low=0)

DOMAINS: Final[Mapping[str, Domain]] = {
    "customer.assurance": Domain(low=0, high=3),
    "conversation.channel": Domain(("chat", "email", "voice", "sms")),
    "autonomy.level": Domain(tuple(AutonomyLevel)),
    "tool.kind": Domain(("read", "write")),
    "tool.risk": Domain(tuple(Risk)),
    "tool.reversibility": Domain(tuple(Reversibility)),
    "case.calls": COUNT,
    "failures": COUNT,
    "repeats": COUNT,
    "turns": COUNT,
    "sentiment": Domain(low=-1, high=1),
    "intent.confidence": Domain(low=0, high=1),
}
"""By name. Facts and arguments have those that their tool declares."""

FLAGS: Final = frozenset(
    {
        *get_args(FlagKind),
        "angry",
        "asks_if_ai",
        "asks_person",
        "asks_person_otherwise",
        "cannot_answer",
        "fraud",
        "legal_threat",
        "opt_out",
        "urgent",
        "vulnerable",
    }
)
"""What screening finds and what the intent specialist reads; "cannot:email" and its like come besides."""

FLAG_PREFIXES: Final = ("cannot:",)


def domain_of(name: str, profile: ToolProfile | None = None) -> Domain:
    """What values a name can have, as far as it is known."""
    if name.startswith("calls."):
        return COUNT
    if profile is not None and name in profile.values:
        return Domain(tuple(profile.values[name]))
    return DOMAINS.get(name, Domain())
