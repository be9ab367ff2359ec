"""`vigie alerts`."""

from __future__ import annotations

import sys

import click
import orjson

from streams.catalog import load_catalog
from streams.clock import simulation_notice
from streams.edges import redis_address
from streams.errors import InputError
from streams.expose.alerts import ALL, STATES, alert_row, chosen
from streams.expose.french import Words
from streams.expose.question import read_time
from streams.live import AlertStore
from streams.settings import load_settings


@click.command()
@click.option("--state", type=click.Choice(STATES), default=ALL, show_default=True)
@click.option(
    "--from", "from_text", metavar="TIME", help="Alerts that ran then or later, ISO 8601; UTC without an offset."
)
@click.option("--to", "to_text", metavar="TIME", help="Alerts that began before.")
@click.option("--explain", metavar="ID", help="One alert in full: against what, what drives it, what to do first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, and nothing else.")
def alerts(state: str, from_text: str | None, to_text: str | None, explain: str | None, as_json: bool) -> None:
    """Print the alerts that run and those of the last weeks, newest first, with their figures as judged.

    Times of the text are those of screens, in Paris (in a simulation: of the scenario).
    """
    settings = load_settings()
    words = Words(load_catalog(settings.config_dir), settings.calendar_shift_seconds)
    store = AlertStore(redis_address(settings), settings.redis_prefix)
    book = store.book()
    if explain is not None:
        found = [one for one in book.alerts if one.id == explain]
        if not found:
            raise InputError(f"no alert {explain[:120]!r} is kept: `vigie alerts` lists them")
    else:
        bounds = [
            None if text is None else read_time(name, text) for name, text in (("--from", from_text), ("--to", to_text))
        ]
        found = chosen(book.alerts, state, bounds[0], bounds[1])
    if as_json:
        for one in found:
            row = alert_row(one, words, full=explain is not None)
            sys.stdout.buffer.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
        return
    if book.judged_minute is not None and (
        notice := simulation_notice(book.judged_minute * 60_000, words.shift_seconds)
    ):
        click.echo(f"« {notice} »")
    for one in found:
        click.echo(words.explanation(one) if explain else f"{one.id}\n  {words.sentence(one)}")
    if not explain:
        running = sum(one.end_ms is None for one in found)
        minute = book.judged_minute
        judged = "no minute was judged yet"
        if minute is not None:
            judged = f"judged up to {words.clock((minute + 1) * 60_000)}"
        click.echo(f"{len(found)} alerts, {running} running; {judged}")
