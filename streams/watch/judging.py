"""One group of series, minute by minute: a panel behind a clock of epoch minutes. Pure: counts in, alerts out.

All minutes here are epoch minutes of archive time (scenario time in a simulation).
"""

import datetime
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import SENSITIVITIES, AlertKind, Array, Group, Index, Measure, Sensitivity
from streams.watch.comparable_days import KeysOf
from streams.watch.episodes import Episode
from streams.watch.panel import Band, Panel
from streams.watch.states import BAND_DAYS, BAND_MINUTES, JudgeState
from streams.watch.store import Day

#: False alerts a month that all regions together may cost an observer, and how many there are to share them.
BUDGET_A_MONTH, REGIONS = 1.0, 18
#: Days whose rows are judged when an observer starts: so many teach the spread. Older ones are compared with, as they were counted.
JUDGED_DAYS = 30
#: Days of one name (a Tuesday with school, a first day after holidays) that are kept, and how far back they are looked for.
DAYS_OF_A_NAME = 8
LOOK_BACK_DAYS = 400
#: Below so many expected visits in the best minute of a day, surges and drops are told from events.
VISITS_PEAK_MIN = 1.0
_TOP_QUANTILE = 0.95
#: The rentrée before this one is longer ago.
LAST_YEAR_DAYS_MIN = 300
EPOCH = datetime.date(1970, 1, 1)


def of_a_region(least: Sensitivity) -> Sensitivity:
    """The sensitivity of one series of an observer: its part of the budget that all regions share."""
    words = least.budget_a_month / SENSITIVITIES["normal"].budget_a_month
    return replace(least, budget_a_month=words * BUDGET_A_MONTH / REGIONS)


def local_minutes(first: int, rows: int, step: int, zone: ZoneInfo) -> Index:
    """Minutes since 1970 on the local clock at which rows begin; clocks change on the hour, so one look an hour is enough."""
    minutes = first + step * np.arange(rows, dtype=np.int64)
    hours = minutes // 60
    offsets = np.array([_offset(int(hour), zone) for hour in range(int(hours[0]), int(hours[-1]) + 1)], np.int64)
    return np.asarray(minutes + offsets[hours - hours[0]])


def _offset(hour: int, zone: ZoneInfo) -> int:
    found = datetime.datetime.fromtimestamp(hour * 3600, zone).utcoffset()
    assert found is not None
    return int(found.total_seconds()) // 60


@dataclass(frozen=True, slots=True)
class Told:
    """An alert of one series of a group; rows are epoch minutes. `until` is the minute after its last row (so far).

    `score` and `usual` are those of its episode.
    """

    series: int
    kind: AlertKind
    start: int
    raised: int
    until: int
    is_over: bool
    learning: bool
    score: float = 0.0
    usual: float = 0.0


