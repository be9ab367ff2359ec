"""A panel is fed a day at a time or a minute at a time, and says the same."""

import datetime

import numpy as np
import pytest

from streams.watch import SENSITIVITIES, Array, Change, Panel, weekly
from streams.watch.judging import of_a_region

MONDAY = datetime.date(2026, 1, 5)


def means(step: int, peak: float) -> Array:
    """A hump a day, (slots)."""
    hours = np.arange(1440 // step) * step / 60
    return np.asarray(peak * (0.03 + np.exp(-(((hours - 13) / 4) ** 2))))


def days(
    number: int, step: int = 15, peak: float = 150.0, series: int = 3, seed: int = 3, growth: float = 1.0
) -> list[Array]:
    rng = np.random.default_rng(seed)
    found = []
    for day in range(number):
        mean = means(step, peak) * (1.0 if day % 7 < 5 else 0.3) * growth**day
        found.append(rng.poisson(mean, size=(series, 1440 // step)).astype(float))
    return found


def judged(panel: Panel, counts: list[Array], piece: int) -> list[Change]:
    changes: list[Change] = []
    for number, day in enumerate(counts):
        date = MONDAY + datetime.timedelta(days=number)
        panel.begin_day(date, weekly(date))
        size = piece if number >= 29 else day.shape[1]  # the first weeks, in which nothing happens, in whole days
        for begin in range(0, day.shape[1], size):
            slots = np.arange(begin, min(begin + size, day.shape[1]))
            changes += panel.judge(slots, day[:, slots])[0]
    return changes


def eventful() -> list[Array]:
    counts = days(35)
    counts[30][0, 40:60] *= 2  # a surge
    counts[31][1, 44:60] *= 0.3  # a drop
    counts[32][2, 44:60] = 0  # a silence
    counts[33][0, 90:] *= 6  # over midnight
    counts[34][0, :4] *= 6
    return counts


@pytest.mark.parametrize("piece", [1, 7, 96])
def test_pieces_do_not_matter(piece: int) -> None:
    counts = eventful()
    whole = judged(Panel(3, 15, of_a_region(SENSITIVITIES["normal"])), counts, 96)
    assert judged(Panel(3, 15, of_a_region(SENSITIVITIES["normal"])), counts, piece) == whole
    assert [(c.episode.kind.value, c.series) for c in whole if c.ended] == [
        ("surge", 0),
        ("drop", 1),
        ("silence", 2),
        ("surge", 0),
    ]


def test_nothing_after_a_row_changes_what_was_said_of_it() -> None:
    counts = eventful()
    whole = judged(Panel(3, 15, of_a_region(SENSITIVITIES["normal"])), counts, 96)
    for number in (31, 33):
        before = judged(Panel(3, 15, of_a_region(SENSITIVITIES["normal"])), counts[:number], 96)
        assert before == [change for change in whole if change.row < number * 96]


def test_series_do_not_touch_each_other() -> None:
    counts = eventful()
    whole = judged(Panel(3, 15, of_a_region(SENSITIVITIES["normal"])), counts, 96)
    alone = judged(Panel(1, 15, of_a_region(SENSITIVITIES["normal"])), [day[1:2] for day in counts], 96)
    assert [change.episode for change in alone] == [change.episode for change in whole if change.series == 1]


def test_a_surge_does_not_become_its_own_baseline() -> None:
    """Three Tuesdays in a row would; one does not: the next Tuesday is expected as before."""
    counts = days(43, series=1)
    panel = Panel(1, 15, of_a_region(SENSITIVITIES["normal"]))
    counts[29][0] *= 3  # Tuesday
    judged(panel, counts[:36], 96)
    date = MONDAY + datetime.timedelta(days=36)
    expected = panel.begin_day(date, weekly(date)).expected[0]
    assert expected[40:64].sum() == pytest.approx(means(15, 150.0)[40:64].sum(), rel=0.06)


def test_what_lasts_is_adopted_in_some_days() -> None:
    """Twice the perimeter from one day to the next: surges on some days, until the level has followed."""
    counts = days(70, series=1)
    for day in counts[40:]:
        day *= 2
    changes = judged(Panel(1, 15, of_a_region(SENSITIVITIES["normal"])), counts, 96)
    ended = [change for change in changes if change.ended]
    assert [change.episode.kind.value for change in ended] == ["surge"] * len(ended)
    assert {change.episode.start // 96 for change in ended} >= {40, 41, 42}
    assert max(change.row for change in ended) < (40 + 10) * 96


def test_slow_growth_raises_nothing() -> None:
    assert judged(Panel(2, 15, of_a_region(SENSITIVITIES["normal"])), days(80, series=2, growth=1.015), 96) == []


@pytest.mark.parametrize("piece", [5, 96])
def test_empty_rows_of_its_nights_do_not_cut_a_long_drop(piece: int) -> None:
    counts = days(34, series=1)
    rng = np.random.default_rng(1)
    for number, first in ((30, 30), (31, 0), (32, 0)):
        counts[number][0, first:] = rng.binomial(counts[number][0, first:].astype(int), 0.08)
    changes = judged(Panel(1, 15, of_a_region(SENSITIVITIES["normal"])), counts, piece)
    told = [(change.episode.kind.value, change.episode.start - 30 * 96) for change in changes if change.ended]
    assert told[0] == ("drop", 30)
    assert [kind for kind, start in told if start < 2 * 96] == ["drop"]


def test_a_silence_of_a_rare_source_begins_when_it_began() -> None:
    rng = np.random.default_rng(2)
    counts = [rng.poisson(0.4, size=(6, 96)).astype(float) for _ in range(34)]
    counts[31][:, 20:] = 0
    counts[32][:, :90] = 0
    changes = judged(Panel(6, 15, of_a_region(SENSITIVITIES["normal"])), counts, 96)
    silences = [change.episode.start for change in changes if change.ended and change.episode.kind == "silence"]
    assert len(silences) >= 3
    assert np.mean(np.abs(np.array(silences) - (31 * 96 + 20))) <= 6


def test_two_visitors_on_a_sunday_do_not_page() -> None:
    counts = days(40, peak=1.0, series=1)
    counts[34][0, 30:40] = 0
    counts[34][0, 40:42] = 4
    assert judged(Panel(1, 15, of_a_region(SENSITIVITIES["normal"])), counts, 96) == []


def test_the_first_days_are_only_learned_from() -> None:
    counts = days(7, series=1)
    counts[1][0, 40:60] *= 5
    assert judged(Panel(1, 15, of_a_region(SENSITIVITIES["normal"])), counts, 96) == []


def test_a_source_that_was_never_seen_is_not_silent() -> None:
    """The least that is ever expected of a row adds up over a day, and promises nothing all the same."""
    never = [np.zeros((1, 1440)) for _ in range(31)]
    assert not judged(Panel(1, 1, of_a_region(SENSITIVITIES["normal"])), never, 1440)
