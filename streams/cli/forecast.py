"""`vigie forecast`: how many, where, when, on a day to come."""

import csv
import datetime
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.cli.shared import (
    DAY,
    DIRECTORY,
    NEW_FILE,
    Number,
    open_archive,
    print_json,
    settings_and_lists,
    write_out,
)
from streams.clock import PARIS, iso_utc
from streams.errors import InputError
from streams.forecast import KnownDays, Outlook
from streams.forecast.expectation import LIKE_DAYS_BACK, YEAR_AROUND_DAYS, YEAR_DAYS, summed
from streams.forecast.forecaster import LOOK_DAYS, Forecaster, Score, backtest
from streams.forecast.held_days import known_groups, users_a_visit
from streams.forecast.kept import ForecastDay, ForecastQuarter, KeptForecast, forecast_page, keep
from streams.history import SchoolCalendar, load_calendar
from streams.history.day_columns import Key
from streams.history.reading import History
from streams.settings import Settings
from streams.sizing import Demand, Size, size_of

DAYS_MAX = 31
#: Days that --html and --keep show where none is named: those after the archive's last one.
WEEK_DAYS = 7
#: Days judged by --backtest, the last ones; each has ten weeks before it.
BACKTEST_DAYS = 120
HORIZONS = (1, 7)


@click.command()
@click.option("--date", "first", type=DAY, help="The day to come (Paris).")
@click.option("--to", "last", type=DAY, help="The last one of several, included.")
@click.option(
    "--by", type=click.Choice(["national", "region", "project", "service"]), default="national", show_default=True
)
@click.option(
    "--measure",
    type=click.Choice(["visits", "events"]),
    default="visits",
    show_default=True,
    help="Of --json and --csv.",
)
@click.option(
    "--growth",
    type=Number(0.01, 100.0),
    default=1.0,
    help="So many times as much, for what nobody can know from before.",
)
@click.option("--archive", type=DIRECTORY, help="This archive.  [default: archive_dir]")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One array of {minute,region,service,project,visits,lower,upper} on stdout; events in place of visits with --measure events.",
)
@click.option("--csv", "as_csv", is_flag=True, help="The same as CSV.")
@click.option("--html", type=NEW_FILE, metavar="OUT.html", help="France: write a page, too.")
@click.option(
    "--keep", "keeping", is_flag=True, help="France: keep it in the archive; observers show it at /prevision."
)
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
    measure: str,
    growth: float,
    archive: Path | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    keeping: bool,
    test_wanted: bool,
) -> None:
    """Visits per minute of a day to come, with an interval from 10 to 90 %, from the days of the archive that are like it.

    For France also its events and users, and the workers, Redis and Kafka that its worst minute takes. A rentrée is told from the one
    before, at this year's level. Where nothing like a day is known, that is said, and nothing is made up.

    Exit status: 0; 1 where a day cannot be told.
    """
    settings, catalog = settings_and_lists()
    history = History(open_archive(settings, archive), catalog)
    calendar = load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)
    held = history.archive.dates()
    if test_wanted:
        with Meter("read", len(held)) as meter:
            groups = known_groups(history, calendar, by, _shown(held, meter))
        sys.exit(_backtest([known for _keys, known in groups], held, as_one=by == "national"))
    if (html or keeping) and (as_json or as_csv or by != "national"):
        raise InputError("--html and --keep show France's visits: leave --by, --json and --csv out")
    if first is None and not (html or keeping):
        raise InputError(
            "say --date DAY, the day to come; or --backtest, to see how good forecasts of this archive are"
        )
    begin = first.date() if first else max(held, default=datetime.date(2000, 1, 1)) + datetime.timedelta(days=1)
    end = last.date() if last else begin if first else begin + datetime.timedelta(days=WEEK_DAYS - 1)
    days = _asked(begin, end, held)
    wanted = days_needed(held, days)
    measures = (measure,) if as_json or as_csv or by != "national" else ("visits", "events")
    told = {each: _told(history, calendar, (by, each), wanted, days) for each in measures}
    rows = told[measures[0]]
    if as_json or as_csv:
        _write_rows(rows, (by, measure), growth, as_json)
    else:
        for line in _lines(rows, (by, measures[0]), growth):
            click.echo(line)
        if measures == ("visits", "events"):
            france = _france(history, rows, told["events"], growth, settings)
            for line in _france_lines(france, growth):
                click.echo(line)
            made = _kept(france, _last_known(held, days), growth)
            if html is not None:
                write_out("--html", html, forecast_page(made))
            if keeping:
                keep(history.archive.directory, made)
    unknown = [day for day in days if not any(one.day == day for _keys, one in rows)]
    for day in unknown:
        click.echo(f"vigie: {day}: nothing like it is known: no forecast", err=True)
    sys.exit(1 if unknown else 0)


