"""Loading a playbook: whole or not at all, and every mistake with its file, its line and what to write."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from graphs.playbook import Playbook, hash_of, load_playbook
from policies import documents
from policies.errors import PlaybookMistakes
from policies.words import AutonomyLevel

RETAIL = Path(__file__).parents[3] / "playbooks" / "retail"


@pytest.fixture(scope="module", autouse=True)
def _files_that_did_not_change_are_read_once() -> Iterator[None]:
    """Composing YAML is most of a load, and each copy here differs from the original in one file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_compose", cache(documents._compose))
        yield


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "shop"
    shutil.copytree(RETAIL, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def change(directory: Path, file: str, before: str, after: str) -> int:
    """Replace the first occurrence of a text and say on which line it was."""
    path = directory / file
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{file} no longer holds {before!r}"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return text[: text.index(before)].count("\n") + 1


def mistakes_of(directory: Path) -> list[str]:
    with pytest.raises(PlaybookMistakes) as refused:
        load_playbook(directory)
    return [str(mistake) for mistake in refused.value.mistakes]


def test_the_retail_playbook_loads_whole() -> None:
    playbook = load_playbook(RETAIL)
    assert set(playbook.journeys) == {
        "order_status",
        "refund",
        "change_address",
        "cancel_order",
        "question",
        "person",
        "order_help",
        "change_items",
        "returns",
        "return_order",
        "missing_parcel",
        "billing_question",
        "account_details",
        "cancel_subscription",
        "delivery_appointment",
        "lost_access",
        "suspected_fraud",
        "complaint",
    }
    assert playbook.verification_tools == {"verify_customer"}
    assert playbook.level_of("order_status") is AutonomyLevel.AUTONOMOUS
    assert playbook.level_of("refund") is playbook.level_of(None) is AutonomyLevel.SUPERVISED
    assert playbook.returns["quote_refund"] == "quote"
    assert len(playbook.articles) >= 12


async def test_a_playbook_builds_and_opens_its_own_records(copy: Path, tmp_path: Path) -> None:
    playbook = load_playbook(copy)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    playbook.build_fixtures(tmp_path / "data", now=now)
    systems = await playbook.open_systems(tmp_path / "data")
    assert set(systems) == {spec.system for spec in playbook.tools}
    for system in systems.values():
        await system.close()


def test_a_copy_runs_its_own_code_and_not_the_originals(copy: Path) -> None:
    change(copy, "orders.py", '"delivered": "delivered"', '"delivered": "at your door"')
    spec = load_playbook(copy).tools.get("get_order")
    original = load_playbook(RETAIL).tools.get("get_order")
    words = [sys.modules[each.call.__module__].STATUS_WORDS["delivered"] for each in (spec, original)]  # type: ignore[attr-defined]  # functions of a module
    assert words == ["at your door", "delivered"]


def test_the_hash_follows_content_and_neither_caches_nor_databases(copy: Path) -> None:
    before = hash_of(copy)
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "x.pyc").write_bytes(b"x")
    (copy / "shop.db").write_bytes(b"x")
    (copy / ".draft").write_bytes(b"x")
    assert hash_of(copy) == before
    change(copy, "knowledge/sizes.md", "EU 34", "EU 35")
    assert hash_of(copy) != before


def test_articles_that_are_not_approved_or_not_valid_are_not_used(copy: Path) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)

    def used(playbook: Playbook, at: datetime) -> set[str]:
        return {passage.article_id for passage in playbook.passages_at(at)}

    change(copy, "knowledge/sizes.md", "state: approved", "state: draft")
    change(copy, "knowledge/care.md", "state: approved", "valid_until: 2026-11-21\nstate: approved")
    playbook = load_playbook(copy)
    assert "sizes" not in used(playbook, now)
    assert "care" in used(playbook, datetime(2026, 11, 21, 22, 59, tzinfo=UTC))
    assert "care" not in used(playbook, datetime(2026, 11, 21, 23, 1, tzinfo=UTC))


