"""Judges the rows of a file or an archive with the very code of the observer, and tells what it found: as one JSON array, or as lines."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import orjson

from streams.rehearse.counts_file import CountsGrid
from streams.watch import AlertKind, AlertScope, Array, Episode, KeysOf, Panel, Past, Sensitivity, normal_since

#: Alerts of one kind that lie no farther apart are one that flaps; so are those with a night between them which deviates as they do.
FLAPPING_MINUTES, NIGHT_MINUTES = 60, 720
#: Called after each day with (days done, days in all).
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """One alert over the rows `start` to `last` of the file; `raised` is the row at which it was raised, `running`
    whether it had not ended. `score`: the highest when it was raised, where ordinary days of the series reach `usual`; 0 of a silence.
    """

    kind: AlertKind
    scope: AlertScope
    series: int
    start: int
    raised: int
    last: int
    running: bool
    learning: bool
    observed: float
    expected: float
    score: float = 0.0
    usual: float = 0.0

    @property
    def ratio(self) -> float | None:
        """observed / expected; None where nothing was expected."""
        return self.observed / self.expected if self.expected > 0 else None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Alerts in order of their start, and what every row was held against, (series, rows)."""

    alerts: tuple[Found, ...]
    expected: Array
    lower: Array
    upper: Array


def rehearse(
    counts: CountsGrid, keys_of: KeysOf, least: Sensitivity, progress: Progress | None = None, past: Past | None = None
) -> Rehearsal:
    """Judge every row in order; no row is judged with anything that came after it. `past`: days before the first, as counted."""
    panel = Panel(len(counts.scopes), counts.step_minutes, least, past)
    bands = [np.full(counts.values.shape, np.nan) for _ in range(3)]
    ended: list[tuple[int, Episode]] = []
    edges = np.flatnonzero(np.diff(counts.dates, prepend=counts.dates[0] - 1))
    for number, begin in enumerate(edges):
        until = edges[number + 1] if number + 1 < len(edges) else len(counts.dates)
        date = datetime.date.fromordinal(int(counts.dates[begin]))
        panel.begin_day(date, keys_of(date))
        changes, band = panel.judge(counts.slots[begin:until], counts.values[:, begin:until])
        ended += [(change.series, change.episode) for change in changes if change.ended]
        for target, source in zip(bands, (band.expected, band.lower, band.upper), strict=True):
            target[:, begin:until] = source
        if progress:
            progress(number + 1, len(edges))
    found = [
        *(_found(counts, bands[0], series, episode, False) for series, episode in ended),
        *(
            _found(counts, bands[0], series, track.open, True)
            for series, tracks in enumerate(panel.tracks)
            for track in tracks
            if track.open is not None
        ),
    ]
    merged = _as_one(_without_beginnings(found), counts, bands[0], least)
    return Rehearsal(tuple(_with_sums(counts, bands[0], one) for one in merged), *bands)


def lasting_into(counts: CountsGrid, rehearsal: Rehearsal, first_minute: int) -> tuple[CountsGrid, Rehearsal]:
    """What touches the rows from epoch minute `first_minute` on: they begin where the first alert does that lasted until then."""
    first = (first_minute - counts.first_minute) // counts.step_minutes
    alerts = [one for one in rehearsal.alerts if one.last >= first]
    low = min([first, *(one.start for one in alerts)])
    shown = replace(
        counts,
        first_minute=counts.first_minute + low * counts.step_minutes,
        values=counts.values[:, low:],
        texts=counts.texts[low:],
        dates=counts.dates[low:],
        slots=counts.slots[low:],
    )
    moved = (replace(one, start=one.start - low, raised=one.raised - low, last=one.last - low) for one in alerts)
    bands = (rehearsal.expected[:, low:], rehearsal.lower[:, low:], rehearsal.upper[:, low:])
    return shown, Rehearsal(tuple(moved), *bands)


def _without_beginnings(found: list[Found]) -> list[Found]:
    """Leave out drops that are but the beginning of a silence, told before there was enough of it to call it one."""
    silences: dict[int, list[Found]] = {}
    for one in found:
        if one.kind is AlertKind.SILENCE:
            silences.setdefault(one.series, []).append(one)
    return [
        one
        for one in found
        if one.kind is not AlertKind.DROP or not any(_begins(one, silence) for silence in silences.get(one.series, ()))
    ]


def _as_one(found: list[Found], counts: CountsGrid, expected: Array, least: Sensitivity) -> list[Found]:
    """Alerts in order of their start; those of one kind and series that are one are told as one."""
    merged: list[Found] = []
    last: dict[tuple[int, AlertKind], int] = {}
    for one in sorted(found, key=lambda one: (one.start, one.series, one.kind)):
        place = last.get((one.series, one.kind))
        if place is not None and _goes_on(merged[place], one, counts, expected, least):
            before = merged[place]
            merged[place] = replace(before, last=one.last, running=one.running, score=max(before.score, one.score))
        else:
            last[(one.series, one.kind)] = len(merged)
            merged.append(one)
    return merged


