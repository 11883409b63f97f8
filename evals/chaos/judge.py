"""Judges a round of chaos from three witnesses: the shop's books, what the world outside was told, and bare rows.

Nothing here asks Callboard's own code what happened. Rows are read with plain SQL, without their sealed texts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text

from evals.chaos.books import Booked
from evals.chaos.people import CLAIMS, YES, Errand, Log

TABLES: Mapping[str, str] = {
    "inbox": "seq, conversation_id, kind, dedupe_key, state, turn_id",
    "turns": "id, conversation_id, first_seq, item_seqs, state, outcome, approval_id",
    "outbox": "conversation_id, seq, place, turn_id, part",
    "receipts": "id, key, approval_id, turn_id, case_id, conversation_id, tool, state, error_code",
    "approvals": "id, status, turn_id, conversation_id",
    "handoffs": "case_id, conversation_id, turn_id",
    "reconciliations": "id, receipt_id, status",
}
"""What is read of which table."""

_WRITES = {"refund_order": "refund", "cancel_order": "cancellation", "change_shipping_address": "address"}
_WANTS = {"refund": "refund", "cancel": "cancellation", "address": "address"}
_ENDED = frozenset({"spent", "rejected", "responded", "withdrawn", "expired", "void"})
_YES = frozenset({"approve", "edit"})

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Witnesses:
    """All that is known of a round when it is over."""

    errands: Sequence[Errand]
    log: Log
    booked: Sequence[Booked]
    rows: Rows
    replies: Mapping[str, Sequence[str]]
    """Conversation → what was said in it, in its order."""
    audit_problems: Sequence[str] = ()


@dataclass(slots=True)
class Findings:
    """What is wrong, one sentence each."""

    duplicate_effects: list[str] = field(default_factory=list)
    """The same thing was done twice."""
    unasked_effects: list[str] = field(default_factory=list)
    """Done though nobody asked for it, or no person had said the yes that it needed."""
    lost_messages: list[str] = field(default_factory=list)
    """Acknowledged, and not in the inbox once with one turn that ended; or answered by several turns."""
    lost_approvals: list[str] = field(default_factory=list)
    """Gone, still waiting at the end, or not what the person was told that it became."""
    out_of_order: list[str] = field(default_factory=list)
    """Items, turns or replies of a conversation in another order than they arrived."""
    stuck_turns: list[str] = field(default_factory=list)
    """Not ended when all was quiet, or a customer who waited in vain."""
    unexplained_receipts: list[str] = field(default_factory=list)
    """The ledger says something else than the books, or doesn't know and no person was told."""
    untrue_replies: list[str] = field(default_factory=list)
    """Something was said to be done that wasn't, or said twice."""
    audit_problems: list[str] = field(default_factory=list)

    def add(self, other: "Findings") -> None:
        """Take another round's findings in."""
        for name in self.__dataclass_fields__:
            getattr(self, name).extend(getattr(other, name))


def read_rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """What the database holds, as bare rows."""
    with engine.connect() as connection:
        return {
            table: [dict(row) for row in connection.execute(text(f"SELECT {columns} FROM {table}")).mappings()]  # noqa: S608  # our own names
            for table, columns in TABLES.items()
        }


def judge(seen: Witnesses) -> Findings:
    """Compare the witnesses."""
    return Findings(
        duplicate_effects=list(_duplicates(seen)),
        unasked_effects=list(_unasked(seen)),
        lost_messages=list(_lost_messages(seen)),
        lost_approvals=list(_lost_approvals(seen)),
        out_of_order=list(_out_of_order(seen)),
        stuck_turns=list(_stuck(seen)),
        unexplained_receipts=list(_unexplained(seen)),
        untrue_replies=list(_untrue(seen)),
        audit_problems=list(seen.audit_problems),
    )


def _duplicates(seen: Witnesses) -> Iterator[str]:
    for entry in seen.booked:
        if entry.repeats:
            yield f"order {entry.order_id}: a second {entry.kind} was ordered (no. {entry.number})"


