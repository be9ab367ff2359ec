"""The lengths that the page's curve may have. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from streams.errors import InputError


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
