"""Which settled minutes one scrape exposes with their own time stamp. Pure: a function of when minutes settled and of the clock.

A scrape moves no cursor, so that a person's curl or a second Prometheus takes nothing away from anybody. Every minute stays exposed for
`WINDOW_SECONDS` after it settled (after a start of the observer: the last hour's), at most `MINUTES_A_SCRAPE` at once. When more are due,
as after a catch-up, they are dealt into pages that take turns by the clock, and the window is stretched so that each page has its turn
`TURNS` times: enough for a turn to be missed, and for the pages to shift a little while minutes come and go.
"""

from __future__ import annotations

from collections.abc import Sequence

#: How long a settled minute stays exposed: many scrapes of 5 s, and a restart of Prometheus.
WINDOW_SECONDS = 300
#: What an observer that has just started exposes, and for how long after its start.
WINDOW_AFTER_START_SECONDS = 3600
AFTER_START_SECONDS = 300
MINUTES_A_SCRAPE = 60
#: How long one page has its turn: three scrapes of 5 s. Prometheus must scrape at least this often.
PAGE_SECONDS = 15
TURNS = 3
#: No minute that settled longer ago than this is exposed. 80 pages (80 hours settled at once) have their turns in it.
LOOK_BACK_SECONDS = 3600


def window_seconds(up_seconds: float) -> int:
    """Return the least window for an observer that started `up_seconds` ago."""
    return WINDOW_AFTER_START_SECONDS if up_seconds < AFTER_START_SECONDS else WINDOW_SECONDS


def due_minutes(settled: Sequence[tuple[int, int]], now_ms: int, window: int) -> list[int]:
    """Return the epoch minutes to expose now, oldest first, at most `MINUTES_A_SCRAPE`.

    `settled` holds (epoch minute, epoch ms at which it settled) of the last `LOOK_BACK_SECONDS`; `now_ms` is the same clock's time.
    """
    due = sorted(_within_stretched_window(settled, now_ms, window))
    pages = -(-len(due) // MINUTES_A_SCRAPE)
    if pages <= 1:
        return due
    page = (now_ms // 1000 // PAGE_SECONDS) % pages
    # Equal pages, so that a minute more or less moves few of them from one page to the next.
    return due[page * len(due) // pages : (page + 1) * len(due) // pages]


def _within_stretched_window(settled: Sequence[tuple[int, int]], now_ms: int, window: int) -> list[int]:
    """The minutes that settled within the longest window that their own number of pages asks for."""
    newest_first = sorted(settled, key=lambda item: -item[1])
    for count in range(len(newest_first), 0, -1):
        age_seconds = (now_ms - newest_first[count - 1][1]) / 1000
        pages = -(-count // MINUTES_A_SCRAPE)
        if age_seconds <= max(window, pages * PAGE_SECONDS * TURNS):
            return [minute for minute, _settled_ms in newest_first[:count]]
    return []
