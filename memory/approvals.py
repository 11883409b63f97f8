"""Approvals: rows that wait for a person, answered by compare-and-set, spent once.

pending ──► approved ──► spent
   │  ▲        │ └─────► withdrawn (by the customer, until it is spent)
   │  └────────┘ reopened: the facts or the policy changed
   └──► rejected, responded, withdrawn, expired, void

Each change of what is asked makes a new version; a vote counts for the version that was seen. Every refusal is an
`ApprovalError` raised before anything is written.

A pending one may be claimed for a while by who is at it (`claim`); nobody else decides it then. It warns once before
it expires. What a customer adds meanwhile stands beside it (`approval_notes`), what reviewers answered is kept for
measures (`review_answers`), and what becomes of it is told to whoever watches (`events`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, select

from memory import authority, events, inbox, review_answers
from memory.approval_records import (
    Approval,
    ApprovalRow,
    ApprovalStatus,
    EditedRequest,
    Vote,
    approval_of,
    plain_votes,
    seal_body,
)
from memory.authority import Answer, Reviewer
from memory.conversations import ConversationRow
from memory.errors import (
    ApprovalChanged,
    ApprovalClaimed,
    ApprovalClosed,
    ApprovalExpired,
    ApprovalNotFound,
    JustificationMissing,
    NotClaimed,
    NotOfConversation,
    OwnRequest,
    ToolSwitched,
)
from memory.rows import table_of
from memory.unit import Kept, Unit
from policies.words import ApprovalId, ApprovalTerms, CaseId, ConversationId, Json, RequestId, TurnId

__all__ = ["Answer", "Approval", "ApprovalStatus", "EditedRequest", "Reviewer", "Vote"]

_TABLE = table_of(ApprovalRow)
_CONVERSATIONS = table_of(ConversationRow)
_OF_REQUEST = Kept(
    select(_TABLE)
    .where((_TABLE.c.request_id == bindparam("request_id")) | (_TABLE.c.first_request_id == bindparam("request_id")))
    .order_by(_TABLE.c.created_at, _TABLE.c.id)
)
_FINAL: dict[Answer, ApprovalStatus] = {"reject": "rejected", "respond": "responded"}
_UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "claimed_until": None}

WARN_AFTER = 0.75
"""The share of its time after which an approval that nobody answered warns."""


def open_approval(
    unit: Unit,
    *,
    approval_id: ApprovalId,
    request_id: RequestId,
    turn_id: TurnId,
    case_id: CaseId | None,
    conversation_id: ConversationId,
    tool: str,
    digest: str,
    policy_version: str,
    terms: ApprovalTerms,
    amount_minor: int | None,
    currency: str | None,
    asked_by: str,
    body: Mapping[str, Json],
    expires_at: datetime,
    now: datetime,
) -> Approval:
    """Ask for an approval, once per turn and request; asked again, it returns the one that stands, in any state."""
    row = unit.first(
        select(_TABLE).where(
            (_TABLE.c.turn_id == turn_id)
            & ((_TABLE.c.first_request_id == request_id) | (_TABLE.c.request_id == request_id))
        )
    )
    if row is not None:
        return approval_of(unit, row)
    unit.insert(
        _TABLE,
        id=approval_id,
        version=1,
        revision=1,
        status="pending",
        request_id=request_id,
        first_request_id=request_id,
        turn_id=turn_id,
        case_id=case_id,
        conversation_id=conversation_id,
        tool=tool,
        digest=digest,
        policy_version=policy_version,
        amount_minor=amount_minor,
        currency=currency,
        asked_by=asked_by,
        edited_by=None,
        created_at=now,
        asked_at=now,
        expires_at=expires_at,
        decided_at=None,
        ended_by=None,
        votes=[],
        body=seal_body(unit, approval_id=approval_id, conversation_id=conversation_id, shown=body),
        **_UNCLAIMED,
        **_warning(now, expires_at),
        **_terms(terms),
    )
    opened = get(unit, approval_id=approval_id)
    _announce(unit, opened, "approval_opened", now)
    return opened


def get(unit: Unit, *, approval_id: ApprovalId) -> Approval:
    """The approval with this id.

    Raises:
        ApprovalNotFound: There is none.
    """
    return approval_of(unit, _row(unit, approval_id))


def listing(
    unit: Unit,
    *,
    status: ApprovalStatus | None = None,
    queue: str | None = None,
    limit: int = 50,
    after: ApprovalId | None = None,
) -> list[Approval]:
    """A page of approvals, the first to expire first.

    Args:
        unit: The transaction.
        status: Only these.
        queue: Only this queue's.
        limit: How many at most.
        after: The last id of the page before.
    """
    statement = select(_TABLE).order_by(_TABLE.c.expires_at, _TABLE.c.id).limit(limit)
    if status is not None:
        statement = statement.where(_TABLE.c.status == status)
    if queue is not None:
        statement = statement.where(_TABLE.c.queue == queue)
    if after is not None:
        expires = _row(unit, after)["expires_at"]
        later = _TABLE.c.expires_at > expires
        statement = statement.where(later | ((_TABLE.c.expires_at == expires) & (_TABLE.c.id > after)))
    return [approval_of(unit, row) for row in unit.rows(statement)]


def claim(unit: Unit, *, approval_id: ApprovalId, reviewer: Reviewer, lease: timedelta, now: datetime) -> Approval:
    """Take an approval in hand for a while, so that no two people work on it; again, to hold it longer.

    A claim of somebody else that has ended is taken over. A yes that is one of two, and everything that changes the
    approval, ends the claim.

    Raises:
        ApprovalError: Not pending, expired, claimed by somebody else, not for this role or action, their own request.
    """
    row = _row(unit, approval_id)
    known = approval_of(unit, row)
    _check_open(known, now)
    _check_claim(known, reviewer, now)
    authority.check_reach(approval_id=approval_id, reviewer=reviewer, role=known.role, tool=known.tool)
    if reviewer.id in _authors(unit, known):
        raise OwnRequest(approval_id)
    held = known.claimed_by == reviewer.id and known.claimed_until is not None and now < known.claimed_until
    since = known.claimed_at if held else now
    _change(unit, row, {"claimed_by": reviewer.id, "claimed_at": since, "claimed_until": now + lease})
    return get(unit, approval_id=approval_id)


def renew_claim(
    unit: Unit, *, approval_id: ApprovalId, reviewer: Reviewer, lease: timedelta, now: datetime
) -> Approval:
    """Hold a claim longer; also one that has ended, if nobody else took it.

    Raises:
        ApprovalError: Not pending, expired, or not claimed by this person.
    """
    row = _row(unit, approval_id)
    known = approval_of(unit, row)
    _check_open(known, now)
    _check_claim(known, reviewer, now)
    if known.claimed_by != reviewer.id:
        raise NotClaimed(approval_id)
    _change(unit, row, {"claimed_until": now + lease})
    return get(unit, approval_id=approval_id)


def release_claim(unit: Unit, *, approval_id: ApprovalId, reviewer: Reviewer) -> Approval:
    """Give a claim back before it ends.

    Raises:
        ApprovalError: Not pending, or not claimed by this person.
    """
    row = _row(unit, approval_id)
    if row["status"] != "pending":
        raise ApprovalClosed(approval_id, status=row["status"])
    if row["claimed_by"] != reviewer.id:
        raise NotClaimed(approval_id)
    _change(unit, row, _UNCLAIMED)
    return get(unit, approval_id=approval_id)


def decide(
    unit: Unit,
    *,
    approval_id: ApprovalId,
    answer: Answer,
    reviewer: Reviewer,
    version: int | None,
    now: datetime,
    note: str = "",
    edited: EditedRequest | None = None,
) -> Approval:
    """Take one person's answer; when it settles the matter, the turn hears of it through the inbox.

    A reject or a response settles it at once. A yes settles it when enough people have said so. An edit is a yes to
    what it made of the request, unless policy wants somebody else's yes to that: then it stays pending for the new
    terms, and the editor can't give it.

    Args:
        unit: The transaction; the answer and the inbox item stand or fall together.
        approval_id: Which.
        answer: approve, edit, reject or respond.
        reviewer: Who answers, with role and limits.
        version: The version that the reviewer saw; None to answer whatever stands.
        now: When.
        note: Their words; needed for a reject and a response.
        edited: With an edit, what it made of the request.

    Raises:
        ApprovalError: One of its kinds, in the order of the tree; the approval is untouched.
    """
    if (answer == "edit") != (edited is not None):
        raise ValueError("An edit, and nothing else, comes with the edited request.")
    row = _row(unit, approval_id)
    known = approval_of(unit, row)
    _check_open(known, now)
    if version is not None and version != known.version:
        raise ApprovalChanged(approval_id, version=version, current=known.version)
    _check_claim(known, reviewer, now)
    amount_minor, currency = known.amount_minor, known.currency
    roles = [known.role]
    if edited is not None:
        amount_minor, currency = edited.amount_minor, edited.currency
        if not edited.needs_more:
            roles.append(edited.terms.role)
    for role in roles:
        authority.check(
            approval_id=approval_id,
            answer=answer,
            reviewer=reviewer,
            role=role,
            tool=known.tool,
            amount_minor=amount_minor,
            currency=currency,
            authors=_authors(unit, known),
            voters=[vote.reviewer for vote in known.votes],
            note=note,
        )
    if edited is not None and edited.request.tool != known.tool:
        raise ToolSwitched(known.id, tool=known.tool, edited=edited.request.tool)
    vote = Vote(reviewer.id, answer, now, note, max(0.0, (now - known.asked_at).total_seconds()))
    _keep_answer(unit, known, vote)
    if edited is not None:
        return _edit(unit, row, known, edited, vote)
    votes = (*known.votes, vote)
    values = {
        "status": _FINAL.get(answer, "approved" if len(votes) >= known.count else "pending"),
        "votes": plain_votes(votes),
        "body": seal_body(
            unit, approval_id=approval_id, conversation_id=known.conversation_id, shown=known.body, votes=votes
        ),
        **_UNCLAIMED,
    }
    return _settle(unit, row, values, answer=answer, now=now)


def spend(unit: Unit, *, approval_id: ApprovalId, version: int, digest: str) -> None:
    """Use an approval up, for the effect it was given for.

    Raises:
        ApprovalClosed: It is not approved, or was spent before.
        ApprovalChanged: What was approved is another version or another effect.
    """
    row = _row(unit, approval_id)
    if row["status"] != "approved":
        raise ApprovalClosed(approval_id, status=row["status"])
    if row["version"] != version or row["digest"] != digest:
        raise ApprovalChanged(approval_id, version=version, current=row["version"])
    _change(unit, row, {"status": "spent"})


def reopen(
    unit: Unit,
    *,
    approval_id: ApprovalId,
    body: Mapping[str, Json],
    digest: str,
    terms: ApprovalTerms,
    expires_at: datetime,
    now: datetime,
    policy_version: str | None = None,
    amount_minor: int | None = None,
    currency: str | None = None,
) -> Approval:
    """Ask again, with the difference shown in the body: what was approved is not what is true now.

    Args:
        unit: The transaction.
        approval_id: An approved one that was not spent.
        body: What to show, with the difference.
        digest: Over tool, arguments and the facts as they are now.
        terms: Who must approve now.
        expires_at: By when.
        now: When it is asked again.
        policy_version: Of the decision that asks again; None if the policy is still the same.
        amount_minor: If the money changed; None keeps the amount.
        currency: With `amount_minor`.

    Raises:
        ApprovalClosed: It is not approved.
    """
    row = _row(unit, approval_id)
    if row["status"] != "approved":
        raise ApprovalClosed(approval_id, status=row["status"])
    conversation_id = ConversationId(row["conversation_id"])
    values: dict[str, Any] = {
        "status": "pending",
        "version": row["version"] + 1,
        "votes": [],
        "digest": digest,
        "expires_at": expires_at,
        "decided_at": None,
        "edited_by": None,
        "asked_at": now,
        "body": seal_body(unit, approval_id=approval_id, conversation_id=conversation_id, shown=body),
        **_UNCLAIMED,
        **_warning(now, expires_at),
        **_terms(terms),
    }
    if policy_version is not None:
        values["policy_version"] = policy_version
    if amount_minor is not None:
        values |= {"amount_minor": amount_minor, "currency": currency}
    _change(unit, row, values)
    reopened = get(unit, approval_id=approval_id)
    _announce(unit, reopened, "approval_reopened", now)
    return reopened


def withdraw(
    unit: Unit,
    *,
    approval_id: ApprovalId,
    by: str,
    now: datetime,
    conversation_id: ConversationId | None = None,
    reason: str = "",
) -> Approval:
    """Take the question back: the customer changed their mind. Wins over a yes until that is spent.

    Args:
        unit: The transaction.
        approval_id: Which.
        by: Who takes it back: the customer, a bot for them, or a reviewer.
        now: When.
        conversation_id: Where the customer said so, by which a bot shows that it speaks for them.
        reason: Why; without a conversation it is needed.

    Raises:
        NotOfConversation: The approval waits in another conversation.
        JustificationMissing: Neither a conversation nor a reason.
        ApprovalClosed: It is neither pending nor approved.
    """
    row = _row(unit, approval_id)
    if conversation_id is not None and conversation_id != row["conversation_id"]:
        raise NotOfConversation(approval_id)
    if conversation_id is None and not reason.strip():
        raise JustificationMissing(approval_id, answer="withdraw")
    return _end(unit, approval_id, "withdrawn", of=("pending", "approved"), by=by, now=now, because=reason)


def void(unit: Unit, *, approval_id: ApprovalId, by: str, now: datetime) -> Approval:
    """End a question that has lost its object, as when a person takes the case over and settles it by hand.

    Raises:
        ApprovalClosed: It is neither pending nor approved.
    """
    return _end(unit, approval_id, "void", of=("pending", "approved"), by=by, now=now)


def warn_due(unit: Unit, *, now: datetime) -> list[Approval]:
    """Note, once per time it is asked, that an approval will expire soon, and tell whoever watches."""
    due = select(_TABLE).where(
        (_TABLE.c.status == "pending")
        & _TABLE.c.warned_at.is_(None)
        & (_TABLE.c.warns_at <= now)
        & (_TABLE.c.expires_at > now)
    )
    warned = []
    for row in unit.rows(due.order_by(_TABLE.c.expires_at, _TABLE.c.id)):
        _change(unit, row, {"warned_at": now})
        warned.append(get(unit, approval_id=ApprovalId(row["id"])))
        _announce(unit, warned[-1], "approval_warned", now)
    return warned


def expire_due(unit: Unit, *, now: datetime) -> list[Approval]:
    """Close what nobody answered in time, and tell its turns, whose fallback follows."""
    due = select(_TABLE.c.id).where((_TABLE.c.status == "pending") & (_TABLE.c.expires_at <= now))
    ids = [ApprovalId(row["id"]) for row in unit.rows(due.order_by(_TABLE.c.expires_at, _TABLE.c.id))]
    return [_end(unit, approval_id, "expired", of=("pending",), by=None, now=now) for approval_id in ids]


def of_turn(unit: Unit, *, turn_id: TurnId) -> list[Approval]:
    """A turn's approvals in the order they were asked."""
    return _many(unit, turn_id=turn_id)


