"""Counts that come in heaps: few events, however many counts."""

import datetime

import numpy as np
import pytest

from streams.watch import SENSITIVITIES, Array, Panel, weekly
from streams.watch.bursts import heaps_of, learn_heaps

FIRST = datetime.date(2026, 1, 5)


def orders(number: int, size: float, rng: np.random.Generator, rows: int = 96) -> Array:
    """Lines of orders by row: `number` orders a row on average by day, none at night, each of so many lines on average."""
    hours = np.arange(rows) * 24 / rows
    begun = rng.poisson(np.where((hours >= 8) & (hours < 18), number, 0.0))
    return np.array([rng.geometric(1 / size, n).sum() if n else 0 for n in begun], float)


@pytest.mark.parametrize("size", [1.0, 5.0, 25.0])
def test_the_size_of_heaps_is_seen_in_empty_rows(size: float) -> None:
    rng = np.random.default_rng(1)
    days = [heaps_of(orders(1, size, rng)[None, :], np.zeros((1, 96), bool)) for _ in range(28)]
    assert learn_heaps(days, 1).size[0] == pytest.approx(3 * size - 2, rel=0.6)


def test_rows_of_an_hour_tell_nothing_of_heaps() -> None:
    days = [heaps_of(np.full((2, 24), 5.0), np.zeros((2, 24), bool)) for _ in range(28)]
    assert (learn_heaps(days, 2).size == 1.0).all()


def alerts(days: list[Array]) -> list[tuple[str, int]]:
    """(kind, row) of what is raised."""
    panel, found = Panel(1, 15, SENSITIVITIES["normal"]), []
    for number, day in enumerate(days):
        date = FIRST + datetime.timedelta(days=number)
        panel.begin_day(date, weekly(date))
        changes, _band = panel.judge(np.arange(96), day[None, :])
        found += [(change.episode.kind.value, change.row) for change in changes if not change.ended]
    return found


def test_lines_of_orders_are_no_surges_and_pauses_between_them_no_silences() -> None:
    rng = np.random.default_rng(3)
    days = [orders(1, 25, rng) for _ in range(63)]
    told = [row for _kind, row in alerts(days) if row >= 7 * 96]
    assert len(told) <= 4  # eight weeks at two a month


def test_what_was_silent_for_days_comes_back_as_it_was() -> None:
    """Two weeks without an order, then as before: one silence, and no surge when they come back."""
    rng = np.random.default_rng(4)
    days = [orders(4, 5, rng) for _ in range(56)]
    for day in days[30:44]:
        day[:] = 0
    told = alerts(days)
    assert [kind for kind, row in told if 30 * 96 <= row < 44 * 96 and kind != "drop"] == [
        "silence"
    ]  # a drop may tell first
    assert [kind for kind, row in told if 44 * 96 <= row < 47 * 96 and kind == "surge"] == []
