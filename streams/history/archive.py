"""The archive: a directory of days, `<year>/<date>.parquet`. One writer at a time; a file is whole or is not there."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

import msgspec

from streams.errors import InputError
from streams.history.arrow import DamagedFileError, FileReader, need_pyarrow, write_file
from streams.history.compose import HourReading, compose
from streams.history.day_columns import CutName, Sketches, minute_events
from streams.history.marks import Choice, DayFile, HourMark
from streams.history.whole_files import (
    ArchiveError,
    UnreadableFileError,
    explained,
    read_json,
    unreadable,
)
from streams.lock_file import locked
from streams.whole_file import replace_whole

T = TypeVar("T")
#: Written again whenever a backfill changed days that are past: running observers see it.
_BACKFILLED = ".backfilled"
_ABOUT = "archive.json"


class About(msgspec.Struct, frozen=True):
    """What an archive is: `id` tells two copies of one from two archives, `simulated` keeps real figures and simulated ones apart."""

    id: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Updated:
    """What one update came to. `size_bytes` of the file, whether it was written, and what became of each hour."""

    written: bool
    size_bytes: int
    choices: Mapping[int, Choice]
    #: Events of each epoch minute as the file has them now, and its hours.
    events: Mapping[int, int]
    hours: tuple[HourMark, ...]
    #: Where a damaged file was moved to.
    damaged: Path | None = None


class Archive:
    """One archive directory. Reading needs no lock: a file is replaced whole."""

    def __init__(self, directory: Path) -> None:
        """Open what may be there; nothing is created.

        Raises:
            MissingPyarrowError: pyarrow is not installed.
        """
        need_pyarrow()
        self.directory = directory

    def path(self, day: date) -> Path:
        """Where a day's file is."""
        return self.directory / f"{day.year}" / f"{day}.parquet"

    def dates(self) -> list[date]:
        """The days that are there, in order.

        Raises:
            UnreadableFileError: the system does not let them be listed.
        """
        try:
            paths = self.directory.glob("[0-9]*/[0-9]*-*-*.parquet")
            return sorted(day for path in paths if (day := date_of(path.stem)) and path.parent.name == str(day.year))
        except OSError as error:
            raise unreadable(self.directory, error) from None

    def open(self, day: date, content: bytes | None = None) -> FileReader | None:
        """One day's file, None where there is none. `content` is all its bytes, where they were read already.

        Raises:
            UnreadableFileError: the system does not let it be read.
            DamagedFileError: its bytes are wrong.
        """
        try:
            reader = FileReader(self.path(day), content)
        except FileNotFoundError:
            return None
        if reader.head.date != day:
            raise DamagedFileError(
                f"{self.path(day)} holds the day {reader.head.date}: move it away, or restore the file of {day}"
            )
        return reader

    def read(self, day: date, look: Callable[[FileReader], T], content: bytes | None = None) -> T | None:
        """What is looked up in one day's file, None where there is none; raises as `open`."""
        reader = self.open(day, content)
        if reader is None:
            return None
        with reader:
            return look(reader)

    def about(self) -> About | None:
        """What the archive is, None for a directory that no observer wrote to yet."""
        return read_json(self.directory / _ABOUT, About, "restore it, or remove it to have it written anew")

    def prepare(self, *, simulated: bool) -> About:
        """Create the directory where it is absent, and make sure that real and simulated figures are not mixed.

        Raises:
            ArchiveError: it cannot be written, or holds figures of the other kind.
        """
        with explained(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            with self.locked():
                about = self.about()
                if about is None:
                    found = self._holds_simulated()
                    about = About(uuid.uuid4().hex, simulated if found is None else found)
                    replace_whole(self.directory / _ABOUT, lambda path: path.write_bytes(msgspec.json.encode(about)))
        if about.simulated != simulated:
            held, given = ("simulated", "real") if about.simulated else ("real", "simulated")
            raise ArchiveError(f"{self.directory} holds {held} figures, these are {given}: name another directory")
        return about

    def update(
        self,
        day: date,
        readings: Sequence[HourReading],
        sketches: Sketches,
        *,
        shift_seconds: int = 0,
        catalog: str = "",
    ) -> Updated:
        """Put readings of hours of a day into its file; what the file has and a reading does not cover stays.

        A damaged file is moved aside, and written anew from what is given.

        Raises:
            ArchiveError: it cannot be written: the file that is there stays as it is.
            UnreadableFileError: the file that is there cannot be read now, and stays as it is.
        """
        path = self.path(day)
        with explained(path), self.locked():
            old, damaged = self._read_whole(day)
            if old is not None and old.shift_seconds != shift_seconds:
                old = None  # another run of a simulation, which was moved otherwise; `prepare` keeps real figures from this
            new, choices = compose(old, day, shift_seconds, readings=readings, sketches=sketches, catalog=catalog)
            if new is not None:
                self.write(new)
            size = path.stat().st_size if path.exists() else 0
        now = new or old
        events = minute_events(now.rows[CutName.REGION]) if now else {}
        return Updated(new is not None, size, choices, events, now.hours if now else (), damaged)

    def write(self, day: DayFile) -> int:
        """Write a day as it is given, in place of whatever is there; return its size in bytes. For one writer of that day, without a lock.

        Raises:
            ArchiveError: it cannot be written.
        """
        path = self.path(day.date)
        with explained(path):
            path.parent.mkdir(exist_ok=True)
            replace_whole(path, lambda temporary: write_file(day, temporary))
            return path.stat().st_size

    def _read_whole(self, day: date) -> tuple[DayFile | None, Path | None]:
        path = self.path(day)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None, None
        except (OSError, MemoryError) as error:
            raise unreadable(path, error) from None
        try:
            # From memory: whatever is wrong now is wrong with the bytes, and with nothing that passes.
            return self.read(day, FileReader.day, content), None
        except DamagedFileError:
            aside = path.with_suffix(f".damaged-{uuid.uuid4().hex[:8]}")
            path.rename(aside)
            return None, aside

    def _holds_simulated(self) -> bool | None:
        """What its files say where the archive does not, None without any that can be read."""
        for day in self.dates():
            try:
                found = self.read(day, lambda file: file.head.is_simulated)
            except UnreadableFileError:
                raise  # it may be the one that tells
            except InputError:
                continue
            if found is not None:
                return found
        return None

    def note_backfill(self) -> None:
        """Tell running observers that days of the past are others now.

        Raises:
            ArchiveError: the archive cannot be written.
        """
        with explained(self.directory / _BACKFILLED):
            (self.directory / _BACKFILLED).write_bytes(uuid.uuid4().bytes)

    def backfill_stamp(self) -> bytes:
        """Another one after each backfill that changed days; empty before the first."""
        try:
            return (self.directory / _BACKFILLED).read_bytes()
        except OSError:
            return b""  # an archive that can't be read now is listed by `dates`, which says so

    def locked(self) -> AbstractContextManager[None]:
        """One writer at a time, in all processes of this machine; a killed one leaves no lock behind."""
        return locked(self.directory / ".lock")


def date_of(name: str) -> date | None:
    """The day that a file is named after, None for files of somebody else."""
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None
