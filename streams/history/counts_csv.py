"""A CSV of counts by minute, read and held to what counts must obey, before anything of it is used. Pure.

Each cut holds every event of an hour: it adds up to cut `region`, minute by minute (`region_service` and `profile_region` region by
region). An hour may come without some cuts; these are then unknown in it.
"""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

from streams.catalog import Catalog
from streams.clock import iso_utc
from streams.csv_file import CsvFile, CsvRow
from streams.history.compose import HourReading
from streams.history.day_columns import KEY_COLUMNS, CutName, CutRows, Key, no_rows
from streams.history.marks import MINUTES_AN_HOUR, HourMark, HourSource
from streams.values import count, moment, quoted

CODE_COLUMNS = ("region", "service", "project", "profile", "academy")
COLUMNS = ("minute", "cut", *CODE_COLUMNS, "events", "visits", "late", "step", "source")
NEEDED = ("minute", "cut", "events", "visits")
COUNT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Item:
    line: int
    cut: CutName
    key: Key
    minute: int
    events: int
    visits: int
    late: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What a file holds: readings by hour, of `rows` lines."""

    rows: int
    hours: Mapping[int, HourReading]
    simulated: bool


def read_counts(file: CsvFile, catalog: Catalog) -> Counts:
    """Read a file.

    Raises:
        FileRefused: it cannot be used; the message names the line.
    """
    file.check_columns(COLUMNS, NEEDED)
    seen: dict[tuple[CutName, Key, int], _Item] = {}
    known = _codes(catalog)
    for row in file.rows():
        try:
            item = _item(row, file.columns, known)
            if before := seen.get((item.cut, item.key, item.minute)):
                raise ValueError(f"the same minute and codes as line {before.line}: keep one of both")
        except ValueError as error:
            raise file.refusal(row.line, f"{error}; nothing was imported") from None
        seen[item.cut, item.key, item.minute] = item
    items = list(seen.values())
    if not items:
        raise file.refusal(file.line, "the file holds no counts below it")
    _check_step(items, file)
    if other := next((item for item in items if item.simulated != items[0].simulated), None):
        raise file.refusal(
            other.line,
            f"the file holds simulated and real figures (line {items[0].line} is of the other kind): "
            "import them from two files into two archives",
        )
    by_hour = itertools.groupby(sorted(items, key=_hour_of), _hour_of)
    return Counts(len(items), {hour: _reading(hour, list(some), file) for hour, some in by_hour}, items[0].simulated)


def _codes(catalog: Catalog) -> Mapping[str, frozenset[str]]:
    return {
        "region": frozenset(catalog.region_codes),
        "service": frozenset(catalog.service_codes),
        "project": frozenset(catalog.project_codes),
        "profile": frozenset(catalog.profile_codes),
        "academy": frozenset(catalog.academy_codes),
    }


def _item(row: CsvRow, columns: Mapping[str, str], known: Mapping[str, frozenset[str]]) -> _Item:
    step = row["step"] or "minute"
    if step != "minute":
        raise ValueError(f"it counts a whole {step}: export again with --step minute, only minutes can be imported")
    cut = CutName(row["cut"])
    key = tuple(row[column] for column in KEY_COLUMNS[cut])
    for column in CODE_COLUMNS:
        if column not in KEY_COLUMNS[cut]:
            if row[column]:
                raise ValueError(f"{column} {quoted(row[column])} in a row of cut {cut}, which has none")
        elif row[column] not in known[column]:
            raise ValueError(f"{column} {quoted(row[column])} is not in the lists of config/")
    events, visits, late = (
        count(column, row[column], COUNT_MAX) if column in columns else 0 for column in ("events", "visits", "late")
    )
    simulated = HourSource.SIMULATED in [HourSource(one) for one in row["source"].split("+") if row["source"]]
    # A simulated past deals events and visits of a minute out to projects and profiles independently of one another.
    if max(visits, late) > events and not simulated:
        raise ValueError(f"{max(visits, late)} visits or late events of {events} events: there can't be more")
    return _Item(row.line, cut, key, _minute(row["minute"]), events, visits, late, simulated)


def _minute(text: str) -> int:
    found = moment(text)
    if found.tzinfo is None:
        raise ValueError(f"minute {quoted(text)} has no offset: write 2026-09-01T06:00:00Z")
    seconds = found.timestamp()
    if seconds % 60:
        raise ValueError(f"minute {quoted(text)} is not the start of a minute")
    return int(seconds) // 60


def _check_step(items: list[_Item], file: CsvFile) -> None:
    """Refuse a file without a column `step` whose rows are `apart` minutes apart for an hour or more: they count more than a minute."""
    moments = {item.minute for item in items}
    apart = gcd(MINUTES_AN_HOUR, *moments)
    if "step" in file.columns or apart == 1 or len(moments) == 1 or len(moments) * apart < MINUTES_AN_HOUR:
        return
    what = "on the hour, as if it counted whole hours" if apart == MINUTES_AN_HOUR else f"a multiple of {apart} minutes"
    raise file.refusal(
        items[0].line,
        f"every row is {what}: only minutes can be imported. If these are minutes, add a column step that says minute",
    )


def _hour_of(item: _Item) -> int:
    return item.minute // MINUTES_AN_HOUR


def _reading(hour: int, items: list[_Item], file: CsvFile) -> HourReading:
    by_cut = {cut: some for cut in CutName if (some := [item for item in items if item.cut is cut])}
    if CutName.REGION not in by_cut:
        raise file.refusal(
            items[0].line,
            f"the hour from {iso_utc(hour * 3_600_000)} has no rows of cut region: without them no total is known. "
            "Add them; nothing was imported",
        )
    for cut, some in by_cut.items():
        if cut is not CutName.REGION:
            _check_sums(by_cut[CutName.REGION], some, file)
    mark = HourMark(
        hour,
        HourSource.IMPORT,
        ((hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR),),
        cuts=None if len(by_cut) == len(CutName) else tuple(by_cut),
        simulated=items[0].simulated,
    )
    rows = {
        cut: CutRows.of((item.key, item.minute, item.events, item.visits, item.late) for item in some)
        for cut, some in by_cut.items()
    }
    return HourReading(mark, {**no_rows(), **rows})


def _check_sums(region: list[_Item], other: list[_Item], file: CsvFile) -> None:
    cut = other[0].cut
    of_region = cut in (CutName.REGION_SERVICE, CutName.PROFILE_REGION)
    # Visits of services add up to no number of visits.
    told = ("events",) if cut is CutName.REGION_SERVICE else ("events", "visits")
    totals: Counter[tuple[int, str, str]] = Counter()
    parts: Counter[tuple[int, str, str]] = Counter()
    lines: dict[tuple[int, str, str], int] = {}
    for sums, items in ((parts, other), (totals, region)):
        for item in items:
            for what in told:
                place = item.minute, item.key[0] if of_region else "", what
                sums[place] += getattr(item, what)
                lines.setdefault(place, item.line)
    for place in sorted(lines):
        if totals[place] != parts[place]:
            minute, code, what = place
            where = f"region {code}" if of_region else "all regions"
            raise file.refusal(
                lines[place],
                f"at {iso_utc(minute * 60_000)} {where} has {totals[place]:,} {what} by region, {parts[place]:,} by {cut}: each "
                "cut holds every event. Mend it, or leave that cut out of the whole hour; nothing was imported",
            )
