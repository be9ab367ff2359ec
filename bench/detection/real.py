"""`python -m bench.detection.real DIR`: the detector on real series, whose files lie in DIR; see docs/detection.md.

Each series is judged twice, as `vigie rehearse` does without a calendar: as it was, which tells alerts a week, and with surges, drops
and silences of known size put in at seeded places where nothing was told of it, which tells recall, delay and how well they are told.
"""

import argparse
import datetime
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from bench.detection import untidy
from bench.detection.kinds import Event
from bench.detection.other import found_by, over
from bench.detection.real_series import FOURTH_SET_ASIDE, SET_ASIDE, SOURCES, THIRD_SET_ASIDE, Real, load
from streams.errors import InputError
from streams.rehearse import Found, counts_of, rehearse
from streams.watch import SENSITIVITIES, AlertKind, AlertScope, Array, Sensitivity
from streams.watch.comparable_days import weekly

#: (factor, minutes) of what is put in, in turn.
PUT_IN = ((2.0, 60), (0.0, 60), (1.5, 180), (0.5, 120), (3.0, 30), (1.5, 1440), (0.0, 480), (0.5, 1440), (2.0, 300))
#: Days between two of them, days at the start that are only learned from (of short series a part), and what can be seen at all.
APART_DAYS, LEARN_DAYS, LEARN_PART, COUNTS_MIN = 10.0, 28.0, 0.4, 40.0
CLEAR_DAYS = 1.0
#: Events that recur: on so many of the evenings, from which day on, how long where rows are short.
RECURRING_PART, RECURRING_FROM_DAY, RECURRING_MINUTES = 0.45, 3, 90
#: A Poisson count is within so much of its mean, in roots, in 95 % of cases; weeks of a month.
POISSON_HALF, WEEKS_A_MONTH = 0.98, 365.25 / 12 / 7
#: Series by `--set-aside`.
GROUPS = {0: SOURCES, 1: SET_ASIDE, 3: THIRD_SET_ASIDE, 4: FOURTH_SET_ASIDE}
#: The same alerts so many days later tell what luck would find.
LUCK_DAYS = (2, 5, 9)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench.detection.real")
    parser.add_argument("directory", type=Path, nargs="?", help="where the packages are unpacked")
    parser.add_argument(
        "--simulated", type=int, default=0, metavar="SEEDS", help="series like real ones, of so many seeds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sensitivity", choices=sorted(SENSITIVITIES), default="normal")
    parser.add_argument("--series", default="", help="part of a name")
    parser.add_argument(
        "--set-aside",
        type=int,
        default=0,
        choices=(1, 3, 4),
        help="series that were set aside, first, third or fourth, in place of those that taught (the second group is among these)",
    )
    parser.add_argument("--all", action="store_true", help="every alert as it was, every miss and poor match")
    options = parser.parse_args()
    if bool(options.simulated) == bool(options.directory):
        parser.error("give either a directory or --simulated")
    try:
        series = (
            load(options.directory, GROUPS[options.set_aside]) if options.directory else simulated(options.simulated)
        )
    except InputError as error:
        print(f"bench.detection.real: {error}", file=sys.stderr)
        return 2
    names = ("events", "recall", "delay", "over", "ratio", "luck", "told", "a week", "unknown", "recur", "beside")
    chosen = [one for one in series if options.series in one.name]
    least = SENSITIVITIES[options.sensitivity]
    print(f"{'series':32}" + "".join(f"{name:>8}" for name in names))
    rows = [_judge(one, options) for one in chosen]
    print(
        f"mean recall {np.nanmean([row.recall for row in rows]):.2f}, unknown a week in the median "
        f"{np.nanmedian([row.unknown_a_week for row in rows]):.2f}; recurring: recall {np.nanmean([row.recurring for row in rows]):.2f}, "
        f"unknown others a week in the median {np.nanmedian([row.beside_a_week for row in rows]):.2f}"
    )
    if options.simulated:
        print(against_budget(sum(row.unknown for row in rows), sum(row.weeks for row in rows), least))
    return 0


def simulated(seeds: int) -> list[Real]:
    """Series in which nothing happens, as untidy as real ones."""
    return [untidy.make(one, seed) for seed in range(1, seeds + 1) for one in untidy.FITTED]


def against_budget(told: int, weeks: float, least: Sensitivity) -> str:
    """A sentence: false alerts of all series together, beside what they may cost."""
    may = least.budget_a_month * weeks / WEEKS_A_MONTH
    low, high = max(0.0, told**0.5 - POISSON_HALF) ** 2, ((told + 1.0) ** 0.5 + POISSON_HALF) ** 2
    return (
        f"{told} false alerts in {weeks:.0f} weeks (95 % of Poisson: {low:.0f} to {high:.0f}), budget {may:.0f}: "
        f"{told / may:.2f} times ({low / may:.2f} to {high / may:.2f})"
    )