def _unasked(seen: Witnesses) -> Iterator[str]:
    errands = {errand.conversation: errand for errand in seen.errands}
    confirmed = {one.conversation for one in seen.log.deliveries.values() if one.text == YES}
    by_key: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for receipt in seen.rows["receipts"]:
        by_key[receipt["key"]].append(receipt)
    for entry in seen.booked:
        where = f"order {entry.order_id}: {entry.kind} no. {entry.number}"
        receipts = by_key.get(entry.key, [])
        if not receipts:
            yield f"{where} has no receipt"
            continue
        for receipt in receipts:
            errand = errands.get(receipt["conversation_id"])
            if errand is None or _WANTS.get(errand.kind) != entry.kind or errand.customer.order_id != entry.order_id:
                yield f"{where} was not what {receipt['conversation_id']} is about"
            elif errand.conversation not in confirmed:
                yield f"{where}: the customer never said yes"
            approval = seen.log.approvals.get(receipt["approval_id"] or "")
            if receipt["approval_id"] and (approval is None or not _YES & set(approval.given)):
                yield f"{where}: no reviewer said yes to {receipt['approval_id']}"


def _lost_messages(seen: Witnesses) -> Iterator[str]:
    items = {(row["conversation_id"], row["dedupe_key"]): row for row in seen.rows["inbox"] if row["kind"] == "message"}
    turns = {row["id"]: row for row in seen.rows["turns"]}
    spoken = {row["turn_id"] for row in seen.rows["outbox"]}
    for place, delivery in seen.log.deliveries.items():
        where = f"{delivery.conversation}, {delivery.key}"
        item = items.get(place)
        if len(delivery.turns) > 1:
            yield f"{where} was answered by {len(delivery.turns)} turns"
        if not delivery.acknowledged:
            continue
        if item is None:
            yield f"{where} is not in the inbox"
        elif item["state"] not in {"done", "failed"}:
            continue  # counted as stuck
        elif item["turn_id"] not in turns:
            yield f"{where} has no turn"
        elif item["turn_id"] not in delivery.turns:
            yield f"{where} was answered by another turn than the one that has it"
        elif item["turn_id"] not in spoken and turns[item["turn_id"]]["outcome"] != "with_person":
            yield f"{where} got no word of answer ({turns[item['turn_id']]['outcome']})"


def _lost_approvals(seen: Witnesses) -> Iterator[str]:
    rows = {row["id"]: row for row in seen.rows["approvals"]}
    errands = {errand.conversation: errand for errand in seen.errands}
    done = {(entry.kind, entry.order_id) for entry in seen.booked}
    receipts = {row["approval_id"] for row in seen.rows["receipts"] if row["approval_id"]}
    handed_over = {row["turn_id"] for row in seen.rows["handoffs"]}
    for approval_id, answered in seen.log.approvals.items():
        row = rows.get(approval_id)
        if row is None:
            yield f"{approval_id} is gone"
            continue
        status = row["status"]
        errand = errands.get(row["conversation_id"])
        # Asked on two channels, done once: the other one is told that it has been done.
        is_done = errand is not None and (_WANTS.get(errand.kind), errand.customer.order_id) in done
        if status == "approved" and row["turn_id"] not in handed_over and not is_done:
            yield f"{approval_id} was approved, and nothing came of it"
        if status == "spent" and approval_id not in receipts:
            yield f"{approval_id} was spent on nothing"
        for told in ("rejected", "responded"):
            if told in answered.told and status != told:
                yield f"{approval_id} is {status}; a person was told {told}"
        if "withdrawn" in answered.told and status != "withdrawn":
            yield f"{approval_id} is {status}; the customer was told withdrawn"
        if status == "withdrawn" and "withdraw" not in answered.given:
            yield f"{approval_id} was withdrawn, and nobody did that"
        if "approved" in answered.told and status in {"rejected", "responded"} and status[:-2] not in answered.given:
            yield f"{approval_id} is {status}; a person was told approved"
    for row in rows.values():
        if row["status"] not in _ENDED | {"approved"}:
            yield f"{row['id']} is {row['status']} at the end"


