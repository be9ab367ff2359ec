"""What a kept forecast says of 15 minutes, and of a day: what metrics expose of it. Pure."""

from __future__ import annotations

from datetime import date, datetime

from streams.forecast.kept import KeptForecast

_QUARTER_SECONDS = 900
BOUNDS = ("mean", "lower", "upper")


def quarter_that_ends(forecast: KeptForecast, at: float) -> tuple[float, ...] | None:
    """Mean, lower and upper of the 15 minutes that end at a time (epoch seconds), from the two quarters that they lie in; None where the
    forecast lacks one.
    """
    begin = at - _QUARTER_SECONDS
    first = begin - begin % _QUARTER_SECONDS
    share = (begin - first) / _QUARTER_SECONDS
    found = {
        start: (one.visits, one.lower, one.upper)
        for one in forecast.quarters
        if (start := datetime.fromisoformat(one.minute).timestamp()) in (first, first + _QUARTER_SECONDS)
    }
    earlier = found.get(first)
    later = found.get(first + _QUARTER_SECONDS) if share else earlier
    if earlier is None or later is None:
        return None
    return tuple((1 - share) * before + share * after for before, after in zip(earlier, later, strict=True))


def whole_day(forecast: KeptForecast, day: date) -> tuple[float, ...] | None:
    """The same of a day in Paris."""
    return next(((one.visits, one.lower, one.upper) for one in forecast.days if one.day == f"{day}"), None)