@dataclass(frozen=True, slots=True)
class Row:
    """What one series showed; `cells` as the table prints them."""

    name: str
    recall: float
    unknown_a_week: float
    recurring: float
    beside_a_week: float
    unknown: int
    weeks: float
    cells: tuple[str, ...]


def _judge(one: Real, options: argparse.Namespace) -> Row:
    least = SENSITIVITIES[options.sensitivity]
    rng = np.random.default_rng([options.seed, *one.name.encode()])
    [ordinary] = _alerts(one, [one.counts], least)
    events, evenings = _placed(one, ordinary, rng), recurring(one, options.seed)
    tables = [_changed(one.counts, put_in, rng) for put_in in (events, evenings) if put_in]
    told_of = iter(_alerts(one, tables, least))
    eventful, again = (next(told_of) if put_in else [] for put_in in (events, evenings))
    hits = [(event, found_by(event, eventful)) for event in events]
    unknown = [alert for alert in ordinary if not _days(one, alert) & one.known]
    rows_a_day = 1440 / one.step_minutes
    weeks = len(one.counts) / rows_a_day / 7
    pairs = [(event, found) for event, found in hits if found is not None]
    cells = ["-"] * 4
    if pairs:
        late = [(found.raised - event.begin + 1) * one.step_minutes for event, found in pairs]
        ratio = [abs(np.log(found.ratio / event.factor)) for event, found in pairs if event.factor > 0 and found.ratio]
        cells = [f"{len(pairs) / len(hits):.2f}", f"{np.median(late):.0f}"]
        cells += [f"{np.mean([over(event, found) for event, found in pairs]):.2f}"]
        cells += [f"{100 * np.expm1(np.median(ratio)):.0f} %" if ratio else "-"]
    luck = np.mean([_by_luck(events, eventful, round(days * rows_a_day)) for days in LUCK_DAYS]) if events else 0.0
    told = sum(alert.last + 1 - alert.start for alert in ordinary) / max(int(np.isfinite(one.counts).sum()), 1)
    near = max(1, 60 // one.step_minutes)
    apart = [a for a in again if not any(a.start < e.until + near and a.last >= e.begin - near for e in evenings)]
    beside = [alert for alert in apart if not _days(one, alert) & one.known]
    recurs = sum(found_by(event, again) is not None for event in evenings) / max(len(evenings), 1)
    cells += [f"{luck:.2f}", f"{100 * told:.1f} %", f"{len(ordinary) / weeks:.2f}", f"{len(unknown) / weeks:.2f}"]
    cells += [f"{recurs:.2f}", f"{len(beside) / weeks:.2f}"] if evenings else ["-", "-"]
    cells = [str(len(events)), *cells]
    print(f"{one.name:32}" + "".join(f"{cell:>8}" for cell in cells), flush=True)
    if options.all:
        _print_all(one, hits, ordinary)
    recall = len(pairs) / len(hits) if hits else np.nan
    found = (len(unknown) / weeks, recurs if evenings else np.nan, len(beside) / weeks if evenings else np.nan)
    return Row(one.name, recall, *found, len(unknown), weeks, tuple(cells))


def _by_luck(events: list[Event], alerts: list[Found], rows: int) -> float:
    """Part of the events that the same alerts would have found had they come so much later."""
    moved = [replace(one, start=one.start + rows, last=one.last + rows, raised=one.raised + rows) for one in alerts]
    return sum(found_by(event, moved) is not None for event in events) / len(events)


def recurring(one: Real, seed: int) -> list[Event]:
    """x2 for 90 or 120 minutes on 45 % of the evenings, from the fourth day on, where that is at least 20 counts."""
    rng = np.random.default_rng([seed, 45, *one.name.encode()])
    minutes = RECURRING_MINUTES if one.step_minutes < 60 else 120
    first, found = one.first.hour * 60 + one.first.minute, []
    for day in range(RECURRING_FROM_DAY, len(one.counts) * one.step_minutes // 1440):
        begin = int((day * 1440 + rng.choice((1080, 1140)) - first) // one.step_minutes)
        until = begin + minutes // one.step_minutes
        rows = one.counts[begin:until]
        if rng.random() < RECURRING_PART and until < len(one.counts) and np.isfinite(rows).all() and rows.sum() >= 20:
            found.append(Event(AlertKind.SURGE, begin, until, 2.0))
    return found


def _alerts(one: Real, tables: list[Array], least: Sensitivity) -> list[list[Found]]:
    """Of each table of counts; they are judged side by side, which is quicker."""
    if not tables:
        return []
    minute = int(one.first.timestamp()) // 60
    scopes = [AlertScope(project=str(number)) for number in range(len(tables))]
    series = counts_of(scopes, minute, one.step_minutes, np.stack(tables), ZoneInfo("UTC"))
    alerts = rehearse(series, weekly, least).alerts
    return [[alert for alert in alerts if alert.series == number] for number in range(len(tables))]


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
