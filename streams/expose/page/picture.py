"""One look at the chain, as the page's feed has it; frozen, so that every visitor's stream reads it without a lock."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace

from streams.expose.page.minutes_read import MinuteFigures
from streams.expose.scope import Scope
from streams.incidents import Acknowledgement, AlertBook
from streams.live import Distinct, Snapshot, Told
from streams.observe import Census

#: Minutes that the curve shows, the running ones included.
WINDOW_MINUTES = 180
#: The tables show what was counted in so many settled minutes.
TABLE_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Flow:
    """What passed in the last `seconds`, by differences of totals; `settled_ms` is how far settled time moved.

    Totals themselves are a flow, since the beginning of all clocks.
    """

    seconds: float
    events: int
    rejected: int
    duplicates: int
    late: int
    settled_ms: int = 0

    def since(self, then: "Flow") -> "Flow":
        """The difference of two totals; settled time has not moved where there was none."""
        passed = Flow(*(now - before for now, before in zip(astuple(self), astuple(then), strict=True)))
        return passed if then.settled_ms else replace(passed, settled_ms=0)

    @property
    def is_catching_up(self) -> bool:
        """Settled time moves clearly faster than the clock."""
        return self.settled_ms > 1_500 * self.seconds


@dataclass(frozen=True, slots=True)
class Hope:
    """Visits expected in the tables' minutes, and observed / expected over the rows that were judged last (None: nothing expected).

    `learning`: the series has too little past for its band to be narrow.
    """

    expected: float
    ratio: float | None
    learning: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """`version` changes with every look, `board_version` when something else than the running minutes changed.

    `minutes` are those of the last `WINDOW_MINUTES` that are held. `whole_from` is the first epoch minute that was counted from its
    beginning (None: all were); from it on a missing one is a measured zero. `last_seen` is the epoch minute of each ENT's last event.
    `snapshot` is None, and `problem` says why, while Redis is down; minutes stay those of the last good look. `book` holds all alerts
    of the last hours, None where nobody judged yet; `acknowledgements` is None where Alertmanager does not answer.
    """

    version: int = 0
    board_version: int = 0
    read_ms: int = 0
    snapshot: Snapshot | None = None
    problem: str | None = None
    census: Census | None = None
    minutes: Mapping[int, MinuteFigures] = field(default_factory=dict)
    whole_from: int | None = None
    last_seen: Mapping[str, int] = field(default_factory=dict)
    flow: Flow | None = None
    settled_ms: int | None = None
    book: AlertBook | None = None
    acknowledgements: Sequence[Acknowledgement] | None = None
    judged_to: int | None = None
    region_hopes: Mapping[str, Hope] = field(default_factory=dict)
    project_hopes: Mapping[str, Hope] = field(default_factory=dict)

    @property
    def settled_minute(self) -> int | None:
        """The last epoch minute that is settled."""
        return None if self.settled_ms is None else self.settled_ms // 60_000 - 1

    @property
    def grid(self) -> range:
        """The epoch minutes of the curve that are settled."""
        if (last := self.settled_minute) is None:
            return range(0)
        first = last - WINDOW_MINUTES + 1
        return range(first if self.whole_from is None else max(first, self.whole_from), last + 1)

    @property
    def table_end(self) -> int | None:
        """The epoch minute before which the tables' minutes lie: the end of what is settled, or of what is judged where that is a minute
        behind. So a figure and its ratio are of the same minutes.
        """
        if self.settled_ms is None:
            return None
        end = self.settled_ms // 60_000
        return self.judged_to if self.judged_to == end - 1 else end

    def settled_figures(self) -> list[MinuteFigures]:
        """The tables' minutes, those that are held."""
        end = self.table_end or 0
        return [self.minutes[m] for m in range(end - TABLE_MINUTES, end) if m in self.minutes]


def of_scope(distinct: Distinct[Told], scope: Scope) -> Told | int:
    """Users or establishments of a place; its service does not count."""
    by = {"region": distinct.by_region, "academy": distinct.by_academy, "project": distinct.by_project}.get(scope.kind)
    return distinct.national if by is None else by.get(scope.code, 0)
