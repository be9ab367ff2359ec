"""The visits of a page's scope before the minutes that the feed holds: from the archive, and from Redis where no file has them."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date
from time import monotonic

import numpy as np

from streams.catalog import Catalog
from streams.clock import paris_day, paris_days_of
from streams.count import Cut, Field
from streams.expose.scope import Scope
from streams.expose.spans import Minutes
from streams.history.day_columns import Key
from streams.history.reading import History
from streams.live import LiveReader

#: Days of one grouping that are kept in memory, 0.4 MB each at most: a week and the week before of a handful of groupings.
DAYS_KEPT = 64
#: Scopes whose minutes from Redis are kept, and for how long: late events show after that time.
SCOPES_KEPT = 64
LIVE_SECONDS = 300.0
_BY = {"france": "national", "region": "region", "academy": "academy", "project": "project"}
_VISITS = {"academy": Cut.VISIT_ACADEMY, "project": Cut.VISIT_PROJECT}

_Day = tuple[date, str, str | None]


class PastVisits:
    """Reads bounded by what is kept: a day's file once until it is written anew, a minute from Redis once in `LIVE_SECONDS`.

    `history` is None without an archive. Days are those of archive time: the clock plus `shift_minutes`.
    """

    def __init__(self, history: History | None, reader: LiveReader, catalog: Catalog, shift_minutes: int) -> None:
        self._history, self._reader, self._catalog = history, reader, catalog
        self.shift_minutes = shift_minutes
        self._days: OrderedDict[_Day, tuple[int, Mapping[Key, Minutes]]] = OrderedDict()
        self._live: OrderedDict[Scope, tuple[float, dict[int, int]]] = OrderedDict()
        self._lock = threading.Lock()

    def day(self, scope: Scope, day: date) -> Minutes | None:
        """Visits by minute of an archived day in Paris, NaN where not measured; None where no file tells of this scope.

        Raises:
            VigieError: the file cannot be read.
        """
        if self._history is None:
            return None
        by = _BY[scope.kind]
        region: str | None = None
        key: Key = (scope.code,) if scope.code else ()
        if scope.service:
            by, region = ("region_service", scope.code) if scope.code else ("service", None)
            key = (*key, scope.service)
        with self._lock:
            return self._read(self._history, (day, by, region)).get(key)

    def between(self, scope: Scope, first: int, end: int, whole_from: int | None) -> Minutes:
        """Visits of the settled minutes `first <= epoch minute < end` of the clock, NaN where nobody knows them.

        From `whole_from` on (None: from the oldest on) minutes that Redis does not hold are measured zeros.

        Raises:
            VigieError: a file cannot be read, or Redis does not answer.
        """
        values = np.full(max(0, end - first), np.nan)
        shift = self.shift_minutes
        for day in paris_days_of(first + shift, end + shift):
            if (archived := self.day(scope, day)) is not None:
                begin, stop = (minute - shift for minute in paris_day(day))
                low, high = max(begin, first), min(stop, end)
                values[low - first : high - first] = archived[low - begin : high - begin]
        if missing := [first + int(at) for at in np.flatnonzero(np.isnan(values))]:
            for minute, visits in self._from_redis(scope, missing, whole_from).items():
                values[minute - first] = visits
        return values

    def _read(self, history: History, wanted: _Day) -> Mapping[Key, Minutes]:
        day, by, region = wanted
        try:
            written = history.archive.path(day).stat().st_mtime_ns
        except OSError:
            return {}  # no file, or one that nobody may read: `History` would say the same of it
        if (kept := self._days.get(wanted)) is None or kept[0] != written:
            panel = history.panel(by, "visits", *paris_day(day), region=region)
            kept = self._days[wanted] = (written, dict(zip(panel.keys, panel.values, strict=True)))
            if len(self._days) > DAYS_KEPT:
                self._days.popitem(last=False)
        self._days.move_to_end(wanted)
        return kept[1]

    def _from_redis(self, scope: Scope, minutes: list[int], whole_from: int | None) -> dict[int, int]:
        with self._lock:
            read_at, known = self._live.pop(scope, (monotonic(), {}))
            if monotonic() - read_at > LIVE_SECONDS:
                read_at, known = monotonic(), {}
            if held := self._reader.held(None, minutes[-1] + 1):
                begin = max(held[0], whole_from or 0)
                known = {minute: n for minute, n in known.items() if minute >= begin}
                asked = [minute for minute in minutes if minute >= begin and minute not in known]
                known |= dict.fromkeys(asked, 0)
                there = sorted(set(held) & set(asked))
                known |= {minute: sum(n) for minute, n in self._reader.columns(there, self._fields(scope))}
            self._live[scope] = (read_at, known)
            if len(self._live) > SCOPES_KEPT:
                self._live.popitem(last=False)
            return {minute: known[minute] for minute in minutes if minute in known}

    def _fields(self, scope: Scope) -> list[Field]:
        if scope.kind in _VISITS:
            return [(_VISITS[scope.kind], scope.code)]
        regions = (scope.code,) if scope.code else self._catalog.region_codes
        if scope.service:
            return [(Cut.SERVICE_VISITS, region, scope.service) for region in regions]
        return [(Cut.VISITS, region) for region in regions]
