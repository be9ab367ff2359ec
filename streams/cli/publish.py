"""`vigie publish`: events of a file, or of another program, into Kafka, or to a collector."""

import logging
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from streams.cli.progress import Meter
from streams.cli.publish_report import report, report_rehearsal
from streams.edges import event_bounds, publish_address
from streams.errors import InputError
from streams.publish import PublisherLimits, VisitPublisher
from streams.publish.event import SECRET_BYTES_MIN
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.mark import Book, MarkFile
from streams.publish.opening import is_packed, open_events
from streams.publish.outcomes import NO_SECRET, DryRun, rehearse
from streams.publish.readers import Format, LineReader, secrets_from
from streams.publish.resume import (
    WINDOW,
    Trial,
    decide,
    hold_against,
    marks_around,
    refuse_another_secret,
    remove_old_marks,
)
from streams.publish.send_lines import LineFeed
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
@click.option("--again", is_flag=True, help=f"Publish the whole file, whatever was published of it: {WINDOW}.")
@click.option("--no-mark", is_flag=True, help="Neither read nor keep a resume mark: every run sends the whole file.")
def publish(
    *, file: str, format_name: str, project: str | None, at: str | None, dry_run: bool, again: bool, no_mark: bool
) -> None:
    """Publish the lines of FILE (also compressed), or of standard input: events of the contract, or the log of another emitter.

    Native: every JSON object is sent as it is, under its `visitor`; what breaks the contract shows in `vigie status` and in the dead-letter
    topic. The other formats become events by the tables of config/; users become pseudonyms with the secret in VIGIE_SECRET_<PROJECT>.
    Where the setting publish_url names a collector, events go there, and what breaks the contract is refused at once.

    Beside FILE a mark (FILE.vigie-mark) keeps what of it was published: the next run sends what is missing, also of a file that grew or was
    renamed. A file that was changed where it was published already is refused. Pipes have no mark.

    Exit status: 0 when Kafka confirmed every line that is an event and no line was unreadable, also in earlier runs; 1 when not, with the
    lines and why.
    """
    settings = load_settings()
    question = FormatOptions.of_words(format_name, project, at)
    secret_of = secrets_from(os.environ, SECRET_BYTES_MIN)
    make_reader = line_reader(question, settings.config_dir, (lambda _project: NO_SECRET) if dry_run else secret_of)
    source = _Source(file, _is_regular(file))
    marks = MarkFile(Path(file)) if source.regular and not no_mark else None
    of = (question.format.value, project or "", settings.topic)
    if marks and not dry_run:
        remove_old_marks(marks.path.parent, time.time() - settings.marks_days_kept * 86_400, but=marks.path)
    with marks.held() if marks and not dry_run else nullcontext():
        book = _begin(source, marks, of, again, question.at_ms)
        refuse_another_secret(source.name, book, secret_of)
        sys.exit(
            _dry_run(source, settings, make_reader(), book)
            if dry_run
            else _publish(source, settings, make_reader(), book, marks)
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """What is read: `-`, a pipe, or a regular file, which can be read again and has marks."""

    name: str
    regular: bool

    @property
    def bytes_total(self) -> int | None:
        """Its size, None where nobody knows."""
        return Path(self.name).stat().st_size if self.regular else None

    @contextmanager
    def opened(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Its lines, and the file below them whose position shows progress."""
        stream, raw = open_events(self.name)
        with closing(raw), closing(stream):
            try:
                yield stream, raw
            except InputError as error:
                raise InputError(f"{self.name}: {error}") from None


def _is_regular(file: str) -> bool:
    """Whether this is a file that can be read again: no pipe, no terminal, no process substitution."""
    try:
        return file != "-" and stat.S_ISREG(os.stat(file).st_mode) and os.path.samefile(file, os.path.realpath(file))
    except OSError:
        return False  # where there is no such file, opening it says so


def _begin(source: _Source, marks: MarkFile | None, of: tuple[str, str, str], again: bool, at_ms: int | None) -> Book:
    """Return the book that the run goes on with, and say where it begins."""
    trials: list[Trial] = []
    if marks is not None and again:
        click.echo(f"{source.name}: --again: everything is sent, {WINDOW}", err=True)
        with suppress(InputError):  # a damaged mark goes
            marks.keep(marks.read())
    elif marks is not None:
        trials = marks_around(marks, neighbours=at_ms is None)
        marks.keep(tuple(trial.mark for trial in trials if trial.path == marks.path))
    if not trials and not (source.regular and is_packed(source.name)):
        return Book(*of, at_ms=at_ms)
    with source.opened() as (stream, raw), Meter("look through", source.bytes_total) as meter:
        lines = hold_against(stream, trials, lambda number: meter.show(raw.tell(), f"{number:,} lines"))
    if marks is None:
        return Book(*of, at_ms=at_ms)
    book, said = decide(source.name, of, trials, own=marks.path, lines=lines, at_ms=at_ms)
    for text in said:
        click.echo(text, err=True)
    return book


def _publish(source: _Source, settings: Settings, reader: LineReader, book: Book, marks: MarkFile | None) -> int:
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # one clear message is printed instead
    feed = LineFeed(reader, book, marks)
    publisher = VisitPublisher(
        publish_address(settings), topic=settings.topic, on_failed=feed.on_failed, limits=_LIMITS
    )
    with source.opened() as (stream, raw):
        if raw.isatty():
            click.echo("Reading events from the terminal, one a line; end with Ctrl-D.", err=True)
        seconds = _run(feed, publisher, stream, raw, source)
    return report(feed, seconds, source.name, marks)


def _run(feed: LineFeed, publisher: VisitPublisher, stream: BinaryIO, raw: BinaryIO, source: _Source) -> float:
    def stop(_signal: int, _frame: object) -> None:
        feed.interrupt()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    total = source.bytes_total
    try:
        with Meter("publish", total) as meter:

            def look() -> None:
                if meter.due():
                    done = publisher.delivered
                    rate = f"{done:,} confirmed, {publisher.pending:,} wait for Kafka, {done / max(meter.seconds, 0.001):,.0f}/s"
                    meter.show(raw.tell() if total else 0, f"{feed.lines:,} lines read, {rate}")

            feed.run(stream, publisher, look)
            return meter.seconds
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _dry_run(source: _Source, settings: Settings, reader: LineReader, book: Book) -> int:
    total, bounds = source.bytes_total, event_bounds(settings)
    with source.opened() as (stream, raw), Meter("publish --dry-run", total) as meter:

        def look(done: DryRun) -> None:
            if meter.due():
                meter.show(raw.tell() if total else 0, f"{done.lines:,} lines read")

        done = rehearse(stream, reader, book, bounds, look)
    return report_rehearsal(done, source.name)
