"""Settled time: the rules one by one, and the promise they make together."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.count import PartitionProgress, settle
from streams.count.settle import CONFIRMED_MS, SILENCE_MS, UNOWNED_MS

NOW_MS = 1_788_242_592_345
LATENESS_MS = 20_000


def busy(number: int, watermark_ms: int | None, confirmed_ms: int | None = NOW_MS - 500) -> PartitionProgress:
    return PartitionProgress(number, watermark_ms, confirmed_ms, None)


def idle(
    number: int, watermark_ms: int | None = None, *, confirmed_ms: int = NOW_MS - 500, since_ms: int = NOW_MS - 2_000
) -> PartitionProgress:
    return PartitionProgress(number, watermark_ms, confirmed_ms, since_ms)


def settled(*partitions: PartitionProgress) -> int | None:
    return settle(partitions, NOW_MS, LATENESS_MS).settled_ms


def test_no_partition_settles_nothing():
    assert settled() is None


def test_the_lowest_watermark_of_the_busy_ones_holds():
    assert settled(busy(0, NOW_MS - 30_000), busy(1, NOW_MS - 90_000), busy(2, NOW_MS - 60_000)) == NOW_MS - 90_000


def test_a_busy_partition_without_watermark_holds_time_where_it_is():
    assert settled(busy(0, NOW_MS - 30_000), busy(1, None)) is None
    assert settled(busy(0, NOW_MS - 30_000), busy(1, 0)) is None  # it has counted only rejected events


def test_an_idle_partition_does_not_hold_the_busy_ones_back():
    assert settled(busy(0, NOW_MS - 30_000), idle(1, NOW_MS - 3_600_000), idle(2, None)) == NOW_MS - 30_000


def test_an_idle_partition_vouches_only_up_to_its_confirmation():
    confirmed_ms = NOW_MS - CONFIRMED_MS
    assert settled(busy(0, NOW_MS - 20_100), idle(1, confirmed_ms=confirmed_ms)) == confirmed_ms - LATENESS_MS
    assert settled(idle(0, NOW_MS - 20_100), idle(1, confirmed_ms=confirmed_ms)) == confirmed_ms - LATENESS_MS


@pytest.mark.parametrize(("age_ms", "holds"), [(CONFIRMED_MS, False), (CONFIRMED_MS + 1, True)])
def test_idle_ends_when_the_confirmation_is_too_old(age_ms, holds):
    old = idle(1, NOW_MS - 3_600_000, confirmed_ms=NOW_MS - age_ms, since_ms=NOW_MS - 600_000)
    found = settle([busy(0, NOW_MS - 30_000), old], NOW_MS, LATENESS_MS)
    assert found.settled_ms == (NOW_MS - 3_600_000 if holds else NOW_MS - 30_000)
    assert found.idle == (() if holds else (1,))
    assert found.stale == ()


@pytest.mark.parametrize(("confirmed_ms", "stale"), [(NOW_MS - UNOWNED_MS, ()), (NOW_MS - UNOWNED_MS - 1, (1,))])
def test_a_partition_that_nobody_confirms_is_stale_and_blocks(confirmed_ms, stale):
    found = settle([busy(0, NOW_MS - 30_000), busy(1, NOW_MS - 30_000, confirmed_ms)], NOW_MS, LATENESS_MS)
    assert found.stale == stale
    assert found.settled_ms == (None if stale else NOW_MS - 30_000)


def test_a_partition_never_confirmed_is_stale():
    found = settle([idle(0, NOW_MS - 30_000), PartitionProgress(1, None, None, None)], NOW_MS, LATENESS_MS)
    assert (found.settled_ms, found.stale) == (None, (1,))


def test_a_stale_partition_blocks_although_all_others_are_silent():
    silent = idle(0, since_ms=NOW_MS - 10 * SILENCE_MS)
    dead = idle(1, confirmed_ms=NOW_MS - UNOWNED_MS - 1, since_ms=NOW_MS - 10 * SILENCE_MS)
    assert settled(silent, dead) is None


def test_a_confirmation_from_the_future_vouches_for_nothing():
    # Redis's clock went back an hour: a dead owner would look alive for an hour.
    assert settled(idle(0, NOW_MS - 30_000, confirmed_ms=NOW_MS + 3_600_000)) is None
    # A clock that was set back by milliseconds is no reason to stop.
    assert settled(idle(0, NOW_MS - 30_000, confirmed_ms=NOW_MS + 3)) == NOW_MS - 30_000


def test_all_idle_but_not_for_long_settles_at_the_highest_watermark():
    assert settled(idle(0, NOW_MS - 60_000), idle(1, NOW_MS - 30_000), idle(2, None)) == NOW_MS - 30_000


def test_all_idle_without_any_event_settles_nothing_at_first():
    assert settled(idle(0), idle(1)) is None


def test_silence_settles_up_to_the_oldest_confirmation():
    long_ago = NOW_MS - SILENCE_MS
    found = settled(idle(0, since_ms=long_ago, confirmed_ms=NOW_MS - 300), idle(1, since_ms=long_ago - 5_000))
    assert found == NOW_MS - 500 - LATENESS_MS


def test_silence_begins_with_the_last_partition_that_fell_idle():
    assert settled(idle(0, since_ms=NOW_MS - 10 * SILENCE_MS), idle(1, since_ms=NOW_MS - SILENCE_MS + 1)) is None


# --- the promise: what arrives within the lateness is counted before its time settles


@dataclass
class Partition:
    """One partition and its owner, second by second."""

    number: int
    log: list[tuple[int, int]] = field(default_factory=list)  # (append time, ts)
    counted: int = 0
    watermark_ms: int | None = None
    confirmed_ms: int | None = None
    idle_since_ms: int | None = None
    confirmed_end: int = -1

    def count(self, most: int) -> None:
        for append_ms, ts in self.log[self.counted : self.counted + most]:
            self.watermark_ms = max(self.watermark_ms or 0, min(ts, append_ms) - LATENESS_MS)
        self.counted = min(len(self.log), self.counted + most)

    def heartbeat(self, now_ms: int) -> None:
        self.confirmed_ms = now_ms
        if self.counted < len(self.log):
            self.idle_since_ms = None
        elif self.idle_since_ms is None or self.confirmed_end != len(self.log):
            self.idle_since_ms = now_ms
        self.confirmed_end = len(self.log)

    def progress(self) -> PartitionProgress:
        return PartitionProgress(self.number, self.watermark_ms, self.confirmed_ms, self.idle_since_ms)


#: Some seconds of one partition: how late its events are (None: no event), how many records are counted a second, whether its owner
#: sends heartbeats.
step = st.tuples(st.none() | st.integers(0, LATENESS_MS), st.integers(0, 3), st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), step, step), min_size=1, max_size=20), st.integers(0, 80))
def test_an_event_within_the_lateness_is_counted_before_its_time_settles(spans, silence):
    partitions = [Partition(0), Partition(1)]
    settled_ms = 0
    half = len(spans) // 2
    quiet = (silence, (None, 3, True), (None, 3, True))
    seconds = [moves for length, *moves in [*spans[:half], quiet, *spans[half:]] for _second in range(length)]
    for second, moves in enumerate(seconds):
        now_ms = NOW_MS + second * 1000
        for partition, (late_ms, counted, beats) in zip(partitions, moves, strict=True):
            partition.count(counted)
            if beats:
                partition.heartbeat(now_ms)
            if late_ms is not None:  # after the heartbeat: what its partition's owner does not know of yet
                partition.log.append((now_ms, now_ms - late_ms))
        found = settle([p.progress() for p in partitions], now_ms, LATENESS_MS)
        settled_ms = max(settled_ms, found.settled_ms or 0)
        for partition in partitions:
            assert all(ts >= settled_ms for _append_ms, ts in partition.log[partition.counted :])


def test_settled_time_follows_live_traffic_and_then_the_clock():
    partitions = [Partition(number) for number in range(3)]
    settled_ms: list[int] = []
    for second in range(200):
        now_ms = NOW_MS + second * 1000
        for partition in partitions:
            if second < 100 and second % 3 == partition.number:
                partition.log.append((now_ms, now_ms))
            partition.count(10)
            partition.heartbeat(now_ms)
        found = settle([p.progress() for p in partitions], now_ms, LATENESS_MS)
        settled_ms.append(found.settled_ms or 0)
    at = [NOW_MS + second * 1000 for second in range(200)]
    assert at[99] - settled_ms[99] == LATENESS_MS  # live: the lateness behind
    assert settled_ms[150] == at[99] - LATENESS_MS  # the events stopped: their last watermark
    assert at[199] - settled_ms[199] == LATENESS_MS  # silence: the clock goes on
    assert settled_ms == sorted(settled_ms)
