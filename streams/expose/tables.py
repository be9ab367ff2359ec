"""Minutes and the state of the chain as tables for a terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.clock import iso_utc, simulation_notice
from streams.expose.question import EVENTS, USERS, VISITS, Question
from streams.expose.rows import Row
from streams.expose.status import Status
from streams.live import Snapshot

_WINDOW_NAMES = {"5m": "5 minutes", "15m": "15 minutes", "day": "the day in Paris"}
#: More rows than this say nothing on a screen; `--json` gives them all.
ROWS_SHOWN_MAX = 500


def print_minutes(
    pages: Iterator[list[Row]], question: Question, snapshot: Snapshot, shift_seconds: int, rows_max: int
) -> None:
    """Print the last `rows_max` rows and how many were left out; reads all pages."""
    console = Console()
    _print_notice(console, simulation_notice(snapshot.now_ms, shift_seconds))
    shown: deque[Row] = deque(maxlen=rows_max)
    rows = 0
    # Users never add up, and visits of services neither: only what does is summed below the table.
    summed = [name for name in question.measures if name in (EVENTS, VISITS) and question.grouping.adds_up(name)]
    sums = dict.fromkeys(summed, 0)
    for page in pages:
        shown.extend(page)
        rows += len(page)
        for name in summed:
            sums[name] += sum(int(row[name]) for row in page)
    settled = iso_utc(snapshot.settled_ms) if snapshot.settled_ms is not None else "nothing yet"
    totals = "".join(f"{number:,} {name}, " for name, number in sums.items())
    table = Table(caption=f"{totals}{rows:,} rows; settled up to {settled}", caption_justify="left")
    table.add_column("minute (UTC)", no_wrap=True, min_width=20)
    for member in question.grouping.members:
        table.add_column(member)
    for name in question.measures:
        table.add_column("users ≈" if name == USERS else name, justify="right")
    table.add_column("settled")
    for row in shown:
        codes = [str(row[member]) for member in question.grouping.members]
        numbers = [f"{row[name]:,}" if name in row else "-" for name in question.measures]
        table.add_row(str(row["minute"]), *codes, *numbers, "yes" if row["settled"] else "running")
    console.print(table)
    if rows > len(shown):
        console.print(
            f"{rows - len(shown):,} earlier rows are not shown: use --from and --to, a coarser --by, or --json."
        )


def print_status(status: Status) -> None:
    """Print the state of the chain compactly."""
    console = Console()
    _print_notice(console, status.simulation)
    console.print(_chain_table(status))
    if status.partitions.list:
        console.print(_partition_table(status))
    if status.processes:
        console.print(_process_table(status))
    for problem in status.problems:
        console.print(Text(f"! {problem}", style="yellow"))


def _print_notice(console: Console, notice: str | None) -> None:
    if notice is not None:
        console.print(Text(f"« {notice} »", style="bold magenta"))


def _chain_table(status: Status) -> Table:
    table = Table(show_header=False, title="Chain: ready" if status.ready else "Chain: NOT ready", title_justify="left")
    table.add_row("redis", f"up, appendonly {status.redis.appendonly}" if status.redis.up else "DOWN")
    table.add_row("kafka", f"up ({', '.join(status.kafka.servers)})" if status.kafka.up else "DOWN")
    age = "" if status.settled_age_seconds is None else f" ({status.settled_age_seconds:.0f} s ago)"
    table.add_row("settled up to", f"{status.settled or ('nothing yet' if status.redis.up else '?')}{age}")
    table.add_row("events", f"{_number(status.events)}, {_number(status.duplicates)} repeats removed{_window(status)}")
    table.add_row("visits", _number(status.visits))
    users = status.users or {}
    figures = ", ".join(f"{_number(users.get(window))} in {name}" for window, name in _WINDOW_NAMES.items())
    table.add_row("users (approximate)", figures)
    table.add_row("establishments (approximate)", f"{_number(status.establishments)} in 15 minutes")
    reasons = {reason: n for reason, n in (status.rejected or {}).items() if n}
    detail = f" ({', '.join(f'{reason} {n:,}' for reason, n in reasons.items())})" if reasons else ""
    table.add_row("rejected", "?" if status.rejected is None else f"{sum(reasons.values()):,}{detail}")
    table.add_row("late, lost", f"{_number(status.late)}, {_number(status.lost)}")
    delay = "?" if status.lag_seconds is None else f"{status.lag_seconds:.1f} s"
    table.add_row("lists", f"catalog {status.catalog.ours}{_other_lists(status)}")
    table.add_row("lag", f"{_number(status.lag_events)} events, {delay}")
    return table


def _other_lists(status: Status) -> str:
    """Where workers count under others, or the counts were begun under others."""
    others = [digest for digest in status.catalog.counting if digest != status.catalog.ours]
    if others:
        return f"; workers count under {', '.join(others)}"
    begun = status.catalog.stored
    return f"; counts were begun under {begun}" if begun not in (None, status.catalog.ours) else ""


def _window(status: Status) -> str:
    seconds = status.dedupe_window_seconds
    return "" if seconds is None else f" (ids of the last {seconds / 60:.0f} minutes are known)"


def _partition_table(status: Status) -> Table:
    held = status.partitions
    title = f"{held.count} partitions, {held.unowned} without a worker, {held.stale} stale, {held.warming} warming up"
    table = Table(title=title, title_justify="left")
    for name in ("partition", "offset", "end", "lag"):
        table.add_column(name, justify="right")
    table.add_column("watermark")
    table.add_column("owner")
    for p in held.list:
        owner = (p.owner or "nobody") + ("" if p.warming is None else f", warming up {p.warming:.0%}")
        table.add_row(str(p.partition), _number(p.offset), _number(p.end), _number(p.lag), p.watermark or "-", owner)
    return table


def _process_table(status: Status) -> Table:
    table = Table(title="Processes", title_justify="left")
    for name in ("role", "pid", "state", "more"):
        table.add_column(name)
    for process in status.processes:
        rest = {key: value for key, value in process.items() if key not in ("role", "pid", "state", "started_at")}
        more = ", ".join(f"{key} {value}" for key, value in rest.items() if value not in (None, "", []))
        pid = process.get("pid")
        table.add_row(
            str(process.get("role")), "restarting" if pid is None else str(pid), str(process.get("state", "?")), more
        )
    return table


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
