"""The two sides of a report, each day beside one that is like it, from the archive.

The earlier side comes from weekly figures where it was hardly measured.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from streams.catalog import Catalog
from streams.errors import VigieError
from streams.history.calendar import SchoolCalendar
from streams.history.compared_days import PartOfFrance, ReportQuestion
from streams.history.day_columns import CutName
from streams.history.estimate import Estimate
from streams.history.marks import DayFile, joined
from streams.history.pairing import Likeness
from streams.history.reading import History
from streams.history.side import Known, Side, Sides, both, extent, known_minutes, nothing_known
from streams.history.sums import Collector
from streams.history.weeks import held_weeks, load_weeks
from streams.load_shape import load_shape

RUNS_SHOWN_MAX = 6


class NoDataError(VigieError):
    """Nothing is known of a range that was asked for."""

    exit_code = 1


def held_text(days: Sequence[date], directory: Path) -> str:
    """Days and weekly figures that an archive holds."""
    weeks = held_weeks(directory)
    text = f"the archive holds {counted(len(days), 'day')}: {_runs(days, 1)}" if days else "the archive holds no day"
    if weeks:
        told = f"weekly figures of {counted(len(weeks), 'week')}, by their Mondays: {_runs(weeks, 7)}"
        text += f"; {told} (they serve as an earlier side alone)"
    return text


def _runs(days: Sequence[date], step_days: int) -> str:
    """Runs of days or weeks, the latest ones."""
    runs = joined((day.toordinal(), day.toordinal() + step_days) for day in days)
    ends = [(date.fromordinal(first), date.fromordinal(end - step_days)) for first, end in runs[-RUNS_SHOWN_MAX:]]
    shown = [f"{first} to {last}" if first != last else f"{first}" for first, last in ends]
    earlier = len(runs) - len(shown)
    return (f"{counted(earlier, 'earlier range')}, " if earlier else "") + ", ".join(shown)


def counted(number: int, what: str) -> str:
    """`1 day`, `1,234 days`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


#: The earlier side is what Vigie measured. It is the ministry's weekly figures instead where these cover the days more than this many
#: times better.
ESTIMATE_COVERS_MORE = 2.0


def both_sides(
    history: History,
    catalog: Catalog,
    calendar: SchoolCalendar,
    question: ReportQuestion,
    config_dir: Path,
    *,
    part: PartOfFrance | None = None,
) -> Sides:
    """Both sides of a question, of France or of a part of it; of a part an earlier side is never made of weekly figures.

    Raises:
        NoDataError: nothing is known of one of them.
    """
    whole, first = _pairs(history, catalog, calendar, question, part)
    sides = whole.sides(first)
    _check(sides.now, history)
    mondays = {day - timedelta(days=day.weekday()) for day in question.against}
    weeks = {} if part else load_weeks(history.archive.directory, catalog, mondays)
    estimate = Estimate(catalog, calendar, load_shape(config_dir, catalog), weeks) if weeks else None
    if estimate and whole.minutes(list(map(estimate.known, question.against))) > ESTIMATE_COVERS_MORE * whole.minutes():
        # The later side once more, beside an earlier one from weekly figures.
        whole, first = _pairs(history, catalog, calendar, question, estimate)
        then = estimate.side(question.against, whole.compared)
        return whole.sides(first, then, estimate.side(question.against[:1], first.compared) if first else None)
    _check(sides.then, history)
    return sides


def _pairs(
    history: History,
    catalog: Catalog,
    calendar: SchoolCalendar,
    question: ReportQuestion,
    of: PartOfFrance | Estimate | None,
) -> "tuple[_Pair, _Pair | None]":
    """All days of a question, and of a rentrée the first ones: `of` a part of France, or beside what an estimate knows of the earlier."""
    whole = _Pair(catalog, calendar, question)
    of_first = ReportQuestion(question.kind, question.pairs[:1])
    first = _Pair(catalog, calendar, of_first) if question.kind == "rentree" else None
    pairs = zip(history.each_day(question.days), history.each_day(question.against), strict=True)
    for number, (now, then) in enumerate(pairs):
        told = of.known(question.against[number]) if isinstance(of, Estimate) else None
        if isinstance(of, PartOfFrance):
            now, then = (day and of.day(day) for day in (now, then))
        for pair in (whole, first) if first and not number else (whole,):
            pair.add(number, now, then, told)
    return whole, first


class _Pair:
    """Adds up both sides, and what they have in common."""

    def __init__(self, catalog: Catalog, calendar: SchoolCalendar, question: ReportQuestion) -> None:
        self.now = Collector(catalog, calendar, question.days)
        self.then = Collector(catalog, calendar, question.against)
        self._pairs = question.pairs
        self.compared: list[Known] = []
        self._mine: list[Known] = []

    def add(self, number: int, now: DayFile | None, then: DayFile | None, told: Known | None = None) -> None:
        """Add day `number` of both sides; `told` is what is known of the earlier one by other means."""
        is_apart = self._pairs[number].likeness is Likeness.APART  # no day is like it: nothing of it may be compared
        mine = nothing_known() if is_apart else _known(now)
        common = both(mine, told or _known(then))
        self.compared.append(common)
        self._mine.append(mine)
        for collector, day in ((self.now, now), (self.then, then)):
            if day is not None:
                collector.add(number, day, common)

    def minutes(self, told: Sequence[Known] | None = None) -> int:
        """Minutes compared; those that would be, were the earlier side told by other means."""
        common = self.compared if told is None else [both(m, t) for m, t in zip(self._mine, told, strict=True)]
        return sum(int(known[CutName.REGION].sum()) for known in common)

    def sides(self, first: "_Pair | None" = None, then: Side | None = None, first_then: Side | None = None) -> Sides:
        """Both sides; `then` and `first_then` take the place of what was measured."""
        return Sides(
            now=self.now.side(),
            then=then or self.then.side(),
            extents={cut: extent([known[cut] for known in self.compared]) for cut in CutName},
            first=first.sides(then=first_then) if first else None,
        )


def _known(day: DayFile | None) -> Known:
    return known_minutes(day.date, day.hours) if day else nothing_known()


def _check(side: Side, history: History) -> None:
    if side.quality is None or not side.quality.measured_minutes:
        held = held_text(history.archive.dates(), history.archive.directory)
        first, last = min(side.days), max(side.days)
        raise NoDataError(f"no data {f'from {first} to {last}' if first != last else f'on {first}'}: {held}")
