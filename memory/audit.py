"""The audit trail: a hash chain per case over keyed digests, its heads anchored, verifiable even after erasure.

An entry's hash covers the hash before it and everything of the entry that stays when its person is forgotten: place,
kind, ids, time, and the keyed digests of its conversation and its payload. Anchors hold the heads of the chains that
moved since the anchor before; they are chained by a digest under the system's own key, so that whoever can write to the
database but hasn't got the master key can't shorten a chain and hide it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, select, update
from sqlmodel import Field

from memory.errors import KeyGone, SealBroken
from memory.rows import SERIAL, Moment, Row, table_of
from memory.unit import Unit
from memory.vault import SYSTEM, KeyOwner, conversation_key
from policies.canonical import canonical_json
from policies.words import CaseId, ConversationId, Json

_START = "0" * 64


class AuditRow(Row, table=True):
    """One entry of one chain; its payload is sealed."""

    __tablename__ = "audit"

    chain: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    conversation_id: str | None = Field(index=True)
    """None for what is nobody's, and for what was somebody's who was forgotten."""
    origin: str
    """Keyed digest of the conversation's id, which may be somebody's telephone number; empty for what is nobody's."""
    kind: str
    ids: dict[str, str] = Field(sa_type=JSON)
    at: datetime = Field(sa_type=Moment)
    digest: str
    prev_hash: str
    hash: str
    body: bytes


class AuditHeadRow(Row, table=True):
    """Where a chain ends, and whether an anchor has seen it."""

    __tablename__ = "audit_heads"

    chain: str = Field(primary_key=True)
    seq: int
    hash: str
    anchored_seq: int = Field(index=True)


class AuditAnchorRow(Row, table=True):
    """The heads of the chains that moved since the anchor before."""

    __tablename__ = "audit_anchors"

    seq: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))
    at: datetime = Field(sa_type=Moment)
    heads: dict[str, Any] = Field(sa_type=JSON)
    prev_hash: str
    hash: str


_ENTRIES = table_of(AuditRow)
_HEADS = table_of(AuditHeadRow)
_ANCHORS = table_of(AuditAnchorRow)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing on the record."""

    chain: str
    seq: int
    conversation_id: ConversationId | None
    kind: str
    ids: dict[str, str]
    at: datetime
    digest: str
    hash: str
    payload: Json
    """None for what can't be read any more; the digest remains."""
    readable: bool


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a verification found."""

    ok: bool
    chains: int
    entries: int
    unreadable: int
    """Entries whose person was erased: their chain holds, their words are gone."""
    anchors: int
    problems: list[str]
    """One sentence each, naming chain and place."""


def append(
    unit: Unit,
    *,
    case_id: CaseId | None,
    conversation_id: ConversationId,
    kind: str,
    ids: Mapping[str, str],
    payload: Json,
    at: datetime,
) -> AuditEntry:
    """Put something on the record of its case; of its conversation where there is no case yet.

    Args:
        unit: The transaction.
        case_id: Whose chain.
        conversation_id: Where; its key seals the payload.
        kind: What happened: "decision", "receipt".
        ids: In clear and for ever: nothing personal in them.
        payload: Everything that explains it.
        at: When.
    """
    owner = conversation_key(conversation_id)
    origin = unit.vault.mac(owner, conversation_id.encode())
    return _append(unit, case_id or _chain_of(origin), owner, conversation_id, origin, kind, ids, payload, at)


def append_for_system(
    unit: Unit, *, chain: str, kind: str, ids: Mapping[str, str], payload: Json, at: datetime
) -> AuditEntry:
    """Put something on a record that is no conversation's: "privacy". Nothing personal in it, for it stays for ever."""
    return _append(unit, chain, SYSTEM, None, "", kind, ids, payload, at)


def _append(
    unit: Unit,
    chain: str,
    owner: KeyOwner,
    conversation_id: ConversationId | None,
    origin: str,
    kind: str,
    ids: Mapping[str, str],
    payload: Json,
    at: datetime,
) -> AuditEntry:
    head = unit.row(_HEADS, chain=chain)
    seq, prev_hash = (head["seq"] + 1, head["hash"]) if head is not None else (1, _START)
    digest = unit.vault.mac(owner, canonical_json(payload))
    entry_hash = _entry_hash(prev_hash, chain, seq, origin, kind, ids, at, digest)
    unit.insert(
        _ENTRIES,
        chain=chain,
        seq=seq,
        conversation_id=conversation_id,
        origin=origin,
        kind=kind,
        ids=dict(ids),
        at=at,
        digest=digest,
        prev_hash=prev_hash,
        hash=entry_hash,
        body=unit.vault.seal(owner, _place(chain, seq), payload),
    )
    if head is None:
        unit.insert(_HEADS, chain=chain, seq=seq, hash=entry_hash, anchored_seq=0)
    else:
        unit.change(_HEADS, {"chain": chain}, seq=seq, hash=entry_hash)
    return AuditEntry(chain, seq, conversation_id, kind, dict(ids), at, digest, entry_hash, payload, readable=True)


