"""Visits day by day, each day beside the one that it is held against: what the page draws and the terminal lists. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from streams.history.pairing import Likeness, PairedDay
from streams.history.report import Report
from streams.history.side import Ints, Side


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
    if covered is None:
        return side.sum_of("national", "FR").compared_by_day
    return sum(
        (side.sum_of("region", region).compared_by_day for region in covered), 0 * side.sum_of("national", "FR").by_day
    )
