"""`make test` prints how long each suite took beside its budget; all of them, three at a time, must be done within twelve minutes.

A pytest plugin (`-p budget`). A suite over its budget is named, and so is a total over twelve minutes. Neither fails the run: a busy
machine must not turn a good change red.
"""

import time
from collections import defaultdict
from pathlib import Path

import pytest

TOTAL_SECONDS_MAX = 720
#: Seconds of three processes on a machine of two cores, waiting included; a suite is a folder of tests/, `tests` what lies beside them.
BUDGETS = {
    "servers": 1500,
    "tests": 230,
    "watch": 140,
    "history": 130,
    "simulate": 120,
    "publish": 90,
    "rehearse": 75,
    "rules": 60,
    "simulation": 60,
    "observe": 55,
}
DEFAULT_BUDGET = 40

_begun = time.monotonic()
_spent: dict[str, float] = defaultdict(float)
_number: dict[str, int] = defaultdict(int)


def suite_of(path: str) -> str:
    """The folder of tests/ that a node id or path lies in."""
    parts = Path(path).parts
    return parts[1] if len(parts) > 2 else "tests"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add a phase of a test to its suite."""
    suite = suite_of(report.nodeid.partition("::")[0])
    _spent[suite] += report.duration
    _number[suite] += report.when == "call"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table."""
    terminalreporter.section("time by suite")
    for suite, seconds in sorted(_spent.items(), key=lambda item: -item[1]):
        budget = BUDGETS.get(suite, DEFAULT_BUDGET)
        over = "  over its budget" if seconds > budget else ""
        terminalreporter.line(
            f"{seconds:7.1f} s of {budget:4} s  {_number[suite]:5} tests  {suite}{over}", red=bool(over)
        )
    total = time.monotonic() - _begun
    over = "  OVER: make tests faster before adding more" if total > TOTAL_SECONDS_MAX else ""
    number = sum(_number.values())
    terminalreporter.line(
        f"{total:7.1f} s of {TOTAL_SECONDS_MAX:4} s  {number:5} tests  on the clock{over}", red=bool(over)
    )
