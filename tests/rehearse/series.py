"""Small files of counts with a known truth."""

import datetime
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

Rows = list[tuple[datetime.datetime, int]]
MONDAY = datetime.datetime.fromisoformat("2026-01-05")


def cycle(
    step: int = 60, weeks: int = 6, peak: float = 600.0, seed: int = 1, begin: datetime.datetime = MONDAY
) -> Rows:
    """A week's cycle of Poisson counts: a hump a day, weekends at a third; `peak` is the busiest row's mean."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(weeks * 7 * 1440 // step):
        moment = begin + datetime.timedelta(minutes=number * step)
        hour = moment.hour + moment.minute / 60
        mean = peak * (0.03 + np.exp(-(((hour - 13) / 4) ** 2))) * (1.0 if moment.weekday() < 5 else 0.33)
        rows.append((moment, int(rng.poisson(mean))))
    return rows


def changed(rows: Rows, begin: str, end: str, change: Callable[[int], float]) -> Rows:
    """The rows with those from `begin` to `end` (left out) changed."""
    first, last = datetime.datetime.fromisoformat(begin), datetime.datetime.fromisoformat(end)
    return [(moment, round(change(count)) if first <= moment < last else count) for moment, count in rows]


def write(path: Path, rows: Rows, form: str = "%Y-%m-%d %H:%M:%S") -> Path:
    """A file of `timestamp,count`."""
    return write_lines(path, ["timestamp,count", *(f"{moment.strftime(form)},{count}" for moment, count in rows)])


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path
