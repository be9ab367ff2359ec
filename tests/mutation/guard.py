"""One guard of exactly-once counting."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """`old` stands exactly once in `path`; with `new` in its place, `tests` (pytest arguments) must fail."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
