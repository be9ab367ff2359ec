"""`vigie unseen`: what counts under `INCONNU`, by the name it was sent under."""

from __future__ import annotations

from contextlib import closing

import click
from rich.table import Table
from rich.text import Text

from streams.catalog import load_catalog
from streams.cli.terminal import open_console, print_json, say_simulation
from streams.clock import paris_text
from streams.edges import redis_address
from streams.expose.minutes_query import read_time
from streams.expose.unseen_rows import UnseenRow, unseen_rows
from streams.live import LiveReader
from streams.settings import load_settings

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
    settings = load_settings()
    with closing(
        LiveReader(redis_address(settings), settings.redis_prefix, settings.unseen_hours_kept * 3_600_000)
    ) as reader:
        rows = unseen_rows(reader, load_catalog(settings.config_dir))
    if as_json:
        print_json(*rows)
        return
    if not rows:
        click.echo("every value of the last 24 hours is known")
        return
    _print(rows, settings.calendar_shift_seconds)


def _print(rows: list[UnseenRow], shift_seconds: int) -> None:
    table = Table(box=None, header_style="bold")
    for name, side in (("list", "left"), ("value", "left"), ("events", "right"), ("last seen (Paris)", "left")):
        table.add_column(name, justify="right" if side == "right" else "left")
    for row in rows:
        table.add_row(row.list, Text(_quoted(row.value)), f"{row.events:,}", _seen(row.last_seen, shift_seconds))
    say_simulation(shift_seconds)
    open_console().print(table)
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
