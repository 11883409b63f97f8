"""The places where a process may die: before and after each step that leaves something behind, each with its name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, get_args

Transition = Literal[
    "take",
    "claim",
    "begin",
    "receive",
    "place",
    "request",
    "decision",
    "reopen",
    "reserve",
    "executing",
    "call",
    "commit",
    "fail",
    "unknown",
    "read",
    "refusal",
    "checkpoint",
    "forget",
    "park",
    "resume",
    "close",
    "finish",
    "give_up",
    "answer",
    "withdrawal",
    "expiry",
    "handback",
    "note",
]
"""Every step of the runtime that leaves something behind, in a store or in a system of record.

- the inbox: `take` an item, `claim` it, `finish` it; `expiry` and `handback` put items in; so do `answer` and
  `withdrawal`, with what a person or the customer did to an approval
- a turn: `begin`, `receive` the message, `place` it on its cases, keep a `request`; `park` and `close` say something
  (outbox), `resume` goes on in a fresh thread, `give_up` hands over what can't be run
- policy: the `decision` with the approval it opens, and its `reopen` when what it rests on has moved
- the ledger: `reserve`, `executing`, the `call` itself, `commit`, `fail`, `unknown`; a `read`'s row; a `refusal`
  where there was nothing to call or its outcome stays open
- the graph: its `checkpoint` of a waiting turn, and to `forget` it
- `note`: whatever else is written

What a turn reads and thinks goes along with its next step, in one transaction: it is no step of its own.
"""

BOUNDARIES: tuple[str, ...] = tuple(
    f"{side}_{transition}" for transition in get_args(Transition) for side in ("before", "after")
)
"""All of them: "before_take", "after_take", …"""

Checkpoint = Callable[[str], None]
"""Told the name of each boundary that is passed; proofs stop the process there."""


def unwatched(boundary: str) -> None:
    """The checkpoint of a process that nobody stops."""


@contextmanager
def crossing(checkpoint: Checkpoint, transition: Transition) -> Iterator[None]:
    """Pass the boundary before a step and, when it was taken, the one after it."""
    checkpoint(f"before_{transition}")
    yield
    checkpoint(f"after_{transition}")
