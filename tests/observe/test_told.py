"""What an alert says of its sum: between which bounds it is usual."""

import numpy as np
import pytest

from streams.watch.summary import bounds_of_sum

SCORE = 5.5


def bounds(expected: float, tau: float, rows: int) -> tuple[float, float]:
    wide = SCORE * np.sqrt(1 / (expected + 0.5) + tau**2)
    row = np.full(rows, expected)
    return bounds_of_sum(row, row * np.exp(-wide), row * np.exp(wide), SCORE)


def test_the_bounds_of_one_row_are_its_own() -> None:
    assert bounds(400.0, 0.05, 1) == pytest.approx((400 * 0.6765, 400 / 0.6765), rel=0.01)


def test_what_counting_explains_averages_out_and_the_level_does_not() -> None:
    lower, upper = bounds(100.0, 0.0, 100)
    assert (upper - 10_000, 10_000 - lower) == pytest.approx((SCORE * 100, SCORE * 100), rel=0.05)
    lower, upper = bounds(100.0, 0.1, 100)
    assert upper / 10_000 == pytest.approx(np.exp(SCORE * 0.1), rel=0.02)
    assert lower / 10_000 == pytest.approx(np.exp(-SCORE * 0.1), rel=0.02)


def test_rows_of_which_nothing_is_expected_are_no_trouble() -> None:
    nothing = np.zeros(3)
    assert bounds_of_sum(nothing, nothing, np.full(3, 10.0), SCORE) == (0.0, 30.0)
    assert bounds_of_sum(np.full(3, 1.0), nothing, np.full(3, 11.0), SCORE)[1] <= 33.0