SHEET, CODE, SIZES = "playbook.yaml", "tools.py", "knowledge/sizes.md"
REFUND, HELP, RULES = "journeys/refund.yaml", "journeys/order_help.yaml", "policies/refunds.yaml"
CASES: list[tuple[str, str, str, str, str]] = [
    # file, before, after, what the message says, what it suggests
    (SHEET, "name: retail", "nmae: retail", "nmae: this key is not known", "name"),
    (SHEET, "time_zone: Europe/Berlin", "time_zone: Europe/Bern", "no such time zone", "Europe/Berlin"),
    (SHEET, "order_status: autonomous", "order_state: autonomous", "no journey order_state", "order_status"),
    (SHEET, "order_status: autonomous", "order_status: free", "value is not known", "one of"),
    (SHEET, "tool: verify_customer", "tool: verify_costumer", "no tool verify_costumer", "verify_customer"),
    (SHEET, "tool: verify_customer", "tool: list_orders", "list_orders verifies nobody", ""),
    (SHEET, "{email: email, postcode: postcode}", "{mail: email, postcode: postcode}", "no argument mail", "email"),
    (SHEET, "{email: email, postcode: postcode}", "{email: email}", "verify_customer needs postcode", "postcode"),
    (SHEET, "      - '#\\s?(2[0-9]{4})\\b'", "      - '(2[0-9'", "is no regular expression", ""),
    (SHEET, "    greeting:", "    greetings:", "The template greeting is missing", "greeting"),
    (SHEET, "    status_other:", "    status_others:", "Nothing uses the template status_others", "status_other"),
    (SHEET, "{quote.amount} needs", "{qoute.amount} needs", "nothing is known under {qoute.amount}", "quote"),
    (SHEET, "{refund.refund_id}.", "{refund.refund_id.", "a brace has no partner", ""),
    (REFUND, "id: refund\n", "id: refunds\n", "stands in refund.yaml", "id: refund"),
    (REFUND, "queue: refunds", "queue: refund", "no queue refund", "refunds"),
    (REFUND, "tool: quote_refund", "tool: quote_refunds", "no tool quote_refunds", "quote_refund"),
    (REFUND, 'claim: "slot:claim"', 'reason: "slot:claim"', "quote_refund has no argument reason", ""),
    (REFUND, "      currency: evidence:quote.amount.currency\n", "", "refund_order needs currency", "currency"),
    (REFUND, "slot:item_ids", "slot:items", "slot items is not declared", "item_ids"),
    (REFUND, "slot:order_id", "order_id", "doesn't say where it comes from", "slot:"),
    (REFUND, "evidence:quote.reason", "evidence:qoute.reason", "returns qoute", "quote"),
    (REFUND, "fact:refund.reason", "fact:refund.cause", "no fact refund.cause", "refund."),
    (REFUND, "check: refund_eligibility", "check: refund_elegibility", "no decision table", "refund_eligibility"),
    (REFUND, "      refund.final_sale: fact:refund.final_sale\n", "", "needs refund.final_sale", "fact:"),
    (REFUND, "      return.status: fact", "      return.state: fact", "no input return.state", "return.status"),
    (REFUND, "after: [quote]", "after: [qoute]", "no step qoute", "quote"),
    (REFUND, "after: [list]", "after: [list, refund]", "waits for itself", ""),
    (REFUND, "    confirm: refund_confirm\n", "", "nothing asks the customer first", "confirm"),
    (REFUND, "waiting: refund_waiting", "waiting: refund_wait", "no template refund_wait", "refund_waiting"),
    (REFUND, "too_late: refund_too_late", "too_late: refund_late", "no template refund_late", "refund_"),
    (REFUND, "  steps: [refund]", "  steps: [refunded]", "no step refunded", "refund"),
    (REFUND, "refund.status == 'issued'", "refunds.status == 'issued'", "returns refunds", "refund"),
    (REFUND, "source: orders.orders", "source: order_list.orders", "returns order_list", ""),
    (REFUND, "kind: items", "kind: item", "kind item", "items"),
    (REFUND, "check: refund_", "tool: get_order\n    check: refund_", "exactly one of", ""),
    (REFUND, "  - I want a refund\n", "  - Where is my order?\n", "an example of order_status too", ""),
    (REFUND, "assurance: 2", "assurance: 7", "assurance", ""),
    ("journeys/order_status.yaml", "  order.status:\n", "  orders_.status:\n", "returns orders_", "orders"),
    (HELP, "track_shipment,", "verify_customer,", "has no examples to be chosen by", "examples"),
    (HELP, "tools: [list_orders, get_order, track_shipment, quote_refund]", "tools: []", "which tools", ""),
    (RULES, "queue: refunds, expires", "queue: refund, expires", "there is no queue refund", "refunds"),
    (RULES, "args.amount_minor <= refund.due_minor", "args.amount <= refund.due_minor", "args.amount", ""),
    (SIZES, "owner: Content", "author: Content", "author: this key is not known", ""),
    (CODE, 'identity=("order_id", "item_ids")', 'identity=("order_id", "items")', "refund_order: identity", "item_ids"),
    (CODE, "TOOLS: Sequence[ToolSpec] = (", "OTHERS: Sequence[ToolSpec] = (", "TOOLS is missing", "TOOLS"),
    ("calls.py", "LISTED_ORDERS = 10", "LISTED_ORDERS = 10 / 0", "ZeroDivisionError", ""),
    ("orders.py", "import json\n", "import jsno\n", "No module named 'jsno'", ""),
    ("refunds.py", "def due_for(", "def due_for((", "SyntaxError", ""),
]  # fmt: skip


