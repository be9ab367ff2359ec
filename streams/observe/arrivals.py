"""Days of the past that reach the archive while an observer runs: an import, a backfill, simulated days that a local stack writes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

#: The archive's directory is listed once in so many seconds; days that keep coming are waited for.
LOOK_SECONDS = 10.0


class Arrivals:
    """Says when the archive must be read anew. Days from `today` on are those that observers archive themselves. `stamp` changes when a
    backfill is through, which may have added to days that were read.
    """

    def __init__(self, held: Iterable[date], today: date, stamp: bytes = b"") -> None:
        self._today = today
        self._read_stamp = self._seen_stamp = stamp
        self._read = self._seen = self._past(held)
        self._looked = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether to look at all; `now` in monotonic seconds."""
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        return True

    def came(self, held: Iterable[date], stamp: bytes = b"") -> bool:
        """Whether days of the past came that were not read, or were added to, and nothing since the last look."""
        before, self._seen = (self._seen, self._seen_stamp), self._past(held)
        self._seen_stamp = stamp
        is_new = bool(self._seen - self._read) or stamp != self._read_stamp
        return is_new and (self._seen, stamp) == before

    def read(self, held: Iterable[date], stamp: bytes = b"") -> None:
        """These were read."""
        self._read = self._seen = self._past(held)
        self._read_stamp = self._seen_stamp = stamp

    def _past(self, held: Iterable[date]) -> frozenset[date]:
        return frozenset(day for day in held if day < self._today)
