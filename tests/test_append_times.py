"""Where a log begins to hold what was appended since a time, found by looking at few of its batches."""

import random

import pytest

from streams.append_times import OFFSETS_EARLY_MAX, Appended, bisect_log


def made_log(rnd: random.Random, batches: int) -> list[Appended]:
    """Batches whose append times never go back, with holes between some."""
    found, offset, append_ms = [], rnd.randrange(5000), 1_788_242_400_000
    for _ in range(batches):
        offset += rnd.choice([0, 0, 0, rnd.randrange(50)])
        size = rnd.choice([1, 20, 3000])
        append_ms += rnd.choice([0, 5, 60_000])
        found.append(Appended(offset, offset + size - 1, append_ms))
        offset += size
    return found


@pytest.mark.parametrize("seed", range(60))
def test_nothing_that_was_asked_for_lies_before_and_little_else_behind(seed: int) -> None:
    rnd = random.Random(seed)
    log = made_log(rnd, rnd.randrange(1, 300))
    start, end = log[0].start, log[-1].offset + 1
    since_ms = rnd.randrange(log[0].append_ms - 10, log[-1].append_ms + 10)
    gone = rnd.choice([start, start, (start + end) // 2])  # retention went on meanwhile
    looks: list[int] = []

    def look(offset: int) -> Appended | None:
        looks.append(offset)
        return None if offset < gone else next(batch for batch in log if batch.offset >= offset)

    found = bisect_log(start, end, since_ms, look)
    wanted = [batch for batch in log if batch.append_ms >= since_ms and batch.start >= gone]
    first = wanted[0].start if wanted else end
    assert found <= first
    assert found >= min(first, end) - OFFSETS_EARLY_MAX - 3000 - 50
    assert start <= found <= end
    assert len(looks) <= 2 + (end - start).bit_length() - OFFSETS_EARLY_MAX.bit_length() + 1


def test_a_short_log_is_read_whole_without_a_look() -> None:
    assert bisect_log(5, 900, 0, lambda _offset: pytest.fail("nobody needs to look")) == 5
