"""The sample's checks as others would write them: Cedar, ZEN, a bare CEL list, and plain Python.

Each says whether anything objects. They do less than a decision of ours: no types are checked, there are no sentences,
obligations, limits, procedure or autonomy, and nothing says which facts were read. Cedar has neither floats nor the
subtraction of moments that is used here, so it is handed grams and days.
"""

import importlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from evals.policy_sample import NEVER, NOW, REQUEST, THRESHOLDS, VALUES
from policies.attributes import parse_timestamp
from policies.conditions import Names

Peer = Callable[[Mapping[str, Any]], bool]
"""Takes the values by dotted name; whether anything objects."""

ROWS = (
    "!(order.status in ['delivered', 'pending', 'shipped']) || (order.status == 'delivered' && "
    "order.days_since_delivery > 60)",
    "payment.method == 'invoice'",
    "order.weight_kg > 30.0 || order.gift",
)
"""What the sample's three tables object to, as conditions."""

CHECKS = (*NEVER, *THRESHOLDS, *ROWS)


def sample_values() -> dict[str, Any]:
    """The sample's facts and arguments by dotted name."""
    values: dict[str, Any] = {name: value for name, (_, value) in VALUES.items()}
    values |= {f"args.{name}": value for name, value in REQUEST.arguments.items()}
    return {**values, "order.delivered_at": parse_timestamp(VALUES["order.delivered_at"][1]), "now": NOW}


def cel_list() -> Peer:
    """All checks as one CEL list."""
    types = {name: kind for name, (kind, _) in VALUES.items()}
    types |= {"args.order_id": "string", "args.amount_minor": "int", "args.currency": "string", "args.reason": "string"}
    names = Names({**types, "now": "timestamp"})
    program = names.environment.compile(f"[{', '.join(f'({check})' for check in CHECKS)}]")
    return lambda values: any(program.eval(data=values).plain_value())


def plain_python(values: Mapping[str, Any]) -> bool:
    """The same checks by hand."""
    amount, reason = values["args.amount_minor"], values["args.reason"]
    status, age, weight = values["order.status"], values["order.days_since_delivery"], values["order.weight_kg"]
    return (
        amount > values["order.refundable_minor"]
        or amount <= 0
        or values["args.currency"] != values["order.currency"]
        or status in ("cancelled", "refunded", "pending")
        or values["customer.blocked"]
        or values["payment.disputed"]
        or not values["payment.captured"]
        or age > 60
        or values["order.item_count"] == 0
        or (values["order.gift"] and reason == "unwanted")
        or (values["shipment.state"] == "in_transit" and reason != "lost")
        or values["order.country"] in ("XX", "YY", "ZZ")
        or values["customer.refunds_90d"] >= 10
        or weight > 100.0
        or values["now"] - values["order.delivered_at"] > timedelta(days=90)
        or (values["payment.method"] == "gift_card" and amount > 5000)
        or amount > 10000
        or values["customer.refunded_90d_minor"] + amount > 60000
        or values["customer.refunds_90d"] >= 3
        or values["order.total_minor"] > 200000
        or reason in ("damaged", "wrong_item")
        or values["order.channel"] == "marketplace"
        or (values["customer.tier"] == "new" and amount > 2000)
        or status not in ("delivered", "pending", "shipped")
        or (status == "delivered" and age > 60)
        or values["payment.method"] == "invoice"
        or weight > 30.0
        or values["order.gift"]
    )


def cedar() -> Peer | None:
    """Cedar: one permit, and a forbid per check; None where cedarpy isn't installed."""
    cedarpy = _import("cedarpy")
    if cedarpy is None:
        return None
    texts = ["permit (principal, action, resource);"]
    texts += [f"forbid (principal, action, resource) when {{ {_as_cedar(check)} }};" for check in CHECKS]
    policies = cedarpy.PolicySet.from_str("\n".join(texts))
    entities = cedarpy.Entities.from_json_str("[]")

    def objects(values: Mapping[str, Any]) -> bool:
        context = _nested({name: _for_cedar(name, value) for name, value in values.items() if name != "now"})
        context["order"]["age_days"] = (values["now"] - values["order.delivered_at"]).days
        asked = {"principal": 'User::"w"', "action": 'Action::"refund"', "resource": 'Order::"W1"', "context": context}
        return not cedarpy.is_authorized(asked, policies, entities).allowed

    return objects


def zen() -> Peer | None:
    """ZEN: a decision table that collects, a row per check; None where zen-engine isn't installed."""
    engine = _import("zen")
    if engine is None:
        return None
    place = {"x": 0, "y": 0}
    rows = [{"_id": str(number), "c": _as_zen(check), "o": str(number)} for number, check in enumerate(CHECKS)]
    table = {
        "hitPolicy": "collect",
        "inputs": [{"id": "c", "name": "c"}],
        "outputs": [{"id": "o", "name": "o", "field": "rule"}],
        "rules": rows,
    }
    graph = {
        "nodes": [
            {"id": "i", "type": "inputNode", "name": "in", "position": place},
            {"id": "t", "type": "decisionTableNode", "name": "t", "position": place, "content": table},
            {"id": "o", "type": "outputNode", "name": "out", "position": place},
        ],
        "edges": [
            {"id": "e1", "sourceId": "i", "targetId": "t", "type": "edge"},
            {"id": "e2", "sourceId": "t", "targetId": "o", "type": "edge"},
        ],
    }
    decision = engine.ZenEngine().create_decision(json.dumps(graph))

    def objects(values: Mapping[str, Any]) -> bool:
        context = _nested({name: value for name, value in values.items() if not isinstance(value, datetime)})
        context["order"]["age_days"] = (values["now"] - values["order.delivered_at"]).days
        return bool(decision.evaluate(context)["result"])

    return objects


def _import(name: str) -> Any:
    """A library that only this comparison needs, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _as_cedar(check: str) -> str:
    text = check.replace("now - order.delivered_at > days(90)", "order.age_days > 90").replace("'", '"')
    for number in ("100.0", "30.0"):
        text = text.replace(f"order.weight_kg > {number}", f"order.weight_g > {int(float(number) * 1000)}")
    for root in ("args", "order", "payment", "customer", "shipment"):
        text = text.replace(f"{root}.", f"context.{root}.")
    return _lists(text, contains="[{items}].contains({name})")


def _as_zen(check: str) -> str:
    text = check.replace("now - order.delivered_at > days(90)", "order.age_days > 90")
    return text.replace("&&", "and").replace("||", "or").replace("!(", "not(").replace("!payment", "not payment")


def _lists(text: str, *, contains: str) -> str:
    """`name in [items]` in another form."""
    while " in [" in text:
        before, _, after = text.partition(" in [")
        items, _, rest = after.partition("]")
        name = before.split("(")[-1].split()[-1]
        text = before[: len(before) - len(name)] + contains.format(items=items, name=name) + rest
    return text


def _for_cedar(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return int(value * 1000)
    return value.isoformat() if isinstance(value, datetime) else value


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as records within records."""
    roots: dict[str, Any] = {}
    for name, value in values.items():
        root, _, leaf = name.partition(".")
        leaf = "weight_g" if leaf == "weight_kg" and isinstance(value, int) else leaf
        roots.setdefault(root, {})[leaf] = value
    return roots
