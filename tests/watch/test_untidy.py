"""Series as untidy as real ones, and false alerts beside their budget."""

import numpy as np
import pytest

from bench.detection.real import against_budget
from bench.detection.untidy import FITTED, Wavering, fit, make
from streams.watch import SENSITIVITIES

BY_NAME = {one.name: one for one in FITTED}


def test_a_series_wavers_as_the_one_it_is_like() -> None:
    """What is measured of a series that was made is what it was made of."""
    asked = BY_NAME["walkers 150 K Road, 60 min"]
    found = [fit(make(asked, seed)) for seed in (1, 2, 3)]
    assert all(one is not None and one.missing == pytest.approx(asked.missing, abs=0.005) for one in found)
    days = np.mean([one.days.spread for one in found if one])
    hours = np.mean([one.hours.spread for one in found if one])
    assert days == pytest.approx(asked.days.spread, rel=0.35)
    assert hours == pytest.approx(asked.hours.spread, rel=0.35)


def test_the_same_seed_makes_the_same_series() -> None:
    one = BY_NAME["Phoenix departures, 60 min"]
    assert np.array_equal(make(one, 1).counts, make(one, 1).counts, equal_nan=True)
    assert not np.array_equal(make(one, 1).counts, make(one, 2).counts, equal_nan=True)


def test_a_walk_has_the_spread_and_the_memory_it_was_asked_for() -> None:
    values = Wavering(0.3, 0.6, 5.0).walk(20_000, np.random.default_rng(1))
    assert values.std() == pytest.approx(0.3, rel=0.05)
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(0.6, abs=0.03)


def test_false_alerts_are_held_against_the_budget() -> None:
    said = against_budget(100, 100 * 365.25 / 12 / 7 / 2, SENSITIVITIES["normal"])
    assert said.startswith(
        "100 false alerts in 217 weeks (95 % of Poisson: 81 to 122), budget 100: 1.00 times (0.81 to 1.22)"
    )
