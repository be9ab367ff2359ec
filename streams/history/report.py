"""How much more than then, where, and in which service: two sides of days compared, like with like. Pure."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from streams.catalog import Catalog
from streams.history.calendar import SchoolCalendar
from streams.history.changed_projects import (
    BY_SHARE,
    ComparedVisits,
    Perimeter,
    all_projects,
    find_perimeter,
    like_with_like,
)
from streams.history.compared_days import PartOfFrance, ReportQuestion
from streams.history.day_columns import CutName
from streams.history.pairing import UnlikeDays, is_off, unlike_days
from streams.history.side import Extent, Peak, Side, Sides
from streams.history.sums import REPORTED
from streams.small_numbers import SmallNumbers

MOVERS_MAX = 3


class Mark(StrEnum):
    """What a reader must know of a figure."""

    SIMULATED = "simulated"
    ESTIMATED = "estimée d'après le DNMA"
    PARTIAL = "partly measured"  # compared are the minutes that both sides have
    PERIMETER_CHANGED = "perimeter changed"  # compared without the projects that did
    BY_SHARE = (
        "projects taken off by their share"  # no figures by project and service, or by project and profile, exist
    )
    PERIMETER_UNKNOWN = "perimeter unknown"  # nobody can tell whether the same projects send on both sides
    CALENDAR_UNKNOWN = "school calendar unknown"  # days are paired as those of zones A, B and C
    UNLIKE_DAYS = "unlike days"  # other kinds of days are compared
    APPROXIMATE = "approximate users and establishments"
    FEW_USERS = "users too few to be told"


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one code on both sides; None where nothing is known, which is not zero. Users too few to be told are None, and `marks`
    says so.

    `visits` and `events` are all that were measured. `growth` is of `visits_compared` against `visits_then_compared`: like with like,
    and of the minutes that both sides measured, on `days_compared` days; `growth_raw` the same with all projects. Visits of services are
    visits of that service, and add up to no number of visits. `users` are approximate; those of then are told where the whole of both
    sides is compared.
    """

    by: str
    code: str
    label: str
    visits: int | None
    visits_then: int | None
    visits_compared: int | None
    visits_then_compared: int | None
    growth: float | None
    growth_raw: float | None
    days_compared: int
    events: int | None
    events_then: int | None
    peak: Peak | None
    users: int | None
    users_then: int | None
    establishments: int | None
    establishments_then: int | None
    silence_minutes: int | None
    perimeter_changed: bool
    marks: tuple[Mark, ...]

    @property
    def change(self) -> int:
        """Visits more, like with like; 0 where nothing is compared."""
        return (self.visits_compared or 0) - (self.visits_then_compared or 0)

    @property
    def then(self) -> int | None:
        """Visits of the earlier side: those compared, where any are."""
        return self.visits_then if self.visits_then_compared is None else self.visits_then_compared


@dataclass(frozen=True, slots=True)
class Report:
    """A report: `total` is France, or the regions asked for, over all days, `first_day` the same of the first alone (a rentrée), `rows`
    everything else.
    """

    question: ReportQuestion
    perimeter: Perimeter
    total: Row
    first_day: Row | None
    rows: tuple[Row, ...]
    now: Side
    then: Side
    #: How much of the days is compared, of France; and of the first day.
    extent: Extent
    first_extent: Extent | None
    #: Regions of which nobody told the school days: theirs are paired as those of zones A, B and C.
    unknown_regions: tuple[str, ...]
    #: Kinds of days of which there are more on one side.
    unlike: tuple[UnlikeDays, ...]
    #: Days of both sides without school in any zone: weekends, holidays.
    days_off: frozenset[date]
    simulated: bool
    #: How few users are not told as a number.
    few: SmallNumbers

    def users(self, row: Row) -> int | str | None:
        """Those of a row; in French where they are too few to be told."""
        return self.few.french if Mark.FEW_USERS in row.marks else row.users

    @property
    def is_by_share(self) -> bool:
        """Whether the projects that changed are taken off some rows by their share."""
        return any(Mark.BY_SHARE in row.marks for row in self.rows)

    def of(self, by: str) -> list[Row]:
        """The rows of one grouping."""
        return [row for row in self.rows if row.by == by]

    def ranked(self, by: str) -> list[Row]:
        """The same, the most visits first."""
        return sorted(self.of(by), key=lambda row: -(row.visits or 0))

    def has_compared(self, by: str) -> bool:
        """Whether not all visits of one grouping are compared."""
        return any(row.visits_compared not in (None, row.visits) for row in self.of(by))

    def movers(self) -> list[Row]:
        """Regions, projects and services whose visits changed most: of each, those that grew most, then those that shrank most."""
        found = []
        for by in ("region", "project", "service"):
            moved = sorted(
                (row for row in self.of(by) if row.growth is not None), key=lambda row: row.change, reverse=True
            )
            shrunk = [row for row in moved[MOVERS_MAX:] if row.change < 0]
            found += [*moved[:MOVERS_MAX], *shrunk[-MOVERS_MAX:]]
        return found


