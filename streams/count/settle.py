"""Settled time: up to which event time the minutes of all partitions together will not move any more, but for late events.

Rules (docs/architecture.md, "Settled minutes"):

- a partition whose owner confirmed within `CONFIRMED_MS` that it is read to its end is *idle* and does not hold the others back;
- the others hold settled time at the lowest of their watermarks; one that has no watermark yet holds it where it is;
- when all are idle, settled time is their highest watermark, and once all have been idle for `SILENCE_MS`, the time of the
  confirmation - lateness: silence settles as measured zeros;
- a partition that nobody vouches for is *stale* and holds settled time where it is.

Settled time never goes back: the caller keeps the maximum in Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: How old a confirmation from Kafka may be for a partition to count as read to its end.
CONFIRMED_MS = 5_000
#: A partition whose owner's heartbeat is older than this is unowned.
UNOWNED_MS = 15_000
#: How long all partitions must be idle before the clock takes over from the events.
SILENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """One partition as Redis holds it at one instant; times in epoch ms of Redis's clock, None where nothing is known.

    `confirmed_ms` is the last time the owner asked Kafka for the end of the log; `idle_since_ms` since when it found the partition read
    to its end without a break (None: it is not).
    """

    partition: int
    watermark_ms: int | None
    confirmed_ms: int | None
    idle_since_ms: int | None


@dataclass(frozen=True, slots=True)
class Settling:
    """Settled time (epoch ms; None: nothing is settled yet) and what decided it."""

    settled_ms: int | None
    idle: tuple[int, ...]
    stale: tuple[int, ...]


def settle(partitions: Sequence[PartitionProgress], now_ms: int, lateness_ms: int) -> Settling:
    """Return up to where time is settled; `partitions` are all of the topic, `now_ms` is Redis's clock in the same snapshot."""
    stale = tuple(p.partition for p in partitions if p.confirmed_ms is None or now_ms - p.confirmed_ms > UNOWNED_MS)
    idle = [p for p in partitions if _is_idle(p, now_ms)]
    idle_numbers = tuple(p.partition for p in idle)
    if stale or not partitions:
        return Settling(None, idle_numbers, stale)
    idle_set = set(idle_numbers)
    busy = [p.watermark_ms for p in partitions if p.partition not in idle_set]
    if busy:
        known = [watermark for watermark in busy if watermark]
        return Settling(min(known) if len(known) == len(busy) else None, idle_numbers, ())
    highest = max((p.watermark_ms or 0 for p in idle), default=0)
    silent_since = max(p.idle_since_ms or 0 for p in idle)
    if now_ms - silent_since >= SILENCE_MS:
        confirmed = min(p.confirmed_ms or 0 for p in idle)
        return Settling(max(highest, confirmed - lateness_ms), idle_numbers, ())
    return Settling(highest or None, idle_numbers, ())


def _is_idle(progress: PartitionProgress, now_ms: int) -> bool:
    return (
        progress.idle_since_ms is not None
        and progress.confirmed_ms is not None
        and now_ms - progress.confirmed_ms <= CONFIRMED_MS
    )
