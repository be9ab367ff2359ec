"""`vigie report rentree|period|day|dnma`."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streams.catalog import load_catalog
from streams.cli.past_sources import open_history
from streams.cli.report_dnma import dnma
from streams.cli.terminal import PIPED_COLUMNS, print_json
from streams.clock import PARIS
from streams.edges import small_numbers
from streams.errors import InputError
from streams.history import SchoolCalendar, load_calendar, report_values, report_words
from streams.history.compared_days import PartOfFrance, ReportQuestion, day_question, period_question, rentree_question
from streams.history.report import make_report
from streams.history.report_page import report_page
from streams.history.sides import both_sides
from streams.settings import load_settings

_DATE = click.DateTime(["%Y-%m-%d"])


def _output_options(command: Callable[..., None]) -> Callable[..., None]:
    directory, file = click.Path(path_type=Path, file_okay=False), click.Path(path_type=Path, dir_okay=False)
    options = [
        click.option("--archive", type=directory, help="Read this archive alone.  [default: archive_dir, and Redis]"),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout."),
        click.option("--html", type=file, help="Write one self-contained page (French) to this file."),
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
    earlier = year - 1 if against is None else against
    _report(lambda calendar: rentree_question(calendar, year, earlier), **output)


@report.command()
@click.option("--from", "first", type=_DATE, required=True, help="First day.")
@click.option("--to", "last", type=_DATE, required=True, help="Last day, included.")
@click.option("--against", type=_DATE, help="First of as many earlier days.  [default: 52 weeks before]")
@_output_options
def period(first: datetime.datetime, last: datetime.datetime, against: datetime.datetime | None, **output: Any) -> None:
    """Any days against as many earlier ones: each against the nearest one that is like it."""
    earlier = against.date() if against else None
    _report(lambda calendar: period_question(calendar, first.date(), last.date(), earlier), **output)


@report.command()
@click.option("--day", type=_DATE, required=True)
@click.option(
    "--against",
    type=_DATE,
    help="[default: a rentrée's own day before; the nearest like day to day n within four weeks of one, else to 52 weeks before]",
)
@_output_options
def day(day: datetime.datetime, against: datetime.datetime | None, **output: Any) -> None:
    """One day against an earlier one."""
    earlier = against.date() if against else None
    _report(lambda calendar: day_question(calendar, day.date(), earlier), **output)


report.add_command(dnma)


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
    settings = load_settings()
    catalog = load_catalog(settings.config_dir)
    calendar = load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)
    part = PartOfFrance.of(catalog, regions) if regions else None
    question = question_of(calendar)
    history, simulated = open_history(settings, catalog, archive)
    sides = both_sides(history, catalog, calendar, question, settings.config_dir, part=part)
    few = small_numbers(settings)
    made = make_report(question, sides, catalog, calendar, few=few, simulated=simulated, part=part)
    if html is not None:
        _write_page(html, report_page(made, catalog, datetime.datetime.now(PARIS)))
    if as_json:
        print_json(report_values.report_json(made))
    elif as_csv:
        report_values.write_csv(made, sys.stdout)
    elif html is None:
        # Into a pipe nothing is cut or left out.
        report_words.print_report(made, Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS))


def _write_page(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; name another file with --html") from None
    click.echo(f"{path}: {len(page.encode()) / 1024:.0f} KiB", err=True)
