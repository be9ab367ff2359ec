"""The detector of one observer, in a thread of its own: each settled minute is judged once, and what follows is told to Redis.

1. *Load.* The archive's days go to the judges (`streams.observe.backlog`), and what has settled since. Nothing is told of that but what
   nobody told before.
2. *Follow.* Once a second the minutes that settled since are read and judged; running and ended alerts are told in one idempotent call.

Any number of observers may do this: the same minutes give the same alerts with the same ids, and the first one to tell is taken.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from streams.catalog import Catalog
from streams.errors import VigieError
from streams.history import SchoolCalendar
from streams.history.days import paris_date, paris_day
from streams.history.from_live import rows_of
from streams.history.reading import History
from streams.live import AlertRecord, AlertStore, ArchiveReader, LiveReader
from streams.live.keys import LAYOUT
from streams.observe.backlog import Block, LocalDays, blocks, chosen_days
from streams.observe.judging import JUDGED_DAYS, Judge, Told
from streams.observe.maintenances import Maintenance
from streams.observe.never_seen import NeverSeen, expected_projects, seen_in
from streams.observe.series import Measure, Plan, make_plan
from streams.observe.told import Teller, merged_measures
from streams.watch import Array, Scope

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
RETRY_SECONDS = 5.0
#: Minutes judged and told at once: in a catch-up, an hour.
MINUTES_A_STEP = 60


@dataclass(frozen=True, slots=True)
class DetectorParts:
    """What a detector is made of. `history` is None without an archive. `shift_minutes` is archive time minus clock."""

    reader: LiveReader
    archives: ArchiveReader
    store: AlertStore
    history: History | None
    catalog: Catalog
    calendar: SchoolCalendar
    maintenances: Sequence[Maintenance]
    shift_minutes: int


@dataclass(frozen=True, slots=True)
class DetectorFigures:
    """Where it stands: the minutes of the clock before `judged_to` are judged (None: it still loads); `days_loaded` of `days_to_load`."""

    judged_to: int | None = None
    days_loaded: int = 0
    days_to_load: int = 0
    failures: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ExpectedRow:
    """One judged row of a scope; `minute` is an epoch minute of the clock, the row is `step_minutes` long."""

    minute: int
    step_minutes: int
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    learning: bool


class Detector:
    """Judges until `stop()`. `on_end` is called when the thread ends without having been asked to: a defect of Vigie."""

    def __init__(self, parts: DetectorParts, on_end: Callable[[], None] | None = None) -> None:
        self._parts, self._on_end = parts, on_end
        self.plan: Plan = make_plan(parts.catalog, parts.calendar)
        self.figures = DetectorFigures()
        self._never = NeverSeen(expected_projects(parts.catalog, parts.calendar, self.plan), parts.shift_minutes)
        self._judges: list[Judge] = []
        self._teller: Teller | None = None
        self._fed = 0  # the next minute of archive time
        self._tell_from = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="detector", daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def stop(self, seconds_max: float) -> None:
        """Ask the thread to end and wait for it, no longer than `seconds_max`."""
        self._stopping.set()
        self._thread.join(seconds_max)

    def expected(self, scope: Scope, begin: int, end: int) -> list[ExpectedRow]:
        """What was expected of a scope's visits in the minutes `begin <= minute < end` of the clock: judged rows of the last 72 h."""
        shift = self._parts.shift_minutes
        with self._lock:
            for judge in self._judges:
                for number, series in enumerate(judge.group.series):
                    if series.scope == scope and series.measure is Measure.VISITS:
                        first, values = judge.bands.between(begin + shift, end + shift)
                        return _rows(judge, first, values[:, number], shift)
        return []

    def load(self) -> None:
        """Make the judges and feed them the archive.

        Raises:
            VigieError: Redis does not answer, or the archive cannot be read.
        """
        parts = self._parts
        state, book = parts.archives.state(), parts.store.book()
        settled = None if state.settled_ms is None else state.settled_ms // 60_000 + parts.shift_minutes
        told = None if book.judged_minute is None else book.judged_minute + 1 + parts.shift_minutes
        self._tell_from = told if told is not None else settled or 0
        today = paris_date(state.now_ms // 60_000 + parts.shift_minutes)
        held = [day for day in parts.history.held() if day <= today] if parts.history else []
        first_judged = today - timedelta(days=JUDGED_DAYS)
        learned, judged = chosen_days(held, self.plan, first_judged)
        first = paris_day(judged[0] if judged else today)[0]
        if not judged and state.oldest is not None:
            first = min(first, max(state.oldest, state.trimmed_before) + parts.shift_minutes)
        self._judges = [Judge(group, first) for group in self.plan.groups]
        regions = {project.code: project.region for project in parts.catalog.projects}
        self._teller = Teller(self._judges, parts.maintenances, regions, parts.shift_minutes)
        self._never.known(seen_in(parts.reader.snapshot().totals))
        self.figures = DetectorFigures(days_to_load=len(learned) + len(judged))
        if parts.history:
            self._learn(blocks(parts.history, self.plan, learned))
            self._fed = first
            self._judge_days(blocks(parts.history, self.plan, judged), settled)
        self._fed = max(self._fed, first)
        logger.info("the detector knows %d days, judged %d of them", len(learned) + len(judged), len(judged))

    def follow(self) -> None:
        """Judge what has settled since, and tell it.

        Raises:
            VigieError: Redis does not answer, or holds another layout.
        """
        state, shift = self._parts.archives.state(), self._parts.shift_minutes
        if state.layout != LAYOUT or state.settled_ms is None:
            return
        end = state.settled_ms // 60_000 + shift
        known_from = end if state.oldest is None else max(state.oldest, state.trimmed_before) + shift
        while self._fed < end and not self._stopping.is_set():
            if known_from > self._fed:  # nobody knows these minutes any more
                minutes = min(known_from, end, self._fed + 1440) - self._fed
                self._feed(Block(self._fed, np.full((self.plan.rows, minutes), np.nan)))
                continue
            minutes = min(MINUTES_A_STEP, end - self._fed)
            clock = range(self._fed - shift, self._fed - shift + minutes)
            counts = rows_of(tuple(self._parts.reader.fetch(clock)), shift)
            ended = self._feed(Block(self._fed, self.plan.table(counts, self._fed, np.ones(minutes))))
            self._tell(ended)
        self.figures = replace(self.figures, judged_to=self._fed - shift, problem=None)

    def _learn(self, days: Iterable[Block]) -> None:
        learners = [LocalDays(judge.group, judge.learn) for judge in self._judges]
        for block in days:
            for learner in learners:
                learner.add(block)
            self._never.feed(block.first, block.table)
            self._count_day()

    def _judge_days(self, days: Iterable[Block], settled: int | None) -> None:
        for block in days:
            known = np.flatnonzero(np.isfinite(block.table[0]))
            end = block.first + int(known[-1]) + 1
            end = end if settled is None else min(end, settled)
            while self._fed < block.first:  # days that nobody measured
                minutes = min(block.first - self._fed, 1440)
                self._feed(Block(self._fed, np.full((self.plan.rows, minutes), np.nan)))
            if end > self._fed:
                self._feed(Block(self._fed, block.table[:, self._fed - block.first : end - block.first]))
            self._count_day()

    def _count_day(self) -> None:
        self.figures = replace(self.figures, days_loaded=self.figures.days_loaded + 1)
        if self._stopping.is_set():
            raise VigieError("the observer stops")

    def _feed(self, block: Block) -> list[AlertRecord]:
        teller = self._teller
        assert teller is not None
        told: list[tuple[Judge, Told]] = []
        with self._lock:
            for judge in self._judges:
                told += [(judge, one) for one in judge.feed(block.first, block.table)]
        self._fed = block.first + block.table.shape[1]
        ended = self._never.feed(block.first, block.table)
        new = [(judge, one) for judge, one in told if one.until > self._tell_from - judge.group.step_minutes]
        return merged_measures([*(teller.record(judge, one) for judge, one in new), *ended])

    def _tell(self, ended: list[AlertRecord]) -> None:
        teller = self._teller
        assert teller is not None
        running = [teller.record(judge, one) for judge in self._judges for one in judge.running()]
        running += self._never.running(self._fed)
        self._parts.store.judged(self._fed - 1 - self._parts.shift_minutes, merged_measures(running), ended)

    def _run(self) -> None:
        try:
            loaded = False
            while not self._stopping.is_set():
                loaded = self._try(self.follow if loaded else self.load) or loaded
                self._stopping.wait(PERIOD_SECONDS if self.figures.problem is None else RETRY_SECONDS)
        finally:
            if not self._stopping.is_set() and self._on_end is not None:
                self._on_end()

    def _try(self, action: Callable[[], None]) -> bool:
        before = self.figures.problem
        try:
            action()
        except VigieError as error:
            if not self._stopping.is_set():
                self.figures = replace(self.figures, failures=self.figures.failures + 1, problem=str(error))
                if before is None:
                    logger.warning("minutes are not judged: %s (tried again until it works)", error)
            return False
        if before is not None:
            logger.info("minutes are judged again")
        self.figures = replace(self.figures, problem=None)
        return True


def _rows(judge: Judge, first: int, values: Array, shift: int) -> list[ExpectedRow]:
    step = judge.group.step_minutes

    def number(value: float) -> float | None:
        return round(float(value), 2) if np.isfinite(value) else None

    found = []
    for row, column in enumerate(values.T):
        minute = first + row * step
        observed, expected, lower, upper = (number(value) for value in column)
        learning = judge.is_learning(minute)
        found.append(ExpectedRow(minute - shift, step, observed, expected, lower, upper, learning))
    return found
