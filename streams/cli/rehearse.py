"""`vigie rehearse`: the detector over the past, so that a sensitivity is tried before it is trusted."""

import datetime
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import numpy as np

from streams.cli.progress import Meter
from streams.cli.shared import (
    FILE,
    Number,
    hold_apart,
    named_day,
    open_history,
    settings_and_lists,
    time_zone,
    write_out,
)
from streams.clock import PARIS, paris_day
from streams.errors import InputError
from streams.history import load_calendar
from streams.history.day_columns import Key
from streams.history.reading import History
from streams.rehearse import (
    CountsGrid,
    EarlierRows,
    Rehearsal,
    as_json,
    as_text,
    counts_of,
    lasting_into,
    plot_page,
    read_counts,
    rehearse_regions,
)
from streams.rehearse import rehearse as judge
from streams.rehearse.clocks import NONE, country_days, is_country
from streams.rehearse.judge_rows import Progress
from streams.watch import SENSITIVITIES, AlertScope, Array, KeysOf, SchoolDays, Sensitivity
from streams.watch.judging import JUDGED_DAYS, chosen_days


@click.command()
@click.option("--counts", "counts_file", type=FILE, metavar="FILE.csv", help="Judge a file.")
@click.option("--from", "first", metavar="DATE", help="Judge the archive: its first day in Paris ...")
@click.option("--to", "last", metavar="DATE", help="... and the last one.")
@click.option("--archive", "archive_dir", type=FILE, metavar="DIR", help="Not that of the settings.")
@click.option(
    "--by",
    type=click.Choice(["region", "region_service"]),
    default="region",
    show_default=True,
    help="Series of an archive.",
)
@click.option(
    "--step",
    "step_minutes",
    type=click.IntRange(1, 60),
    default=1,
    show_default=True,
    help="Minutes a row of an archive.",
)
@click.option(
    "--calendar", metavar="A|B|C|COUNTRY|none", callback=lambda _context, _option, code: _calendar_code(code),
    help="School days of a zone; public holidays of a country or a part of it (FR, US, US-CA, NZ); none: a weekly cycle and nothing else. "
    "Of a file none unless given, of an archive that of each region.",
)  # fmt: skip
@click.option(
    "--school-holidays",
    type=FILE,
    metavar="FILE.csv",
    help="School holidays beside a country's calendar, or none: `start,end`, both days included.",
)
@click.option(
    "--timezone", default="Europe/Paris", show_default=True, help="Of local days, and of time stamps without an offset."
)
@click.option("--sensitivity", type=click.Choice(list(SENSITIVITIES)), default="normal", show_default=True)
@click.option(
    "--budget",
    type=Number(0.01, 60.0),
    metavar="NUMBER",
    help="False alerts a month that each series may cost; unless given that of the sensitivity: low 0.25, normal 2, high 8.",
)
@click.option("--json", "json_wanted", is_flag=True, help="One JSON array on stdout, and nothing else.")
@click.option("--plot", "plot_file", type=FILE, metavar="FILE.html", help="Counts, expected band and alerts.")
def rehearse(
    *,
    counts_file: Path | None,
    first: str | None,
    last: str | None,
    archive_dir: Path | None,
    by: str,
    step_minutes: int,
    calendar: str | None,
    school_holidays: Path | None,
    timezone: str,
    sensitivity: str,
    budget: float | None,
    json_wanted: bool,
    plot_file: Path | None,
) -> None:
    """Judge past counts, a file or archived days, with the very code that judges settled minutes, and print the surges, drops and silences.

    FILE.csv begins with the line `timestamp,count` or `timestamp,count,region,service`; rows are 1 to 60 minutes apart. A
    row that is absent was not measured, 0 is a real zero. Each region and service is a series of its own. No row is judged
    with anything that came after it; the first days of a series are only learned from. Days that the archive holds before
    --from are learned from too, as by an observer that starts then.
    """
    hold_apart(plot_file, counts_file, school_holidays)
    zone = time_zone("--timezone", timezone)
    least = SENSITIVITIES[sensitivity]
    if budget is not None:
        least = replace(least, budget_a_month=budget)
    if (counts_file is None) == (first is None or last is None):
        raise InputError("say what to judge: --counts FILE.csv, or --from DATE --to DATE for the archive")
    with Meter("rehearse", None) as meter:

        def show(done: int, days: int) -> None:
            if meter.due():
                meter.show(done, f"{100 * done // days} %")

        if counts_file is not None:
            keys_of = _keys_of(calendar or NONE, school_holidays)
            counts = read_counts(counts_file, zone)
            for note in counts.notes:
                click.echo(f"vigie: note: {note}", err=True)
            rehearsal = judge(counts, keys_of, least, show)
            name = counts_file.name
        else:
            name = f"{first} – {last}"
            counts, rehearsal = _rehearse_archive(
                named_day(first or ""),
                named_day(last or ""),
                (by, step_minutes),
                least,
                show,
                directory=archive_dir,
                zone=zone,
                calendar=calendar,
                school_holidays=school_holidays,
            )
    if plot_file:
        write_out("--plot", plot_file, plot_page(name, counts, rehearsal))
    if json_wanted:
        click.echo(as_json(counts, rehearsal))
        return
    for line in as_text(counts, rehearsal):
        click.echo(line)
    if plot_file:
        click.echo(f"drawn in {plot_file}")


