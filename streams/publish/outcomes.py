"""What becomes of each line, and the book that is kept of it for the report; and `vigie publish --dry-run`, which sends nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from streams.events import EventBounds
from streams.publish.fields import Skip, Unreadable
from streams.publish.lines import TOO_LONG, Damaged, InputLine, is_blank, read_lines, read_pieces
from streams.publish.mark import Book
from streams.publish.readers import LineReader, Outgoing, breaks_contract

#: Lines that are named in the report, of each kind.
LINES_NAMED_MAX = 20
#: How many lines go by between two looks around (progress).
LINES_BETWEEN_LOOKS = 512
#: Kinds of skipped lines that are told apart.
KINDS_MAX = 50
OTHER_KINDS = "other kinds"
EMPTY_LINE = Skip("empty line")


def classify(line: InputLine, reader: LineReader) -> Outgoing | Skip | Unreadable:
    """Return what becomes of a line, the same for `publish` and its rehearsal."""
    found = reader.read(line.content)
    if type(found) is not Unreadable:
        return found
    if line.long_digest is not None:
        return Unreadable(TOO_LONG)
    return EMPTY_LINE if is_blank(line.content) else found


def classify_all(stream: BinaryIO, reader: LineReader) -> Iterator[list[Outgoing | Skip | Unreadable]]:
    """Return what becomes of the lines of a stream, some of them at a time: what `classify` says of each of `read_lines`.

    Raises:
        InputError, Damaged: as `read_lines`.
    """
    for piece in read_pieces(stream):
        if isinstance(piece, InputLine):
            yield [classify(piece, reader)]
        else:
            yield [
                classify(InputLine(found, True, len(found)), reader) if isinstance(found, bytes) else found
                for found in reader.read_block(piece)
            ]


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


@dataclass(slots=True)
class Tally:
    """What became of the lines, and which of them are to be named."""

    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: Named = field(default_factory=Named)

    def skip(self, kind: str, lines: int = 1) -> None:
        """Count lines of one kind that are not sent."""
        is_told_apart = kind in self.skipped or len(self.skipped) < KINDS_MAX
        self.skipped[kind if is_told_apart else OTHER_KINDS] += lines


#: Stands in for every project's secret: what is made with it is thrown away.
NO_SECRET = b"a rehearsal needs no secret"


@dataclass(slots=True)
class DryRun:
    """What `publish` would do. `broken` of the `sent` would be rejected by the chain whatever their age; `reasons` says how many why.

    `passed` of the `lines` were dealt with by earlier runs.
    """

    sent: int = 0
    tally: Tally = field(default_factory=Tally)
    broken: Named = field(default_factory=Named)
    reasons: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None
    lines: int = 0
    passed: int = 0


def rehearse(
    stream: BinaryIO, reader: LineReader, book: Book, bounds: EventBounds, look: Callable[[DryRun], None]
) -> DryRun:
    """Read every line as `LineFeed.run` would, and send none; `bounds` are the chain's.

    Raises:
        InputError: the stream is not text at all.
    """
    done = DryRun()
    try:
        for line in read_lines(stream):
            done.lines += 1
            if book.is_done(done.lines):
                reader.pass_by(line.content)
                done.passed += 1
                continue
            found = classify(line, reader)
            if isinstance(found, Skip):
                done.tally.skip(found.kind)
            elif isinstance(found, Unreadable):
                done.tally.unreadable.add(done.lines, found.why)
            else:
                done.sent += 1
                if reason := breaks_contract(found, bounds):
                    done.broken.add(done.lines, reason.value)
                    done.reasons[reason.value] += 1
            if not done.lines % LINES_BETWEEN_LOOKS:
                look(done)
    except Damaged as why:
        done.trouble = str(why)
    return done
