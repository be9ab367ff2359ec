"""The `vigie` command. Each command is one short function in a module of its own, imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from streams import __version__
from streams.cli.standard_streams import mend_streams, printing
from streams.errors import InputError, VigieError

#: Command -> module of `streams.cli` that holds a function of that name (`-` becomes `_`), and the help line.
COMMANDS = {
    "up": ("up", "Start a local stack: Kafka, Redis, Prometheus, Alertmanager, workers, observer."),
    "worker": ("processes", "Count the events of the partitions that Kafka assigns to this worker."),
    "serve": ("processes", "Observe: settle and trim minutes; serve /metrics, /api/v1 and health."),
    "collect": ("processes", "Take events over HTTPS from those who hold a token."),
    "token": ("token", "Make, list and revoke the tokens of those who send events."),
    "publish": ("publish", "Publish events from a file or standard input."),
    "backfill": ("backfill", "Count log files of any age into the archive; no servers needed."),
    "trial": ("trial", "Your own log files, and a page of what Vigie would have told."),
    "simulate": ("simulate", "Make seeded traffic with a known truth."),
    "rejects": ("rejects", "List, show, count and replay rejected events."),
    "unseen": ("unseen", "List the values that no list knows."),
    "minutes": ("minutes", "Print the counts by minute that Redis holds."),
    "history": ("history", "Counts in and out of the archive, and the ministry's weekly figures in."),
    "forecast": ("forecast", "Visits of a day to come, with an interval; --backtest judges such forecasts."),
    "report": ("report", "Compare days with earlier ones: rentrée, any period, one day."),
    "status": ("status", "Print the state of the chain and its processes."),
    "check": ("check", "Check settings, lists, servers and topics; create absent topics."),
    "erase": ("erase", "Say what of a visitor can be erased, what cannot, and when that is gone."),
    "support-bundle": ("support_bundle", "Write one file for whoever is to help: no personal data, no secret."),
    "upgrade": ("upgrade", "Let a new version's counts, made beside the running ones, take their place."),
    "alerts": ("alerts", "Print running and past alerts; --explain ID tells one in full."),
    "rehearse": ("rehearse", "Judge past counts: surges, drops, silences; try a sensitivity."),
    "rehearse-load": ("rehearse_load", "Replay a day, multiplied, into a chain of its own: does it hold?"),
    "recount": ("recount", "Count the topic again with plain code and compare with Redis."),
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
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The help lines come from the table, so that --help imports no command.
        del ctx
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
