"""Events by minute and code."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.count.columns import Integers
from streams.count.index import nonzero, sorted_stably

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Minutes:
    """The minutes that events of some partitions fall into: `present` are (number of the partition, epoch minute), ascending; `epoch[i]` is
    the minute of event i, `numbers[i]` its number among those.
    """

    present: list[tuple[int, int]]
    epoch: Integers
    numbers: Integers

    @classmethod
    def of(cls, ts: Integers, partitions: Integers) -> "Minutes":
        """The minutes of these times (ms). `ts` lies within bounds of the append time, so they span a few thousand at most."""
        epoch = ts // MINUTE_MS
        first = int(epoch.min())
        width = int(epoch.max()) - first + 1
        keys = partitions * width + (epoch - first)
        present = nonzero(np.bincount(keys))
        number_of = np.zeros(present[-1] + 1, np.int64)
        number_of[present] = np.arange(len(present))
        pairs = [(key // width, key % width + first) for key in present.tolist()]
        return cls(pairs, epoch, number_of[keys])

    def at(self, events: Integers) -> "Minutes":
        """Those of some of the events."""
        return Minutes(self.present, self.epoch[events], self.numbers[events])


def groups(
    minutes: Minutes, codes: Integers, width: int, members: NDArray[Any]
) -> Iterator[tuple[int, int, int, list[str]]]:
    """Partition, minute, code and members of each that has any; members are in the order given, and may repeat."""
    if not codes.size:
        return
    keys, order = sorted_stably(minutes.numbers * width + codes)
    sorted_members: list[str] = members[order].tolist()
    begins = nonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    ends = [*begins[1:].tolist(), len(keys)]
    for key, begin, end in zip(keys[begins].tolist(), begins.tolist(), ends, strict=True):
        yield *minutes.present[key // width], key % width, sorted_members[begin:end]
