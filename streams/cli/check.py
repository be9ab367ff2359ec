"""`vigie check`: is everything as the chain needs it?"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import click

from streams.audit.check import CALENDAR_DAYS, Finding, Level, check_calendar, check_servers, guarded
from streams.audit.check_project import check_project
from streams.audit.project import ProjectView
from streams.catalog import Catalog, load_catalog
from streams.cli.progress import Meter
from streams.cli.shared import counts_reader, say_simulation, settings_and_lists
from streams.edges import event_bounds, kafka_address, topic_designs
from streams.errors import InputError, SettingsError
from streams.history import load_calendar
from streams.observe.maintenances_file import load_maintenances
from streams.publish.emitter_tables import check_tables
from streams.settings import Settings, load_settings

_MARKS = {Level.OK: ("ok     ", "green"), Level.WARNING: ("warning", "yellow"), Level.PROBLEM: ("problem", "red")}


@click.command()
@click.option("--project", metavar="ID", help="Look at what this project sends instead: the last events of the topic.")
@click.option("--minutes", type=click.IntRange(1, 7 * 24 * 60), help="With --project: how far back.  [default: 15]")
def check(project: str | None, minutes: int | None) -> None:
    """Check settings, lists, servers and topics; create absent topics. With --project: check what an ENT sends, and change nothing.

    One line a finding. Exit status: 0 when all is well or there are only warnings, 1 with problems.
    """
    if project is None and minutes is not None:
        raise InputError("--minutes goes with --project ID")
    problems = 0
    for finding in _findings() if project is None else _project_findings(project, minutes or 15):
        mark, colour = _MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)}  {finding.about:<8}  {finding.text}")
        problems += finding.level is Level.PROBLEM
    if problems:
        click.echo(
            f"vigie: {problems} problem{'s' if problems > 1 else ''} found: mend, then run the same again",
            err=True,
        )
        sys.exit(1)


def _findings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Finding(Level.PROBLEM, "settings", str(error))
        return  # the servers' addresses are among them
    yield Finding(Level.OK, "settings", "are valid")
    catalog: Catalog | None = None
    try:
        catalog = load_catalog(settings.config_dir)
        yield Finding(
            Level.OK,
            "lists",
            f"{settings.config_dir}: {len(catalog.regions)} regions, {len(catalog.services)} services, {len(catalog.profiles)} profiles, "
            f"{len(catalog.projects)} projects (catalog {catalog.digest})",
        )
        for problem in check_tables(settings.config_dir, catalog):
            yield Finding(Level.WARNING, "tables", f"`vigie publish --format` will not run: {problem}")
    except SettingsError as error:
        yield Finding(Level.PROBLEM, "lists", str(error))
    if catalog is not None:
        yield from guarded("calendar", partial(_dates, settings, catalog))
    with counts_reader(settings) as reader:
        yield from check_servers(
            kafka_address(settings), topic_designs(settings), reader, catalog, settings.minutes_kept_hours
        )


def _project_findings(project: str, minutes: int) -> Iterator[Finding]:
    settings, catalog = settings_and_lists()
    say_simulation(settings.calendar_shift_seconds)
    view = ProjectView(project, catalog, event_bounds(settings), shift_seconds=settings.calendar_shift_seconds)
    with counts_reader(settings) as reader, Meter("check", None) as meter:
        yield from check_project(
            kafka_address(settings),
            settings.topic,
            reader,
            view=view,
            lateness_ms=settings.lateness_seconds * 1000,
            now_ms=time.time_ns() // 1_000_000,
            minutes=minutes,
            look=lambda read, total: meter.show(read, f"{read:,} of {total:,} records read"),
        )


def _dates(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """What an observer reads besides the lists."""
    calendar = load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)
    planned = load_maintenances(settings.config_dir, catalog)
    today = datetime.now(UTC).date()
    unknown = calendar.unknown_regions(today, today + timedelta(days=CALENDAR_DAYS))
    yield check_calendar([catalog.region_name(code) for code in unknown])
    yield Finding(Level.OK, "planned", f"{len(planned)} maintenances in maintenances.yaml")
