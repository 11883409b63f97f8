"""Loading: whole or not at all, every mistake with file, line and what to write; and the guide's own files."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from policy_builders import MONEY, PERMIT_ALL, TOOLS, engine, mistakes

import policies
from policies.errors import PlaybookMistakes
from policies.examples import run_examples
from policies.loading import BASELINE, load_policies

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "policies.md"


def written(*texts: str, tmp_path: Path, **options: Any) -> list[str]:
    return [str(mistake) for mistake in mistakes(tmp_path, *texts, **options)]


def test_the_guides_files_load_and_their_examples_hold(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    report = run_examples(engine(tmp_path, *blocks, baseline=True).policies)
    assert len(blocks) >= 7
    assert report.failures == ()
    assert report.ran >= 19


def test_the_guide_names_every_section_demand_and_parameter(tmp_path: Path) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    loaded = load_policies([], TOOLS, {"money_per_customer": "none"})
    for word in (*policies_sections(), *loaded.parameters.declarations, *loaded.signals):
        assert f"`{word}" in guide or f"{word}:" in guide, word


def policies_sections() -> list[str]:
    from policies.rules import DEMANDS, PolicyFile

    return [*PolicyFile.model_fields, *DEMANDS]


WRONG = """
never:
  - id: under-test
    why: The order is {order.staus}.
    source: Test
    applies_to: refund_ordr
    when: order.total_minor > 'a'