def _rehearse_archive(
    first: datetime.date,
    last: datetime.date,
    series: tuple[str, int],
    least: Sensitivity,
    show: Progress,
    *,
    directory: Path | None,
    zone: ZoneInfo,
    calendar: str | None,
    school_holidays: Path | None,
) -> tuple[CountsGrid, Rehearsal]:
    """Judge the days of an archive; `series` says by what, and how many minutes a row has."""
    settings, catalog = settings_and_lists()
    history, _simulated = open_history(settings, catalog, directory)
    step_minutes = series[1]
    begin, end = paris_day(first)[0], paris_day(last)[1]
    if begin >= end:
        raise InputError(f"--from {first} lies after --to {last}")
    school = load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)
    zones = {region.code: ZoneInfo(region.timezone) for region in catalog.regions}
    own: dict[str, KeysOf] = {}

    def keys_of(region: str) -> tuple[str, KeysOf]:
        if calendar is not None:
            return calendar, own.setdefault(calendar, _keys_of(calendar, school_holidays))
        return region, own.setdefault(region, SchoolDays(lambda date: school.day_type(date, region)))

    # As an observer that starts: the weeks before are judged and not told, of older days some are compared with.
    oldest = first - datetime.timedelta(days=JUDGED_DAYS)
    before = [day for day in history.archive.dates() if day < first]
    warm = paris_day(next((day for day in before if day >= oldest), first))[0]
    warm += (begin - warm) % step_minutes  # rows begin where the range does
    keys, values = _values(history, series, warm, end)
    if not np.isfinite(values[:, (begin - warm) // step_minutes :]).any():
        raise InputError(f"nothing was measured from {first} to {last}: choose days that the archive has")
    scopes = [AlertScope(*key) for key in keys]
    calendars = {name: found for name, found in (keys_of(scope.region or "") for scope in scopes)}.values()
    learned, _judged = chosen_days(before, calendars, oldest)
    earlier = _earlier(history, series, keys, learned)
    counts = counts_of(scopes, warm, step_minutes, values, zone)
    found = rehearse_regions(
        counts, lambda region: zones.get(region, PARIS), keys_of, least=least, progress=show, earlier=earlier
    )
    return lasting_into(counts, found, begin)


def _values(history: History, series: tuple[str, int], begin: int, end: int) -> tuple[tuple[Key, ...], Array]:
    """(keys of the series, their visits by row); a row of which a part is missing was not measured."""
    panel = history.panel(series[0], "visits", begin, end, series[1])
    return panel.keys, np.where(panel.share[None, :] >= 1.0, panel.values, np.nan)


def _earlier(
    history: History, series: tuple[str, int], keys: tuple[Key, ...], days: list[datetime.date]
) -> EarlierRows | None:
    """What these days counted of the series; what a measured row does not name was zero."""
    minutes, values = [], []
    place = {key: number for number, key in enumerate(keys)}
    for day in days:
        begin, end = paris_day(day)
        named, found = _values(history, series, begin, end)
        if not found.size:
            continue
        table = np.where(np.isfinite(found[0]), 0.0, np.nan)[None, :].repeat(len(keys), axis=0)
        there = [number for number, key in enumerate(named) if key in place]
        table[[place[named[number]] for number in there]] = found[there]
        minutes.append(begin + np.arange(found.shape[1]) * series[1])
        values.append(table)
    return (np.concatenate(minutes), np.concatenate(values, axis=1)) if minutes else None


ZONES = ("A", "B", "C")


def _calendar_code(code: str | None) -> str | None:
    if code is None or code in (*ZONES, NONE) or is_country(code):
        return code
    raise click.BadParameter(
        f"{code!r} is no calendar: give A, B or C, the code of a country (FR, US) or of a part of one (US-CA), or none"
    )


def _keys_of(calendar: str, school_holidays: Path | None) -> KeysOf:
    if calendar not in ZONES:
        return country_days(calendar, school_holidays)
    if school_holidays is not None:
        raise InputError(
            f"zone {calendar} has its own school holidays: give --school-holidays with a country's calendar or none"
        )
    settings, catalog = settings_and_lists()
    school = load_calendar(settings.config_dir, catalog)
    return SchoolDays(lambda date: school.zone_day_type(date, calendar))
