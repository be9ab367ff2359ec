"""Settled time: up to which event time the minutes of all partitions together will not move any more, but for late events.

Rules (docs/architecture.md, "Settled minutes"):

- a partition whose owner confirmed within `CONFIRMED_MS` that it is read to its end is *idle* and does not hold the others back; but its
  owner vouches only for what Kafka held at that time: settled time never passes the oldest such confirmation - lateness;
- the others hold settled time at the lowest of their watermarks; one that has no watermark yet holds it where it is;
- when all are idle, settled time is their highest watermark, and once all have been idle for `SILENCE_MS`, the time of the
  confirmation - lateness: silence settles as measured zeros;
- a partition that nobody vouches for is *stale* and holds settled time where it is. So does a confirmation from the future: Redis's clock
  went back, and nothing says how long ago it was.

An event that reaches Kafka within the lateness of its own time is then counted before its time settles (a test simulates it).
Settled time never goes back: the caller keeps the maximum in Redis.
"""

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
    stale = tuple(p.partition for p in partitions if not _is_vouched_for(p, now_ms, UNOWNED_MS))
    idle = [p for p in partitions if p.idle_since_ms is not None and _is_vouched_for(p, now_ms, CONFIRMED_MS)]
    idle_numbers = tuple(p.partition for p in idle)
    if stale or not partitions:
        return Settling(None, idle_numbers, stale)
    # What all idle partitions together vouch for.
    confirmed_ms = min((p.confirmed_ms or 0 for p in idle), default=now_ms) - lateness_ms
    idle_set = set(idle_numbers)
    busy = [p.watermark_ms for p in partitions if p.partition not in idle_set]
    if busy:
        known = [watermark for watermark in busy if watermark]
        return Settling(min(confirmed_ms, *known) if len(known) == len(busy) else None, idle_numbers, ())
    silent_since_ms = max(p.idle_since_ms or 0 for p in idle)
    if now_ms - silent_since_ms >= SILENCE_MS:
        return Settling(confirmed_ms, idle_numbers, ())
    highest = max((p.watermark_ms or 0 for p in idle), default=0)
    return Settling(min(confirmed_ms, highest) if highest else None, idle_numbers, ())


def _is_vouched_for(progress: PartitionProgress, now_ms: int, within_ms: int) -> bool:
    return progress.confirmed_ms is not None and abs(now_ms - progress.confirmed_ms) <= within_ms
