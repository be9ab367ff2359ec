"""`vigie forecast`: how many, where, when, on a day to come."""

from __future__ import annotations

import csv
import datetime
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.clock import PARIS
from streams.errors import InputError
from streams.settings import load_settings

if TYPE_CHECKING:
    from streams.forecast import KnownDays, Outlook
    from streams.forecast.backtest import Score
    from streams.history.day_columns import Key

_DATE = click.DateTime(["%Y-%m-%d"])
DAYS_MAX = 31
#: Days judged by --backtest, the last ones; each has ten weeks before it.
BACKTEST_DAYS = 120
HORIZONS = (1, 7)


@click.command()
@click.option("--date", "first", type=_DATE, help="The day to come (Paris).")
@click.option("--to", "last", type=_DATE, help="The last one of several, included.")
@click.option(
    "--by", type=click.Choice(["national", "region", "project", "service"]), default="national", show_default=True
)
@click.option(
    "--growth",
    type=click.FloatRange(0.01, 100.0),
    default=1.0,
    help="So many times as much, for what nobody can know from before.",
)
@click.option(
    "--archive", type=click.Path(path_type=Path, file_okay=False), help="This archive.  [default: archive_dir]"
)
@click.option(
    "--json", "as_json", is_flag=True, help="One array of {minute,region,service,project,visits,lower,upper} on stdout."
)
@click.option("--csv", "as_csv", is_flag=True, help="The same as CSV.")
@click.option(
    "--backtest",
    "test_wanted",
    is_flag=True,
    help="Judge forecasts of the archive's last days instead: one day and one week ahead.",
)
def forecast(
    *,
    first: datetime.datetime | None,
    last: datetime.datetime | None,
    by: str,
    growth: float,
    archive: Path | None,
    as_json: bool,
    as_csv: bool,
    test_wanted: bool,
) -> None:
    """Visits per minute of a day to come, with an interval from 10 to 90 %, from the days of the archive that are like it.

    A rentrée is told from the one before, at this year's level. Where nothing like a day is known, that is said, and nothing is made up.

    Exit status: 0; 1 where a day cannot be told.
    """
    from streams.cli.past_sources import open_archive
    from streams.forecast.held_days import known_groups
    from streams.history import load_calendar
    from streams.history.reading import History

    settings = load_settings()
    catalog = load_catalog(settings.config_dir)
    history = History(open_archive(settings, archive), catalog)
    calendar = load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)
    held = history.held()
    if test_wanted:
        with Meter("read", len(held)) as meter:
            groups = known_groups(history, calendar, by, _shown(held, meter))
        sys.exit(_backtest([group.known for group in groups], held, as_one=by == "national"))
    if first is None:
        raise InputError(
            "say --date DAY, the day to come; or --backtest, to see how good forecasts of this archive are"
        )
    days = _asked(first.date(), (last or first).date(), held)
    from streams.forecast.expectation import LIKE_DAYS_BACK, YEAR_DAYS, outlook, summed

    near = [day for day in held if days[0] - datetime.timedelta(days=LIKE_DAYS_BACK + 7 * len(days)) <= day]
    year = [day for day in held if 0 <= (days[-1] - day).days - YEAR_DAYS + 40 <= LIKE_DAYS_BACK + 80]
    groups = known_groups(history, calendar, by, sorted({*near, *year}))
    last_known = days[0] - datetime.timedelta(days=1)
    found = [(day, group, outlook(group.known.until(last_known), day)) for day in days for group in groups]
    rows = [_Told(day, group.keys, one) for day, group, one in found if one is not None]
    if by == "national":
        told = {day: [row.outlook for row in rows if row.day == day] for day in days}
        rows = [_Told(day, ((),), summed(outlooks)) for day, outlooks in told.items() if outlooks]
    if as_json or as_csv:
        _write_rows(rows, by, growth, as_json)
    else:
        for line in _lines(rows, by, growth):
            click.echo(line)
    unknown = [day for day in days if not any(row.day == day for row in rows)]
    for day in unknown:
        click.echo(f"vigie: {day}: nothing like it is known: no forecast", err=True)
    sys.exit(1 if unknown else 0)


