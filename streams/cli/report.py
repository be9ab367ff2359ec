"""`vigie report rentree|period|day|dnma`."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from streams.catalog import Catalog, load_catalog
from streams.cli.report_dnma import dnma
from streams.cli.terminal import PIPED_COLUMNS
from streams.clock import PARIS
from streams.edges import small_numbers
from streams.errors import InputError
from streams.settings import Settings, load_settings

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
    from streams.history.compared_days import rentree_question

    reporter = _Reporter.open(**output)
    reporter.run(rentree_question(reporter.calendar, year, year - 1 if against is None else against))


@report.command()
@click.option("--from", "first", type=_DATE, required=True, help="First day.")
@click.option("--to", "last", type=_DATE, required=True, help="Last day, included.")
@click.option("--against", type=_DATE, help="First of as many earlier days.  [default: 52 weeks before]")
@_output_options
def period(first: datetime.datetime, last: datetime.datetime, against: datetime.datetime | None, **output: Any) -> None:
    """Any days against as many earlier ones: each against the nearest one that is like it."""
    from streams.history.compared_days import period_question

    reporter = _Reporter.open(**output)
    reporter.run(period_question(reporter.calendar, first.date(), last.date(), against.date() if against else None))


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
    from streams.history.compared_days import day_question

    reporter = _Reporter.open(**output)
    reporter.run(day_question(reporter.calendar, day.date(), against.date() if against else None))


report.add_command(dnma)


@dataclass(frozen=True, slots=True)
class _Reporter:
    """What a report is read from and where it goes."""

    settings: Settings
    catalog: Catalog
    calendar: Any
    archive: Path | None
    as_json: bool
    as_csv: bool
    html: Path | None
    part: Any

    @classmethod
    def open(
        cls, *, archive: Path | None, as_json: bool, as_csv: bool, html: Path | None, regions: tuple[str, ...]
    ) -> _Reporter:
        from streams.history import load_calendar
        from streams.history.part import PartOfFrance

        if as_json and as_csv:
            raise InputError("say --json or --csv, not both")
        settings = load_settings()
        catalog = load_catalog(settings.config_dir)
        return cls(
            settings,
            catalog,
            load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone),
            archive,
            as_json,
            as_csv,
            html,
            PartOfFrance.of(catalog, regions) if regions else None,
        )

    def run(self, question: Any) -> None:
        from streams.cli.past_sources import open_history
        from streams.history.report import make_report
        from streams.history.sides import both_sides

        history, simulated = open_history(self.settings, self.catalog, self.archive)
        sides = both_sides(history, self.catalog, self.calendar, question, self.settings.config_dir, part=self.part)
        few = small_numbers(self.settings)
        self._write(
            make_report(question, sides, self.catalog, self.calendar, few=few, simulated=simulated, part=self.part)
        )

    def _write(self, made: Any) -> None:
        from streams.history import report_text, report_values

        if self.html is not None:
            from streams.history.report_page import report_page

            _write_page(self.html, report_page(made, self.catalog, datetime.datetime.now(PARIS)))
        if self.as_json:
            sys.stdout.buffer.write(orjson.dumps(report_values.report_json(made), option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
        elif self.as_csv:
            report_values.write_csv(made, sys.stdout)
        elif self.html is None:
            # Into a pipe nothing is cut or left out.
            report_text.print_report(made, Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS))


def _write_page(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; name another file with --html") from None
    click.echo(f"{path}: {len(page.encode()) / 1024:.0f} KiB", err=True)
