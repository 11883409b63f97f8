"""How little a playbook takes: its lines of policy and of code, without blank ones, comments and docstrings."""

import ast
import io
import tokenize
from pathlib import Path

LAYOUT = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


def yaml_lines(directory: Path) -> int:
    """Lines of a playbook's policies, the rules' own examples included."""
    return sum(
        1
        for file in sorted((directory / "policies").glob("*.yaml"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    )


def python_lines(directory: Path) -> int:
    """Lines of a playbook's tools and of all code beside them."""
    return sum(_code_lines(file.read_text(encoding="utf-8")) for file in sorted(directory.rglob("*.py")))


def _code_lines(source: str) -> int:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - _documented(source))


def _documented(source: str) -> set[int]:
    """Lines of texts that stand by themselves: docstrings of modules, classes, functions and fields."""
    return {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
