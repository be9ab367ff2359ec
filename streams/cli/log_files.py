"""What the commands that read log files share: files, what their lines are, how they are counted, and how far that is."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from streams.backfill.backfill_run import BackfillPlan, BackfillResult, BackfillRun, Said
from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.count import CountingRules
from streams.edges import event_bounds
from streams.local.leash import die_with
from streams.publish.event import SECRET_BYTES_MIN
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.readers import Format, secret_name, secrets_from
from streams.settings import Settings

_COUNTED = {"count": "events", "write": "days"}


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The files of a command, what their lines are, and in how many processes they are read."""

    files: tuple[str, ...]
    options: FormatOptions
    processes: int


def log_files(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command FILE... and what its lines are, as `logs`."""

    @click.argument("files", nargs=-1, required=True, metavar="FILE...")
    @click.option(
        "--format",
        "format_name",
        type=click.Choice([each.value for each in Format]),
        required=True,
        help="What the lines are.",
    )
    @click.option(
        "--project",
        metavar="ID",
        help="As of `vigie publish`: project of lines that name none; combined: its rows alone.",
    )
    @click.option("--at", metavar="TIME", help="Time of hits that carry none (xiti), ISO 8601.")
    @click.option("--processes", type=click.IntRange(1, 256), help="[default: one for each processor]")
    @wraps(command)
    def with_logs(
        *,
        files: tuple[str, ...],
        format_name: str,
        project: str | None,
        at: str | None,
        processes: int | None,
        **others: Any,
    ) -> None:
        options = FormatOptions.of_words(format_name, project, at)
        command(logs=LogFiles(files, options, processes or len(os.sched_getaffinity(0))), **others)

    return with_logs


def plan_of(logs: LogFiles, archive: Path, settings: Settings, secret_of: Callable[[str], bytes]) -> BackfillPlan:
    """How these files are counted into an archive.

    Raises:
        InputError: the options do not go with the format.
        SettingsError: a list or table is wrong, or the secret of the named project is.
    """
    return BackfillPlan(
        files=logs.files,
        archive=archive,
        key=_key(logs.options, settings),
        make_reader=line_reader(logs.options, settings.config_dir, secret_of),
        rules=CountingRules.of(
            load_catalog(settings.config_dir), event_bounds(settings), settings.lateness_seconds * 1000
        ),
        now_ms=int(time.time() * 1000),
        processes=logs.processes,
    )


def any_secret() -> Callable[[str], bytes]:
    """The secret of a project where one is set, else one that is drawn now: nobody outside of this page meets its pseudonyms."""
    drawn = secrets.token_bytes(SECRET_BYTES_MIN)
    known = secrets_from(os.environ, SECRET_BYTES_MIN)
    return lambda project: known(project) if os.environ.get(secret_name(project)) else drawn


def run_plan(plan: BackfillPlan) -> BackfillResult:
    """Do what is planned, and show how far it is."""
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
            meters[step] = ends.enter_context(Meter(step, total))
        text = (
            f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
            if step == "read"
            else f"{done:,} of {total:,} {_COUNTED[step]}"
        )
        meters[step].show(done, text)

    with ExitStack() as ends:
        yield said


def _key(options: FormatOptions, settings: Settings) -> str:
    """What decides what a line becomes: format and options, lists and tables, secrets, in 16 hexadecimal digits."""
    digest = hashlib.sha256(repr((options.format, options.project, options.at_ms)).encode())
    for path in sorted(settings.config_dir.glob("*.yaml")):
        digest.update(path.read_bytes())
    for name in sorted(name for name in os.environ if name.startswith("VIGIE_SECRET_")):
        digest.update(f"{name}={os.environ[name]}\0".encode())
    return digest.hexdigest()[:16]
