"""How retrieval is measured."""

from evals.retrieval_quality import measure, records


def test_records_that_differ_in_names_numbers_and_dates_are_found_by_their_words() -> None:
    stored, asked = records(most=60, seed=3)
    found = measure("records", stored, asked)
    assert found.ways["default"].hit_1 == 1
    assert found.ways["vectors"].hit_1 < 0.9
