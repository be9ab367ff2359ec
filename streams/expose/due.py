"""Which settled minutes one scrape exposes with their own time stamp. Pure: a function of when minutes settled and of the clock.

A scrape moves no cursor, so that a person's curl or a second Prometheus takes nothing away from anybody. Every minute stays exposed for
`WINDOW_SECONDS` after it settled (after a start of the observer: the last hour's), at most `MINUTES_A_SCRAPE` at once.

When more are due, as during a catch-up, the newest are exposed at every scrape: boards stay live. The others take turns by the clock. A
turn is a block of event time, which never changes: block `b` has the turns `t` with `t % pages == b % pages`. `pages` is a power of two:
it changes rarely while minutes come and go. (Equal slices of the sorted list would lose minutes: they shift at every change; a test holds
that.) The window is stretched so that each block has `TURNS` turns.
"""

from collections.abc import Sequence

#: How long a settled minute stays exposed: many scrapes of 5 s, and a restart of Prometheus.
WINDOW_SECONDS = 300
#: What an observer that has just started exposes, and for how long after its start.
WINDOW_AFTER_START_SECONDS = 3600
AFTER_START_SECONDS = 300
MINUTES_A_SCRAPE = 60
#: Of these, exposed at every scrape whatever else is due: what settles in `WINDOW_SECONDS` of live traffic, twice.
NEWEST_MINUTES = 12
#: Minutes of event time that take their turn together.
BLOCK_MINUTES = MINUTES_A_SCRAPE - NEWEST_MINUTES
#: How long a turn lasts: three scrapes of 5 s. Prometheus must scrape at least this often.
TURN_SECONDS = 15
#: Turns that each block has: one may fall into a change of `pages`, one into a restart of Prometheus.
TURNS = 3
#: More blocks than 72 hours have; all turns of all of them fit in the time looked back.
PAGES_MAX = 128
#: No minute that settled longer ago than this is exposed.
LOOK_BACK_SECONDS = PAGES_MAX * TURN_SECONDS * TURNS


def window_seconds(up_seconds: float) -> int:
    """Return the least window for an observer that started `up_seconds` ago."""
    return WINDOW_AFTER_START_SECONDS if up_seconds < AFTER_START_SECONDS else WINDOW_SECONDS


def due_minutes(settled: Sequence[tuple[int, int]], now_ms: int, window: int) -> list[int]:
    """Return the epoch minutes to expose now, oldest first, at most `MINUTES_A_SCRAPE`.

    `settled` holds (epoch minute, epoch ms at which it settled) of the last `LOOK_BACK_SECONDS`; `now_ms` is the same clock's time;
    `window` is the least window in seconds.
    """
    found, pages = _within_stretched_window(settled, now_ms, window)
    due = sorted(found)
    if len(due) <= MINUTES_A_SCRAPE:
        return due
    turn = now_ms // 1000 // TURN_SECONDS % pages
    older = [minute for minute in due[:-NEWEST_MINUTES] if minute // BLOCK_MINUTES % pages == turn]
    return older[:BLOCK_MINUTES] + due[-NEWEST_MINUTES:]


def _within_stretched_window(settled: Sequence[tuple[int, int]], now_ms: int, window: int) -> tuple[list[int], int]:
    """The minutes that settled within the longest window that their own number of pages asks for, and that number."""
    newest_first = sorted(settled, key=lambda item: -item[1])
    blocks: set[int] = set()
    pages, kept, kept_pages = 1, 0, 1
    for count, (minute, settled_ms) in enumerate(newest_first, 1):
        block = minute // BLOCK_MINUTES
        if block not in blocks:
            blocks.add(block)
            pages = _pages(blocks, pages)
        asked = pages if count > MINUTES_A_SCRAPE else 1
        if (now_ms - settled_ms) / 1000 <= max(window, asked * TURN_SECONDS * TURNS):
            kept, kept_pages = count, asked
    return [minute for minute, _settled_ms in newest_first[:kept]], kept_pages


def _pages(blocks: set[int], at_least: int) -> int:
    """The smallest power of two, `at_least` or more, that gives every block turns of its own."""
    pages = at_least
    while pages < PAGES_MAX and len({block % pages for block in blocks}) < len(blocks):
        pages *= 2
    return pages
