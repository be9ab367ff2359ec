"""What the steps of a chunk need of the world: Redis, the dead-letter topic, Kafka. Tests put their own behind the same interfaces."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from streams.count import Delta, PartitionState
from streams.events import Reason
from streams.live import Applied


class Store(Protocol):
    """What this room needs of `streams.live.LiveWriter`."""

    async def load(self, partitions: list[int]) -> dict[int, PartitionState | None]:
        """Where each partition stands."""

    async def apply(self, deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
        """One atomic call for the deltas of several partitions, all of them or none."""


class DeadLetters(Protocol):
    """What this room needs of the dead-letter topic."""

    async def keep(self, partition: int, delta: Delta) -> Mapping[Reason, int]:
        """Keep the rejects of a chunk; return how many are not kept, by reason."""


class Log(Protocol):
    """What this room needs of Kafka."""

    async def seek(self, partition: int, offset: int) -> None:
        """Read this partition from `offset` again."""

    def epoch(self, partition: int) -> int:
        """How many seeks this partition has seen."""

    async def log_start(self, partition: int) -> int:
        """The first offset that retention has left."""

    async def log_end(self, partition: int) -> int:
        """The offset after the last one in the log."""

    async def offsets_since(self, append_times_ms: Mapping[int, int]) -> dict[int, int]:
        """By partition, an offset from which on everything lies that was appended at that time (epoch ms) or later."""

    async def confirm_topic(self) -> None:
        """Ask now whether the topic is still the one that is counted; raises `StateError` when it was created anew."""
