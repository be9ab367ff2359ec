"""One group behind a clock of minutes: the same alerts whatever the pieces, and only from the measure that may tell them."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streams.watch import AlertKind, AlertScope, Array, Group, Judge, Measure, Series, Told, weekly

DAYS = 24
FIRST = int(datetime.datetime(2026, 3, 2, tzinfo=ZoneInfo("Europe/Paris")).timestamp()) // 60
PARIS = ZoneInfo("Europe/Paris")


def group(step: int = 1) -> Group:
    scope = AlertScope(region="44")
    return Group("44", PARIS, weekly, step, (Series(scope, Measure.EVENTS, 0), Series(scope, Measure.VISITS, 1)))


def table(days: int, visits: float = 20.0, seed: int = 1) -> Array:
    """Events and visits of whole days without a change of clocks: a hump by day, less on weekends."""
    minutes = np.arange(days * 1440)
    hump = 0.05 + np.maximum(0.0, np.sin((minutes % 1440 - 360) / 1440 * 2 * np.pi))
    week = np.where((minutes // 1440) % 7 < 5, 1.0, 0.3)
    level = visits * hump * week
    random = np.random.default_rng(seed)
    return np.stack([random.poisson(10 * level), random.poisson(level)]).astype(float)


def judged(counts: Array, piece: int, step: int = 1, first: int = 0) -> tuple[Judge, list[Told]]:
    """A judge of these counts, fed `piece` minutes at a time after the `first` ones, which come day by day."""
    judge, told = Judge(group(step), FIRST), []
    for begin in (*range(0, first, 1440), *range(first, counts.shape[1], piece)):
        end = min(begin + 1440, first) if begin < first else begin + piece
        told += judge.feed(FIRST + begin, counts[:, begin:end])
    return judge, told


@pytest.fixture(scope="module")
def weeks() -> Array:
    return table(DAYS)


def at(day: int, hour: int) -> int:
    return day * 1440 + hour * 60


def test_a_silence_is_told_from_events_while_it_lasts_and_when_it_ends(weeks: Array) -> None:
    counts = weeks.copy()
    counts[:, at(22, 10) : at(22, 11)] = 0
    judge, told = judged(counts[:, : at(22, 10) + 5], 1440)
    silences = [one for one in judge.running() if one.kind is AlertKind.SILENCE]
    assert [(one.start, judge.group.series[one.series].measure) for one in silences] == [
        (FIRST + at(22, 10), Measure.EVENTS)
    ]
    assert not told
    ended = judge.feed(FIRST + at(22, 10) + 5, counts[:, at(22, 10) + 5 : at(22, 12)])
    assert [(one.kind, one.start, one.until) for one in ended] == [
        (AlertKind.SILENCE, FIRST + at(22, 10), FIRST + at(22, 11))
    ]
    assert not judge.running()


def test_a_surge_is_told_from_visits_alone(weeks: Array) -> None:
    counts = weeks.copy()
    counts[:, at(22, 10) : at(22, 11)] *= 2.5
    judge, _told = judged(counts[:, : at(22, 10) + 10], 1440)
    (one,) = judge.running()
    assert (one.kind, judge.group.series[one.series].measure) == (AlertKind.SURGE, Measure.VISITS)
    assert one.raised - one.start <= 4


def test_few_visits_leave_it_to_events() -> None:
    counts = table(DAYS, visits=0.5)
    counts[:, at(22, 10) : at(22, 11)] *= 4
    judge, _told = judged(counts[:, : at(22, 10) + 20], 1440)
    assert {judge.group.series[one.series].measure for one in judge.running()} == {Measure.EVENTS}


def test_pieces_of_any_length_give_the_same_alerts(weeks: Array) -> None:
    counts = weeks.copy()
    counts[:, at(22, 10) : at(22, 11)] *= 2.5
    counts[:, at(23, 9) : at(23, 10)] = 0
    by_day, by_hour = judged(counts, 1440)[1], judged(counts, 61, first=at(20, 0))[1]
    assert by_day == by_hour
    assert {one.kind for one in by_day} >= {AlertKind.SURGE, AlertKind.SILENCE}


def test_rows_of_five_minutes_wait_for_their_last_minute(weeks: Array) -> None:
    whole, pieces = (
        judged(weeks[:, : at(8, 0)], 1440, step=5)[0],
        judged(weeks[:, : at(8, 0) + 3], 7, step=5, first=at(6, 0))[0],
    )
    first, values = whole.bands.between(FIRST + at(7, 0), FIRST + at(8, 0))
    again, others = pieces.bands.between(FIRST + at(7, 0), FIRST + at(9, 0))
    assert (first, values.shape) == (again, others.shape) == (FIRST + at(7, 0), (4, 2, 288))
    np.testing.assert_array_equal(values, others)
    assert values[0, 0, 100] == weeks[0, at(7, 0) + 500 : at(7, 0) + 505].sum()


def test_bands_that_are_kept_no_longer_are_not_given(weeks: Array) -> None:
    judge, _told = judged(weeks[:, : at(8, 0)], 1440)
    first, values = judge.bands.between(FIRST, FIRST + at(8, 0))
    assert (first, values.shape[2]) == (FIRST + at(5, 0), 72 * 60)


def heap(minute: int, number: int = 25) -> Array:
    """A quiet place, a visit an hour, ten events each; and one visitor who opens many pages within three minutes."""
    counts = np.zeros((2, DAYS * 1440))
    random = np.random.default_rng(5)
    for begin in np.flatnonzero(random.random(DAYS * 1440 - 10) < 1 / 60):
        counts[1, begin] += 1
        counts[0, begin : begin + 5] += 2
    counts[1, minute] += 1
    counts[0, minute : minute + 3] += number
    return counts


def test_many_events_of_one_visitor_call_nobody() -> None:
    minute = at(22, 3)
    judge, told = judged(heap(minute)[:, : minute + 20], 1440)
    assert any(track.open or track.before >= 0 for tracks in judge.panel.tracks for track in tracks)  # the panel saw it
    assert not judge.running()
    assert not [one for one in told if one.kind is AlertKind.SURGE]


def test_many_visitors_of_a_quiet_place_do() -> None:
    minute = at(22, 3)
    counts = heap(minute)
    counts[1, minute : minute + 6] += 3
    counts[0, minute : minute + 6] += 30
    judge, _told = judged(counts[:, : minute + 8], 1440)
    assert [one.kind for one in judge.running()] == [AlertKind.SURGE]


def test_a_quiet_place_is_silent_once_ten_visits_were_expected() -> None:
    counts = table(DAYS, visits=1.0)
    begin = at(22, 12)
    level = counts[1, : at(22, 0)].reshape(-1, 1440)[:, 720:780].mean()
    counts[:, begin:] = 0
    judge, _told = judged(counts[:, : begin + int(7 / level)], 1440)
    assert not judge.running()
    judge, _told = judged(counts[:, : begin + int(16 / level)], 1440)
    assert [(one.kind, one.start) for one in judge.running()] == [(AlertKind.SILENCE, FIRST + begin)]