def _goes_on(before: Found, one: Found, counts: CountsGrid, expected: Array, least: Sensitivity) -> bool:
    """Whether an alert is the one before it, which was not sure of itself for a while."""
    minutes = (one.start - before.last - 1) * counts.step_minutes
    if minutes <= FLAPPING_MINUTES:
        return True
    between = _with_sums(counts, expected, replace(one, start=before.last + 1, last=one.start - 1)).ratio
    if minutes > NIGHT_MINUTES or between is None:
        return False
    return between >= least.ratio_surge if one.kind is AlertKind.SURGE else between <= least.ratio_drop


def _begins(drop: Found, silence: Found) -> bool:
    """Whether all of a drop lies in a silence, or nothing was counted in it either and the silence goes on from it."""
    ends_there = silence.start <= drop.last + 1 <= silence.last + 1
    return ends_there and (silence.start <= drop.start or drop.observed == 0)


def _found(counts: CountsGrid, expected: Array, series: int, episode: Episode, running: bool) -> Found:
    # To the last row that was measured: what cut an alert off may begin after a row that was not, and such a row has no time stamp.
    measured = np.isfinite(counts.values[series, episode.start : None if running else episode.last + 1])
    last = episode.start + int(np.flatnonzero(measured)[-1])
    one = Found(
        episode.kind,
        counts.scopes[series],
        series,
        episode.start,
        episode.raised,
        last,
        running,
        episode.learning,
        0.0,
        0.0,
        episode.score,
        episode.usual,
    )
    return _with_sums(counts, expected, one)


def _with_sums(counts: CountsGrid, expected: Array, one: Found) -> Found:
    """With the sums of all its measured rows."""
    rows = slice(one.start, one.last + 1)
    values, hoped = counts.values[one.series, rows], expected[one.series, rows]
    known = np.isfinite(values) & np.isfinite(hoped)
    return replace(one, observed=float(values[known].sum()), expected=float(hoped[known].sum()))


def as_json(counts: CountsGrid, rehearsal: Rehearsal) -> bytes:
    """One array of `{kind,start,end,region,service,observed,expected,ratio}`; times as the file wrote them, `end` the
    last row of the alert.
    """
    return orjson.dumps(
        [
            {
                "kind": one.kind.value,
                "start": counts.texts[one.start],
                "end": counts.texts[one.last],
                "region": one.scope.region,
                "service": one.scope.service,
                "observed": _number(one.observed),
                "expected": round(one.expected, 1),
                "ratio": None if one.ratio is None else round(one.ratio, 3),
            }
            for one in rehearsal.alerts
        ]
    )


def as_text(counts: CountsGrid, rehearsal: Rehearsal) -> list[str]:
    """One line an alert, and a last one that sums up."""
    days = len(set(counts.dates.tolist()))
    kinds = [f"{sum(one.kind.value == kind for one in rehearsal.alerts)} {kind}s" for kind in ("surge", "drop")]
    silences = sum(one.kind.value == "silence" for one in rehearsal.alerts)
    return [
        *(_line(counts, one) for one in rehearsal.alerts),
        f"{len(rehearsal.alerts)} alerts ({kinds[0]}, {kinds[1]}, {silences} silences) in {days} days of {len(counts.scopes)} series, "
        f"rows of {counts.step_minutes} min: {7 * len(rehearsal.alerts) / days:.2f} a week",
    ]


def _line(counts: CountsGrid, one: Found) -> str:
    start, end = counts.texts[one.start], counts.texts[one.last]
    where = " ".join(part for part in (one.scope.region, one.scope.service) if part) or "-"
    ratio = "" if one.ratio is None or one.kind == "silence" else f"  x{one.ratio:.2f}"
    normal = _normal_from(counts, one)
    told = (
        (one.running, "still running"),
        (one.score, f"score {one.score:.1f}, an ordinary day reaches {one.usual:.1f}"),
        (normal, f"learned as the new normal since {normal}"),
        (one.learning, "learning: few comparable days"),
    )
    notes = ", ".join(text for is_so, text in told if is_so)
    marks = f"  ({notes})" if notes else ""
    return f"{one.kind.value:7}  {start}  {end}  {where}  {one.observed:,.0f} where {one.expected:,.0f} were expected{ratio}{marks}"


def _normal_from(counts: CountsGrid, one: Found) -> str | None:
    """The first row of a lasting alert that is learned as usual."""
    step = counts.step_minutes
    since = normal_since(one.kind, one.start * step, (one.last + 1) * step)
    return None if since is None else next((text for text in counts.texts[since // step :] if text), None)


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 3)
