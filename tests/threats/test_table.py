"""The table itself: what tests tell comes together, also from several processes, and what is missing fails."""

import pytest

from tests.threats import figures, plugin

pytest_plugins = ["pytester"]
TWO_ROWS = {5: "smuggling", 6: "floods"}
GOOD = """
import pytest
from tests.threats import found

@pytest.mark.threat(5, "smuggled", of="sequences")
@pytest.mark.parametrize("n", range(20))
def test_each(n): ...

@pytest.mark.threat(5, "smuggled", of="sequences")
def test_many():
    found(0, of=1_004)
"""
VALUES = """
import pytest
from tests.threats import found

@pytest.mark.threat(6, "growth", of="mails", unit="MiB", at_most=100)
@pytest.mark.threat(6, "served in", of="mails", unit="s", at_most=2)
@pytest.mark.parametrize("n", [31, 7])
def test_value(n):
    found(n, what="growth")
    found(n / 100, what="served in")
"""


@pytest.fixture(autouse=True)
def two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "ROWS", TWO_ROWS)
    monkeypatch.setattr(plugin, "ROWS", TWO_ROWS)


def run(pytester: pytest.Pytester, *tests: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    pytester.makeini("[pytest]\ntestpaths = .\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(**{f"test_{place}": test for place, test in enumerate(tests)})
    done = pytester.runpytest_inprocess("--threats", "-q", "-p", "tests.threats.plugin", *options)
    return int(done.ret), "\n".join((*done.outlines, *done.errlines))


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "three"])
def test_counts_add_up_and_the_worst_of_values_counts(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    code, said = run(pytester, GOOD, VALUES, options=options)
    assert "smuggled 0 of 1,024 sequences" in said
    assert "growth 31 MiB over 2 mails" in said
    assert "served in 0.31 s over 2 mails" in said
    assert "3 figures of 2 of 2 rows, all hold" in said
    assert code == 0, said


@pytest.mark.parametrize(
    ("test", "wrong"),
    [
        (GOOD.replace("found(0", "found(3"), "5: smuggled 3 of 1,024 sequences"),
        (GOOD.replace("(n): ...", "(n): assert n"), "5: smuggled 1 of 1,024 sequences"),
        (VALUES.replace("[31, 7]", "[101, 7]"), "6: growth 101 MiB"),
        (VALUES.replace('found(n, what="growth")', ""), "6: growth: no figure"),
        (VALUES.replace("found(n / 100", "found(n"), "6: served in 31 s"),
    ],
    ids=["a count that was told", "a test that failed", "a value", "no value told", "another value"],
)
def test_what_is_out_of_its_bound_fails_the_run(pytester: pytest.Pytester, test: str, wrong: str) -> None:
    code, said = run(pytester, test)
    assert code == 1
    assert f"FAILED threat {wrong}" in said


def test_a_row_without_a_figure_fails_a_whole_run_and_no_other(pytester: pytest.Pytester) -> None:
    code, said = run(pytester, GOOD)
    assert (code, "FAILED threat 6: no figure" in said) == (1, True)
    code, said = run(pytester, GOOD, options=("test_0.py",))
    assert (code, "FAILED" in said) == (0, False)


def test_a_mark_that_says_nonsense_is_an_error(pytester: pytest.Pytester) -> None:
    for mark in ('threat(99, "x")', 'threat(5, "x", unit="s")', 'threat(5, "x", most=1)'):
        code, _ = run(pytester, f"import pytest\n@pytest.mark.{mark}\ndef test_x(): ...")
        assert code != 0, mark