@pytest.mark.parametrize(("file", "before", "after", "says", "suggests"), CASES)
def test_a_mistake_is_named_with_its_file_and_line_and_what_to_write(
    copy: Path, file: str, before: str, after: str, says: str, suggests: str
) -> None:
    line = change(copy, file, before, after)
    found = [each for each in mistakes_of(copy) if says in each]
    assert len(found) >= 1, mistakes_of(copy)
    assert all(re.match(rf"{re.escape(file)}:\d+: ", each) for each in found)
    numbers = {int(each.split(":")[1]) for each in found}
    assert any(abs(number - line) <= 12 for number in numbers) or "missing" in says, (numbers, line)
    assert any(suggests in each.partition("Write: ")[2] for each in found)


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        ("playbook.yaml", "order_status: autonomous", "order_state: autonomous", "no journey order_state"),
        ("journeys/refund.yaml", "tool: quote_refund", "tool: quote_refunds", "no tool quote_refunds"),
        ("journeys/refund.yaml", "evidence:quote.reason", "evidence:qoute.reason", "returns qoute"),
        ("journeys/order_status.yaml", "queue: service", "queue: servise", "no queue servise"),
        ("calls.py", "LISTED_ORDERS = 10", "LISTED_ORDERS = 10 / 0", "ZeroDivisionError"),
    ],
)
def test_the_line_is_exactly_the_one_to_change(copy: Path, file: str, before: str, after: str, says: str) -> None:
    line = change(copy, file, before, after)
    assert any(each.startswith(f"{file}:{line}: ") and says in each for each in mistakes_of(copy))


def test_all_mistakes_of_all_files_are_told_at_once(copy: Path) -> None:
    change(copy, "playbook.yaml", "    greeting:", "    greetings:")
    change(copy, "journeys/refund.yaml", "tool: quote_refund", "tool: quote_refunds")
    change(copy, "journeys/order_status.yaml", "queue: service", "queue: servise")
    change(copy, "knowledge/sizes.md", "owner: Content", "author: Content")
    files = {each.partition(":")[0] for each in mistakes_of(copy)}
    assert files == {
        "playbook.yaml",
        "journeys/refund.yaml",
        "journeys/order_status.yaml",
        "knowledge/sizes.md",
        "languages/de.yaml",
    }


def test_a_folder_without_a_playbook_says_so(tmp_path: Path) -> None:
    assert mistakes_of(tmp_path) == ["playbook.yaml:1: There is no such file; this folder is no playbook."]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"- 1", b"a: &x 1\nb: *x", b"name: [", b"{" * 300])
@pytest.mark.parametrize(
    "file", ["playbook.yaml", "journeys/refund.yaml", "policies/refunds.yaml", "knowledge/sizes.md"]
)
def test_any_bytes_give_mistakes_and_never_a_crash(copy: Path, file: str, content: bytes) -> None:
    (copy / file).write_bytes(content)
    if content == b"" and file == RULES:
        assert any("no decision table refund_eligibility" in each for each in mistakes_of(copy))
    else:
        assert any(each.startswith(f"{file}:") for each in mistakes_of(copy))


@pytest.mark.parametrize("removed", ["tools.py", "journeys", "policies", "knowledge"])
def test_a_missing_part_is_named(copy: Path, removed: str) -> None:
    remove: Callable[[Path], None] = shutil.rmtree if (copy / removed).is_dir() else Path.unlink  # type: ignore[assignment]  # both take a path
    remove(copy / removed)
    assert mistakes_of(copy)


def test_a_further_language_is_checked_against_the_voice_and_the_journeys(copy: Path) -> None:
    change(copy, "languages/de.yaml", "  thanks: Gern geschehen.", "  thank_you: Gern geschehen.")
    change(copy, "languages/de.yaml", "Bestellung {order.order_id} ist gepackt", "Bestellung {parcel.id} ist gepackt")
    change(copy, "languages/de.yaml", "  cancel_order:", "  cancel_orders:")
    found = "\n".join(mistakes_of(copy))
    assert "The voice has no template thank_you." in found
    assert "status_packed: the voice's own words don't show {parcel.id}." in found
    assert "There is no journey cancel_orders." in found


def test_a_language_without_words_for_a_handover_is_a_mistake(copy: Path) -> None:
    change(copy, "languages/fr.yaml", "  with_person_soon:", "  still_waiting:")
    assert "The template with_person_soon is missing." in "\n".join(mistakes_of(copy))


def test_what_a_step_says_of_refusals_must_fit_its_refusals_and_slots(copy: Path) -> None:
    change(copy, "journeys/return_order.yaml", "again: {final_sale: item_ids}", "again: {too_dear: items}")
    change(copy, "journeys/missing_parcel.yaml", "    hand_over: [long_ago]\n", "    hand_over: [searched]\n")
    change(copy, "journeys/missing_parcel.yaml", '      "*": status_other\n', "")
    change(copy, "journeys/refund.yaml", "queue: refunds\n", "queue: refunds\nhandles: [fraud]\n")
    found = "\n".join(mistakes_of(copy))
    assert "Nothing is said for too_dear." in found
    assert "The slot items is not declared." in found
    assert "Nothing is said for searched." in found
    assert "Only a journey that ends with a person is there for a flag." in found
