"""Canonical JSON (RFC 8785), digests over it, and decisions to and from plain JSON without loss."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeAlias

import rfc8785

from policies.words import ApprovalTerms, Decision, Effect, Fact, Facts, Json, LimitUse, Obligation, RuleVerdict

Plain: TypeAlias = Json | Mapping[str, Any] | Sequence[Any]


def canonical_json(value: Plain) -> bytes:
    """The one byte string for a JSON value: keys sorted, no spaces, numbers in one form.

    Integers beyond 2**53 have no place in it; write them as strings.

    Raises:
        ValueError: The value is not JSON, or holds a number or text that RFC 8785 can't write.
    """
    try:
        return _plainly(value) or rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise ValueError("The value has no canonical JSON.") from error


def _plainly(value: Plain) -> bytes | None:
    """The canonical JSON by the standard library's C code, ten times as fast; None for a value that it may not fit.

    Without fractions and without characters from U+D800 on, where the order of keys begins to differ, both write the
    same. Reading it again shows what the standard library is generous with: keys that are no text, numbers too large.
    """
    try:
        text = _write(value)
        is_plain = text.isascii() or max(text) < "\ud800"
        return text.encode() if is_plain and _read(text) == value else None
    except (TypeError, ValueError, RecursionError):
        return None


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) >= 2**53:
        raise ValueError(digits)
    return number


def _refuse(word: str) -> None:
    raise ValueError(word)


_write = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_read = json.JSONDecoder(parse_float=_refuse, parse_int=_whole, parse_constant=_refuse).decode


def is_canonical(value: Plain) -> bool:
    """Whether a value has canonical JSON: numbers beyond 2^53, NaN and infinities have none."""
    try:
        canonical_json(value)
    except ValueError:
        return False
    return True


def digest(value: Plain) -> str:
    """The SHA-256 of the canonical JSON, in hex.

    Raises:
        ValueError: As `canonical_json`.
    """
    return sha256(canonical_json(value)).hexdigest()


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: numbers by value, yes and no never a number."""
    if type(one) is str or one is None:
        return bool(one == other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def facts_to_json(facts: Facts) -> dict[str, Json]:
    """Facts as plain JSON, sorted by name."""
    return {
        name: {"value": fact.value, "source": fact.source, "read_at": fact.read_at.isoformat()}
        for name, fact in sorted(facts.items())
    }


def facts_from_json(data: Mapping[str, Any]) -> dict[str, Fact]:
    """The facts that `facts_to_json` wrote."""
    return {
        name: Fact(each["value"], each["source"], datetime.fromisoformat(each["read_at"]))
        for name, each in data.items()
    }


def decision_to_json(decision: Decision) -> dict[str, Json]:
    """A decision as plain JSON, from which `decision_from_json` makes an equal one."""
    return {
        "effect": decision.effect.value,
        "verdicts": [_verdict_to_json(verdict) for verdict in decision.verdicts],
        "passed": [_verdict_to_json(verdict) for verdict in decision.passed],
        "obligations": [{"kind": each.kind, "detail": each.detail} for each in decision.obligations],
        "facts": facts_to_json(decision.facts),
        "decisive_facts": list(decision.decisive_facts),
        "policy_version": decision.policy_version,
        "approval": asdict(decision.approval) if decision.approval else None,
        "queue": decision.queue,
        "limits": [asdict(limit) for limit in decision.limits],
        "error": decision.error,
    }


def decision_from_json(data: Mapping[str, Any]) -> Decision:
    """The decision that `decision_to_json` wrote."""
    return Decision(
        effect=Effect(data["effect"]),
        verdicts=tuple(_verdict_from_json(each) for each in data["verdicts"]),
        passed=tuple(_verdict_from_json(each) for each in data["passed"]),
        obligations=tuple(Obligation(each["kind"], each["detail"]) for each in data["obligations"]),
        facts=facts_from_json(data["facts"]),
        policy_version=data["policy_version"],
        approval=ApprovalTerms(**data["approval"]) if data["approval"] else None,
        limits=tuple(LimitUse(**each) for each in data["limits"]),
        error=data["error"],
        decisive_facts=tuple(data["decisive_facts"]),
        queue=data["queue"],
    )


def _verdict_to_json(verdict: RuleVerdict) -> dict[str, Json]:
    return {
        "rule": verdict.rule,
        "effect": verdict.effect.value,
        "sentence": verdict.sentence,
        "source": verdict.source,
        "kind": verdict.kind,
    }


def _verdict_from_json(data: Mapping[str, Any]) -> RuleVerdict:
    return RuleVerdict(data["rule"], Effect(data["effect"]), data["sentence"], data["source"], data["kind"])
