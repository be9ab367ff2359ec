"""`vigie history import|export`."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import click

from streams.catalog import load_catalog
from streams.cli.past_sources import archive_place, open_history
from streams.csv_file import CsvFile, open_csv
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.day_columns import CutName
from streams.history.sides import NoDataError, counted, held_text
from streams.history.transfer import export_rows, import_rows
from streams.history.weekly import read_weeks
from streams.history.weeks import save_weeks
from streams.settings import load_settings

_DATE = click.DateTime(["%Y-%m-%d"])
_ARCHIVE = click.Path(path_type=Path, file_okay=False)


@click.group()
def history() -> None:
    """Counts by minute in and out of the archive, and the ministry's weekly figures in."""


@history.command("export")
@click.option("--from", "first", type=_DATE, help="First day (Paris).  [default: the first that is held]")
@click.option("--to", "last", type=_DATE, help="Last day, included.  [default: the last that is held]")
@click.option(
    "--cut",
    type=click.Choice(["region", "region_service", "project", "profile_region", "academy"]),
    help="One cut.  [default: all]",
)
@click.option("--step", type=click.Choice(["minute", "hour", "day"]), default="minute", show_default=True)
@click.option("--archive", type=_ARCHIVE, help="Read this archive alone.  [default: archive_dir, and Redis]")
def export(
    first: datetime.datetime | None, last: datetime.datetime | None, cut: str | None, step: str, archive: Path | None
) -> None:
    """Write counts as CSV to stdout. Each cut holds every event: add up rows of one cut only."""
    settings = load_settings()
    past, _simulated = open_history(settings, load_catalog(settings.config_dir), archive)
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
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--archive", type=_ARCHIVE, help="Into this archive.  [default: archive_dir]")
def import_(file: Path, archive: Path | None) -> None:
    """Put counts into the archive: a CSV as `vigie history export` writes it by the minute, or the ministry's weekly figures.

    Weekly figures (columns debutsemaine, uai, visites_<x>) are kept beside the days: a report whose earlier side was never measured is
    estimated from them, and says so. Hours that Vigie counted itself are never replaced.
    """
    directory = archive_place(load_settings(), archive)
    with open_csv(file) as counts:
        importing = _import_weeks if "debutsemaine" in counts.columns else _import_rows
        importing(Archive(directory), counts)


def _import_weeks(target: Archive, file: CsvFile) -> None:
    found = read_weeks(file, load_catalog(load_settings().config_dir))
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


def _import_rows(target: Archive, file: CsvFile) -> None:
    done = import_rows(target, load_catalog(load_settings().config_dir), file)
    click.echo(
        f"{counted(done.rows, 'row')}, {counted(len(done.days), 'day')} from {done.days[0]} to {done.days[-1]}: "
        f"{counted(done.hours, 'hour')} imported, {done.hours_kept:,} left as they were counted or simulated",
        err=True,
    )
