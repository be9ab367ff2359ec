"""Sends a stream of lines through a publisher and keeps book of every line: sent, empty, refused, undelivered. Bounded memory."""

from __future__ import annotations

import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from streams.errors import InputError, VigieError
from streams.publish.errors import BufferFull
from streams.publish.ledger import Undelivered
from streams.publish.lines import NotAnObject, key_of, skip_mark
from streams.publish.producer import RECORD_BYTES_MAX
from streams.publish.publisher import VisitPublisher

#: Lines that are named in the report, of each kind.
LINES_NAMED_MAX = 20
#: How many lines go by between two looks around (progress).
LINES_BETWEEN_LOOKS = 512
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


class Feed:
    """One run over one stream. Its publisher must be made with `on_failed=feed.on_failed`.

    After `run`: `lines` were read, of which `empty` were skipped, `refused` are not JSON objects, `undelivered` Kafka did not confirm; the
    rest was delivered. `ended` is whether the stream was read to its end, `trouble` why not.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.empty = 0
        self.refused = Named()
        self.undelivered = Named()
        self.reasons: Counter[str] = Counter()
        self.ended = False
        self.trouble: str | None = None
        self._noting = threading.Lock()
        self._reading = False
        self._stopping = False
        self._outage: str | None = None
        self._first_lost: int | None = None

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
        """
        try:
            publisher.connect()
            self._send_all(stream, publisher, look)
            self._await_answers(publisher, look)
        except Interrupted:
            pass
        finally:
            publisher.close(INTERRUPTED_FLUSH_SECONDS)
        if self._outage is not None and self.trouble is None:
            self.trouble = self._outage

    def _send_all(self, stream: BinaryIO, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        try:
            self._reading = True
            skip_mark(stream)
            while not self._stopping and self._outage is None:
                self._reading = True
                line = stream.readline(RECORD_BYTES_MAX)
                self._reading = False
                if not line:
                    self.ended = True
                    return
                self.lines += 1
                if line[-1] == 10:
                    line = line[:-2] if line[-2:] == b"\r\n" else line[:-1]
                elif len(line) == RECORD_BYTES_MAX:
                    self._skip_line(stream)
                    continue
                self._send(line, publisher, look)
                if not self.lines % LINES_BETWEEN_LOOKS:
                    look()
        except (EOFError, zlib.error, OSError) as error:
            self.trouble = f"the input is damaged after line {self.lines}: {error}"
        finally:
            self._reading = False

    def _send(self, line: bytes, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        if not line or line.isspace():
            self.empty += 1
            return
        try:
            key = key_of(line)
        except NotAnObject as why:
            self.refused.add(self.lines, str(why))
            return
        # Bounded: what fills the buffer is confirmed or fails within the publisher's delivery time, and a failure ends the run.
        while not self._stopping and self._outage is None:
            try:
                publisher.send_raw(line, key, self.lines)
                return
            except BufferFull:
                look()
            except InputError as why:
                self._note(self.lines, str(why), "larger than Kafka takes")
                return
        self.lines -= 1  # not sent: the report says up to where the file was

    def _skip_line(self, stream: BinaryIO) -> None:
        why = f"longer than {RECORD_BYTES_MAX} bytes, which is more than Kafka takes"
        self._note(self.lines, why, "larger than Kafka takes")
        self._reading = True
        while (rest := stream.readline(RECORD_BYTES_MAX)) and rest[-1] != 10:
            pass
        self._reading = False

    def _await_answers(self, publisher: VisitPublisher, look: Callable[[], None]) -> None:
        deadline = time.monotonic() + publisher.limits.delivery_seconds_max + INTERRUPTED_FLUSH_SECONDS
        while not self._stopping and self._outage is None and time.monotonic() < deadline:
            if not publisher.flush(0.2):
                return
            look()

    @property
    def delivered(self) -> int:
        """Lines that Kafka confirmed; only after `run`."""
        return self.lines - self.empty - self.refused.count - self.undelivered.count

    @property
    def through(self) -> int:
        """The line up to which nothing is missing but the refused and the oversized; only after `run`."""
        return self.lines if self._first_lost is None else self._first_lost - 1
