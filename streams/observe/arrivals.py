"""Days of the past that reach the archive while an observer runs: an import, or the simulated days of a local stack that just started."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

#: The archive's directory is listed once in so many seconds; days that keep coming are waited for.
LOOK_SECONDS = 10.0


class Arrivals:
    """Says when the archive must be read anew. Days from `today` on are those that observers archive themselves."""

    def __init__(self, held: Iterable[date], today: date) -> None:
        self._today = today
        self._read = self._seen = self._past(held)
        self._looked = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether to look at all; `now` in monotonic seconds."""
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        return True

    def came(self, held: Iterable[date]) -> bool:
        """Whether days of the past came that were not read, and none since the last look."""
        before, self._seen = self._seen, self._past(held)
        return bool(self._seen - self._read) and self._seen == before

    def read(self, held: Iterable[date]) -> None:
        """These were read."""
        self._read = self._seen = self._past(held)

    def _past(self, held: Iterable[date]) -> frozenset[date]:
        return frozenset(day for day in held if day < self._today)
