"""A Redis that a test fills like a worker of one partition, and everything that archives it."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from streams.catalog import Catalog
from streams.count import Delta, Field, Rejects, SketchKey
from streams.count.local_dates import LocalDays
from streams.history.archive import Archive
from streams.history.day_columns import CutName, minute_events
from streams.live import ArchiveKeeper, LiveKeeper, LiveWriter, SketchReader
from streams.live.connection import RedisAddress
from streams.observe import ArchiveRules, Archivist, Observer, ObserverRules
from streams.small_numbers import SmallNumbers
from tests.servers.observers import events

DAY = date(2026, 9, 1)
#: Midnight of that day in Paris, an epoch minute.
MIDNIGHT = 1788213600 // 60
KEPT_HOURS, WAIT_HOURS = 48, 24

Members = dict[SketchKey, list[str]]


@dataclass(slots=True)
class Chain:
    """A Redis that a test fills like a worker of one partition, and everything that observes it."""

    url: str
    directory: Path
    catalog: Catalog
    prefix: str = field(default_factory=lambda: f"test.{uuid.uuid4().hex[:12]}")
    first: int = 0
    position: int = 0
    topic_id: str = "topic-id"

    @property
    def address(self) -> RedisAddress:
        return RedisAddress(self.url)

    def count(
        self,
        minutes: dict[int, dict[Field, int]],
        sketches: dict[int, Members] | None = None,
        day_sketches: dict[str, Members] | None = None,
    ) -> None:
        """Apply one chunk; its offsets are as many as its events."""
        delta = Delta(None, self.first, 0, 1, 1, 1, minutes, {}, Rejects(), sketches or {}, day_sketches or {})
        delta.start = self.position or None
        delta.end = (self.position or self.first) + max(
            1, sum(n for f in minutes.values() for k, n in f.items() if k[0] == "e")
        )
        asyncio.run(self._apply(delta))
        self.position = delta.end

    async def _apply(self, delta: Delta) -> None:
        writer = LiveWriter(self.address, self.prefix)
        try:
            await writer.prepare(self.catalog.digest, "topic", self.topic_id, 1)
            assert (await writer.apply({0: [delta]}))[0].outcome == "applied"
        finally:
            await writer.close()

    def settle(self, minute: int) -> None:
        self.reader().settle(minute * 60_000)

    def reader(self) -> LiveKeeper:
        return LiveKeeper(self.address, self.prefix)

    def archivist(self, name: str = "archive", shift_seconds: int = 0) -> Archivist:
        rules = ArchiveRules(self.directory / name, shift_seconds, self.catalog.digest, KEPT_HOURS, WAIT_HOURS)
        return Archivist(ArchiveKeeper(self.address, self.prefix), rules)

    def observer(self, *, has_archive: bool = True) -> Observer:
        rules = ObserverRules(self.catalog, LocalDays(self.catalog, 0), 20_000, KEPT_HOURS, WAIT_HOURS, has_archive)
        archives = ArchiveKeeper(self.address, self.prefix)
        return Observer(
            self.reader(),
            SketchReader(self.address, self.prefix, self.catalog, SmallNumbers(1)),
            rules,
            archives=archives,
        )

    def flush(self, first: int = 0) -> None:
        """Empty this installation; counting begins again at an offset."""
        redis = self.reader()._redis
        if held := redis.keys("{" + self.prefix + "}:*"):
            redis.delete(*held)
        self.first, self.position = first, 0

    def archived(self, name: str = "archive", day: date = DAY) -> dict[int, int]:
        """Events by minute after midnight, as the file has them; empty without a file."""
        reader = Archive(self.directory / name).open(day)
        if reader is None:
            return {}
        with reader:
            return {minute - MIDNIGHT: n for minute, n in minute_events(reader.rows(CutName.REGION)).items()}


def hours(*numbers: int, each: int = 10, every: int = 15) -> dict[int, dict[Field, int]]:
    """Counts in every 15th minute of these hours after midnight of the day."""
    return {MIDNIGHT + hour * 60 + minute: events(each) for hour in numbers for minute in range(0, 60, every)}


def passes(archivist: Archivist, number: int = 4) -> None:
    for _pass in range(number):
        archivist.archive_pass()
