"""`python -m bench.detection.cases`: real series on which the detector failed before, with what must be right of each.

`data/` holds them: counts as `vigie rehearse` reads them, compressed, and the events that were put in. Prints a line a case; exit 1 when
one is not right.
"""

import gzip
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from streams.rehearse import CountsGrid, Found, read_counts, rehearse
from streams.watch import SENSITIVITIES, AlertKind
from streams.watch.comparable_days import weekly

DATA = Path(__file__).parent / "data"
#: An alert that lies within so many minutes of an event belongs to it.
NEAR_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Case:
    """`name` of the files; at least `found` of the events must be told, with at most `false_a_week` alerts beside them."""

    name: str
    found: int
    false_a_week: float


CASES = {
    case.name.split("-")[0]: case
    for case in (
        Case("1-no-end", 1, 0.5),
        Case("2-missed-doubling-habit-PHX", 50, 1.5),
        Case("2b-missed-doubling-habit-LAX", 45, 0.5),
        Case("3-false-silence-invoice-lines", 0, 20 / 26),
        Case("4-missed-lasting-drop-bikes", 4, 2.0),
        Case("5-missed-surge-growth", 12, 3.0),
    )
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was told of a case: events found of `events`, alerts beside them a week, and all alerts."""

    case: Case
    counts: CountsGrid
    events: int
    found: int
    false_a_week: float
    alerts: tuple[Found, ...]

    @property
    def right(self) -> bool:
        """Whether it is as it must be."""
        return self.found >= self.case.found and self.false_a_week <= self.case.false_a_week


def judge(case: Case) -> Outcome:
    """Judge a case as `vigie rehearse --calendar none --timezone UTC` does."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "counts.csv"
        path.write_bytes(gzip.decompress((DATA / f"{case.name}.csv.gz").read_bytes()))
        counts = read_counts(path, ZoneInfo("UTC"))
    listed = DATA / f"{case.name}.events.json"
    events = orjson.loads(listed.read_bytes()) if listed.exists() else []
    spans = [(_row(counts, one["start"]), _row(counts, one["end"]), one["factor"]) for one in events]
    alerts = rehearse(counts, weekly, SENSITIVITIES["normal"]).alerts
    near = max(1, NEAR_MINUTES // counts.step_minutes)
    found = sum(any(_tells(alert, span) for alert in alerts) for span in spans)
    beside = [a for a in alerts if not any(a.start < end + near and a.last >= begin - near for begin, end, _ in spans)]
    weeks = len(counts.texts) * counts.step_minutes / 10080
    return Outcome(case, counts, len(spans), found, len(beside) / weeks, alerts)


def _row(counts: CountsGrid, text: str) -> int:
    minute = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60
    return (minute - counts.first_minute) // counts.step_minutes


def _tells(alert: Found, span: tuple[int, int, float]) -> bool:
    begin, end, factor = span
    return (alert.kind is AlertKind.SURGE) == (factor > 1) and alert.start < end and alert.last >= begin


def main() -> int:
    """Print the cases."""
    right = True
    for case in CASES.values():
        one = judge(case)
        right &= one.right
        print(
            f"{case.name:32} {one.found:3} of {one.events:3} events (at least {case.found}), {one.false_a_week:5.2f} other alerts a week "
            f"(at most {case.false_a_week:.2f}): {'right' if one.right else 'NOT right'}"
        )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
