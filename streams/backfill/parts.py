"""Parts: what logs gave to one day of one project, `<archive>/backfill/<project>/<date>.parquet`, in the form of a day's file.

A part is replaced only by one that was counted from all the files that it was counted from, and from more or the same.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path

from streams.errors import InputError
from streams.history.arrow import FileHead, FileReader, write_file
from streams.history.day_file import DayFile
from streams.history.marks import InputMark
from streams.history.whole_files import explained, replace_whole, unreadable

DIRECTORY = "backfill"


class PartChoice(StrEnum):
    """What becomes of a part that was asked for."""

    WRITTEN = "written"
    SAME = "same"  # it is there, from the same files or more of them
    OTHER_FILES = "other_files"  # it is there from files that were not given now: refused


class PartStore:
    """The parts of one archive."""

    def __init__(self, archive: Path) -> None:
        self.directory = archive / DIRECTORY

    def path(self, project: str, day: date) -> Path:
        """Where a part is."""
        return self.directory / project / f"{day}.parquet"

    def head(self, project: str, day: date) -> FileHead | None:
        """What is known of a part without reading its rows, None where there is none.

        Raises:
            InputError: it cannot be read, or is damaged.
        """
        try:
            with FileReader(self.path(project, day)) as reader:
                return reader.head
        except FileNotFoundError:
            return None

    def of_day(self, day: date) -> Iterator[FileReader]:
        """The parts of a day, each of another project; each is closed when the next is asked for.

        Raises:
            InputError: as above.
        """
        for path in sorted(self.directory.glob(f"*/{day}.parquet")):
            with FileReader(path) as reader:
                yield reader

    def write(self, project: str, part: DayFile) -> None:
        """Write a part, in place of what is there.

        Raises:
            ArchiveError: it cannot be written.
        """
        path = self.path(project, part.date)
        with explained(path):
            path.parent.mkdir(exist_ok=True, parents=True)
            replace_whole(path, lambda target: write_file(part, target))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Only one backfill at a time writes to an archive.

        Raises:
            InputError: another one does, or the archive cannot be written.
        """
        with explained(self.directory):
            self.directory.mkdir(exist_ok=True)
            lock = (self.directory / ".lock").open("ab")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"another `vigie backfill` is writing to {self.directory.parent}: wait for its end, then run this again"
                ) from None
            except OSError as error:
                raise unreadable(self.directory, error) from None
            yield


def may_replace(old: FileHead | None, inputs: Sequence[InputMark], lead_events: int, catalog: str) -> PartChoice:
    """Whether a part may take the place of another."""
    if old is None:
        return PartChoice.WRITTEN
    before, now = [mark.same_as for mark in old.inputs], [mark.same_as for mark in inputs]
    whole = (_sum(before) == _sum(now), not _without(before, now), not _without(now, before))
    if whole[0] or (whole[1] and whole[2]):
        # The same events: counted anew where another list says what they are, or where the hour before the day is known better.
        better = lead_events > old.lead_events or catalog != old.catalog
        return PartChoice.WRITTEN if better else PartChoice.SAME
    if whole[1]:
        return PartChoice.WRITTEN
    return PartChoice.SAME if whole[2] else PartChoice.OTHER_FILES


def _without(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> list[tuple[int, int]]:
    left = list(others)
    missing = []
    for one in some:
        if one in left:
            left.remove(one)
        else:
            missing.append(one)
    return missing


def _sum(marks: list[tuple[int, int]]) -> tuple[int, int]:
    return sum(events for events, _digest in marks), sum(digest for _events, digest in marks) % (1 << 64)
