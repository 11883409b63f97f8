"""The reply joins what is to be said: disclosure first, the question last, facts in braces."""

from agents.local.drafting import draft
from agents.local.sheets import Sheets
from agents.rendering import render, values_of
from agents.tasks import Cue, Draft, DraftTask, Known, Passage, ToolProposal

ORDER = Known(id="e1", name="order", kind="receipt", subject="1", value={"order_id": "20418", "status": "paid"})
OTHER = Known(id="e2", name="order", kind="receipt", subject="2", value={"order_id": "20419", "status": "lost"})
PASSAGE = Passage(
    id="p1",
    article="returns",
    version="1",
    title="Returns {and} refunds",
    text="# Returns\nAll can be worn at home. You may send goods back within 30 days. Shipping them back is free.",
    score=0.6,
)


def write(sheets: Sheets, cues: list[Cue], journeys: list[str | None], **more: object) -> Draft:
    blank = {"cues": cues, "journeys": journeys, "known": [ORDER, OTHER], "text": "", "disclose": False}
    return draft(DraftTask.model_validate(blank | more), journeys=sheets.journeys, voice=sheets.voice)


def reply(template: str, **more: object) -> Cue:
    return Cue.model_validate({"kind": "reply", "template": template, **more})


def test_p9_templates_keep_their_placeholders(sheets: Sheets) -> None:
    assert write(sheets, [reply("status_other")], ["status"]).text == "Order {order.order_id} is {order.status}."


def test_two_cues_about_two_orders_do_not_mix_them_up(sheets: Sheets) -> None:
    cues = [reply("status_other", evidence={"order": "e1"}), reply("status_other", evidence={"order": "e2"})]
    text = write(sheets, cues, ["status", "status"]).text
    rendered = render(text, values_of([ORDER, OTHER], cues), sheets.voice)
    assert rendered.text == "Order 20418 is paid.\n\nOrder 20419 is lost."
    assert not rendered.missing


def test_p10_disclosure_comes_first_when_due_or_asked_for(sheets: Sheets) -> None:
    assert write(sheets, [reply("thanks")], [None], disclose=True).text.startswith(sheets.voice.disclosure)
    assert write(sheets, [reply("thanks")], [None], flags=["asks_if_ai"]).text.startswith(sheets.voice.disclosure)
    assert sheets.voice.disclosure not in write(sheets, [reply("thanks")], [None]).text


def test_the_question_comes_last(sheets: Sheets) -> None:
    ask = Cue(kind="ask", template="ask_order", slots=["order_id"])
    assert write(sheets, [ask, reply("status_other")], ["refund", "status"]).text.endswith("Which order?")


def test_an_upset_customer_hears_it_once_and_not_beside_a_goodbye(sheets: Sheets) -> None:
    assert "sorry" in write(sheets, [reply("denied")], ["refund"], flags=["angry"]).text
    assert "sorry" not in write(sheets, [reply("goodbye")], [None], flags=["angry"]).text
    assert "sorry" not in write(sheets, [reply("denied")], ["refund"]).text


def test_candidates_are_numbered(sheets: Sheets) -> None:
    records = [{"value": "1", "label": "boots"}, {"value": "2", "label": "lamp"}]
    ask = Cue.model_validate({"kind": "ask", "template": "ask_order", "slots": ["order_id"], "records": records})
    text = write(sheets, [ask], ["refund"]).text
    rendered = render(text, values_of([], [ask]), sheets.voice)
    assert rendered.text == "Which order?\n1. boots\n2. lamp"


def test_p3_an_unclear_answer_repeats_the_details(sheets: Sheets) -> None:
    call = ToolProposal(tool="refund_order", arguments={}, step="refund")
    again = Cue(kind="confirm", template="refund_confirm", lead="confirm_again", call=call)
    assert write(sheets, [again], ["refund"]).text == (
        "<confirm_again>\n\nRefund {amount} for {item_ids} of order {order_id}?"
    )


def test_an_answer_is_the_fitting_part_of_the_best_passage_and_cites_it(sheets: Sheets) -> None:
    worse = PASSAGE.model_copy(update={"id": "p2", "score": 0.1, "text": "Nothing."})
    cue = reply("answer", fulfils=True)
    answer = write(sheets, [cue], ["question"], passages=[worse, PASSAGE], text="How many days to send it back?")
    assert answer.text.startswith("You may send goods back within 30 days.")
    assert answer.text.endswith("[Returns and refunds]")
    assert answer.cites == ["p1"]


def test_without_a_passage_there_is_honestly_no_answer(sheets: Sheets) -> None:
    answer = write(sheets, [reply("answer", fulfils=True)], ["question"])
    assert (answer.text, answer.cites) == ("<no_answer>", [])


def test_p9_a_rewrite_leaves_out_all_but_the_templates(sheets: Sheets) -> None:
    text = write(sheets, [reply("denied")], ["refund"], flags=["angry"], hold_reasons=["tone"]).text
    assert text == "<denied>"


def test_every_cue_of_a_confirm_step_has_words_even_a_call(sheets: Sheets) -> None:
    call = Cue(kind="call", call=ToolProposal(tool="refund_order", arguments={}, step="refund"))
    assert write(sheets, [call], ["refund"]).text.startswith("Refund {amount}")
