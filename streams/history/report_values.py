"""The report as JSON and CSV, and its rows day by day, which the page draws and the terminal lists."""

import csv
from dataclasses import asdict, dataclass, replace
from typing import IO, Any

import numpy as np

from streams.clock import iso_utc
from streams.history.day_columns import Ints
from streams.history.pairing import Likeness, PairedDay
from streams.history.report import Mark, Report, Row
from streams.history.side import Extent, Side


@dataclass(frozen=True, slots=True)
class DayRow:
    """A pair of days, and visits of all projects: of the minutes that both sides measured where they are compared, else of all that were
    measured of each (0: none). `is_off`: no school on that day in any zone.
    """

    pair: PairedDay
    now: int
    then: int
    is_compared: bool
    is_off: bool

    @property
    def is_beside(self) -> bool:
        """Whether both belong side by side."""
        return self.pair.likeness is Likeness.SAME

    @property
    def growth(self) -> float | None:
        """now / then - 1; None where they are not compared or there was none."""
        return self.now / self.then - 1 if self.is_compared and self.then else None


def day_rows(report: Report) -> list[DayRow]:
    """A row a pair, in the order of the days asked for."""
    compared = frozenset(report.extent.day_numbers)
    covered = report.then.regions
    whole = [side.sum_of("national", "FR").by_day for side in (report.now, report.then)]
    common = [_compared(side, covered) for side in (report.now, report.then)]
    rows = []
    for number, pair in enumerate(report.question.pairs):
        now, then = (int(side[number]) for side in (common if number in compared else whole))
        rows.append(DayRow(pair, now, then, number in compared, pair.now in report.days_off))
    return rows


def _compared(side: Side, covered: frozenset[str] | None) -> Ints:
    """Visits compared by day; where the earlier side was estimated, in the regions that it covers."""
    national = side.sum_of("national", "FR").compared_by_day
    if covered is None:
        return national
    return sum((side.sum_of("region", region).compared_by_day for region in covered), np.zeros_like(national))


#: Columns of the CSV, and members of a row in JSON.
COLUMNS = (
    "by",
    "code",
    "label",
    "visits",
    "growth",
    "visits_then",
    "visits_compared",
    "visits_then_compared",
    "days_compared",
    "growth_all_projects",
    "events",
    "events_then",
    "peak_visits",
    "peak_minute",
    "users",
    "users_then",
    "establishments",
    "establishments_then",
    "silence_minutes",
    "perimeter_changed",
    "marks",
)


def row_values(row: Row) -> dict[str, Any]:
    """One row, by `COLUMNS`; growth as a ratio (0.5 is +50 %), None where nothing is known."""
    return {name: getattr(row, name, None) for name in COLUMNS} | {
        "growth": _rounded(row.growth),
        "growth_all_projects": _rounded(row.growth_raw),
        "peak_visits": row.peak.visits if row.peak else None,
        "peak_minute": iso_utc(row.peak.minute * 60_000) if row.peak else None,
        "marks": [str(mark) for mark in row.marks],
    }


def report_json(report: Report) -> dict[str, Any]:
    """`{perimeter, total: {visits, growth, ...}, rows: [{by, code, visits, growth, ...}], ...}`; see `row_values`."""
    found = report.perimeter
    rows = [report.total, *([report.first_day] if report.first_day else []), *report.rows]
    return {
        "kind": report.question.kind,
        "days": _ends(report.now),
        "against": _ends(report.then),
        "simulated": report.simulated,
        "estimated": report.then.estimated,
        "marks": [str(mark) for mark in Mark if any(mark in row.marks for row in rows)],
        "compared": _extent(report.extent),
        "compared_first_day": _extent(report.first_extent) if report.first_extent else None,
        "pairs": [
            {
                "day": row.pair.now.isoformat(),
                "against": row.pair.then.isoformat(),
                "likeness": str(row.pair.likeness),
                "visits": row.now,
                "visits_then": row.then,
                "growth_all_projects": _rounded(row.growth),
            }
            for row in day_rows(report)
        ],
        "unlike_days": [
            {"day_kind": str(one.kind), "zones": list(one.zones), "days": one.now, "days_then": one.then}
            for one in report.unlike
        ],
        "perimeter": {
            "same": found.is_same,
            "changes": [asdict(change) for change in found.changes],
            "establishments": found.establishments,
            "establishments_then": found.establishments_then,
            "regions_then": sorted(report.then.regions) if report.then.regions is not None else None,
        },
        "total": row_values(report.total),
        "first_day": row_values(report.first_day) if report.first_day else None,
        "rows": [row_values(row) for row in report.rows],
        "unknown_school_calendar": list(report.unknown_regions),
        "quality": quality_values(report.now),
        "quality_then": quality_values(report.then),
    }


def write_csv(report: Report, out: IO[str]) -> None:
    """One line a row, the total first; marks separated by `;`."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    first = [replace(report.first_day, by="first_day")] if report.first_day else []
    for row in (report.total, *first, *report.rows):
        values = row_values(row)
        writer.writerow(values | {"marks": "; ".join(values["marks"])})


def quality_values(side: Side) -> dict[str, Any] | None:
    """How far a side can be trusted."""
    if side.quality is None:
        return None
    values = {name.removesuffix("_events"): value for name, value in asdict(side.quality).items()}
    return values | {
        "days_without_data": [day.isoformat() for day in side.quality.days_without_data],
        "sources": [str(source) for source in side.quality.sources],
    }


def _extent(extent: Extent) -> dict[str, Any]:
    """`from` and `to` are the times of day in Paris from which the first, and up to which the last of the days is compared."""
    return {
        "days": len(extent.day_numbers),
        "of_days": extent.days,
        "minutes": extent.minutes,
        "from": _time(extent.since),
        "to": _time(extent.until),
        "whole": extent.is_whole,
    }


def _time(minute: int | None) -> str | None:
    return None if minute is None else f"{minute // 60:02}:{minute % 60:02}"


def _ends(side: Side) -> dict[str, str]:
    return {"from": min(side.days).isoformat(), "to": max(side.days).isoformat()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
