from agents.tasks import Question
from evals.questions import Asked, Given, repeated_questions


def asked(place: int, *slots: str, text: str = "", records: bool = False) -> Asked:
    question = Question(kind="slot", case_id="case-1", slots=list(slots), records=[{"value": "1"}] if records else [])
    return Asked(place, question, text or f"What is {slots}, asked at {place}?")


def test_asking_for_what_was_said_before_is_a_repeated_question() -> None:
    found = repeated_questions([asked(1, "email", "postcode")], [Given(0, "email", "mira.okafor@example.org")], [])
    assert [(one.place, one.kind, one.slots) for one in found] == [(1, "given", ("email",))]


def test_asking_for_what_is_said_only_later_is_not() -> None:
    assert repeated_questions([asked(0, "email")], [Given(1, "email", "mira.okafor@example.org")], []) == []


def test_asking_again_for_what_was_refused_since_is_needed() -> None:
    given = [Given(1, "order_id", "99999")]
    refused = [(1, frozenset({"99999"}))]
    assert repeated_questions([asked(1, "order_id")], given, refused) == []
    assert repeated_questions([asked(1, "order_id")], given, [(1, frozenset({"20418"}))]) != []


def test_which_of_the_shown_records_is_another_question() -> None:
    assert repeated_questions([asked(1, "order_id", records=True)], [Given(0, "order_id", "2041")], []) == []


def test_the_same_words_a_second_time_are_a_repeated_question_even_without_slots() -> None:
    found = repeated_questions([asked(0, text="Pardon?"), asked(2, text="Pardon?")], [], [])
    assert [(one.place, one.kind) for one in found] == [(2, "verbatim")]


def test_a_question_counts_once_whatever_is_wrong_with_it() -> None:
    same = [asked(1, "email", text="Your e-mail?"), asked(2, "email", text="Your e-mail?")]
    found = repeated_questions(same, [Given(0, "email", "a@example.org")], [])
    assert [(one.place, one.kind) for one in found] == [(1, "given"), (2, "given")]
