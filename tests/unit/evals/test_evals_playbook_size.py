"""Lines of a playbook that count."""

from pathlib import Path

from evals.playbook_size import python_lines, yaml_lines


def test_blank_lines_comments_and_docstrings_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text("# why\n\nnever:\n  - id: a  # that\n", encoding="utf-8")
    (tmp_path / "tools.py").write_text(
        '"""A sentence.\n\nMore of it.\n"""\n\nA = 1  # one\n"""What it is."""\n# nothing\n'
        'B = """two\n\nthree"""\n\n\ndef f() -> int:\n    """Say."""\n    return (\n        A\n    )\n',
        encoding="utf-8",
    )
    assert yaml_lines(tmp_path) == 2
    assert python_lines(tmp_path) == 1 + 3 + 1 + 3
