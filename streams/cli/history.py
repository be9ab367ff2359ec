"""`vigie history import|export`, `vigie report rentree|period|day|dnma`: the archive in and out, and its days compared."""

import datetime
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streams.backfill.backfill_run import BackfillRun
from streams.backfill.log_input import InputReport
from streams.backfill.school_weeks import known_schools, schools_of_week
from streams.catalog import Catalog
from streams.cli.log_files import LogFiles, any_secret, log_files, plan_of, shown_steps
from streams.cli.shared import (
    DAY,
    DIRECTORY,
    NEW_FILE,
    PIPED_COLUMNS,
    NamedPath,
    archive_place,
    hold_apart,
    open_history,
    print_json,
    settings_and_lists,
    write_out,
)
from streams.clock import PARIS
from streams.csv_file import open_csv
from streams.edges import kafka_address
from streams.errors import InputError
from streams.history import SchoolCalendar, load_calendar, report_values, report_words
from streams.history.archive import Archive
from streams.history.compared_days import PartOfFrance, ReportQuestion, day_question, period_question, rentree_question
from streams.history.day_columns import CutName
from streams.history.report import make_report
from streams.history.report_page import report_page
from streams.history.sides import NoDataError, both_sides, counted, held_text
from streams.history.transfer import export_rows, import_rows
from streams.history.weekly import ReadWeeks, SchoolDifference, SchoolWeek, differences, read_weeks, write_form
from streams.history.weeks import save_weeks
from streams.local.leash import die_with
from streams.publish.readers import Format
from streams.settings import Settings
from streams.small_numbers import SmallNumbers
from streams.values import YEAR_MAX, YEAR_MIN

#: In place of a file: the topic. What came up to half an hour before the week is read, too: visits that were going on.
FROM_KAFKA, LEAD_MS = "kafka:", 30 * 60_000
#: Establishments that are named where figures differ.
DIFFERENCES_MAX = 30


@click.group()
def history() -> None:
    """Counts by minute in and out of the archive, and the ministry's weekly figures in."""


@history.command("export")
@click.option("--from", "first", type=DAY, help="First day (Paris).  [default: the first that is held]")
@click.option("--to", "last", type=DAY, help="Last day, included.  [default: the last that is held]")
@click.option(
    "--cut",
    type=click.Choice(["region", "region_service", "project", "profile_region", "academy"]),
    help="One cut.  [default: all]",
)
@click.option("--step", type=click.Choice(["minute", "hour", "day"]), default="minute", show_default=True)
@click.option("--archive", type=DIRECTORY, help="Read this archive alone.  [default: archive_dir, and Redis]")
def export(
    first: datetime.datetime | None, last: datetime.datetime | None, cut: str | None, step: str, archive: Path | None
) -> None:
    """Write counts as CSV to stdout. Each cut holds every event: add up rows of one cut only."""
    past, _simulated = open_history(*settings_and_lists(), archive)
    held = past.archive.dates()
    begin = first.date() if first else held[0] if held else None
    end = last.date() if last else held[-1] if held else None
    if begin is None or end is None or begin > end:
        raise InputError(
            f"no days to export ({begin} to {end}): say --from and --to; {held_text(held, past.archive.directory)}"
        )
    rows = export_rows(past, begin, end, cut=CutName(cut) if cut else None, step=step, out=sys.stdout)
    if not rows:
        raise NoDataError(f"no data from {begin} to {end}: {held_text(held, past.archive.directory)}")
    click.echo(f"{rows:,} rows, {begin} to {end}", err=True)


