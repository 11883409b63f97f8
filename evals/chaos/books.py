"""The systems of record of a chaos run: the shop's own books, kept outside of every process that is killed.

They count what was ordered themselves, call by call. What Callboard may rely on is what its tools declare, no more: a
refund and a cancellation are booked as often as they are ordered, an address change is recognised by its key.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal

from evals.chaos.wire import Gone, Refused, Wire
from graphs.playbook import Playbook
from policies.words import Json
from tools.errors import ToolRefused, ToolUnavailable
from tools.registry import Registry
from tools.spec import BusinessSystem, ToolSpec

Kind = Literal["refund", "cancellation", "address"]

EFFECTS: Mapping[tuple[str, str], Kind] = {
    ("payments", "refund"): "refund",
    ("shop", "cancel"): "cancellation",
    ("shop", "change_address"): "address",
}
"""The calls that change the world."""
RECOGNISED: frozenset[Kind] = frozenset({"address"})
"""Kinds that the system itself does once per key."""

LATEST_S = 0.5
"""How long after its arrival a call may take effect at most; later ones are dropped, so that `SETTLING` is true."""
SETTLING = timedelta(seconds=1.2)
TIMEOUT_S = 0.35

Fault = Literal["", "refused", "lost", "torn", "late", "slow", "killed_before", "killed_after"]
_FAULTS: tuple[tuple[Fault, int], ...] = (
    ("", 66),
    ("refused", 6),
    ("lost", 6),
    ("torn", 6),
    ("late", 5),
    ("slow", 5),
    ("killed_before", 3),
    ("killed_after", 3),
)
_READS_THAT_FAIL = 0.005


@dataclass(frozen=True, slots=True)
class Booked:
    """One effect in the books."""

    number: int
    """1, 2, 3 … in the order in which they were booked."""
    kind: Kind
    order_id: str
    subject: str
    """What of the order: its items, or the new address. Empty for all of it."""
    key: str
    """The idempotency key it came with."""
    repeats: bool
    """Whether the same thing had been booked before: the customer's money went out twice."""


