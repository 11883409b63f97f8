"""API keys: made from 256 random bits, shown once, found again by their digest; and the demo keys of development."""

import secrets
from collections.abc import Mapping
from datetime import datetime

from callboard.api.access import ROLES, Principal, Role
from callboard.api.models import KeyOut, NewKeyOut
from callboard.errors import UnsafeStart
from memory import api_keys
from memory.api_keys import ApiKey
from memory.errors import RecordNotFound
from memory.unit import Unit
from memory.vault import SYSTEM

DEMO_LIMITS: Mapping[Role, Mapping[str, int] | None] = {"reviewer": {"EUR": 50_000}, "supervisor": {"EUR": 200_000}}
"""What demo people may approve, in minor units; who isn't here has no limit."""


def create_key(
    unit: Unit,
    *,
    name: str,
    role: Role,
    limits: Mapping[str, int] | None,
    now: datetime,
    actions: Mapping[str, Mapping[str, int] | None] | None = None,
) -> NewKeyOut:
    """Make a key and store its digest.

    Args:
        unit: The transaction.
        name: Who holds it; the same name for all keys of one person.
        role: What they may do.
        limits: Highest amount they may approve, in minor units by currency; None for no limit.
        now: When.
        actions: The tools they may decide on, each with limits of its own or None; None for all.
    """
    key = f"cb_{role}_{secrets.token_urlsafe(32)}"
    stored = api_keys.create(unit, name=name, role=role, key=key, limits=limits, demo=False, now=now, actions=actions)
    return NewKeyOut(**dict(_shown(stored)), key=key)


def list_keys(unit: Unit) -> list[KeyOut]:
    """All keys, oldest first, without the keys themselves."""
    return [_shown(stored) for stored in api_keys.listing(unit)]


def revoke_key(unit: Unit, *, key_id: str, now: datetime) -> KeyOut:
    """End a key.

    Raises:
        RecordNotFound: There is no key of that id.
    """
    api_keys.revoke(unit, key_id=key_id, now=now)
    for stored in api_keys.listing(unit):
        if stored.id == key_id:
            return _shown(stored)
    raise RecordNotFound("API key", key_id)


def find_principal(unit: Unit, *, key: str) -> Principal | None:
    """Who holds this key; None if it isn't known or was revoked."""
    stored = api_keys.find(unit, key=key)
    if stored is None:
        return None
    return Principal(name=stored.name, role=stored.role, limits=stored.limits, actions=stored.actions)


def make_demo_keys(unit: Unit, *, now: datetime) -> dict[Role, str]:
    """One key per role, the same at every start of one data directory.

    They are derived from the directory's master key, so that they can be printed again without being stored.
    """
    keys: dict[Role, str] = {}
    for role in ROLES:
        key = f"demo_{role}_{unit.vault.mac(SYSTEM, f'demo key {role}'.encode())[:32]}"
        api_keys.create(unit, name=f"demo {role}", role=role, key=key, limits=DEMO_LIMITS.get(role), demo=True, now=now)
        keys[role] = key
    return keys


def refuse_demo_keys(unit: Unit) -> None:
    """Stop a start outside development while demo keys are valid.

    Raises:
        UnsafeStart: Says how to get rid of them.
    """
    valid = [stored.id for stored in api_keys.listing(unit) if stored.demo and stored.revoked_at is None]
    if valid:
        raise UnsafeStart(
            f"This data directory holds {len(valid)} demo keys, which are for development only. Revoke them "
            f"(`callboard keys revoke --demo`) or use another data directory."
        )


def _shown(stored: ApiKey) -> KeyOut:
    return KeyOut(
        key_id=stored.id,
        name=stored.name,
        role=stored.role,
        limits=stored.limits,
        actions=stored.actions,
        demo=stored.demo,
        created_at=stored.created_at,
        revoked_at=stored.revoked_at,
    )
