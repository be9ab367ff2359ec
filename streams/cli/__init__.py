"""The `vigie` command. Each command is one short function, in a module that is imported only when it is called.

A shell may have left standard input, output and errors closed or full, with a pipe that nobody reads, or with an old encoding.
"""

import errno
import importlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from streams import __version__
from streams.errors import InputError, VigieError

#: What a place that is printed to may say, and what to do.
_ADVICE = {
    errno.EBADF: "it is closed: leave it open, or send it to /dev/null",
    errno.ENOSPC: "no space is left: free some, then try again",
    errno.EDQUOT: "the quota of this user is used up: free some, then try again",
    errno.EFBIG: "the file is as large as it may be: choose another one",
    errno.EIO: "the device or the terminal does not take it: choose another place",
}
EXIT_PIPE_CLOSED = 141


def mend_streams() -> None:
    """Open what was closed before we began: a file that is opened later would take its place, and get what is printed.

    Standard output then refuses what is written, so that a command says that nobody got its figures. What an old encoding does not have
    is printed as `?`.
    """
    # Without errors of its own, `print` would take standard output in their place.
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(_take(number, flags), "r" if number == 0 else "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _take(number: int, flags: int) -> int:
    if (opened := os.open(os.devnull, flags)) != number:
        os.dup2(opened, number)
        os.close(opened)
    return number


@contextmanager
def printing() -> Iterator[None]:
    """Run a command within this: what a place that is printed to says becomes an error that names what to do.

    Raises:
        InputError: see above.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # `vigie minutes | head` ends quietly; click itself would make it exit code 1
        _drop_output()
        sys.exit(EXIT_PIPE_CLOSED)
    except OSError as error:
        # A file has a name; what is printed to has none. The disk may be full of either.
        if error.errno not in _ADVICE or (error.filename is not None and error.errno != errno.ENOSPC):
            raise
        _drop_output()
        raise InputError(f"what was to be printed or written is lost, {_ADVICE[error.errno]}") from None


def _drop_output() -> None:
    """What is still in the buffer cannot be written: at the end Python would try again, and tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


#: Command -> module of `streams.cli` that holds a function of that name (`-` becomes `_`), and the help line.
COMMANDS = {
    "up": ("up", "Start a local stack: Kafka, Redis, Prometheus, Alertmanager, workers, observer."),
    "worker": ("processes", "Count the events of the partitions that Kafka assigns to this worker."),
    "serve": ("processes", "Observe: settle and trim minutes; serve /metrics, /api/v1 and health."),
    "collect": ("processes", "Take events over HTTPS from those who hold a token."),
    "token": ("token", "Make, list and revoke the tokens of those who send events."),
    "publish": ("publish", "Publish events from a file or standard input."),
    "backfill": ("own_logs", "Count log files of any age into the archive; no servers needed."),
    "trial": ("own_logs", "Your own log files, and a page of what Vigie would have told."),
    "simulate": ("simulate", "Make seeded traffic with a known truth."),
    "rejects": ("rejects", "List, show, count and replay rejected events."),
    "unseen": ("status", "List the values that no list knows."),
    "minutes": ("minutes", "Print the counts by minute that Redis holds."),
    "history": ("history", "Counts in and out of the archive, and the ministry's weekly figures in."),
    "forecast": ("forecast", "Visits of a day to come, with an interval; --backtest judges such forecasts."),
    "report": ("history", "Compare days with earlier ones: rentrée, any period, one day."),
    "status": ("status", "Print the state of the chain and its processes."),
    "check": ("check", "Check settings, lists, servers and topics; create absent topics."),
    "erase": ("audit", "Say what of a visitor can be erased, what cannot, and when that is gone."),
    "support-bundle": ("support_bundle", "Write one file for whoever is to help: no personal data, no secret."),
    "upgrade": ("upgrade", "Let a new version's counts, made beside the running ones, take their place."),
    "alerts": ("alerts", "Print running and past alerts; --explain ID tells one in full."),
    "rehearse": ("rehearse", "Judge past counts: surges, drops, silences; try a sensitivity."),
    "rehearse-load": ("rehearse_load", "Replay a day, multiplied, into a chain of its own: does it hold?"),
    "recount": ("audit", "Count the topic again with plain code and compare with Redis."),
}

#: What is installed beside the base for a command; the others need `engine`. docs/operations.md
_EXTRAS = {
    "publish": None,
    "backfill": "engine,history",
    "trial": "engine,history",
    "history": "history",
    "forecast": "history",
    "report": "history",
    "rehearse": "history",
    "rehearse-load": "lab",
    "up": "lab",
    "simulate": "lab",
}


class _Commands(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"streams.cli.{COMMANDS[cmd_name][0]}")
        except ModuleNotFoundError as error:
            raise _missing_extra(cmd_name, error) from error
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with printing():
                return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise _missing_extra(str(ctx.invoked_subcommand), error) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with printing():  # --help and --version print while they are read
            return super().parse_args(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The help lines come from the table, so that --help imports no command.
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, text) in COMMANDS.items()])


def _missing_extra(command: str, error: ModuleNotFoundError) -> Exception:
    """What to install for a command of which a package is missing; the error itself where it is one of ours."""
    extra = _EXTRAS.get(command, "engine")
    if extra is None or (error.name or "streams").partition(".")[0] == "streams":
        return error
    return InputError(f"`vigie {command}` needs {error.name}, which the base has not: pip install 'vigie[{extra}]'")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="vigie")
def cli() -> None:
    """Live audience measurement of France's school portals.

    Settings come from VIGIE_<NAME> variables, the running local stack, or vigie.toml; see docs/operations.md.
    """


def main() -> None:
    """Entry point: errors that a person can act upon are printed alone; a traceback means a defect of Vigie."""
    mend_streams()
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except VigieError as error:
        print(f"vigie: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