class Books:
    """The books of one round, with faults that depend on the seed and the call, not on the time."""

    def __init__(self, systems: Mapping[str, BusinessSystem], directory: Path, *, seed: str) -> None:
        """Open them.

        Args:
            systems: The shop and its payments, as the playbook opens them.
            directory: Where their files are.
            seed: Decides which calls go wrong.
        """
        self._systems, self._directory = systems, directory
        self._seed = seed
        self._arrivals: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._latest = 0.0
        self._answers: dict[str, Any] = {}
        self.booked: list[Booked] = []
        self.faults: dict[str, int] = {}
        """How often each kind of fault was dealt out."""
        self.is_calm = False
        """Whether every call is simply carried out, for the end of a round."""

    def drift(self, order_id: str) -> None:
        """Somebody in the shop corrects an order's total by a cent: a fact that reviewers were shown is another now."""
        with closing(sqlite3.connect(self._directory / "shop.db", timeout=5)) as connection:
            connection.execute("UPDATE orders SET total_minor = total_minor + 1 WHERE id = ?", (order_id,))
            connection.commit()

    def found(self, key: str) -> dict[str, Json] | None:
        """What a person finds who looks an effect up, in the form of its tool's result; None if nothing."""
        if not any(entry.key == key for entry in self.booked):
            return None
        answer = self._answers[key]
        kind = next(entry.kind for entry in self.booked if entry.key == key)
        if kind == "cancellation":
            return {
                "order_id": answer.order_id,
                "status": "cancelled",
                "payment": "refunded" if answer.refunded_minor else "released",
                "refunded": {"amount_minor": answer.refunded_minor, "currency": answer.currency},
                "method": answer.method,
            }
        if kind == "address":
            order_id = next(entry.order_id for entry in self.booked if entry.key == key)
            return {"order_id": order_id, "status": "changed", "address": answer.as_json()}
        return {
            "refund_id": answer.id,
            "order_id": answer.order_id,
            "status": "issued",
            "amount": {"amount_minor": answer.amount_minor, "currency": answer.currency},
            "method": answer.method,
            "item_ids": list(answer.item_ids),
            "reason": answer.reason,
        }

    async def wait_until_quiet(self) -> None:
        """Wait until no call that came in can take effect any more."""
        loop = asyncio.get_running_loop()
        while (left_s := self._latest + LATEST_S * 1.5 - loop.time()) > 0:  # noqa: ASYNC110  # time is what it waits for
            await asyncio.sleep(left_s)

    async def close(self) -> None:
        """Close the books."""
        for system in self._systems.values():
            await system.close()

    async def call(self, name: str, arguments: tuple[Any, ...], kill: Callable[[], None]) -> Any:
        """Carry out a call of a process.

        Args:
            name: "payments.refund".
            arguments: Positional and named ones.
            kill: Kills the process that calls.

        Raises:
            ToolRefused: As the shop itself refuses; nothing happened.
            ToolUnavailable: Nothing happened.
            ConnectionResetError: It may have happened.
        """
        system, method = name.split(".")
        positional, named = arguments
        kind = EFFECTS.get((system, method))
        work = getattr(self._systems[system], method)
        if kind is None:
            await self._trouble_reading(name)
            return await work(*positional, **named)
        return await self._effect(kind, work, positional, named, kill)

    async def _trouble_reading(self, name: str) -> None:
        dice = self._dice(f"read:{name}")
        if dice.random() < _READS_THAT_FAIL:
            raise ToolUnavailable("The shop doesn't answer.")

    async def _effect(
        self, kind: Kind, work: Any, positional: tuple[Any, ...], named: dict[str, Any], kill: Callable[[], None]
    ) -> Any:
        begun = self._latest = asyncio.get_running_loop().time()
        key = str(named["reference"])
        dice = self._dice(key)
        fault = dice.choices([fault for fault, _ in _FAULTS], [weight for _, weight in _FAULTS])[0]
        if self.is_calm:
            fault = ""
        self.faults[fault] = self.faults.get(fault, 0) + 1
        if fault == "refused":
            raise ToolUnavailable("Out of order; nothing was booked.")
        if fault == "killed_before":
            kill()
        if fault in {"late", "slow", "killed_before"}:
            await asyncio.sleep(TIMEOUT_S + 0.05 if fault == "late" else dice.uniform(0.02, 0.15))
        if asyncio.get_running_loop().time() - begun > LATEST_S:
            raise ToolUnavailable("Dropped: it came too late.")
        answer = await self._book(kind, key, work, positional, named)
        if fault == "killed_after":
            kill()
        if fault == "lost":
            await asyncio.sleep(TIMEOUT_S * 3)
        if fault == "torn":
            raise ConnectionResetError("The line broke after the order was carried out.")
        return answer

    async def _book(self, kind: Kind, key: str, work: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        order_id = str(positional[0])
        subject = ",".join(sorted(named.get("item_ids", ()))) if kind == "refund" else str(named.get("address", ""))
        before = [one for one in self.booked if (one.kind, one.order_id) == (kind, order_id)]
        if kind in RECOGNISED and any(one.key == key for one in before):
            return await work(*positional, **named)
        # A second call counts whatever the shop says to it: another shop might carry it out.
        repeats = any(one.subject == subject or _shares(one.subject, subject) for one in before)
        entry = Booked(next(self._numbers), kind, order_id, subject, key, repeats)
        self.booked.append(entry)
        try:
            answer = await work(*positional, **named)
        except ToolRefused:
            if not repeats:
                self.booked.remove(entry)
            raise
        self._answers[key] = answer
        return answer

    def _dice(self, what: str) -> Random:
        self._arrivals[what] = arrival = self._arrivals.get(what, 0) + 1
        return Random(f"{self._seed}:{what}:{arrival}")


def _shares(one: str, other: str) -> bool:
    """Whether two refunds of an order give money back for the same item."""
    return bool(set(one.split(",")) & set(other.split(","))) if one and other else False


class DistantSystem:
    """A system of record at the other end of a wire, with the methods of the playbook's own."""

    def __init__(self, name: str, title: str, wire: Wire) -> None:
        self._system, self.name, self._wire = name, title, wire

    async def close(self) -> None:
        """Nothing is held here."""

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)

        async def call(*positional: Any, **named: Any) -> Any:
            try:
                return await self._wire.call(f"{self._system}.{method}", positional, named)
            except Refused as refused:
                if refused.kind == "ToolRefused":
                    raise ToolRefused(refused.code, refused.message) from None
                if refused.kind == "ToolUnavailable":
                    raise ToolUnavailable(refused.message) from None
                raise ConnectionResetError(refused.kind) from None
            except Gone:
                raise ConnectionResetError("The books are closed.") from None

        return call


def at_a_distance(playbook: Playbook, wire: Callable[[], Wire]) -> Playbook:
    """The playbook with its systems of record at the other end of a wire, and a tool of each kind.

    A refund can be asked for (`probe`), an address change is recognised by its key (`idempotent`), and a cancellation
    is neither: what became of a lost one only a person can find out.
    """
    titles = {"shop": "orders database", "payments": "payments"}

    async def open_systems(_directory: Path) -> dict[str, BusinessSystem]:
        return {name: DistantSystem(name, title, wire()) for name, title in titles.items()}

    tools = [_declared(spec) for spec in playbook.tools]
    code = replace(playbook.code, open_systems=open_systems, tools=tools)
    return replace(playbook, tools=Registry(tools), code=code)


def _declared(spec: ToolSpec) -> ToolSpec:
    if spec.kind == "read":
        return spec
    own = replace(spec, timeout_s=TIMEOUT_S, settling_time=SETTLING)
    return replace(own, probe=None, idempotent=False) if spec.name == "cancel_order" else own


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody in the books, and one of their orders."""

    order_id: str
    status: str
    email: str
    postcode: str


def customers_in(directory: Path) -> list[Customer]:
    """Everybody who could have a refund, a cancellation or another address, one order each."""
    query = (
        "SELECT orders.id, orders.status, customers.email, addresses.postcode FROM orders"
        " JOIN customers ON customers.id = orders.customer_id"
        " JOIN addresses ON addresses.customer_id = customers.id"
        " WHERE orders.status IN ('returned', 'lost', 'pending', 'paid')"
        " ORDER BY orders.id"
    )
    with closing(sqlite3.connect(f"file:{directory / 'shop.db'}?mode=ro", uri=True)) as connection:
        found = [Customer(*row) for row in connection.execute(query)]
    seen: set[str] = set()
    return [one for one in found if one.email not in seen and not seen.add(one.email)]  # type: ignore[func-returns-value]
