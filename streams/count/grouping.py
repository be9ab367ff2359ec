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
    """The minutes that events fall into: `present` are the epoch minutes, ascending; `epoch[i]` is that of event i, `numbers[i]` its
    number among them.
    """

    present: list[int]
    epoch: Integers
    numbers: Integers

    @classmethod
    def of(cls, ts: Integers) -> "Minutes":
        """The minutes of these times (ms). `ts` lies within bounds of the append time, so they span a few thousand at most."""
        epoch = ts // MINUTE_MS
        first = epoch.min()
        present = nonzero(np.bincount(epoch - first))
        number_of = np.zeros(present[-1] + 1, np.int64)
        number_of[present] = np.arange(len(present))
        return cls((present + first).tolist(), epoch, number_of[epoch - first])

    def at(self, events: Integers) -> "Minutes":
        """Those of some of the events."""
        return Minutes(self.present, self.epoch[events], self.numbers[events])


def groups(
    minutes: Minutes, codes: Integers, width: int, members: NDArray[Any]
) -> Iterator[tuple[int, int, list[str]]]:
    """Minute, code and members of each pair that has any; members are in the order given, and may repeat."""
    if not codes.size:
        return
    keys, order = sorted_stably(minutes.numbers * width + codes)
    sorted_members: list[str] = members[order].tolist()
    begins = nonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    ends = [*begins[1:].tolist(), len(keys)]
    for key, begin, end in zip(keys[begins].tolist(), begins.tolist(), ends, strict=True):
        yield minutes.present[key // width], key % width, sorted_members[begin:end]
