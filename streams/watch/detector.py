"""The whole country, a settled minute at a time: panels by clock and calendar, alerts and bands. Pure, and resumable.

An observer that starts feeds the minutes of its archive, many at once, and then every settled minute, in order. Two observers that
were fed the same minutes say the same, whatever the pieces; the state is what was fed and nothing else.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np

from streams.watch.days import KeysOf
from streams.watch.episodes import Change, Episode
from streams.watch.panel import Panel
from streams.watch.types import Alert, Array, Kind, Scope, Sensitivity

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Series:
    """A series to judge: its scope, its clock, the calendar of its days, and which kinds of alert it may raise.

    Series with the same `zone` and `calendar` (a name for `keys_of`) are judged together.
    """

    scope: Scope
    zone: str
    calendar: str
    kinds: frozenset[Kind] = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A planned stop: from `start_ms` to `end_ms` (left out) silences and drops of these scopes are expected; `label` says why.

    A scope stands for those that lie in it: a region for its services.
    """

    start_ms: int
    end_ms: int
    scopes: tuple[Scope, ...]
    label: str

    def covers(self, alert: Alert) -> bool:
        """Whether an alert is expected."""
        inside = alert.kind is not Kind.SURGE and self.start_ms <= alert.raised_ms < self.end_ms
        return inside and any(_lies_in(alert.scope, scope) for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Judged:
    """Settled minutes that were judged together, from epoch minute `first` on.

    `raised` and `ended` alerts in the order of minutes; `running` after the last minute; bands (minutes, series), NaN where
    nothing is expected; `learning`: series whose day stands on too few comparable days.
    """

    first: int
    raised: tuple[Alert, ...]
    ended: tuple[Alert, ...]
    running: tuple[Alert, ...]
    expected: Array
    lower: Array
    upper: Array
    learning: frozenset[Scope]


@dataclass(slots=True)
class _Open:
    """An alert that runs; its sums are those of the rows up to `until`, left out."""

    episode: Episode
    observed: float
    expected: float
    until: int


@dataclass(slots=True)
class _Group:
    places: list[int]
    zone: ZoneInfo
    keys_of: KeysOf
    panel: Panel
    date: datetime.date | None = None
    learning: bool = True
    open: dict[tuple[int, Kind], _Open] = field(default_factory=dict)


class Detector:
    """See the module. `series` fixes the order of the arrays; `calendars` maps the names in it to keys of days."""

    def __init__(
        self,
        series: Sequence[Series],
        calendars: Mapping[str, KeysOf],
        least: Sensitivity,
        maintenances: Sequence[Maintenance] = (),
    ) -> None:
        self.series, self.maintenances = tuple(series), tuple(maintenances)
        alike: dict[tuple[str, str], list[int]] = {}
        for place, one in enumerate(self.series):
            alike.setdefault((one.zone, one.calendar), []).append(place)
        self._groups = [
            _Group(places, ZoneInfo(zone), calendars[calendar], Panel(len(places), 1, least))
            for (zone, calendar), places in alike.items()
        ]
        self._begin: int | None = None
        self._next = 0

    def judge(self, minute: int, counts: Array) -> Judged:
        """Judge settled minutes from epoch minute `minute` on; `counts` (minutes, series), NaN where not measured.

        Minutes that were left out since the last call count as not measured.

        Raises:
            ValueError: the minute was judged before.
        """
        if self._begin is None:
            self._begin = self._next = minute
        if minute < self._next:
            raise ValueError(f"minute {minute} was judged before, the next one is {self._next}: feed minutes in order")
        if minute > self._next:
            self.judge(self._next, np.full((minute - self._next, len(self.series)), np.nan))
        bands = [np.full(counts.shape, np.nan) for _ in range(3)]
        found: list[tuple[int, bool, Alert]] = []
        for group in self._groups:
            for begin, end, date in _local_days(minute, len(counts), group.zone):
                if date != group.date:
                    group.date = date
                    group.learning = group.panel.begin_day(date, group.keys_of(date)).learning
                found += self._judge_piece(
                    group, minute + begin, counts[begin:end], [band[begin:end] for band in bands]
                )
        found.sort(key=lambda one: (one[0], one[2].start_ms, one[2].id))
        self._next = minute + len(counts)
        learning = {self.series[place].scope for group in self._groups if group.learning for place in group.places}
        return Judged(
            minute,
            tuple(alert for _, over, alert in found if not over),
            tuple(alert for _, over, alert in found if over),
            self._running(),
            bands[0],
            bands[1],
            bands[2],
            frozenset(learning),
        )

    def planned(self, alert: Alert) -> Maintenance | None:
        """The planned stop that an alert belongs to: it is told, not alerted."""
        return next((one for one in self.maintenances if one.covers(alert)), None)

    def _judge_piece(
        self, group: _Group, minute: int, counts: Array, bands: list[Array]
    ) -> list[tuple[int, bool, Alert]]:
        """Minutes of one local day; (row, whether it ended, alert) of what changed."""
        panel = group.panel
        local = datetime.datetime.fromtimestamp(minute * 60, group.zone)
        slots = local.hour * 60 + local.minute + np.arange(len(counts))
        if slots[-1] >= panel.slots or _changes_clock(minute, len(counts), group.zone):
            moments = (datetime.datetime.fromtimestamp((minute + n) * 60, group.zone) for n in range(len(counts)))
            slots = np.array([moment.hour * 60 + moment.minute for moment in moments])
        changes, band = panel.judge(slots, counts[:, group.places].T)
        for target, source in zip(bands, (band.expected, band.lower, band.upper), strict=True):
            target[:, group.places] = source.T
        found = []
        for change in changes:
            place = group.places[change.series]
            if change.episode.kind in self.series[place].kinds:
                alert = self._change(group, change)
                found.append((change.row, change.ended, alert))
        for (inside, _), one in group.open.items():
            observed, expected = panel.sums(inside, one.until, panel.rows_judged - 1)
            one.observed, one.expected, one.until = one.observed + observed, one.expected + expected, panel.rows_judged
        return found

    def _change(self, group: _Group, change: Change) -> Alert:
        key = (change.series, change.episode.kind)
        episode, panel = change.episode, group.panel
        one = group.open.setdefault(key, _Open(episode, 0.0, 0.0, episode.start))
        upto = episode.last + 1 if change.ended else change.row + 1
        sign = 1.0 if upto >= one.until else -1.0
        low, high = sorted((one.until, upto))
        observed, expected = panel.sums(change.series, low, high - 1)
        one.observed, one.expected, one.until = one.observed + sign * observed, one.expected + sign * expected, upto
        one.episode = episode
        if change.ended:
            del group.open[key]
        return self._alert(group, change.series, one, change.ended)

    def _alert(self, group: _Group, inside: int, one: _Open, ended: bool) -> Alert:
        assert self._begin is not None
        episode, scope = one.episode, self.series[group.places[inside]].scope
        start, raised, last = (
            (self._begin + row) * _MINUTE_MS for row in (episode.start, episode.raised, episode.last)
        )
        end = last if ended else None
        return Alert(episode.kind, scope, start, raised, end, one.observed, one.expected, episode.learning)

    def _running(self) -> tuple[Alert, ...]:
        found = [
            self._alert(group, inside, one, False) for group in self._groups for (inside, _), one in group.open.items()
        ]
        return tuple(sorted(found, key=lambda alert: (alert.start_ms, alert.id)))


def _local_days(minute: int, number: int, zone: ZoneInfo) -> list[tuple[int, int, datetime.date]]:
    """Pieces (begin, end, date) of minutes that lie in one local day each."""
    pieces, begin = [], 0
    while begin < number:
        local = datetime.datetime.fromtimestamp((minute + begin) * 60, zone)
        midnight = datetime.datetime.combine(local.date() + datetime.timedelta(days=1), datetime.time(), zone)
        end = min(number, int(midnight.timestamp()) // 60 - minute)
        pieces.append((begin, end, local.date()))
        begin = end
    return pieces


def _changes_clock(minute: int, number: int, zone: ZoneInfo) -> bool:
    first, last = (datetime.datetime.fromtimestamp(at * 60, zone) for at in (minute, minute + number - 1))
    return first.utcoffset() != last.utcoffset()


def _lies_in(scope: Scope, other: Scope) -> bool:
    pairs = ((scope.region, other.region), (scope.service, other.service), (scope.project, other.project))
    return all(wanted is None or mine == wanted for mine, wanted in pairs)
