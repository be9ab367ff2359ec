"""Series that share a time zone and a calendar, judged together day by day. Pure: every clock is an argument.

A panel is fed the rows of its local days in order, in pieces of any length: a minute at a time in an observer, a day at a time in a
rehearsal. The alerts are the same, because each row is judged from a fixed stretch of rows before it and from days that are over.
"""

import datetime
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import AlertKind, Array, Flags, Index, Sensitivity
from streams.watch.baseline import Baseline, make_baseline, quiet_of
from streams.watch.bursts import HEAP_DAYS, learn_heaps
from streams.watch.comparable_days import DayKeys, KeysOf
from streams.watch.episodes import KINDS, Change, Episode, Judged, Track, advance
from streams.watch.flags import Errors, judge_rows
from streams.watch.lately import with_lately
from streams.watch.limits import PRIOR_PEAK, learn_limits
from streams.watch.scales import DAYS_FROM_MINUTES, GROUPS, HOURS, HOURS_LONG, Scales
from streams.watch.score import Piece, Stretch
from streams.watch.shift import Shifts
from streams.watch.spread import learn_spread
from streams.watch.standard import Standard
from streams.watch.states import SAMPLES_PER_HOUR_MAX, DayState, OpenDay, PanelState
from streams.watch.store import ADOPT_DAYS, Day, Past, Residuals, by_hour

#: A window of days of which a larger part was judged tells nothing of the spread; shorter ones if any row was.
JUDGED_PART_MAX = 0.1
#: What lasts longer than this while too few comparable days are known may be how things are: it enters baselines.
LEARNED_MINUTES_MAX = 240


@dataclass(frozen=True, slots=True)
class Band:
    """What judged rows were held against: (series, rows)."""

    expected: Array
    lower: Array
    upper: Array


@dataclass(slots=True)
class _Today:
    date: datetime.date
    keys: DayKeys
    baseline: Baseline
    quiet: Array
    standard: Standard
    heap: Array
    extra: float
    slots: list[Index]
    errors: list[Errors]
    first_row: int
    peaks: NDArray[np.float32]
    hoped: Array


