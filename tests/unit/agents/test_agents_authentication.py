"""The next identity check follows from the methods and from what is known, failed and lacking."""

from collections.abc import Mapping, Sequence

from agents.local.authentication import next_check
from agents.local.sheets import Sheets
from agents.tasks import AuthenticationAdvice, AuthenticationTask
from policies.words import Json


def advise(
    sheets: Sheets,
    known: Mapping[str, Json],
    *,
    failed: Sequence[dict[str, Json]] = (),
    asked: int = 0,
    cannot: Sequence[str] = (),
    current: int = 0,
) -> AuthenticationAdvice:
    task = AuthenticationTask(
        needed=2, current=current, known=dict(known), failed=list(failed), asked=asked, cannot=list(cannot)
    )
    return next_check(task, sheets.methods)


MIRA = {"email": "mira@example.org", "postcode": "10115"}


def test_enough_is_enough(sheets: Sheets) -> None:
    assert advise(sheets, {}, current=2).state == "enough"


def test_p7_what_is_known_is_checked_and_not_asked_for(sheets: Sheets) -> None:
    advice = advise(sheets, MIRA)
    assert advice.state == "verify"
    assert advice.call is not None
    assert advice.call.arguments == MIRA


def test_the_first_method_is_asked_for_in_one_question(sheets: Sheets) -> None:
    assert advise(sheets, {}).ask == ["email", "postcode"]


def test_only_what_is_missing_of_the_nearest_method_is_asked_for(sheets: Sheets) -> None:
    assert advise(sheets, {"order_id": "20418"}).ask == ["postcode"]


def test_what_the_customer_has_not_got_is_not_asked_for(sheets: Sheets) -> None:
    assert advise(sheets, {}, cannot=["email"]).ask == ["order_id", "postcode"]
    assert advise(sheets, {}, cannot=["postcode"]).state == "give_up"


def test_p7_a_combination_that_failed_is_not_tried_again(sheets: Sheets) -> None:
    advice = advise(sheets, MIRA, failed=[MIRA])
    assert advice.state == "ask"
    assert "postcode" in advice.ask
    assert advise(sheets, MIRA | {"postcode": "10117"}, failed=[MIRA]).state == "verify"


def test_p7_after_three_failures_or_three_questions_it_gives_up(sheets: Sheets) -> None:
    failures: list[dict[str, Json]] = [{"email": f"{n}@example.org", "postcode": "1"} for n in range(3)]
    assert advise(sheets, MIRA, failed=failures).state == "give_up"
    assert advise(sheets, {}, asked=3).state == "give_up"