def _out_of_order(seen: Witnesses) -> Iterator[str]:
    seqs = {(row["conversation_id"], row["dedupe_key"]): row["seq"] for row in seen.rows["inbox"]}
    by_conversation: dict[str, list[Any]] = defaultdict(list)
    for place, delivery in seen.log.deliveries.items():
        if delivery.acknowledged and place in seqs:
            by_conversation[delivery.conversation].append((delivery, seqs[place]))
    for conversation, found in by_conversation.items():
        for one, seq in found:
            for other, later in found:
                if one.acknowledged < other.sent and seq > later:
                    yield f"{conversation}: {one.key} was answered before {other.key} was sent, and stands after it"
    owners: Counter[int] = Counter()
    for turn in seen.rows["turns"]:
        owners.update(_list_of(turn["item_seqs"]))
    for seq, times in owners.items():
        if times > 1:
            yield f"inbox item {seq} belongs to {times} turns"
    first_parts: dict[str, int] = {}
    for said in seen.rows["outbox"]:
        first_parts[said["turn_id"]] = min(said["part"], first_parts.get(said["turn_id"], said["part"]))
    first_words: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for said in seen.rows["outbox"]:
        if said["part"] == first_parts[said["turn_id"]]:
            first_words[said["conversation_id"]].append((said["seq"], said["place"]))
    # A turn that waits while a person speaks says nothing until it is answered, perhaps after the handback.
    with_people = {row["conversation_id"] for row in seen.rows["handoffs"]}
    waited = {row["turn_id"] for row in seen.rows["approvals"] if row["conversation_id"] in with_people}
    silent_at_first = {row["first_seq"] for row in seen.rows["turns"] if row["id"] in waited}
    for conversation, words in first_words.items():
        places = [place for _, place in sorted(words) if place not in silent_at_first]
        if places != sorted(places):
            yield f"{conversation}: replies were written in the order of {places}"


def _stuck(seen: Witnesses) -> Iterator[str]:
    approvals = {row["id"]: row for row in seen.rows["approvals"]}
    asked = {row["id"] for row in seen.rows["reconciliations"] if row["status"] == "open"}
    for item in seen.rows["inbox"]:
        if item["state"] not in {"done", "failed"}:
            yield f"{item['conversation_id']}: {item['kind']} {item['dedupe_key']} is {item['state']}"
    for turn in seen.rows["turns"]:
        if turn["state"] == "parked" and turn["approval_id"] in asked:
            continue  # whoever finds out what came of its call wakes it
        if turn["state"] != "done":
            waits_for = approvals.get(turn["approval_id"] or "", {}).get("status", "nothing")
            yield f"{turn['id']} is {turn['state']} at the end, its approval is {waits_for}"
    yield from seen.log.problems


def _unexplained(seen: Witnesses) -> Iterator[str]:
    booked = {entry.key for entry in seen.booked}
    asked = {row["receipt_id"] for row in seen.rows["reconciliations"] if row["status"] == "open"}
    states: dict[str, set[str]] = defaultdict(set)
    for receipt in seen.rows["receipts"]:
        if receipt["tool"] not in _WRITES:
            continue
        state, key = receipt["state"], receipt["key"]
        states[key].add(state)
        if state in {"reserved", "executing"}:
            yield f"{receipt['id']} is {state} at the end"
        if state == "committed" and key not in booked:
            yield f"{receipt['id']} is committed, and the books have nothing of it"
        if state == "unknown" and receipt["id"] not in asked:
            yield f"{receipt['id']} is unknown ({receipt['error_code']}), and no person is asked"
    for entry in seen.booked:
        if not states[entry.key] & {"committed", "unknown"}:
            found = sorted(states[entry.key])
            yield f"order {entry.order_id}: {entry.kind} no. {entry.number} is {found} on the ledger"


def _untrue(seen: Witnesses) -> Iterator[str]:
    done = Counter((entry.kind, entry.order_id) for entry in seen.booked)
    for errand in seen.errands:
        said = "\n".join(seen.replies.get(errand.conversation, ()))
        for kind, claim in CLAIMS.items():
            times = said.count(claim)
            if times > done[kind, errand.customer.order_id]:  # type: ignore[index]  # a kind of effect
                yield f"{errand.conversation}: said {times} times that a {kind} was made"


def _list_of(value: Any) -> list[int]:
    """A list of numbers as SQLite (text) or Postgres (JSON) gives it."""
    if isinstance(value, str):
        return [int(part) for part in value.strip("[]").split(",") if part.strip()]
    return list(value)
