"""Open journeys without a model: which one tool a message asks for."""

from agents.local.openings import choose_tool
from agents.local.sheets import ToolCard

LOOK = ToolCard("get_order", "read", "order", examples=("what is the status of order 20418", "what is in order 20418"))
CANCEL = ToolCard("cancel_order", "write", "order", examples=("cancel order 20418", "please cancel my order"))


def test_a_message_that_asks_to_read_is_answered_by_the_tool_that_reads_it() -> None:
    assert choose_tool("what is the status of order 20731", [LOOK, CANCEL]) is LOOK


def test_a_message_that_asks_for_a_change_is_not_answered_by_reading_something() -> None:
    assert choose_tool("please cancel order 20731", [LOOK, CANCEL]) is None


def test_a_message_like_no_example_chooses_nothing() -> None:
    assert choose_tool("my neighbour's cat", [LOOK, CANCEL]) is None