def of_request(unit: Unit, *, request_id: RequestId) -> Approval | None:
    """The approval about this request, in any of its editions; None if none was asked."""
    found = unit.rows(_OF_REQUEST, request_id=request_id)
    return approval_of(unit, found[-1]) if found else None


def of_case(unit: Unit, *, case_id: CaseId) -> list[Approval]:
    """A case's approvals in the order they were asked."""
    return _many(unit, case_id=case_id)


def pending_of_conversation(unit: Unit, *, conversation_id: ConversationId) -> list[Approval]:
    """What a conversation waits for, in the order it was asked."""
    return _many(unit, conversation_id=conversation_id, status="pending")


def _edit(unit: Unit, row: Mapping[Any, Any], known: Approval, edited: EditedRequest, vote: Vote) -> Approval:
    votes = () if edited.needs_more else (vote,)
    status: ApprovalStatus = "approved" if len(votes) >= edited.terms.count else "pending"
    values: dict[str, Any] = {
        "status": status,
        "version": known.version + 1,
        "request_id": edited.request.id,
        "digest": edited.digest,
        "policy_version": edited.policy_version or known.policy_version,
        "amount_minor": edited.amount_minor,
        "currency": edited.currency,
        "edited_by": vote.reviewer if edited.needs_more else None,
        "asked_at": vote.at,
        "votes": plain_votes(votes),
        "body": seal_body(
            unit, approval_id=known.id, conversation_id=known.conversation_id, shown=edited.body, votes=votes
        ),
        **_UNCLAIMED,
        **_terms(edited.terms),
    }
    return _settle(unit, row, values, answer="edit", now=vote.at)


