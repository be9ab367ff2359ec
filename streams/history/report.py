"""How much more than then, where, and in which service: two sides of days compared, like with like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from streams.catalog import Catalog
from streams.errors import InputError, VigieError
from streams.history.calendar import SchoolCalendar, school_year_of
from streams.history.days import dates
from streams.history.perimeter import Compared, Perimeter, find_perimeter, like_with_like
from streams.history.reading import History
from streams.history.side import Peak, Side, Sum
from streams.history.sums import REPORTED, Collector

RENTREE_DAYS = 28
#: A year of whole weeks: the same weekday.
YEAR_DAYS = 364
DAYS_MAX = 400
MOVERS_MAX = 3


class NoDataError(VigieError):
    """Nothing is known of a range that was asked for."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared: days, and as many earlier ones, day n against day n. `kind` is `rentree`, `period` or `day`."""

    kind: str
    days: tuple[date, ...]
    against: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one code on both sides. `growth` is like with like; `growth_raw` of all visits; None where there is none.

    `visits` of services are visits of that service, and add up to no number of visits. `users` are approximate.
    """

    by: str
    code: str
    label: str
    visits: int
    visits_then: int
    growth: float | None
    growth_raw: float | None
    events: int
    events_then: int
    peak: Peak | None
    users: int | None
    users_then: int | None
    establishments: int | None
    establishments_then: int | None
    silence_minutes: int | None
    perimeter_changed: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A report: `total` is France over all days, `first_day` the same of the first alone (a rentrée), `rows` everything else."""

    question: Question
    perimeter: Perimeter
    total: Row
    first_day: Row | None
    rows: tuple[Row, ...]
    now: Side
    then: Side
    #: Regions of which nobody told the school days: they are compared by date alone.
    unknown_regions: tuple[str, ...]

    def of(self, by: str) -> list[Row]:
        """The rows of one grouping."""
        return [row for row in self.rows if row.by == by]

    def movers(self) -> list[Row]:
        """Regions, projects and services whose visits changed most: of each, those that grew most, then those that shrank most."""
        found = []
        for by in ("region", "project", "service"):
            moved = sorted(
                (r for r in self.of(by) if r.growth is not None), key=lambda row: row.visits_then - row.visits
            )
            shrunk = [row for row in moved[MOVERS_MAX:] if row.visits < row.visits_then]
            found += [*moved[:MOVERS_MAX], *shrunk[-MOVERS_MAX:]]
        return found


def rentree_question(calendar: SchoolCalendar, year: int, against: int) -> Question:
    """The first four weeks of two school years, from the rentrée on.

    Raises:
        InputError: a rentrée is not known.
    """
    firsts = []
    for school_year in (year, against):
        first = calendar.rentree(school_year)
        if first is None:
            raise InputError(
                f"the rentrée of {school_year} is not known: add the school year to config/calendar_overrides.yaml (zone A)"
            )
        firsts.append(first)
    sides = [tuple(dates(first, first + timedelta(days=RENTREE_DAYS - 1))) for first in firsts]
    return Question("rentree", sides[0], sides[1])


def period_question(first: date, last: date, against: date | None) -> Question:
    """A range of days against as many from another day on (None: the same weekdays a year before).

    Raises:
        InputError: the range is empty or too long.
    """
    length = (last - first).days + 1
    if not 1 <= length <= DAYS_MAX:
        raise InputError(
            f"a period of {length} days: --to must not lie before --from, and at most {DAYS_MAX} days are compared"
        )
    begin = against or first - timedelta(days=YEAR_DAYS)
    return Question("period", tuple(dates(first, last)), tuple(dates(begin, begin + timedelta(days=length - 1))))


