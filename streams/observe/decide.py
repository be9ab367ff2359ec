"""What an observer decides from one snapshot. Pure, so that two observers that see the same snapshot do the same."""

from __future__ import annotations

from streams.count import Settling, settle
from streams.count.settle import UNOWNED_MS
from streams.live import Snapshot
from streams.live.keys import LAYOUT

#: Wait between rounds while Redis does not answer: each second at first, so that a restart is seen at once, then less often.
RETRY_SECONDS = 1.0
RETRY_SECONDS_MAX = 5.0
#: Failures in a row after which the wait is `RETRY_SECONDS_MAX`.
QUICK_RETRIES_MAX = 60


def settling(snapshot: Snapshot, lateness_ms: int) -> Settling:
    """Up to where time is settled in this snapshot, and which partitions are idle or stale."""
    return settle(snapshot.progress(), snapshot.now_ms, lateness_ms)


def progress_problem(snapshot: Snapshot) -> str | None:
    """Return why this snapshot must not be read or continued, None where it is sound (an empty Redis is)."""
    if snapshot.layout is not None and snapshot.layout != LAYOUT:
        return (
            f"Redis holds key layout {snapshot.layout}, this version reads layout {LAYOUT}: run the version of Vigie that wrote it, "
            "or set another redis_prefix"
        )
    return None


def partitions_unowned(snapshot: Snapshot) -> tuple[int, ...]:
    """Return the partitions without a heartbeat of a worker within `UNOWNED_MS` of Redis's clock."""
    return tuple(
        number
        for number in range(snapshot.partitions)
        if (beat := snapshot.heartbeats.get(number)) is None or snapshot.now_ms - beat.at_ms > UNOWNED_MS
    )


def retry_seconds(failures: int) -> float:
    """Return how long to wait after `failures` (1 or more) rounds in a row that failed."""
    return RETRY_SECONDS if failures <= QUICK_RETRIES_MAX else RETRY_SECONDS_MAX