def _settle(unit: Unit, row: Mapping[Any, Any], values: dict[str, Any], *, answer: Answer, now: datetime) -> Approval:
    """Write an answer; if it is final, put the decision into the inbox in the same transaction."""
    is_final = values["status"] != "pending"
    _change(unit, row, {**values, "decided_at": now if is_final else None})
    settled = get(unit, approval_id=ApprovalId(row["id"]))
    if is_final:
        _tell(unit, settled, kind="decision", key="", told={"answer": answer}, now=now)
        _announce(unit, settled, "approval_ended", now)
    return settled


def _end(
    unit: Unit,
    approval_id: ApprovalId,
    status: ApprovalStatus,
    *,
    of: tuple[ApprovalStatus, ...],
    by: str | None,
    now: datetime,
    because: str = "",
) -> Approval:
    row = _row(unit, approval_id)
    if row["status"] not in of:
        raise ApprovalClosed(approval_id, status=row["status"])
    values: dict[str, Any] = {"status": status, "decided_at": now, "ended_by": by, **_UNCLAIMED}
    if because:
        known = approval_of(unit, row)
        values["body"] = seal_body(
            unit,
            approval_id=approval_id,
            conversation_id=known.conversation_id,
            shown=known.body,
            votes=known.votes,
            ended_because=because,
        )
    _change(unit, row, values)
    ended = get(unit, approval_id=approval_id)
    if status == "expired":
        _tell(unit, ended, kind="expiry", key="", told={}, now=now)
    else:
        # A key of its own: the item of a yes that came before may have been run already.
        _tell(unit, ended, kind="decision", key=f":{status}", told={"answer": status, "by": by}, now=now)
    _announce(unit, ended, "approval_ended", now)
    return ended


