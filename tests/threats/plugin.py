"""Gathers the figures of all tests marked ``threat``, from every process of the run, into one table.

``pytest --threats`` prints all of it, any other run one line. In a run of the whole suite, or of all marked tests, a
row without a figure fails the run, as one beyond its bound does.
"""

from collections.abc import Generator, Iterable
from dataclasses import asdict
from typing import Any, Final

import pytest

from tests.threats.figures import ROWS, Figure, Measure, listen, measures

_KEY: Final = "threats"
_FIGURES: Final = pytest.StashKey[dict[Measure, Figure]]()
_WHAT_WIDTH: Final = 76


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--threats", action="store_true", help="print the table of threats with their figures")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "threat(row, what, of=, unit=, at_most=, at_least=): gives a figure to the table of threats",
    )
    config.stash[_FIGURES] = {}
    if not hasattr(config, "workerinput"):  # reports of all processes come to the one that prints
        config.pluginmanager.register(_Gatherer(config.stash[_FIGURES]), "threats-gatherer")


class _Gatherer:
    def __init__(self, figures: dict[Measure, Figure]) -> None:
        self._figures = figures

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        count(self._figures, report)


def _measures(item: pytest.Item) -> tuple[Measure, ...]:
    return measures([(mark.args, mark.kwargs) for mark in item.iter_markers("threat")])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Send what the test tells along with its reports: they come from every process to the one that prints."""
    marks = _measures(item)
    told: list[tuple[str, float, int]] = []
    item.user_properties.append((_KEY, [asdict(one) for one in marks]))
    item.user_properties.append((f"{_KEY}-told", told))
    listen(told if marks else None)
    try:
        return (yield)
    finally:
        listen(None)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    figures = config.stash[_FIGURES]
    if not figures:
        return
    wrong = _wrong(config)
    if config.option.threats:
        terminalreporter.section("threats")
        terminalreporter.write_line(table(figures.values()))
    for line in wrong:
        terminalreporter.write_line(f"FAILED threat {line}", red=True)
    rows = {one.row for one in figures}
    terminalreporter.write_line(
        f"threats: {len(figures)} figures of {len(rows)} of {len(ROWS)} rows, "
        + (f"{len(wrong)} FAILED" if wrong else "all hold")
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A figure out of its bound fails the run, also when each test by itself was content."""
    if hasattr(session.config, "workerinput") or session.exitstatus != pytest.ExitCode.OK:
        return
    if _wrong(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def count(figures: dict[Measure, Figure], report: pytest.TestReport) -> None:
    """Add what a report of a marked test says to the figures."""
    properties: dict[str, Any] = dict(report.user_properties)
    marks = [Measure(**one) for one in properties.get(_KEY, ())]
    told = properties.get(f"{_KEY}-told", ())
    if unknown := {what for what, _, _ in told if what} - {one.what for one in marks}:
        raise ValueError(f"{report.nodeid}: no mark measures {', '.join(sorted(unknown))}")
    for one in marks:
        figure = figures.setdefault(one, Figure(one))
        figure.tests.add(report.nodeid)
        if report.failed:
            figure.failed.add(report.nodeid)
        if report.skipped:
            figure.skipped.add(report.nodeid)
        if report.when != "call" or report.skipped:
            continue
        mine = [(value, of) for what, value, of in told if what == one.what or (not what and len(marks) == 1)]
        # A test that goes through one case need not say so: it is bad when it fails.
        figure.add(mine if mine or one.unit or told else [(float(report.failed), 1)])


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as lines: row and threat, then each figure with its bound and verdict."""
    by_row: dict[int, list[Figure]] = {}
    for one in figures:
        by_row.setdefault(one.measure.row, []).append(one)
    lines = []
    for row, threat in ROWS.items():
        lines.append(f"{row:>2}  {threat}")
        for one in sorted(by_row.get(row, ()), key=lambda one: one.measure.what):
            verdict = "ok" if one.good else "skipped" if _only_skipped(one) else "FAILED"
            lines.append(f"      {one.text():<{_WHAT_WIDTH}} {one.measure.bound():>8}  {verdict}")
        if row not in by_row:
            lines.append(f"      {'no figure':<{_WHAT_WIDTH}} {'':>8}  not measured")
    return "\n".join(lines)


def _only_skipped(one: Figure) -> bool:
    return not one.of and one.skipped == one.tests


def _wrong(config: pytest.Config) -> list[str]:
    figures = config.stash[_FIGURES]
    wrong = [
        f"{one.measure.row}: {one.text()}, bound {one.measure.bound()}"
        for one in figures.values()
        if not one.good and not _only_skipped(one)
    ]
    if _whole(config):
        measured = {one.row for one, figure in figures.items() if figure.of}
        wrong += [f"{row}: no figure" for row in ROWS if row not in measured]
    return wrong


def _whole(config: pytest.Config) -> bool:
    """Whether nothing was left out of this run that could have given a figure."""
    everything = {*config.getini("testpaths"), str(config.rootpath / "tests"), str(config.rootpath)}
    return (
        {argument.rstrip("/") for argument in config.args} <= everything
        and config.option.markexpr in ("", "threat")
        and not (config.option.keyword or config.option.deselect or config.option.maxfail)
        and not (config.option.ignore or config.option.ignore_glob)
        and not config.option.collectonly
    )
