"""The score of a window, held against its definition where next to nothing is expected and very much comes."""

import math

import numpy as np
import pytest

from streams.watch.score import QUANTUM, score_of


def by_bisection(observed: float, expected: float, tau: float) -> float:
    """The same for more than was expected, found slowly: the root of the likelihood's derivative lies between no wavering and all of it."""
    low, high = 0.0, math.log(observed / expected) / tau
    for _ in range(200):
        u = (low + high) / 2
        low, high = (u, high) if u < tau * (observed - expected * math.exp(tau * u)) else (low, u)
    mean = expected * math.exp(tau * low)
    return math.sqrt(low * low + 2 * (observed * math.log(observed / mean) - observed + mean))


@pytest.mark.parametrize("expected", [0.0, QUANTUM, 0.02, 1.0, 10.0])
@pytest.mark.parametrize("tau", [0.1, 0.2, 0.5, 1.0])
def test_however_much_comes_where_next_to_nothing_is_expected_it_is_a_score(expected: float, tau: float) -> None:
    """An exponential that overflowed made it no number, which is above no limit: no alert."""
    observed = (10.0 ** np.arange(2, 10)).astype(np.float64)
    scores = score_of(observed, np.full(8, expected), np.full(8, tau**2))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()
    for count, score in zip(observed, scores, strict=True):
        if tau**2 * count > 100:
            assert score == pytest.approx(by_bisection(count, max(expected, QUANTUM), tau), rel=0.05)