def make_report(
    question: ReportQuestion,
    sides: Sides,
    catalog: Catalog,
    calendar: SchoolCalendar,
    *,
    few: SmallNumbers,
    simulated: bool = False,
    part: PartOfFrance | None = None,
) -> Report:
    """Compare two sides. `simulated`: the archive says so of itself. `few`: which numbers of users are not told. `part`: of which the
    sides are, None: France.
    """
    now, then = sides.now, sides.then
    simulated = simulated or now.simulated or then.simulated
    unknown = {code for first, last in question.ends() for code in calendar.unknown_regions(first, last)}
    if part is not None:
        unknown &= part.codes["region"]
    extent = sides.extents[CutName.REGION]
    unlike = unlike_days(calendar, question.days, question.against, extent.day_numbers)
    rows = _Rows(sides, catalog, frozenset(unknown), few, simulated=simulated, unlike=bool(unlike))
    first_rows = (
        _Rows(sides.first, catalog, frozenset(unknown), few, simulated=simulated, unlike=False) if sides.first else None
    )
    return Report(
        question,
        rows.perimeter,
        _whole(rows, part),
        _whole(first_rows, part) if first_rows else None,
        rows.all(),
        now,
        then,
        extent,
        sides.first.extents[CutName.REGION] if sides.first else None,
        tuple(sorted(unknown)),
        unlike,
        frozenset(day for day in {*question.days, *question.against} if is_off(calendar, day)),
        simulated,
        few,
    )


def _whole(rows: "_Rows", part: PartOfFrance | None) -> Row:
    row = rows.row("national", CutName.REGION, "FR")
    return row if part is None else replace(row, by="regions", code=part.code, label=part.label)


class _Rows:
    """Makes the rows of two sides."""

    def __init__(
        self,
        sides: Sides,
        catalog: Catalog,
        unknown: frozenset[str],
        few: SmallNumbers,
        *,
        simulated: bool,
        unlike: bool,
    ) -> None:
        self._sides = sides
        self._catalog = catalog
        self._labels = _labels(catalog)
        self._unknown = unknown
        self._few = few
        self.perimeter = find_perimeter(sides.now, sides.then, catalog, sides.extents)
        holds = {Mark.SIMULATED: simulated, Mark.ESTIMATED: sides.then.estimated, Mark.UNLIKE_DAYS: unlike}
        self._marks = [mark for mark, is_so in holds.items() if is_so]

    def all(self) -> tuple[Row, ...]:
        """Everything but France."""
        now, then = self._sides.now, self._sides.then
        return tuple(
            self.row(by, cut, code)
            for by, cut, _position in REPORTED[1:]
            for code in sorted({*now.codes(by), *then.codes(by)})
        )

    def row(self, by: str, cut: CutName, code: str) -> Row:
        """One row."""
        now, then, key = self._sides.now, self._sides.then, (by, code)
        mine, other = now.sum_of(by, code), then.sum_of(by, code)
        compared = like_with_like(by, code, now, then=then, perimeter=self.perimeter, catalog=self._catalog)
        raw = compared if then.estimated and compared else all_projects(by, code, now, then)
        extent = self._sides.extents[cut]
        if not extent.minutes:
            compared, raw = None, ComparedVisits(0, 0)
        knows_now, knows_then = cut in now.cuts, cut in then.cuts
        # Weekly figures that name no such code tell nothing of it.
        knows_then = knows_then and not (then.estimated and key not in then.sums)
        whole = extent.is_nearly_whole
        return Row(
            by=by,
            code=code,
            label=self._labels.get(key, code),
            visits=mine.visits if knows_now else None,
            visits_then=other.visits if knows_then else None,
            visits_compared=compared.now if compared else None,
            visits_then_compared=compared.then if compared else None,
            growth=compared.growth if compared else None,
            growth_raw=raw.growth,
            days_compared=len(extent.day_numbers),
            events=mine.events if knows_now else None,
            events_then=other.events if knows_then and not then.estimated else None,
            peak=mine.peak,
            users=self._told(now, key),
            users_then=self._told(then, key) if whole else None,
            establishments=now.establishments.get(key),
            establishments_then=then.establishments.get(key) if whole or then.estimated else None,
            silence_minutes=mine.silence_minutes,
            perimeter_changed=compared != raw,
            marks=self._marks_of(by, code, compared, raw, extent),
        )

    def _told(self, side: Side, key: tuple[str, str]) -> int | None:
        users = side.users.get(key)
        return None if users is None else self._few.told(users)

    def _marks_of(
        self, by: str, code: str, compared: ComparedVisits | None, raw: ComparedVisits, extent: Extent
    ) -> tuple[Mark, ...]:
        side, key = self._sides.now, (by, code)
        is_unknown = not self.perimeter.is_known and by != "project"
        has_changed = not is_unknown and compared != raw
        holds = {
            Mark.PARTIAL: not extent.is_whole,
            Mark.PERIMETER_UNKNOWN: extent.minutes > 0 and is_unknown,
            Mark.PERIMETER_CHANGED: extent.minutes > 0 and has_changed,
            Mark.BY_SHARE: extent.minutes > 0 and has_changed and by in BY_SHARE and compared is not None,
            Mark.CALENDAR_UNKNOWN: by == "region" and code in self._unknown,
            Mark.APPROXIMATE: key in side.users or key in side.establishments,
            Mark.FEW_USERS: key in side.users and self._told(side, key) is None,
        }
        return (*self._marks, *(mark for mark, is_so in holds.items() if is_so))


def _labels(catalog: Catalog) -> dict[tuple[str, str], str]:
    return {
        ("national", "FR"): "France",
        **{("region", region.code): region.name for region in catalog.regions},
        **{("academy", a.code): a.name for region in catalog.regions for a in region.academies},
        **{("service", service.code): service.label for service in catalog.services},
        **{("project", project.code): project.name for project in catalog.projects},
    }
