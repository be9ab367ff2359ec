"""A short form of `python -m bench.detection.other`: two kinds of series that are no school portal's, whole."""

import numpy as np
import pytest

from bench.detection.kinds import SHAPES, Shape, make
from bench.detection.other import judge, row
from streams.watch import SENSITIVITIES
from streams.watch.judging import of_a_region

_BY_NAME = {shape.name: shape for shape in SHAPES}


@pytest.mark.parametrize("name", ["requests, 5 min, 2 weeks", "rare, 60 min, mean 3"])
def test_events_are_found_and_little_else(name: str) -> None:
    shape: Shape = _BY_NAME[name]
    told = judge(make(shape, seed=11), of_a_region(SENSITIVITIES["normal"]))
    assert len(told.hits) >= 5
    assert np.mean([found is not None for _, found in told.hits]) >= 0.8
    assert len(told.ordinary) <= 1
    assert len(told.stray) <= 1
    assert row([told]).startswith(name)


def test_a_series_is_the_same_for_the_same_seed() -> None:
    shape = SHAPES[0]
    first, second, other = make(shape, 1), make(shape, 1), make(shape, 2)
    assert np.array_equal(first.eventful, second.eventful, equal_nan=True)
    assert not np.array_equal(first.eventful, other.eventful, equal_nan=True)
