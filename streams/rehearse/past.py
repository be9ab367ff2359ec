"""Counts of an archive, judged region by region: each on its own clock and with its own calendar."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from streams.rehearse.counts_file import Counts, local_days
from streams.rehearse.run import Found, Progress, Rehearsal, rehearse
from streams.watch import Array, KeysOf, Scope, Sensitivity


def counts_of(scopes: Sequence[Scope], first_minute: int, step_minutes: int, values: Array, zone: ZoneInfo) -> Counts:
    """Counts (series, rows) from epoch minute `first_minute` on; times are told in `zone`, with their offset."""
    minutes = first_minute + np.arange(values.shape[1]) * step_minutes
    dates, of_day = local_days(minutes, zone)
    known = np.asarray(np.isfinite(values).any(axis=0))
    texts = tuple(
        datetime.datetime.fromtimestamp(int(minute) * 60, zone).isoformat(timespec="minutes") if there else ""
        for minute, there in zip(minutes, known, strict=True)
    )
    return Counts(tuple(scopes), step_minutes, first_minute, values, texts, dates, of_day // step_minutes)


def rehearse_regions(
    counts: Counts,
    zone_of: Callable[[str], ZoneInfo],
    keys_of: Callable[[str], tuple[str, KeysOf]],
    least: Sensitivity,
    progress: Progress | None = None,
) -> Rehearsal:
    """Judge the series of each clock and calendar together; `keys_of` gives a name for the calendar of a region, and its keys of days."""
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
        found = rehearse(part, keys_of(region)[1], least, _part_of(progress, number, len(groups)))
        alerts += [replace(one, series=places[one.series]) for one in found.alerts]
        for target, source in zip(bands, (found.expected, found.lower, found.upper), strict=True):
            target[places] = source
    alerts.sort(key=lambda one: (one.start, one.series, one.kind))
    return Rehearsal(tuple(alerts), bands[0], bands[1], bands[2])


def _part_of(progress: Progress | None, number: int, groups: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, days: progress(number * days + done, groups * days)
