"""Everything that the archive holds of one day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from streams.history.day_columns import Rows, Sketches
from streams.history.marks import HourMark, InputMark


@dataclass(frozen=True, slots=True)
class DayFile:
    """Everything of one day."""

    date: date
    shift_seconds: int
    hours: tuple[HourMark, ...]
    rows: Rows
    sketches: Sketches
    catalog: str = ""
    #: Of a part that a backfill wrote: the files it is from, and how many events of the hour before the day it was counted with.
    inputs: tuple[InputMark, ...] = ()
    lead_events: int = 0
