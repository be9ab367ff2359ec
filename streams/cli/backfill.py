"""`vigie backfill`: months of logs become days of the archive."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.catalog import load_catalog
from streams.cli.backfill_report import report
from streams.cli.progress import Meter
from streams.edges import time_bounds
from streams.errors import InputError
from streams.publish.event import SECRET_BYTES_MIN
from streams.publish.formats import FormatOptions, line_reader, read_moment
from streams.publish.readers import Format, secrets_from
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.backfill.backfill_run import BackfillPlan, BackfillResult, Said
    from streams.count import CountingRules

_STEPS = {"read": ("read", "bytes"), "count": ("count", "events"), "write": ("write", "days")}


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
    "--archive",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="[default: archive_dir]",
)
@click.option(
    "--again", is_flag=True, help="Replace what logs gave to these days of the project, whatever files it came from."
)
@click.option("--processes", type=click.IntRange(1, 256), help="[default: one for each processor]")
def backfill(
    *,
    files: tuple[str, ...],
    format_name: str,
    project: str | None,
    at: str | None,
    directory: Path | None,
    again: bool,
    processes: int | None,
) -> None:
    """Count log files of any age (also compressed, rotated, of several servers) into days of the archive; no Kafka, no Redis.

    Events are counted in order of their time, as if they had been published when they happened. Give all files of a day
    together: visits go on from one file to the next, and what is in two of them counts once. Days that are not over are left out.
    Hours that Vigie counted itself are never replaced. Ctrl-C: the same command goes on where it was.

    Users become pseudonyms with the secret in VIGIE_SECRET_<PROJECT>, the one that `vigie publish` has: else they would be other visitors.

    Exit status: 0 when every line was read and everything is in the archive; 1 when not, with the lines and why.
    """
    from streams.backfill.backfill_run import BackfillPlan

    settings = load_settings()
    chosen = directory or settings.archive_dir
    if chosen is None:
        raise InputError("no archive: name one with --archive DIR, or set archive_dir (docs/operations.md)")
    options = FormatOptions(Format(format_name), project, None if at is None else read_moment(at))
    make_reader = line_reader(options, settings.config_dir, secrets_from(os.environ, SECRET_BYTES_MIN))
    plan = BackfillPlan(
        files=files,
        archive=chosen,
        key=key_of(options, settings),
        make_reader=make_reader,
        rules=rules_of(settings),
        now_ms=int(time.time() * 1000),
        processes=processes or processors(),
        again=again,
    )
    sys.exit(report(run_plan(plan), chosen))


def rules_of(settings: Settings) -> CountingRules:
    """How an installation counts."""
    from streams.count import CountingRules

    return CountingRules.of(load_catalog(settings.config_dir), time_bounds(settings), settings.lateness_seconds * 1000)


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def run_plan(plan: BackfillPlan) -> BackfillResult:
    """Do what is planned, and show how far it is."""
    from streams.backfill.backfill_run import BackfillRun
    from streams.local.leash import die_with

    with shown_steps() as said:
        run = BackfillRun(plan, die_with, said)
        for path in run.spool.left_behind():
            click.echo(
                f"vigie: note: {path} is of another backfill that was interrupted: run that again, or remove it",
                err=True,
            )
        try:
            return run.run()
        except KeyboardInterrupt:
            click.echo("vigie: interrupted: what was read whole is kept, run the same command again to go on", err=True)
            raise


@contextmanager
def shown_steps() -> Iterator[Said]:
    """How far a backfill is, a bar a step."""
    meters: dict[str, Meter] = {}

    def said(step: str, done: int, total: int) -> None:
        if step not in meters:
            meters[step] = Meter(step, total)
        text = (
            f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
            if step == "read"
            else f"{done:,} of {total:,} {_STEPS[step][1]}"
        )
        meters[step].show(done, text)

    try:
        yield said
    finally:
        for meter in meters.values():
            meter.__exit__(None, None, None)


def key_of(options: FormatOptions, settings: Settings) -> str:
    """What decides what a line becomes: format and options, lists and tables, secrets, in 16 hexadecimal digits."""
    digest = hashlib.sha256(repr((options.format, options.project, options.at_ms)).encode())
    for path in sorted(settings.config_dir.glob("*.yaml")):
        digest.update(path.read_bytes())
    for name in sorted(os.environ):
        if name.startswith("VIGIE_SECRET_"):
            digest.update(f"{name}={os.environ[name]}\0".encode())
    return digest.hexdigest()[:16]