"""


def test_mistakes_name_file_line_and_what_to_write(tmp_path: Path) -> None:
    text = WRONG.replace("refund_ordr", "refund_order")
    assert written(text, tmp_path=tmp_path) == [
        "rules0.yaml:3: under-test has no examples. Write: examples: {allows: [{…}], stops: [{…}]}",
        "rules0.yaml:4: under-test: the sentence shows order.staus, which is not known. Write: order.status",
        "rules0.yaml:7: under-test: > can't be used between int, string. Write: both sides of one kind",
    ]
    assert "rules0.yaml:6: under-test: there is no tool refund_ordr. Write: refund_order" in written(
        WRONG, tmp_path=tmp_path
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            PERMIT_ALL + PERMIT_ALL.replace("permissions:", "never:").replace("    who: [workflow, reviewer]\n", ""),
            "used already",
        ),
        ("parameters: {money_per_custmer: none}", "Write: money_per_customer"),
        ("parameters: {money_per_customer: 500}", "not an amount per currency"),
        ("parameters: {money_per_customer: {EUR: 5.5}}", "not an amount per currency"),
        ("parameters: {money_window: never}", "not a length of time"),
        ("signals: {customer.id: string}", "is taken"),
        (PERMIT_ALL.replace("id: everything", "id: baseline.everything"), "not yours"),
        (PERMIT_ALL.replace("applies_to: all", "applies_to: {risk: critical}"), "applies to no tool"),
        (PERMIT_ALL.replace("applies_to: all", "applies_to: {has_fact: order.stats}"), "Write: order.status"),
        (PERMIT_ALL.replace("applies_to: all", "applies_to: turn"), "Only triggers and obligations"),
        (PERMIT_ALL.replace("applies_to: all", "applies_to: {}"), "applies_to says nothing"),
    ],
)
def test_what_contradicts_the_playbook_is_a_mistake(tmp_path: Path, text: str, expected: str) -> None:
    found = written(
        text,
        tmp_path=tmp_path,
        baseline=True,
        parameters=None if "money_per" in text else {"money_per_customer": "none"},
    )
    assert any(expected in mistake for mistake in found), found


def test_no_money_moves_until_its_limit_is_stated(tmp_path: Path) -> None:
    found = written(PERMIT_ALL, tmp_path=tmp_path, baseline=True)
    assert len(found) == 1
    assert "money_per_customer is not set" in found[0]
    assert "Write: money_per_customer: {EUR: 50000} in minor units, or none for no limit" in found[0]
    assert written(PERMIT_ALL, MONEY, tmp_path=tmp_path, baseline=True) == []
    assert written(PERMIT_ALL, tmp_path=tmp_path, baseline=True, parameters={"money_per_customer": "none"}) == []
    no_money = {"get_order": TOOLS["get_order"]}
    assert written(PERMIT_ALL, tmp_path=tmp_path, baseline=True, tools=no_money) == []


def test_p7_a_tool_that_changes_a_record_must_say_whose_it_is(tmp_path: Path) -> None:
    tools = {**TOOLS, "cancel_order": replace(TOOLS["cancel_order"], fact_types={"order.status": "string"})}
    found = written(PERMIT_ALL, MONEY, tmp_path=tmp_path, baseline=True, tools=tools)
    assert len(found) == 1
    assert "cancel_order changes a record and doesn't say whose it is. Write: the fact owner.customer_id" in found[0]
    stated = "parameters: {money_per_customer: none, ownerless_tools: [cancel_order]}"
    assert written(PERMIT_ALL, stated, tmp_path=tmp_path, baseline=True, tools=tools) == []


@pytest.mark.parametrize(
    "change",
    [
        {"argument_types": {"order_id": "text"}},
        {"fact_types": {"customer.id": "string"}},
        {"fact_types": {"sentiment": "float"}},
        {"amount_argument": "price"},
    ],
)
def test_a_tool_that_can_not_be_judged_is_a_mistake(tmp_path: Path, change: dict[str, Any]) -> None:
    tools = {"get_order": replace(TOOLS["get_order"], **{"record_argument": "", "reads_record": "", **change})}
    assert [mistake.file for mistake in mistakes(tmp_path, PERMIT_ALL, tools=tools)] == ["tools"]


def test_a_matrix_with_a_gap_or_a_dead_row_is_a_mistake(tmp_path: Path) -> None:
    head = (
        "autonomy:\n  id: m\n  why: W.\n  source: S\n  applies_to: all\n"
        "  rows:\n    - {if: {risk: [low, medium]}, asks: nothing}\n"
    )
    assert any(
        "No row covers risk high, reversible, level assisted" in each for each in written(head, tmp_path=tmp_path)
    )
    dead = f"{head}    - {{if: {{}}, asks: approval}}\n    - {{if: {{risk: low}}, asks: confirm}}\n"
    assert written(dead, tmp_path=tmp_path) == ["rules0.yaml:9: Row 3 can never decide: rows before it cover it."]


def test_a_playbooks_matrix_replaces_the_baselines(tmp_path: Path) -> None:
    own = "autonomy:\n  id: m\n  why: W.\n  source: S\n  applies_to: all\n  rows:\n    - {if: {}, asks: nothing}\n"
    programs = engine(tmp_path, PERMIT_ALL, MONEY, own, baseline=True).policies.programs
    matrix = programs["refund_order"].autonomy
    assert matrix is not None
    assert matrix.id == "m"


def test_nothing_is_loaded_when_anything_is_wrong(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.yaml", tmp_path / "b.yaml"
    good.write_text(PERMIT_ALL, encoding="utf-8")
    bad.write_bytes(b"never: [\xff]")
    with pytest.raises(PlaybookMistakes) as raised:
        load_policies([good, bad], TOOLS, {"money_per_customer": "none"})
    assert [mistake.file for mistake in raised.value.mistakes] == [str(bad)]


def test_a_rule_whose_example_does_not_hold_is_reported_with_its_line(tmp_path: Path) -> None:
    text = (
        "never:\n  - id: t\n    why: W.\n    source: S\n    applies_to: refund_order\n    when: args.amount_minor > 5\n"
        "    examples:\n      allows:\n        - {args.amount_minor: 6}\n        - {args.amount: 5}\n"
        "      stops:\n        - {args.amount_minor: 5}\n        - {}\n"
    )
    report = run_examples(engine(tmp_path, text).policies)
    assert [str(failure) for failure in report.failures] == [
        "rules0.yaml:9: t, example 1 of allows: the rule stops it.",
        "rules0.yaml:10: t, example 2 of allows: args.amount is not known for refund_order. Write: args.amount_minor",
        "rules0.yaml:12: t, example 1 of stops: the rule has no objection to it.",
        "rules0.yaml:13: t, example 2 of stops: t could not be decided: "
        "A condition has no answer: args.amount_minor is null or missing.",
    ]


def test_the_version_follows_content_and_not_files_or_order(tmp_path: Path) -> None:
    one = engine(tmp_path, PERMIT_ALL, MONEY, baseline=True).version
    assert engine(tmp_path, MONEY, "# a remark\n" + PERMIT_ALL, baseline=True).version == one
    assert engine(tmp_path, PERMIT_ALL, MONEY.replace("50000", "50001"), baseline=True).version != one
    assert engine(tmp_path, PERMIT_ALL.replace("workflow,", ""), MONEY, baseline=True).version != one
    riskier = {**TOOLS, "get_order": replace(TOOLS["get_order"], reads_record="")}
    assert engine(tmp_path, PERMIT_ALL, MONEY, baseline=True, tools=riskier).version != one


FORBIDDEN = {
    "time",
    "random",
    "os",
    "sys",
    "socket",
    "secrets",
    "uuid",
    "asyncio",
    "subprocess",
    "threading",
    "tempfile",
    "shutil",
    "io",
    "logging",
    "urllib",
    "http",
    "sqlite3",
    "multiprocessing",
    "requests",
    "httpx",
    "httpx2",
    "zoneinfo",
    "locale",
}
FORBIDDEN_CALLS = {"open", "print", "input", "eval", "exec"}
ALLOWED = {"translation.py": {"eval"}, "calendar_time.py": {"zoneinfo"}}
"""One runs trees that it made itself of a closed set of nodes, without builtins; one reads the tables of time zones,
when conditions that name them are loaded."""
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}


def test_the_floor_is_pure_and_reads_nothing_but_files_at_load() -> None:
    root = Path(policies.__path__[0])
    reading = set()
    for file in sorted(root.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                forbidden = name.split(".")[0] in FORBIDDEN - ALLOWED.get(file.name, set())
                assert not forbidden, f"{file.name} imports {name}"
                if name == "pathlib":
                    reading.add(file.name)
            if isinstance(node, ast.Call):
                called = node.func
                assert not (
                    isinstance(called, ast.Name) and called.id in FORBIDDEN_CALLS - ALLOWED.get(file.name, set())
                ), file.name
                if (
                    isinstance(called, ast.Attribute)
                    and isinstance(called.value, ast.Name)
                    and called.value.id in ("datetime", "date")
                ):
                    assert called.attr not in CLOCKS, f"{file.name} reads the clock"
    assert reading == {"contents.py", "documents.py", "loading.py"}
    assert BASELINE.exists()
