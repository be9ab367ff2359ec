"""The detector of one observer, in a thread of its own: each settled minute is judged once, and what follows is told to Redis.

1. *Load.* The archive's days go to the judges (`streams.observe.loading`), and what has settled since. Nothing is told of that but what
   nobody told before.
2. *Follow.* Once a second the minutes that settled since are read and judged; running and ended alerts are told in one idempotent call.
3. *Load again*, where days of the past have reached the archive since (an import).

Any number of observers may do this: the same minutes give the same alerts with the same ids, and the first one to tell is taken.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streams.background import BackgroundLoop, LoopRules
from streams.catalog import Catalog
from streams.clock import paris_date, paris_day
from streams.errors import VigieError
from streams.history import SchoolCalendar
from streams.history.compose import rows_of
from streams.history.reading import History
from streams.live import AlertRecord, AlertStore, ArchiveReader, ArchiveState, LiveReader
from streams.live.keys import LAYOUT
from streams.observe.detector_memory import key_of
from streams.observe.expected import ColdShape, ExpectedRow, filled, is_part, judged_rows, summed, within_parts
from streams.observe.loading import COLD_MINUTES, Arrivals, Block, Loading
from streams.observe.series import Plan, make_plan
from streams.observe.told import NeverSeen, Teller, expected_projects, merged_measures, seen_in
from streams.watch import AlertScope, Array, Judge, Maintenance, Measure, level_of
from streams.watch.summary import REGION

logger = logging.getLogger(__name__)

RULES = LoopRules(
    "detector", 1.0, "minutes are not judged", "minutes are judged again", retry_seconds=5.0, hung_seconds=300.0
)
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
    cold: ColdShape


@dataclass(frozen=True, slots=True)
class DetectorFigures:
    """Where it stands: the minutes of the clock before `judged_to` are judged (None: it still loads)."""

    judged_to: int | None = None
    failures: int = 0
    problem: str | None = None


class Detector:
    """Judges while its `loop` runs. `on_end` is called when the thread ends without having been asked to: a defect of Vigie.

    After any other defect it loads anew: judges of which nobody knows what they were fed would judge wrongly.
    """

    def __init__(self, parts: DetectorParts, on_end: Callable[[], None] = lambda: None) -> None:
        self._parts = parts
        self.plan: Plan = make_plan(parts.catalog, parts.calendar)
        self.figures = DetectorFigures()
        self._never = NeverSeen(expected_projects(parts.catalog, parts.calendar, self.plan), parts.shift_minutes)
        self._judges: list[Judge] = []
        self._teller: Teller | None = None
        self._loading: Loading | None = None
        self._arrivals: Arrivals | None = None
        self._tell_from = 0
        self._loaded = False
        self._untold: list[AlertRecord] = []  # ended, and not told to Redis yet
        self._lock = threading.Lock()
        self.loop = BackgroundLoop(self._round, RULES, on_failure=self._note_failure, on_gone=lambda _problem: on_end())

    def expected(self, scope: AlertScope, begin: int, end: int) -> list[ExpectedRow]:
        """What was expected of a scope's visits in the minutes `begin <= minute < end` of the clock: judged rows of the last 72 h.

        A service of all of France is the sum of its regions; France itself is judged as a whole, its bounds lie where its regions' do.
        """
        with self._lock:
            found = self._of_series(lambda series: is_part(series, scope), begin, end)
            if scope == AlertScope() and found:
                regions = self._of_series(lambda series: level_of(series) == REGION, begin, end)
                return within_parts(found[0], regions)
        return found[0] if len(found) == 1 else summed(found)

    def _of_series(self, wanted: Callable[[AlertScope], bool], begin: int, end: int) -> list[list[ExpectedRow]]:
        """The rows of the visits of each series that is wanted."""
        shift = self._parts.shift_minutes
        found = []
        for judge in self._judges:
            for number, series in enumerate(judge.group.series):
                if series.measure is Measure.VISITS and wanted(series.scope):
                    first, values = judge.bands.between(begin + shift, end + shift)
                    found.append(
                        judged_rows(judge, first, self._with_shape(judge, number, first, values[:, number]), shift)
                    )
        return found

    def _with_shape(self, judge: Judge, series: int, first: int, values: Array) -> Array:
        """Judged rows of a series, with the load shape where there is no comparable day."""
        if np.isfinite(values[1]).all() or not values.shape[1]:
            return values
        # The height of the shape is that of all rows before: those that were asked for may be a few minutes.
        begin, known = judge.bands.between(judge.first, first + values.shape[1] * judge.group.step_minutes)
        weights = self._parts.cold.weights(judge.group, begin, known.shape[2])
        return filled(known[:, series], weights)[:, -values.shape[1] :]

    def load(self) -> None:
        """Make the judges and feed them the archive.

        Raises:
            VigieError: Redis does not answer, or the archive cannot be read.
        """
        parts, shift = self._parts, self._parts.shift_minutes
        state, book = parts.archives.state(), parts.store.book()
        settled = None if state.settled_ms is None else state.settled_ms // 60_000 + shift
        told = None if book.judged_minute is None else book.judged_minute + 1 + shift
        self._tell_from = told if told is not None else settled or 0
        self._never.known(seen_in(parts.reader.snapshot().totals_of_all_time()))
        # After a defect nothing that was left behind is trusted.
        self._loading = Loading(
            self.plan, self._never, _cold(state, shift), self._go_on, recalls=not self.loop.state.defects
        )
        today = paris_date(state.now_ms // 60_000 + shift)
        # The stamp first: a backfill that ends between the two is then news at the next look.
        stamp = parts.history.archive.backfill_stamp() if parts.history else b""
        held = parts.history.archive.dates() if parts.history else []
        self._arrivals = Arrivals(held, today, stamp)
        if parts.history and held:
            self._judges = self._loading.load(parts.history, key_of(parts.catalog, parts.calendar), today, settled)
        else:
            first = paris_day(today)[0]
            self._judges = self._loading.empty(min(first, state.oldest + shift) if state.oldest is not None else first)
        self._teller = Teller(
            self._judges,
            parts.maintenances,
            {project.code: project.region for project in parts.catalog.projects},
            shift,
        )

    def follow(self) -> None:
        """Judge what has settled since, and tell it.

        Raises:
            VigieError: Redis does not answer, or holds another layout.
        """
        state = self._parts.archives.state()
        shift = self._parts.shift_minutes
        _, loading = self._parts_of_judging()
        if state.layout != LAYOUT or state.settled_ms is None:
            return
        if loading.cold is None:  # nothing was counted yet when it loaded
            loading.cold = _cold(state, shift)
        if self._untold:  # Redis did not answer when they ended
            self._tell()
        end = state.settled_ms // 60_000 + shift
        known_from = end if state.oldest is None else max(state.oldest, state.trimmed_before) + shift
        while loading.fed < end and not self.loop.stopping:
            self.loop.goes_on()
            if known_from > loading.fed:  # nobody knows these minutes any more
                self._feed(loading.unknown(min(known_from, end, loading.fed + 1440) - loading.fed))
                continue
            minutes = min(MINUTES_A_STEP, end - loading.fed)
            clock = range(loading.fed - shift, loading.fed - shift + minutes)
            counts = rows_of(tuple(self._parts.reader.fetch(clock)), shift)
            self._untold += self._feed(Block(loading.fed, self.plan.table(counts, loading.fed, np.ones(minutes))))
            self._tell()
        self.figures = replace(self.figures, judged_to=loading.fed - shift, problem=None)

    def _go_on(self) -> None:
        self.loop.goes_on()
        if self.loop.stopping:
            raise VigieError("the observer stops")

    def _parts_of_judging(self) -> tuple[Teller, Loading]:
        assert self._teller is not None
        assert self._loading is not None, "load comes first"
        return self._teller, self._loading

    def _feed(self, block: Block) -> list[AlertRecord]:
        teller, loading = self._parts_of_judging()
        warm = loading.warm(block)
        with self._lock:
            told = [(judge, one) for judge in self._judges for one in judge.feed(warm.first, warm.table)]
        loading.fed = block.first + block.table.shape[1]
        ended = self._never.feed(block.first, block.table)
        new = [(judge, one) for judge, one in told if one.until > self._tell_from - judge.group.step_minutes]
        return merged_measures([*(teller.record(judge, one) for judge, one in new), *ended])

    def _tell(self) -> None:
        teller, loading = self._parts_of_judging()
        running = [
            *(teller.record(judge, one) for judge in self._judges for one in judge.running()),
            *self._never.running(loading.fed),
        ]
        self._parts.store.judged(loading.fed - 1 - self._parts.shift_minutes, merged_measures(running), self._untold)
        self._untold = []

    def _round(self) -> float | None:
        if self._loaded:
            self.follow()
        else:
            self.load()
            self._loaded = True
        if came := self._past_came():
            logger.info("days of the past have reached the archive: it is read anew")
            self._loaded = False
        self.figures = replace(self.figures, judged_to=None if came else self.figures.judged_to, problem=None)
        return 0.0 if came else None

    def _note_failure(self) -> None:
        state = self.loop.state
        self._loaded = self._loaded and not state.is_defect
        self.figures = replace(
            self.figures,
            judged_to=None if state.is_defect else self.figures.judged_to,
            failures=state.failures_total,
            problem=state.problem,
        )

    def _past_came(self) -> bool:
        arrivals, history = self._arrivals, self._parts.history
        if arrivals is None or history is None or not arrivals.is_due(time.monotonic()):
            return False
        return arrivals.came(history.archive.dates(), history.archive.backfill_stamp())


def _cold(state: ArchiveState, shift: int) -> range | None:
    """The first minutes that were ever counted, where they are still held."""
    if state.oldest is None or state.trimmed_before >= state.oldest:
        return None
    return range(state.oldest + shift, state.oldest + shift + COLD_MINUTES)
