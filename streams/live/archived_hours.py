"""What an archive needs of Redis: hours with the offsets that they reflect, sketches of days. It writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from streams.clock import Milliseconds, Minute
from streams.count import Field
from streams.errors import StateError
from streams.live import checked
from streams.live.checked import PARTITIONS_MAX, Meta
from streams.live.connection import Connected, RedisAddress, connect, run
from streams.live.reader import MinuteCounts, added


class Announced(msgspec.Struct, frozen=True):
    """What an archive says of itself: at `at_ms` it held all minutes before `minute` and the sketches of days before `date` (20260901)."""

    minute: Minute
    date: Annotated[int, msgspec.Meta(ge=0, le=9999_12_31)]
    at_ms: Milliseconds


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """Where archiving may begin. Minutes before `trimmed_before` were removed. `missed_events` were removed with no archive having them.

    `oldest` is the oldest epoch minute held, None for none. `archives` are those that are kept of this Redis, by id; `unreadable` says
    what one of them is that nobody can read: nothing is trimmed before it was removed.
    """

    now_ms: int
    layout: str | None
    settled_ms: int | None
    trimmed_before: int
    missed_events: int
    oldest: int | None
    archives: Mapping[str, Announced]
    unreadable: StateError | None = None


@dataclass(frozen=True, slots=True)
class HourCounts:
    """Minutes and what they reflect, of one instant. `settled` are the epoch minutes asked for that are settled and were not removed."""

    now_ms: int
    topic_id: str
    offsets: Mapping[int, tuple[int, int]]
    totals: Mapping[Field, int]
    settled: tuple[int, ...]
    minutes: tuple[MinuteCounts, ...]


class ArchiveReader(Connected):
    """The blocking side for archives."""

    def __init__(self, address: RedisAddress, prefix: str) -> None:
        super().__init__(address, prefix)
        # Sketches are bytes, not text.
        self._raw = connect(address, text=False)

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._raw.close()

    def state(self) -> ArchiveState:
        """Read where archiving stands."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.time()
        pipeline.hgetall(self._base + "meta")
        pipeline.zrange(self._base + "minutes", 0, 0)
        pipeline.hgetall(self._base + "archives")
        (seconds, micros), stored, oldest, said = run(self._redis, pipeline)
        now_ms = seconds * 1000 + micros // 1000
        meta = Meta.of(stored, self._base + "meta", now_ms)
        archives: dict[str, Announced] = {}
        unreadable = None
        for name, text in said.items():
            try:
                found = checked.json_object(text, self._base + "archives", name, Announced)
                checked.past(found.at_ms, now_ms, f"{self._base}archives {name} at_ms")
                archives[name] = found
            except StateError as error:
                unreadable = error
        return ArchiveState(
            now_ms=now_ms,
            layout=meta.layout,
            settled_ms=None if meta.beside else meta.settled_ms,  # closed counts are nobody's yet
            trimmed_before=meta.trimmed_before,
            missed_events=meta.missed_events,
            oldest=checked.minute(oldest[0], self._base + "minutes") if oldest else None,
            archives=archives,
            unreadable=unreadable,
        )

    def hour(self, first: int, end: int) -> HourCounts:
        """Read the epoch minutes `first <= minute < end` that were not removed, with offsets and totals, atomically.

        Raises:
            StateError: a chunk was written only in part.
        """
        minutes = range(first, end)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.time()
        for name in ("meta", "offsets", "totals", "base"):
            pipeline.hgetall(self._base + name)
        pipeline.zmscore(self._base + "settled", [str(minute) for minute in minutes])
        for minute in minutes:
            pipeline.hgetall(f"{self._base}minute:{minute}")
        (seconds, micros), stored, offsets, totals, base, scores, *counts = run(self._redis, pipeline)
        now_ms = seconds * 1000 + micros // 1000
        meta = Meta.of(stored, self._base + "meta", now_ms)
        if meta.mark is not None:
            raise StateError(
                "Redis holds a chunk that was written only in part: see `vigie status`; nothing is archived meanwhile"
            )
        kept_from, settled_end = meta.trimmed_before, (meta.settled_ms or 0) // 60_000
        kept = [
            (minute, fields)
            for minute, fields in zip(minutes, counts, strict=True)
            if kept_from <= minute < settled_end
        ]
        return HourCounts(
            now_ms=now_ms,
            topic_id=meta.topic_id or "",
            offsets=dict(self._range(*item) for item in offsets.items()),
            totals=added(checked.fields(totals, self._base + "totals"), checked.fields(base, self._base + "base")),
            settled=tuple(
                m
                for m, score in zip(minutes, scores, strict=True)
                if score is not None and kept_from <= m < settled_end
            ),
            minutes=tuple(
                MinuteCounts(minute, checked.fields(fields, f"{self._base}minute:{minute}"))
                for minute, fields in kept
                if fields
            ),
        )

    def _range(self, partition: str, text: str) -> tuple[int, tuple[int, int]]:
        key = self._base + "offsets"
        first = checked.first_offset(text, key, partition)
        following = checked.partition_state(text, key, partition).next_offset
        return checked.integer(partition, key, PARTITIONS_MAX), (first, following)

    def day_sketches(self, date: str) -> dict[tuple[str, ...], bytes]:
        """The sketches held of a date (`2026-09-01`): (kind, code) -> HyperLogLog string."""
        number = date.replace("-", "")
        names: Any = self._redis.zrangebyscore(self._base + "days", number, number)
        keys = [f"{self._base}day:{name}" for name in names]
        sketches: Any = self._raw.mget(keys) if keys else []
        fields = [checked.field(name.partition(":")[2], self._base + "days") for name in names]
        found = dict(zip(fields, sketches, strict=True))
        return {key: value for key, value in found.items() if value is not None}
