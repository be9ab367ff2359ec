"""A short form of `make bench-detection`: one region, some months, the same code and rivals. A table that stops making sense fails here."""

import datetime

import pytest

from bench.detection.table import Table, make_table
from bench.detection.trial import OURS, Period, run_places

#: From October to December, judged from November on: the autumn holidays, a public holiday, the first day back; not the rentrée.
PERIOD = Period(datetime.date(2025, 9, 15), datetime.date(2025, 11, 3), datetime.date(2025, 12, 12))
SEED = 77


@pytest.fixture(scope="module")
def table() -> Table:
    results = run_places(SEED, ("24",), PERIOD, rivals=True)
    return make_table(results, (PERIOD.judged - PERIOD.first).days * 1440)


def test_truths_are_found_and_ordinary_days_are_not(table: Table) -> None:
    ours = [row for row in table.rows if row.rule == OURS]
    assert sum(row.number for row in ours) >= 8
    found = sum(len(row.delays) for row in ours) / sum(row.number for row in ours)
    assert found >= 0.8
    assert table.false_a_week[OURS] <= 0.6


def test_rivals_are_given_the_same_truths_and_a_budget(table: Table) -> None:
    rules = {row.rule for row in table.rows}
    assert {"fixed threshold", "grafana adaptive", "Farrington flexible + calendar", "NB CUSUM + calendar"} <= rules
    for rule in rules - {OURS}:
        assert sum(row.number for row in table.rows if row.rule == rule) == sum(
            row.number for row in table.rows if row.rule == OURS
        )
        assert table.false_a_week[rule] <= 0.4, f"{rule}: its thresholds do not keep to the budget"


def test_no_rival_finds_more(table: Table) -> None:
    found = {
        rule: sum(len(row.delays) for row in table.rows if row.rule == rule)
        for rule in {row.rule for row in table.rows}
    }
    assert found[OURS] == max(found.values()), found
