"""A sample of the lines that were published: enough to recognise them in a file that no longer begins with them."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

#: Lines of the beginning and of the end, and of all of them: those whose digests are lowest, which is any of them alike.
ENDS_KEPT = 32
LOWEST_KEPT = 128
_MASK = (1 << 64) - 1


class LineSample(msgspec.Struct, forbid_unknown_fields=True):
    """Digests (64 bits) of some of the lines that were given to `add`."""

    first: list[int] = msgspec.field(default_factory=list)
    last: list[int] = msgspec.field(default_factory=list)
    lowest: list[int] = msgspec.field(default_factory=list)

    def add(self, digest: int) -> None:
        """Take a line that was sent."""
        short = short_of(digest)
        if len(self.first) < ENDS_KEPT:
            self.first.append(short)
        self.last.append(short)
        if len(self.last) >= 4 * ENDS_KEPT:
            del self.last[:-ENDS_KEPT]
        lowest = self.lowest
        if len(lowest) < LOWEST_KEPT or short < lowest[-1]:
            at = bisect_left(lowest, short)
            if lowest[at : at + 1] != [short]:
                lowest.insert(at, short)
                del lowest[LOWEST_KEPT:]

    def copy(self) -> LineSample:
        """Return one that does not change with this one."""
        return LineSample(list(self.first), self.last[-ENDS_KEPT:], list(self.lowest))

    def digests(self) -> set[int]:
        """All of them."""
        return {*self.first, *self.last[-ENDS_KEPT:], *self.lowest}


def short_of(digest: int) -> int:
    """A line's digest as samples hold it."""
    return digest & _MASK
