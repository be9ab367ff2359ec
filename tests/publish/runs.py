"""Runs of `vigie publish` over files, without a broker: the marks, the decision and the readers are the real ones."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from streams.publish.fields import Skip
from streams.publish.lines import read_lines
from streams.publish.mark import MarkFile
from streams.publish.opening import open_events
from streams.publish.outcomes import classify
from streams.publish.readers import NativeLines, Outgoing
from streams.publish.resume import decide, hold_against, marks_around

OF = ("native", "", "visits")


class Ents:
    """Runs of `vigie publish` over files, with a Kafka that refuses the lines in `refused`; `arrived` is what it took."""

    def __init__(self) -> None:
        self.arrived: Counter[bytes] = Counter()
        self.refused: set[bytes] = set()
        self.said: list[str] = []
        self.unreadable = 0

    def run(
        self, path: Path, of: tuple[str, str, str] = OF, *, again: bool = False, at_ms: int | None = None
    ) -> list[bytes]:
        """Return the lines that one run sent."""
        marks = MarkFile(path)
        trials = [] if again else marks_around(marks, at_ms is None)
        marks.keep(marks.read())
        stream, raw = open_events(str(path))
        with raw, stream:
            lines = hold_against(stream, trials, lambda _number: None)
        book, self.said = decide(path.name, of, trials, own=marks.path, lines=lines, at_ms=at_ms)
        self.unreadable = 0
        sent, failed = [], []
        stream, raw = open_events(str(path))
        with raw, stream, marks.held():
            for number, line in enumerate(read_lines(stream), 1):
                if book.is_done(number):
                    if number == book.lines and book.tail_bytes:
                        book.see_tail(line)
                    continue
                found = classify(line, NativeLines())
                if isinstance(found, Outgoing):
                    book.send(number, line, line.digest())
                    sent.append(line.content)
                    if line.content in self.refused:
                        failed.append((number, line.digest()))
                elif isinstance(found, Skip):
                    book.skip(number, line)
                else:
                    self.unreadable += 1
                    book.leave(number, line)
            for number, digest in failed:
                book.fail(number, digest)
            if mark := book.mark():
                marks.write(mark)
        self.arrived.update(line for line in sent if line not in self.refused)
        return sent


def events(first: int, number: int) -> list[bytes]:
    return [b'{"id":"%d"}' % n for n in range(first, first + number)]


def write(path: Path, lines: Iterable[bytes], end: bytes = b"\n") -> Path:
    path.write_bytes(b"\n".join(lines) + end)
    return path
