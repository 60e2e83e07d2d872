"""YAML read by YAML 1.2 rules: text stays text, every value has its place, and hostile files end in one clear line."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import config
from bridge.config import yaml_tree
from bridge.errors import ConfigError
from tests.config.sample import ENVIRON, SMALLEST, changed, said, write

TEXTS = (
    "+61 0061 0421 NO no on yes y 22:00 1_000 0x1F 0o17 1e3 .5 +1.5 -0 2024-01-01 .inf .nan 01.50 1. = << "
    "9999999999999999999"
)


@pytest.mark.parametrize("written", TEXTS.split())
def test_what_people_mean_as_text_stays_text(written: str) -> None:
    assert yaml_tree.scalar(written) == written


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0", 0),
        ("25", 25),
        ("-7", -7),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
    ],
)
def test_plain_numbers_and_words_are_what_they_say(written: str, meant: object) -> None:
    assert yaml_tree.scalar(written) == meant
    assert type(yaml_tree.scalar(written)) is type(meant)


def test_a_decimal_is_exact_and_keeps_its_zeros() -> None:
    assert str(yaml_tree.scalar("0.10")) == "0.10"
    assert yaml_tree.scalar("0.1") == Decimal("0.1")


def test_a_quoted_number_is_text() -> None:
    root, problems = yaml_tree.compose("a: '25'\nb: \"true\"\nc: |\n  7", "f")
    assert root is not None
    assert problems == []
    assert root.plain() == {"a": "25", "b": "true", "c": "7"}


def test_every_value_knows_its_place_and_that_of_its_key() -> None:
    root, _ = yaml_tree.compose("a:\n  - x\n  - bc: [1, 22]\n", "f")
    assert root is not None
    node, exact = root.nearest(("a", 1, "bc", 1))
    assert (exact, node.value, node.line, node.column) == (True, 22, 3, 13)
    parent, exact = root.nearest(("a", 1, "bc"))
    assert (exact, parent.key_line, parent.key_column, parent.line, parent.column) == (True, 3, 5, 3, 9)


@pytest.mark.parametrize("path", [("z",), (0,), ("a", "b"), ("a", 5), ("a", -1), ("a", 0, "x")])
def test_a_path_that_leads_nowhere_ends_at_its_deepest_value(path: tuple[str | int, ...]) -> None:
    root, _ = yaml_tree.compose("a: [1]", "f")
    assert root is not None
    assert root.nearest(path)[1] is False


_TAGS = "tags (!name) are not read: text that begins with ! needs quotes"
MISTAKES = [
    ("", "1:1: the file is empty: copy config/bridge.yaml and change it"),
    ("# only words\n", "1:1: the file is empty: copy config/bridge.yaml and change it"),
    ("---\n", "2:1: the file holds nothing: it must hold keys, such as domains: [sms.local]"),
    ("- a\n- b\n", "1:1: the file holds a list: it must hold keys, such as domains: [sms.local]"),
    ("text\n", "1:1: the file holds one value: it must hold keys, such as domains: [sms.local]"),
    (b"\xef\xbb\xbfa: 1\n", "1:1: the file begins with a byte order mark: save it as UTF-8 without one"),
    (b"a: 1\nb: \xff\n", "2:4: is not UTF-8 here: save the file as UTF-8"),
    ("a: 1\nb: 2\n".encode("utf-16"), "1:1: is not UTF-8 here: save the file as UTF-8"),
    ("a: 1\nb: x\x07y\n", "2:5: the character U+0007 may not stand in a YAML file: take it away"),
    ("a:\n\tb: 1\n", "2:1: a tab in the indent: indent with spaces"),
    ("match: [*@x.example]\n", "1:10: a value may not begin with *: put it in quotes"),
    ("match: *all\n", "1:8: match: aliases (*name) are not read: text that begins with * needs quotes"),
    ("a: &x 1\n", "1:4: a: anchors (&name) are not read: text that begins with & needs quotes"),
    ("a: !!binary aGk=\n", "1:4: a: " + _TAGS),
    ("a: !!python/object/apply:os.system [x]\n", "1:4: a: " + _TAGS),
    ("? [a, b]\n: 1\n", "1:3: a key must be one word: put a value that begins with [ or { in quotes"),
    ("admin: @x\n", "1:8: a value may not begin with @: put it in quotes"),
    ("a: `x`\n", "1:4: a value may not begin with `: put it in quotes"),
    ("a: b: c\n", "1:5: a colon where no key can stand: put the value in quotes, or mend the indent"),
    ("a: 'x\n", "2:1: a quote is opened and never closed"),
    ('a: "\\q"\n', '1:5: inside "..." a backslash begins an escape: write it twice, or use single quotes'),
    ("a: [1, 2\nb: 3\n", "2:2: a list [..] or mapping {..} is not closed, or lacks a comma"),
    ("a: }\n", "1:4: a value is missing here, or a bracket is not closed"),
    ("- a\nb: 1\n", "2:1: the indent does not fit with the lines above"),
    ("a:\n   b: 1\n  c: 2\n", "3:3: the indent does not fit with the lines above"),
    ("%YAML 9.9\n---\na: 1\n", "1:1: take the %YAML line away"),
    ("a: >5x\n", "1:6: this is not readable as YAML: look at quotes, brackets and indent here and in the line before"),
    ("a: 1\n---\nb: 1\n", "2:1: a second document begins here: one file is one document, take the --- away"),
    ("a: " + "[" * 30 + "]" * 30, "1:24: nested deeper than 20 levels"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_a_file_that_cannot_be_read_says_why_in_one_line(
    tmp_path: Path, text: str | bytes, expected: str
) -> None:
    assert said(tmp_path, text) == [expected]


def test_a_double_key_is_told_with_both_its_lines_beside_all_else(tmp_path: Path) -> None:
    assert said(tmp_path, changed("region: AU", "region: AU\nregion: no")) == [
        "3:1: region: the key region stands here twice, first in line 2: keep one"
    ]
    assert said(tmp_path, changed("region: AU", "region: au\nregion: AU")) == [
        "2:9: region: must be written in capitals: AU",
        "3:1: region: the key region stands here twice, first in line 2: keep one",
    ]


def test_a_syntax_mistake_does_not_hide_a_double_key_before_it(tmp_path: Path) -> None:
    lines = said(tmp_path, "a: 1\na: 2\nb: }\n")
    assert [line.partition(":")[0] for line in lines] == ["2", "3"]


def test_a_file_beyond_one_mebibyte_is_refused_unread(tmp_path: Path) -> None:
    assert said(tmp_path, SMALLEST + "#" * (1 << 20)) == [
        f"1:1: {tmp_path / 'bridge.yaml'} is larger than 1,048,576 bytes"
    ]


@pytest.mark.parametrize(
    "piece", ["[", "{a: ", "- ", "? ", "a: &a [*a, *a]\n", "x: y\n", "'", "[1,", "!a ", "a: |\n "]
)
def test_a_mebibyte_of_anything_is_answered(tmp_path: Path, piece: str) -> None:
    path = write(tmp_path, (piece * (1 << 20))[: 1 << 20])
    with pytest.raises(ConfigError):
        config.load(path, {})


def test_more_values_than_any_file_needs_are_refused(tmp_path: Path) -> None:
    assert said(tmp_path, "a: [" + "1," * 100_001 + "]")[0].endswith("more than 100,000 values")


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    folder, nothing = tmp_path / "folder", tmp_path / "nothing.yaml"
    folder.mkdir()
    assert [str(p) for p in config.check(folder, {})] == [
        f"{folder}:1:1: {folder} is not a plain file: name one"
    ]
    with pytest.raises(ConfigError) as error:
        config.load(str(nothing), {})
    assert str(error.value) == f"{nothing}:1:1: {nothing} cannot be read: no such file or directory"


def test_a_path_of_no_file_system_is_one_line_too() -> None:
    for path in ("a\0b", "x" * 5_000, "a\nb"):
        [problem] = config.check(path, {})
        assert "\n" not in str(problem)
        assert "cannot be read" in str(problem) or "is no path of a file" in str(problem)


@given(st.text(max_size=300))
def test_no_text_ends_otherwise_than_in_a_tree_or_a_mistake(text: str) -> None:
    root, problems = yaml_tree.compose(text, "f")
    assert (root is None) <= bool(problems)


_MARKS = [
    "  ",
    "\t",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "&a ",
    "*a",
    "!t ",
    "'",
    '"',
    "|",
    "?",
    "\n",
    "\x00",
    "\ud800",
]
_KEYS = [
    "text:\n",
    "outbox: ",
    "brands: ",
    "aliases: ",
    "accounts: ",
    "users: ",
    "listen: 1",
    "networks: [1.2.3.4/99]",
]
_OTHERS = ["null", "9999999999", "-1", "0.1", "true", "smarthost: smtp://[::1", "template: '{% for %}'"]
_PIECES = st.sampled_from([*SMALLEST.splitlines(keepends=True), *_MARKS, *_KEYS, *_OTHERS])


@given(st.lists(st.one_of(_PIECES, st.text(max_size=10)), max_size=40))
def test_no_file_raises_anything_but_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.yaml"
    path.write_bytes("".join(pieces).encode("utf-8", "surrogatepass"))
    assert _told_well(path)


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["none", "1m", "+614", "a@b.c"])
)
_VALUES = st.recursive(
    _LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
_LINES = [line for line in SMALLEST.splitlines() if ":" in line and not line.strip().startswith("-")]


@given(st.sampled_from(_LINES), _VALUES)
def test_no_value_of_any_shape_raises_anything_but_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, line: str, value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "shape.yaml"
    text = SMALLEST.replace(line, f"{line.partition(':')[0]}: {json.dumps(value)}")
    path.write_text(text, "utf-8", "surrogatepass")
    assert _told_well(path)


def _told_well(path: Path) -> bool:
    """Whether the file is read, or refused with lines that all begin with its name."""
    try:
        config.load(path, ENVIRON)
    except ConfigError as error:
        return all(
            line.startswith((f"{path}:", "and ")) and line.isprintable() for line in str(error).split("\n")
        )
    return True
