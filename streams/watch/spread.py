"""How much a series wavers around its expectation at each length and hour, learned from days that were judged. Pure."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import Array, Index
from streams.watch.scales import HOURS
from streams.watch.store import Past

#: Errors as they are kept.
Samples = NDArray[np.float32]

#: The quantile of the signed errors of whole days that is set beside that of a normal distribution: (probability, its normal quantile).
#: Lower than what is rare: what recurs for two hours on every other evening is in fewer than a tenth of the errors of a day.
DAY_QUANTILE = (0.85, 1.0364)
#: ... and of the errors around an hour, which is believed up to so many times what most of them tell.
TAIL_QUANTILE, TAIL_BELIEVED = (0.95, 1.645), 1.4
#: The densest half of normal errors is so many standard deviations wide.
HALF_WIDTH = 1.349
#: How much of the spread's logarithm the errors around an hour tell; the rest those of whole days.
HOUR_WEIGHT = 0.4
_SQUARE_MIN = 1e-5
#: Before anything is learned; weighed as so many days.
PRIOR_TAU = 0.2
PRIOR_DAYS = 0.5
TAU_MIN, TAU_MAX = 0.01, 1.5
#: Errors of so many days show what missing comparable days make of them; this part of their uncertainty is left all the same.
SHOWN_DAYS_MIN, SHOWN_PART_LEFT = 4, 0.3
#: Fewer errors tell no quantile.
KNOWN_MIN = 8


@dataclass(frozen=True, slots=True)
class Spread:
    """`tau` (2 directions: up, down; series, windows, hours): standard deviations of log(observed / expected) beyond counting noise;
    learned from so many `days`, which were unsure by `extra` themselves.
    """

    tau: Array
    days: int
    extra: float

    def beyond(self, extra: float) -> float:
        """What is left of a day's uncertainty `extra`, as far as days like it did not show it in their errors."""
        if self.days < SHOWN_DAYS_MIN:
            return extra
        return math.sqrt(max(extra**2 - self.extra**2, (SHOWN_PART_LEFT * extra) ** 2))

    def level(self, window: int) -> Array:
        """(series): of one window, the middle of the hours, of both directions."""
        return np.asarray(np.median(self.tau[:, :, window], axis=2).mean(axis=0))


def learn_spread(past: Past, series: int, windows: int) -> Spread:
    """From the residuals of the last days; of a new series, what is usual."""
    kept = past.residuals()
    prior = np.full((2, series, windows, HOURS), PRIOR_TAU**2)
    if not kept:
        return Spread(np.sqrt(prior), 0, 0.0)
    error = np.concatenate([one.error for one in kept], axis=3)
    # What is not known lies below everything.
    noise = np.where(np.isfinite(error), np.concatenate([one.noise for one in kept], axis=3), np.float32(np.inf))
    # Of an hour the densest half, whatever the direction: an event on two evenings of five does not widen it.
    near = Sample.of(_with_neighbours(error), _with_neighbours(noise))
    by_hour = near.dense_square()
    whole = Sample.of(error.reshape(series, windows, 1, -1), noise.reshape(series, windows, 1, -1))
    square = np.empty_like(prior)
    for direction, sign in enumerate((1.0, -1.0)):
        of_day = np.maximum(whole.quantile_square(sign, DAY_QUANTILE), _SQUARE_MIN)
        most = np.maximum(by_hour, _SQUARE_MIN) ** HOUR_WEIGHT * of_day ** (1.0 - HOUR_WEIGHT)
        # What is rare in an hour and not far beyond is how the hour is; what is far beyond are events.
        rare = near.quantile_square(sign, TAIL_QUANTILE)
        square[direction] = np.where(rare <= TAIL_BELIEVED**2 * most, np.maximum(rare, most), most)
    # Half of what a direction shows: a few weeks do not tell them apart well.
    square = 0.5 * square + 0.5 * square.mean(axis=0)
    days, extra = len(kept), math.sqrt(sum(one.extra**2 for one in kept) / len(kept))
    square = np.clip(square, TAU_MIN**2, TAU_MAX**2)
    return Spread(np.exp((days * np.log(square) + PRIOR_DAYS * np.log(prior)) / (2 * (days + PRIOR_DAYS))), days, extra)


def _with_neighbours(values: Samples) -> Samples:
    """The samples of an hour with those of the hours beside it; shape (series, windows, hours, samples)."""
    return np.concatenate([np.roll(values, 1, axis=2), values, np.roll(values, -1, axis=2)], axis=3)


@dataclass(frozen=True, slots=True)
class Sample:
    """Errors and the variances that counting explains, by last axis, infinite where nothing is known; `number` of those known."""

    error: Samples
    noise: Samples
    number: Index

    @staticmethod
    def of(error: Samples, noise: Samples) -> "Sample":
        return Sample(error, noise, np.isfinite(noise).sum(axis=-1))

    def quantile_square(self, sign: float, quantile: tuple[float, float]) -> Array:
        """The tau^2 at which the quantile of error^2 / (noise + tau^2) of one sign is that of a normal distribution.

        P(error^2 <= c^2 (noise + tau^2)) = p is P(error^2 / c^2 - noise <= tau^2) = p, so tau^2 is a plain quantile.
        """
        size = self.error.shape[-1]
        signed = self.error * np.float32(sign)
        side = np.where(signed > 0, signed * signed, np.float32(0.0))
        probability, normal = quantile
        values = side * np.float32(1.0 / normal**2) - self.noise
        place = np.clip(size - 1 - np.floor((1.0 - probability) * self.number).astype(np.int64), 0, size - 1)
        values.partition(np.unique(place), axis=-1)
        found = np.take_along_axis(values, place[..., None], axis=-1)[..., 0]
        return np.where(self.number >= KNOWN_MIN, found, PRIOR_TAU**2)

    def dense_square(self) -> Array:
        """The tau^2 of normal errors whose densest half is as narrow as that of these, less what counting explains on average."""
        size = self.error.shape[-1]
        known = np.isfinite(self.noise)
        values = np.where(known, self.error, np.float32(np.inf))
        values.sort(axis=-1)
        place, half = np.arange(size), np.maximum(self.number // 2, 1)[..., None]
        upper = np.take_along_axis(values, np.minimum(place + half, size - 1), axis=-1)
        inside = place + half < self.number[..., None]
        width = np.where(inside, upper, np.float32(np.inf)) - np.where(inside, values, np.float32(0.0))
        noise = np.where(known, self.noise, np.float32(0.0)).sum(axis=-1) / np.maximum(self.number, 1)
        square = np.maximum((width.min(axis=-1) / HALF_WIDTH) ** 2 - noise, 0.0)
        return np.where(self.number >= KNOWN_MIN, square, PRIOR_TAU**2)
