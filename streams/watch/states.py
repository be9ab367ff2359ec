"""What feeding left behind in a judge, as plain arrays and numbers: to be written to a file, and checked when it is read. Pure.

Whatever follows from the days that are over and the calendar (expectations, spreads, the keys of a day) is no part of it.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import Array, Flags, Group, Index
from streams.watch.episodes import KINDS, Episode, Track
from streams.watch.scales import GROUPS, HOURS, Scales
from streams.watch.store import DAYS_MAX

#: Minutes whose bands are kept for the API: as many as Redis keeps of counts.
BAND_MINUTES = 72 * 60
#: Days of which it is known whether they are still learned.
BAND_DAYS = 5
#: Samples of residuals an hour.
SAMPLES_PER_HOUR_MAX = 2
MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True)
class DayState:
    """A `store.Day` without its keys; `error` and `noise` are those of its residuals; arrays have no size without any."""

    date: datetime.date
    counts: NDArray[np.float32]
    judged: Flags
    share: Array
    hours: Array
    error: NDArray[np.float32]
    noise: NDArray[np.float32]
    extra: float
    peaks: NDArray[np.float32]
    hoped: Array


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A local day that is not over: the places of its rows in the day, their errors (windows, series, rows), and its highest scores."""

    date: datetime.date
    slots: Index
    error: Array
    noise: Array
    peaks: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PanelState:
    """The rows that are kept are `counts`, `expected` and `quiet` (series, rows) and `extra` (rows); `tracks` are by series and kind."""

    days: tuple[DayState, ...]
    tracks: tuple[tuple[Track, ...], ...]
    rows_judged: int
    counts: Array
    expected: Array
    quiet: Array
    extra: Array
    ended: tuple[tuple[int, Episode], ...]
    today: OpenDay | None


@dataclass(frozen=True, slots=True)
class JudgeState:
    """`first` and `fed` are epoch minutes; `ring` (4, series, rows) holds the bands, of which `banded` were put in. `part` (series,
    minutes): what is not a whole row yet. `few` (series), `learning` and `untold` are as in `Judge`.
    """

    panel: PanelState
    first: int
    fed: int
    ring: NDArray[np.float32]
    banded: int
    learning: tuple[tuple[datetime.date, bool], ...]
    part: Array
    few: Flags
    untold: tuple[tuple[int, Episode], ...]


def wrong_with(state: JudgeState, group: Group) -> str | None:
    """What tells that a state is none of a judge of this group, None where it is one."""
    # In this order: what comes later stands on what came before.
    return next((wrong for look in (_wrong_shapes, _wrong_rows, _wrong_episodes) for wrong in look(state, group)), None)


def _wrong_shapes(state: JudgeState, group: Group) -> Iterator[str]:
    step, series, panel = group.step_minutes, len(group.series), state.panel
    windows, slots, rows = len(Scales.of(step).windows), -(-MINUTES_A_DAY // step), panel.extra.size
    samples = max(1, min(SAMPLES_PER_HOUR_MAX, 60 // step))
    shapes: list[tuple[str, NDArray[Any], tuple[int, ...]]] = [
        ("counts", panel.counts, (series, rows)),
        ("expected", panel.expected, (series, rows)),
        ("quiet", panel.quiet, (series, rows)),
        ("extra", panel.extra, (rows,)),
        ("ring", state.ring, (4, series, BAND_MINUTES // step)),
        ("part", state.part, (series, state.part.size // series)),
        ("few", state.few, (series,)),
    ]
    for day in panel.days:
        residuals = (series, windows, HOURS, samples) if day.error.size else (0, 0, 0, 0)
        shapes += [
            (f"counts of {day.date}", day.counts, (series, slots)),
            (f"judged rows of {day.date}", day.judged, (series, slots)),
            (f"share of {day.date}", day.share, (series,)),
            (f"hours of {day.date}", day.hours, (series, HOURS)),
            (f"errors of {day.date}", day.error, residuals),
            (f"noise of {day.date}", day.noise, residuals),
            (f"peaks of {day.date}", day.peaks, (2, GROUPS, series, HOURS) if day.peaks.size else (0, 0, 0, 0)),
            (f"hours hoped for of {day.date}", day.hoped, (series, HOURS) if day.hoped.size else (0, 0)),
        ]
    if (today := panel.today) is not None:
        shapes += [
            ("slots of today", today.slots, (today.slots.size,)),
            ("errors of today", today.error, (windows, series, today.slots.size)),
            ("noise of today", today.noise, (windows, series, today.slots.size)),
            ("peaks of today", today.peaks, (2, GROUPS, series, HOURS)),
        ]
    yield from (
        f"{name} has the shape {values.shape}, not {shape}" for name, values, shape in shapes if values.shape != shape
    )


def _wrong_rows(state: JudgeState, group: Group) -> Iterator[str]:
    step, panel = group.step_minutes, state.panel
    kept, judged = panel.extra.size, panel.rows_judged
    dates = [day.date for day in panel.days]
    if len(dates) > DAYS_MAX or sorted(set(dates)) != dates or len(state.learning) > 2 * BAND_DAYS:
        yield "its days are not in order, or too many"
    if kept > min(judged, 2 * Scales.of(step).lookback) or state.part.shape[1] >= max(2, step):
        yield "it keeps more rows than there can be"
    if state.first % step or state.first + judged * step != state.fed or not 0 <= state.banded <= judged:
        yield "its rows are not as many as its minutes"
    if panel.today is not None:
        slots = panel.today.slots
        if slots.size > kept or not ((slots >= 0) & (slots < -(-MINUTES_A_DAY // step))).all():
            yield "today has rows that no day has"


def _wrong_episodes(state: JudgeState, group: Group) -> Iterator[str]:
    series, panel = len(group.series), state.panel
    rows = range(panel.rows_judged + 1)
    if len(panel.tracks) != series or any(len(kinds) != len(KINDS) for kinds in panel.tracks):
        yield "its tracks are not those of its series"
        return
    episodes = [*panel.ended, *state.untold]
    for number, kinds in enumerate(panel.tracks):
        for track, kind in zip(kinds, KINDS, strict=True):
            if track.calm not in rows or (track.before != -1 and track.before not in rows):
                yield "a track has rows that were not judged"
            if track.open is not None:
                episodes.append((number, track.open))
                if track.open.kind is not kind:
                    yield "an episode is on another's track"
    for number, episode in episodes:
        if number not in range(series) or any(row not in rows for row in (episode.start, episode.raised, episode.last)):
            yield "an episode is of no series, or of rows that were not judged"
