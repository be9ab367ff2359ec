"""Where one owned partition stands, and what became of a chunk of it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from streams.count import Delta, PartitionCounter, PartitionState


class Verdict(StrEnum):
    """What became of a chunk."""

    COUNTED = "counted"  # and on its way to Redis
    KNOWN = "known"  # counted before: nothing to do
    WARMED = "warmed"  # counted before, read again into the counter's memory
    AWAY = "away"  # does not continue the partition: it is read again from its position
    GIVEN_UP = "given_up"  # the partition is being taken away, or the worker stops; counted later from the log


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A delta that was counted and is not known to be in Redis: `commands` are what it costs there. `on_applied` is called once it is."""

    delta: Delta
    append_times_ms: list[int]
    commands: int
    on_applied: Callable[[], object]


@dataclass(slots=True)
class Ledger:
    """One owned partition: its counter, where it stands, and where Redis does.

    `applied` is what Redis is known to hold of it (None: nothing); `pending` are the deltas from there to where the counter stands.
    `warm_at` is the next offset to read into the counter's memory; warm-up is over when it reaches `position`. `warm_from` is where it
    began.
    """

    partition: int
    counter: PartitionCounter
    applied: PartitionState | None
    log_start: int
    warm_from: int
    warm_at: int
    #: Chunks of an earlier epoch were fetched before the last seek of this partition and are ignored.
    epoch: int
    rereads: int = 0
    pending: deque[Counted] = field(default_factory=deque)
    #: Clock (s) at which everything in the log was counted, or since when this worker looks after it.
    complete_until: float = field(default_factory=time.time)

    def confirm(self, counted: Counted) -> None:
        """Redis holds this one, which is the first that is pending."""
        assert self.pending[0] is counted, "deltas are applied in their order"
        self.pending.popleft()
        delta = counted.delta
        self.applied = PartitionState(delta.end, delta.append_ms, delta.watermark_ms)
        self.rereads = 0

    @property
    def position(self) -> int:
        """The next offset to count."""
        return self.log_start if self.counter.next_offset is None else self.counter.next_offset

    @property
    def stored(self) -> int | None:
        """The next offset that Redis holds; None where it holds nothing."""
        return None if self.applied is None else self.applied.next_offset

    @property
    def applied_position(self) -> int:
        """The offset below which everything is in Redis."""
        return self.log_start if self.applied is None else self.applied.next_offset

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
