"""Alerts as they are kept: figures as judged. What a detector tells, what Redis holds, what incidents are folded from."""

from dataclasses import dataclass

import msgspec

#: What an alert says of *now* is of so many minutes.
NOW_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Driver:
    """A part of the alert's scope that deviates most, over the same minutes."""

    region: str | None
    service: str | None
    project: str | None
    observed: float
    expected: float
    ratio: float | None


class AlertRecord(msgspec.Struct, frozen=True):
    """One alert, with its figures as judged. Times are epoch ms of the clock.

    `scope` is `national`, `region`, `service` (of a region) or `project`. `observed`, `expected`, `lower` and `upper` are sums over the
    rows from `start_ms` to `until_ms`. While it runs, `until_ms` is the end of the last judged row and `end_ms` is None; once it has
    ended, `until_ms` is the end of the last row that deviates. `planned`: why it was to be expected (a maintenance). `last_rentree`:
    observed over the same minutes of last year's rentrée. `observed_now` and `expected_now` are sums over its last `NOW_MINUTES`, at
    most since its start; None: not told. `score`: how far it strayed when it was raised, where the highest of an ordinary day of its
    series is `usual_score`; 0 of a silence. `normal_since_ms`: from when on its level is learned as the new normal; None before.
    """

    id: str
    kind: str
    scope: str
    region: str | None
    service: str | None
    project: str | None
    measure: str
    start_ms: int
    raised_ms: int
    until_ms: int
    end_ms: int | None
    observed: float
    expected: float
    lower: float
    upper: float
    learning: bool = False
    planned: str | None = None
    last_rentree: float | None = None
    drivers: tuple[Driver, ...] = ()
    observed_now: float | None = None
    expected_now: float | None = None
    score: float = 0.0
    usual_score: float = 0.0
    normal_since_ms: int | None = None

    @property
    def ratio(self) -> float | None:
        """observed / expected; None where nothing was expected."""
        return self.observed / self.expected if self.expected > 0 else None

    @property
    def ratio_now(self) -> float | None:
        """The same over its last minutes; None once it has ended."""
        if self.end_ms is not None or self.observed_now is None or not self.expected_now:
            return None
        return self.observed_now / self.expected_now

    @property
    def place(self) -> str:
        """What runs at most once at a time: kind and codes."""
        return "|".join((self.kind, self.scope, self.region or "-", self.service or "-", self.project or "-"))


@dataclass(frozen=True, slots=True)
class AlertBook:
    """All alerts kept, newest start first, and the epoch minute (of the clock) up to which some observer judged; None before the first."""

    judged_minute: int | None
    alerts: tuple[AlertRecord, ...]

    @property
    def running(self) -> tuple[AlertRecord, ...]:
        """Those that have not ended."""
        return tuple(alert for alert in self.alerts if alert.end_ms is None)
