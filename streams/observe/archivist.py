"""Writes settled hours to the archive and trims in Redis what it has, in a thread of its own: a slow disk holds nothing else back.

One pass, every few seconds:

1. Read where Redis stands. Hours that are over and settled, and are not known to be archived, are due. All hours held are due again when
   another hour settles, for late events.
2. Each due hour is read in one atomic call, with the offsets it reflects. It is put into its day's file, unless the file reflects
   something that it does not (`streams.history.marks`).
3. What the archive has is announced in Redis. The oldest hours that all archives have are trimmed, in order. An hour of which Redis holds
   an event that the file has not is left alone.

Any number of observers may do this, on one directory or on several. A pass that fails changes nothing, is told once, and tried again.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from streams.background import BackgroundLoop, LoopRules
from streams.clock import paris_date
from streams.errors import InputError
from streams.history import hll
from streams.history.archive import Archive, Updated
from streams.history.compose import clock_minutes, hour_reading, sketches_of
from streams.history.marks import MINUTES_AN_HOUR, Choice
from streams.history.transfer import forget_users
from streams.live import Announced, ArchiveKeeper, ArchiveState
from streams.live.keys import LAYOUT
from streams.observe.decide import ArchiveFigures, ArchiveRules, fresh

logger = logging.getLogger(__name__)

RULES = LoopRules("archivist", 5.0, "nothing is archived", "archiving goes on", retry_seconds=5.0, hung_seconds=600.0)
#: A day's own sketches go on in the regions west of Paris; after that many hours of the next day all of them are over.
LATEST_DAY_END_HOURS = 12
#: Hours trimmed in one pass at most.
TRIM_HOURS_MAX = 24
#: Hours read at most in one pass, so that a pass stays short: a day, in a catch-up.
READ_HOURS_MAX = 26


@dataclass(slots=True)
class Archivist:
    """Archives while its `loop` runs: a file is whole or not there, whenever it ends."""

    keeper: ArchiveKeeper
    rules: ArchiveRules
    figures: ArchiveFigures = field(default_factory=ArchiveFigures)
    #: Hours that the archive is known to have: events by minute of archive time; and those of which it keeps another reading.
    _known: dict[int, list[int]] = field(default_factory=dict)
    _refused: set[int] = field(default_factory=set)
    _due_again: set[int] = field(default_factory=set)
    _last_hour: int = 0
    _id: str | None = None
    _forgotten_before: date | None = None
    _without_users: set[date] = field(default_factory=set)
    loop: BackgroundLoop = field(init=False)

    def __post_init__(self) -> None:
        self.loop = BackgroundLoop(self._round, RULES, on_failure=self._note_failure)

    def archive_pass(self) -> None:
        """One pass.

        Raises:
            VigieError: Redis does not answer, or the archive cannot be written.
        """
        archive = Archive(self.rules.directory)
        state = self.keeper.state()
        hours = range(0)
        if state.layout == LAYOUT and state.settled_ms is not None:
            hours = self._hours(state, state.settled_ms)
            self._plan(hours)
        # Told before anything is written: it grows while nothing can be.
        self.figures = replace(self.figures, waiting_minutes=self._waiting_minutes(hours))
        if self._id is None:
            self._id = archive.prepare(simulated=self.rules.shift_seconds != 0).id
        if state.layout != LAYOUT or state.settled_ms is None:
            self._known.clear()  # Redis was emptied: what is archived is found again when it is counted again
            return
        size = self._archive_some(archive, hours)
        missing = next((hour for hour in hours if hour not in self._known), hours.stop)
        minute = clock_minutes(missing, self.rules.shift_minutes)[0]  # before it everything is archived
        self._announce(self._id, minute, state)
        self.figures = ArchiveFigures(
            minute,
            self._waiting_minutes(hours),
            len(self._refused & self._known.keys()),
            state.missed_events,
            size or self.figures.file_bytes,
            self.figures.passes + 1,
            self.figures.failures,
        )
        self._trim(hours, state, state.settled_ms)
        self._forget_users(archive, state.settled_ms)

    def _forget_users(self, archive: Archive, settled_ms: int) -> None:
        """Once a day: of days that are older than they may be."""
        if self.rules.sketches_days_max is None:
            return
        today = paris_date(settled_ms // 60_000 + self.rules.shift_minutes)
        before = today - timedelta(days=self.rules.sketches_days_max)
        if before == self._forgotten_before:
            return
        self._without_users, is_done = forget_users(archive, before, self._without_users)
        if is_done:
            self._forgotten_before = before

    def _hours(self, state: ArchiveState, settled_ms: int) -> range:
        """Hours of archive time that Redis holds something of and that are settled whole."""
        end = (settled_ms // 60_000 + self.rules.shift_minutes) // MINUTES_AN_HOUR
        if state.oldest is None:
            return range(end, end)
        first_minute = max(state.oldest, state.trimmed_before) + self.rules.shift_minutes
        return range(min(first_minute // MINUTES_AN_HOUR, end), end)

    def _plan(self, hours: range) -> None:
        self._known = {hour: known for hour, known in self._known.items() if hour in hours}
        if hours and hours[-1] != self._last_hour:
            self._last_hour = hours[-1]
            self._due_again = {hour for hour in hours if hour in self._known}

    def _archive_some(self, archive: Archive, hours: range) -> int:
        """Archive due hours of the oldest day that has any; hours that were never archived come first. Return the size of its file."""
        new = [hour for hour in hours if hour not in self._known]
        if not (due := new or sorted(self._due_again)):
            return 0
        day = paris_date(due[0] * MINUTES_AN_HOUR)
        of_day = [hour for hour in due if paris_date(hour * MINUTES_AN_HOUR) == day][:READ_HOURS_MAX]
        shift = self.rules.shift_minutes
        readings = [hour_reading(hour, self.keeper.hour(*clock_minutes(hour, shift)), shift) for hour in of_day]
        done = archive.update(
            day,
            readings,
            sketches_of(self._sound(day, self.keeper.day_sketches(day.isoformat()))),
            shift_seconds=self.rules.shift_seconds,
            catalog=self.rules.catalog,
        )
        self._learn(done, of_day)
        self._say(day, done)
        return done.size_bytes

    def _sound(self, day: date, held: Mapping[tuple[str, ...], bytes]) -> dict[tuple[str, ...], bytes]:
        """The sketches that are some: one that is half-written, or a stranger's, does not keep the counts from being archived."""
        found = {}
        for key, sketch in held.items():
            try:
                hll.registers_of(sketch)
                found[key] = sketch
            except InputError as error:
                logger.warning("day:%s:%s of Redis is not archived: %s", day, ":".join(key), error)
        return found

    def _learn(self, done: Updated, hours: list[int]) -> None:
        self._known |= {
            hour: [done.events.get(hour * MINUTES_AN_HOUR + minute, 0) for minute in range(MINUTES_AN_HOUR)]
            for hour in hours
        }
        self._due_again -= set(hours)
        self._refused -= set(hours)
        self._refused |= {hour for hour in hours if done.choices[hour] is Choice.REFUSED}

    def _say(self, day: date, done: Updated) -> None:
        if done.damaged is not None:
            logger.warning(
                "the archive's file of %s was damaged: moved to %s, written anew from what Redis holds",
                day,
                done.damaged,
            )
        if done.written:
            logger.info("archived %s: %d hours, %.2f MB", day, len(done.hours), done.size_bytes / 1e6)
        refused = sum(choice is Choice.REFUSED for choice in done.choices.values())
        if refused and done.written:
            logger.warning("%d hours of %s stay as archived: Redis does not reflect all that they do", refused, day)

    def _announce(self, archive_id: str, minute: int, state: ArchiveState) -> None:
        # The day that this minute lies in is not over everywhere; those before it are.
        first_open = paris_date(minute + self.rules.shift_minutes - LATEST_DAY_END_HOURS * MINUTES_AN_HOUR)
        self.keeper.announce(archive_id, Announced(minute, int(f"{first_open:%Y%m%d}"), state.now_ms))

    def _trim(self, hours: range, state: ArchiveState, settled_ms: int) -> None:
        if state.unreadable is not None:
            raise state.unreadable
        if state.oldest is not None and state.oldest < state.trimmed_before:
            self.keeper.trim_archived(state.oldest, [0] * min(state.trimmed_before - state.oldest, MINUTES_AN_HOUR))
        kept_from = settled_ms // 60_000 - self.rules.minutes_kept_hours * MINUTES_AN_HOUR
        others = fresh(state.archives, state.now_ms, self.rules.wait_hours).values()
        bound = min([kept_from, *(said.minute for said in others)])
        for hour in hours[:TRIM_HOURS_MAX]:
            first, end = clock_minutes(hour, self.rules.shift_minutes)
            known = self._known.get(hour)
            if end > bound or known is None:
                return
            if self.keeper.trim_archived(first, known) is not None:
                if hour not in self._refused:
                    self._due_again.add(hour)  # a late event since it was archived
                return

    def _waiting_minutes(self, hours: range) -> int:
        return sum(hour not in self._known for hour in hours) * MINUTES_AN_HOUR

    def _round(self) -> float | None:
        self.archive_pass()
        self.figures = replace(self.figures, problem=None)
        return 0.0 if self.figures.waiting_minutes else None

    def _note_failure(self) -> None:
        state = self.loop.state
        self.figures = replace(self.figures, failures=state.failures_total, problem=state.problem)
