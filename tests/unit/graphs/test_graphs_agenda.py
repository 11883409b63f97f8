"""Which cases a message is about."""

from agents.tasks import Entity, IntentGuess, IntentReading, Question
from graphs.agenda import MOST_NEW, OpenCase, plan
from policies.words import CaseId

RISK = {"question": 0, "status": 0, "address": 1, "refund": 2}
FRESH = OpenCase(CaseId("c1"), None)


def guess(journey: str, answer: str = "accept") -> IntentGuess:
    return IntentGuess(journey=journey, confidence=0.9, answer=answer)  # type: ignore[arg-type]  # a literal's word


def order(number: str, intent: int | None = None, *, negated: bool = False) -> Entity:
    return Entity(kind="order_id", value=number, text=number, start=0, end=5, intent=intent, negated=negated)


def planned(reading: IntentReading, *, current: OpenCase = FRESH, others: tuple[OpenCase, ...] = (), question=None):
    return plan(
        reading,
        current=current,
        open_cases=[current, *others],
        question=question,
        rank_of=lambda journey: (RISK[journey],),
    )


def test_the_first_wish_takes_the_case_that_has_none_yet():
    items = planned(IntentReading(act="request", intents=[guess("refund")], entities=[order("20418", 0)]))
    assert [(item.case_id, item.journey) for item in items] == [("c1", "refund")]
    assert [entity.value for entity in items[0].entities] == ["20418"]


def test_two_wishes_are_two_cases_and_what_may_wait_for_a_person_comes_last():
    items = planned(
        IntentReading(
            act="request", intents=[guess("refund"), guess("status")], entities=[order("1", 0), order("2", 1)]
        )
    )
    assert [item.journey for item in items] == ["status", "refund"]
    assert [[entity.value for entity in item.entities] for item in items] == [["2"], ["1"]]


def test_two_orders_for_one_wish_are_two_matters():
    items = planned(
        IntentReading(act="request", intents=[guess("refund")], entities=[order("20418", 0), order("20419", 0)])
    )
    assert [[entity.value for entity in item.entities] for item in items] == [["20418"], ["20419"]]
    assert [item.case_id for item in items] == ["c1", None]


def test_a_negated_order_is_no_matter_of_its_own():
    items = planned(
        IntentReading(
            act="request", intents=[guess("refund")], entities=[order("20418", 0, negated=True), order("20419", 0)]
        )
    )
    assert len(items) == 1


def test_an_answer_goes_to_the_case_that_asked():
    waiting = OpenCase(CaseId("c2"), "address")
    items = planned(
        IntentReading(act="inform", entities=[order("20418")]),
        current=OpenCase(CaseId("c1"), "status"),
        others=(waiting,),
        question=Question(kind="slot", case_id="c2", slots=["order_id"]),
    )
    assert [item.case_id for item in items] == ["c2"]
    assert items[0].entities[0].value == "20418"


def test_an_answer_and_a_new_wish_in_one_message_are_both_kept():
    items = planned(
        IntentReading(act="confirm", intents=[guess("question")]),
        current=OpenCase(CaseId("c1"), "refund"),
        question=Question(kind="confirm", case_id="c1"),
    )
    assert [(item.case_id, item.journey) for item in items] == [("c1", None), (None, "question")]


def test_a_wish_that_is_open_already_continues_its_case():
    items = planned(IntentReading(act="request", intents=[guess("refund")]), current=OpenCase(CaseId("c1"), "refund"))
    assert [item.case_id for item in items] == ["c1"]


def test_one_message_opens_only_so_many_cases():
    entities = [order(str(number), 0) for number in range(20)]
    items = planned(IntentReading(act="request", intents=[guess("refund")], entities=entities))
    assert sum(item.case_id is None for item in items) == MOST_NEW


def test_a_message_without_a_wish_stays_with_the_case_in_hand():
    items = planned(IntentReading(act="other"), current=OpenCase(CaseId("c1"), "refund"))
    assert [item.case_id for item in items] == ["c1"]
