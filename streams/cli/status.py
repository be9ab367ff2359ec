"""`vigie status`, `vigie unseen`: the state of the chain, and what counts under `INCONNU`."""

import sys
from collections.abc import Callable
from functools import partial

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.shared import counts_reader, open_console, print_json, say_simulation, settings_and_lists, table_of
from streams.clock import paris_text, simulation_note
from streams.count.local_dates import LocalDays
from streams.edges import kafka_address
from streams.expose.minutes_query import read_time
from streams.expose.probes import installation, open_reader, open_sketches, read_status
from streams.expose.status import Status
from streams.expose.unseen_rows import UnseenRow, unseen_rows
from streams.observe import take_census
from streams.small_numbers import SmallNumbers
from streams.stack_record import read_stack


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else.")
def status(as_json: bool) -> None:
    """Print the state of the chain: servers, settled time, partitions, lag, totals, users, processes.

    Exit 0 when Redis and Kafka answer and what Redis holds can be continued, else 1; the state is printed in both cases. A worker that is
    missing is named under problems and does not change the exit code. Times are in Paris; in a simulation those of the scenario.
    """
    settings, catalog = settings_and_lists()
    reader = open_reader(settings)
    census_at = partial(
        take_census,
        open_sketches(settings, catalog),
        catalog=catalog,
        days=LocalDays(catalog, settings.calendar_shift_seconds),
    )
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
    age = "" if status.settled_age_seconds is None else f" ({status.settled_age_seconds:.0f} s ago)"
    reasons = {reason: n for reason, n in (status.rejected or {}).items() if n}
    detail = f" ({', '.join(f'{reason} {n:,}' for reason, n in reasons.items())})" if reasons else ""
    delay = "?" if status.lag_seconds is None else f"{status.lag_seconds:.1f} s"
    for row in (
        ("redis", f"up, appendonly {status.redis.appendonly}" if status.redis.up else "DOWN"),
        ("kafka", f"up ({', '.join(status.kafka.servers)})" if status.kafka.up else "DOWN"),
        ("settled up to", clock(status.settled_to, "nothing yet" if status.redis.up else "?") + age),
        ("events", f"{_number(status.events)}, {_number(status.duplicates)} repeats removed{_window(status)}"),
        ("visits", _number(status.visits)),
        ("users (approximate)", ", ".join(f"{_users(status, key)} in {name}" for key, name in _WINDOW_NAMES.items())),
        ("establishments (approximate)", f"{_number(status.establishments)} in 15 minutes"),
        ("rejected", "?" if status.rejected is None else f"{sum(reasons.values()):,}{detail}"),
        ("late, lost", f"{_number(status.late)}, {_number(status.lost)}"),
        ("lists", f"catalog {status.catalog.ours}{_other_lists(status)}"),
        ("lag", f"{_number(status.lag_events)} events, {delay}"),
    ):
        table.add_row(*row)
    return table


def _users(status: Status, window: str) -> str:
    if status.users is None or status.users_shown_min is None:
        return _number(None)
    number = status.users[window]
    return SmallNumbers(status.users_shown_min).english if number is None else _number(number)


def _other_lists(status: Status) -> str:
    """Where workers count under others, or the counts were begun under others."""
    if others := [digest for digest in status.catalog.counting if digest != status.catalog.ours]:
        return f"; workers count under {', '.join(others)}"
    begun = status.catalog.stored
    return f"; counts were begun under {begun}" if begun not in (None, status.catalog.ours) else ""


def _window(status: Status) -> str:
    seconds = status.dedupe_window_seconds
    return "" if seconds is None else f" (ids of the last {seconds / 60:.0f} minutes are known)"


def _partition_table(status: Status, clock: Clock) -> Table:
    held = status.partitions
    rows = [
        (
            str(p.partition),
            _number(p.offset),
            _number(p.log_end),
            _number(p.lag_events),
            clock(p.watermark, "-"),
            (p.owner or "nobody") + ("" if p.warming is None else f", warming up {p.warming:.0%}"),
        )
        for p in held.rows
    ]
    return table_of(
        ("partition", "offset", "end", "lag", "watermark (Paris)", "owner"),
        rows,
        right=("partition", "offset", "end", "lag"),
        title=f"{held.count} partitions, {held.unowned} without a worker, {held.stale} stale, {held.warming} warming up",
        title_justify="left",
    )


def _process_table(status: Status) -> Table:
    own = ("role", "pid", "state", "started_at")
    rows = [
        (
            str(process.get("role")),
            str(process.get("pid") or "restarting"),
            str(process.get("state", "?")),
            ", ".join(
                f"{key} {told}" for key, told in process.items() if key not in own and told not in (None, "", [])
            ),
        )
        for process in status.processes
    ]
    return table_of(("role", "pid", "state", "more"), rows, title="Processes", title_justify="left")


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


#: What to do about a value of each list.
_MENDS = {
    "service": "add it to services.yaml, or tell the ENT the code of the marking plan",
    "profile": "add it to profiles.yaml, or tell the ENT",
    "project": "add it to projects.yaml, or tell the ENT the id that is there",
    "uai": "no such establishment number (malformed, wrong control letter, or of no departement of regions.yaml): tell the ENT",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, and nothing else.")
def unseen(as_json: bool) -> None:
    """Print the values of the last 24 hours that no list knows, as they were sent: their events count under INCONNU.

    In quotes, with escapes for what does not print; at most 500 of each list, cut to 64 characters. After a line in config/ and a rolling
    restart of workers and observers a value counts under its own name; what was counted under INCONNU stays there.
    """
    settings, catalog = settings_and_lists()
    with counts_reader(settings) as reader:
        rows = unseen_rows(reader, catalog)
    if as_json:
        print_json(*rows)
        return
    if not rows:
        click.echo("every value of the last 24 hours is known")
        return
    _print(rows, settings.calendar_shift_seconds)


def _print(rows: list[UnseenRow], shift_seconds: int) -> None:
    say_simulation(shift_seconds)
    names = ("list", "value", "events", "last seen (Paris)")
    cells = (
        (row.list, Text(_quoted(row.value)), f"{row.events:,}", _seen(row.last_seen, shift_seconds)) for row in rows
    )
    open_console().print(table_of(names, cells, right=("events",), box=None, header_style="bold"))
    for row in rows:
        if row.meant is not None:
            click.echo(f"{row.list}: {_quoted(row.value)} differs from {row.meant} by blanks or capitals: tell the ENT")
        elif row.listed:
            click.echo(
                f"{row.list}: {_quoted(row.value)} is in config/ by now: events count under it since the restart, and this line goes "
                "24 hours after the last one that did not"
            )
    for name in dict.fromkeys(row.list for row in rows if not row.listed and row.meant is None):
        click.echo(f"{name}: {_MENDS[name]}")


def _seen(last_seen: str | None, shift_seconds: int) -> str:
    return "" if last_seen is None else paris_text(read_time("last_seen", last_seen), shift_seconds, "seconds")


def _quoted(value: str | None) -> str:
    """In quotes, so that a blank at an end shows."""
    return "(others)" if value is None else '"{}"'.format(value.replace('"', '\\"'))
