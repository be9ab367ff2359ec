"""One file of a log becomes runs of events, and a report of what became of every line. Runs in a process of its own."""

import os
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from streams.backfill.spill import SUFFIX, write_run
from streams.catalog import UNKNOWN
from streams.clock import paris_date
from streams.errors import InputError
from streams.events import EventBounds, Reason, validate_all
from streams.publish.fields import TS_MS_MIN, Skip
from streams.publish.lines import Damaged
from streams.publish.opening import open_events
from streams.publish.outcomes import Tally, classify_all
from streams.publish.readers import LineReader, Outgoing

#: Values checked in one go, or some more.
BLOCK_EVENTS = 500
#: A run has no more events, and no more bytes of values.
RUN_EVENTS_MAX = 250_000
RUN_BYTES_MAX = 64 << 20
_WHY = {
    Reason.TOO_FAR_AHEAD: "its time lies in the future",
    Reason.TOO_OLD: "its time lies before 2000: is it in seconds?",
}


class DayOfInput(msgspec.Struct, frozen=True):
    """What one file has of one project and one day in Paris (its ordinal). `digest` is the sum of checksums of its events, whatever their
    order; `first_ms` and `last_ms` are of the events.
    """

    project: int
    day: int
    events: int
    digest: int
    first_ms: int
    last_ms: int


class RunMark(msgspec.Struct, frozen=True):
    """A run, and its first and last epoch minute."""

    name: str
    first: int
    last: int


class InputReport(msgspec.Struct):
    """What became of the lines of one file. `unreadable` are lines that are not what the format says or break the contract, the first ones
    by number; `rejected` those that break the contract, by reason. `trouble`: why it was not read to its end.
    """

    name: str
    lines: int = 0
    events: int = 0
    skipped: dict[str, int] = {}
    unreadable: int = 0
    unreadable_first: list[tuple[int, str]] = []
    rejected: dict[str, int] = {}
    days: list[DayOfInput] = []
    runs: list[RunMark] = []
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class ReadRules:
    """What reading needs to know: a reader that saw no line yet, the numbers of projects, the time after which an event is none of the
    past (epoch ms), and whether visitors must be pseudonyms.
    """

    make_reader: Callable[[], LineReader]
    projects: Mapping[str, int]
    latest_ms: int
    pseudonyms_only: bool

    @property
    def bounds(self) -> EventBounds:
        """Any age, but of this century: an earlier time is one in seconds."""
        return EventBounds(0, self.latest_ms - TS_MS_MIN, self.pseudonyms_only)


@dataclass(slots=True)
class _Day:
    events: int = 0
    digest: int = 0
    first_ms: int = 1 << 62
    last_ms: int = 0


