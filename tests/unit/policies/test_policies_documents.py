"""YAML documents: lines, mistakes, and loading that is total."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.documents import parse, read_bytes, read_document
from policies.errors import PlaybookMistakes
from policies.rules import PolicyFile


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(PlaybookMistakes) as raised:
        parse(PolicyFile, read_bytes(text.encode(), "p.yaml"))
    return [str(mistake) for mistake in raised.value.mistakes]


def loads_or_says_why(content: bytes) -> bool:
    try:
        parse(PolicyFile, read_bytes(content, "p.yaml"))
    except PlaybookMistakes as error:
        return bool(error.mistakes)
    return True


def test_every_node_remembers_its_line() -> None:
    document = read_bytes(b"a:\n  - x: 1\n  - y:\n      z: 2\n", "p.yaml")
    assert document.data == {"a": [{"x": 1}, {"y": {"z": 2}}]}
    assert [document.line_of(path) for path in (("a",), ("a", 0, "x"), ("a", 1, "y", "z"), ("a", 1, "gone"))] == [
        1,
        2,
        4,
        3,
    ]


def test_words_stay_words_and_numbers_are_numbers() -> None:
    document = read_bytes(b"a: no\nb: 2026-01-31\nc: 0x1F\nd: 1_000\ne: 0o17\nf: 1.5\ng: true\nh: ~\ni: '7'", "p.yaml")
    assert document.data == {
        "a": "no",
        "b": "2026-01-31",
        "c": 31,
        "d": 1000,
        "e": 15,
        "f": 1.5,
        "g": True,
        "h": None,
        "i": "7",
    }


def test_an_unknown_key_suggests_the_one_that_was_meant() -> None:
    assert mistakes_of("nevr:\n  - id: x\n") == ["p.yaml:1: nevr: this key is not known. Write: never"]


def test_an_unknown_key_inside_a_rule_names_its_own_line() -> None:
    head = "limits:\n  - id: x\n    why: y\n    source: z\n    applies_to: all\n    per: customer\n"
    text = f"{head}    max_cuont: 3\n    examples: {{allows: [{{}}], stops: [{{}}]}}\n"
    assert "p.yaml:7: limits.0.max_cuont: this key is not known. Write: max_count" in mistakes_of(text)


def test_all_mistakes_are_reported_together() -> None:
    found = mistakes_of("never:\n  - id: a\n  - id: b\n")
    assert len(found) == 6
    assert "p.yaml:3: never.1: why is missing. Write: why: …" in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x", "Anchors and aliases"),
        ("a: 1\na: 2", "twice"),
        ("a: .nan", "not a number"),
        ("a: .inf", "not a number"),
        ("a: !!python/object:os.system 1", "tag"),
        ("1: a", "not a text"),
        ("<<: {a: 1}", "not a text"),
        ("a: [1, 2", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("- a", "must hold keys"),
        ("? [a]\n: b", "plain word"),
        ("[" * 800, "deeply"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_a_reason(text: str, expected: str) -> None:
    assert any(expected in mistake for mistake in mistakes_of(text))


def test_bytes_that_are_not_utf8_name_their_line() -> None:
    with pytest.raises(PlaybookMistakes, match=r"p\.yaml:2: The file is not UTF-8"):
        read_bytes(b"a: 1\nb: \xff\n", "p.yaml")


def test_a_missing_file_is_a_mistake_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(PlaybookMistakes, match="can't be read"):
        read_document(tmp_path / "gone.yaml")


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
def test_any_bytes_load_or_give_mistakes(content: bytes) -> None:
    assert loads_or_says_why(content)


YAML_LIKE = st.lists(
    st.sampled_from(
        [
            "never",
            "limits",
            "tables",
            "id",
            "when",
            "rows",
            "if",
            "then",
            "applies_to",
            "examples",
            "permissions",
            ": ",
            "- ",
            "\n",
            "\n  ",
            "\n    ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "'",
            '"',
            "!!int",
            "&a",
            "*a",
            "#",
            "|",
            ">",
            "1",
            "0x",
            "1e999",
            "true",
            "~",
        ]
    ),
    max_size=40,
).map("".join)


@given(YAML_LIKE)
def test_anything_that_looks_like_a_policy_loads_or_gives_mistakes(text: str) -> None:
    assert loads_or_says_why(text.encode())
