"""API keys: who may call the API in which role. Only a digest is stored; the key is shown once, by whoever made it."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, select, update
from sqlmodel import Field

from memory.errors import RecordNotFound
from memory.rows import Moment, Row, table_of
from memory.unit import Unit

ApiRole = Literal["bot", "reviewer", "supervisor", "evaluator", "admin"]


class ApiKeyRow(Row, table=True):
    """One key."""

    __tablename__ = "api_keys"

    id: str = Field(primary_key=True)
    name: str
    role: str
    digest: str = Field(unique=True)
    limits: dict[str, int] | None = Field(sa_type=JSON)
    actions: dict[str, dict[str, int] | None] | None = Field(sa_type=JSON)
    demo: bool
    created_at: datetime = Field(sa_type=Moment)
    revoked_at: datetime | None = Field(sa_type=Moment)


_TABLE = table_of(ApiKeyRow)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's holder and what they may do."""

    id: str
    name: str
    role: ApiRole
    digest: str
    limits: dict[str, int] | None
    """Highest amount they may approve by currency, in minor units; None for no limits."""
    actions: dict[str, dict[str, int] | None] | None
    """The tools they may decide on, each with limits of its own or None for the general ones; None for all."""
    demo: bool
    """Made for a demonstration: refused outside development mode."""
    created_at: datetime
    revoked_at: datetime | None


def create(
    unit: Unit,
    *,
    name: str,
    role: ApiRole,
    key: str,
    limits: Mapping[str, int] | None,
    demo: bool,
    now: datetime,
    actions: Mapping[str, Mapping[str, int] | None] | None = None,
) -> ApiKey:
    """Store a key's digest; the same key again returns what stands.

    Args:
        unit: The transaction.
        name: Whose; for people.
        role: What they may do.
        key: At least 256 random bits, as text; so a plain digest can't be guessed from.
        limits: See `ApiKey.limits`.
        demo: See `ApiKey.demo`.
        now: When.
        actions: See `ApiKey.actions`.
    """
    digest = _digest(key)
    row = unit.row(_TABLE, digest=digest)
    if row is None:
        unit.insert(
            _TABLE,
            id=f"key_{digest[:16]}",
            name=name,
            role=role,
            digest=digest,
            limits=None if limits is None else dict(limits),
            actions=None
            if actions is None
            else {tool: None if own is None else dict(own) for tool, own in actions.items()},
            demo=demo,
            created_at=now,
            revoked_at=None,
        )
        row = unit.row(_TABLE, digest=digest)
    assert row is not None  # noqa: S101  inserted above
    return _api_key(row)


def find(unit: Unit, *, key: str) -> ApiKey | None:
    """The holder of this key; None if it is unknown or revoked."""
    digest = _digest(key)
    row = unit.first(select(_TABLE).where((_TABLE.c.digest == digest) & _TABLE.c.revoked_at.is_(None)))
    # The look-up by digest tells nothing of the key itself; the comparison is for a digest that a collation made equal.
    if row is None or not hmac.compare_digest(row["digest"], digest):
        return None
    return _api_key(row)


def listing(unit: Unit) -> list[ApiKey]:
    """All keys, oldest first."""
    return [_api_key(row) for row in unit.rows(select(_TABLE).order_by(_TABLE.c.created_at, _TABLE.c.id))]


def revoke(unit: Unit, *, key_id: str, now: datetime) -> None:
    """End a key.

    Raises:
        RecordNotFound: There is none.
    """
    if unit.row(_TABLE, id=key_id) is None:
        raise RecordNotFound("API key", key_id)
    unit.run(update(_TABLE).where((_TABLE.c.id == key_id) & _TABLE.c.revoked_at.is_(None)).values(revoked_at=now))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _api_key(row: Mapping[Any, Any]) -> ApiKey:
    return ApiKey(**row)
