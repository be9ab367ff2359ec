"""Before anything is known to compare with: the configured load shape at the height of what was seen, wide, and causal."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streams.catalog import load_catalog
from streams.history import load_calendar
from streams.load_shape import curve, load_shape
from streams.observe.expected import COUNTS_MIN, ROWS_MIN, WIDE, ColdShape, filled, scaled
from streams.observe.series import make_plan
from streams.settings import default_config_dir

CATALOG = load_catalog(default_config_dir())
CALENDAR = load_calendar(default_config_dir(), CATALOG)
SHAPE = load_shape(default_config_dir(), CATALOG)
COLD = ColdShape(SHAPE, CALENDAR)
GROUPS = {group.name: group for group in make_plan(CATALOG, CALENDAR).groups}
TUESDAY = int(datetime.datetime(2026, 9, 22, tzinfo=ZoneInfo("Europe/Paris")).timestamp()) // 60


def test_weights_follow_the_clock_of_the_place_and_the_calendar() -> None:
    for name in ("44", "France"):
        weights = COLD.weights(GROUPS[name], TUESDAY, 1440)
        assert int(weights.argmax()) == int(np.argmax(curve(SHAPE)))
    overseas = COLD.weights(GROUPS["04"], TUESDAY, 1440)  # two hours ahead of Paris in summer
    assert int(overseas.argmax()) == int(np.argmax(curve(SHAPE))) - 120
    week = COLD.weights(GROUPS["44"], TUESDAY, 7 * 1440).reshape(7, 1440).sum(axis=1)
    assert week[4] / week[0] == pytest.approx(SHAPE.weekday["sat"] / SHAPE.weekday["tue"])
    services = COLD.weights(GROUPS["44/services"], TUESDAY, 288)
    assert int(services.argmax()) == pytest.approx(int(np.argmax(curve(SHAPE))) / 5, abs=1)


def test_the_height_is_that_of_the_rows_before_and_of_none_after() -> None:
    weights = COLD.weights(GROUPS["44"], TUESDAY + 420, 200)
    counts = 50.0 * weights
    expected = scaled(counts, weights)
    known = np.isfinite(expected)
    assert not known[:ROWS_MIN].any()
    assert known[50:].all()
    np.testing.assert_allclose(expected[known], counts[known])
    changed = counts.copy()
    changed[150:] *= 7
    np.testing.assert_array_equal(scaled(changed, weights)[:151], expected[:151])


def test_unknown_rows_and_few_counts_tell_no_height() -> None:
    weights = np.ones(40)
    assert np.isnan(scaled(np.full(40, np.nan), weights)).all()
    few = scaled(np.full(40, 1.0), weights)
    assert int(np.isfinite(few).argmax()) == COUNTS_MIN
    half = np.where(np.arange(40) % 2, 4.0, np.nan)
    assert scaled(half, weights)[39] == pytest.approx(4.0)


def test_it_fills_only_what_is_not_known() -> None:
    weights, counts = np.ones(60), np.full(60, 10.0)
    bands = np.stack([counts, np.full(60, np.nan), np.full(60, np.nan), np.full(60, np.nan)])
    bands[1:, 50:] = [[11.0], [5.0], [20.0]]
    _observed, expected, lower, upper = filled(bands, weights)
    assert (expected[30], lower[30], upper[30]) == (10.0, 10.0 / WIDE, 10.0 * WIDE)
    assert (expected[55], lower[55], upper[55]) == (11.0, 5.0, 20.0)
