"""Everything that the archive holds of one day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from streams.history.day_columns import Rows, Sketches
from streams.history.marks import HourMark


@dataclass(frozen=True, slots=True)
class DayFile:
    """Everything of one day."""

    date: date
    shift_seconds: int
    hours: tuple[HourMark, ...]
    rows: Rows
    sketches: Sketches
    catalog: str = ""
