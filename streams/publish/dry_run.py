"""`vigie publish --dry-run`: what would be sent and what not, and why; without a broker, a secret, or a look at the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from streams.events import EventBounds
from streams.publish.emitted import Skip, Unreadable
from streams.publish.lines import Damaged, is_blank, read_lines
from streams.publish.mark import Book
from streams.publish.outcomes import LINES_BETWEEN_LOOKS, Named, Tally, classify
from streams.publish.readers import LineReader, breaks_contract

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
    """Read every line as `Feed.run` would; `bounds` are the chain's.

    Raises:
        InputError: the stream is not text at all.
    """
    done = DryRun()
    try:
        for line in read_lines(stream):
            done.lines += 1
            if book.is_done(done.lines):
                if not is_blank(line.content):
                    reader.pass_by(line.content)
                done.passed += 1
                continue
            found = classify(line, reader)
            if isinstance(found, Skip):
                done.tally.skip(found)
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
