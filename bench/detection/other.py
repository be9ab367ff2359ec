"""`python -m bench.detection.other`: the detector on series of other kinds, judged as `vigie rehearse` does without a calendar.

Prints by kind: recall, delay, how well {start, end} lie over the truth, and false alerts a week in the series without events and
around the events; then every miss and false alert with `--all`.
"""

import argparse
import sys
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from bench.detection.kinds import SHAPES, Event, Made, make
from streams.rehearse import Found, counts_of, rehearse
from streams.watch import SENSITIVITIES, AlertKind, AlertScope, Array, Sensitivity
from streams.watch.comparable_days import weekly

SEEDS = (1, 2, 3)
#: An alert that lies within so many minutes (at least a row) of an event belongs to it.
NEAR_MINUTES = 30


@dataclass(frozen=True, slots=True)
class Told:
    """What one series showed: per event the alert that found it, and alerts that belong to none."""

    made: Made
    hits: tuple[tuple[Event, Found | None], ...]
    ordinary: tuple[Found, ...]
    stray: tuple[Found, ...]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench.detection.other")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--sensitivity", choices=sorted(SENSITIVITIES), default="normal")
    parser.add_argument("--kind", default="", help="part of a name")
    parser.add_argument("--all", action="store_true", help="every miss and false alert")
    options = parser.parse_args()
    print(
        f"{'kind':30}{'events':>7}{'recall':>8}{'delay':>7}{'start':>7}{'end':>8}{'over':>6}{'false/week':>12}{'stray':>7}"
    )
    for shape in SHAPES:
        if options.kind in shape.name:
            told = [
                judge(make(shape, int(seed)), SENSITIVITIES[options.sensitivity]) for seed in options.seeds.split(",")
            ]
            print(row(told))
            if options.all:
                for one in told:
                    print_all(one)
    return 0


def judge(made: Made, least: Sensitivity) -> Told:
    """The series without events, and with them."""
    ordinary, eventful = (_alerts(made, counts, least) for counts in (made.ordinary, made.eventful))
    near = max(1, NEAR_MINUTES // made.shape.step_minutes)
    hits = tuple((event, found_by(event, eventful)) for event in made.events)
    stray = tuple(one for one in eventful if not any(_overlap(one, event, near) for event in made.events))
    return Told(made, hits, tuple(ordinary), stray)


def _alerts(made: Made, counts: Array, least: Sensitivity) -> list[Found]:
    minute = int(made.first.timestamp()) // 60
    series = counts_of([AlertScope()], minute, made.shape.step_minutes, counts[None, :], ZoneInfo("UTC"))
    return list(rehearse(series, weekly, least).alerts)


def _overlap(one: Found, event: Event, near: int = 0) -> bool:
    return one.start < event.until + near and one.last >= event.begin - near


def found_by(event: Event, alerts: list[Found]) -> Found | None:
    """The alert that tells of an event best."""
    kinds = (AlertKind.SURGE,) if event.kind is AlertKind.SURGE else (AlertKind.DROP, AlertKind.SILENCE)
    fitting = [one for one in alerts if one.kind in kinds and _overlap(one, event) and one.raised < event.until + 2]
    return max(fitting, key=lambda one: over(event, one), default=None)


def over(event: Event, one: Found) -> float:
    """Rows in both over rows in either."""
    both = min(one.last + 1, event.until) - max(one.start, event.begin)
    return max(both, 0) / (max(one.last + 1, event.until) - min(one.start, event.begin))


def row(told: list[Told]) -> str:
    """One line of the table."""
    shape = told[0].made.shape
    weeks = sum(one.made.shape.days for one in told) / 7
    hits = [(event, found) for one in told for event, found in one.hits]
    pairs = [(event, found) for event, found in hits if found is not None]
    cells = ["-"] * 5
    if pairs:
        late = [(found.raised - event.begin + 1) * shape.step_minutes for event, found in pairs]
        start = [(found.start - event.begin) * shape.step_minutes for event, found in pairs]
        end = [(found.last + 1 - event.until) * shape.step_minutes for event, found in pairs]
        both = [over(event, found) for event, found in pairs]
        cells = [f"{len(pairs) / len(hits):.2f}", f"{np.median(late):.0f}", f"{np.mean(np.abs(start)):.0f}"]
        cells += [f"{np.mean(np.abs(end)):.0f}", f"{np.mean(both):.2f}"]
    false, stray = sum(len(one.ordinary) for one in told) / weeks, sum(len(one.stray) for one in told) / weeks
    return f"{shape.name:30}{len(hits):7}{cells[0]:>8}{cells[1]:>7}{cells[2]:>7}{cells[3]:>8}{cells[4]:>6}{false:12.2f}{stray:7.2f}"


def print_all(one: Told) -> None:
    """Misses, poor matches, false alerts."""
    a_day = one.made.shape.rows_a_day
    for event, found in one.hits:
        if found is None or over(event, found) < 0.5:
            said = (
                "missed"
                if found is None
                else f"told {found.start - event.begin:+d} to {found.last + 1 - event.until:+d}"
            )
            print(
                f"    {event.kind} x{event.factor} day {event.begin / a_day:.2f}, {event.until - event.begin} rows: {said}"
            )
    for name, alerts in (("false", one.ordinary), ("stray", one.stray)):
        for alert in alerts:
            print(
                f"    {name}: {alert.kind} day {alert.start / a_day:.2f}, {alert.last + 1 - alert.start} rows, "
                f"{alert.observed:.0f} where {alert.expected:.0f}{' learning' if alert.learning else ''}"
            )


if __name__ == "__main__":
    sys.exit(main())
