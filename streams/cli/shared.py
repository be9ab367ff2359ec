"""What commands share: what they read (settings, lists, counts, an archive), how they take moments and files, and how they print.

Tables are as wide as a terminal; into a pipe or a file they go without cutting anything.
"""

import re
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from datetime import date, datetime
from datetime import time as day_time
from math import isnan
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams import values
from streams.catalog import Catalog, load_catalog
from streams.clock import PARIS, iso_utc, simulation_note
from streams.edges import redis_address
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.reading import History
from streams.live import ArchiveReader, LiveReader
from streams.settings import Settings, load_settings
from streams.values import YEAR_MAX, YEAR_MIN

#: Wider than any table, so that rich wraps and cuts nothing.
PIPED_COLUMNS = 10_000


class NamedPath(click.Path):
    """A path. An empty text, as a variable that is not set gives it, is none: it would be this directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As every type of click does."""
        if value == "":
            self.fail("it is empty: name one", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number between bounds; NaN, which no bound stops, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As every type of click does."""
        found: float = super().convert(value, param, ctx)
        if isnan(found):
            self.fail(f"{value!r} is no number", param, ctx)
        return found


class DayParameter(click.DateTime):
    """A day that a calendar can reckon with: also a year before it and after it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As every type of click does."""
        found = super().convert(value, param, ctx)
        if not YEAR_MIN <= found.year <= YEAR_MAX:
            self.fail(f"{value!r}: years are those from {YEAR_MIN} to {YEAR_MAX}", param, ctx)
        return found


#: Types of options: a day; a file; a file that is no directory; an archive.
DAY = DayParameter(["%Y-%m-%d"])
FILE = NamedPath(path_type=Path)
NEW_FILE = NamedPath(path_type=Path, dir_okay=False)
DIRECTORY = NamedPath(path_type=Path, file_okay=False)


def hold_apart(out: Path | None, *read: str | Path | None) -> None:
    """Hold that a file that is written is none of those that are read.

    Raises:
        InputError: it is one of them, and would be lost.
    """
    for one in read:
        if out is not None and one is not None and out.exists() and Path(one).exists() and out.samefile(one):
            raise InputError(f"{out} is a file that is read, and would be lost: write to another one")


def open_console() -> Console:
    """A console on standard output; what is printed is text, never markup."""
    return Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS, markup=False, highlight=False)


def table_of(
    names: Sequence[str], rows: Iterable[Sequence[str | Text]], right: Collection[str] = (), **look: Any
) -> Table:
    """A table of rows; columns of these names stand to the right. `look` is what rich's own tables take."""
    table = Table(**look)
    for name in names:
        table.add_column(name, justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*row)
    return table


def print_json(*values: object) -> None:
    """A line of JSON each on standard output, whatever the encoding of the terminal."""
    click.echo(b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values), nl=False)


def say(line: str) -> None:
    """A line on standard error: what is no figure."""
    click.echo(line, err=True)


def say_simulation(shift_seconds: int) -> None:
    """Say above figures that their times are a scenario's; nothing in production."""
    if note := simulation_note(time.time_ns() // 1_000_000, shift_seconds):
        click.echo(note)


def write_out(option: str, path: Path, text: str) -> None:
    """Write what goes to the file that an option names.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write {option} {path}: {error.strerror or error}; name another file with {option}"
        ) from None


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
        if not YEAR_MIN <= moment.year <= YEAR_MAX:
            raise ValueError(f"years are those from {YEAR_MIN} to {YEAR_MAX}")
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


def named_day(text: str) -> date:
    """A day that was given.

    Raises:
        InputError: it is none.
    """
    try:
        return values.day(text)
    except ValueError:
        raise InputError(f"{text!r} is not a date: write 2026-09-01") from None


def time_zone(option: str, name: str) -> ZoneInfo:
    """The time zone that was given to an option.

    Raises:
        InputError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"{option} {name!r} is no time zone: give one as Europe/Paris, Indian/Reunion or UTC"
        ) from None


def settings_and_lists() -> tuple[Settings, Catalog]:
    """The settings, and the lists of the directory that they name.

    Raises:
        SettingsError: something is wrong in either.
    """
    settings = load_settings()
    return settings, load_catalog(settings.config_dir)


def counts_reader(settings: Settings) -> closing[LiveReader]:
    """A reader of the counts in Redis, which waits for a slow one; closed after the block."""
    return closing(LiveReader(redis_address(settings), settings.redis_prefix, settings.unseen_hours_kept * 3_600_000))


def archive_place(settings: Settings, directory: Path | None) -> Path:
    """Where the archive is that is named, or that of the settings; it may be yet to be made.

    Raises:
        InputError: neither says where.
    """
    if (chosen := directory or settings.archive_dir) is None:
        raise InputError("no archive: name one with --archive DIR, or set archive_dir (docs/operations.md)")
    return chosen


def open_archive(settings: Settings, directory: Path | None) -> Archive:
    """The archive that is named, or that of the settings.

    Raises:
        InputError: there is none.
    """
    chosen = archive_place(settings, directory)
    if not chosen.is_dir():
        raise InputError(f"{chosen} is no directory: name an archive with --archive DIR, or set archive_dir")
    return Archive(chosen)


def open_history(settings: Settings, catalog: Catalog, directory: Path | None) -> tuple[History, bool]:
    """The past, and whether it is simulated. A directory that is named is read alone; that of the settings together with Redis."""
    archive = open_archive(settings, directory)
    about = archive.about()
    live = None if directory else ArchiveReader(redis_address(settings), settings.redis_prefix)
    is_simulated = about is not None and about.simulated
    return History(archive, catalog, live, settings.calendar_shift_seconds // 60), is_simulated
