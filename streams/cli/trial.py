"""`vigie trial`: what Vigie would have told of somebody's own logs."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from streams.backfill.backfill_run import BackfillResult
from streams.catalog import load_catalog
from streams.cli.log_files import LogFiles, any_secret, log_files, plan_of, run_plan
from streams.cli.progress import Meter
from streams.clock import PARIS
from streams.errors import InputError
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.reading import History
from streams.settings import Settings, load_settings
from streams.trial.facts import TrialFacts, TrialRules, curves_of, days_of, peaks_of, service_visits, with_drivers
from streams.trial.trial_page import trial_page
from streams.watch import SENSITIVITIES


@click.command()
@log_files
@click.option(
    "--calendar", type=click.Choice(["A", "B", "C"]), help="Zone of the school holidays.  [default: of each region]"
)
@click.option("--sensitivity", type=click.Choice(["low", "normal", "high"]), default="normal", show_default=True)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="OUT.html", help="The page."
)
def trial(*, logs: LogFiles, calendar: str | None, sensitivity: str, html: Path) -> None:
    """Read your own log files and write one page: what Vigie would have counted and told, day by day. Nothing else is kept or sent.

    FILES are counted as by `vigie backfill`, into an archive that is removed at the end, and judged by the code that judges live minutes.
    No secret is needed: pseudonyms are drawn for this page alone.

    Exit status: 0; 1 when lines were unreadable or a file breaks off, which the page tells, too.
    """
    if not html.absolute().parent.is_dir():
        raise InputError(f"--html {html}: there is no directory {html.absolute().parent}")
    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="vigie-trial-") as name:
        plan = plan_of(logs, Path(name), settings, any_secret())
        result = run_plan(replace(plan, tolerant=True, with_today=True))
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
    html.write_text(trial_page(facts, catalog, datetime.now(PARIS)), encoding="utf-8")
    return len(facts.days), len(facts.alerts)
