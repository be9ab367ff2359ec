"""Counts of an archive, judged region by region: each on its own clock and with its own calendar.

What was counted before the days that are asked for is learned from, as an observer does when it starts.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from streams.rehearse.clocks import local_days
from streams.rehearse.counts_file import CountsGrid
from streams.rehearse.judge_rows import Found, Progress, Rehearsal, rehearse
from streams.watch import AlertScope, Array, Index, KeysOf, Past, Sensitivity
from streams.watch.judging import KNOWN_PART_MIN
from streams.watch.store import Day

#: Rows of days before those that are judged: (rows) their epoch minutes in order, with gaps; (series, rows) counts of the same series, NaN
#: where not measured.
EarlierRows = tuple[Index, Array]


def counts_of(
    scopes: Sequence[AlertScope], first_minute: int, step_minutes: int, values: Array, zone: ZoneInfo
) -> CountsGrid:
    """Counts (series, rows) from epoch minute `first_minute` on; times are told in `zone`, with their offset."""
    minutes = first_minute + np.arange(values.shape[1]) * step_minutes
    dates, of_day = local_days(minutes, zone)
    known = np.asarray(np.isfinite(values).any(axis=0))
    texts = tuple(
        datetime.datetime.fromtimestamp(int(minute) * 60, zone).isoformat(timespec="minutes") if there else ""
        for minute, there in zip(minutes, known, strict=True)
    )
    return CountsGrid(tuple(scopes), step_minutes, first_minute, values, texts, dates, of_day // step_minutes)


def rehearse_regions(
    counts: CountsGrid,
    zone_of: Callable[[str], ZoneInfo],
    keys_of: Callable[[str], tuple[str, KeysOf]],
    *,
    least: Sensitivity,
    progress: Progress | None = None,
    earlier: EarlierRows | None = None,
) -> Rehearsal:
    """Judge the series of each clock and calendar together; `keys_of` gives a name for the calendar of a region, and its keys of days.

    Days of `earlier` are compared with, unjudged.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for place, scope in enumerate(counts.scopes):
        region = scope.region or ""
        groups.setdefault((zone_of(region).key, keys_of(region)[0]), []).append(place)
    minutes = counts.first_minute + np.arange(counts.values.shape[1]) * counts.step_minutes
    bands = [np.full(counts.values.shape, np.nan) for _ in range(3)]
    alerts: list[Found] = []
    for number, places in enumerate(groups.values()):
        region = counts.scopes[places[0]].region or ""
        dates, of_day = local_days(minutes, zone_of(region))
        part = replace(
            counts,
            scopes=tuple(counts.scopes[place] for place in places),
            values=counts.values[places],
            dates=dates,
            slots=of_day // counts.step_minutes,
        )
        keys = keys_of(region)[1]
        past = _past(earlier, places, part, zone_of(region), keys) if earlier else None
        found = rehearse(part, keys, least, _part_of(progress, number, len(groups)), past)
        alerts += [replace(one, series=places[one.series]) for one in found.alerts]
        for target, source in zip(bands, (found.expected, found.lower, found.upper), strict=True):
            target[places] = source
    return Rehearsal(tuple(sorted(alerts, key=lambda one: (one.start, one.series, one.kind))), *bands)


def _past(earlier: EarlierRows, places: list[int], part: CountsGrid, zone: ZoneInfo, keys_of: KeysOf) -> Past:
    """The local days of these series before the first judged one."""
    minutes, values = earlier
    dates, of_day = local_days(minutes, zone)
    slots = of_day // part.step_minutes
    past = Past()
    for ordinal in np.unique(dates[dates < part.dates[0]]).tolist():
        rows = np.flatnonzero(dates == ordinal)
        counts = np.full((len(places), -(-1440 // part.step_minutes)), np.nan)
        counts[:, slots[rows]] = values[places][:, rows]
        if np.isfinite(counts).any(axis=0).mean() >= KNOWN_PART_MIN:
            date = datetime.date.fromordinal(ordinal)
            past.add(Day.unjudged(date, keys_of(date), counts))
    return past


def _part_of(progress: Progress | None, number: int, groups: int) -> Progress | None:
    return None if progress is None else lambda done, days: progress(number * days + done, groups * days)
