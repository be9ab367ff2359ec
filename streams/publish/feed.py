"""Sends a stream of lines through a publisher and keeps book of every line: sent, skipped, unreadable, undelivered. Bounded memory."""

from __future__ import annotations

import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from streams.errors import InputError, VigieError
from streams.publish.emitted import Skip
from streams.publish.errors import BufferFull
from streams.publish.ledger import Undelivered
from streams.publish.lines import skip_mark, without_end
from streams.publish.mark import MarkFile, Progress
from streams.publish.producer import RECORD_BYTES_MAX
from streams.publish.publisher import VisitPublisher
from streams.publish.readers import LineReader, NativeLines, Outgoing

#: Lines that are named in the report, of each kind.
LINES_NAMED_MAX = 20
#: How many lines go by between two looks around (progress).
LINES_BETWEEN_LOOKS = 512
#: How often the resume mark moves forward.
MARK_SECONDS = 10.0
#: Kinds of skipped lines that are told apart.
KINDS_MAX = 50
OTHER_KINDS = "other kinds"
EMPTY_LINE = Skip("empty line")
#: How long the rest may take to be confirmed after an interruption.
INTERRUPTED_FLUSH_SECONDS = 10.0


class Interrupted(VigieError):
    """Raised by `Feed.interrupt` into a read that waits for its next line."""


@dataclass(slots=True)
class Named:
    """Lines that share a fate: how many, and the first of them with the reason."""

    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, why: str) -> None:
        """Note one line; they may come out of order."""
        self.count += 1
        if len(self.first) < LINES_NAMED_MAX or line < self.first[-1][0]:
            self.first = sorted([*self.first, (line, why)])[:LINES_NAMED_MAX]


class Tally:
    """What became of the lines, and which of them are to be named."""

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self.unreadable = Named()

    def skip(self, what: Skip) -> None:
        """Count a line that is not sent."""
        known = what.kind in self.skipped or len(self.skipped) < KINDS_MAX
        self.skipped[what.kind if known else OTHER_KINDS] += 1


