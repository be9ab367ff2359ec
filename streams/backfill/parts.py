"""Parts: what logs gave to one day of one project, `<archive>/backfill/<project>/<date>.parquet`, in the form of a day's file.

A part is replaced only by one that was counted from all the files that it was counted from, and from more or the same.

What a backfill keeps on disk while it runs lies in `<archive>/backfill/.spool/<key>/`, from which an interrupted one goes on. It is
readable by its owner alone: it holds pseudonyms, never user ids. The key follows from everything that decides what a line becomes, so that
what was read by other rules is never taken.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from streams.backfill.counting import of_date
from streams.backfill.log_input import InputReport
from streams.decoded_types import known
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.arrow import FileHead, FileReader, write_file
from streams.history.compose import HourReading
from streams.history.day_columns import CutName, CutRows, Sketches
from streams.history.marks import MINUTES_AN_HOUR, Choice, DayFile, HourMark, HourSource, InputMark, joined
from streams.history.whole_files import explained
from streams.lock_file import release, take
from streams.whole_file import replace_whole

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
            lock = self.directory / ".lock"
            file = take(lock)
        if file is None:
            raise InputError(
                f"another `vigie backfill` is writing to {self.directory.parent}: wait for its end, then run this again"
            )
        try:
            yield
        finally:
            release(lock, file)


def may_replace(old: FileHead | None, inputs: Sequence[InputMark], lead_events: int, catalog: str) -> PartChoice:
    """Whether a part may take the place of another."""
    if old is None:
        return PartChoice.WRITTEN
    before, now = [mark.same_as for mark in old.inputs], [mark.same_as for mark in inputs]
    has_all, had_all = not Counter(before) - Counter(now), not Counter(now) - Counter(before)
    if _sum(before) == _sum(now) or (has_all and had_all):
        # The same events: counted anew where another list says what they are, or where the hour before the day is known better.
        return PartChoice.WRITTEN if lead_events > old.lead_events or catalog != old.catalog else PartChoice.SAME
    return PartChoice.WRITTEN if has_all else PartChoice.SAME if had_all else PartChoice.OTHER_FILES


def _sum(marks: list[tuple[int, int]]) -> tuple[int, int]:
    return sum(events for events, _digest in marks), sum(digest for _events, digest in marks) % (1 << 64)


@dataclass(frozen=True, slots=True)
class WrittenDay:
    """What became of a day: whether its file changed, and the hours that stayed as they were counted or imported otherwise."""

    day: date
    changed: bool
    hours_kept: int


def write_day(archive: Archive, store: PartStore, day: date, catalog: str) -> WrittenDay:
    """Put the sum of a day's parts into its file.

    Raises:
        InputError: a part or the file cannot be read.
        ArchiveError: the file cannot be written.
    """
    spans: dict[int, list[tuple[int, int]]] = {}
    found: dict[CutName, list[CutRows]] = {cut: [] for cut in CutName}
    own: list[Sketches] = []
    for reader in store.of_day(day):
        own.append(reader.sketches())
        for mark in reader.head.hours:
            spans.setdefault(mark.hour, []).extend(mark.measured)
        for cut in CutName:
            found[cut].append(reader.rows(cut))
    around = [reader.sketches() for step in (-1, 1) for reader in store.of_day(day + timedelta(days=step))]
    for mark in archive.read(day, lambda file: file.head.hours) or ():
        if mark.source is HourSource.BACKFILL:  # an hour that no log tells of any more is no sum of anything
            spans.setdefault(mark.hour, [])
    sums = {cut: CutRows.joined(parts).grouped(lambda key: key) for cut, parts in found.items()}
    readings = [
        HourReading(
            HourMark(hour, HourSource.BACKFILL, tuple(joined(measured))),
            {cut: rows.where(rows.minute // MINUTES_AN_HOUR == hour) for cut, rows in sums.items()},
        )
        for hour, measured in sorted(spans.items())
    ]
    done = archive.update(day, readings, of_date(day, own, around), catalog=catalog)
    return WrittenDay(day, done.written, sum(choice is Choice.REFUSED for choice in done.choices.values()))


_SPOOL = ".spool"


class Spool:
    """The directory of one backfill."""

    def __init__(self, archive: Path, key: str) -> None:
        self._all = archive / DIRECTORY / _SPOOL
        self.directory = self._all / key

    def prepare(self) -> None:
        """Create it where it is absent.

        Raises:
            ArchiveError: it cannot be written.
        """
        with explained(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def stem(self, name: str) -> str:
        """What a file's runs and report are called: another one once the file has changed."""
        state = os.stat(name)
        text = f"{os.path.realpath(name)}\0{state.st_size}\0{state.st_mtime_ns}"
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]

    def known(self, stem: str) -> InputReport | None:
        """The report of a file that was read whole before."""
        try:
            return msgspec.json.decode(self._report(stem).read_bytes(), type=known(InputReport))
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def keep(self, stem: str, report: InputReport) -> None:
        """Note that a file was read whole: its runs are all there.

        Raises:
            OSError: as the file system says.
        """
        replace_whole(self._report(stem), lambda fresh: fresh.write_bytes(msgspec.json.encode(report)))

    def paths(self, names: Iterable[str]) -> tuple[Path, ...]:
        """Where runs are."""
        return tuple(self.directory / name for name in names)

    def remove(self) -> None:
        """Remove everything: what was read is counted."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def left_behind(self) -> list[Path]:
        """Directories of other backfills that were interrupted and never went on."""
        return sorted(path for path in self._all.glob("*") if path != self.directory)

    def _report(self, stem: str) -> Path:
        return self.directory / f"{stem}.json"
