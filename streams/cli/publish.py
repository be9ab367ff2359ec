"""`vigie publish`: events of a file, or of another program, into Kafka."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import closing
from typing import BinaryIO

import click

from streams.cli.progress import Meter
from streams.edges import kafka_address
from streams.errors import InputError
from streams.publish import PublisherLimits, VisitPublisher
from streams.publish.feed import Feed, Named
from streams.publish.lines import open_events
from streams.settings import load_settings

#: Short, so that progress and Ctrl-C are not kept waiting while Kafka is away; the feed asks again.
_LIMITS = PublisherLimits(block_seconds_max=0.25)


@click.command()
@click.argument("file", default="-")
def publish(file: str) -> None:
    """Publish the events of FILE, one JSON object a line (.gz too), or of standard input.

    Every JSON object is sent as it is, under its `visitor`; what breaks the contract shows in `vigie status` and in the dead-letter
    topic. Exit status: 0 when Kafka confirmed every line, 1 when not, with the lines and why.
    """
    settings = load_settings()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # one clear message is printed instead
    feed = Feed()
    publisher = VisitPublisher(kafka_address(settings), topic=settings.topic, on_failed=feed.on_failed, limits=_LIMITS)
    stream, raw = open_events(file)
    if raw.isatty():
        click.echo("Reading events from the terminal, one a line; end with Ctrl-D.", err=True)
    with closing(stream):
        seconds = _run(feed, publisher, stream, raw, file)
    sys.exit(_report(feed, seconds, file))


def _run(feed: Feed, publisher: VisitPublisher, stream: BinaryIO, raw: BinaryIO, file: str) -> float:
    def stop(_signal: int, _frame: object) -> None:
        feed.interrupt()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    total = os.fstat(raw.fileno()).st_size if file != "-" else None
    try:
        with Meter("publish", total) as meter:

            def look() -> None:
                if meter.due():
                    rate = publisher.delivered / max(meter.seconds, 0.001)
                    done = publisher.delivered
                    text = f"{feed.lines:,} lines read, {done:,} confirmed, {publisher.pending:,} wait for Kafka, {rate:,.0f}/s"
                    meter.show(raw.tell() if total else 0, text)

            feed.run(stream, publisher, look)
            return meter.seconds
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(feed: Feed, seconds: float, file: str) -> int:
    rate = feed.delivered / max(seconds, 0.001)
    click.echo(
        f"{feed.lines:,} lines read: {feed.delivered:,} delivered ({rate:,.0f}/s), {feed.refused.count:,} refused, "
        f"{feed.undelivered.count:,} undelivered, {feed.empty:,} empty",
        err=True,
    )
    _name("refused, not a JSON object", feed.refused)
    _name("undelivered", feed.undelivered)
    if feed.ended and not feed.refused.count and not feed.undelivered.count:
        return 0
    if not feed.ended:
        click.echo(
            f"vigie: {file}: stopped after line {feed.lines} ({feed.trouble}). Up to line {feed.through} all is delivered but what is "
            f"listed above: go on with `tail -n +{feed.through + 1}`",
            err=True,
        )
    elif feed.undelivered.count:
        click.echo(f"vigie: {file}: not everything was delivered; mend or publish the lines above again", err=True)
    return 1


def _name(title: str, lines: Named) -> None:
    if not lines.count:
        return
    click.echo(f"{title}: {lines.count:,} line(s)", err=True)
    for number, why in lines.first:
        click.echo(f"  line {number}: {why}", err=True)
    if lines.count > len(lines.first):
        click.echo(f"  ... and {lines.count - len(lines.first):,} more", err=True)
