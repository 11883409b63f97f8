"""Keys and seals: a conversation's words are encrypted under its own key, so that a key destroyed is words forgotten.

A conversation's key is wrapped by the master key, and by its customer's key once the two are linked. Destroying the
customer's key makes everything unreadable that hangs on it. Whose a key is stands in its row as a keyed digest: ids of
customers and conversations may be names, and whoever reads the file without the master key learns none.
"""

import hashlib
import hmac
import json
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Connection, bindparam, delete, func, insert, select, update
from sqlmodel import Field

from memory.errors import CustomerConflict, KeyGone, SealBroken, WrongMasterKey
from memory.rows import SERIAL, Row, table_of
from policies.words import ConversationId, CustomerId, Json

KeyOwner = NewType("KeyOwner", str)
"""Whose key: a conversation, a customer, or the system itself."""

SYSTEM = KeyOwner("system")
MASTER = "master"
KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"


class KeyRow(Row, table=True):
    """One wrapped key."""

    __tablename__ = "keys"

    owner: str = Field(primary_key=True)
    """Keyed digest of the owner's name; the system's own key goes by its name."""
    wrapped: bytes
    wrapped_by: str = Field(index=True)
    """`MASTER`, or the `owner` of the key that wraps it."""


class KeyDestructionRow(Row, table=True):
    """That keys were destroyed, from which other processes learn to forget what they keep in memory."""

    __tablename__ = "key_destructions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))


_KEYS = table_of(KeyRow)
_DESTRUCTIONS = table_of(KeyDestructionRow)
_LAST_DESTRUCTION = select(func.max(_DESTRUCTIONS.c.seq))
_BY_OWNER = select(_KEYS.c.wrapped, _KEYS.c.wrapped_by).where(_KEYS.c.owner == bindparam("owner"))


def conversation_key(conversation_id: ConversationId) -> KeyOwner:
    """The owner name of a conversation's key."""
    return KeyOwner(f"conversation:{conversation_id}")


def customer_key(customer_id: CustomerId) -> KeyOwner:
    """The owner name of a customer's key."""
    return KeyOwner(f"customer:{customer_id}")


@dataclass(frozen=True, slots=True)
class _Key:
    """An unwrapped key with the two working keys derived from it."""

    raw: bytes
    cipher: AESGCM
    mac: bytes

    @classmethod
    def of(cls, raw: bytes) -> "_Key":
        return cls(raw=raw, cipher=AESGCM(_derive(raw, b"seal")), mac=_derive(raw, b"mac"))


class KeyCache:
    """The unwrapped keys that this process holds in memory: the master's, and a bounded number of others."""

    def __init__(self, master_key: bytes, *, size: int = 10_000, is_shared: bool = False) -> None:
        """Take the master key.

        Args:
            master_key: 32 bytes.
            size: How many other keys to keep.
            is_shared: Whether other processes work on the same records, and may destroy keys that are kept here.
        """
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"A master key has {KEY_BYTES} bytes.")
        self.master = _Key.of(master_key)
        self._size = size
        self._keys: OrderedDict[str, _Key] = OrderedDict()
        self._lock = threading.Lock()
        self._last_destruction = 0
        self.is_shared = is_shared
        self.generation = 0
        """Grows when keys are destroyed; what was read before that is not cached after it."""

    def handle(self, owner: str) -> str:
        """How an owner is named in rows."""
        if owner == SYSTEM:
            return owner
        return hmac.digest(self.master.mac, owner.encode(), hashlib.sha256).hex()

    def get(self, owner: str) -> _Key | None:
        """The key if it is in memory."""
        with self._lock:
            key = self._keys.get(owner)
            if key is not None:
                self._keys.move_to_end(owner)
            return key

    def keep(self, keys: dict[str, _Key], *, generation: int) -> None:
        """Keep keys that were read or made in a transaction that is committed now."""
        with self._lock:
            if generation != self.generation:
                return
            self._keys.update(keys)
            while len(self._keys) > self._size:
                self._keys.popitem(last=False)

    def catch_up(self, last_destruction: int) -> None:
        """Forget the keys if some were destroyed since this was last called, by whatever process."""
        if last_destruction > self._last_destruction:
            self.forget()
            self._last_destruction = last_destruction

    def forget(self) -> None:
        """Drop all keys but the master's; they are read again when needed."""
        with self._lock:
            self._keys.clear()
            self.generation += 1