def _check_open(known: Approval, now: datetime) -> None:
    """Refuse whatever a person wants with an approval that is over."""
    if known.status != "pending":
        raise ApprovalClosed(known.id, status=known.status)
    if now >= known.expires_at:
        raise ApprovalExpired(known.id)


def _check_claim(known: Approval, reviewer: Reviewer, now: datetime) -> None:
    """Refuse whoever comes while somebody else is at it."""
    if known.is_claimed(now=now, by_other_than=reviewer.id):
        assert known.claimed_by is not None and known.claimed_until is not None  # noqa: S101, PT018  # it is claimed
        raise ApprovalClaimed(known.id, by=known.claimed_by, until=known.claimed_until)


def _keep_answer(unit: Unit, known: Approval, vote: Vote) -> None:
    own_claim = known.claimed_at is not None and known.claimed_by == vote.reviewer
    review_answers.keep(
        unit,
        approval_id=known.id,
        version=known.version,
        tool=known.tool,
        reviewer=vote.reviewer,
        answer=vote.answer,
        seconds_to_decide=vote.seconds_to_decide,
        seconds_of_claim=max(0.0, (vote.at - known.claimed_at).total_seconds())
        if own_claim and known.claimed_at is not None
        else None,
        now=vote.at,
    )


def _announce(unit: Unit, approval: Approval, kind: events.EventKind, now: datetime) -> None:
    ids = {
        "approval": str(approval.id),
        "version": str(approval.version),
        "status": str(approval.status),
        "queue": approval.queue,
        "role": approval.role,
        "expires_at": approval.expires_at.isoformat(),
    }
    events.put(unit, kind=kind, conversation_id=approval.conversation_id, ids=ids, now=now)


