"""How commands print: tables as wide as a terminal is, into a pipe or a file without cutting anything; whose times they are."""

from __future__ import annotations

import sys
import time

import click
import orjson
from rich.console import Console

from streams.clock import simulation_note

#: Wider than any table, so that rich wraps and cuts nothing.
PIPED_COLUMNS = 10_000


def open_console() -> Console:
    """A console on standard output; what is printed is text, never markup."""
    return Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS, markup=False, highlight=False)


def print_json(*values: object) -> None:
    """A line of JSON each on standard output, whatever the encoding of the terminal."""
    sys.stdout.buffer.write(b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values))
    sys.stdout.buffer.flush()


def say_simulation(shift_seconds: int) -> None:
    """Say above figures that their times are a scenario's; nothing in production."""
    if note := simulation_note(time.time_ns() // 1_000_000, shift_seconds):
        click.echo(note)
