"""P3, P4: whatever is done to an approval in whatever order, a refusal changes nothing, and it is spent once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from memory import approvals, conversations, schema
from memory.approvals import Approval, EditedRequest, Reviewer
from memory.errors import ApprovalError
from memory.unit import Unit
from memory.vault import KeyCache, Vault
from policies.words import (
    ActionRequest,
    ApprovalId,
    ApprovalTerms,
    CaseId,
    ConversationId,
    RequestId,
    TurnId,
)

C1, A1 = ConversationId("c1"), ApprovalId("a1")
LEASE = timedelta(minutes=5)
PEOPLE = (
    Reviewer("rita", "reviewer"),
    Reviewer("rob", "reviewer", {"EUR": 5_000}),
    Reviewer("ruth", "reviewer", actions={"cancel_order": None}),
    Reviewer("rosa", "reviewer", actions={"refund_order": {"EUR": 20_000}}),
    Reviewer("sam", "supervisor"),
    Reviewer("sue", "supervisor"),
    Reviewer("a bot", "bot"),
    Reviewer("workflow", "admin"),
)
LIVE = ("pending", "approved")
TABLES = ("approvals", "inbox", "review_answers", "events")


@dataclass
class Desk:
    """One approval and everything that is written beside it, seen as rows."""

    unit: Unit
    now: datetime
    edits: int = 0
    spent: int = 0

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        tables = schema.METADATA.tables
        return {name: [dict(row) for row in self.unit.rows(tables[name].select())] for name in TABLES}

    def standing(self) -> Approval:
        return approvals.get(self.unit, approval_id=A1)

    def do(self, step: "Step") -> None:
        """Try one step: either it is taken, or it is refused with a typed error and not a byte has moved."""
        before, known = self.rows(), self.standing()
        point = self.unit.connection.begin_nested()
        refusal: ApprovalError | None = None
        try:
            self._try(step)
        except ApprovalError as refused:
            refusal = refused
        if refusal is None:
            point.commit()
            self._check(step, known)
            return
        # Looked at before the transaction is rolled back: the refusal itself wrote nothing.
        assert self.rows() == before, type(refusal).__name__
        point.rollback()

    def _try(self, step: "Step") -> None:
        person, version = step.person, self.standing().version + step.version
        match step.what:
            case "wait":
                self.now += timedelta(minutes=step.minutes)
            case "tick":
                approvals.warn_due(self.unit, now=self.now)
                approvals.expire_due(self.unit, now=self.now)
            case "claim":
                approvals.claim(self.unit, approval_id=A1, reviewer=person, lease=LEASE, now=self.now)
            case "renew":
                approvals.renew_claim(self.unit, approval_id=A1, reviewer=person, lease=LEASE, now=self.now)
            case "release":
                approvals.release_claim(self.unit, approval_id=A1, reviewer=person)
            case "withdraw":
                where = {0: C1, 1: ConversationId("c2")}.get(step.version)
                approvals.withdraw(
                    self.unit, approval_id=A1, by=person.id, now=self.now, conversation_id=where, reason=step.note
                )
            case "spend":
                digest = self.standing().digest if step.version == 0 else "another"
                approvals.spend(self.unit, approval_id=A1, version=version, digest=digest)
                self.spent += 1
            case "reopen":
                self._reopen()
            case "edit":
                self._decide(step, version, edited=self._edited(step))
            case answer:
                self._decide(step, version, answer=answer)

    def _decide(self, step: "Step", version: int, *, answer: Any = "edit", edited: EditedRequest | None = None) -> None:
        approvals.decide(
            self.unit,
            approval_id=A1,
            answer=answer,
            reviewer=step.person,
            version=version,
            note=step.note,
            edited=edited,
            now=self.now,
        )

    def _edited(self, step: "Step") -> EditedRequest:
        self.edits += 1
        tool = "refund_order" if step.minutes % 7 else "close_account"
        request = ActionRequest(RequestId(f"r{self.edits}"), tool, {"amount_minor": 100 * step.minutes}, "reviewer")
        return EditedRequest(
            request=request,
            digest=f"edited {self.edits}",
            terms=ApprovalTerms(count=1 + step.minutes % 2),
            body={"summary": "edited"},
            needs_more=step.minutes % 3 == 0,
            amount_minor=100 * step.minutes,
            currency="EUR",
        )

    def _reopen(self) -> None:
        approvals.reopen(
            self.unit,
            approval_id=A1,
            body={"summary": "again", "difference": {"x": 1}},
            digest=f"reopened {self.standing().version}",
            terms=ApprovalTerms(),
            expires_at=self.now + timedelta(hours=4),
            now=self.now,
        )

    def _check(self, step: "Step", known: Approval) -> None:
        """What must hold after a step that was taken."""
        now = self.standing()
        assert self.spent <= 1
        if step.what in {"approve", "edit", "reject", "respond"}:
            assert known.status == "pending"
            assert self.now < known.expires_at
            assert not known.is_claimed(now=self.now, by_other_than=step.person.id)
            assert step.person.role != "bot"
            assert step.person.id not in {"workflow", known.edited_by, *(vote.reviewer for vote in known.votes)}
            assert now.claimed_by is None
        if step.what == "spend":
            assert (known.status, step.version) == ("approved", 0)
        if step.what in {"claim", "renew"}:
            assert now.claimed_by == step.person.id
            assert not known.is_claimed(now=self.now, by_other_than=step.person.id)
        if known.status not in LIVE:
            assert (now.status, now.version, now.votes) == (known.status, known.version, known.votes)
        assert len({vote.reviewer for vote in now.votes}) == len(now.votes)
        if now.status in {"approved", "spent"}:
            assert now.yes_count >= now.count
        told = [event["kind"] for event in self.rows()["events"]]
        assert told.count("approval_warned") <= 1 + told.count("approval_reopened")


@dataclass(frozen=True)
class Step:
    """Something that somebody tries."""

    what: str
    person: Reviewer
    version: int
    """Off from the one that stands."""
    note: str
    minutes: int


STEPS = st.builds(
    Step,
    what=st.sampled_from(
        ["approve", "approve", "edit", "reject", "respond", "claim", "claim", "renew", "release", "withdraw", "spend"]
    )
    | st.sampled_from(["reopen", "wait", "tick"]),
    person=st.sampled_from(PEOPLE),
    version=st.sampled_from([0, 0, 0, 0, 1, -1]),
    note=st.sampled_from(["", "  ", "because"]),
    minutes=st.integers(1, 150),
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = create_engine("sqlite://", poolclass=StaticPool)
    with made.begin() as connection:
        schema.METADATA.create_all(connection)
    return made


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(STEPS, min_size=3, max_size=30), count=st.sampled_from([1, 2]), amount=st.sampled_from([None, 9_000])
)
def test_p3_p4_no_order_of_steps_breaks_an_approval(
    engine: Engine, steps: list[Step], count: int, amount: int | None
) -> None:
    start = datetime.fromisoformat("2026-11-21T09:00:00+00:00")
    with engine.connect() as connection:
        unit = Unit(connection, Vault(connection, KeyCache(bytes(32))))
        conversations.ensure(unit, conversation_id=C1, channel="chat", now=start)
        approvals.open_approval(
            unit,
            approval_id=A1,
            request_id=RequestId("r0"),
            turn_id=TurnId("t1"),
            case_id=CaseId("k1"),
            conversation_id=C1,
            tool="refund_order",
            digest="d1",
            policy_version="p1",
            terms=ApprovalTerms(count=count),
            amount_minor=amount,
            currency="EUR",
            asked_by="workflow",
            body={"summary": "Refund"},
            expires_at=start + timedelta(hours=4),
            now=start,
        )
        desk = Desk(unit, start)
        for step in steps:
            desk.do(step)
        connection.rollback()