class Bands:
    """The last rows of a group, in a ring: (4, series, rows) of what was counted, expected, and between which bounds."""

    def __init__(self, first: int, step: int, series: int) -> None:
        self._first, self._step = first, step
        self._size = BAND_MINUTES // step
        self._ring = np.full((4, series, self._size), np.nan, np.float32)
        self._count = 0

    def add(self, counts: Array, band: Band) -> None:
        """Put judged rows at the end."""
        columns = np.stack([counts, band.expected, band.lower, band.upper])
        number = columns.shape[2]
        kept = min(number, self._size)
        places = np.arange(self._count + number - kept, self._count + number) % self._size
        self._ring[:, :, places] = columns[:, :, number - kept :]
        self._count += number

    def state(self) -> tuple[NDArray[np.float32], int]:
        """The ring, and how many rows were put into it; for `resume`."""
        return self._ring, self._count

    def resume(self, ring: NDArray[np.float32], count: int) -> None:
        """Go on from a state."""
        self._ring, self._count = ring, count

    def between(self, begin: int, end: int) -> tuple[int, Array]:
        """(first minute, values) of the rows that begin in `begin <= minute < end` and are kept."""
        low = max(0, self._count - self._size, -(-(begin - self._first) // self._step))
        high = max(low, min(self._count, -(-(end - self._first) // self._step)))
        return self._first + low * self._step, self._ring[:, :, np.arange(low, high) % self._size].astype(np.float64)


class Judge:
    """Judges one group. Rows are fed in order, without a gap: what is not known is NaN."""

    def __init__(self, group: Group, first: int, sensitivity: str = "normal") -> None:
        step = group.step_minutes
        self.group = group
        self.panel = Panel(len(group.series), step, of_a_region(SENSITIVITIES[sensitivity]))
        self.first = -(-first // step) * step
        self.bands = Bands(self.first, step, len(group.series))
        self._learning: dict[datetime.date, bool] = {}
        self._rows = group.rows
        self._part: list[Array] = []
        self._date: datetime.date | None = None
        self._fed = self.first
        self._few = np.ones(len(group.series), bool)
        self._untold: dict[tuple[int, AlertKind], Episode] = {}

    def learn(self, date: datetime.date, slots: Array) -> None:
        """Put a day into the past as it was counted, unjudged; `slots` (series, slots), NaN where not measured."""
        self.panel.past.add(Day.unjudged(date, self.group.keys_of(date), slots))

    def state(self, first: datetime.date) -> JudgeState:
        """All that feeding left behind but the days before `first`, for `resume`. Shares its arrays with this judge."""
        return JudgeState(
            self.panel.state(first),
            self.first,
            self._fed,
            *self.bands.state(),
            learning=tuple(self._learning.items()),
            part=np.concatenate([np.zeros((len(self.group.series), 0)), *self._part], axis=1),
            few=self._few,
            untold=tuple((series, episode) for (series, _kind), episode in self._untold.items()),
        )

    def resume(self, state: JudgeState) -> None:
        """Go on from a state of the same group (`states.wrong_with`); the days that were learned meanwhile lie before its own."""
        self.first, self._fed, self._few = state.first, state.fed, state.few
        self.bands = Bands(self.first, self.group.step_minutes, len(self.group.series))
        self.bands.resume(state.ring, state.banded)
        self._learning, self._part = dict(state.learning), [state.part]
        self._untold = {(series, episode.kind): episode for series, episode in state.untold}
        self.panel.resume(state.panel, self.group.keys_of)
        today = state.panel.today
        if today is not None:
            self._prune(today.date)
            self.panel.resume_day(today, self.group.keys_of(today.date))
            self._date = today.date

    def feed(self, first: int, table: Array) -> list[Told]:
        """Judge the minutes of a table (all rows of the plan, minutes) from `first` on; return the alerts that ended in them."""
        if first + table.shape[1] <= self.first:
            return []
        rows = self._to_rows(table[self._rows, max(0, self.first - first) :])
        days = self._days(rows.shape[1]) if rows.shape[1] else []
        return [told for low, high in days for told in self._judge(rows[:, low:high])]

    def running(self) -> list[Told]:
        """Alerts that have not ended."""
        return [
            self._told(number, track.open, is_over=False)
            for number, tracks in enumerate(self.panel.tracks)
            for track in tracks
            if track.open is not None and self._is_told(number, track.open, self.panel.rows_judged)
        ]

    def last_rentree(self, series: int, first: int, end: int) -> float | None:
        """What a series counted in the same minutes of last year's rentrée; None on other days, or where nobody knows."""
        local = local_minutes(
            first, max(1, (end - first) // self.group.step_minutes), self.group.step_minutes, self.group.zone
        )
        date = EPOCH + datetime.timedelta(days=int(local[0]) // 1440)
        name = self.group.keys_of(date).name
        if not (isinstance(name, tuple) and name[0] == "rentree"):
            return None
        for day in reversed(self.panel.past.days):
            if day.keys.name == name and (date - day.date).days > LAST_YEAR_DAYS_MIN:
                counts = day.counts[series, local[local // 1440 == local[0] // 1440] % 1440 // self.group.step_minutes]
                return float(counts.sum()) if np.isfinite(counts).all() else None
        return None

    def is_learning(self, minute: int) -> bool:
        """Whether the day of a minute stood on too few comparable days."""
        local = datetime.datetime.fromtimestamp(minute * 60, UTC).astimezone(self.group.zone)
        return self._learning.get(local.date(), True)

    def _to_rows(self, counts: Array) -> Array:
        step = self.group.step_minutes
        if step == 1:
            return counts
        self._part.append(counts)
        joined = np.concatenate(self._part, axis=1)
        whole = joined.shape[1] // step
        self._part = [joined[:, whole * step :]]
        # A row of which a minute is not known is not known: a part of it would look like a drop.
        return np.asarray(joined[:, : whole * step].reshape(len(counts), whole, step).sum(axis=2))

    def _days(self, rows: int) -> list[tuple[int, int]]:
        """Where rows to be fed next change their local day: (first, end) by day."""
        local = local_minutes(self._fed, rows, self.group.step_minutes, self.group.zone) // 1440
        edges = [0, *(np.flatnonzero(np.diff(local)) + 1).tolist(), rows]
        return [pair for pair in pairwise(edges) if pair[0] < pair[1]]

    def _judge(self, rows: Array) -> list[Told]:
        step = self.group.step_minutes
        local = local_minutes(self._fed, rows.shape[1], step, self.group.zone)
        date = EPOCH + datetime.timedelta(days=int(local[0]) // 1440)
        if date != self._date:
            self._begin(date)
        slots: Index = local % 1440 // step
        changes, band = self.panel.judge(slots, rows)
        self.bands.add(rows, band)
        self._fed += rows.shape[1] * step
        for change in changes:
            if not change.ended:
                self._note(change.series, change.episode)
        return [
            self._told(change.series, change.episode, is_over=True)
            for change in changes
            if change.ended and self._is_told(change.series, change.episode, change.episode.last + 1)
        ]

    def _begin(self, date: datetime.date) -> None:
        self.panel.end_day()
        self._prune(date)
        baseline = self.panel.begin_day(date, self.group.keys_of(date))
        self._date = date
        self._learning[date] = baseline.learning
        for old in sorted(self._learning)[:-BAND_DAYS]:
            del self._learning[old]
        with np.errstate(all="ignore"):
            known = np.nan_to_num(baseline.expected / self.group.step_minutes)
        self._few = np.quantile(known, _TOP_QUANTILE, axis=1) < VISITS_PEAK_MIN

    def _prune(self, date: datetime.date) -> None:
        """Forget days that no later one is compared with: the newest of each name are kept, and the last weeks whole."""
        days = self.panel.past.days
        named: Counter[object] = Counter()
        kept: list[Day] = []
        for place, day in enumerate(reversed(days)):
            named[day.keys.name] += 1
            if (date - day.date).days > LOOK_BACK_DAYS:
                continue
            if place < JUDGED_DAYS:
                kept.append(day)
            elif named[day.keys.name] <= DAYS_OF_A_NAME:
                kept.append(replace(day, residuals=None))
        self.panel.past.days = kept[::-1]

    def _note(self, series: int, episode: Episode) -> None:
        """Remember an episode that is nobody's business: told from the wrong measure."""
        one = self.group.series[series]
        if one.measure is Measure.EVENTS:
            visits = series + 1  # the same scope's visits come next
            told = episode.kind is AlertKind.SILENCE or self._few[visits]
        else:
            told = one.scope.service is not None or (episode.kind is not AlertKind.SILENCE and not self._few[series])
        if not told:
            self._untold[(series, episode.kind)] = episode
        else:
            self._untold.pop((series, episode.kind), None)

    def _is_told(self, series: int, episode: Episode, until: int) -> bool:
        other = self._untold.get((series, episode.kind))
        if other is not None and other.start == episode.start:
            return False
        return self.group.series[series].measure is not Measure.EVENTS or self._is_of_many(series + 1, episode, until)

    def _is_of_many(self, visits: int, episode: Episode, until: int) -> bool:
        """Whether so many visits, too, were too many or too few: ten events may be one visitor."""
        begin, end = (self.first + row * self.group.step_minutes for row in (episode.start, until))
        _first, rows = self.bands.between(begin, end)
        off = rows[0, visits] - rows[1, visits]
        total = float(off[np.isfinite(off)].sum())
        return (total if episode.kind is AlertKind.SURGE else -total) >= self.panel.least.counts_min

    def _told(self, series: int, episode: Episode, *, is_over: bool) -> Told:
        step = self.group.step_minutes
        last = episode.last + 1 if is_over else self.panel.rows_judged
        return Told(
            series,
            episode.kind,
            self.first + episode.start * step,
            self.first + (episode.raised + 1) * step,
            self.first + last * step,
            is_over,
            episode.learning,
            episode.score,
            episode.usual,
        )


#: A local day is learned from when so much of it is known.
KNOWN_PART_MIN = 0.75


def chosen_days(
    held: Sequence[date], calendars: Collection[KeysOf], first_judged: date
) -> tuple[list[date], list[date]]:
    """(days to learn from, days to judge), each in order, of those that are held.

    Learned from are the days that later ones will be compared with in one of the calendars: eight of each name.
    """
    judged = sorted(day for day in held if day >= first_judged)
    named: list[Counter[object]] = [Counter(keys_of(day).name for day in judged) for keys_of in calendars]
    learned = []
    for day in sorted((day for day in held if day < first_judged), reverse=True):
        if (first_judged - day).days > LOOK_BACK_DAYS:
            break
        names = [keys_of(day).name for keys_of in calendars]
        if any(counter[name] < DAYS_OF_A_NAME for counter, name in zip(named, names, strict=True)):
            learned.append(day)
            for counter, name in zip(named, names, strict=True):
                counter[name] += 1
    return learned[::-1], judged