@dataclass(slots=True)
class InputReading:
    """Reads one file into runs `<stem>-<number>.run` of a directory."""

    rules: ReadRules
    name: str
    directory: Path
    stem: str
    #: Called now and then with the bytes of the file that were read; returns whether to stop.
    look: Callable[[int], bool]
    _report: InputReport = field(init=False)
    _tally: Tally = field(default_factory=Tally)
    _reasons: Counter[str] = field(default_factory=Counter)
    _days: dict[tuple[int, int], _Day] = field(default_factory=dict)
    _block: list[bytes] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)
    _values: list[bytes] = field(default_factory=list)
    _ts: list[int] = field(default_factory=list)
    _projects: list[int] = field(default_factory=list)
    _bytes: int = 0

    def __post_init__(self) -> None:
        # Any name of a file, as it can be told and kept.
        self._report = InputReport(os.fsencode(self.name).decode(errors="backslashreplace"))

    def run(self) -> InputReport | None:
        """Read the file; None where `look` said to stop.

        Raises:
            InputError: it cannot be opened, or is not text at all.
            SettingsError: a line is of a project whose secret is not known.
        """
        report, reader = self._report, self.rules.make_reader()
        stream, raw = open_events(self.name)
        with raw, stream:
            try:
                for outcomes in classify_all(stream, reader):
                    kinds = []
                    for number, found in enumerate(outcomes, report.lines + 1):
                        if type(found) is Skip:
                            kinds.append(found.kind)
                        elif type(found) is Outgoing:
                            self._block.append(found.value)
                            self._numbers.append(number)
                        else:
                            self._tally.unreadable.add(number, found.why)
                    for kind, lines in Counter(kinds).items():
                        self._tally.skip(kind, lines)
                    report.lines += len(outcomes)
                    if len(self._block) >= BLOCK_EVENTS:
                        self._take_block()
                    if self.look(raw.tell() if raw.seekable() else 0):
                        return None
            except Damaged as why:
                report.trouble = str(why)
            except InputError as why:
                raise InputError(f"{self.name}: {why}") from None
        self._take_block()
        self._write()
        report.skipped = dict(self._tally.skipped)
        report.unreadable, report.unreadable_first = self._tally.unreadable.count, self._tally.unreadable.first
        report.rejected = dict(self._reasons)
        report.days = [
            DayOfInput(project, day, found.events, found.digest, found.first_ms, found.last_ms)
            for (project, day), found in sorted(self._days.items())
        ]
        return report

    def _take_block(self) -> None:
        if not self._block:
            return
        events, at, reasons = validate_all(self._block, self.rules.latest_ms, self.rules.bounds)
        values = self._block
        if at:
            refused = set(at)
            for index, reason in zip(at, reasons, strict=True):
                self._refuse(self._numbers[index], reason)
            values = [value for index, value in enumerate(values) if index not in refused]
        known, unknown = self.rules.projects, self.rules.projects[UNKNOWN]
        self._projects += [known.get(event.project, unknown) for event in events]  # type: ignore[arg-type]
        self._ts += [event.ts for event in events]
        self._values += values
        self._bytes += sum(map(len, values))
        self._report.events += len(values)
        self._block, self._numbers = [], []
        if len(self._values) >= RUN_EVENTS_MAX or self._bytes >= RUN_BYTES_MAX:
            self._write()

    def _refuse(self, number: int, reason: Reason) -> None:
        self._reasons[reason.value] += 1
        self._tally.unreadable.add(number, f"{_WHY.get(reason, 'it breaks the contract')} ({reason.value})")

    def _write(self) -> None:
        if not self._values:
            return
        ts, projects = np.array(self._ts, np.int64), np.array(self._projects, np.int64)
        self._note_days(ts, projects)
        name = f"{self.stem}-{len(self._report.runs)}{SUFFIX}"
        write_run(self.directory / name, projects, ts, self._values)
        self._report.runs.append(RunMark(name, int(ts.min()) // 60_000, int(ts.max()) // 60_000))
        self._values, self._ts, self._projects, self._bytes = [], [], [], 0

    def _note_days(
        self, ts: np.ndarray[tuple[int], np.dtype[np.int64]], projects: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> None:
        sums = np.fromiter(
            (zlib.crc32(value) << 32 | zlib.adler32(value) for value in self._values), np.uint64, len(ts)
        )
        hours, inverse = np.unique(ts // 3_600_000, return_inverse=True)
        day_of = np.array([paris_date(hour * 60).toordinal() for hour in hours.tolist()], np.int64)[inverse]
        days, which = np.unique(projects << 32 | day_of, return_inverse=True)
        for number, both in enumerate(days.tolist()):
            project, day = both >> 32, both & 0xFFFF_FFFF
            mine = which == number
            found = self._days.setdefault((project, day), _Day())
            found.events += int(mine.sum())
            found.digest = (found.digest + int(sums[mine].sum(dtype=np.uint64))) % (1 << 64)
            found.first_ms = min(found.first_ms, int(ts[mine].min()))
            found.last_ms = max(found.last_ms, int(ts[mine].max()))
