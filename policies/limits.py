"""Limits: how often, or how much money, in a rolling window; counted from the past uses that the caller read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from policies.errors import ConditionError
from policies.rules import Limit
from policies.words import ActionRequest, LimitUse, Situation, ToolProfile


@dataclass(frozen=True, slots=True)
class ResolvedLimit:
    """A limit with its parameters filled in."""

    rule: Limit
    window_s: int | None
    max_count: int | None
    max_amounts: Mapping[str, int] | None
    """By currency; None limits no money. A currency that isn't listed has no limit stated, so nothing of it passes."""


@dataclass(frozen=True, slots=True)
class LimitKey:
    """Whose past uses are needed before a decision, and how far back."""

    limit: str
    key: str
    window_s: int | None


@dataclass(slots=True)
class Measure:
    """Where one request stands against one limit."""

    is_past: bool
    used_count: int
    used_amount_minor: int
    currency: str
    use: LimitUse | None
    """What to reserve; None for a limit on single actions."""


def limit_key(
    limit: ResolvedLimit, request: ActionRequest, *, profile: ToolProfile, situation: Situation
) -> LimitKey | None:
    """Whose use counts; None for a limit on single actions.

    Raises:
        ConditionError: There is no customer, case or record to count for.
    """
    key = _key(limit, request, profile, situation)
    return None if key is None else LimitKey(limit.rule.id, key, limit.window_s)


def _key(limit: ResolvedLimit, request: ActionRequest, profile: ToolProfile, situation: Situation) -> str | None:
    match limit.rule.per:
        case "action":
            return None
        case "business":
            whose: object = "*"
        case "customer":
            whose = situation.customer_id
        case "case":
            whose = situation.case_id
        case "record":
            whose = request.arguments.get(profile.record_argument)
    if whose is None or whose == "":
        raise ConditionError(f"{limit.rule.id} counts per {limit.rule.per}, and there is none.")
    return f"{limit.rule.id}|{whose}"


def measure(limit: ResolvedLimit, request: ActionRequest, *, profile: ToolProfile, situation: Situation) -> Measure:
    """Where the request stands, itself included.

    Raises:
        ConditionError: The amount or currency can't be used, or the past uses were not read.
    """
    amount, currency = _amount(limit, request, profile)
    key = _key(limit, request, profile, situation)
    used_count = used_amount = 0
    if key is not None:
        if key not in situation.uses:
            raise ConditionError(f"The past uses of {limit.rule.id} were not read.")
        uses = situation.uses[key]
        since = situation.now - timedelta(seconds=limit.window_s) if uses and limit.window_s is not None else None
        for past in uses:
            if since is None or past.at > since:
                used_count += 1
                used_amount += past.amount_minor if past.currency == currency else 0
    is_past = limit.max_count is not None and used_count + 1 > limit.max_count
    maximum: int | None = None
    if limit.max_amounts is not None:
        maximum = limit.max_amounts.get(currency)
        is_past = is_past or maximum is None or used_amount + amount > maximum
    use = None
    if key is not None:
        # What a person lets pass beyond the limit is still counted, but no longer refused by the reservation.
        beyond = is_past and limit.rule.past != "deny"
        use = LimitUse(
            limit=limit.rule.id,
            key=key,
            count=1,
            amount_minor=amount,
            currency=currency,
            window_s=limit.window_s,
            max_count=None if beyond else limit.max_count,
            max_amount_minor=None if beyond else maximum,
        )
    return Measure(is_past, used_count, used_amount, currency, use)


def _amount(limit: ResolvedLimit, request: ActionRequest, profile: ToolProfile) -> tuple[int, str]:
    if not profile.amount_argument:
        return 0, ""
    amount = request.arguments.get(profile.amount_argument)
    if type(amount) is not int or amount < 0:
        if amount is None and limit.max_amounts is None:
            return 0, ""
        raise ConditionError(f"{profile.amount_argument} is not an amount in minor units, zero or more.")
    currency = request.arguments.get(profile.currency_argument) if profile.currency_argument else None
    if isinstance(currency, str) and currency:
        return amount, currency
    if not profile.currency_argument and limit.max_amounts is not None and len(limit.max_amounts) == 1:
        return amount, next(iter(limit.max_amounts))
    if limit.max_amounts is None:
        return amount, ""
    raise ConditionError(f"The currency of {profile.amount_argument} is not known.")
