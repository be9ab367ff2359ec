"""What an observer decides from one snapshot, and what archiving is told and tells. Pure: observers that see the same do the same."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from streams.count import Settling, settle
from streams.count.local_dates import LocalDays
from streams.count.settle import UNOWNED_MS
from streams.live import Announced, Snapshot
from streams.live.keys import LAYOUT, SKETCH_DAYS_KEPT, SKETCH_MINUTES_KEPT


def settling(snapshot: Snapshot, lateness_ms: int) -> Settling:
    """Up to where time is settled in this snapshot, and which partitions are idle or stale."""
    return settle(snapshot.progress(), snapshot.now_ms, lateness_ms)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is not trimmed: minutes and sketches of minutes from these epoch minutes on, sketches of days from this date (20260901) on."""

    minute: int
    sketch_minute: int
    sketch_date: int


def what_is_kept(settled_ms: int, minutes_kept_hours: int, days: LocalDays) -> Kept:
    """Return the bounds at settled time; dates are of scenario time."""
    minute = settled_ms // 60_000
    oldest_date = date.fromisoformat(days.paris(minute)) - timedelta(days=SKETCH_DAYS_KEPT)
    return Kept(
        minute=(settled_ms - minutes_kept_hours * 3_600_000) // 60_000,
        sketch_minute=minute - SKETCH_MINUTES_KEPT,
        sketch_date=int(f"{oldest_date:%Y%m%d}"),
    )


def held_back(kept: Kept, archives: Collection[Announced], wait_hours: int) -> Kept:
    """Return what is kept until the archives have it: `wait_hours` longer at most, whatever they say.

    Minutes are trimmed by those who archive them (`streams.observe.archivist`), sketches of days once all archives have them.
    """
    longest = int(f"{date.fromisoformat(f'{kept.sketch_date}') - timedelta(hours=wait_hours):%Y%m%d}")
    archived = min((said.date for said in archives), default=longest)
    return Kept(kept.minute - wait_hours * 60, kept.sketch_minute, max(longest, min(kept.sketch_date, archived)))


def catalogs_in_use(snapshot: Snapshot) -> frozenset[str]:
    """Return the digests of the lists that live workers count under; where none tells, that under which the counts were begun."""
    live = {
        beat.catalog
        for beat in snapshot.heartbeats.values()
        if beat.catalog is not None and snapshot.now_ms - beat.at_ms <= UNOWNED_MS
    }
    return frozenset(live or ({snapshot.catalog} if snapshot.catalog is not None else ()))


def progress_problem(snapshot: Snapshot, *, may_be_closed: bool = False) -> str | None:
    """Return why this snapshot must not be read or continued, None where it is sound (an empty Redis is).

    `may_be_closed`: whoever asks makes the counts of a prefix that `vigie upgrade` has not opened yet.
    """
    if snapshot.layout is not None and snapshot.layout != LAYOUT:
        return (
            f"Redis holds key layout {snapshot.layout}, this version reads layout {LAYOUT}: run the version of Vigie that wrote it, "
            "or set another redis_prefix"
        )
    if snapshot.beside is not None and not may_be_closed:
        return (
            f"the counts of this redis_prefix are still being made, beside those of {snapshot.beside}: "
            f"`vigie upgrade --from {snapshot.beside}` opens them once they have caught up"
        )
    return None


def partitions_unowned(snapshot: Snapshot) -> tuple[int, ...]:
    """Return the partitions without a heartbeat of a worker within `UNOWNED_MS` of Redis's clock."""
    return tuple(
        number
        for number in range(snapshot.partitions)
        if (beat := snapshot.heartbeats.get(number)) is None or snapshot.now_ms - beat.at_ms > UNOWNED_MS
    )


@dataclass(frozen=True, slots=True)
class ArchiveRules:
    """What archiving needs of the settings; `shift_seconds` is scenario time minus clock.

    Trimming waits for an archive no longer than `wait_hours`.
    """

    directory: Path
    shift_seconds: int
    catalog: str
    minutes_kept_hours: int
    wait_hours: int
    #: After so many days sketches of users are forgotten; None: never.
    sketches_days_max: int | None = None

    @property
    def shift_minutes(self) -> int:
        """Archive time minus clock in minutes."""
        return self.shift_seconds // 60


@dataclass(frozen=True, slots=True)
class ArchiveFigures:
    """Where the archive stands, for metrics.

    `minute`: all settled minutes of the clock before it are archived, as far back as Redis holds any (None: nothing was found yet).
    `waiting_minutes`: minutes of hours that are over and that Redis holds but the archive does not. `refused_hours`: hours of which the
    archive keeps another reading, since Redis does not reflect all of it. `missed_events`: removed from Redis without being archived.
    """

    minute: int | None = None
    waiting_minutes: int = 0
    refused_hours: int = 0
    missed_events: int = 0
    file_bytes: int = 0
    passes: int = 0
    failures: int = 0
    problem: str | None = None


def fresh(archives: Mapping[str, Announced], now_ms: int, wait_hours: int) -> dict[str, Announced]:
    """The archives that said something within the time that trimming waits for one."""
    return {name: said for name, said in archives.items() if now_ms - said.at_ms <= wait_hours * 3_600_000}
