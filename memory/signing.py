"""Signatures of this deployment: one Ed25519 key, sealed under the system's own, whose public half anybody may have."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlmodel import Field

from memory.rows import Moment, Row, table_of
from memory.unit import Unit
from memory.vault import SYSTEM
from policies.canonical import canonical_json
from policies.words import Json

_PLACE = "signing_keys:1"


class SigningKeyRow(Row, table=True):
    """The key of this deployment; there is one."""

    __tablename__ = "signing_keys"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    created_at: datetime = Field(sa_type=Moment)
    body: bytes


_TABLE = table_of(SigningKeyRow)


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement with its signature over the canonical JSON (RFC 8785) of it."""

    statement: dict[str, Json]
    signature: str
    """Ed25519, base64."""
    public_key: str
    """Raw, base64."""

    def as_json(self) -> dict[str, Json]:
        """For files and answers."""
        return {"statement": self.statement, "signature": self.signature, "public_key": self.public_key}


def sign(unit: Unit, statement: Mapping[str, Json], *, now: datetime) -> Signed:
    """Sign a statement; the key is made at first use."""
    row = unit.row(_TABLE, id=1)
    if row is None:
        key = Ed25519PrivateKey.generate()
        raw = base64.b64encode(key.private_bytes_raw()).decode()
        unit.insert(_TABLE, id=1, created_at=now, body=unit.vault.seal(SYSTEM, _PLACE, raw))
    else:
        key = Ed25519PrivateKey.from_private_bytes(
            base64.b64decode(cast(str, unit.vault.unseal(SYSTEM, _PLACE, row["body"])))
        )
    said = dict(statement)
    return Signed(
        said,
        base64.b64encode(key.sign(canonical_json(said))).decode(),
        base64.b64encode(key.public_key().public_bytes_raw()).decode(),
    )


def is_genuine(signed: Mapping[str, Json], *, public_key: str | None = None) -> bool:
    """Whether a statement is what was signed.

    Args:
        signed: As `Signed.as_json` gives it.
        public_key: The key that must have signed it, base64; None takes the statement's own word for it.
    """
    try:
        given = str(signed["public_key"])
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key or given, validate=True))
        key.verify(base64.b64decode(str(signed["signature"]), validate=True), canonical_json(signed["statement"]))
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return True
