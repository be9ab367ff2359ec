"""The forecast that observers show: a command makes it, and keeps it beside the days of the archive as `forecast.json`.

Metrics tell its quarters and days. Its page is in French, without a script or a style of its own: any page may hold it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import msgspec

from streams.clock import PARIS, french_moment
from streams.history.whole_files import explained, read_json
from streams.pages import NOW, Line, render
from streams.whole_file import replace_whole

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


_QUARTER_SECONDS = 900
BOUNDS = ("mean", "lower", "upper")


def quarter_that_ends(forecast: KeptForecast, at: float) -> tuple[float, ...] | None:
    """Mean, lower and upper of the 15 minutes that end at a time (epoch seconds), from the two quarters that they lie in; None where the
    forecast lacks one.
    """
    begin = at - _QUARTER_SECONDS
    first = begin - begin % _QUARTER_SECONDS
    share = (begin - first) / _QUARTER_SECONDS
    found = {
        start: (one.visits, one.lower, one.upper)
        for one in forecast.quarters
        if (start := datetime.fromisoformat(one.minute).timestamp()) in (first, first + _QUARTER_SECONDS)
    }
    earlier = found.get(first)
    later = found.get(first + _QUARTER_SECONDS) if share else earlier
    if earlier is None or later is None:
        return None
    return tuple((1 - share) * before + share * after for before, after in zip(earlier, later, strict=True))


def whole_day(forecast: KeptForecast, day: date) -> tuple[float, ...] | None:
    """The same of a day in Paris."""
    return next(((one.visits, one.lower, one.upper) for one in forecast.days if one.day == f"{day}"), None)


#: The interval's bounds.
BOUND = "#9fb8dc"
QUARTERS_A_DAY = 96


def forecast_body(forecast: KeptForecast) -> str:
    """The page without its frame."""
    return _rendered("forecast/forecast.html", forecast)


def forecast_page(forecast: KeptForecast) -> str:
    """The whole page, for a file."""
    return _rendered("forecast/forecast_file.html", forecast)


def _rendered(template: str, forecast: KeptForecast) -> str:
    curves = []
    if forecast.days:
        of_first = [one for one in forecast.quarters if f"{_local(one).date()}" == forecast.days[0].day]
        curves = [_curve(of_first, 16, "%H:%M"), _curve(forecast.quarters, QUARTERS_A_DAY, "%d/%m")]
    made = french_moment(datetime.fromisoformat(forecast.at).astimezone(PARIS))
    return render(template, title="Prévision des visites", forecast=forecast, made=made, curves=curves)


def _curve(quarters: Sequence[ForecastQuarter], every: int, form: str) -> tuple[list[Line], list[tuple[int, str]]]:
    """Lines, and ticks."""
    lines = [
        Line("borne haute (90 %)", [one.upper for one in quarters], BOUND),
        Line("borne basse (10 %)", [one.lower for one in quarters], BOUND),
        Line("attendu", [one.visits for one in quarters], NOW),
    ]
    return lines, [(place, f"{_local(quarters[place]):{form}}") for place in range(0, len(quarters), every)]


def _local(quarter: ForecastQuarter) -> datetime:
    return datetime.fromisoformat(quarter.minute).astimezone(PARIS)
