"""Work on policies over the records: backtests of recorded decisions, one request explained, versions as data."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from memory import policy_versions, requests
from memory.policy_versions import PolicyVersion, Term
from memory.requests import DecisionRow, request_from_json
from memory.store import Unit
from policies.canonical import decision_from_json, facts_from_json
from policies.contents import content_from_json
from policies.differences import differences
from policies.engine import PolicyEngine
from policies.explanation import explain
from policies.replaying import Backtest, Recorded
from policies.situations import situation_from_json
from policies.words import Json, RequestId

if TYPE_CHECKING:  # Works on an open runtime; importing its floors here would only cost start-up time.
    from callboard.runtime import Runtime

PAGE: Final = 500
SECOND_LOOKS: Final = frozenset({"act", "confirm"})
"""Phases of decisions on an action that another decision stands for."""


async def backtest(runtime: "Runtime", engine: PolicyEngine, *, since: datetime | None = None) -> dict[str, Json]:
    """Replay the recorded decisions under a candidate, page by page, beside whatever else is going on.

    Args:
        runtime: Whose records.
        engine: The candidate, compiled against the tools of this runtime.
        since: Only decisions made at or after this moment.
    """
    report = Backtest(engine)
    left_out: Counter[str] = Counter()
    seq = 0
    while True:
        page = await runtime.store.read(
            lambda unit, seq=seq: requests.decisions_after(unit, seq=seq, since=since, limit=PAGE)  # type: ignore[misc]  # bound at once
        )
        if not page:
            break
        seq = page[-1][0]
        await asyncio.to_thread(report.add, _recorded((row for _, row in page), left_out))
    result = report.as_json()
    result["left_out"] = {**dict(sorted(left_out.items()))}
    result["since"] = since.isoformat() if since else None
    return result


def recorded_from(row: DecisionRow) -> Recorded | None:
    """A stored decision as it can be made again; None if policy didn't make it."""
    made: dict[str, Any] = row.situation
    decision = decision_from_json(row.decision)
    if not made or any(verdict.rule == "arguments" and verdict.kind == "error" for verdict in decision.verdicts):
        return None
    return Recorded(
        id=f"{row.request_id}#{row.ordinal}",
        at=row.created_at,
        request=request_from_json(made["request"]),
        facts=facts_from_json(made["facts"]),
        unread=frozenset(made["missing"]),
        situation=situation_from_json(made["situation"]),
        decision=decision,
        counts=row.phase not in SECOND_LOOKS,
    )


def explain_request(unit: Unit, *, request_id: RequestId) -> dict[str, Json]:
    """Every decision on a stored request, in words and as data, and which content made it.

    Raises:
        RecordNotFound: There is no such request.
        KeyGone: Its customer was forgotten.
    """
    request = requests.get_request(unit, request_id=request_id).request
    explained: list[Json] = []
    for row in requests.decisions_of(unit, request_id=request_id):
        decision = decision_from_json(row.decision)
        explained.append(
            {
                "phase": row.phase,
                "at": row.created_at.isoformat(),
                "effect": row.effect,
                "rules": [*decision.rules],
                "policy_version": row.policy_version,
                "shadow": row.situation.get("shadow"),
                "explanation": explain(decision, request),
            }
        )
    return {"id": request_id, "tool": request.tool, "decisions": explained}


def history(unit: Unit, *, playbook: str) -> dict[str, Json]:
    """Every version, what is in force, every step with who and when, and which version made how many decisions."""
    counts = requests.count_by_version(unit)
    engines = policy_versions.engines(unit, playbook=playbook)
    made: Counter[str] = Counter()
    for version, content_hash in engines.items():
        made[content_hash] += counts.get(version, 0)
    return {
        "playbook": playbook,
        "in_force": [_term(term) for term in policy_versions.terms(unit, playbook=playbook)],
        "versions": [
            {
                **view(version),
                "decisions": made[version.hash],
                "decides_as": [
                    known for known, content_hash in sorted(engines.items()) if content_hash == version.hash
                ],
            }
            for version in policy_versions.versions(unit, playbook=playbook)
        ],
        "events": [
            {**asdict(event), "at": event.at.isoformat()} for event in policy_versions.events(unit, playbook=playbook)
        ],
    }


def view(version: PolicyVersion) -> dict[str, Json]:
    """A version without its content."""
    counts = ("decisions", "identical", "same_effect", "flipped", "unreplayable")
    found = {name: version.backtest[name] for name in counts} if version.backtest else None
    return {
        "hash": version.hash,
        "state": version.state,
        "note": version.note,
        "drafted_by": version.drafted_by,
        "drafted_at": version.drafted_at.isoformat(),
        "backtest": cast(Json, found),
        "shadowed": version.shadowed,
        "flipped": version.flipped,
        "approved_by": version.approved_by,
    }


def compare(runtime: "Runtime", unit: Unit, *, one: str, other: str) -> dict[str, Json]:
    """What differs between two stored versions, in words.

    Raises:
        RecordNotFound: There is no such version.
        PlaybookMistakes: One doesn't fit the tools any more.
    """
    sets = []
    for each in (one, other):
        version = policy_versions.get(unit, playbook=runtime.playbook.name, content_hash=each)
        sets.append(runtime.desk.compile(content_from_json(version.content)).policies)
    return {"differences": [asdict(each) for each in differences(*sets)]}


def _term(term: Term) -> Json:
    return {"hash": term.hash, "starts_at": term.starts_at.isoformat(), "share": term.share}


def _recorded(rows: Iterable[DecisionRow | None], left_out: "Counter[str]") -> list[Recorded]:
    found = []
    for row in rows:
        if row is None:
            left_out["forgotten"] += 1
            continue
        recorded = recorded_from(row)
        if recorded is None:
            left_out["not_made_by_policy"] += 1
        else:
            found.append(recorded)
    return found
