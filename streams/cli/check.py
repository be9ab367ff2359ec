"""`vigie check`: is everything as the chain needs it?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

import click

from streams.audit.check import Finding, Level, check_servers
from streams.catalog import Catalog, load_catalog
from streams.edges import kafka_address, redis_address, topic_designs
from streams.errors import SettingsError
from streams.live import LiveReader
from streams.publish.tables import check_tables
from streams.settings import Settings, load_settings

_MARKS = {Level.OK: ("ok     ", "green"), Level.WARNING: ("warning", "yellow"), Level.PROBLEM: ("problem", "red")}


@click.command()
def check() -> None:
    """Check settings, lists, servers and topics; create absent topics.

    One line a finding. Exit status: 0 when the chain can run (warnings included), 1 with problems.
    """
    problems = 0
    for finding in _findings():
        mark, colour = _MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)}  {finding.about:<8}  {finding.text}")
        problems += finding.level is Level.PROBLEM
    if problems:
        click.echo(
            f"vigie: {problems} problem{'s' if problems > 1 else ''} found: mend, then run `vigie check` again",
            err=True,
        )
        sys.exit(1)


def _findings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Finding(Level.PROBLEM, "settings", str(error))
        return  # the servers' addresses are among them
    yield Finding(Level.OK, "settings", "are valid")
    catalog: Catalog | None = None
    try:
        catalog = load_catalog(settings.config_dir)
        yield Finding(Level.OK, "lists", _lists(settings, catalog))
        for problem in check_tables(settings.config_dir, catalog):
            yield Finding(Level.WARNING, "tables", f"`vigie publish --format` will not run: {problem}")
    except SettingsError as error:
        yield Finding(Level.PROBLEM, "lists", str(error))
    with closing(LiveReader(redis_address(settings), settings.redis_prefix)) as reader:
        yield from check_servers(kafka_address(settings), topic_designs(settings), reader, catalog)


def _lists(settings: Settings, catalog: Catalog) -> str:
    return (
        f"{settings.config_dir}: {len(catalog.regions)} regions, {len(catalog.services)} services, {len(catalog.profiles)} profiles, "
        f"{len(catalog.projects)} projects (catalog {catalog.digest})"
    )
