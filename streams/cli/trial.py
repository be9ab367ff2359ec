"""`vigie trial`: what Vigie would have told of somebody's own logs."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.catalog import load_catalog
from streams.cli.backfill import key_of, processors, rules_of, run_plan
from streams.cli.progress import Meter
from streams.clock import PARIS
from streams.errors import InputError
from streams.publish.event import SECRET_BYTES_MIN
from streams.publish.formats import FormatOptions, line_reader, read_moment
from streams.publish.readers import Format, secret_name, secrets_from
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from streams.backfill.backfill_run import BackfillResult


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--format",
    "format_name",
    type=click.Choice([each.value for each in Format]),
    required=True,
    help="What the lines are.",
)
@click.option(
    "--project", metavar="ID", help="As of `vigie publish`: project of lines that name none; combined: its rows alone."
)
@click.option("--at", metavar="TIME", help="Time of hits that carry none (xiti), ISO 8601.")
@click.option(
    "--calendar", type=click.Choice(["A", "B", "C"]), help="Zone of the school holidays.  [default: of each region]"
)
@click.option("--sensitivity", type=click.Choice(["low", "normal", "high"]), default="normal", show_default=True)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="OUT.html", help="The page."
)
@click.option("--processes", type=click.IntRange(1, 256), help="[default: one for each processor]")
def trial(
    *,
    files: tuple[str, ...],
    format_name: str,
    project: str | None,
    at: str | None,
    calendar: str | None,
    sensitivity: str,
    html: Path,
    processes: int | None,
) -> None:
    """Read your own log files and write one page: what Vigie would have counted and told, day by day. Nothing else is kept or sent.

    FILES are counted as by `vigie backfill`, into an archive that is removed at the end, and judged by the code that judges live minutes.
    No secret is needed: pseudonyms are drawn for this page alone.

    Exit status: 0; 1 when lines were unreadable or a file breaks off, which the page tells, too.
    """
    from streams.backfill.backfill_run import BackfillPlan

    if not html.absolute().parent.is_dir():
        raise InputError(f"--html {html}: there is no directory {html.absolute().parent}")
    settings = load_settings()
    options = FormatOptions(Format(format_name), project, None if at is None else read_moment(at))
    with tempfile.TemporaryDirectory(prefix="vigie-trial-") as name:
        plan = BackfillPlan(
            files=files,
            archive=Path(name),
            key=key_of(options, settings),
            make_reader=line_reader(options, settings.config_dir, any_secret()),
            rules=rules_of(settings),
            now_ms=int(time.time() * 1000),
            processes=processes or processors(),
            tolerant=True,
            with_today=True,
        )
        result = run_plan(plan)
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
    from streams.history import load_calendar
    from streams.history.archive import Archive
    from streams.history.reading import History
    from streams.trial.facts import TrialFacts, TrialRules, curves_of, days_of, peaks_of, service_visits, with_drivers
    from streams.trial.page import trial_page
    from streams.watch import SENSITIVITIES

    settings, calendar, sensitivity = asked
    catalog = load_catalog(settings.config_dir)
    history = History(Archive(directory), catalog)
    if not history.held():
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
    html.write_text(trial_page(facts, catalog, datetime.now(PARIS)), encoding="utf-8")
    return len(facts.days), len(facts.alerts)


def any_secret() -> Callable[[str], bytes]:
    """The secret of a project where one is set, else one that is drawn now: nobody outside of this page meets its pseudonyms."""
    drawn = secrets.token_bytes(SECRET_BYTES_MIN)
    known = secrets_from(os.environ, SECRET_BYTES_MIN)
    return lambda project: known(project) if os.environ.get(secret_name(project)) else drawn
