"""Policy versions by content hash: drafted, tested, shadowed, approved and brought into force, and by whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, Column, bindparam, select, update
from sqlmodel import Field

from memory import audit
from memory.authority import has_role
from memory.errors import PolicyNotReady, RecordNotFound, SecondPersonNeeded
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Kept, Unit
from policies.words import ConversationId, Json

State = Literal["draft", "shadow", "approved"]
"""How far a version has come; whether it is in force is said by its terms."""

APPROVER_ROLE = "supervisor"
"""The lowest role whose yes brings a policy into force."""

KIND = "policy_"
"""How the kinds of their audit entries begin."""

ADOPTED = "adopted"
"""Who drafts and approves what was in force before anybody drafted anything."""


class PolicyVersionRow(Row, table=True):
    """One version."""

    __tablename__ = "policy_versions"

    playbook: str = Field(primary_key=True)
    hash: str = Field(primary_key=True)
    content: dict[str, Any] = Field(sa_type=JSON)
    state: str
    note: str
    drafted_by: str
    drafted_at: datetime = Field(sa_type=Moment)
    backtest: dict[str, Any] | None = Field(sa_type=JSON)
    approved_by: str | None
    shadowed: int
    flipped: int


class PolicyTermRow(Row, table=True):
    """A time in which a version is in force, for all cases or a share of them."""

    __tablename__ = "policy_terms"

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    playbook: str = Field(index=True)
    hash: str
    starts_at: datetime = Field(sa_type=Moment)
    share: int
    ended_at: datetime | None = Field(sa_type=Moment)


class PolicyEngineRow(Row, table=True):
    """Under which versions a content has decided: the same rules beside other tools count as another version."""

    __tablename__ = "policy_engines"

    playbook: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    hash: str = Field(index=True)
    first_at: datetime = Field(sa_type=Moment)


_VERSIONS = table_of(PolicyVersionRow)
_TERMS = table_of(PolicyTermRow)
_RUNNING = Kept(
    select(_TERMS)
    .where((_TERMS.c.playbook == bindparam("playbook")) & _TERMS.c.ended_at.is_(None))
    .order_by(_TERMS.c.starts_at.desc(), _TERMS.c.seq.desc())
)
_ENGINES = table_of(PolicyEngineRow)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A content by its hash and how far it has come."""

    playbook: str
    hash: str
    content: dict[str, Json]
    state: State
    note: str
    drafted_by: str
    drafted_at: datetime
    backtest: dict[str, Json] | None
    approved_by: str | None
    shadowed: int
    """Decisions that it made beside the one in force."""
    flipped: int
    """Those of them with another effect."""


@dataclass(frozen=True, slots=True)
class Term:
    """A time in which a version is in force."""

    seq: int
    hash: str
    starts_at: datetime
    share: int
    """Percent of the cases, by the case's id; 100 for all."""


@dataclass(frozen=True, slots=True)
class PolicyEvent:
    """One step in the life of a version."""

    seq: int
    hash: str
    kind: str
    """drafted, backtested, shadowed, approved, activated, rolled_back or adopted."""
    at: datetime
    details: dict[str, Json]
    """Who did it, under "by", and what belongs to the step."""


def draft(
    unit: Unit,
    *,
    playbook: str,
    content_hash: str,
    content: Mapping[str, Json],
    by: str,
    note: str,
    now: datetime,
) -> PolicyVersion:
    """Store a content as a draft; one that is known stands as it is."""
    known = find(unit, playbook=playbook, content_hash=content_hash)
    if known is not None:
        return known
    unit.insert(
        _VERSIONS,
        playbook=playbook,
        hash=content_hash,
        content=dict(content),
        state="draft",
        note=note,
        drafted_by=by,
        drafted_at=now,
        backtest=None,
        approved_by=None,
        shadowed=0,
        flipped=0,
    )
    _note(unit, playbook, content_hash, "drafted", by, now, {"note": note})
    return get(unit, playbook=playbook, content_hash=content_hash)