@history.command("import")
@click.argument("file", type=NamedPath(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--archive", type=DIRECTORY, help="Into this archive.  [default: archive_dir]")
def import_(file: Path, archive: Path | None) -> None:
    """Put counts into the archive: a CSV as `vigie history export` writes it by the minute, or the ministry's weekly figures.

    Weekly figures (columns debutsemaine, uai, visites_<x>) are kept beside the days: a report whose earlier side was never measured is
    estimated from them, and says so. Hours that Vigie counted itself are never replaced.
    """
    settings, catalog = settings_and_lists()
    target = Archive(archive_place(settings, archive))
    with open_csv(file) as counts:
        if "debutsemaine" in counts.columns:
            _import_weeks(target, read_weeks(counts, catalog))
        else:
            done = import_rows(target, catalog, counts)
            click.echo(
                f"{counted(done.rows, 'row')}, {counted(len(done.days), 'day')} from {done.days[0]} to {done.days[-1]}: "
                f"{counted(done.hours, 'hour')} imported, {done.hours_kept:,} left as they were counted or simulated",
                err=True,
            )


def _import_weeks(target: Archive, found: ReadWeeks) -> None:
    about = target.about()
    target.prepare(simulated=about.simulated if about else False)
    save_weeks(target, found.weeks)
    firsts = sorted({first for first, _kind in found.weeks})
    ignored = f"; ignored: {', '.join(found.columns_ignored)}" if found.columns_ignored else ""
    kinds = " and ".join(sorted({kind for _first, kind in found.weeks}))
    click.echo(
        f"{counted(found.rows, 'line')}, {counted(len(firsts), 'week')} from {firsts[0]} to {firsts[-1]}, by {kinds}; "
        f"{counted(found.unknown_establishments, 'establishment')} of no known place, under INCONNU{ignored}",
        err=True,
    )


def _output_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option("--archive", type=DIRECTORY, help="Read this archive alone.  [default: archive_dir, and Redis]"),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout."),
        click.option("--html", type=NEW_FILE, help="Write one self-contained page (French) to this file."),
        click.option(
            "--region",
            "regions",
            multiple=True,
            metavar="CODE",
            help="Of this region alone, with its academies and projects; may be given several times.  [default: France]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def report() -> None:
    """How much more than last year, where, and in which service: days compared with earlier ones, like with like.

    Projects that joined, left or were silent are named and not counted as growth. A range without data ends with 1, and says what is held.
    """


@report.command()
@click.option(
    "--year", type=click.IntRange(2000, 2100), required=True, help="School year, named by its first calendar year."
)
@click.option("--against", type=click.IntRange(2000, 2100), help="Earlier school year.  [default: the one before]")
@_output_options
def rentree(year: int, against: int | None, **output: Any) -> None:
    """The rentrée day, and the first four weeks, of two school years: each day against the one that is like it."""
    _report(lambda calendar: rentree_question(calendar, year, year - 1 if against is None else against), **output)


@report.command()
@click.option("--from", "first", type=DAY, required=True, help="First day.")
@click.option("--to", "last", type=DAY, required=True, help="Last day, included.")
@click.option("--against", type=DAY, help="First of as many earlier days.  [default: 52 weeks before]")
@_output_options
def period(first: datetime.datetime, last: datetime.datetime, against: datetime.datetime | None, **output: Any) -> None:
    """Any days against as many earlier ones: each against the nearest one that is like it."""
    earlier = against.date() if against else None
    _report(lambda calendar: period_question(calendar, first.date(), last.date(), earlier), **output)


@report.command()
@click.option("--day", type=DAY, required=True)
@click.option(
    "--against",
    type=DAY,
    help="[default: a rentrée's own day before; the nearest like day to day n within four weeks of one, else to 52 weeks before]",
)
@_output_options
def day(day: datetime.datetime, against: datetime.datetime | None, **output: Any) -> None:
    """One day against an earlier one."""
    _report(lambda calendar: day_question(calendar, day.date(), against.date() if against else None), **output)


def _report(
    question_of: Callable[[SchoolCalendar], ReportQuestion],
    *,
    archive: Path | None,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    regions: tuple[str, ...],
) -> None:
    """Read both sides of a question, and write the report where it is wanted."""
    if as_json and as_csv:
        raise InputError("say --json or --csv, not both")
    settings, catalog = settings_and_lists()
    calendar = load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)
    part = PartOfFrance.of(catalog, regions) if regions else None
    question = question_of(calendar)
    history, simulated = open_history(settings, catalog, archive)
    sides = both_sides(history, catalog, calendar, question, settings.config_dir, part=part)
    made = make_report(
        question, sides, catalog, calendar, few=SmallNumbers(settings.users_shown_min), simulated=simulated, part=part
    )
    if html is not None:
        page = report_page(made, catalog, datetime.datetime.now(PARIS))
        write_out("--html", html, page)
        click.echo(f"{html}: {len(page.encode()) / 1024:.0f} KiB", err=True)
    if as_json:
        print_json(report_values.report_json(made))
    elif as_csv:
        report_values.write_csv(made, sys.stdout)
    elif html is None:
        # Into a pipe nothing is cut or left out.
        report_words.print_report(made, Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS))


@report.command()
@log_files
@click.option("--week", required=True, metavar="2026-W36", help="The ISO week, Monday to Sunday in Paris.")
@click.option(
    "--against",
    type=NEW_FILE,
    metavar="CSV",
    help="The ministry's file: print where both differ.",
)
@click.option(
    "--out",
    type=NEW_FILE,
    metavar="CSV",
    help="Write the week here.  [default: stdout]",
)
def dnma(*, logs: LogFiles, week: str, against: Path | None, out: Path | None) -> None:
    """A week of log files by establishment, in the form of the ministry's weekly open data: visits and users by profile and service.

    FILES are read as by `vigie backfill`; nothing is written to an archive, and no secret is needed. The one file `kafka:`, with --format
    native, is what the topic still holds of that week. With --against FILE the establishments
    whose visits differ are printed, the largest difference first, and what differs most in each.

    Exit status: 0; 1 when lines were unreadable or a file breaks off.
    """
    monday = _monday(week)
    hold_apart(out, *logs.files, against)
    settings, catalog = settings_and_lists()
    with tempfile.TemporaryDirectory(prefix="vigie-dnma-") as name:
        if logs.files == (FROM_KAFKA,):
            logs = replace(logs, files=(f"{_week_of_topic(settings, monday, logs, Path(name))}",))
        plan = plan_of(logs, Path(name), settings, any_secret())
        with shown_steps() as said:
            run = BackfillRun(plan, die_with, said)
            found = schools_of_week(catalog, run.read(), range(len(catalog.project_codes)), monday)
    rows, elsewhere = known_schools(found, catalog)
    if out is not None:
        with out.open("w", encoding="utf-8", newline="") as file:
            write_form(rows, monday, catalog, file)
    elif against is None:
        write_form(rows, monday, catalog, sys.stdout)
    if against is not None:
        _compare(rows, against, monday, catalog)
    sys.exit(_end(run.result.inputs, len(rows), elsewhere))


def _week_of_topic(settings: Settings, monday: datetime.date, logs: LogFiles, directory: Path) -> Path:
    """Write what the topic holds of a week, and of the half hour before it, to a file of events.

    Raises:
        InputError: the lines are said to be of another format.
        ServerError: Kafka does not answer.
    """
    # A part of the extra `engine`, which files need not.
    from streams.audit.log import Unread, open_log

    if logs.options.format is not Format.NATIVE:
        raise InputError("what Kafka holds are events of the contract: give --format native with kafka:")
    begin_ms = int(datetime.datetime.combine(monday, datetime.time(), PARIS).timestamp() * 1000) - LEAD_MS
    path = directory / "topic.ndjson"
    with open_log(kafka_address(settings), settings.topic) as log, path.open("wb") as out:
        since = log.offsets_since(begin_ms - settings.max_ahead_seconds * 1000)
        gone = [number for number, start in log.starts.items() if start and since.get(number, start) <= start]
        for _partition, records in log.read(log.ends, since):
            for record in () if isinstance(records, Unread) else records:
                if record.value:
                    out.write(record.value.replace(b"\n", b" ") + b"\n")  # blanks between members, as JSON allows them
    if gone:
        click.echo(
            f"vigie: note: retention has removed what came before in {counted(len(gone), 'partition')}: the week may not be whole",
            err=True,
        )
    return path


def _monday(week: str) -> datetime.date:
    try:
        monday = datetime.date.fromisoformat(f"{week}-1")
    except ValueError:
        monday = datetime.date.min
    if not YEAR_MIN <= monday.year <= YEAR_MAX:
        raise InputError(f"--week {week!r} is no week: write 2026-W36")
    return monday


def _end(inputs: Sequence[InputReport], schools: int, elsewhere: int) -> int:
    unreadable = sum(one.unreadable for one in inputs)
    for one in inputs:
        for number, why in one.unreadable_first:
            click.echo(f"{one.name}, line {number}: {why}", err=True)
        if one.trouble:
            click.echo(f"vigie: {one.name}: {one.trouble}. Counted is what came before", err=True)
    note = f"; {elsewhere:,} visits are of no establishment that has a number: they are in no line" if elsewhere else ""
    click.echo(f"{counted(schools, 'establishment')}, {unreadable:,} unreadable lines{note}", err=True)
    return 1 if unreadable or any(one.trouble for one in inputs) else 0


def _compare(rows: Mapping[str, SchoolWeek], against: Path, monday: datetime.date, catalog: Catalog) -> None:
    with open_csv(against) as file:
        weeks = read_weeks(file, catalog).weeks
    if not any(first == monday for first, _kind in weeks):
        raise InputError(f"{against} has no line of the week of {monday}")
    found = differences(rows, weeks, monday)
    for one in found[:DIFFERENCES_MAX]:
        click.echo(_line(one))
    if len(found) > DIFFERENCES_MAX:
        click.echo(f"... and {len(found) - DIFFERENCES_MAX:,} more, with smaller differences")
    more = sum((one.ours or 0) - (one.theirs or 0) for one in found)
    click.echo(f"{counted(len(found), 'establishment')} differ, by {more:+,} visits in all")


def _line(one: SchoolDifference) -> str:
    if one.ours is None:
        return f"{one.uai}  {-one.size:+,}: no line of the logs is of this establishment, {one.theirs:,} in the file"
    if one.theirs is None:
        return f"{one.uai}  {one.size:+,}: not in the file, {one.ours:,} in the logs"
    return (
        f"{one.uai}  {one.ours - one.theirs:+,}: {one.ours:,} in the logs, {one.theirs:,} in the file; most in {one.most}: "
        f"{one.most_ours:,} against {one.most_theirs:,}"
    )
