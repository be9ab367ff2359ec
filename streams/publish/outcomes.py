"""What becomes of each line, and the book that is kept of it for the report: how many, and the first ones by number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from streams.publish.emitted import Skip, Unreadable
from streams.publish.lines import TOO_LONG, InputLine, is_blank
from streams.publish.readers import LineReader, Outgoing

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
    if line.too_long:
        return Unreadable(TOO_LONG)
    if is_blank(line.content):
        return EMPTY_LINE
    return reader.read(line.content)


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
