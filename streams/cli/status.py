"""`vigie status`: the state of the chain."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.catalog import load_catalog
from streams.cli.terminal import open_console, print_json
from streams.clock import paris_text, simulation_note
from streams.count.local_dates import LocalDays
from streams.edges import kafka_address
from streams.expose.minutes_query import read_time
from streams.expose.probes import installation, open_reader, open_sketches, read_status
from streams.expose.status import Status
from streams.observe import Census, take_census
from streams.settings import load_settings
from streams.small_numbers import SmallNumbers
from streams.stack_record import read_stack


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else.")
def status(as_json: bool) -> None:
    """Print the state of the chain: servers, settled time, partitions, lag, totals, users, processes.

    Exit 0 when Redis and Kafka answer and what Redis holds can be continued, else 1; the state is printed in both cases. A worker that is
    missing is named under problems and does not change the exit code. Times are in Paris; in a simulation those of the scenario.
    """
    settings = load_settings()
    reader = open_reader(settings)
    catalog = load_catalog(settings.config_dir)
    sketches = open_sketches(settings, catalog)
    days = LocalDays(catalog, settings.calendar_shift_seconds)

    def census_at(settled_ms: int) -> Census:
        return take_census(sketches, settled_ms, catalog, days)

    brokers = kafka_address(settings).bootstrap_servers
    found = read_status(installation(settings, catalog), reader, census_at, brokers, read_stack())
    if as_json:
        print_json(found)
    else:
        print_status(open_console(), found, settings.calendar_shift_seconds)
    if not found.ready:
        sys.exit(1)


#: A time of the status (ISO 8601, or None), and what to print for None -> the text.
Clock = Callable[[str | None, str], str]
_WINDOW_NAMES = {"5m": "5 minutes", "15m": "15 minutes", "day": "the day in Paris"}


def print_status(console: Console, status: Status, shift_seconds: int) -> None:
    """Print the state of the chain compactly; times are in Paris, `shift_seconds` after the clock (a scenario's)."""

    def clock(iso: str | None, otherwise: str) -> str:
        return otherwise if iso is None else paris_text(read_time("time", iso), shift_seconds, "seconds")

    if note := simulation_note(read_time("at", status.at), shift_seconds):
        console.print(Text(note, style="bold magenta"))
    console.print(_chain_table(status, clock))
    if status.partitions.rows:
        console.print(_partition_table(status, clock))
    if status.processes:
        console.print(_process_table(status))
    for problem in status.problems:
        console.print(Text(f"! {problem}", style="yellow"))


def _chain_table(status: Status, clock: Clock) -> Table:
    table = Table(show_header=False, title="Chain: ready" if status.ready else "Chain: NOT ready", title_justify="left")
    table.add_row("redis", f"up, appendonly {status.redis.appendonly}" if status.redis.up else "DOWN")
    table.add_row("kafka", f"up ({', '.join(status.kafka.servers)})" if status.kafka.up else "DOWN")
    age = "" if status.settled_age_seconds is None else f" ({status.settled_age_seconds:.0f} s ago)"
    table.add_row("settled up to", clock(status.settled_to, "nothing yet" if status.redis.up else "?") + age)
    table.add_row("events", f"{_number(status.events)}, {_number(status.duplicates)} repeats removed{_window(status)}")
    table.add_row("visits", _number(status.visits))
    table.add_row(
        "users (approximate)", ", ".join(f"{_users(status, key)} in {name}" for key, name in _WINDOW_NAMES.items())
    )
    table.add_row("establishments (approximate)", f"{_number(status.establishments)} in 15 minutes")
    reasons = {reason: n for reason, n in (status.rejected or {}).items() if n}
    detail = f" ({', '.join(f'{reason} {n:,}' for reason, n in reasons.items())})" if reasons else ""
    table.add_row("rejected", "?" if status.rejected is None else f"{sum(reasons.values()):,}{detail}")
    table.add_row("late, lost", f"{_number(status.late)}, {_number(status.lost)}")
    delay = "?" if status.lag_seconds is None else f"{status.lag_seconds:.1f} s"
    table.add_row("lists", f"catalog {status.catalog.ours}{_other_lists(status)}")
    table.add_row("lag", f"{_number(status.lag_events)} events, {delay}")
    return table


def _users(status: Status, window: str) -> str:
    if status.users is None or status.users_shown_min is None:
        return _number(None)
    number = status.users[window]
    return SmallNumbers(status.users_shown_min).english if number is None else _number(number)


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


def _partition_table(status: Status, clock: Clock) -> Table:
    held = status.partitions
    title = f"{held.count} partitions, {held.unowned} without a worker, {held.stale} stale, {held.warming} warming up"
    table = Table(title=title, title_justify="left")
    for name in ("partition", "offset", "end", "lag"):
        table.add_column(name, justify="right")
    table.add_column("watermark (Paris)")
    table.add_column("owner")
    for p in held.rows:
        owner = (p.owner or "nobody") + ("" if p.warming is None else f", warming up {p.warming:.0%}")
        table.add_row(
            str(p.partition),
            _number(p.offset),
            _number(p.log_end),
            _number(p.lag_events),
            clock(p.watermark, "-"),
            owner,
        )
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
