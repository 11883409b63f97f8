"""Snapshots: the content of a playbook by hash, and which of them is in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, select, update
from sqlmodel import Field

from memory.errors import RecordNotFound
from memory.rows import Moment, Row, table_of
from memory.unit import Unit
from policies.words import Json

SnapshotKind = Literal["playbook"]


class SnapshotRow(Row, table=True):
    """One snapshot."""

    __tablename__ = "snapshots"

    hash: str = Field(primary_key=True)
    kind: str
    name: str = Field(index=True)
    content: dict[str, Any] = Field(sa_type=JSON)
    saved_at: datetime = Field(sa_type=Moment)
    activated_at: datetime | None = Field(sa_type=Moment)
    is_active: bool


_TABLE = table_of(SnapshotRow)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A content by its hash."""

    hash: str
    kind: SnapshotKind
    name: str
    content: dict[str, Json]
    """The manifest: each file and its hash."""
    saved_at: datetime
    activated_at: datetime | None
    """When it came into force last; None if it never did."""
    is_active: bool


def save(
    unit: Unit,
    *,
    hash: str,  # noqa: A002  the word of the trade
    name: str,
    content: Mapping[str, Json],
    now: datetime,
    kind: SnapshotKind = "playbook",
) -> Snapshot:
    """Store a content once."""
    known = get(unit, hash=hash)
    if known is None:
        unit.insert(
            _TABLE,
            hash=hash,
            kind=kind,
            name=name,
            content=dict(content),
            saved_at=now,
            activated_at=None,
            is_active=False,
        )
        known = get(unit, hash=hash)
    assert known is not None  # noqa: S101  inserted above
    return known


def get(unit: Unit, *, hash: str) -> Snapshot | None:  # noqa: A002
    """The snapshot, or None."""
    return _one(unit, _TABLE.c.hash == hash)


def activate(unit: Unit, *, hash: str, now: datetime) -> Snapshot:  # noqa: A002
    """Bring a snapshot into force in place of the one before it of the same kind and name.

    Raises:
        RecordNotFound: It was not saved.
    """
    known = get(unit, hash=hash)
    if known is None:
        raise RecordNotFound("snapshot", hash)
    if known.is_active:
        return known
    same = (_TABLE.c.kind == known.kind) & (_TABLE.c.name == known.name)
    unit.run(update(_TABLE).where(same).values(is_active=False))
    unit.change(_TABLE, {"hash": hash}, is_active=True, activated_at=now)
    activated = get(unit, hash=hash)
    assert activated is not None  # noqa: S101  found above
    return activated


def active(unit: Unit, *, name: str, kind: SnapshotKind = "playbook") -> Snapshot | None:
    """The snapshot in force, or None."""
    return _one(unit, (_TABLE.c.kind == kind) & (_TABLE.c.name == name) & _TABLE.c.is_active)


def _one(unit: Unit, condition: Any) -> Snapshot | None:
    row = unit.first(select(_TABLE).where(condition))
    return None if row is None else Snapshot(**row)