class Feed:
    """One run over one stream. Its publisher must be made with `on_failed=feed.on_failed`.

    After `run`: `lines` were read (with those that an earlier run had published, `passed`), of which `tally.skipped` are no events,
    `tally.unreadable` are not what the format says, `undelivered` Kafka did not confirm; the rest was delivered. `ended` is whether
    the stream was read to its end, `trouble` why not. `progress` may come from an earlier run (`mark.pass_by`); the mark moves as far
    as everything is confirmed.
    """

    def __init__(
        self, reader: LineReader | None = None, mark: MarkFile | None = None, progress: Progress | None = None
    ) -> None:
        self._reader = reader or NativeLines()
        self._mark = mark
        self._progress = progress or Progress()
        self.passed = self._progress.lines
        self.tally = Tally()
        self.undelivered = Named()
        self.reasons: Counter[str] = Counter()
        self.ended = False
        self.trouble: str | None = None
        self._noting = threading.Lock()
        self._reading = False
        self._stopping = False
        self._outage: str | None = None
        self._first_lost: int | None = None
        self._next_mark = time.monotonic() + MARK_SECONDS
        #: Where the mark stops short of a last line that is cut off and will be whole another time.
        self._before_cut: tuple[int, str] | None = None

    @property
    def lines(self) -> int:
        """Lines of the file dealt with so far."""
        return self._progress.lines

    def on_failed(self, lost: Undelivered) -> None:
        """Note a line that Kafka did not confirm; one that is not the line's own fault ends the run."""
        assert isinstance(lost.tag, int)
        self._note(lost.tag, lost.reason, lost.reason)
        if not lost.because_of_event:
            self._outage = self._outage or lost.reason
            self._first_lost = lost.tag if self._first_lost is None else min(self._first_lost, lost.tag)

    def _note(self, line: int, why: str, reason: str) -> None:
        with self._noting:  # the publisher's thread and the one that reads
            self.undelivered.add(line, why)
            self.reasons[reason] += 1

    def interrupt(self) -> None:
        """Stop after the present line; for a signal handler of the thread that runs `run`. The second call gives up at once."""
        if self._stopping:
            raise KeyboardInterrupt
        self._stopping = True
        self.trouble = "interrupted"
        if self._reading:
            raise Interrupted("interrupted")

    def run(self, stream: BinaryIO, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        """Send every line, wait for Kafka's answers, close the publisher. `look` is called now and then.

        Raises:
            InputError: the stream is not text at all.
            ServerError: Kafka was never reached, or has no such topic.
            SettingsError: a line is of a project whose secret is not known; what was sent before it is marked.
        """
        try:
            publisher.connect()
            self._send_all(stream, publisher, look)
            self._await_answers(publisher, look)
        except Interrupted:
            pass
        finally:
            publisher.close(INTERRUPTED_FLUSH_SECONDS)
            self._write_mark()
        if self._outage is not None and self.trouble is None:
            self.trouble = self._outage

    def _send_all(self, stream: BinaryIO, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        try:
            self._reading = True
            if not self.passed:
                skip_mark(stream)
            while not self._stopping and self._outage is None:
                self._reading = True
                raw = stream.readline(RECORD_BYTES_MAX)
                self._reading = False
                if not raw:
                    self.ended = True
                    return
                if raw[-1] != 10 and len(raw) == RECORD_BYTES_MAX:
                    self._skip_line(raw, stream)
                elif not self._send(raw, publisher, look):
                    return
                if not self.lines % LINES_BETWEEN_LOOKS:
                    look()
                    self._move_mark(publisher, look)
        except (EOFError, zlib.error, OSError) as error:
            self.trouble = f"the input is damaged after line {self.lines}: {error}"
        finally:
            self._reading = False

    def _send(self, raw: bytes, publisher: VisitPublisher, look: Callable[[], None]) -> bool:
        """Deal with one line; False where the run ends before it was taken."""
        line = without_end(raw)
        number = self.lines + 1
        found = EMPTY_LINE if not line or line.isspace() else self._reader.read(line)
        if isinstance(found, Outgoing):
            if not self._hand_over(found, number, publisher, look):
                return False
        elif isinstance(found, Skip):
            self.tally.skip(found)
        else:
            self.tally.unreadable.add(number, found.why)
            if raw[-1] != 10:
                self._before_cut = (self.lines, self._progress.digest())
        self._progress.add(raw)
        return True

    def _hand_over(self, event: Outgoing, number: int, publisher: VisitPublisher, look: Callable[[], None]) -> bool:
        # Bounded: what fills the buffer is confirmed or fails within the publisher's delivery time, and a failure ends the run.
        while not self._stopping and self._outage is None:
            try:
                publisher.send_raw(event.value, event.key, number)
                return True
            except BufferFull:
                look()
            except InputError as why:
                self._note(number, str(why), "larger than Kafka takes")
                return True
        return False

    def _skip_line(self, raw: bytes, stream: BinaryIO) -> None:
        why = f"longer than {RECORD_BYTES_MAX} bytes, which is more than Kafka takes"
        self._note(self.lines + 1, why, "larger than Kafka takes")
        while raw and raw[-1] != 10:
            self._progress.add_part(raw)
            self._reading = True
            raw = stream.readline(RECORD_BYTES_MAX)
            self._reading = False
        self._progress.add(raw)

    def _await_answers(self, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        deadline = time.monotonic() + publisher.limits.delivery_seconds_max + INTERRUPTED_FLUSH_SECONDS
        while not self._stopping and self._outage is None and time.monotonic() < deadline:
            if not publisher.flush(0.2):
                return
            look()

    def _move_mark(self, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        if self._mark is None or time.monotonic() < self._next_mark:
            return
        self._await_answers(publisher, look)
        if not publisher.pending:
            self._write_mark()
        self._next_mark = time.monotonic() + MARK_SECONDS

    def _write_mark(self) -> None:
        """Note how far everything is confirmed; only while nothing is pending. After a failure the last mark stays."""
        if self._mark is None or self._outage is not None or not self.lines:
            return
        lines, digest = self._before_cut or (self.lines, self._progress.digest())
        if lines:
            self._mark.write(lines, digest)

    @property
    def delivered(self) -> int:
        """Lines that Kafka confirmed; only after `run`."""
        return (
            self.lines - self.passed - self.tally.skipped.total() - self.tally.unreadable.count - self.undelivered.count
        )

    @property
    def through(self) -> int:
        """The line up to which nothing is missing but the unreadable and the oversized; only after `run`."""
        return self.lines if self._first_lost is None else self._first_lost - 1
