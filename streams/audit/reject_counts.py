"""How many rejects there are, by reason, project or hour, and how many of them were replayed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.audit.rejects import Rejected, ReplayMark
from streams.audit.replay import DONE
from streams.clock import scenario_time
from streams.errors import InputError

GROUPINGS = ("reason", "project", "hour")
#: Rows of a table; the projects of broken events may be anything.
ROWS_MAX = 1000
OTHERS = "(others)"


@dataclass(slots=True)
class RejectsRow:
    """`kept` dead letters, of which `replayed` were sent again."""

    kept: int = 0
    replayed: int = 0


@dataclass(slots=True)
class Table:
    """Rows by (group, reason)."""

    by: str
    rows: dict[tuple[str, str], RejectsRow] = field(default_factory=dict)

    def totals(self) -> RejectsRow:
        """All rows together."""
        return RejectsRow(sum(row.kept for row in self.rows.values()), sum(row.replayed for row in self.rows.values()))


def tally(found: Iterable[Rejected | ReplayMark], by: str, shift_seconds: int = 0) -> Table:
    """Count rejects by `by` and reason; hours are those of Paris, `shift_seconds` after the clock (a scenario's).

    Raises:
        InputError: there is no such grouping.
    """
    if by not in GROUPINGS:
        raise InputError(f"--by {by!r}: rejects are counted by {', '.join(GROUPINGS)}")
    table = Table(by)
    where: dict[str, tuple[str, str]] = {}
    replayed: set[str] = set()
    for each in found:
        if isinstance(each, ReplayMark):
            if each.stage == DONE:  # perhaps read before its dead letter: they may lie in different partitions
                replayed.add(each.key)
            continue
        cell = (_group(each, by, shift_seconds), each.reason)
        if cell not in table.rows and len(table.rows) >= ROWS_MAX:
            cell = (OTHERS, each.reason)
        table.rows.setdefault(cell, RejectsRow()).kept += 1
        where[each.key] = cell
    for key in replayed & where.keys():
        table.rows[where[key]].replayed += 1
    return table


def _group(rejected: Rejected, by: str, shift_seconds: int) -> str:
    if by == "project":
        return rejected.project[:64]
    if by == "hour":
        taken = scenario_time(rejected.append_ms, shift_seconds)
        return taken.replace(minute=0, second=0, microsecond=0).isoformat(sep=" ", timespec="minutes")
    return rejected.reason
