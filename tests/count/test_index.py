"""The hash table against a plain dictionary, with keys that collide as they never would by chance."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.count.index import HashIndex, sorted_stably

#: Few different low bits: long probes. 0 is the mark of an empty slot and shares its row with 1.
keys = st.integers(0, 5).map(lambda n: n << 40) | st.integers(-(2**63), 2**63 - 1) | st.integers(2, 9)


def plain(held: dict[int, int], block: list[int]) -> tuple[list[int], list[bool]]:
    rows, first = [], []
    for key in block:
        key = key or 1
        first.append(key not in held)
        rows.append(held.setdefault(key, len(held)))
    return rows, first


@given(st.lists(st.lists(keys, max_size=40), max_size=8), st.integers(0, 3000))
def test_as_a_dictionary(blocks: list[list[int]], expected: int) -> None:
    index = HashIndex(expected)
    held: dict[int, int] = {}
    for block in blocks:
        column = np.array(block, np.int64)
        known = [held.get(key or 1, -1) for key in block]
        assert index.find(column).tolist() == known
        rows, first = index.add(column)
        assert (rows.tolist(), first.tolist()) == plain(held, block)
        assert index.find(column).tolist() == rows.tolist()
        assert len(index) == len(held)


def test_it_grows_and_forgets_nothing() -> None:
    rnd = random.Random(3)
    index = HashIndex()
    held: dict[int, int] = {}
    for _ in range(60):
        block = [rnd.getrandbits(63) for _ in range(rnd.randrange(1, 9000))] + rnd.sample(
            list(held), min(len(held), 500)
        )
        rows, first = index.add(np.array(block, np.int64))
        assert (rows.tolist(), first.tolist()) == plain(held, block)
    assert len(index) == len(held) > 200_000
    assert index.find(np.array(list(held), np.int64)).tolist() == list(held.values())
    assert index.nbytes <= 12 * 8 * len(held), "at least an eighth full"


@given(st.lists(st.integers(0, 5) | st.integers(0, 2**45), max_size=60))
def test_sorted_stably(values: list[int]) -> None:
    found, order = sorted_stably(np.array(values, np.int64))
    assert found.tolist() == sorted(values)
    assert order.tolist() == sorted(range(len(values)), key=values.__getitem__)
