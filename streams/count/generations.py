"""Tables of one generation: ids, a plain `HashIndex`; and visitors, with the latest `ts` of each visitor and of each visitor and service.

Keys carry the partition that they are of (`Memory.salt`), so a table can serve several partitions: none finds what is another's.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar
from weakref import WeakSet, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from streams.count.index import HashIndex, Keys, Mask, sorted_stably
from streams.stable_hash import Hashes

#: "Never seen", in the 32 bits of a time relative to its generation: 24 days before it.
_NEVER = np.int32(-(2**31))
_ROWS_MIN = 64
#: Wider than the range of those times: sets one key's times apart from the next key's.
_APART = np.int64(2**33)


class SketchKind(IntEnum):
    """Sketches that a visitor is sent to: of a minute, and of a day."""

    MINUTE = 0
    DAY = 1


class VisitorTable:
    """A row for each visitor, with the latest `ts` of the visitor (column 0) and of each service (1, 2, ...).

    Times are kept in 32 bits, relative to the generation's aligned start. `sent` is a note of the sketches that each visitor was last
    sent to, and `members` what it is called there (0: not yet known), which count nothing: `VisitorRows`.
    """

    def __init__(self, start_ms: int, services: int, expected: int) -> None:
        self.keys = HashIndex(expected)
        self._start_ms = start_ms
        self._width = services + 1
        self.latest: NDArray[np.int32] = np.full(_ROWS_MIN * self._width, _NEVER, np.int32)
        self.sent: NDArray[np.int64] = np.full((_ROWS_MIN, 2), -1, np.int64)
        self.members: Hashes = np.zeros(_ROWS_MIN, np.uint64)

    def __len__(self) -> int:
        """Visitors held."""
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.keys.nbytes + self.latest.nbytes + self.sent.nbytes + self.members.nbytes

    def follow(self, visitors: Keys, services: Keys, ts: Keys) -> tuple[Keys, Mask, Keys, Keys]:
        """Remember these events; return the row of each, whether its visitor is new here, and how long before it (ms) was the latest `ts`
        of its visitor, and of its visitor and service: negative for one that lies ahead, very long where there was none.
        """
        found, is_new = self.keys.add(visitors)
        rows = found.astype(np.int64)
        places = rows * self._width
        while len(self.keys) > len(self.sent):
            self.latest = np.concatenate([self.latest, np.full_like(self.latest, _NEVER)])
            self.sent = np.concatenate([self.sent, np.full_like(self.sent, -1)])
            self.members = np.concatenate([self.members, np.zeros_like(self.members)])
        times = np.concatenate((ts, ts)) - self._start_ms
        since = times - _raise_to(self.latest, np.concatenate((places, places + 1 + services)), times)
        return rows, is_new, since[: len(ts)], since[len(ts) :]

    def since(self, visitors: Keys, services: Keys, ts: Keys) -> tuple[Keys, Keys]:
        """As `follow`, of an older generation: looks only, and tells no rows."""
        rows = self.keys.find(visitors).astype(np.int64) * self._width
        times = ts - self._start_ms
        visitor, service = self.latest[rows], self.latest[rows + 1 + services]
        unknown = rows < 0
        visitor[unknown] = service[unknown] = _NEVER
        return times - visitor, times - service

    def note_sent(self, rows: Keys, sketches: Keys, kind: SketchKind) -> Mask:
        """Which of these must be sent to their sketches: `VisitorRows.note_sent`."""
        new: Mask = (rows < 0) | (self.sent[rows, kind] != sketches)
        known = new & (rows >= 0)
        self.sent[rows[known], kind] = sketches[known]
        return new


def _raise_to(latest: NDArray[np.int32], places: Keys, times: Keys) -> Keys:
    """Raise `latest[places]` to `times`, one after the other; return what each found before it."""
    place, order = sorted_stably(places)
    is_head = np.ones(len(order), np.bool_)
    np.not_equal(place[1:], place[:-1], out=is_head[1:])
    found = latest[place].astype(np.int64)
    # A running maximum that begins anew at each place: every place's times are lifted above those of the place before it.
    lift = is_head.cumsum() * _APART
    running = np.maximum.accumulate(np.maximum(times[order], found) + lift) - lift
    latest[place] = running  # of several at one place the last stays, which is the highest
    found[1:] = np.where(is_head[1:], found[1:], running[:-1])
    before = np.empty_like(found)
    before[order] = found
    return before


T = TypeVar("T", HashIndex, VisitorTable)


class Tables:
    """Makes tables, for `memories`: the partitions of one worker.

    A table is shared by those that begin the same generation, for as long as one of them looks into it. Where they are few each has its
    `own`: small tables that the processor's cache holds are quicker.
    """

    def __init__(self, services: int) -> None:
        self._services = services
        self.memories: WeakSet[object] = WeakSet()
        self._ids: WeakValueDictionary[int, HashIndex] = WeakValueDictionary()
        self._visitors: WeakValueDictionary[int, VisitorTable] = WeakValueDictionary()

    def ids(self, index: int, expected: int, own: bool) -> HashIndex:
        """That of the generation with this aligned number; a new one has room for `expected` entries."""
        return _table(self._ids, index, own, lambda: HashIndex(expected))

    def visitors(self, index: int, start_ms: int, expected: int, own: bool) -> VisitorTable:
        """The same of visitors; `start_ms` is where that generation is aligned."""
        return _table(self._visitors, index, own, lambda: VisitorTable(start_ms, self._services, expected))


def _table(shared: WeakValueDictionary[int, T], index: int, own: bool, make: Callable[[], T]) -> T:
    if own:
        return make()
    table = shared.get(index)
    if table is None:
        table = shared[index] = make()
    return table