#: The keys of series, and what is expected of them on a day.
_Row = tuple[tuple[Key, ...], Outlook]


def _told(
    history: History,
    calendar: SchoolCalendar,
    what: tuple[str, str],
    wanted: Sequence[datetime.date],
    days: Sequence[datetime.date],
) -> list[_Row]:
    """What is expected of these days, `what` being by what and which measure."""
    by, measure = what
    with Meter(f"read {measure}", len(wanted)) as meter:
        groups = known_groups(history, calendar, by, _shown(wanted, meter), measure)
    forecaster = Forecaster([known for _keys, known in groups], as_one=by == "national")
    last_known = _last_known(wanted, days)
    rows: list[_Row] = []
    for day in days:
        found = forecaster.told(day, last_known)
        rows += [(groups[number][0], one) for number, one in found if by != "national"]
        if by == "national" and found:
            rows.append((((),), summed([one for _number, one in found])))
    return rows


def _last_known(known: Sequence[datetime.date], days: Sequence[datetime.date]) -> datetime.date:
    """The last known day before those that are asked for; where none is known, the day before them."""
    return max((day for day in known if day < days[0]), default=days[0] - datetime.timedelta(days=1))


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


def _write_rows(rows: Sequence[_Row], what: tuple[str, str], growth: float, as_json: bool) -> None:
    by, measure = what
    names = ["minute", *([by] if by != "national" else []), measure, "lower", "upper"]
    found = []
    for keys, one in rows:
        midnight = datetime.datetime.combine(one.day, datetime.time(), PARIS)
        columns = [values * growth for values in (one.mean, one.lower, one.upper)]
        for place, key in enumerate(keys):
            for minute in range(columns[0].shape[1]):
                told = [round(float(column[place, minute]), 2) for column in columns]
                at = _utc(midnight + datetime.timedelta(minutes=minute))
                found.append([at, *([key[0]] if by != "national" else []), *told])
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in found])
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(found)


def _lines(rows: Sequence[_Row], what: tuple[str, str], growth: float) -> list[str]:
    """A line a day and series: visits of the day, and its busiest minute, with their intervals."""
    by, measure = what
    told = []
    for keys, one in rows:
        for place, key in enumerate(keys):
            mean, lower, upper = (values[place] * growth for values in (one.mean, one.lower, one.upper))
            peak = int(mean.argmax())
            total, least, most = (values[place] * growth for values in one.whole_day())
            told.append(
                f"{one.day:%a %Y-%m-%d}{f'  {key[0]}' if by != 'national' else ''}  {total:,.0f} {measure} ({least:,.0f} to {most:,.0f}), "
                f"at most {mean[peak]:,.0f} a minute ({lower[peak]:,.0f} to {upper[peak]:,.0f}) at {peak // 60:02}:{peak % 60:02}"
            )
        like = f"from {len(one.like)} days like it, {one.like[0]} to {one.like[-1]}"
        told.append(f"  {'; '.join([*one.notes, like])}")
    return told


@dataclass(frozen=True, slots=True)
class _FranceDay:
    """A day in France: visits, events, users (None: the archive has none), the worst minute's events at the upper bound, a chain for it."""

    visits: Outlook
    events: Outlook
    users: float | None
    peak: float
    size: Size


def _france(
    history: History, visits: Sequence[_Row], events: Sequence[_Row], growth: float, settings: Settings
) -> list[_FranceDay]:
    catalog = load_catalog(settings.config_dir)
    of_events = {one.day: one for _keys, one in events}
    days = []
    for _keys, expected in visits:
        if (outlook := of_events.get(expected.day)) is None:
            continue
        peak = float(outlook.upper.max()) * growth
        share = users_a_visit(history, expected.like)
        users = None if share is None else float(expected.whole_day()[0][0]) * growth * share
        demand = Demand(
            max(peak / 60, 1e-3),
            max(float(outlook.whole_day()[2][0]) * growth, 1.0),
            len(catalog.services),
            len(catalog.regions) + 1,
            settings.topic_partitions,
            retention_hours=settings.topic_retention_hours,
            replication=settings.topic_replication_factor,
        )
        days.append(_FranceDay(expected, outlook, users, peak, size_of(demand)))
    return days