def _warning(now: datetime, expires_at: datetime) -> dict[str, Any]:
    return {"warns_at": now + WARN_AFTER * (expires_at - now), "warned_at": None}


def _tell(
    unit: Unit,
    approval: Approval,
    *,
    kind: Literal["decision", "expiry"],
    key: str,
    told: dict[str, Json],
    now: datetime,
) -> None:
    inbox.put(
        unit,
        conversation_id=approval.conversation_id,
        kind=kind,
        dedupe_key=f"{approval.id}:{approval.version}{key}",
        body={
            "approval_id": approval.id,
            "version": approval.version,
            "status": approval.status,
            "turn_id": approval.turn_id,
            **told,
        },
        now=now,
    )


def _change(unit: Unit, row: Mapping[Any, Any], values: Mapping[str, Any]) -> None:
    """Compare and set: only if nobody wrote since the row was read."""
    where = {"id": row["id"], "revision": row["revision"]}
    changed = unit.change(_TABLE, where, **{**values, "revision": row["revision"] + 1})
    if changed != 1:
        raise ApprovalChanged(row["id"], version=row["version"], current=_row(unit, row["id"])["version"])


def _authors(unit: Unit, known: Approval) -> set[str]:
    """Who asked for it: they can't approve it."""
    from_customer = unit.value(select(_CONVERSATIONS.c.customer_id).where(_CONVERSATIONS.c.id == known.conversation_id))
    return {name for name in (known.asked_by, known.edited_by, from_customer) if name}


def _terms(terms: ApprovalTerms) -> dict[str, Any]:
    return {"role": terms.role, "count": terms.count, "queue": terms.queue, "fallback": terms.fallback}


def _row(unit: Unit, approval_id: ApprovalId) -> Mapping[Any, Any]:
    row = unit.row(_TABLE, id=approval_id)
    if row is None:
        raise ApprovalNotFound(approval_id)
    return row


def _many(unit: Unit, **equals: str) -> list[Approval]:
    return [approval_of(unit, row) for row in unit.many(_TABLE, ("created_at", "id"), **equals)]
