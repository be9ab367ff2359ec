"""Real series on which the detector failed before: events that recur, growth, an end that nothing was measured at."""

import pytest

from bench.detection.cases import CASES, judge


@pytest.mark.parametrize("name", ["1", "2", "2b", "3", "5"])
def test_cases_are_right(name: str) -> None:
    outcome = judge(CASES[name])
    assert outcome.right, (outcome.found, outcome.events, outcome.false_a_week)


def test_every_alert_ends_at_a_row_that_was_measured() -> None:
    outcome = judge(CASES["1"])
    assert outcome.alerts
    assert all(outcome.counts.texts[alert.last] for alert in outcome.alerts)
