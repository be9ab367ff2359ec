"""The loop of one observer, in a thread of its own: snapshot, settle, trim, once a second, for as long as the process lives.

The census tells how many users and establishments there are. Each figure is a union of thousands of sketches, for distinct users never add
up; all are approximate (0.81 % standard error). It is read once a settled minute, and scrapes are given what was read.

Both writes are idempotent Lua calls that only move forward, so observers need no leader. Redis going away is an expected state, not an
error: it is logged once, shown, and tried again.
"""

import itertools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streams.background import BackgroundLoop, LoopRules, LoopState
from streams.catalog import Catalog
from streams.count.local_dates import LocalDays
from streams.errors import StateError
from streams.live import ArchiveKeeper, Distinct, LiveKeeper, SketchReader
from streams.observe.decide import Kept, fresh, held_back, progress_problem, settling, what_is_kept
from streams.small_numbers import SmallNumbers

#: Settled minutes of each sliding window, by the name that labels and members carry.
WINDOWS_MINUTES = {"5m": 5, "15m": 15}
#: The window of the current local day.
DAY = "day"
WINDOWS = (*WINDOWS_MINUTES, DAY)
#: Establishments that were seen in the last settled minutes report.
REPORTING_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Census:
    """Users by window, and establishments reporting, as of `minute`: the epoch minute that was running at settled time.

    Sliding windows end where `minute` begins: they hold settled minutes alone. The day is the local day of `minute` in each region, in
    Paris for France, up to what is counted; it has no figures by project or academy. A number of users that is too small is None.
    """

    minute: int
    users: Mapping[str, Distinct[int | None]]
    establishments: Distinct[int]
    few: SmallNumbers


def take_census(sketches: SketchReader, settled_ms: int, catalog: Catalog, days: LocalDays) -> Census:
    """Read the figures at settled time.

    Raises:
        ServerError: Redis does not answer.
    """
    minute = settled_ms // 60_000
    users = {name: sketches.users(minute - length, minute) for name, length in WINDOWS_MINUTES.items()}
    users[DAY] = sketches.day_users(
        {region: days.local(minute, region) for region in catalog.region_codes}, days.paris(minute), days.overseas
    )
    return Census(minute, users, sketches.establishments(minute - REPORTING_MINUTES, minute), sketches.few)


logger = logging.getLogger(__name__)

RULES = LoopRules(
    "observer",
    1.0,
    "minutes are not settled or trimmed, or users not counted",
    "minutes are settled again",
    hung_seconds=60.0,
)
#: A loop without a good round for this long is not ready, whatever its last round said: it may hang.
READY_SECONDS_MAX = 10.0
#: Minutes, sketches of minutes and of days that one call trims at most: no Lua call holds Redis for long.
TRIM_A_CALL_MAX = 200
#: A census takes Redis about 80 ms; while time settles by many minutes at once, as in a catch-up, it is taken this often at most.
CENSUS_SECONDS_MIN = 5.0
#: How often unseen values are looked through for those that are to be forgotten.
FORGET_SECONDS = 60.0
#: Calls in one round: what a catch-up leaves behind is gone in seconds.
TRIM_CALLS_A_ROUND_MAX = 10


def not_ready_because(state: LoopState, now: float) -> str | None:
    """Return why the observer is not ready at the monotonic time `now`, None where it is."""
    if state.problem is not None:
        return state.problem
    if state.ended_at is None:
        return "the observer's first round has not ended yet; ask again in a second"
    if (age := now - state.ended_at) > READY_SECONDS_MAX:
        return f"the observer's loop has not ended a round for {age:.0f} s; see its log, restart it if this stays"
    return None


@dataclass(frozen=True, slots=True)
class ObserverRules:
    """What the loop needs to know of the settings; `days` gives the local dates of scenario time."""

    catalog: Catalog
    days: LocalDays
    lateness_ms: int
    minutes_kept_hours: int
    #: How long what is to be trimmed waits for an archive that does not come, and whether this observer has one.
    archive_wait_hours: int = 72
    has_archive: bool = False
    #: Whether it settles a prefix whose counts are still being made (`vigie upgrade`).
    may_be_closed: bool = False


