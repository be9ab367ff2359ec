"""`vigie report dnma`: a week of our own in the form of the ministry's open data, and held against its file."""

from __future__ import annotations

import datetime
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from streams.backfill.backfill_run import BackfillRun
from streams.backfill.log_input import InputReport
from streams.backfill.school_weeks import known_schools, schools_of_week
from streams.catalog import Catalog
from streams.cli.log_files import LogFiles, any_secret, log_files, plan_of, shown_steps
from streams.cli.sources import settings_and_lists
from streams.cli.terminal import NEW_FILE, hold_apart
from streams.clock import PARIS
from streams.csv_file import open_csv
from streams.edges import kafka_address
from streams.errors import InputError
from streams.history.sides import counted
from streams.history.weekly import SchoolDifference, SchoolWeek, differences, read_weeks, write_form
from streams.local.leash import die_with
from streams.publish.readers import Format
from streams.settings import Settings
from streams.values import YEAR_MAX, YEAR_MIN

#: In place of a file: the topic. What came up to half an hour before the week is read, too: visits that were going on.
FROM_KAFKA, LEAD_MS = "kafka:", 30 * 60_000
#: Establishments that are named where figures differ.
DIFFERENCES_MAX = 30


@click.command()
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
