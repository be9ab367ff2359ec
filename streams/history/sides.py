"""The two sides of a report: from the archive, or where the earlier one was never measured, estimated from imported weekly figures."""

from __future__ import annotations

from pathlib import Path

from streams.catalog import Catalog
from streams.history.calendar import SchoolCalendar
from streams.history.reading import History
from streams.history.report import NoDataError, Question, collect, held_text
from streams.history.side import Side


def both_sides(
    history: History, catalog: Catalog, calendar: SchoolCalendar, question: Question, config_dir: Path
) -> tuple[Side, Side]:
    """Both sides of a question.

    Raises:
        NoDataError: nothing is known of one of them.
    """
    del config_dir
    now = collect(history, catalog, calendar, question.days)
    then = collect(history, catalog, calendar, question.against)
    for side in (now, then):
        if side.quality is None or not side.quality.measured_minutes:
            raise NoDataError(f"no data from {side.days[0]} to {side.days[-1]}: {held_text(history.held())}")
    return now, then