class Observer:
    """Settles and trims while its `loop` runs. `on_end` is called when the thread ends without having been asked to: a defect of Vigie.

    `archives` tells how far archives have come: without it nothing waits for one. `census` is the last one, None before the first and after
    a round that failed.
    """

    def __init__(
        self,
        keeper: LiveKeeper,
        sketches: SketchReader,
        rules: ObserverRules,
        on_end: Callable[[], None] = lambda: None,
        archives: ArchiveKeeper | None = None,
    ) -> None:
        self._keeper = keeper
        self._sketches = sketches
        self._archives = archives
        self._rules = rules
        self._merged_to: int | None = None
        self._kept: Kept | None = None  # up to where everything is known to be trimmed
        self.census: Census | None = None
        self._census_at = 0.0
        self._forget_at = 0.0
        self.loop = BackgroundLoop(self.round, RULES, on_failure=self._forget, on_gone=lambda _problem: on_end())

    def round(self) -> None:
        """One round.

        Raises:
            ServerError: Redis does not answer as needed.
            StateError: what Redis holds must not be touched by this version.
        """
        snapshot = self._keeper.snapshot()
        if problem := progress_problem(snapshot, may_be_closed=self._rules.may_be_closed):
            raise StateError(problem)
        if time.monotonic() >= self._forget_at:
            self._keeper.forget_unseen()
            self._forget_at = time.monotonic() + FORGET_SECONDS
        candidate_ms = settling(snapshot, self._rules.lateness_ms).settled_ms
        settled_ms = snapshot.settled_ms
        if candidate_ms is not None and candidate_ms > (settled_ms or 0):
            settled_ms = self._keeper.settle(candidate_ms)
        if settled_ms is None:
            self.census = None  # also where Redis was emptied
            return
        kept = what_is_kept(settled_ms, self._rules.minutes_kept_hours, self._rules.days)
        try:
            self._trim(kept, settled_ms // 60_000)
        finally:  # what cannot be trimmed does not keep anybody from being counted
            self._keep_census(settled_ms)

    def _keep_census(self, settled_ms: int) -> None:
        now = time.monotonic()
        known = self.census
        if known is None or (known.minute != settled_ms // 60_000 and now >= self._census_at + CENSUS_SECONDS_MIN):
            self.census = take_census(self._sketches, settled_ms, self._rules.catalog, self._rules.days)
            self._census_at = now

    def _trim(self, kept: Kept, settled_minute: int) -> None:
        if kept == self._kept:
            return
        full, waited = kept, False
        if self._archives is not None:
            state = self._archives.state()
            if state.unreadable is not None:
                raise state.unreadable
            archives = fresh(state.archives, state.now_ms, self._rules.archive_wait_hours)
            if archives or self._rules.has_archive:
                self._merge_establishments(
                    self._archives, range(state.oldest or settled_minute, settled_minute), kept.sketch_minute
                )
                kept, waited = held_back(kept, archives.values(), self._rules.archive_wait_hours), True
        for _call in range(TRIM_CALLS_A_ROUND_MAX):
            removed = self._keeper.trim(
                kept.minute,
                TRIM_A_CALL_MAX,
                first_sketch=kept.sketch_minute,
                first_date=kept.sketch_date,
                waited=waited,
            )
            if removed < TRIM_A_CALL_MAX:
                self._kept = full
                return

    def _merge_establishments(self, archives: ArchiveKeeper, held: range, first_kept: int) -> None:
        """Add the establishments of settled minutes to those of their day, before the sketches of minutes are trimmed.

        Minutes that are about to be trimmed are added once more: late events may have come since they settled.
        """
        first = self._merged_to if self._merged_to is not None else held.start
        minutes = (minute for minute in held if minute < first_kept or minute >= first)
        for date, same_day in itertools.groupby(minutes, self._rules.days.paris):
            of_day = list(same_day)
            for name in archives.merge_establishments(date, of_day[0], of_day[-1] + 1):
                logger.warning("sketch %s is none: its establishments are not among those of %s", name, date)
        self._merged_to = held.stop

    def _forget(self) -> None:
        self.census = None  # Redis may come back with other figures
