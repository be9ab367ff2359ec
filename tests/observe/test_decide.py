"""What an observer decides from a snapshot, and when it says that it is ready."""

import pytest

from streams.background import LoopState
from streams.count import PartitionState
from streams.count.settle import UNOWNED_MS
from streams.live import Heartbeat, Snapshot
from streams.live.keys import LAYOUT
from streams.observe import (
    catalogs_in_use,
    not_ready_because,
    partitions_unowned,
    progress_problem,
    settling,
)
from streams.observe.loop import READY_SECONDS_MAX

NOW_MS = 1_788_242_592_345


def beat(at_ms: int = NOW_MS - 400, position: int = 10, log_end: int = 10) -> Heartbeat:
    idle_since_ms = at_ms if position == log_end else None
    return Heartbeat("w", 1, 8001, position, log_end, 0.0, at_ms, at_ms, idle_since_ms, None, 0, 0)


def snapshot(heartbeats: dict[int, Heartbeat], watermarks: dict[int, int], layout: str | None = LAYOUT) -> Snapshot:
    offsets = {n: PartitionState(10, watermark_ms + 20_000, watermark_ms) for n, watermark_ms in watermarks.items()}
    firsts = dict.fromkeys(offsets, 0)
    return Snapshot(NOW_MS, layout, "c", "t", None, 2, None, offsets, firsts, heartbeats, {})


def test_settling_reads_watermarks_and_heartbeats():
    behind = {0: beat(log_end=20), 1: beat(log_end=20)}
    found = settling(snapshot(behind, {0: NOW_MS - 60_000, 1: NOW_MS - 50_000}), 20_000)
    assert found.settled_ms == NOW_MS - 60_000
    at_end = {0: beat(), 1: beat(log_end=20)}
    assert settling(snapshot(at_end, {0: NOW_MS - 60_000, 1: NOW_MS - 50_000}), 20_000).settled_ms == NOW_MS - 50_000


def test_a_partition_without_heartbeat_is_unowned_and_stale():
    found = snapshot({0: beat()}, {0: NOW_MS - 60_000})
    assert partitions_unowned(found) == (1,)
    assert settling(found, 20_000).stale == (1,)
    assert partitions_unowned(snapshot({0: beat(NOW_MS - 15_001), 1: beat(NOW_MS - 15_000)}, {})) == (0,)


def test_another_layout_is_not_read():
    assert progress_problem(snapshot({}, {})) is None
    assert progress_problem(snapshot({}, {}, layout=None)) is None  # an empty Redis
    assert "layout 0" in (progress_problem(snapshot({}, {}, layout="0")) or "")


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        (LoopState(), False),
        (LoopState(rounds=1, ended_at=100.0), True),
        (LoopState(rounds=1, ended_at=100.0, failures=1, problem="Redis is down"), False),
        (LoopState(rounds=9, ended_at=100.0 - READY_SECONDS_MAX - 1), False),
    ],
)
def test_readiness(state, ready):
    assert (not_ready_because(state, 100.0) is None) is ready


def test_lists_in_use_are_those_of_live_workers() -> None:
    beats = {0: beat_of("new", 990_000), 1: beat_of("old", 1_000_000 - UNOWNED_MS - 1), 2: beat_of(None, 1_000_000)}
    assert catalogs_in_use(snapshot_of(beats)) == {"new"}
    assert catalogs_in_use(snapshot_of({1: beats[1]})) == {"begun"}, (
        "nobody lives: that under which the counts were begun"
    )
    assert catalogs_in_use(snapshot_of({**beats, 3: beat_of("other", 999_000)})) == {"new", "other"}


def beat_of(catalog: str | None, at_ms: int) -> Heartbeat:
    return Heartbeat("w", 1, 8001, 0, 0, 0.0, at_ms, at_ms, None, None, 0, 0, catalog)


def snapshot_of(beats: dict[int, Heartbeat]) -> Snapshot:
    return Snapshot(1_000_000, LAYOUT, "begun", "id", None, 4, None, {}, {}, beats, {})