@dataclass(frozen=True, slots=True)
class _Told:
    """A day, the keys of its series, and what is expected of them."""

    day: datetime.date
    keys: tuple[Key, ...]
    outlook: Outlook


def _shown(days: Sequence[datetime.date], meter: Meter) -> Iterator[datetime.date]:
    for number, day in enumerate(days):
        meter.show(number, f"{day}")
        yield day


def _asked(first: datetime.date, last: datetime.date, held: Sequence[datetime.date]) -> list[datetime.date]:
    if not 0 <= (last - first).days < DAYS_MAX:
        raise InputError(f"from {first} to {last}: ask for 1 to {DAYS_MAX} days")
    if not held:
        raise InputError("the archive holds no day: nothing can be told from it (`vigie backfill` fills it from logs)")
    return [first + datetime.timedelta(days=number) for number in range((last - first).days + 1)]


def _write_rows(rows: Sequence[_Told], by: str, growth: float, as_json: bool) -> None:
    names = ["minute", *([by] if by != "national" else []), "visits", "lower", "upper"]
    found = []
    for row in rows:
        one, keys = row.outlook, row.keys
        midnight = datetime.datetime.combine(row.day, datetime.time(), PARIS)
        columns = [values * growth for values in (one.mean, one.lower, one.upper)]
        for place, key in enumerate(keys):
            for minute in range(columns[0].shape[1]):
                at = (midnight + datetime.timedelta(minutes=minute)).astimezone(datetime.UTC)
                told = [round(float(column[place, minute]), 2) for column in columns]
                found.append([at.strftime("%Y-%m-%dT%H:%M:%SZ"), *([key[0]] if by != "national" else []), *told])
    if as_json:
        sys.stdout.buffer.write(orjson.dumps([dict(zip(names, row, strict=True)) for row in found]) + b"\n")
        sys.stdout.buffer.flush()
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(found)


def _lines(rows: Sequence[_Told], by: str, growth: float) -> list[str]:
    """A line a day and series: visits of the day, and its busiest minute, with their intervals."""
    told = []
    for row in rows:
        day, one = row.day, row.outlook
        for place, key in enumerate(row.keys):
            mean, lower, upper = (values[place] * growth for values in (one.mean, one.lower, one.upper))
            peak = int(mean.argmax())
            total, least, most = (values[place] * growth for values in one.whole_day())
            name = f"  {key[0]}" if by != "national" else ""
            told.append(
                f"{day:%a %Y-%m-%d}{name}  {total:,.0f} visits ({least:,.0f} to {most:,.0f}), "
                f"at most {mean[peak]:,.0f} a minute ({lower[peak]:,.0f} to {upper[peak]:,.0f}) at {peak // 60:02}:{peak % 60:02}"
            )
        notes = [*one.notes, f"from {len(one.like)} days like it, {one.like[0]} to {one.like[-1]}"]
        told.append(f"  {'; '.join(notes)}")
    return told


def _backtest(groups: Sequence[KnownDays], held: Sequence[datetime.date], *, as_one: bool) -> int:
    from streams.forecast.backtest import backtest

    days = held[-BACKTEST_DAYS:]
    scores = [score for horizon in HORIZONS if (score := backtest(groups, days, horizon, as_one=as_one)) is not None]
    if not scores:
        raise InputError("the archive holds too few days: a forecast is judged on days with five weeks before them")
    for line in score_lines(scores):
        click.echo(line)
    return 0


def score_lines(scores: Sequence[Score]) -> list[str]:
    """A table: errors as parts of the visits by quarter of an hour, and how many quarters lie within the interval."""
    lines = ["days ahead  days  error   last week  mean of four  within 10-90 %"]
    lines += [
        f"{one.horizon:>10}  {one.days:>4}  {one.error:>6.1%}  {one.error_last_week:>9.1%}  {one.error_four_weeks:>12.1%}  "
        f"{one.coverage:>14.1%}" + (f"  ({one.unknown_days} days not told)" if one.unknown_days else "")
        for one in scores
    ]
    return lines
