"""`vigie backfill`: months of logs become days of the archive."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from streams.cli.backfill_report import report
from streams.cli.log_files import LogFiles, log_files, plan_of, run_plan
from streams.errors import InputError
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
    chosen = directory or settings.archive_dir
    if chosen is None:
        raise InputError("no archive: name one with --archive DIR, or set archive_dir (docs/operations.md)")
    plan = plan_of(logs, chosen, settings, secrets_from(os.environ, SECRET_BYTES_MIN))
    sys.exit(report(run_plan(replace(plan, again=again)), chosen))
