"""`vigie backfill`, `vigie trial`: somebody's own log files become days of the archive, or a page."""

import os
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import click

from streams.backfill.backfill_run import BackfillResult
from streams.backfill.parts import PartChoice
from streams.catalog import load_catalog
from streams.cli.log_files import LogFiles, any_secret, log_files, plan_of, run_plan
from streams.cli.progress import Meter
from streams.cli.shared import DIRECTORY, NEW_FILE, archive_place, hold_apart, say, write_out
from streams.clock import PARIS
from streams.errors import InputError
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.reading import History
from streams.history.sides import counted
from streams.publish.event import SECRET_BYTES_MIN
from streams.publish.readers import secrets_from
from streams.settings import Settings, load_settings
from streams.trial.facts import TrialFacts, TrialRules, curves_of, days_of, peaks_of, service_visits, with_drivers
from streams.trial.trial_page import trial_page
from streams.watch import SENSITIVITIES


@click.command()
@log_files
@click.option(
    "--archive",
    "directory",
    type=DIRECTORY,
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
    skipped = Counter[str]()
    for one in result.inputs:
        skipped.update(one.skipped)
    events = sum(one.events for one in result.inputs)
    repeats = sum(part.duplicates for part in result.parts.values())
    say(
        f"{counted(len(result.inputs), 'file')}, {counted(lines, 'line')}: {events:,} events, {skipped.total():,} skipped, "
        f"{unreadable:,} unreadable"
    )
    for kind, number in skipped.most_common():
        say(f"skipped, {kind}: {number:,}")
    _unreadable(result)
    for (name, value), number in result.unseen().most_common(NAMED_MAX):
        say(
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
        say(f"vigie: {problem}")
    return 1 if problems else 0


def _unreadable(result: BackfillResult) -> None:
    for one in result.inputs:
        if one.unreadable:
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(one.rejected.items()))
            say(f"{one.name}: {counted(one.unreadable, 'unreadable line')}{f' ({reasons})' if reasons else ''}")
            for number, why in one.unreadable_first:
                say(f"  line {number}: {why}")
            if one.unreadable > len(one.unreadable_first):
                say(f"  ... and {one.unreadable - len(one.unreadable_first):,} more")


def _days(result: BackfillResult, archive: Path, repeats: int) -> None:
    of = {choice: [key for key, part in result.parts.items() if part.choice is choice] for choice in PartChoice}
    if written := of[PartChoice.WRITTEN]:
        days = sorted({day for _project, day in written})
        projects = sorted({project for project, _day in written})
        total = sum(part.events for part in result.parts.values())
        say(
            f"{counted(len(days), 'day')} from {days[0]} to {days[-1]} of {', '.join(projects)}: {total - repeats:,} events counted, "
            f"{repeats:,} repeats left out, in {archive}"
        )
    if same := of[PartChoice.SAME]:
        say(f"{counted(len({day for _p, day in same}), 'day')} in the archive from these files already: unchanged")
    if result.unfinished_events:
        say(f"{result.unfinished_events:,} events of today were left out: the day is not over, run this again tomorrow")
    if kept := [day for day in result.days if day.hours_kept]:
        say(
            f"{counted(sum(day.hours_kept for day in kept), 'hour')} of {_named([day.day for day in kept])} stay as Vigie counted them "
            "itself, or as they were imported"
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
    more = f" and {len(days) - NAMED_MAX} more days" if len(days) > NAMED_MAX else ""
    return ", ".join(map(str, days[:NAMED_MAX])) + more


@click.command()
@log_files
@click.option(
    "--calendar", type=click.Choice(["A", "B", "C"]), help="Zone of the school holidays.  [default: of each region]"
)
@click.option("--sensitivity", type=click.Choice(["low", "normal", "high"]), default="normal", show_default=True)
@click.option("--html", type=NEW_FILE, required=True, metavar="OUT.html", help="The page.")
def trial(*, logs: LogFiles, calendar: str | None, sensitivity: str, html: Path) -> None:
    """Read your own log files and write one page: what Vigie would have counted and told, day by day. Nothing else is kept or sent.

    FILES are counted as by `vigie backfill`, into an archive that is removed at the end, and judged by the code that judges live minutes.
    No secret is needed: pseudonyms are drawn for this page alone.

    Exit status: 0; 1 when lines were unreadable or a file breaks off, which the page tells, too.
    """
    if not html.absolute().parent.is_dir():
        raise InputError(f"--html {html}: there is no directory {html.absolute().parent}")
    hold_apart(html, *logs.files)
    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="vigie-trial-") as name:
        result = run_plan(replace(plan_of(logs, Path(name), settings, any_secret()), tolerant=True, with_today=True))
        days, alerts = _write_page(result, Path(name), html, (settings, calendar, sensitivity))
    unreadable = sum(one.unreadable for one in result.inputs)
    click.echo(
        f"{sum(one.lines for one in result.inputs):,} lines, {sum(one.events for one in result.inputs):,} events, {days} days, "
        f"{alerts} alerts, {unreadable:,} unreadable lines: {html}",
        err=True,
    )
    sys.exit(1 if unreadable or result.broken_off else 0)


def _write_page(
    result: BackfillResult, directory: Path, html: Path, asked: tuple[Settings, str | None, str]
) -> tuple[int, int]:
    """Judge what was counted, write the page; return how many days and alerts it tells of. `asked`: settings, zone, sensitivity."""
    settings, calendar, sensitivity = asked
    catalog = load_catalog(settings.config_dir)
    history = History(Archive(directory), catalog)
    if not history.archive.dates():
        raise InputError(
            "no line is a use of a service: `vigie publish --dry-run` with the same options says what becomes of each line, and why"
        )
    rules = TrialRules(
        catalog,
        load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone),
        calendar,
        SENSITIVITIES[sensitivity],
    )
    with Meter("judge", 100) as meter:
        counts, rehearsal = curves_of(
            history, rules, lambda done, days: meter.show(100 * done // days, f"{done} of {days} days")
        )
    codes, begin, values = service_visits(history)
    facts = TrialFacts(
        inputs=result.inputs,
        repeats=sum(part.duplicates for part in result.parts.values()),
        unseen=[(*key, number) for key, number in result.unseen().most_common()],
        days=days_of(history, rules, [scope.region or "" for scope in counts.scopes]),
        peaks=peaks_of(codes, begin, values),
        counts=counts,
        rehearsal=rehearsal,
        alerts=with_drivers(rehearsal.alerts, codes, values),
        sensitivity={"low": "basse", "normal": "normale", "high": "haute"}[sensitivity],
    )
    write_out("--html", html, trial_page(facts, catalog, datetime.now(PARIS)))
    return len(facts.days), len(facts.alerts)