def forget(unit: Unit, *, conversation_ids: Sequence[ConversationId]) -> int:
    """Leave of these conversations' entries what the chain covers and nothing else; how many entries that were."""
    return unit.run(
        update(_ENTRIES)
        .where(_ENTRIES.c.conversation_id.in_(list(conversation_ids)))
        .values(conversation_id=None, body=b"")
    )


def of_case(unit: Unit, *, case_id: CaseId) -> list[AuditEntry]:
    """A case's record in order."""
    return _entries(unit, case_id)


def of_conversation(unit: Unit, *, conversation_id: ConversationId) -> list[AuditEntry]:
    """What was recorded of a conversation while it had no case."""
    try:
        origin = unit.vault.mac(conversation_key(conversation_id), conversation_id.encode(), create=False)
    except KeyGone:
        return []
    return _entries(unit, _chain_of(origin))


def of_system(unit: Unit, *, chain: str) -> list[AuditEntry]:
    """A record that is no conversation's."""
    return _entries(unit, chain)


def anchor(unit: Unit, *, now: datetime) -> str | None:
    """Anchor the heads that moved; the anchor's hash, worth keeping elsewhere too, or None if nothing moved."""
    moved = unit.rows(select(_HEADS).where(_HEADS.c.seq > _HEADS.c.anchored_seq).order_by(_HEADS.c.chain))
    if not moved:
        return None
    heads: dict[str, Json] = {row["chain"]: [row["seq"], row["hash"]] for row in moved}
    last = unit.first(select(_ANCHORS.c.hash).order_by(_ANCHORS.c.seq.desc()).limit(1))
    prev_hash = last["hash"] if last is not None else _START
    anchor_hash = _anchor_hash(unit, prev_hash, now, heads)
    unit.insert(_ANCHORS, at=now, heads=heads, prev_hash=prev_hash, hash=anchor_hash)
    unit.run(update(_HEADS).where(_HEADS.c.seq > _HEADS.c.anchored_seq).values(anchored_seq=_HEADS.c.seq))
    return anchor_hash


def verify(unit: Unit, *, case_id: CaseId | None = None, anchor_hash: str | None = None) -> AuditReport:
    """Check one case's chain or all of them, with the anchors.

    Finds an entry that was edited, removed, inserted or moved, a payload that isn't what was recorded, and a chain
    that lost its end.

    Args:
        unit: The transaction.
        case_id: Only this chain; None for all.
        anchor_hash: An anchor's hash that was kept elsewhere: the anchors must still hold it.
    """
    problems: list[str] = []
    anchored, anchors = _check_anchors(unit, problems, anchor_hash)
    if case_id is not None:
        anchored = {chain: head for chain, head in anchored.items() if chain == case_id}
    heads_query = select(_HEADS) if case_id is None else select(_HEADS).where(_HEADS.c.chain == case_id)
    heads = {row["chain"]: (row["seq"], row["hash"]) for row in unit.rows(heads_query)}
    chains_query = select(_ENTRIES.c.chain).distinct()
    if case_id is not None:
        chains_query = chains_query.where(_ENTRIES.c.chain == case_id)
    chains = {row["chain"] for row in unit.rows(chains_query)} | heads.keys() | anchored.keys()
    entries = unreadable = 0
    for chain in sorted(chains):
        hashes: dict[int, str] = {}
        for row in _check_chain(unit, chain, problems):
            hashes[row["seq"]] = row["hash"]
            unreadable += not _is_payload_intact(unit, row, problems)
        entries += len(hashes)
        end = max(hashes, default=0)
        if chain not in heads:
            problems.append(f"{chain}: it has no head.")
        elif heads[chain] != (end, hashes.get(end)):
            problems.append(f"{chain}: it ends at {end}, its head says {heads[chain][0]}.")
        for seq, entry_hash in anchored.get(chain, []):
            if hashes.get(seq) != entry_hash:
                problems.append(f"{chain}: entry {seq} is not the one that was anchored.")
    return AuditReport(not problems, len(chains), entries, unreadable, anchors, problems)


