"""Sends a stream of lines through a publisher and keeps book of every line: sent, skipped, unreadable, undelivered. Bounded memory."""

import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from streams.errors import BufferFull, InputError, VigieError
from streams.publish.fields import Skip
from streams.publish.lines import Damaged, InputLine, read_lines
from streams.publish.mark import Book, MarkFile
from streams.publish.outbox import Undelivered
from streams.publish.outcomes import LINES_BETWEEN_LOOKS, Named, Tally, classify
from streams.publish.publisher import VisitPublisher
from streams.publish.readers import LineReader, NativeLines, Outgoing

#: How often the resume mark moves forward.
MARK_SECONDS = 3.0
#: How long the rest may take to be confirmed after an interruption.
INTERRUPTED_FLUSH_SECONDS = 10.0


class Interrupted(VigieError):
    """Raised by `Feed.interrupt` into a read that waits for its next line."""


class LineFeed:
    """One run over one stream. Its publisher must be made with `on_failed=feed.on_failed`.

    After `run`: `lines` were gone through, of which `passed` were dealt with by earlier runs; of the others `tally.skipped` are no events,
    `tally.unreadable` are not what the format says, `undelivered` Kafka did not confirm, `delivered` it did. `ended` is whether the stream
    was read to its end, `trouble` why not. `book` may begin where an earlier run ended; the mark moves as far as Kafka has answered.
    """

    def __init__(
        self, reader: LineReader | None = None, book: Book | None = None, marks: MarkFile | None = None
    ) -> None:
        self._reader = reader or NativeLines()
        self._marks = marks
        self.book = book or Book("", "", "")
        self.lines = self.passed = self._handed_over = 0
        self.tally = Tally()
        self.undelivered = Named()
        self.grown: tuple[int, bool] | None = None
        self.ended = self.damaged = False
        self.trouble: str | None = None
        self._noting = threading.Lock()
        self._failed: list[tuple[int, int]] = []
        self._reading = False
        self._stopping = False
        self._outage: str | None = None
        self._first_lost: int | None = None
        self._next_mark = time.monotonic() + MARK_SECONDS

    def on_failed(self, lost: Undelivered) -> None:
        """Note a line that Kafka did not confirm; one that is not the line's own fault ends the run."""
        assert isinstance(lost.tag, tuple)
        number, digest = lost.tag
        with self._noting:  # the publisher's thread and the one that reads
            self.undelivered.add(number, lost.reason)
            self._failed.append((number, digest))
        if not lost.because_of_event:
            self._outage = self._outage or lost.reason
            self._first_lost = number if self._first_lost is None else min(self._first_lost, number)

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
            self._write_mark(publisher)
        if self._outage is not None and self.trouble is None:
            self.trouble = self._outage

    def _send_all(self, stream: BinaryIO, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        lines = read_lines(stream)
        try:
            while not self._stopping and self._outage is None:
                self._reading = True
                line = next(lines, None)
                self._reading = False
                if line is None:
                    self.ended = True
                    return
                if not self._take(line, publisher, look):
                    return
                if not self.lines % LINES_BETWEEN_LOOKS:
                    look()
                    self._move_mark(publisher, look)
        except Damaged as why:
            self.damaged, self.trouble = True, str(why)
        finally:
            self._reading = False

    def _take(self, line: InputLine, publisher: VisitPublisher, look: Callable[[], None]) -> bool:
        """Deal with one line; False where the run ends before it was taken."""
        number = self.lines + 1
        if self.book.is_done(number):
            self._pass_by(number, line)
            self.passed += 1
        else:
            found = classify(line, self._reader)
            if isinstance(found, Outgoing):
                if not self._hand_over(found, number, line, publisher, look):
                    return False
            elif isinstance(found, Skip):
                self.tally.skip(found.kind)
                self.book.skip(number, line)
            else:
                self.tally.unreadable.add(number, found.why)
                self.book.leave(number, line)
        self.lines = number
        return True

    def _pass_by(self, number: int, line: InputLine) -> None:
        if number == self.book.lines and self.book.tail_bytes and (before := self.book.see_tail(line)) is not None:
            was, now = self._reader.read(before), classify(line, self._reader)
            same = isinstance(was, Outgoing) and isinstance(now, Outgoing) and was.same_use(now)
            self.grown = (number, same)
        else:
            self._reader.pass_by(line.content)

    def _hand_over(
        self, event: Outgoing, number: int, line: InputLine, publisher: VisitPublisher, look: Callable[[], None]
    ) -> bool:
        # Bounded: what fills the buffer is confirmed or fails within the publisher's delivery time, and a failure ends the run.
        tag = (number, line.digest())
        while not self._stopping and self._outage is None:
            try:
                publisher.send_raw(event.value, event.key, tag)
            except BufferFull:
                look()
                continue
            except InputError as why:
                with self._noting:
                    self.undelivered.add(number, str(why))
                    self._failed.append(tag)
            self._handed_over += 1
            self.book.send(number, line, tag[1])
            return True
        return False

    def _await_answers(self, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        deadline = time.monotonic() + publisher.limits.delivery_seconds_max + INTERRUPTED_FLUSH_SECONDS
        while not self._stopping and self._outage is None and time.monotonic() < deadline:
            if not publisher.flush(0.2):
                return
            look()

    def _move_mark(self, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        if self._marks is None or time.monotonic() < self._next_mark:
            return
        self._await_answers(publisher, look)
        self._write_mark(publisher)
        self._next_mark = time.monotonic() + MARK_SECONDS

    def _write_mark(self, publisher: VisitPublisher) -> None:
        """Note what Kafka confirmed and what it did not; only once it owes no answer."""
        if self._marks is None or publisher.pending:
            return
        with self._noting:
            failed, self._failed = self._failed, []
        for number, digest in failed:
            self.book.fail(number, digest)
        self.book.note_secrets(self._reader.secrets)
        mark = self.book.mark()
        if mark is not None:
            self._marks.write(mark)

    @property
    def delivered(self) -> int:
        """Lines that Kafka confirmed; only after `run`."""
        return self._handed_over - self.undelivered.count

    @property
    def through(self) -> int:
        """The line up to which nothing is missing but the unreadable and the refused; only after `run`."""
        return self.lines if self._first_lost is None else self._first_lost - 1
