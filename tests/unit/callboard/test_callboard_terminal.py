"""What people see in a terminal of the usual width: nothing is cut off, ids can be pasted, money reads as money."""

from io import StringIO
from typing import Any

from rich.console import Console, RenderableType

from callboard.chatting import Chat
from callboard.connection import Api
from callboard.terminal import approval_card, approvals_table, case_view, keys_table

APPROVAL_ID = "apr-18c831ecdab24d6184ebc879401ecada-3"
LONG_REPLY = (
    "I can refund 148.90 EUR to your card ending 4417 for order 20418: Walking boots (EU 41). Shall I go ahead?"
)


def printed(view: RenderableType, *, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width).print(view)
    return out.getvalue()


def approval(**changes: Any) -> dict[str, Any]:
    return {
        "approval_id": APPROVAL_ID,
        "status": "pending",
        "version": 1,
        "summary": "Refund 148.90 EUR for order 20418",
        "votes": 0,
        "needed": 2,
        "role": "supervisor",
        "expires_at": "2026-11-21T16:00:46.233457Z",
        "claimed_by": None,
        "claimed_until": None,
        "ended_by": None,
        "ended_because": "",
        "additions": [],
        "details": {
            "arguments": {"order_id": "20418", "amount_minor": 14890, "currency": "EUR"},
            "provenance": {"amount_minor": {"origin": "evidence"}},
            "facts": {
                "order.currency": {"value": "JPY", "source": "orders"},
                "order.total_minor": {"value": 14890, "source": "orders"},
                "refund.due_minor": {"value": 77, "source": "payments"},
            },
        },
    } | changes


def test_a_list_of_approvals_fits_a_terminal_with_whole_ids_and_all_columns() -> None:
    shown = printed(approvals_table([approval()]))
    assert APPROVAL_ID in shown
    assert "Refund 148.90 EUR for order 20418" in shown
    assert "0 of 2 supervisor" in shown
    assert "2026-11-21 16:00" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_no_approvals_are_a_sentence() -> None:
    assert printed(approvals_table([])).strip() == "Nothing waits for approval."


def test_an_approval_shows_amounts_as_money_where_their_currency_is_known() -> None:
    shown = printed(approval_card(approval()), width=100)
    assert "14890, 148.90 EUR   from evidence" in shown
    assert "14890, 14890 JPY   orders" in shown
    assert "77   payments" in shown
    assert "2026-11-21 16:00 UTC" in shown


def test_an_approval_that_was_used_says_so_in_words() -> None:
    assert "approved and used, version 1" in printed(approval_card(approval(status="spent")))


def test_a_case_shows_every_word_that_was_said() -> None:
    case = {
        "case_id": "case-1",
        "journey": "refund",
        "status": "open",
        "disposition": "",
        "timeline": [
            {"at": "2026-11-21T12:00:45Z", "author": "assistant", "kind": "message_out", "body": {"text": LONG_REPLY}},
            {
                "at": "2026-11-21T12:00:46Z",
                "author": "policy",
                "kind": "decision",
                "body": {"tool": "refund_order", "effect": "deny", "phase": "confirm"},
            },
        ],
        "decisions": [{"tool": "refund_order", "phase": "confirm", "effect": "deny", "reasons": [LONG_REPLY]}],
        "receipts": [],
        "approvals": [],
        "handoffs": [],
        "model_answers": [
            {
                "task": "DraftTask",
                "reasoner": "local",
                "calls": 2,
                "prompt_tokens": 1200,
                "completion_tokens": 34,
                "notes": ["chat:gpt-5-mini answered with status 500."],
            }
        ],
    }
    shown = printed(case_view(case))
    words = shown.replace("│", " ").split()
    assert all(words.count(word) >= 2 for word in set(LONG_REPLY.split()))
    assert "decision refund_order deny (confirm)" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_keys_fit_a_terminal_with_whole_ids_and_limits_as_money() -> None:
    key = {
        "key_id": "key_42ef4cae8857bdda",
        "name": "demo supervisor",
        "demo": True,
        "role": "supervisor",
        "limits": {"EUR": 200_000},
        "created_at": "2026-11-21T12:00:45Z",
        "revoked_at": "2026-11-22T12:00:45Z",
    }
    shown = printed(keys_table([key]))
    for part in ("key_42ef4cae8857bdda", "2000.00 EUR", "2026-11-21", "2026-11-22"):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 80


async def test_a_chat_names_a_command_that_it_does_not_know() -> None:
    chat = Chat(Api.__new__(Api), "c-1", lambda: "m-1")
    (unknown,) = await chat.take("/aprove")
    assert unknown.data["text"].startswith("There is no command /aprove.")
    (known,) = await chat.take("/help")
    assert known.data["text"].startswith("Write as the customer.")