def attach_backtest(
    unit: Unit,
    *,
    playbook: str,
    content_hash: str,
    report: Mapping[str, Json],
    by: str,
    now: datetime,
) -> PolicyVersion:
    """Keep what a backtest of this version found."""
    version = get(unit, playbook=playbook, content_hash=content_hash)
    _set(unit, version, backtest=dict(report))
    counts = {name: report.get(name) for name in ("decisions", "flipped", "unreplayable")}
    _note(unit, playbook, version.hash, "backtested", by, now, counts)
    return get(unit, playbook=playbook, content_hash=version.hash)


def shadow(unit: Unit, *, playbook: str, content_hash: str, by: str, now: datetime) -> PolicyVersion:
    """Let a version decide beside the one in force, in place of any other that does.

    Raises:
        PolicyNotReady: It has no backtest yet.
    """
    version = get(unit, playbook=playbook, content_hash=content_hash)
    if version.backtest is None:
        raise PolicyNotReady(version.hash, needs="a backtest", command="backtest")
    if version.state == "draft":
        others = (_VERSIONS.c.playbook == playbook) & (_VERSIONS.c.state == "shadow")
        unit.run(update(_VERSIONS).where(others).values(state="draft"))
        _set(unit, version, state="shadow", shadowed=0, flipped=0)
        _note(unit, playbook, version.hash, "shadowed", by, now, {})
    return get(unit, playbook=playbook, content_hash=version.hash)


def approve(
    unit: Unit,
    *,
    playbook: str,
    content_hash: str,
    by: str,
    role: str,
    now: datetime,
) -> PolicyVersion:
    """A second person's yes.

    Raises:
        PolicyNotReady: It hasn't been in the shadow of the one in force.
        SecondPersonNeeded: The person drafted it, or has too low a role.
    """
    version = get(unit, playbook=playbook, content_hash=content_hash)
    if version.state == "approved":
        return version
    if version.state != "shadow":
        raise PolicyNotReady(version.hash, needs="a time in the shadow", command="shadow")
    if by == version.drafted_by or not has_role(role, at_least=APPROVER_ROLE):
        raise SecondPersonNeeded(version.hash, role=APPROVER_ROLE)
    _set(unit, version, state="approved", approved_by=by)
    _note(unit, playbook, version.hash, "approved", by, now, {"shadowed": version.shadowed, "flipped": version.flipped})
    return get(unit, playbook=playbook, content_hash=version.hash)


def activate(
    unit: Unit,
    *,
    playbook: str,
    content_hash: str,
    by: str,
    now: datetime,
    starts_at: datetime,
    share: int = 100,
) -> Term:
    """Bring an approved version into force from a time, for a share of the cases.

    Raises:
        PolicyNotReady: It isn't approved.
    """
    version = get(unit, playbook=playbook, content_hash=content_hash)
    if version.state != "approved":
        raise PolicyNotReady(version.hash, needs="a second person's yes", command="approve")
    details: dict[str, Json] = {"starts_at": starts_at.isoformat(), "share": share}
    _note(unit, playbook, version.hash, "activated", by, now, details)
    return _begin(unit, playbook, version.hash, starts_at, share)


def roll_back(unit: Unit, *, playbook: str, by: str, now: datetime) -> Term:
    """End the latest activation, also one that is still to come; the one before it is in force again.

    Returns:
        The term that ended.

    Raises:
        PolicyNotReady: There is nothing before it.
    """
    running = terms(unit, playbook=playbook)
    if len(running) < 2:
        raise PolicyNotReady(running[0].hash if running else "", needs="a version before it", command="draft")
    latest = running[0]
    unit.change(_TERMS, {"seq": latest.seq}, ended_at=now)
    _note(unit, playbook, latest.hash, "rolled_back", by, now, {"to": running[1].hash})
    return latest


def adopt(unit: Unit, *, playbook: str, content_hash: str, content: Mapping[str, Json], now: datetime) -> PolicyVersion:
    """Bring a content into force without a life before: the first one of all, or an edit while developing."""
    version = draft(unit, playbook=playbook, content_hash=content_hash, content=content, by=ADOPTED, note="", now=now)
    _set(unit, version, state="approved", approved_by=ADOPTED)
    _note(unit, playbook, content_hash, "adopted", ADOPTED, now, {})
    _begin(unit, playbook, content_hash, now, 100)
    return get(unit, playbook=playbook, content_hash=content_hash)