def day_question(calendar: SchoolCalendar, day: date, against: date | None) -> Question:
    """One day: against day n of the school year before within four weeks of a rentrée, else the same weekday a year before."""
    if against is None:
        rentree, before = calendar.rentree(school_year_of(day)), calendar.rentree(school_year_of(day) - 1)
        if rentree and before and 0 <= (day - rentree).days < RENTREE_DAYS:
            against = before + (day - rentree)
    return Question("day", (day,), (against or day - timedelta(days=YEAR_DAYS),))


def collect(history: History, catalog: Catalog, calendar: SchoolCalendar, days: Sequence[date]) -> Side:
    """Add up one side."""
    collector = Collector(catalog, calendar, days)
    for day in history.days(days[0], days[-1]):
        collector.add(day)
    return collector.side()


def make_report(question: Question, now: Side, then: Side, catalog: Catalog, calendar: SchoolCalendar) -> Report:
    """Compare two sides."""
    perimeter = find_perimeter(now, then, catalog)
    labels = _labels(catalog)
    total = _row("national", "FR", "France", now, then, perimeter, catalog)
    rows = []
    for by, _cut, _position in REPORTED[1:]:
        for code in sorted({*now.codes(by), *then.codes(by)}):
            rows.append(_row(by, code, labels.get((by, code), code), now, then, perimeter, catalog))
    unknown = {*calendar.unknown_regions(question.days[0], question.days[-1])}
    unknown |= {*calendar.unknown_regions(question.against[0], question.against[-1])}
    first = _first_day(now, then, catalog) if question.kind == "rentree" else None
    return Report(question, perimeter, total, first, tuple(rows), now, then, tuple(sorted(unknown)))


def held_text(held: Sequence[date]) -> str:
    """What an archive holds, for those who asked for something else."""
    if not held:
        return "the archive holds no day"
    runs: list[tuple[date, date]] = []
    for day in held:
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    shown = ", ".join(f"{first} to {last}" if first != last else f"{first}" for first, last in runs[-6:])
    more = f"{len(runs) - 6} earlier ranges, " if len(runs) > 6 else ""
    return f"the archive holds {len(held)} days: {more}{shown}"


def _row(by: str, code: str, label: str, now: Side, then: Side, perimeter: Perimeter, catalog: Catalog) -> Row:
    mine, other = now.sum_of(by, code), then.sum_of(by, code)
    compared = like_with_like(by, code, now, then, perimeter, catalog)
    raw = Compared(mine.visits, other.visits)
    return Row(
        by=by,
        code=code,
        label=label,
        visits=mine.visits,
        visits_then=other.visits,
        growth=compared.growth if compared else None,
        growth_raw=raw.growth,
        events=mine.events,
        events_then=other.events,
        peak=mine.peak,
        users=now.users.get((by, code)),
        users_then=then.users.get((by, code)),
        establishments=now.establishments.get((by, code)),
        establishments_then=then.establishments.get((by, code)),
        silence_minutes=mine.silence_minutes,
        perimeter_changed=compared is None or (compared.now, compared.then) != (raw.now, raw.then),
    )


def _first_day(now: Side, then: Side, catalog: Catalog) -> Row:
    """France on the first day of each side, with a perimeter of its own."""
    sides = [_cut_to_first(side) for side in (now, then)]
    perimeter = find_perimeter(sides[0], sides[1], catalog)
    return _row("national", "FR", "France", sides[0], sides[1], perimeter, catalog)


def _cut_to_first(side: Side) -> Side:
    cut = Side(side.days[:1], quality=side.quality, estimated=side.estimated)
    cut.sums = {key: Sum(found.by_day[:1]) for key, found in side.sums.items() if key[0] in ("national", "project")}
    return cut


def _labels(catalog: Catalog) -> dict[tuple[str, str], str]:
    labels = {("region", region.code): region.name for region in catalog.regions}
    labels |= {("academy", a.code): a.name for region in catalog.regions for a in region.academies}
    labels |= {("service", service.code): service.label for service in catalog.services}
    labels |= {("project", project.code): project.name for project in catalog.projects}
    return labels