class Panel:
    """See the module. `series` is their number; rows are `step_minutes` long."""

    def __init__(self, series: int, step_minutes: int, least: Sensitivity, past: Past | None = None) -> None:
        self.series, self.scales = series, Scales.of(step_minutes)
        self.least = least
        self.slots = -(-1440 // step_minutes)
        self.past = past or Past()
        self.tracks = [[Track() for _ in KINDS] for _ in range(series)]
        self.rows_judged = 0
        #: (3, series, rows): counted, expected, and expected in quiet hours.
        self._rows = np.full((3, series, 0), np.nan)
        self._extra = np.zeros(0)
        self._ended: list[tuple[int, Episode]] = []
        self._today: _Today | None = None

    def begin_day(self, date: datetime.date, keys: DayKeys) -> Baseline:
        """Make the expectation of a local day; ends the day before."""
        self.end_day()
        heaps = learn_heaps([day.heaps for day in self.past.days[-HEAP_DAYS:]], self.series)
        baseline = make_baseline(self.past, date, keys, self.slots, heaps.size)
        plain = by_hour(baseline.expected)
        if self.scales.step_minutes >= DAYS_FROM_MINUTES:
            baseline = replace(baseline, expected=with_lately(self.past, date, keys, baseline.expected))
        spread = learn_spread(self.past, self.series, len(self.scales.windows))
        shifts = Shifts.of(baseline.expected, self.scales, baseline.days)
        limits = learn_limits(self.past, baseline.expected, self.least)
        standard = Standard(
            self.scales,
            self.least,
            spread,
            shifts,
            limits,
            Standard.worth_of(baseline.expected, self.least, heaps),
            baseline.learning,
        )
        self._today = _Today(
            date,
            keys,
            baseline,
            quiet_of(baseline, limits.recurs),
            standard,
            heaps.size[:, None],
            spread.beyond(baseline.extra),
            [],
            [],
            self.rows_judged,
            np.zeros((2, GROUPS, self.series, HOURS), np.float32),
            plain,
        )
        return baseline

    def judge(self, slots: Index, counts: Array) -> tuple[list[Change], Band]:
        """Judge rows of the day that began; `slots` (rows) their places in the local day, `counts` (series, rows),
        NaN where not measured.
        """
        today = self._today
        assert today is not None, "begin_day comes first"
        expected, quiet = today.baseline.expected[:, slots], today.quiet[:, slots]
        if not today.baseline.judged:
            expected = quiet = np.full(expected.shape, np.nan)
        latest = np.stack([counts, expected, quiet])
        self._rows = np.concatenate([self._rows[:, :, -self.scales.lookback :], latest], axis=2)
        extra = np.full(counts.shape[1], today.extra)
        self._extra = np.concatenate([self._extra[-self.scales.lookback :], extra])
        # What is judged are events, not counts that come together.
        seen, likely, quietly = self._rows
        less = not np.array_equal(quietly, likely, equal_nan=True)
        stretch = Stretch.of(seen / today.heap, likely / today.heap, quietly / today.heap if less else None)
        first = seen.shape[1] - counts.shape[1]
        piece = Piece(stretch, slots, self._extra, first)
        rows, errors = judge_rows(piece, today.standard)
        hours = slots * self.scales.step_minutes // 60
        for hour in np.unique(hours):
            today.peaks[..., hour] = np.maximum(today.peaks[..., hour], rows.score[..., hours == hour].max(axis=-1))
        changes = advance(self.tracks, Judged(rows, piece, today.standard, self.rows_judged))
        self._ended += [(change.series, change.episode) for change in changes if change.ended]
        self.rows_judged += counts.shape[1]
        today.slots.append(slots)
        today.errors.append(errors)
        return changes, self._band(stretch.expected[:, first:], today, hours)

    def sums(self, series: int, start: int, last: int) -> tuple[float, float]:
        """(observed, expected) of one series over rows `start` to `last`, numbered from the panel's first, as far back as rows are kept."""
        oldest = self.rows_judged - self._rows.shape[2]
        counts, expected, _quiet = self._rows[:, series, max(0, start - oldest) : last + 1 - oldest]
        known = np.isfinite(counts) & np.isfinite(expected)
        return float(counts[known].sum()), float(expected[known].sum())

    def state(self, first: datetime.date) -> PanelState:
        """All that feeding left behind but the days before `first`, for `resume`. Shares its arrays with this panel."""
        today = self._today
        return PanelState(
            tuple(_day_state(day) for day in self.past.days if day.date >= first),
            tuple(tuple(replace(track) for track in kinds) for kinds in self.tracks),
            self.rows_judged,
            self._rows[0],
            self._rows[1],
            self._rows[2],
            self._extra,
            tuple(self._ended),
            None if today is None else _open_day(today, len(self.scales.windows), self.series),
        )

    def resume(self, state: PanelState, keys_of: KeysOf) -> None:
        """Go on from a state of the same series, on the days before it that are in the past. What is left to do is `resume_day`."""
        self.past = Past([*self.past.days, *(_day(day, keys_of) for day in state.days)])
        self.tracks = [[replace(track) for track in kinds] for kinds in state.tracks]
        self.rows_judged = state.rows_judged
        self._rows = np.stack([state.counts, state.expected, state.quiet])
        self._extra = state.extra
        self._ended = list(state.ended)

    def resume_day(self, today: OpenDay, keys: DayKeys) -> Baseline:
        """Go on with a day that is not over."""
        baseline = self.begin_day(today.date, keys)
        assert self._today is not None
        self._today.peaks = today.peaks.copy()
        self._today.slots, self._today.errors = [today.slots], [Errors(today.error, today.noise)]
        self._today.first_row = self.rows_judged - len(today.slots)
        return baseline

    def score(self, series: int) -> float:
        """What it takes today, of both directions on average; before the first day what an ordinary one reaches."""
        return (
            PRIOR_PEAK
            if self._today is None
            else float(self._today.standard.limits.score[:, HOURS_LONG, series].mean())
        )

    def end_day(self) -> None:
        """Put the day into the past, without the rows that were judged a surge, a drop or a silence."""
        today, self._today = self._today, None
        if today is None or not today.slots:
            return
        slots = np.concatenate(today.slots)
        count = self.rows_judged - today.first_row
        back = min(today.first_row, self.scales.windows[-1])
        marked = self._marked(today.first_row - back, self.rows_judged)
        assert count <= self._rows.shape[2], "a day is longer than the stretch that is kept"
        kept = self._rows[0, :, -count:]
        if not np.isfinite(kept).any():
            return
        judged = marked[:, back:]
        whole = np.where(np.isfinite(kept), today.baseline.expected[:, slots], 0.0)
        share = np.where(judged, whole, 0.0).sum(axis=1) / np.maximum(whole.sum(axis=1), 1e-9)
        by_slot = _by_slot(kept, slots, self.slots)
        judged_slots = _by_slot(np.where(judged, 1.0, np.nan), slots, self.slots) > 0
        day = Day.of(today.date, today.keys, by_slot, judged_slots, share)
        self.past.add(
            replace(
                day,
                residuals=self._residuals(today, slots, marked),
                peaks=today.peaks if today.baseline.judged else None,
                hoped=today.hoped if today.baseline.judged else None,
            )
        )

    def _marked(self, begin: int, until: int) -> Flags:
        marked = np.zeros((self.series, until - begin), dtype=bool)
        adopt = ADOPT_DAYS * 1440 // self.scales.step_minutes
        short = LEARNED_MINUTES_MAX // self.scales.step_minutes
        open_ = [
            (series, track.open)
            for series, kinds in enumerate(self.tracks)
            for track in kinds
            if track.open is not None
        ]
        for series, episode in (*self._ended, *open_):
            if episode.learning and episode.last - episode.start >= short:
                continue
            last = episode.last if episode.kind is AlertKind.SILENCE else min(episode.last, episode.start + adopt)
            marked[series, max(episode.start - begin, 0) : max(last + 1 - begin, 0)] = True
        oldest = until - self.scales.windows[-1]
        self._ended = [(series, episode) for series, episode in self._ended if episode.last >= oldest]
        return marked

    def _residuals(self, today: _Today, slots: Index, marked: Flags) -> Residuals | None:
        if not today.baseline.telling:
            return None
        error = np.concatenate([one.error for one in today.errors], axis=2)
        noise = np.concatenate([one.noise for one in today.errors], axis=2)
        samples = max(1, min(SAMPLES_PER_HOUR_MAX, 60 // self.scales.step_minutes))
        shape = (self.series, len(self.scales.windows), HOURS, samples)
        errors, noises = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
        per_hour = self.slots / HOURS
        back = marked.shape[1] - len(slots)
        sums = np.concatenate([np.zeros((self.series, 1)), np.cumsum(marked, axis=1)], axis=1)
        windows = np.array(self.scales.windows)
        most = np.where(np.array(self.scales.groups) > HOURS_LONG, JUDGED_PART_MAX * windows, 0.0)
        for number in range(HOURS * samples):
            wanted = min(self.slots - 1, int((number + 1) * per_hour / samples + 1e-9) - 1)
            places = np.flatnonzero(slots == wanted)
            if len(places):
                at = (slice(None), slice(None), number // samples, number % samples)
                place = int(places[0])
                until = back + place + 1
                judged = sums[:, until, None] - sums[:, np.maximum(until - windows, 0)]
                errors[at] = np.where(judged <= most, error[:, :, place].T, np.nan)
                noises[at] = noise[:, :, place].T
        return Residuals(errors, noises, today.baseline.extra)

    def _band(self, expected: Array, today: _Today, hours: Index) -> Band:
        number = len(self.scales.sudden)
        sides = []
        for direction in range(2):
            tau = today.standard.spread.tau[direction, :, number][:, hours]
            score = today.standard.limits.score[direction, HOURS_LONG][:, hours]
            sides.append(score * np.sqrt(1.0 / (expected + 0.5) + tau**2 + today.extra**2))
        upper = np.maximum(expected * np.exp(np.minimum(sides[0], 5.0)), expected + self.least.counts_min)
        lower = np.maximum(np.minimum(expected * np.exp(-sides[1]), expected - self.least.counts_min), 0.0)
        return Band(*(side * today.heap for side in (expected, lower, upper)))


def _day_state(day: Day) -> DayState:
    nothing = np.zeros((0, 0, 0, 0), np.float32)
    left = day.residuals or Residuals(nothing, nothing)
    return DayState(
        day.date,
        day.counts,
        day.judged,
        day.share,
        day.hours,
        left.error,
        left.noise,
        left.extra,
        peaks=nothing if day.peaks is None else day.peaks,
        hoped=np.zeros((0, 0)) if day.hoped is None else day.hoped,
    )


def _day(state: DayState, keys_of: KeysOf) -> Day:
    return replace(
        Day.of(state.date, keys_of(state.date), state.counts.astype(np.float64), state.judged, state.share),
        hours=state.hours,
        residuals=Residuals(state.error, state.noise, state.extra) if state.error.size else None,
        peaks=state.peaks if state.peaks.size else None,
        hoped=state.hoped if state.hoped.size else None,
    )


def _open_day(today: _Today, windows: int, series: int) -> OpenDay:
    nothing = np.zeros((windows, series, 0))
    return OpenDay(
        today.date,
        np.concatenate([np.zeros(0, np.int64), *today.slots]),
        np.concatenate([nothing, *(one.error for one in today.errors)], axis=2),
        np.concatenate([nothing, *(one.noise for one in today.errors)], axis=2),
        today.peaks,
    )


def _by_slot(values: Array, slots: Index, number: int) -> Array:
    """(series, slots): the rows by place in the day; the mean where a place occurs twice (a clock set back), NaN where never."""
    known = np.isfinite(values)
    total, times = np.zeros((number, values.shape[0])), np.zeros((number, values.shape[0]))
    np.add.at(total, slots, np.where(known, values, 0.0).T)
    np.add.at(times, slots, known.T.astype(np.float64))
    return np.where(times > 0, total / np.maximum(times, 1.0), np.nan).T
