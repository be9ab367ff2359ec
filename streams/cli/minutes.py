"""`vigie minutes`: the counts by minute that Redis holds."""

from __future__ import annotations

import sys

import click
import orjson

from streams.catalog import load_catalog
from streams.edges import redis_address
from streams.expose.codes import Codes
from streams.expose.question import DEFAULT_BY, GROUPINGS, MEASURES, read_question
from streams.expose.rows import read_rows
from streams.expose.tables import ROWS_SHOWN_MAX, print_minutes
from streams.live import LiveReader, SketchReader
from streams.settings import load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, and nothing else.")
@click.option("--from", "from_text", metavar="TIME", help="First start of a minute, ISO 8601; UTC without an offset.")
@click.option("--to", "to_text", metavar="TIME", help="Start of a minute that is left out, ISO 8601.")
@click.option("--by", "by_text", default=DEFAULT_BY, show_default=True, help=f"One of: {' | '.join(GROUPINGS)}.")
@click.option("--measure", help=f"One of: {' | '.join(MEASURES)}; all that the grouping has unless given.")
def minutes(as_json: bool, from_text: str | None, to_text: str | None, by_text: str, measure: str | None) -> None:
    """Print the counts by minute that Redis holds: all of them unless bounded, running minutes included.

    Rows of zero are left out. A row is `settled` when its minute will not move any more but for late events. Codes that config/ no longer
    lists are under INCONNU.

    Visits are by the ministry's rule (a gap of 30 minutes starts another), at the event that starts them; by service they are the visits
    of that service, and do not add up. Users are distinct visitors, approximate (0.81 % standard error), kept for about 20 settled
    minutes, and do not add up either.
    """
    question = read_question(from_text, to_text, by_text, measure)
    settings = load_settings()
    catalog = load_catalog(settings.config_dir)
    address = redis_address(settings)
    reader = LiveReader(address, settings.redis_prefix)
    sketches = SketchReader(address, settings.redis_prefix, catalog)
    snapshot = reader.snapshot()
    pages = read_rows(reader, sketches, snapshot, question, Codes.of(catalog))
    if not as_json:
        print_minutes(pages, question, snapshot, settings.calendar_shift_seconds, ROWS_SHOWN_MAX)
        return
    for page in pages:
        sys.stdout.buffer.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in page))
    sys.stdout.buffer.flush()
