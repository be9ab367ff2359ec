"""Forecasts of real series, held against what came: `python -m bench.forecast DIR [--library]`; DIR as for `bench.detection.real`.

The last 120 days of each series that has seven months, one day and one week ahead, without a calendar: ours, the same weekday of last
week, the mean of four such weekdays, and with --library MSTL of statsforecast (`pip install statsforecast`) on the last ten weeks, daily
and weekly seasons, every tenth day, for rows of half an hour or more. Errors are sums of absolute differences over the sum of counts, by
quarter of an hour or the series' own step.
"""

import argparse
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.detection.real_series import SET_ASIDE, SOURCES, Real, load
from streams.forecast.expectation import DAY_MINUTES, KnownDays, Values
from streams.forecast.forecaster import backtest
from streams.history import DayType

DAYS_MIN, JUDGED_DAYS, EVERY = 215, 120, 10
HORIZONS = (1, 7)
#: The library takes minutes for a day of finer rows.
LIBRARY_STEP_MIN = 30


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One series and horizon."""

    name: str
    horizon: int
    ours: float
    last_week: float
    four_weeks: float
    coverage: float
    library: float | None
    ours_then: float | None


def known_days(one: Real) -> KnownDays:
    """Its whole days; a row's count is spread evenly over its minutes."""
    rows_a_day = DAY_MINUTES // one.step_minutes
    first = -(one.first.hour * 60 + one.first.minute) // one.step_minutes % rows_a_day
    counts = one.counts[first:]
    begin = (one.first + datetime.timedelta(minutes=first * one.step_minutes)).date()
    found = {}
    for number in range(len(counts) // rows_a_day):
        rows = counts[number * rows_a_day : (number + 1) * rows_a_day]
        if np.isfinite(rows).all():
            found[begin + datetime.timedelta(days=number)] = np.repeat(rows / one.step_minutes, one.step_minutes)[None]
    return KnownDays(found, lambda _day: (DayType.UNKNOWN,), lambda _day: None)


def library_error(known: KnownDays, days: Sequence[datetime.date], horizon: int, step: int) -> float:
    """Of statsforecast's MSTL, on rows of `step` minutes."""
    from statsforecast.models import MSTL  # type: ignore[import-not-found]

    rows_a_day = DAY_MINUTES // step
    wrong = total = 0.0
    for day in days:
        last = day - datetime.timedelta(days=horizon)
        past = [last - datetime.timedelta(days=back) for back in range(69, -1, -1)]
        if any(one not in known.days for one in (*past, day)):
            continue
        series = np.concatenate([_rows(known.days[one], step) for one in past])
        model = MSTL([rows_a_day, 7 * rows_a_day])
        told = model.forecast(y=series, h=rows_a_day * horizon)["mean"][-rows_a_day:]
        actual = _rows(known.days[day], step)
        wrong, total = wrong + float(np.abs(np.maximum(told, 0.0) - actual).sum()), total + float(actual.sum())
    return wrong / total if total else float("nan")


def _rows(table: Values, step: int) -> Values:
    return np.asarray(table[0].reshape(-1, step).sum(axis=1))


def judge(one: Real, *, with_library: bool) -> list[ForecastRow]:
    """Both horizons of a series, none where it is too short."""
    known = known_days(one)
    days = sorted(known.days)
    if len(days) < DAYS_MIN:
        return []
    found = []
    for horizon in HORIZONS:
        score = backtest([known], days[-JUDGED_DAYS:], horizon)
        if score is None:
            continue
        chosen = days[-JUDGED_DAYS::EVERY]
        asked = with_library and one.step_minutes >= LIBRARY_STEP_MIN
        library = library_error(known, chosen, horizon, one.step_minutes) if asked else None
        then = backtest([known], chosen, horizon) if asked else None
        found.append(
            ForecastRow(
                one.name,
                horizon,
                score.error,
                score.error_last_week,
                score.error_four_weeks,
                score.coverage,
                library,
                then.error if then else None,
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--library", action="store_true")
    asked = parser.parse_args()
    print("| series | days ahead | error | last week | mean of four | within 10–90 % | MSTL | error on its days |")
    print("|---|---|---|---|---|---|---|---|")
    for one in load(asked.directory, (*SOURCES, *SET_ASIDE)):
        for row in judge(one, with_library=asked.library):
            library = "-" if row.library is None else f"{row.library:.1%}"
            then = "-" if row.ours_then is None else f"{row.ours_then:.1%}"
            print(
                f"| {row.name} | {row.horizon} | {row.ours:.1%} | {row.last_week:.1%} | {row.four_weeks:.1%} | {row.coverage:.1%} | "
                f"{library} | {then} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
