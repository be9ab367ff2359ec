"""How commands take moments, and how they print: tables as wide as a terminal, into a pipe or a file without cutting anything."""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime
from datetime import time as day_time
from pathlib import Path

import click
import orjson
from rich.console import Console

from streams.clock import PARIS, iso_utc, simulation_note
from streams.errors import InputError

#: Wider than any table, so that rich wraps and cuts nothing.
PIPED_COLUMNS = 10_000
#: Types of options: a day; a file that is written; an archive.
DAY = click.DateTime(["%Y-%m-%d"])
NEW_FILE = click.Path(path_type=Path, dir_okay=False)
DIRECTORY = click.Path(path_type=Path, file_okay=False)


def open_console() -> Console:
    """A console on standard output; what is printed is text, never markup."""
    return Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS, markup=False, highlight=False)


def print_json(*values: object) -> None:
    """A line of JSON each on standard output, whatever the encoding of the terminal."""
    sys.stdout.buffer.write(b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values))
    sys.stdout.buffer.flush()


def say(line: str) -> None:
    """A line on standard error: what is no figure."""
    click.echo(line, err=True)


def say_simulation(shift_seconds: int) -> None:
    """Say above figures that their times are a scenario's; nothing in production."""
    if note := simulation_note(time.time_ns() // 1_000_000, shift_seconds):
        click.echo(note)


_AGO = re.compile(r"([1-9][0-9]{0,4})([mhd])", re.ASCII)
_UNIT_MINUTES = {"m": 1, "h": 60, "d": 1440}


def since_text(text: str | None) -> str | None:
    """`15m`, `6h` or `3d` ago as the start of a minute in ISO 8601; any other text as it is."""
    if (ago := _AGO.fullmatch((text or "").strip())) is None:
        return text
    return iso_utc((int(time.time()) // 60 - int(ago[1]) * _UNIT_MINUTES[ago[2]]) * 60_000)


def paris_moment(option: str, text: str) -> datetime:
    """The ISO time that was given to an option; in Paris, where it has no offset.

    Raises:
        InputError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a time: write for instance 2026-09-01T07:47:00+02:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=PARIS)


def time_of_day(option: str, text: str) -> day_time:
    """The time of day that was given to an option.

    Raises:
        InputError: it is none.
    """
    try:
        return day_time.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a time of day: write HH:MM, for instance 07:47") from None
