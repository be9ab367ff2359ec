"""`vigie backfill`: months of logs become days of the archive."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import click

from streams.backfill.backfill_run import BackfillResult
from streams.backfill.parts import PartChoice
from streams.cli.log_files import LogFiles, log_files, plan_of, run_plan
from streams.cli.past_sources import archive_place
from streams.history.sides import counted
from streams.publish.event import SECRET_BYTES_MIN
from streams.publish.readers import secrets_from
from streams.settings import load_settings


@click.command()
@log_files
@click.option(
    "--archive",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="[default: archive_dir]",
)
@click.option(
    "--again", is_flag=True, help="Replace what logs gave to these days of the project, whatever files it came from."
)
def backfill(*, logs: LogFiles, directory: Path | None, again: bool) -> None:
    """Count log files of any age (also compressed, rotated, of several servers) into days of the archive; no Kafka, no Redis.

    Events are counted in order of their time, as if they had been published when they happened. Give all files of a day
    together: visits go on from one file to the next, and what is in two of them counts once. Days that are not over are left out.
    Hours that Vigie counted itself are never replaced. Ctrl-C: the same command goes on where it was.

    Users become pseudonyms with the secret in VIGIE_SECRET_<PROJECT>, the one that `vigie publish` has: else they would be other visitors.

    Exit status: 0 when every line was read and everything is in the archive; 1 when not, with the lines and why.
    """
    settings = load_settings()
    chosen = archive_place(settings, directory)
    plan = plan_of(logs, chosen, settings, secrets_from(os.environ, SECRET_BYTES_MIN))
    sys.exit(report(run_plan(replace(plan, again=again)), chosen))


#: Days, and values that no list knows, that are named.
NAMED_MAX = 10


def report(result: BackfillResult, archive: Path) -> int:
    """Print what became of every line and every day; return the exit status."""
    lines = sum(one.lines for one in result.inputs)
    unreadable = sum(one.unreadable for one in result.inputs)
    skipped: Counter[str] = Counter()
    for one in result.inputs:
        skipped.update(one.skipped)
    events = sum(one.events for one in result.inputs)
    repeats = sum(part.duplicates for part in result.parts.values())
    _say(
        f"{counted(len(result.inputs), 'file')}, {counted(lines, 'line')}: {events:,} events, {skipped.total():,} skipped, "
        f"{unreadable:,} unreadable"
    )
    for kind, number in skipped.most_common():
        _say(f"skipped, {kind}: {number:,}")
    _unreadable(result)
    for (name, value), number in result.unseen().most_common(NAMED_MAX):
        _say(
            f"{name} {value!r} is in no list: {number:,} events, under INCONNU"
            if value
            else f"{name}: others, {number:,} events"
        )
    problems = _problems(result)
    if not result.broken_off:
        _days(result, archive, repeats)
    if unreadable:
        problems.append("not every line was read: mend the lines above, then run the same command with --again")
    for problem in problems:
        _say(f"vigie: {problem}")
    return 1 if problems else 0


def _unreadable(result: BackfillResult) -> None:
    for one in result.inputs:
        if one.unreadable:
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(one.rejected.items()))
            _say(f"{one.name}: {counted(one.unreadable, 'unreadable line')}{f' ({reasons})' if reasons else ''}")
            for number, why in one.unreadable_first:
                _say(f"  line {number}: {why}")
            if one.unreadable > len(one.unreadable_first):
                _say(f"  ... and {one.unreadable - len(one.unreadable_first):,} more")


def _days(result: BackfillResult, archive: Path, repeats: int) -> None:
    of = {choice: [key for key, part in result.parts.items() if part.choice is choice] for choice in PartChoice}
    written = of[PartChoice.WRITTEN]
    days = sorted({day for _project, day in written})
    projects = sorted({project for project, _day in written})
    if written:
        total = sum(part.events for part in result.parts.values())
        _say(
            f"{counted(len(days), 'day')} from {days[0]} to {days[-1]} of {', '.join(projects)}: {total - repeats:,} events counted, "
            f"{repeats:,} repeats left out, in {archive}"
        )
    if same := of[PartChoice.SAME]:
        _say(f"{counted(len({day for _p, day in same}), 'day')} in the archive from these files already: unchanged")
    if result.unfinished_events:
        _say(
            f"{result.unfinished_events:,} events of today were left out: the day is not over, run this again tomorrow"
        )
    kept = [day for day in result.days if day.hours_kept]
    if kept:
        hours = sum(day.hours_kept for day in kept)
        _say(
            f"{counted(hours, 'hour')} of {_named([day.day for day in kept])} stay as Vigie counted them itself, or as they were imported"
        )


def _problems(result: BackfillResult) -> list[str]:
    problems = [f"{one.name}: {one.trouble}. Nothing was written to the archive" for one in result.broken_off]
    refused = sorted({key for key, part in result.parts.items() if part.choice is PartChoice.OTHER_FILES})
    for project in sorted({project for project, _day in refused}):
        days = [day for of, day in refused if of == project]
        problems.append(
            f"{project}: {_named(days)} came from files that were not given now: unchanged. Give all files of a day together, or --again "
            "to count these days from the files given now alone"
        )
    return problems


def _named(days: list[date]) -> str:
    shown = ", ".join(map(str, days[:NAMED_MAX]))
    return shown + (f" and {len(days) - NAMED_MAX} more days" if len(days) > NAMED_MAX else "")


def _say(line: str) -> None:
    click.echo(line, err=True)
