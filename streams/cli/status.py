"""`vigie status`: the state of the chain."""

from __future__ import annotations

import sys

import click
import orjson

from streams.catalog import load_catalog
from streams.cli.terminal import open_console
from streams.count.local_dates import LocalDays
from streams.edges import kafka_address
from streams.expose.probes import installation, open_reader, open_sketches, read_status
from streams.expose.status_tables import print_status
from streams.observe import Census, take_census
from streams.settings import load_settings
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
        sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    else:
        print_status(open_console(), found, settings.calendar_shift_seconds)
    if not found.ready:
        sys.exit(1)
