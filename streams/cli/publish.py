"""`vigie publish`: events of a file, or of another program, into Kafka."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import click

from streams.cli.progress import Meter
from streams.edges import kafka_address
from streams.errors import InputError
from streams.publish import PublisherLimits, VisitPublisher
from streams.publish.feed import Feed, Named, Tally
from streams.publish.formats import Question, line_reader, read_moment
from streams.publish.lines import open_events
from streams.publish.mark import MarkFile, Progress, pass_by
from streams.publish.publisher import SECRET_BYTES_MIN
from streams.publish.readers import Format, LineReader, secrets_from
from streams.publish.rehearse import NO_SECRET, Rehearsal, rehearse
from streams.settings import Settings, load_settings

#: Short, so that progress and Ctrl-C are not kept waiting while Kafka is away; the feed asks again.
_LIMITS = PublisherLimits(block_seconds_max=0.25)


@click.command()
@click.argument("file", default="-")
@click.option(
    "--format",
    "format_name",
    type=click.Choice([each.value for each in Format]),
    default="native",
    help="What the lines are; native: events of the contract.",
)
@click.option(
    "--project",
    metavar="ID",
    help="Project of lines that do not name one (entcore; xiti without a known id); combined: only the rows of this project.",
)
@click.option("--at", metavar="TIME", help="Time of hits that carry none (xiti), ISO 8601.")
@click.option(
    "--dry-run", is_flag=True, help="Print what would be sent and what not, and why; needs no Kafka and no secret."
)
@click.option("--again", is_flag=True, help="Publish the file from its beginning, whatever its resume mark says.")
def publish(file: str, format_name: str, project: str | None, at: str | None, dry_run: bool, again: bool) -> None:
    """Publish the lines of FILE (.gz too), or of standard input: events of the contract, or the log of another emitter.

    Native: every JSON object is sent as it is, under its `visitor`; what breaks the contract shows in `vigie status` and in the dead-letter
    topic. The other formats become events by the tables of config/; users become pseudonyms with the secret in VIGIE_SECRET_<PROJECT>.

    Beside FILE a mark (FILE.vigie-mark) keeps how much of it was published: the next run goes on from there, also in a file that grew.

    Exit status: 0 when Kafka confirmed every line that is an event and no line was unreadable, 1 when not, with the lines and why.
    """
    settings = load_settings()
    question = Question(Format(format_name), project, None if at is None else read_moment(at))
    if dry_run:
        sys.exit(_dry_run(file, line_reader(question, settings.config_dir, lambda _project: NO_SECRET)))
    secret_of = secrets_from(os.environ, SECRET_BYTES_MIN)
    make_reader = line_reader(question, settings.config_dir, secret_of)
    mark = None if file == "-" else MarkFile(Path(file), question.format.value, project or "", settings.topic)
    sys.exit(_publish(file, settings, make_reader, mark, again))


def _publish(
    file: str, settings: Settings, make_reader: Callable[[], LineReader], mark: MarkFile | None, again: bool
) -> int:
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # one clear message is printed instead
    stream, raw, reader, progress = _open(file, make_reader, None if again else mark)
    feed = Feed(reader, mark, progress)
    publisher = VisitPublisher(kafka_address(settings), topic=settings.topic, on_failed=feed.on_failed, limits=_LIMITS)
    if raw.isatty():
        click.echo("Reading events from the terminal, one a line; end with Ctrl-D.", err=True)
    with closing(raw), closing(stream):
        seconds = _run(feed, publisher, stream, raw, file)
    if mark is not None and mark.trouble:
        click.echo(f"vigie: {mark.trouble}", err=True)
    return _report(feed, seconds, file)


def _open(
    file: str, make_reader: Callable[[], LineReader], mark: MarkFile | None
) -> tuple[BinaryIO, BinaryIO, LineReader, Progress]:
    """Open the file behind what its mark says was published."""
    stream, raw = open_events(file)
    reader = make_reader()
    found = mark.read() if mark is not None else None
    if mark is None or found is None:
        return stream, raw, reader, Progress()
    progress = pass_by(stream, found, reader.pass_by)
    if progress is not None:
        text = (
            f"{file}: {progress.lines:,} lines were published before ({mark.path.name}); --again publishes them again"
        )
        click.echo(text, err=True)
        return stream, raw, reader, progress
    stream.close()
    raw.close()
    click.echo(f"{file} does not begin with what {mark.path.name} speaks of: published from its beginning", err=True)
    stream, raw = open_events(file)
    return stream, raw, make_reader(), Progress()


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
        f"{feed.lines - feed.passed:,} lines read: {feed.delivered:,} delivered ({rate:,.0f}/s), {feed.tally.skipped.total():,} skipped, "
        f"{feed.tally.unreadable.count:,} unreadable, {feed.undelivered.count:,} undelivered",
        err=True,
    )
    _kinds(feed.tally, err=True)
    _name("unreadable", feed.tally.unreadable, err=True)
    _name("undelivered", feed.undelivered, err=True)
    if feed.ended and not feed.tally.unreadable.count and not feed.undelivered.count:
        return 0
    if not feed.ended:
        resume = "run the same command again" if file != "-" else f"go on with `tail -n +{feed.through + 1}`"
        click.echo(
            f"vigie: {file}: stopped after line {feed.lines} ({feed.trouble}). Up to line {feed.through} all is delivered but what is "
            f"listed above: {resume}",
            err=True,
        )
    elif feed.undelivered.count:
        click.echo(f"vigie: {file}: not everything was delivered; mend or publish the lines above again", err=True)
    return 1


def _dry_run(file: str, make_reader: Callable[[], LineReader]) -> int:
    stream, raw = open_events(file)
    total = os.fstat(raw.fileno()).st_size if file != "-" else None
    with closing(raw), closing(stream), Meter("publish --dry-run", total) as meter:

        def look(done: Rehearsal) -> None:
            if meter.due():
                meter.show(raw.tell() if total else 0, f"{done.lines:,} lines read")

        try:
            done = rehearse(stream, make_reader(), look)
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
    unreadable = done.tally.unreadable
    click.echo(f"sent {done.sent}, skipped {done.tally.skipped.total()}, unreadable {unreadable.count}")
    _kinds(done.tally)
    _name("unreadable", unreadable)
    if done.broken.count:
        reasons = ", ".join(f"{reason} {number}" for reason, number in done.reasons.most_common())
        _name(f"sent, but the chain would reject it ({reasons})", done.broken)
    if done.trouble:
        click.echo(f"vigie: {file}: {done.trouble}", err=True)
    return 1 if unreadable.count or done.trouble else 0


def _kinds(tally: Tally, *, err: bool = False) -> None:
    for kind, number in tally.skipped.most_common():
        click.echo(f"skipped, {kind}: {number}", err=err)


def _name(title: str, lines: Named, *, err: bool = False) -> None:
    if not lines.count:
        return
    click.echo(f"{title}: {lines.count:,} line(s)", err=err)
    for number, why in lines.first:
        click.echo(f"  line {number}: {why}", err=err)
    if lines.count > len(lines.first):
        click.echo(f"  ... and {lines.count - len(lines.first):,} more", err=err)
