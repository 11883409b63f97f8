"""Decision tables: hit policies, cells, and gaps and overlaps found at load."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_builders import PERMIT_ALL, engine, mistakes

from policies.rules import Table
from policies.tables import compile_table

INPUTS = {
    "status": {"type": "string", "values": ["pending", "delivered", "cancelled"]},
    "days": {"type": "int", "min": 0, "optional": True},
}


def table(rows: list[tuple[dict[str, Any], dict[str, Any]]], **changes: Any) -> Table:
    return Table.model_validate(
        {
            "id": "share",
            "why": "Because.",
            "source": "Test",
            "hit": "first",
            "inputs": INPUTS,
            "outputs": {"percent": "int"},
            "rows": [
                {"if": cells, "then": gives, "why": f"row {index + 1}"} for index, (cells, gives) in enumerate(rows)
            ],
            **changes,
        }
    )


def found(rows: list[tuple[dict[str, Any], dict[str, Any]]], **changes: Any) -> list[str]:
    return [f"{mistake.path}: {mistake}" for mistake in compile_table(table(rows, **changes))[1]]


COMPLETE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"status": "pending"}, {"percent": 100}),
    ({"status": "delivered", "days": "<= 30"}, {"percent": 80}),
    ({"status": "delivered", "days": "31..60"}, {"percent": 50}),
    ({"status": "delivered"}, {"percent": 0}),
    ({"status": {"not": ["pending", "delivered"]}}, {"percent": 0}),
]


def test_the_first_matching_row_decides_with_its_reason() -> None:
    compiled, wrong = compile_table(table(COMPLETE))
    assert compiled is not None, wrong
    for status, days, percent, row in (
        ("pending", None, 100, 1),
        ("delivered", 30, 80, 2),
        ("delivered", 31, 50, 3),
        ("delivered", 60, 50, 3),
        ("delivered", 61, 0, 4),
        ("delivered", None, 0, 4),
        ("cancelled", 5, 0, 5),
    ):
        outcome = compiled.decide({"status": status, "days": days, "unrelated": 1})
        assert (outcome.values, outcome.rows, outcome.reasons) == ({"percent": percent}, (row,), (f"row {row}",))


@pytest.mark.parametrize(
    "inputs", [{}, {"status": None}, {"status": 1}, {"status": "lost"}, {"status": "pending", "days": -1}]
)
def test_inputs_that_are_missing_or_not_declared_give_no_answer(inputs: dict[str, Any]) -> None:
    compiled, _ = compile_table(table(COMPLETE))
    assert compiled is not None
    outcome = compiled.decide(inputs)
    assert outcome.error
    assert outcome.values == {}


def test_a_missing_combination_is_printed() -> None:
    assert found(COMPLETE[:-1]) == ["('rows',): No row covers status = cancelled."]
    assert found([*COMPLETE[:3], COMPLETE[4]]) == ["('rows',): No row covers status = delivered, days above 60."]


def test_otherwise_covers_the_rest() -> None:
    compiled, wrong = compile_table(table(COMPLETE[:2], otherwise={"percent": 1}))
    assert compiled is not None, wrong
    outcome = compiled.decide({"status": "cancelled", "days": None})
    assert (outcome.values, outcome.rows) == ({"percent": 1}, (0,))


def test_overlapping_rows_of_a_unique_table_are_a_mistake() -> None:
    rows = [({"status": "delivered"}, {"percent": 1}), ({"days": "> 30"}, {"percent": 2})]
    wrong = found(rows, hit="unique", otherwise={"percent": 0})
    assert wrong == ["('rows', 1): Rows 1 and 2 both match status = delivered, days above 30."]


def test_a_row_that_can_never_decide_is_a_mistake() -> None:
    wrong = found([*COMPLETE, ({"status": "delivered", "days": 45}, {"percent": 9})])
    assert wrong == ["('rows', 5): Row 6 can never decide: rows before it cover it."]


def test_a_collecting_table_gives_all_rows_and_may_give_none() -> None:
    rows = [({"status": "pending"}, {"percent": 1}), ({"days": "> 5"}, {"percent": 2})]
    compiled, wrong = compile_table(table(rows, hit="collect"))
    assert compiled is not None, wrong
    assert compiled.decide({"status": "pending", "days": 6}).values == {"percent": [1, 2]}
    assert compiled.decide({"status": "delivered", "days": None}).values == {"percent": []}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"status": "pendin"}, "pendin is not among the column's values."),
        ({"status": 5}, "The column is a text."),
        ({"days": "soon"}, "The column is an int."),
        ({"days": 1.5}, "The column is an int."),
        ({"days": "< 1.5"}, "The column is an int, 1.5 is not."),
        ({"days": "9..5"}, "9..5 holds no number."),
        ({"days": []}, "An empty list matches nothing."),
        ({"days": {"is": 5}}, "A cell can't be this mapping."),
        ({"colour": "red"}, "The table has no input colour."),
    ],
)
def test_a_cell_that_does_not_fit_its_column_is_a_mistake(cells: dict[str, Any], expected: str) -> None:
    assert any(expected in text for text in found([(cells, {"percent": 1})]))


def test_outputs_are_checked_row_by_row() -> None:
    wrong = found([({}, {"percnt": 1})]) + found([({}, {"percent": "1"})]) + found([({}, {"percent": True})])
    assert len(wrong) == 4
    assert wrong[0] == "('rows', 0, 'then'): The output percent is missing."


NUMBER_CELL = st.one_of(
    st.integers(-3, 12),
    st.tuples(st.sampled_from(["<", "<=", ">", ">="]), st.integers(-3, 12)).map(lambda pair: f"{pair[0]} {pair[1]}"),
    st.tuples(st.integers(-3, 12), st.integers(0, 5)).map(lambda pair: f"{pair[0]}..{pair[0] + pair[1]}"),
    st.just("absent"),
)
STATUS_CELL = st.sampled_from(["pending", "delivered", "cancelled", ["pending", "cancelled"], {"not": "pending"}])
CELLS = st.fixed_dictionaries({}, optional={"status": STATUS_CELL, "days": NUMBER_CELL})


@given(st.lists(CELLS, min_size=1, max_size=6))
def test_coverage_found_at_load_is_what_trying_every_input_finds(rows: list[dict[str, Any]]) -> None:
    given_rows: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (cells, {"percent": index}) for index, cells in enumerate(rows)
    ]
    complete, wrong = compile_table(table(given_rows))
    open_table, _ = compile_table(table(given_rows, hit="collect"))
    kinds = {mistake.message.split(" ")[0] for mistake in wrong}
    if open_table is None:
        return  # A row that lies wholly outside the column's range; both refuse it.
    reached, gap = set(), False
    for status in ("pending", "delivered", "cancelled"):
        for days in (None, *range(30)):
            outcome = open_table.decide({"status": status, "days": days})
            gap = gap or outcome.rows == (0,)
            reached.add(outcome.rows[0])
    assert ("No" in kinds) == gap
    assert ("Row" in kinds) == (reached - {0} != set(range(1, len(rows) + 1)))
    assert (complete is None) == bool(kinds)


SHARE = """
tables:
  - id: share
    why: The share depends on the state.
    source: Refund policy 4
    hit: first
    inputs: {order.status: {type: string}, order.days_since_delivery: {type: int, optional: true}}
    outputs: {effect: effect}
    rows:
      - {if: {order.status: delivered}, then: {effect: allow}}
    otherwise: {effect: deny}
    applies_to: refund_order
"""


def test_a_tables_inputs_must_be_names_of_its_tools(tmp_path: Path) -> None:
    engine(tmp_path, PERMIT_ALL, SHARE)
    wrong = mistakes(tmp_path, PERMIT_ALL, SHARE.replace("order.status:", "order.state:"))
    assert [str(mistake) for mistake in wrong if "order.state" in mistake.message][-1].startswith("rules1.yaml:7: ")
