"""`vigie rehearse`: the detector over the past, so that a sensitivity is tried before it is trusted."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.errors import InputError
from streams.history import load_calendar
from streams.rehearse import as_json, as_text, read_counts, write_plot
from streams.rehearse import rehearse as judge
from streams.settings import load_settings
from streams.watch import SENSITIVITIES, KeysOf, SchoolDays, weekly


@click.command()
@click.option("--counts", "counts_file", type=click.Path(path_type=Path), metavar="FILE.csv", required=True)
@click.option(
    "--calendar", type=click.Choice(["A", "B", "C", "none"]), default="none", show_default=True,
    help="School days of a zone; none: a weekly cycle and nothing else.",
)  # fmt: skip
@click.option(
    "--timezone", default="Europe/Paris", show_default=True, help="Of local days, and of time stamps without an offset."
)
@click.option("--sensitivity", type=click.Choice(list(SENSITIVITIES)), default="normal", show_default=True)
@click.option("--json", "json_wanted", is_flag=True, help="One JSON array on stdout, and nothing else.")
@click.option(
    "--plot",
    "plot_file",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Counts, expected band and alerts.",
)
def rehearse(
    counts_file: Path, calendar: str, timezone: str, sensitivity: str, json_wanted: bool, plot_file: Path | None
) -> None:
    """Judge past counts with the very code that judges settled minutes, and print the surges, drops and silences.

    FILE.csv begins with the line `timestamp,count` or `timestamp,count,region,service`; rows are 1 to 60 minutes apart. A
    row that is absent was not measured, 0 is a real zero. Each region and service is a series of its own. No row is judged
    with anything that came after it; the first days of a series are only learned from.
    """
    zone = _zone(timezone)
    keys_of = _keys_of(calendar)
    counts = read_counts(counts_file, zone)
    for note in counts.notes:
        click.echo(f"vigie: note: {note}", err=True)
    with Meter("rehearse", None) as meter:

        def show(done: int, days: int) -> None:
            if meter.due():
                meter.show(done, f"{done:,} of {days:,} days ({100 * done // days} %)")

        rehearsal = judge(counts, keys_of, SENSITIVITIES[sensitivity], show)
    if plot_file:
        write_plot(plot_file, counts_file.name, counts, rehearsal)
    if json_wanted:
        sys.stdout.buffer.write(as_json(counts, rehearsal) + b"\n")
        sys.stdout.buffer.flush()
        return
    for line in as_text(counts, rehearsal):
        click.echo(line)
    if plot_file:
        click.echo(f"drawn in {plot_file}")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"--timezone {name!r} is no time zone: give one as Europe/Paris, Indian/Reunion or UTC"
        ) from None


def _keys_of(calendar: str) -> KeysOf:
    if calendar == "none":
        return weekly
    settings = load_settings()
    school = load_calendar(settings.config_dir, load_catalog(settings.config_dir))
    return SchoolDays(lambda date: school.zone_day_type(date, calendar))
