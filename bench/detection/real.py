"""`python -m bench.detection.real DIR`: the detector on real series, whose files lie in DIR; see docs/detection.md.

Each series is judged twice, as `vigie rehearse` does without a calendar: as it was, which tells alerts a week, and with surges, drops
and silences of known size put in at seeded places where nothing was told of it, which tells recall, delay and how well they are told.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from bench.detection.kinds import Event
from bench.detection.other import found_by, over
from bench.detection.real_series import Real, load
from streams.errors import InputError
from streams.rehearse import Found, counts_of, rehearse
from streams.watch import SENSITIVITIES, AlertKind, AlertScope, Array
from streams.watch.days import weekly

#: (factor, minutes) of what is put in, in turn.
PUT_IN = ((2.0, 60), (0.0, 60), (1.5, 180), (0.5, 120), (3.0, 30), (1.5, 1440), (0.0, 480), (0.5, 1440), (2.0, 300))
#: Days between two of them, days at the start that are only learned from (of short series a part), and what can be seen at all.
APART_DAYS, LEARN_DAYS, LEARN_PART, COUNTS_MIN = 10.0, 28.0, 0.4, 40.0
CLEAR_DAYS = 1.0


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench.detection.real")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sensitivity", choices=sorted(SENSITIVITIES), default="normal")
    parser.add_argument("--series", default="", help="part of a name")
    parser.add_argument("--all", action="store_true", help="every alert as it was, every miss and poor match")
    options = parser.parse_args()
    try:
        series = load(options.directory)
    except InputError as error:
        print(f"bench.detection.real: {error}", file=sys.stderr)
        return 2
    names = ("series", "events", "recall", "delay", "start", "end", "over", "ratio", "a week", "unknown")
    print(f"{names[0]:32}" + "".join(f"{name:>8}" for name in names[1:]))
    totals: list[tuple[int, int]] = []
    for one in series:
        if options.series in one.name:
            totals.append(_judge(one, options))
    print(f"{sum(found for found, _ in totals)} of {sum(all_ for _, all_ in totals)} events found")
    return 0


def _judge(one: Real, options: argparse.Namespace) -> tuple[int, int]:
    rng = np.random.default_rng([options.seed, *one.name.encode()])
    ordinary = _alerts(one, one.counts, options.sensitivity)
    events = _placed(one, ordinary, rng)
    eventful = _alerts(one, _changed(one.counts, events, rng), options.sensitivity)
    hits = [(event, found_by(event, eventful)) for event in events]
    unknown = [alert for alert in ordinary if not _days(one, alert) & one.known]
    weeks = len(one.counts) * one.step_minutes / (7 * 1440)
    pairs = [(event, found) for event, found in hits if found is not None]
    cells = ["-"] * 6
    if pairs:
        late = [(found.raised - event.begin + 1) * one.step_minutes for event, found in pairs]
        start = [abs(found.start - event.begin) * one.step_minutes for event, found in pairs]
        end = [abs(found.last + 1 - event.until) * one.step_minutes for event, found in pairs]
        ratio = [abs(np.log(found.ratio / event.factor)) for event, found in pairs if event.factor > 0 and found.ratio]
        cells = [
            f"{len(pairs) / len(hits):.2f}",
            f"{np.median(late):.0f}",
            f"{np.mean(start):.0f}",
            f"{np.mean(end):.0f}",
        ]
        cells += [f"{np.mean([over(event, found) for event, found in pairs]):.2f}"]
        cells += [f"{100 * np.expm1(np.median(ratio)):.0f} %" if ratio else "-"]
    cells += [f"{len(ordinary) / weeks:.2f}", f"{len(unknown) / weeks:.2f}"]
    print(f"{one.name:32}{len(events):8}" + "".join(f"{cell:>8}" for cell in cells), flush=True)
    if options.all:
        _print_all(one, hits, ordinary)
    return len(pairs), len(hits)


def _alerts(one: Real, counts: Array, sensitivity: str) -> list[Found]:
    minute = int(one.first.timestamp()) // 60
    series = counts_of([AlertScope()], minute, one.step_minutes, counts[None, :], ZoneInfo("UTC"))
    return list(rehearse(series, weekly, SENSITIVITIES[sensitivity]).alerts)


def _placed(one: Real, ordinary: list[Found], rng: np.random.Generator) -> list[Event]:
    """Where nothing was told for a day, everything was measured, and at least `COUNTS_MIN` counts are too many or missing."""
    a_day = 1440 / one.step_minutes
    days = len(one.counts) / a_day
    found: list[Event] = []
    day, number = min(LEARN_DAYS, LEARN_PART * days), 0
    clear = round(CLEAR_DAYS * a_day)
    while day < days - 1.5:
        factor, minutes = PUT_IN[number % len(PUT_IN)]
        begin = round((day + rng.uniform(0, 1.0)) * a_day)
        until = begin + max(1, minutes // one.step_minutes)
        rows = one.counts[begin:until]
        quiet = not any(alert.start < until + clear and alert.last >= begin - clear for alert in ordinary)
        # The count just here, too: an hour in which chance gave ten times as many is no place for half as many.
        if until <= len(one.counts) and quiet and _can_be_seen(rows, factor):
            kind = AlertKind.SURGE if factor > 1 else AlertKind.DROP if factor > 0 else AlertKind.SILENCE
            found.append(Event(kind, begin, until, factor))
            number += 1
            day += min(APART_DAYS, days / 10)
        else:
            day += 0.21
            number += int(rng.random() < 0.1)  # no place may be good enough for it
    return found


def _can_be_seen(rows: Array, factor: float) -> bool:
    return bool(np.isfinite(rows).all() and (rows > 0).mean() > 0.5 and rows.sum() * abs(factor - 1.0) >= COUNTS_MIN)


def _changed(counts: Array, events: list[Event], rng: np.random.Generator) -> Array:
    """The series with the events: each count is thinned, or as many more come as chance has it."""
    changed = counts.copy()
    for event in events:
        rows = changed[event.begin : event.until]
        more = rng.poisson(rows * max(event.factor - 1.0, 0.0))
        kept = rng.binomial(rows.astype(np.int64), min(event.factor, 1.0))
        changed[event.begin : event.until] = kept + more
    return changed


def _days(one: Real, alert: Found) -> set[datetime.date]:
    times = (one.first + datetime.timedelta(minutes=row * one.step_minutes) for row in (alert.start, alert.last))
    return {time.date() for time in times}


def _print_all(one: Real, hits: list[tuple[Event, Found | None]], ordinary: list[Found]) -> None:
    def at(row: int) -> str:
        return f"{one.first + datetime.timedelta(minutes=row * one.step_minutes):%Y-%m-%d %H:%M}"

    for event, found in hits:
        if found is None or over(event, found) < 0.5:
            said = (
                "missed"
                if found is None
                else f"told {found.start - event.begin:+d} to {found.last + 1 - event.until:+d}"
            )
            base = one.counts[event.begin : event.until].sum()
            print(f"    x{event.factor} {at(event.begin)}, {event.until - event.begin} rows of {base:.0f}: {said}")
    for alert in ordinary:
        known = "known" if _days(one, alert) & one.known else ""
        print(
            f"    {alert.kind} {at(alert.start)} to {at(alert.last)}, {alert.observed:.0f} where {alert.expected:.0f} {known}"
        )


if __name__ == "__main__":
    sys.exit(main())
