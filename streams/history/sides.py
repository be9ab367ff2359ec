"""The two sides of a report: from the archive, or where the earlier one was never measured, estimated from imported weekly figures."""

from __future__ import annotations

from pathlib import Path

from streams.catalog import Catalog
from streams.history.calendar import SchoolCalendar
from streams.history.estimate import Estimate
from streams.history.reading import History
from streams.history.report import NoDataError, Question, collect, held_text
from streams.history.side import Side
from streams.history.weekly import load_weeks
from streams.load_shape import load_shape


def both_sides(
    history: History, catalog: Catalog, calendar: SchoolCalendar, question: Question, config_dir: Path
) -> tuple[Side, Side]:
    """Both sides of a question.

    Raises:
        NoDataError: nothing is known of one of them.
    """
    now = collect(history, catalog, calendar, question.days)
    _check(now, history)
    then = collect(history, catalog, calendar, question.against)
    if then.quality is None or not then.quality.measured_minutes:
        weeks = load_weeks(history.directory)
        estimate = Estimate(catalog, calendar, load_shape(config_dir, catalog), weeks)
        if estimate.covers(question.against):
            return now, estimate.side(question.against)
    _check(then, history)
    return now, then


def _check(side: Side, history: History) -> None:
    if side.quality is None or not side.quality.measured_minutes:
        raise NoDataError(f"no data from {side.days[0]} to {side.days[-1]}: {held_text(history.held())}")
