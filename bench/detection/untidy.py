"""Simulated series that are no tidier than real ones: what is usual in them wavers as that of the real series that taught.

`python -m bench.detection.untidy DIR` measures how real series waver and prints what `FITTED` holds; `python -m bench.detection.real
--simulated 3` judges what is made of it. Nothing happens in these series, however far they waver: whatever is told of them is false.
"""

import datetime
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.detection.real_series import Real, load
from streams.watch import Array
from streams.watch.alert_types import Flags

HOURS_A_WEEK = 168
#: Days over which the slow level of a real series is taken, weeks of a series that is made; hours with fewer counts tell nothing.
LEVEL_DAYS, WEEKS, TELLING_MIN = 28, 40, 15.0
#: No model of a series with fewer of these hours, with more rows that are missing, or closed on some days (logarithm).
TELLING_HOURS_MIN, KNOWN_PART_MIN, OPEN_MAX = 500, 0.8, 0.4
FIRST = datetime.datetime(2025, 3, 3, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Wavering:
    """How a series wavers: standard deviation of a logarithm, what is left of it a step later (autocorrelation), and the degrees of
    freedom of its tails (Student's t).
    """

    spread: float
    kept: float
    tails: float

    def walk(self, steps: int, rng: np.random.Generator) -> Array:
        """(steps) logarithms: an autoregression whose innovations have these tails."""
        shocks = rng.standard_t(self.tails, steps) * np.sqrt((self.tails - 2.0) / self.tails)
        shocks *= self.spread * np.sqrt(1.0 - self.kept**2)
        found, value = np.empty(steps), 0.0
        for place, shock in enumerate(shocks.tolist()):
            value = self.kept * value + shock
            found[place] = value
        return found


@dataclass(frozen=True, slots=True)
class Untidy:
    """What a real series is like: rows, counts an hour, how deep its nights are (part of a mean hour), its weekend, days and hours, and
    the part of its rows that is missing.
    """

    name: str
    step_minutes: int
    mean_an_hour: float
    night: float
    weekend: float
    days: Wavering
    hours: Wavering
    missing: float


#: By `python -m bench.detection.untidy DIR`, from the series that taught.
FITTED = (
    Untidy("New York departures, 5 min", 5, 37.5, 0.01, 0.85, Wavering(0.072, 0.61, 4.4), Wavering(0.01, 0.95, 5.4), 0.0),
    Untidy("LaGuardia departures, 30 min", 30, 11.6, 0.01, 0.76, Wavering(0.095, 0.49, 4.4), Wavering(0.01, 0.49, 5.0), 0.0),
    Untidy("US departures, 1 min", 1, 690.8, 0.01, 0.92, Wavering(0.024, 0.4, 4.4), Wavering(0.067, 0.47, 4.6), 0.0),
    Untidy("Denver departures, 15 min", 15, 15.4, 0.01, 0.96, Wavering(0.046, 0.45, 4.2), Wavering(0.01, 0.13, 4.4), 0.0),
    Untidy("bike hires, 60 min", 60, 420.5, 0.02, 0.9, Wavering(0.339, 0.49, 4.9), Wavering(0.313, 0.78, 5.3), 0.0),
    Untidy("vehicles, 60 min", 60, 3320.7, 0.11, 0.74, Wavering(0.096, 0.48, 4.3), Wavering(0.127, 0.95, 4.7), 0.006),
    Untidy("walkers 45 Queen Street, 60 min", 60, 581.7, 0.04, 0.8, Wavering(0.115, 0.29, 5.6), Wavering(0.279, 0.62, 5.3), 0.0),
    Untidy("walkers 150 K Road, 60 min", 60, 144.7, 0.16, 0.9, Wavering(0.134, 0.49, 4.9), Wavering(0.196, 0.39, 6.0), 0.008),
    Untidy("electricity, 12 weeks, 30 min", 30, 59234.3, 0.74, 0.83, Wavering(0.023, 0.91, 30.0), Wavering(0.013, 0.67, 5.2), 0.0),
    Untidy("Phoenix departures, 60 min", 60, 21.4, 0.01, 0.92, Wavering(0.023, 0.39, 4.7), Wavering(0.115, 0.0, 7.8), 0.0),
)  # fmt: skip


def make(one: Untidy, seed: int) -> Real:
    """A series of `WEEKS` weeks in which nothing happens."""
    rng = np.random.default_rng([seed, *one.name.encode()])
    days = WEEKS * 7
    hour = np.arange(24)
    shape = one.night + (1.0 - one.night) * np.clip(np.sin((hour - 6.0) / 16.0 * np.pi), 0.0, None) * 1.6
    weekend = np.where(np.arange(days) % 7 > 4, one.weekend, 1.0)
    level = np.exp(one.days.walk(days, rng))[:, None] * weekend[:, None] * one.mean_an_hour * shape[None, :]
    by_hour = level.ravel() * np.exp(one.hours.walk(days * 24, rng))
    rows = max(1, 60 // one.step_minutes)
    counts = rng.poisson(np.repeat(by_hour / rows, rows)).astype(np.float64)
    counts[rng.random(len(counts)) < one.missing] = np.nan
    return Real(f"like {one.name}", FIRST, one.step_minutes, counts, frozenset())


def fit(one: Real) -> Untidy | None:
    """How a real series wavers around its hours of the week and its slow level; None where it has too few weeks or counts."""
    rows = 60 // one.step_minutes
    whole = len(one.counts) // (rows * 24) * 24
    hours = one.counts[: whole * rows].reshape(whole, rows).sum(axis=1).reshape(-1, 24)
    days = len(hours)
    if days < 2 * LEVEL_DAYS or np.isfinite(one.counts).mean() < KNOWN_PART_MIN:
        return None
    weekday = (np.arange(days) + one.first.weekday()) % 7
    total = np.nanmean(hours, axis=1)
    slow = np.array([np.nanmedian(total[max(0, day - LEVEL_DAYS) : day + LEVEL_DAYS]) for day in range(days)])
    profile = np.stack([np.nanmedian(hours[weekday == day] / slow[weekday == day, None], axis=0) for day in range(7)])
    hoped = profile[weekday] * slow[:, None]
    of_day = np.log(
        (np.nansum(hours, axis=1) + 0.5) / (np.nansum(np.where(np.isfinite(hours), hoped, 0.0), axis=1) + 0.5)
    )
    left = np.log((hours + 0.5) / (hoped + 0.5)) - of_day[:, None]
    telling = np.isfinite(left) & (hoped >= TELLING_MIN)
    if telling.sum() < TELLING_HOURS_MIN or np.median(np.abs(of_day)) > OPEN_MAX:
        return None
    counting = np.where(telling, 1.0 / np.maximum(hoped, 1.0), 0.0)
    mean = float(np.nanmean(hours))
    by_hour = np.nanmean(profile, axis=0)
    return Untidy(
        one.name,
        one.step_minutes,
        round(mean, 1),
        round(float(np.clip(by_hour.min() / by_hour.mean(), 0.01, 1.0)), 2),
        round(float(profile[5:].mean() / profile[:5].mean()), 2),
        _wavering(of_day, np.isfinite(of_day), np.zeros(days)),
        _wavering(left.ravel(), telling.ravel(), counting.ravel()),
        round(float(np.mean(~np.isfinite(one.counts))), 3),
    )


def _wavering(values: Array, telling: Flags, counting: Array) -> Wavering:
    """Of values of which `telling` count; `counting` is the variance that chance explains."""
    known = values[telling]
    known = known - np.median(known)
    # What a series does on its strangest days in a hundred are events, or holidays, as often as not.
    known = np.clip(known, *np.quantile(known, (0.005, 0.995)))
    variance = max(float(known.var() - counting[telling].mean()), 1e-4)
    pairs = np.logical_and(telling[1:], telling[:-1])
    middle = np.median(values[telling])
    kept = float(np.mean((values[1:][pairs] - middle) * (values[:-1][pairs] - middle)) / known.var())
    excess = float(np.mean(known**4) / known.var() ** 2 - 3.0)
    tails = float(np.clip(4.0 + 6.0 / max(excess, 0.05), 3.0, 30.0))
    return Wavering(round(variance**0.5, 3), round(float(np.clip(kept, 0.0, 0.95)), 2), round(tails, 1))


if __name__ == "__main__":
    for found in (fit(one) for one in load(Path(sys.argv[1]))):
        if found is not None:
            print(f"    {found!r},")
