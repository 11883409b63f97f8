"""A view holds what its customer may see, newest first into the budget, and says what it left out."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import cases, conversations, customers, evidence, recall, timeline, tokens
from memory.errors import RecordNotFound
from memory.knowledge import Passage
from memory.recall import CaseView
from memory.retrieval import Scored
from memory.store import Store, Unit
from policies.words import CaseId, ConversationId, CustomerId, EvidenceId

HERE, MAIL, OTHERS = ConversationId("here"), ConversationId("mail"), ConversationId("others")
ANNA, BEN = CustomerId("anna"), CustomerId("ben")


def _said(unit: Unit, conversation_id: ConversationId, case_id: str, text: str, at: datetime) -> None:
    timeline.append(
        unit,
        conversation_id=conversation_id,
        case_id=CaseId(case_id),
        kind="message_in",
        author="customer",
        body={"text": text},
        at=at,
    )


def _known(unit: Unit, conversation_id: ConversationId, case_id: str, name: str, at: datetime) -> None:
    evidence.add(
        unit,
        evidence_id=EvidenceId(f"{case_id}-{name}"),
        case_id=CaseId(case_id),
        conversation_id=conversation_id,
        kind="fact",
        name=name,
        value={"of": case_id},
        source="orders",
        trust=4,
        at=at,
    )


def _world(unit: Unit, now: datetime) -> None:
    """Anna's old matter by mail, her matter here, and Ben's elsewhere."""
    for conversation_id, case_id, words in (
        (MAIL, "k-mail", "my lamp is broken"),
        (OTHERS, "k-ben", "ben's secret"),
        (HERE, "k-here", "where is my order"),
    ):
        conversations.ensure(unit, conversation_id=conversation_id, channel="chat", now=now)
        cases.open_case(unit, case_id=CaseId(case_id), conversation_id=conversation_id, now=now, journey=f"j-{case_id}")
        _said(unit, conversation_id, case_id, words, now)
        _known(unit, conversation_id, case_id, "order", now)
        conversations.set_case(unit, conversation_id=conversation_id, case_id=CaseId(case_id))
    conversations.bind(unit, conversation_id=MAIL, customer_id=ANNA, assurance=2, now=now)
    conversations.bind(unit, conversation_id=OTHERS, customer_id=BEN, assurance=2, now=now)


async def _view(store: Store, budget_tokens: int = 2_000, case_id: str | None = None) -> CaseView:
    return await store.read(
        lambda unit: recall.case_view(
            unit,
            conversation_id=HERE,
            budget_tokens=budget_tokens,
            case_id=CaseId(case_id) if case_id else None,
        )
    )


@pytest.mark.parametrize("assurance", [0, 1])
async def test_p7_before_verification_a_view_holds_this_conversation_only(
    store: Store, now: datetime, assurance: int
) -> None:
    await store.write(lambda unit: _world(unit, now))
    if assurance:
        await store.write(
            lambda unit: conversations.bind(unit, conversation_id=HERE, customer_id=ANNA, assurance=assurance, now=now)
        )
    view = await _view(store)
    assert [line.text for line in view.summary] == ["where is my order"]
    assert [known.case_id for known in view.evidence] == ["k-here"]
    assert view.matters == []
    assert "lamp" not in repr(view)


async def test_p7_after_verification_it_holds_the_customers_other_open_matters_and_nobody_elses(
    store: Store, now: datetime
) -> None:
    await store.write(lambda unit: _world(unit, now))
    await store.write(
        lambda unit: conversations.bind(unit, conversation_id=HERE, customer_id=ANNA, assurance=2, now=now)
    )
    view = await _view(store)
    assert [(matter.case_id, matter.last_words) for matter in view.matters] == [("k-mail", "my lamp is broken")]
    assert "ben" not in repr(view)
    await store.write(lambda unit: cases.close(unit, case_id=CaseId("k-mail"), disposition="repaired", now=now))
    assert (await _view(store)).matters == []


async def test_p7_somebody_elses_case_is_not_shown_even_when_it_is_named(store: Store, now: datetime) -> None:
    await store.write(lambda unit: _world(unit, now))
    await store.write(
        lambda unit: conversations.bind(unit, conversation_id=HERE, customer_id=ANNA, assurance=3, now=now)
    )
    view = await _view(store, case_id="k-ben")
    assert view.case is None
    assert "secret" not in repr(view)
    assert [known.case_id for known in view.evidence] == ["k-here"]


async def test_a_case_that_goes_on_elsewhere_brings_its_story_for_the_verified_customer(
    store: Store, now: datetime
) -> None:
    def work(unit: Unit) -> None:
        _world(unit, now)
        conversations.set_case(unit, conversation_id=HERE, case_id=CaseId("k-mail"))

    await store.write(work)
    before = await _view(store)
    assert before.case is None
    assert "lamp" not in repr(before)
    await store.write(
        lambda unit: conversations.bind(unit, conversation_id=HERE, customer_id=ANNA, assurance=2, now=now)
    )
    view = await _view(store)
    assert [line.text for line in view.summary] == ["my lamp is broken", "where is my order"]
    assert view.case is not None
    assert view.case.journey == "j-k-mail"


async def test_the_budget_keeps_the_latest_and_the_view_says_what_it_left_out(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        _world(unit, now)
        for number in range(100):
            _said(
                unit,
                HERE,
                "k-here",
                f"message number {number} " + "and more words " * 5,
                now + timedelta(minutes=number),
            )
            _known(unit, HERE, "k-here", f"record-{number}", now + timedelta(minutes=number))

    await store.write(work)
    passages = [Scored(Passage(f"p{n}", "a", "1", "Title", "", "words " * 60), 0.5, 0.5) for n in range(5)]
    view = await store.read(
        lambda unit: recall.case_view(unit, conversation_id=HERE, budget_tokens=1_000, passages=passages)
    )
    assert view.tokens <= 1_000
    assert view.summary[-1].text.startswith("message number 99")
    assert view.evidence[-1].name == "record-99"
    times = [line.at for line in view.summary]
    assert times == sorted(times)
    assert any("earlier messages" in sentence for sentence in view.left_out)
    roomy = await store.read(
        lambda unit: recall.case_view(unit, conversation_id=HERE, budget_tokens=100_000, passages=passages)
    )
    assert (len(roomy.summary), len(roomy.passages), roomy.left_out) == (101, 5, [])


async def test_p8_the_view_says_what_the_customer_opted_out_of(store: Store, now: datetime) -> None:
    def work(unit: Unit) -> None:
        _world(unit, now)
        conversations.bind(unit, conversation_id=HERE, customer_id=ANNA, assurance=2, now=now)
        customers.opt_out(unit, customer_id=ANNA, purpose="marketing", evidence={}, at=now)

    await store.write(work)
    assert (await _view(store)).suppressed == {"marketing"}


async def test_a_conversation_that_is_not_there_has_no_view(store: Store) -> None:
    with pytest.raises(RecordNotFound):
        await _view(store)


@given(st.text())
def test_the_estimate_is_never_under_a_third_of_the_bytes(text: str) -> None:
    assert tokens.estimate(text) * 3 >= len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", ["9523456873 4579334072", "5e884898da28047151d0e56f8dc62927", "W2378156A W9571698B"])
def test_digits_hex_and_ids_are_estimated_as_short_tokens(text: str) -> None:
    assert tokens.estimate(text) >= (len(text) - text.count(" ")) / 1.5


def test_prose_is_not_over_estimated_beyond_use() -> None:
    text = (
        "I would like to return the blue shirt from my last order, please, and to change the address of the other one."
    )
    assert len(text.split()) <= tokens.estimate(text) <= 2 * len(text.split())


def test_tiktoken_is_not_asked_when_its_file_is_missing_or_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert tokens.exact_counter() is None
    (tmp_path / tokens._CACHE_FILE).write_bytes(b"damaged")
    assert tokens.exact_counter() is None
    assert (tmp_path / tokens._CACHE_FILE).read_bytes() == b"damaged"