class Vault:
    """One transaction's way to the keys.

    Keys made here are shared with others only after the transaction committed (`settle`): a key whose row was rolled
    back must never seal anything.
    """

    def __init__(self, connection: Connection, cache: KeyCache) -> None:
        self._connection = connection
        self._cache = cache
        self._generation = cache.generation
        self._fresh: dict[str, _Key] = {}
        self._destroyed = False
        self._is_current = not cache.is_shared

    def seal(self, owner: KeyOwner, place: str, data: Json) -> bytes:
        """Encrypt JSON for one place; the owner's key is made when it has none.

        Args:
            owner: Whose key.
            place: Table and row, "inbox:c1:message:m1". The seal opens nowhere else.
            data: Plain JSON; NaN and infinity are refused.
        """
        plain = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
        return _encrypt(self._key(owner, create=True).cipher, plain, place)

    def unseal(self, owner: KeyOwner, place: str, sealed: bytes) -> Json:
        """Decrypt what `seal` made for this owner and place.

        Raises:
            KeyGone: The owner's key was destroyed, or never was.
            SealBroken: The bytes were changed or belong to another place.
        """
        try:
            plain = _decrypt(self._key(owner, create=False).cipher, sealed, place)
        except InvalidTag:
            raise SealBroken(place) from None
        data: Json = json.loads(plain)
        return data

    def unseal_object(self, owner: KeyOwner, place: str, sealed: bytes) -> dict[str, Json]:
        """`unseal` for what was sealed as a JSON object."""
        data = self.unseal(owner, place, sealed)
        if not isinstance(data, dict):
            raise SealBroken(place)
        return data

    def mac(self, owner: KeyOwner, data: bytes, *, create: bool = True) -> str:
        """A keyed digest (HMAC-SHA256, hex) that nobody can check or guess against once the key is gone.

        Raises:
            KeyGone: The owner has no key, and none shall be made.
        """
        return hmac.digest(self._key(owner, create=create).mac, data, hashlib.sha256).hex()

    def link(self, *, conversation_id: ConversationId, customer_id: CustomerId) -> None:
        """Wrap the conversation's key by the customer's; what was sealed before stays readable.

        Raises:
            CustomerConflict: The conversation hangs on another customer's key.
        """
        owner, customer = conversation_key(conversation_id), customer_key(customer_id)
        key, wrapping = self._key(owner, create=True), self._key(customer, create=True)
        handle, wrapping_handle = self._cache.handle(owner), self._cache.handle(customer)
        wrapped_by = self._connection.execute(select(_KEYS.c.wrapped_by).where(_KEYS.c.owner == handle)).scalar_one()
        if wrapped_by == wrapping_handle:
            return
        if wrapped_by != MASTER:
            raise CustomerConflict(conversation_id)
        self._connection.execute(
            update(_KEYS)
            .where(_KEYS.c.owner == handle)
            .values(wrapped=_wrap(wrapping, key.raw, handle), wrapped_by=wrapping_handle)
        )

    def destroy(self, owner: KeyOwner) -> None:
        """Remove a key for ever, and with a customer's key all that it wraps. Who seals again gets a new one."""
        handle = self._cache.handle(owner)
        self._connection.execute(delete(_KEYS).where((_KEYS.c.owner == handle) | (_KEYS.c.wrapped_by == handle)))
        self._connection.execute(insert(_DESTRUCTIONS).values())
        self._fresh.clear()
        self._destroyed = True
        self._cache.forget()

    def settle(self) -> None:
        """Share what this transaction learned. Called after its commit."""
        if self._destroyed:
            self._cache.forget()
        elif self._fresh:
            self._cache.keep(self._fresh, generation=self._generation)

    def check_master(self) -> None:
        """Make sure that the master key is the one this database was made with.

        Raises:
            WrongMasterKey: It is not.
        """
        self._key(SYSTEM, create=True)
        self._rename_old_rows()

    def _rename_old_rows(self) -> None:
        """Name the owners of keys by their digests in rows that were written when they stood there in clear."""
        named = _KEYS.c.owner.like("conversation:%") | _KEYS.c.owner.like("customer:%")
        old = {row.owner: row for row in self._connection.execute(select(_KEYS).where(named))}
        raw: dict[str, _Key] = {}
        for owner in sorted(old, key=lambda owner: old[owner].wrapped_by != MASTER):
            wrapping = self._cache.master if old[owner].wrapped_by == MASTER else raw.get(old[owner].wrapped_by)
            if wrapping is not None and old[owner].wrapped:
                raw[owner] = _unwrap(wrapping, old[owner].wrapped, owner)
                handle, by = self._cache.handle(owner), old[owner].wrapped_by
                self._connection.execute(
                    insert(_KEYS).values(
                        owner=handle,
                        wrapped=_wrap(wrapping, raw[owner].raw, handle),
                        wrapped_by=MASTER if by == MASTER else self._cache.handle(by),
                    )
                )
        if old:
            self._connection.execute(delete(_KEYS).where(named))

    def _key(self, owner: str, *, create: bool) -> _Key:
        if not self._is_current:
            # Once per transaction: it sees all destructions that were committed before it began.
            self._cache.catch_up(self._connection.execute(_LAST_DESTRUCTION).scalar() or 0)
            self._generation = self._cache.generation
            self._is_current = True
        key = self._fresh.get(owner)
        if key is None and not self._destroyed:
            key = self._cache.get(owner)
        if key is None:
            key = self._load(owner, create=create)
            self._fresh[owner] = key
        return key

    def _load(self, owner: str, *, create: bool) -> _Key:
        """Read a key, or make it.

        The key that wraps it may belong to a customer whose name the row doesn't tell: it is read by its handle.
        """
        handle = self._cache.handle(owner)
        row = self._connection.execute(_BY_OWNER, {"owner": handle}).first()
        if row is None:
            if not create:
                raise KeyGone(owner)
            # Keys and nonces are the one randomness that nobody may choose, so it doesn't come in as an argument.
            key = _Key.of(os.urandom(KEY_BYTES))
            self._connection.execute(
                insert(_KEYS).values(
                    owner=handle, wrapped=_wrap(self._cache.master, key.raw, handle), wrapped_by=MASTER
                )
            )
            return key
        wrapping = self._cache.master
        if row.wrapped_by != MASTER:
            above = self._connection.execute(_BY_OWNER, {"owner": row.wrapped_by}).first()
            if above is None:
                raise KeyGone(owner)
            wrapping = _unwrap(self._cache.master, above.wrapped, row.wrapped_by)
        return _unwrap(wrapping, row.wrapped, handle)


def _derive(raw: bytes, purpose: bytes) -> bytes:
    """A working key for one purpose. Source: HKDF-Expand, one block (RFC 5869); the input key is uniform."""
    return hmac.digest(raw, purpose + b"\x01", hashlib.sha256)


def _wrap(wrapping: _Key, raw: bytes, handle: str) -> bytes:
    return _encrypt(AESGCM(_derive(wrapping.raw, b"wrap")), raw, f"keys:{handle}")


def _unwrap(wrapping: _Key, wrapped: bytes, handle: str) -> _Key:
    try:
        return _Key.of(_decrypt(AESGCM(_derive(wrapping.raw, b"wrap")), wrapped, f"keys:{handle}"))
    except InvalidTag:
        raise WrongMasterKey from None


def _encrypt(cipher: AESGCM, plain: bytes, place: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + cipher.encrypt(nonce, plain, place.encode())


def _decrypt(cipher: AESGCM, sealed: bytes, place: str) -> bytes:
    if sealed[:1] != _FORMAT:
        raise InvalidTag
    return cipher.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], place.encode())
