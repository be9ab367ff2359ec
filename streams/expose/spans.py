"""The lengths that the page's curve may have. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError
from streams.expose.minutes_query import read_time
from streams.values import YEAR_MAX, YEAR_MIN

#: No curve ends later.
END_MINUTE_MAX = int(datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC).timestamp()) // 60


@dataclass(frozen=True, slots=True)
class Span:
    """A length of the curve, as the address names it; each point is the mean of `step_minutes`."""

    name: str
    minutes: int
    step_minutes: int


#: Parameter of the address -> length; the first one where it names none.
SPANS = {
    span.name: span
    for span in (Span("1h", 60, 1), Span("6h", 360, 1), Span("24h", 1440, 5), Span("7j", 7 * 1440, 30))
}  # fmt: skip


def read_span(name: str | None) -> Span:
    """Read the parameter `duree` of an address; an empty one is absent.

    Raises:
        InputError: no curve has this length.
    """
    name = name or next(iter(SPANS))
    if name not in SPANS:
        raise InputError(f"duree: {name[:60]!r} is no length of the curve; allowed: {', '.join(SPANS)}")
    return SPANS[name]


def read_end(text: str) -> int:
    """Read the parameter `fin` of an address, a moment: its epoch minute.

    Raises:
        InputError: it is none, or of a year that no calendar reckons with.
    """
    minute = read_time("fin", text) // 60_000
    if not 0 <= minute < END_MINUTE_MAX:
        raise InputError(f"fin: {text[:60]!r} lies before {YEAR_MIN} or after {YEAR_MAX}")
    return minute


Minutes = NDArray[np.float64]
#: Values of the slots of a curve, as JSON; None: not known.
Line = list[float | None]


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots of `step_minutes` from epoch minute `first` to before `end`, which may cut the last one short."""

    first: int
    end: int
    step_minutes: int

    @classmethod
    def before(cls, end: int, span: Span, shift_minutes: int) -> "Grid":
        """The slots of a span that ends before epoch minute `end`; they begin at round times of screens."""
        step = span.step_minutes
        last = (end - 1 + shift_minutes) // step * step - shift_minutes
        return cls(last - span.minutes + step, end, step)

    @property
    def minutes(self) -> range:
        """Its epoch minutes."""
        return range(self.first, self.end)

    def means(self, values: Minutes | Sequence[float | None]) -> Line:
        """One value a slot: the mean of those of its minutes that are known (NaN, None: not known)."""
        known = np.full(-(-len(self.minutes) // self.step_minutes) * self.step_minutes, np.nan)
        known[: len(self.minutes)] = np.array(values, np.float64)
        means = np.ma.masked_invalid(known.reshape(-1, self.step_minutes)).mean(axis=1)
        return [None if mean is None else _json(mean) for mean in means.tolist()]


def _json(value: float) -> float:
    """At most one decimal; a whole number without any."""
    rounded = round(value, 1)
    return int(rounded) if rounded.is_integer() else rounded


#: The grid while nothing is settled.
NO_GRID = Grid(0, 0, 1)
