"""Where one owned partition stands, and what became of a chunk of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

from streams.count import PartitionCounter


class Verdict(StrEnum):
    """What became of a chunk."""

    COUNTED = "counted"
    KNOWN = "known"  # counted before: nothing to do
    WARMED = "warmed"  # counted before, read again into the counter's memory
    AWAY = "away"  # does not continue the partition: it is read again from its position
    GIVEN_UP = "given_up"  # the partition is being taken away, or the worker stops; counted later from the log


@dataclass(slots=True)
class Ledger:
    """One owned partition: its counter and where it stands.

    `warm_at` is the next offset to read into the counter's memory; warm-up is over when it reaches `position`. `warm_from` is where it
    began.
    """

    partition: int
    counter: PartitionCounter
    log_start: int
    warm_from: int
    warm_at: int
    #: Chunks of an earlier epoch were fetched before the last seek of this partition and are ignored.
    epoch: int
    rereads: int = 0
    #: Clock (s) at which everything in the log was counted, or since when this worker looks after it.
    complete_until: float = field(default_factory=time.time)

    @property
    def position(self) -> int:
        """The next offset to count."""
        return self.log_start if self.counter.next_offset is None else self.counter.next_offset

    @property
    def expected(self) -> int:
        """The next offset this partition has use for: to warm up with, else to count."""
        return min(self.warm_at, self.position)

    @property
    def warming(self) -> float | None:
        """How far the warm-up has come, 0 to 1; None when there is none."""
        if self.warm_at >= self.position:
            return None
        return (self.warm_at - self.warm_from) / (self.position - self.warm_from)
