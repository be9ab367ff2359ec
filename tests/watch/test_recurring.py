"""What recurs on some days: told each time, and a day without it is no drop."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np

from streams.rehearse import Found, counts_of, rehearse
from streams.watch import SENSITIVITIES, AlertKind, AlertScope, Array
from streams.watch.comparable_days import weekly
from streams.watch.limits import RECURRING_LIMIT, learn_limits
from streams.watch.scales import GROUPS, HOURS_LONG
from tests.watch.peaks import every_other_evening, past_of

FIRST = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
DAYS, EVENING = 112, slice(18, 20)


def evenings(part: float, seed: int) -> tuple[Array, np.ndarray]:
    """(hours) counts of 16 weeks with twice as much on `part` of the evenings, and (days) on which ones."""
    rng = np.random.default_rng(seed)
    mean = np.tile(400.0 + 300.0 * np.sin(np.arange(24) / 24 * 2 * np.pi - 2), (DAYS, 1))
    mean *= np.exp(rng.normal(0, 0.03, (DAYS, 1)) + rng.normal(0, 0.02, (DAYS, 24)))
    there = (rng.random(DAYS) < part) & (np.arange(DAYS) >= 3)
    mean[there, EVENING] *= 2.0
    return rng.poisson(mean).astype(float), there


def told(counts: Array) -> list[Found]:
    series = counts_of([AlertScope()], int(FIRST.timestamp()) // 60, 60, counts.reshape(1, -1), ZoneInfo("UTC"))
    return list(rehearse(series, weekly, SENSITIVITIES["normal"]).alerts)


def test_an_evening_without_what_recurs_is_no_drop() -> None:
    drops, found, there_at_all = 0, 0, 0
    for seed in (1, 2):
        counts, there = evenings(0.45, seed)
        alerts = told(counts)
        drops += sum(one.kind is not AlertKind.SURGE and one.start // 24 >= 28 for one in alerts)
        surges = {one.start // 24 for one in alerts if one.kind is AlertKind.SURGE}
        there_at_all += int(there[28:].sum())
        found += sum(there[day] for day in surges if day >= 28)
    assert drops <= 3
    assert found >= 0.75 * there_at_all


def test_an_outage_on_such_an_evening_is_told() -> None:
    counts, _there = evenings(0.45, 4)
    counts[100, EVENING] = counts[100, EVENING] // 10
    assert any(one.kind is AlertKind.DROP and one.start == 100 * 24 + 18 for one in told(counts))


def test_it_takes_less_where_surges_recur() -> None:
    """Every other evening scores 8, and some hour of every day 4: elsewhere it takes more than in the evening."""
    limits = learn_limits(every_other_evening(4.0), np.ones((1, 24)), SENSITIVITIES["normal"])
    assert limits.score[0, 0, 0, 19] < RECURRING_LIMIT + 0.1 < limits.score[0, 0, 0, 12]
    assert limits.recurs[0].nonzero()[0].tolist() == [18, 19, 20]


def test_a_strange_day_recurs_at_no_hour() -> None:
    """In windows of days one day in four scores 5.5 from noon on: all of the days are like that, no event of these hours."""
    surges = np.ones((63, 24))
    surges[::4, 13:23] = 5.5
    of_hours, of_days = (
        learn_limits(past_of(surges, group), np.ones((1, 24)), SENSITIVITIES["normal"]).score[0, group, 0, 18]
        for group in (HOURS_LONG, GROUPS - 1)
    )
    assert of_hours < RECURRING_LIMIT + 0.1
    assert of_days > 5.5
