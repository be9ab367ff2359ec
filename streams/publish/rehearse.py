"""`vigie publish --dry-run`: what would be sent and what not, and why; without a broker, a secret, or a look at the clock."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from streams.publish.emitted import Skip, Unreadable
from streams.publish.feed import EMPTY_LINE, LINES_BETWEEN_LOOKS, Named, Tally
from streams.publish.lines import skip_mark, without_end
from streams.publish.producer import RECORD_BYTES_MAX
from streams.publish.readers import LineReader, breaks_contract

#: Stands in for every project's secret: what is made with it is thrown away.
NO_SECRET = b"a rehearsal needs no secret"


@dataclass(slots=True)
class Rehearsal:
    """What `publish` would do. `broken` of the `sent` would be rejected by the chain whatever their age; `reasons` says how many why."""

    sent: int = 0
    tally: Tally = field(default_factory=Tally)
    broken: Named = field(default_factory=Named)
    reasons: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None
    lines: int = 0


def rehearse(stream: BinaryIO, reader: LineReader, look: Callable[[Rehearsal], None]) -> Rehearsal:
    """Read every line as `Feed.run` would.

    Raises:
        InputError: the stream is not text at all.
    """
    done = Rehearsal()
    try:
        skip_mark(stream)
        while raw := stream.readline(RECORD_BYTES_MAX):
            done.lines += 1
            if raw[-1] != 10 and len(raw) == RECORD_BYTES_MAX:
                done.tally.unreadable.add(
                    done.lines, f"longer than {RECORD_BYTES_MAX} bytes, which is more than Kafka takes"
                )
                while raw and raw[-1] != 10:
                    raw = stream.readline(RECORD_BYTES_MAX)
                continue
            _judge(without_end(raw), reader, done)
            if not done.lines % LINES_BETWEEN_LOOKS:
                look(done)
    except (EOFError, zlib.error, OSError) as error:
        done.trouble = f"the input is damaged after line {done.lines}: {error}"
    return done


def _judge(line: bytes, reader: LineReader, done: Rehearsal) -> None:
    found = EMPTY_LINE if not line or line.isspace() else reader.read(line)
    if isinstance(found, Skip):
        done.tally.skip(found)
    elif isinstance(found, Unreadable):
        done.tally.unreadable.add(done.lines, found.why)
    else:
        done.sent += 1
        if reason := breaks_contract(found):
            done.broken.add(done.lines, reason.value)
            done.reasons[reason.value] += 1
