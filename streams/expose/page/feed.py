"""One thread an observer reads Redis once a second for all open pages; it rests while none is open. `picture` is its last look.

What it reads again, and when a minute that was read counts as settled, is `streams.expose.page.minutes_read`. A page opened after a rest
waits for one read of the window.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from streams.background import REST, BackgroundLoop, LoopRules
from streams.catalog import Catalog
from streams.count import Cut
from streams.errors import ServerError, StateError, VigieError
from streams.expose.codes import Codes, signs_of
from streams.expose.page.judged import Sources
from streams.expose.page.minutes_read import MinutesRead
from streams.expose.page.picture import WINDOW_MINUTES, Flow, Picture
from streams.live import LiveReader, Snapshot
from streams.observe import Census, progress_problem

PERIOD_SECONDS = 1.0
#: Alerts are asked anew at least this often.
ALERTS_SECONDS = 5
#: The thread rests once no page has asked for this long.
REST_AFTER_SECONDS = 60.0
#: Rates are those of the last minute or so.
FLOW_SECONDS = 60.0
#: Minutes whose ENT are looked through in one call, newest first, for those that the window does not hold.
LOOK_BACK_MINUTES = 240
RULES = LoopRules(
    "page", PERIOD_SECONDS, "the page shows no figures", "the page shows figures again", hung_seconds=60.0
)


def _totals(snapshot: Snapshot) -> Flow:
    """What passed by since the beginning."""
    sums = Counter[str]()
    for field, number in snapshot.totals_of_all_time().items():
        sums[field[0]] += number
    events, rejected, duplicates, late = (sums[cut] for cut in (Cut.EVENTS, Cut.REJECTED, Cut.DUPLICATE, Cut.LATE))
    return Flow(snapshot.now_ms / 1000, events, rejected, duplicates, late, snapshot.settled_ms or 0)


class Feed:
    """`loop` is its thread: start and stop that. Every open page calls `wanted()` every few seconds."""

    def __init__(
        self,
        reader: LiveReader,
        census: Callable[[], Census | None],
        catalog: Catalog,
        lateness_ms: int,
        sources: Sources,
    ) -> None:
        self._reader = reader
        self.sources = sources
        self._asked_alerts: tuple[int | None, int | None, int] | None = None
        self._census = census
        self.catalog = catalog
        self.lateness_ms = lateness_ms
        self._signs = signs_of(catalog)
        self._read = MinutesRead(Codes.of(catalog), self._signs)
        self._totals: deque[Flow] = deque(maxlen=round(FLOW_SECONDS / PERIOD_SECONDS) + 1)
        self._asked_at = float("-inf")
        self._rests = False
        # `look` shows what is to be expected by itself; this is the rest.
        self.loop = BackgroundLoop(self._round, RULES, on_failure=lambda: self._show(self.loop.state.problem))
        self.picture = Picture()

    def wanted(self) -> None:
        """A page is open: look at Redis for the next minute."""
        self._asked_at = time.monotonic()
        if self._rests:
            self.loop.wake()

    def _round(self) -> float | None:
        self._rests = True  # before it is looked who asked: a page that asks meanwhile wakes it
        if time.monotonic() - self._asked_at > REST_AFTER_SECONDS:
            self.rest()
            return REST
        self._rests = False
        self.look()
        return None

    def _show(self, problem: str | None) -> None:
        before, now_ms = self.picture, time.time_ns() // 1_000_000
        self.rest()
        self.picture = replace(
            before, version=before.version + 1, read_ms=now_ms, snapshot=None, problem=problem, flow=None
        )

    def rest(self) -> None:
        """Forget what a pause makes old: what passed by, and which minutes were read whole."""
        self._totals.clear()
        self._read.forget()

    def look(self) -> None:
        """Read once. Redis down is a state that the picture shows, not an error."""
        before = self.picture
        try:
            snapshot = self._reader.snapshot()
            if problem := progress_problem(snapshot):
                raise StateError(problem)
            changed = self._read_minutes(snapshot)
            began = self._reader.began_minute()
        except VigieError as error:
            self._show(str(error))
            return
        census = self._census()
        settled = snapshot.settled_ms and snapshot.settled_ms // 60_000
        was_settled = before.settled_ms and before.settled_ms // 60_000
        judged, acknowledgements = self._judged(before, snapshot), self.sources.incidents.acknowledgements()
        news = (
            changed
            or settled != was_settled
            or census is not before.census
            or before.snapshot is None
            or (judged.book, judged.judged_to) != (before.book, before.judged_to)
            or acknowledgements != before.acknowledgements
        )
        self.picture = replace(
            judged,
            version=before.version + 1,
            board_version=before.board_version + bool(news),
            read_ms=snapshot.now_ms,
            snapshot=snapshot,
            problem=None,
            census=census,
            minutes=dict(self._read.figures),
            whole_from=None if began is None else began + 1,
            last_seen=dict(self._read.last_seen),
            flow=self._flow(snapshot),
            settled_ms=snapshot.settled_ms,
            acknowledgements=acknowledgements,
        )

    def _judged(self, before: Picture, snapshot: Snapshot) -> Picture:
        """The picture before, with what the detector says now; alerts are asked anew when it judged more, when time settled further, and
        every few seconds: another observer may have judged. What was expected moves with what this one judged.
        """
        judged_to = self.sources.judged_to()
        settled_minute = snapshot.settled_ms and snapshot.settled_ms // 60_000
        asked = (judged_to, settled_minute, int(time.monotonic() // ALERTS_SECONDS))
        if asked == self._asked_alerts and before.snapshot is not None:
            return before
        self._asked_alerts = asked
        try:
            book = self.sources.lately(snapshot.now_ms)
        except (ServerError, StateError):
            return replace(before, book=None, judged_to=None, region_hopes={}, project_hopes={})
        if judged_to is None:  # loading: another observer may have judged
            known = book if book.alerts else None
            return replace(before, book=known, judged_to=None, region_hopes={}, project_hopes={})
        if judged_to == before.judged_to:
            return replace(before, book=book)
        regions, projects = self.sources.hopes(self.catalog, judged_to - 1)
        return replace(before, book=book, judged_to=judged_to, region_hopes=regions, project_hopes=projects)

    def _read_minutes(self, snapshot: Snapshot) -> bool:
        """Bring the window up to date; whether a settled minute changed."""
        read, now_minute = self._read, snapshot.now_ms // 60_000
        is_first = read.look(snapshot)
        first = min(read.settled or now_minute, now_minute) - WINDOW_MINUTES
        held = self._reader.held(first, now_minute + 3)  # a sender's clock may be ahead by the contract's two minutes
        wanted = read.wanted(held)
        signs = self._reader.columns(read.in_turn(held, wanted), self._signs)
        wanted += [minute for minute, now in signs if read.has_moved(minute, now)]
        changed = read.take(held, self._reader.fetch(sorted(wanted)))
        if is_first:
            self._look_back(snapshot, first)
        return changed

    def _look_back(self, snapshot: Snapshot, before: int) -> None:
        """When the ENT were seen last that the window does not show, from all minutes held."""
        seen = self._read.last_seen
        counted = {
            field[1] for field, number in snapshot.totals_of_all_time().items() if field[0] == Cut.PROJECT and number
        }
        missing = sorted(counted - seen.keys())
        held = self._reader.held(None, before)
        while held and missing:
            page, held = held[-LOOK_BACK_MINUTES:], held[:-LOOK_BACK_MINUTES]
            for minute, numbers in self._reader.columns(page, [(Cut.PROJECT, code) for code in missing]):
                seen |= {code: minute for code, n in zip(missing, numbers, strict=True) if n}
            missing = [code for code in missing if code not in seen]
        seen |= dict.fromkeys(missing, before - 1)  # older than all that is held

    def _flow(self, snapshot: Snapshot) -> Flow | None:
        now = _totals(snapshot)
        if self._totals and now.events < self._totals[-1].events:
            self._totals.clear()  # Redis was emptied or restored
        while self._totals and now.seconds - self._totals[0].seconds > FLOW_SECONDS + 5:
            self._totals.popleft()
        self._totals.append(now)
        passed = now.since(self._totals[0])
        return passed if passed.seconds >= 2 * PERIOD_SECONDS else None
