"""The forecast that observers show: made by a command, kept beside the days of the archive as `forecast.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.history.whole_files import explained, read_json, replace_whole

FILE = "forecast.json"


@dataclass(frozen=True, slots=True)
class ForecastQuarter:
    """Visits of a quarter of an hour in France, with an interval from 10 to 90 %. `minute` is its first, in UTC."""

    minute: str
    visits: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class ForecastDay:
    """A day in France: visits with their interval, events, users (null where the archive has none), and the workers that its worst minute
    takes. `notes` say what it is from.
    """

    day: str
    visits: int
    lower: int
    upper: int
    events: int
    users: int | None
    workers: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptForecast:
    """What was forecast `at` a time from the archive's days up to `known_to`. Days of which nothing like it is known are left out."""

    at: str
    known_to: str
    days: tuple[ForecastDay, ...]
    quarters: tuple[ForecastQuarter, ...]


def keep(directory: Path, forecast: KeptForecast) -> None:
    """Put a forecast in the place of the one before.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    path = directory / FILE
    with explained(path):
        replace_whole(path, lambda fresh: fresh.write_bytes(msgspec.json.encode(forecast)))


def kept(directory: Path | None) -> KeptForecast | None:
    """The forecast that is kept, None where there is none.

    Raises:
        ArchiveError: it is damaged.
        UnreadableFileError: the system does not let it be read.
    """
    return read_json(directory / FILE, KeptForecast, "make it anew with `vigie forecast --keep`") if directory else None
