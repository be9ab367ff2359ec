"""What archiving is told, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streams.live import Announced


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
