"""Routes for administrators: API keys are made, listed and revoked."""

from fastapi import APIRouter, Request

from callboard.api.desk import KeyPath, runtime_of
from callboard.api.models import KeyIn, KeyOut, KeysOut, NewKeyOut
from callboard.keys import create_key, list_keys, revoke_key

router = APIRouter(prefix="/v1/keys", tags=["keys"])


@router.get("")
async def read_keys(request: Request) -> KeysOut:
    """All keys, revoked ones too, without the keys themselves."""
    return KeysOut(keys=await runtime_of(request).store.read(list_keys))


@router.post("", status_code=201)
async def make_key(given: KeyIn, request: Request) -> NewKeyOut:
    """Make a key. It is shown this once; only its digest is kept."""
    runtime = runtime_of(request)
    return await runtime.store.write(
        lambda unit: create_key(
            unit,
            name=given.name,
            role=given.role,
            limits=given.limits,
            now=runtime.clock(),
            actions=given.actions,
        )
    )


@router.delete("/{key_id}")
async def revoke(key_id: KeyPath, request: Request) -> KeyOut:
    """Revoke a key, for good and at once."""
    runtime = runtime_of(request)
    return await runtime.store.write(lambda unit: revoke_key(unit, key_id=key_id, now=runtime.clock()))