def _check_anchors(unit: Unit, problems: list[str], wanted: str | None) -> tuple[dict[str, list[tuple[int, str]]], int]:
    """Every anchored head by chain, and how many anchors there are."""
    heads: dict[str, list[tuple[int, str]]] = {}
    prev_hash, found = _START, wanted is None
    rows = unit.rows(select(_ANCHORS).order_by(_ANCHORS.c.seq))
    for row in rows:
        sound = row["prev_hash"] == prev_hash and row["hash"] == _anchor_hash(
            unit, row["prev_hash"], row["at"], row["heads"]
        )
        if not sound:
            problems.append(f"anchor {row['seq']}: it was changed, or the one before it is missing.")
        prev_hash = row["hash"]
        found = found or row["hash"] == wanted
        for chain, (seq, entry_hash) in row["heads"].items():
            heads.setdefault(chain, []).append((seq, entry_hash))
    if not found:
        problems.append("anchors: the one that was kept elsewhere is missing.")
    return heads, len(rows)


def _check_chain(unit: Unit, chain: str, problems: list[str]) -> Iterator[Mapping[Any, Any]]:
    """The chain's rows in order; what is wrong with their hashes goes to the problems."""
    expected_seq, prev_hash = 1, _START
    for row in unit.rows(select(_ENTRIES).where(_ENTRIES.c.chain == chain).order_by(_ENTRIES.c.seq)):
        seq = row["seq"]
        if seq != expected_seq:
            problems.append(f"{chain}: entry {expected_seq} is missing.")
        elif row["prev_hash"] != prev_hash:
            problems.append(f"{chain}: entry {seq} doesn't follow the one before it.")
        recomputed = _entry_hash(
            row["prev_hash"],
            chain,
            seq,
            row["origin"],
            row["kind"],
            row["ids"],
            row["at"],
            row["digest"],
        )
        if recomputed != row["hash"]:
            problems.append(f"{chain}: entry {seq} was changed.")
        expected_seq, prev_hash = seq + 1, row["hash"]
        yield row


def _is_payload_intact(unit: Unit, row: Mapping[Any, Any], problems: list[str]) -> bool:
    """Whether the payload can be read; a payload that reads otherwise than recorded is a problem."""
    owner = _owner_of(row)
    if owner is None:
        return False
    try:
        payload = unit.vault.unseal(owner, _place(row["chain"], row["seq"]), row["body"])
        digest = unit.vault.mac(owner, canonical_json(payload))
        origin = unit.vault.mac(owner, row["conversation_id"].encode()) if row["conversation_id"] else ""
    except KeyGone:
        return False
    except SealBroken:
        digest, origin = "", row["origin"]
    # Entries of the first records have the conversation's id itself there.
    if row["origin"] not in (origin, row["conversation_id"]):
        problems.append(f"{row['chain']}: entry {row['seq']} was given to another conversation.")
    if digest != row["digest"]:
        problems.append(f"{row['chain']}: the payload of entry {row['seq']} is not the one recorded.")
    return True


def _owner_of(row: Mapping[Any, Any]) -> KeyOwner | None:
    """Whose key seals an entry's payload; None for what was somebody's who was forgotten."""
    if row["conversation_id"] is not None:
        return conversation_key(ConversationId(row["conversation_id"]))
    return None if row["origin"] else SYSTEM


def _chain_of(origin: str) -> str:
    return f"conversation:{origin[:32]}"


def _entries(unit: Unit, chain: str) -> list[AuditEntry]:
    found = []
    for row in unit.rows(select(_ENTRIES).where(_ENTRIES.c.chain == chain).order_by(_ENTRIES.c.seq)):
        owner = _owner_of(row)
        payload: Json = None
        readable = owner is not None
        if owner is not None:
            try:
                payload = unit.vault.unseal(owner, _place(chain, row["seq"]), row["body"])
            except KeyGone:
                readable = False
        found.append(
            AuditEntry(
                chain=chain,
                seq=row["seq"],
                conversation_id=row["conversation_id"],
                kind=row["kind"],
                ids=dict(row["ids"]),
                at=row["at"],
                digest=row["digest"],
                hash=row["hash"],
                payload=payload,
                readable=readable,
            )
        )
    return found


def _entry_hash(
    prev_hash: str,
    chain: str,
    seq: int,
    origin: str,
    kind: str,
    ids: Mapping[str, str],
    at: datetime,
    digest: str,
) -> str:
    content: Sequence[Json] = [chain, seq, origin, kind, dict(ids), at.isoformat(), digest]
    return hashlib.sha256(bytes.fromhex(prev_hash) + canonical_json(content)).hexdigest()


def _anchor_hash(unit: Unit, prev_hash: str, at: datetime, heads: Mapping[str, Any]) -> str:
    return unit.vault.mac(SYSTEM, bytes.fromhex(prev_hash) + canonical_json([at.isoformat(), dict(heads)]))


def _place(chain: str, seq: int) -> str:
    return f"audit:{chain}:{seq}"
