"""The interpreter walks a journey: it looks up before it asks, confirms before it acts, and never goes round."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from agents.journeys import Choose, Need
from agents.local.checks import due_check
from agents.local.cues import next_cue
from agents.local.sheets import Sheets
from agents.tasks import AuthenticationAdvice, Question, ToolProposal, WorkflowTask
from policies.canonical import digest
from policies.words import Json

Make = Callable[..., WorkflowTask]

ORDERS = {
    "id": "e-orders",
    "name": "orders",
    "kind": "receipt",
    "value": {
        "orders": [{"order_id": "20418", "items": "Walking boots"}, {"order_id": "20419", "items": "Wool blanket"}]
    },
}
ORDER = {
    "id": "e-order",
    "name": "order",
    "kind": "receipt",
    "subject": "20418",
    "value": {
        "order_id": "20418",
        "status": "returned",
        "total": {"amount_minor": 14890, "currency": "EUR"},
        "items": [{"item_id": "a", "name": "Walking boots", "variant": "brown"}, {"item_id": "b", "name": "Socks"}],
    },
}
LISTED = {"request_id": "r1", "tool": "list_orders", "arguments": {}, "step": "list", "state": "committed"}
LOOKED = {
    "request_id": "r2",
    "tool": "get_order",
    "arguments": {"order_id": "20418"},
    "step": "look",
    "state": "committed",
}
ELIGIBLE = {"step": "eligible", "verdict": "eligible"}
REFUND = {"order_id": "20418", "item_ids": ["a"], "amount_minor": 14890, "currency": "EUR"}


def said(name: str, value: Json, row: str = "") -> dict[str, Json]:
    return {"id": row or f"s-{name}", "name": name, "kind": "customer", "value": value}


def tried(state: str, **more: Json) -> dict[str, Json]:
    return {"request_id": "r9", "tool": "refund_order", "arguments": REFUND, "step": "refund", "state": state, **more}


READY: dict[str, object] = {
    "known": [said("order_id", "20418"), said("items", "boots"), ORDER],
    "attempts": [LOOKED],
    "eligibility": [ELIGIBLE],
}


def ready(**more: object) -> dict[str, object]:
    attempts = more.pop("attempts", [])
    return READY | more | {"attempts": [LOOKED, *attempts]}  # type: ignore[misc]  # lists by construction


def test_identity_comes_first_and_the_check_is_the_advised_one(sheets: Sheets, task: Make) -> None:
    call = ToolProposal(tool="verify", arguments={"email": "a@example.org", "postcode": "1"})
    cue = next_cue(task(authentication=AuthenticationAdvice(state="verify", call=call)), sheets)
    assert (cue.kind, cue.call) == ("call", call)


def test_identity_is_asked_for_in_words_that_fit(sheets: Sheets, task: Make) -> None:
    def template(ask: list[str], **more: object) -> str:
        return next_cue(task(authentication=AuthenticationAdvice(state="ask", ask=ask), **more), sheets).template

    failed = {"request_id": "v", "tool": "verify", "arguments": {}, "state": "failed"}
    assert template(["email", "postcode"]) == "ask_identity"
    assert template(["postcode"]) == "ask_identity_postcode"
    assert template(["email", "postcode"], attempts=[failed]) == "ask_identity_again"


def test_giving_up_on_identity_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(authentication=AuthenticationAdvice(state="give_up")), sheets)
    assert (cue.kind, cue.template) == ("escalate", "identity_locked")


def test_the_list_is_read_before_the_customer_is_asked(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(), sheets)
    assert cue.kind == "call"
    assert cue.call is not None
    assert (cue.call.tool, cue.call.arguments, cue.call.step) == ("list_orders", {}, "list")


def test_the_list_is_not_read_when_the_order_was_named(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(known=[said("order_id", "20418")]), sheets)
    assert cue.call is not None
    assert (cue.call.tool, cue.call.arguments) == ("get_order", {"order_id": "20418"})
    assert cue.call.provenance["order_id"].origin == "customer"
    assert cue.call.provenance["order_id"].ref == "s-order_id"


def test_several_candidates_are_offered(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(known=[ORDERS], attempts=[LISTED]), sheets)
    assert (cue.kind, cue.template, cue.slots) == ("ask", "ask_order", ["order_id"])
    assert [record["value"] for record in cue.records] == ["20418", "20419"]


def test_what_was_called_by_name_is_picked_from_the_list_with_the_list_as_its_source(
    sheets: Sheets, task: Make
) -> None:
    cue = next_cue(task(known=[ORDERS, said("items", "the boots")], attempts=[LISTED]), sheets)
    assert cue.call is not None
    assert cue.call.arguments == {"order_id": "20418"}
    assert (cue.call.provenance["order_id"].origin, cue.call.provenance["order_id"].ref) == ("evidence", "e-orders")


def test_one_candidate_is_taken_unasked(sheets: Sheets, task: Make) -> None:
    only = ORDERS | {"value": {"orders": [{"order_id": "20419", "items": "Wool blanket"}]}}
    cue = next_cue(task(known=[only], attempts=[LISTED]), sheets)
    assert cue.call is not None
    assert cue.call.arguments == {"order_id": "20419"}


def test_only_records_that_can_be_meant_are_offered_but_one_named_by_id_is_looked_up(
    sheets: Sheets, task: Make
) -> None:
    listed = ORDERS | {
        "value": {
            "orders": [
                {"order_id": "20418", "items": "Walking boots", "status": "delivered"},
                {"order_id": "20419", "items": "Wool blanket", "status": "paid"},
            ]
        }
    }
    choose = Choose(source="orders.orders", value="order_id", label=["items"], only={"status": ["paid"]})
    need = Need(slot="order_id", kind="order_id", ask="ask_order", choose=choose)
    journey = sheets.journeys["status"].model_copy(update={"needs": [need]})
    narrowed = replace(sheets, journeys={**sheets.journeys, "status": journey})
    cue = next_cue(task(journey="status", known=[listed], attempts=[LISTED]), narrowed)
    assert cue.call is not None
    assert cue.call.arguments == {"order_id": "20419"}
    cue = next_cue(task(journey="status", known=[listed, said("order_id", "20418")], attempts=[LISTED]), narrowed)
    assert cue.call is not None
    assert cue.call.arguments == {"order_id": "20418"}


def test_nothing_to_choose_from_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(known=[ORDERS | {"value": {"orders": []}}], attempts=[LISTED]), sheets)
    assert cue.kind == "escalate"


def test_what_was_chosen_once_stays_chosen_in_later_turns(sheets: Sheets, task: Make) -> None:
    known = [ORDERS, ORDER, said("all", True)]
    later = task(known=known, attempts=[LISTED, LOOKED], eligibility=[ELIGIBLE], text="yes")
    cue = next_cue(later, sheets)
    assert cue.call is not None
    assert cue.call.arguments["order_id"] == "20418"


def test_an_id_that_was_not_found_is_asked_for_again_and_then_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    failed = LOOKED | {"state": "failed", "code": "not_found", "this_turn": True}
    fields: dict[str, object] = {"known": [said("order_id", "20418")], "attempts": [failed]}
    cue = next_cue(task(**fields), sheets)
    assert (cue.kind, cue.template, cue.slots) == ("ask", "order_not_found", ["order_id"])
    assert next_cue(task(**fields, asked={"order_id": 3}), sheets).kind == "escalate"
    corrected = next_cue(task(known=[said("order_id", "20419")], attempts=[failed]), sheets)
    assert corrected.call is not None
    assert corrected.call.arguments == {"order_id": "20419"}


def test_a_due_check_comes_with_its_inputs_and_the_call_whose_facts_it_reads(sheets: Sheets, task: Make) -> None:
    due = due_check(task(**ready(eligibility=[])), sheets.journeys)
    assert due is not None
    assert due.step.id == "eligible"
    assert (due.inputs, due.fact_inputs) == ({"order.status": "returned"}, {"days": "order.days"})
    assert (due.tool, due.arguments) == ("refund_order", REFUND)


def test_no_check_is_due_before_its_turn_or_after_its_verdict(sheets: Sheets, task: Make) -> None:
    assert due_check(task(known=[said("order_id", "20418")]), sheets.journeys) is None
    assert due_check(task(**ready()), sheets.journeys) is None


def test_a_verdict_on_another_order_counts_no_more(sheets: Sheets, task: Make) -> None:
    stale = ELIGIBLE | {"about": REFUND | {"order_id": "20419"}}
    assert due_check(task(**ready(eligibility=[stale])), sheets.journeys) is not None
    assert due_check(task(**ready(eligibility=[ELIGIBLE | {"about": REFUND}])), sheets.journeys) is None


def test_an_ineligible_customer_is_told_why_and_the_case_ends(sheets: Sheets, task: Make) -> None:
    # The items were picked from the order, so asking for them again would not help.
    late = next_cue(task(**ready(eligibility=[{"step": "eligible", "verdict": "too_late"}])), sheets)
    assert (late.kind, late.template, late.ends) == ("reply", "refund_too_late", True)
    other = next_cue(task(**ready(eligibility=[{"step": "eligible", "verdict": "whatever"}])), sheets)
    assert other.template == "refund_no"
    assert other.values["order_id"] == "20418"


def test_p12_an_undecided_check_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(**ready(eligibility=[{"step": "eligible", "verdict": "unknown"}])), sheets)
    assert cue.kind == "escalate"


def test_p3_details_are_shown_before_a_consequential_call(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(**ready()), sheets)
    assert (cue.kind, cue.template) == ("confirm", "refund_confirm")
    assert cue.call is not None
    assert cue.call.arguments == REFUND
    origins = {name: source.origin for name, source in cue.call.provenance.items()}
    assert origins == {
        "order_id": "customer",
        "item_ids": "evidence",
        "amount_minor": "evidence",
        "currency": "playbook",
    }
    assert cue.values["amount"] == {"amount_minor": 14890, "currency": "EUR"}
    assert cue.values["item_ids"] == ["Walking boots, brown"]
    assert cue.evidence["order"] == "e-order"


def test_p3_a_confirmation_of_these_very_details_lets_the_call_go(sheets: Sheets, task: Make) -> None:
    mark = digest({"tool": "refund_order", "arguments": REFUND})
    yes = {"evidence_id": "c1", "request_digest": mark}
    assert next_cue(task(**ready(confirmations=[yes])), sheets).kind == "call"
    assert next_cue(task(**ready(confirmations=[yes | {"spent": True}])), sheets).kind == "confirm"
    assert next_cue(task(**ready(confirmations=[yes | {"request_digest": "other"}])), sheets).kind == "confirm"


def test_p3_a_confirmation_holds_for_the_arguments_as_the_registry_completed_them(sheets: Sheets, task: Make) -> None:
    completed = REFUND | {"reason": None}
    yes = {"evidence_id": "c1", "request_digest": digest({"tool": "refund_order", "arguments": completed})}
    shown = tried("needs_confirmation") | {"arguments": completed}
    assert next_cue(task(**ready(confirmations=[yes], attempts=[shown])), sheets).kind == "call"


def asked_to_confirm() -> Question:
    mark = digest({"tool": "refund_order", "arguments": REFUND})
    return Question(kind="confirm", case_id="c", slots=["confirmation:refund"], request_digest=mark)


def test_p3_a_no_ends_the_matter_unchanged(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(**ready(question=asked_to_confirm(), answer="no")), sheets)
    assert (cue.kind, cue.template, cue.ends) == ("reply", "declined", True)


def test_p3_an_unclear_answer_is_asked_once_more_and_then_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    question = asked_to_confirm()
    once = next_cue(task(**ready(question=question, answer="unclear", asked={"confirmation:refund": 1})), sheets)
    assert (once.kind, once.lead, once.template) == ("confirm", "confirm_again", "refund_confirm")
    twice = next_cue(task(**ready(question=question, answer="unclear", asked={"confirmation:refund": 2})), sheets)
    assert twice.kind == "escalate"
    shown = [tried("needs_confirmation"), tried("needs_confirmation")]
    assert next_cue(task(**ready(question=question, answer="unclear", attempts=shown)), sheets).kind == "escalate"


def test_a_plain_no_to_a_question_drops_the_matter(sheets: Sheets, task: Make) -> None:
    question = Question(kind="slot", case_id="c", slots=["order_id"])
    cue = next_cue(task(known=[ORDERS], attempts=[LISTED], question=question, act="decline"), sheets)
    assert (cue.template, cue.ends) == ("declined", True)


def test_p3_a_correction_is_shown_anew_instead_of_being_taken_as_a_no(sheets: Sheets, task: Make) -> None:
    known = [said("order_id", "20418"), said("items", "socks"), ORDER]
    cue = next_cue(task(**ready(known=known, question=asked_to_confirm(), answer="no")), sheets)
    assert (cue.kind, cue.template) == ("confirm", "refund_confirm")
    assert cue.call is not None
    assert cue.call.arguments["item_ids"] == ["b"]


@pytest.mark.parametrize(
    ("attempt", "kind", "template", "ends"),
    [
        (tried("waiting", this_turn=True), "wait", "refund_waiting", False),
        (tried("waiting"), "wait", "still_waiting", False),
        (tried("unknown", this_turn=True), "wait", "reconciling", False),
        (tried("rejected", this_turn=True, message="too old"), "reply", "refund_rejected", True),
        (tried("responded", this_turn=True, message="send a photo"), "reply", "responded", True),
        (tried("withdrawn", this_turn=True), "reply", "withdrawn", True),
        (tried("expired", this_turn=True), "escalate", "expired", False),
        (tried("denied", this_turn=True, code="some-rule"), "reply", "denied", False),
        (tried("failed", this_turn=True, code="already_refunded"), "reply", "refund_already", True),
        (tried("failed", this_turn=True, code="strange"), "escalate", "escalated", False),
        (tried("failed", this_turn=True, code="unavailable"), "escalate", "unavailable", False),
        (tried("denied", code="some-rule"), "escalate", "escalated", False),
        (tried("rejected"), "escalate", "escalated", False),
        (tried("escalated", this_turn=True), "escalate", "escalated", False),
    ],
)
def test_what_became_of_an_attempt_decides_the_cue(
    sheets: Sheets, task: Make, attempt: dict[str, Json], kind: str, template: str, ends: bool
) -> None:
    mark = digest({"tool": "refund_order", "arguments": REFUND})
    cue = next_cue(
        task(**ready(attempts=[attempt], confirmations=[{"evidence_id": "c", "request_digest": mark}])), sheets
    )
    assert (cue.kind, cue.template, cue.ends) == (kind, template, ends)


def test_the_words_of_the_person_who_decided_reach_the_template(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(**ready(attempts=[tried("rejected", this_turn=True, message="too old")])), sheets)
    assert cue.values["approval"] == {"message": "too old"}


def test_a_system_that_was_down_is_tried_again_in_a_later_turn(sheets: Sheets, task: Make) -> None:
    mark = digest({"tool": "refund_order", "arguments": REFUND})
    yes = [{"evidence_id": "c", "request_digest": mark}]
    cue = next_cue(task(**ready(attempts=[tried("failed", code="unavailable")], confirmations=yes)), sheets)
    assert cue.kind == "call"


def test_the_goal_is_reached_when_every_step_is_done(sheets: Sheets, task: Make) -> None:
    receipt = {
        "id": "e-r",
        "name": "refund",
        "kind": "receipt",
        "value": {"amount": {"amount_minor": 14890, "currency": "EUR"}},
    }
    cue = next_cue(
        task(**ready(known=[*READY["known"], receipt], attempts=[tried("committed", this_turn=True)])), sheets
    )  # type: ignore[misc]  # a list
    assert (cue.template, cue.fulfils, cue.ends) == ("refund_done", True, True)


def test_p2_what_a_reviewer_edited_and_was_done_is_not_done_again_as_proposed(sheets: Sheets, task: Make) -> None:
    edited = tried("committed", this_turn=True) | {"arguments": REFUND | {"amount_minor": 100}}
    cue = next_cue(task(**ready(attempts=[edited])), sheets)
    assert (cue.kind, cue.template, cue.fulfils) == ("reply", "refund_done", True)


def test_the_closing_reply_follows_from_evidence(sheets: Sheets, task: Make) -> None:
    def template(status: str) -> str:
        order = ORDER | {"value": {"order_id": "20418", "status": status}}
        fields = {"known": [said("order_id", "20418"), order], "attempts": [LOOKED]}
        return next_cue(task(journey="status", **fields), sheets).template

    assert (template("shipped"), template("lost")) == ("status_shipped", "status_other")


def test_the_evidence_of_the_record_in_hand_is_used(sheets: Sheets, task: Make) -> None:
    other = ORDER | {"id": "e-other", "subject": "20419", "value": {"order_id": "20419", "status": "shipped"}}
    fields = {"known": [said("order_id", "20418"), ORDER, other], "attempts": [LOOKED]}
    cue = next_cue(task(journey="status", **fields), sheets)
    assert (cue.template, cue.evidence["order"]) == ("status_other", "e-order")


def test_no_call_is_made_twice_in_a_turn(sheets: Sheets, task: Make) -> None:
    """A read that committed without leaving its list would be proposed for ever."""
    stuck = LOOKED | {"tool": "list_orders", "arguments": {}, "step": "odd", "this_turn": True}
    cue = next_cue(task(attempts=[stuck]), sheets)
    assert cue.kind == "escalate"


def test_what_is_asked_too_often_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(known=[ORDERS], attempts=[LISTED], asked={"order_id": 3}), sheets)
    assert cue.kind == "escalate"


def test_p10_a_wish_for_a_person_comes_before_everything(sheets: Sheets, task: Make) -> None:
    waiting = AuthenticationAdvice(state="ask", ask=["email"])
    assert next_cue(task(flags=["asks_person"], authentication=waiting), sheets).kind == "escalate"
    assert next_cue(task(journey="person"), sheets).kind == "escalate"


def test_p10_who_wants_a_person_if_it_can_not_be_done_gets_one_when_it_can_not(sheets: Sheets, task: Make) -> None:
    late = [{"step": "eligible", "verdict": "too_late"}]
    assert next_cue(task(**ready(eligibility=late, flags=["asks_person_otherwise"])), sheets).kind == "escalate"


def test_p5_a_waiting_request_is_answered_for(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(journey=None, act="status", pending=[tried("waiting")]), sheets)
    assert (cue.kind, cue.template) == ("wait", "still_waiting")


def test_small_talk_without_a_matter(sheets: Sheets, task: Make) -> None:
    def template(act: str, **more: object) -> str:
        return next_cue(task(journey=None, act=act, **more), sheets).template

    assert [template(act) for act in ("greeting", "thanks", "goodbye")] == ["greeting", "thanks", "goodbye"]
    assert template("other") == "not_understood"
    assert template("other", asked={"not_understood": 2}) == "escalated"


def test_two_matters_that_fit_are_offered_by_their_titles(sheets: Sheets, task: Make) -> None:
    cue = next_cue(task(journey=None, act="request", clarify=["refund", "status", "unheard_of"]), sheets)
    assert (cue.kind, cue.template, list(cue.options)) == ("ask", "clarify", ["refund", "status"])
    assert cue.values["options"] == ["a refund", "where an order is"]


def test_a_question_is_answered_or_honestly_not(sheets: Sheets, task: Make) -> None:
    assert next_cue(task(journey="question", passages=["p1"]), sheets).fulfils
    nothing = next_cue(task(journey="question", passages=[]), sheets)
    assert (nothing.template, nothing.fulfils, nothing.ends) == ("no_answer", False, True)


def test_an_open_matter_takes_one_tool_whose_arguments_are_known(sheets: Sheets, task: Make) -> None:
    text = "how much did I pay for order 20418"
    cue = next_cue(task(journey="browse", text=text, known=[said("order_id", "20418")]), sheets)
    assert cue.call is not None
    assert (cue.call.tool, cue.call.arguments) == ("get_order", {"order_id": "20418"})
    done = LOOKED | {"step": "", "this_turn": True}
    reply = next_cue(
        task(journey="browse", text=text, known=[said("order_id", "20418"), ORDER], attempts=[done]), sheets
    )
    assert (reply.kind, reply.template, reply.fulfils) == ("reply", "result_order", True)


def test_an_open_matter_that_does_not_bind_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    assert next_cue(task(journey="browse", text="how much did I pay for order"), sheets).kind == "escalate"
    assert next_cue(task(journey="browse", text="plan me a surprise party"), sheets).kind == "escalate"


def test_a_journey_nobody_knows_goes_to_a_person(sheets: Sheets, task: Make) -> None:
    assert next_cue(task(journey="unheard_of", act="request"), sheets).kind in {"ask", "escalate"}
