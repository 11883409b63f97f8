"""The state of one turn's graph: ids, counters and routing words. No text of customers, no facts, no decisions."""

from typing import Literal, TypedDict

Next = Literal[
    "screen", "recall", "intent", "authentication", "eligibility", "workflow", "guard", "approve", "act", "draft",
    "check_draft", "escalate", "close", "hand_on", "compensate", "wait",
]  # fmt: skip


class TurnState(TypedDict, total=False):
    """Plain JSON values only (strict msgpack); everything else is a row of memory, found by these ids."""

    turn_id: str
    case_id: str
    """The case in hand."""
    queue: list[str]
    """Cases that this turn still attends to after the one in hand."""
    ordinal: int
    """The next free place in the turn's sequence of readings and requests."""
    reading: int
    """Ordinal of the intent reading."""
    advice: int
    """Ordinal of the authentication advice in force."""
    passages: list[str]
    """Ids of the knowledge passages that recall found."""
    calls: int
    """Tool calls and refusals so far; bounded by `MAX_CALLS`."""
    cue: int
    """Ordinal of the cue in hand."""
    parts: list[int]
    """Ordinals of the cues that make the reply, in order."""
    part_cases: dict[str, str]
    """Place of a cue (as text) → its case."""
    request_id: str
    approval_id: str
    reconciliation_id: str
    """What a person must find out before the turn can go on."""
    undoing: bool
    """Whether what a failed plan did is being undone just now."""
    then: Next
    """Where the turn goes on when that is done."""
    asked_by: str
    """The person who asked for an effect to be undone."""
    interrupted: bool
    """Whether this thread has waited for a person already. A second wait needs a thread of its own."""
    drafts: list[int]
    """Ordinals of the drafts of this reply: one for each case it speaks of."""
    reply: int
    """Ordinal of the finished reply that close sends."""
    holds: list[str]
    """Why the drafts before were held, rule by rule; twice, and templates alone speak."""
    rewrites: int
    reason: str
    """Why it escalates: a word of ours, never text of customers."""
    outcome: str
    next: Next


MAX_CALLS = 10
"""Requests one turn may make, refused ones included. A retail refund with verification takes five."""
