"""Settled minutes, read whole once and then only when they changed: a scrape every few seconds asks for the same five."""

from __future__ import annotations

from collections.abc import Sequence

from streams.catalog import Catalog
from streams.count import Cut, Field
from streams.live import LiveReader, MinuteCounts


class SettledMinutes:
    """What was read of the minutes of the last scrape. Threads may share it: at worst a minute is read twice."""

    def __init__(self, reader: LiveReader, catalog: Catalog) -> None:
        self._reader = reader
        self._held: dict[int, MinuteCounts] = {}
        # Every event adds to exactly one academy and one project of its minute: while these stand, nothing of the minute moved.
        self._signs: list[Field] = [
            *((Cut.ACADEMY.value, code) for code in catalog.academy_codes),
            *((Cut.PROJECT.value, code) for code in catalog.project_codes),
        ]

    def read(self, minutes: Sequence[int]) -> list[MinuteCounts]:
        """Return exactly these minutes, empty ones included, as Redis holds them now.

        Raises:
            ServerError: Redis does not answer.
            StateError: what it holds was not written by this version.
        """
        before = self._held
        found: dict[int, MinuteCounts] = {}
        for minute, numbers in self._reader.columns([minute for minute in minutes if minute in before], self._signs):
            counts = before[minute].counts
            if numbers == [counts.get(field, 0) for field in self._signs]:
                found[minute] = before[minute]
        missing = [minute for minute in minutes if minute not in found]
        if missing:
            found |= {each.minute: each for each in self._reader.fetch(missing)}
        self._held = found
        return [found[minute] for minute in minutes]