def find(unit: Unit, *, playbook: str, content_hash: str) -> PolicyVersion | None:
    """The version of exactly this content, or None."""
    row = unit.row(_VERSIONS, playbook=playbook, hash=content_hash)
    return None if row is None else PolicyVersion(**row)


def get(unit: Unit, *, playbook: str, content_hash: str) -> PolicyVersion:
    """The version with this content_hash, or with the only hash that begins so.

    Raises:
        RecordNotFound: There is none, or more than one.
    """
    begins = _VERSIONS.c.hash.startswith(content_hash, autoescape=True)
    found = unit.rows(select(_VERSIONS).where((_VERSIONS.c.playbook == playbook) & begins))
    if len(found) != 1:
        raise RecordNotFound("policy version", content_hash)
    return PolicyVersion(**found[0])


def versions(unit: Unit, *, playbook: str) -> list[PolicyVersion]:
    """All versions, the first drafted first."""
    statement = select(_VERSIONS).where(_VERSIONS.c.playbook == playbook)
    return [PolicyVersion(**row) for row in unit.rows(statement.order_by(_VERSIONS.c.drafted_at, _VERSIONS.c.hash))]


def terms(unit: Unit, *, playbook: str) -> list[Term]:
    """The terms that haven't ended, the latest begun first; those still to come by when they will begin."""
    return [
        Term(row["seq"], row["hash"], row["starts_at"], row["share"]) for row in unit.rows(_RUNNING, playbook=playbook)
    ]


def in_shadow(unit: Unit, *, playbook: str) -> PolicyVersion | None:
    """The version that decides beside the one in force, or None."""
    row = unit.row(_VERSIONS, playbook=playbook, state="shadow")
    return None if row is None else PolicyVersion(**row)


def count_shadow(unit: Unit, *, playbook: str, content_hash: str, flipped: bool) -> None:
    """One more decision that the version in the shadow made."""
    one = (_VERSIONS.c.playbook == playbook) & (_VERSIONS.c.hash == content_hash)
    counted = {"shadowed": _VERSIONS.c.shadowed + 1, "flipped": _VERSIONS.c.flipped + int(flipped)}
    unit.run(update(_VERSIONS).where(one).values(**counted))


def note_engine(unit: Unit, *, playbook: str, content_hash: str, version: str, now: datetime) -> None:
    """Remember under which version decisions by this content are recorded."""
    if unit.row(_ENGINES, playbook=playbook, version=version) is None:
        unit.insert(_ENGINES, playbook=playbook, version=version, hash=content_hash, first_at=now)


def engines(unit: Unit, *, playbook: str) -> dict[str, str]:
    """Version of decisions → hash of the content that made them."""
    rows = unit.rows(select(_ENGINES).where(_ENGINES.c.playbook == playbook))
    return {row["version"]: row["hash"] for row in rows}


def events(unit: Unit, *, playbook: str) -> list[PolicyEvent]:
    """Every step of every version, in order, from the audit chain that they are on."""
    return [
        PolicyEvent(entry.seq, entry.ids["policy"], entry.kind.removeprefix(KIND), entry.at, _details(entry.payload))
        for entry in audit.of_conversation(unit, conversation_id=_chain(playbook))
    ]


def _set(unit: Unit, version: PolicyVersion, **values: object) -> None:
    unit.change(_VERSIONS, {"playbook": version.playbook, "hash": version.hash}, **values)


def _begin(unit: Unit, playbook: str, content_hash: str, starts_at: datetime, share: int) -> Term:
    seq = unit.insert(_TERMS, playbook=playbook, hash=content_hash, starts_at=starts_at, share=share, ended_at=None)
    return Term(int(seq), content_hash, starts_at, share)


def _note(
    unit: Unit, playbook: str, content_hash: str, kind: str, by: str, at: datetime, details: Mapping[str, Json]
) -> None:
    audit.append(
        unit,
        case_id=None,
        conversation_id=_chain(playbook),
        kind=f"{KIND}{kind}",
        ids={"policy": content_hash},
        payload={"by": by, **details},
        at=at,
    )


def _chain(playbook: str) -> ConversationId:
    """Policies belong to no conversation; their steps are chained under a name that no conversation has."""
    return ConversationId(f"policies:{playbook}")


def _details(payload: Json) -> dict[str, Json]:
    return payload if isinstance(payload, dict) else {}
