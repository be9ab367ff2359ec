"""The minutes of two prefixes whose workers count the same log, held against one another while both go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.count import Field
from streams.live import LiveReader

#: What differs is looked at so often, with longer and longer pauses: so many times this.
LOOKS_MAX = 5
LOOK_SECONDS = 1.0
MINUTES_A_CALL = 240


@dataclass(frozen=True, slots=True)
class Unlike:
    """A row of a minute (epoch minute) that the two prefixes count differently."""

    minute: int
    field: Field
    old: int
    new: int


def unlike_minutes(old: LiveReader, new: LiveReader, first: int | None, end: int) -> tuple[int, list[Unlike]]:
    """Compare the minutes that both hold, `first <= epoch minute < end`; return how many, and every row that differs.

    Late events change a settled minute in one prefix a moment before the other. So a row of the new one must be what the old one holds, or
    between what it held before and what it holds after.
    """
    both = sorted(set(old.held(first, end)) & set(new.held(first, end)))
    doubtful, found = both, []
    for attempt in range(LOOKS_MAX):
        pause = LOOK_SECONDS * attempt
        found = [row for page in _pages(doubtful) for row in _unlike(old, new, page, pause)]
        doubtful = sorted({row.minute for row in found})
        if not doubtful:
            break
    return len(both), found


def _unlike(old: LiveReader, new: LiveReader, minutes: Sequence[int], pause_seconds: float) -> Iterator[Unlike]:
    before = old.fetch(minutes)
    time.sleep(pause_seconds)
    ours = new.fetch(minutes)
    time.sleep(pause_seconds)
    for low, one, high in zip(before, ours, old.fetch(minutes), strict=True):
        for key in sorted(high.counts.keys() | one.counts.keys()):
            least, most, number = (counts.get(key, 0) for counts in (low.counts, high.counts, one.counts))
            if not least <= number <= most:
                yield Unlike(one.minute, key, most, number)


def _pages(minutes: Sequence[int]) -> list[Sequence[int]]:
    return [minutes[at : at + MINUTES_A_CALL] for at in range(0, len(minutes), MINUTES_A_CALL)]