def _france_lines(days: Sequence[_FranceDay], growth: float) -> list[str]:
    """What France's days take: events, users, and the size of the chain for the worst minute that one in ten such days passes."""
    lines = []
    for one in days:
        total, least, most = (float(values[0]) * growth for values in one.events.whole_day())
        usual = float(one.events.mean.max()) * growth
        line = f"{one.visits.day:%a %Y-%m-%d}  {total:,.0f} events ({least:,.0f} to {most:,.0f}), at most {usual:,.0f} a minute"
        lines += [
            line if one.users is None else f"{line}; about {one.users:,.0f} users",
            f"  for {one.peak / 60:,.1f} events/s, the upper bound of its worst minute: {one.size.workers} workers "
            f"({one.size.worker_cores:.2f} cores), Redis {one.size.redis_cores:.2f} of a core and {one.size.redis_memory_mib:,.0f} MiB, "
            f"Kafka {one.size.kafka_bytes_per_second / 1e3:,.1f} kB/s and {one.size.kafka_disk_bytes / 1e9:,.1f} GB on disk",
        ]
    return lines


def _kept(days: Sequence[_FranceDay], known_to: datetime.date, growth: float) -> KeptForecast:
    """What observers show."""
    found, quarters = [], []
    for one in days:
        visits, lower, upper = (round(float(values[0]) * growth) for values in one.visits.whole_day())
        found.append(
            ForecastDay(
                day=f"{one.visits.day}",
                visits=visits,
                lower=lower,
                upper=upper,
                events=round(float(one.events.whole_day()[0][0]) * growth),
                users=None if one.users is None else round(one.users),
                workers=one.size.workers,
                notes=one.visits.notes,
            )
        )
        midnight = datetime.datetime.combine(one.visits.day, datetime.time(), PARIS)
        for place, told in enumerate(zip(*(values[0] * growth for values in one.visits.quarters()), strict=True)):
            at = _utc(midnight + datetime.timedelta(minutes=15 * place))
            quarters.append(ForecastQuarter(at, *(round(float(value), 1) for value in told)))
    return KeptForecast(_utc(datetime.datetime.now(datetime.UTC)), f"{known_to}", tuple(found), tuple(quarters))


def _utc(moment: datetime.datetime) -> str:
    return iso_utc(int(moment.timestamp()) * 1000)


def worst_minute_events(history: History, calendar: SchoolCalendar, day: datetime.date) -> float:
    """Events of a day's worst minute in France, at the upper bound.

    Raises:
        InputError: nothing like the day is known.
    """
    held = history.archive.dates()
    rows = _told(history, calendar, ("national", "events"), days_needed(held, [day]), [day])
    if not rows:
        raise InputError(f"{day}: nothing like it is known: no forecast")
    _keys, expected = rows[0]
    return float(expected.upper.max())


def days_needed(held: Sequence[datetime.date], days: Sequence[datetime.date]) -> list[datetime.date]:
    """The archived days that forecasts of these are from: weeks to compare with and to learn the interval from, and those of last year."""
    back = LIKE_DAYS_BACK + LOOK_DAYS
    near = [day for day in held if 0 < (days[0] - day).days <= back]
    year = [day for day in held if -YEAR_AROUND_DAYS <= (days[-1] - day).days - YEAR_DAYS <= back + YEAR_AROUND_DAYS]
    return sorted({*near, *year})


def _backtest(groups: Sequence[KnownDays], held: Sequence[datetime.date], *, as_one: bool) -> int:
    days = held[-BACKTEST_DAYS:]
    scores = [score for horizon in HORIZONS if (score := backtest(groups, days, horizon, as_one=as_one)) is not None]
    if not scores:
        raise InputError("the archive holds too few days: a forecast is judged on days with five weeks before them")
    click.echo("\n".join(score_lines(scores)))
    return 0


def score_lines(scores: Sequence[Score]) -> list[str]:
    """A table: errors as parts of the visits by quarter of an hour, and how many quarters lie within the interval."""
    return ["days ahead  days  error   last week  mean of four  within 10-90 %"] + [
        f"{one.horizon:>10}  {one.days:>4}  {one.error:>6.1%}  {one.error_last_week:>9.1%}  {one.error_four_weeks:>12.1%}  "
        f"{one.coverage:>14.1%}" + (f"  ({one.unknown_days} days not told)" if one.unknown_days else "")
        for one in scores
    ]
