"""`vigie rejects`: what is in the dead-letter topic, and how to have it counted after all."""

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click

from streams.audit.log import Unread, open_log
from streams.audit.mend import Through
from streams.audit.rejects import DONE, GROUPINGS, Rejected, ReplayMark, Wanted, explain, printable, read_rejects, tally
from streams.audit.replay import Replayer, ReplayOutcome
from streams.cli.progress import Meter
from streams.cli.shared import counts_reader, open_console, print_json, say_simulation, since_text, table_of
from streams.clock import iso_utc, paris_text
from streams.count import Cut
from streams.edges import event_bounds, kafka_address
from streams.errors import InputError, ServerError
from streams.events import Reason
from streams.expose.minutes_query import read_time
from streams.settings import Settings, load_settings

VALUE_CHARACTERS_SHOWN = 100
NAME_CHARACTERS_MAX = 64


@click.group()
def rejects() -> None:
    """Rejected events: list them, show one, count them, and replay them after a fix.

    They are in the dead-letter topic for as long as Kafka keeps it, up to a bound a minute and reason; all are counted.
    """


def _choice(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose rejects, as `wanted`."""

    @click.option(
        "--reason",
        "reasons",
        multiple=True,
        type=click.Choice([reason.value for reason in Reason]),
        help="Of this reason; may be given several times.",
    )
    @click.option("--project", metavar="ID", help="Whose value names this project; - for those that name none.")
    @click.option(
        "--since",
        "--from",
        "since",
        metavar="TIME",
        help="Taken by Kafka then or later: 15m, 6h or 3d ago, or ISO 8601 (UTC).",
    )
    @click.option("--to", "--until", "until", metavar="TIME", help="Taken by Kafka before, ISO 8601 (UTC).")
    @wraps(command)
    def with_choice(
        *, reasons: tuple[str, ...], project: str | None, since: str | None, until: str | None, **others: Any
    ) -> None:
        wanted = Wanted(
            reasons,
            project,
            None if since is None else read_time("--since", since_text(since) or ""),
            None if until is None else read_time("--until", until),
        )
        command(wanted=wanted, **others)

    return with_choice


@rejects.command("list")
@_choice
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many, the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the whole value, and nothing else.")
def list_(*, wanted: Wanted, limit: int, as_json: bool) -> None:
    """List rejected events, oldest first."""
    settings = load_settings()
    newest: dict[str, Rejected] = {}
    replayed: set[str] = set()
    number = 0
    for found in _read(settings, wanted):
        if isinstance(found, ReplayMark):
            replayed.update([found.key] if found.stage == DONE else [])
            continue
        number += 1
        newest[found.key] = found
        if len(newest) >= 2 * limit + 1000:
            newest = _newest(newest, limit)
    if not as_json:
        say_simulation(settings.calendar_shift_seconds)
    for each in _newest(newest, limit).values():
        if as_json:
            print_json(_row(each, each.key in replayed))
            continue
        mark = "  (replayed)" if each.key in replayed else ""
        when = paris_text(each.append_ms, settings.calendar_shift_seconds, "seconds")
        click.echo(f"{each.key}  {when}  {each.reason}  {each.project}{mark}")
        click.echo(f"    {printable(each.value, VALUE_CHARACTERS_SHOWN)}")
    click.echo(f"{min(number, limit):,} of {number:,} rejects", err=True)


def _newest(found: dict[str, Rejected], limit: int) -> dict[str, Rejected]:
    return dict(sorted(found.items(), key=lambda item: _place(item[1]))[-limit:])


def _place(rejected: Rejected) -> tuple[int, list[int]]:
    """Time, then partition and offset."""
    return rejected.append_ms, [int(part) for part in rejected.key.rsplit("-", 2)[1:] if part.isdigit()]


def _row(rejected: Rejected, replayed: bool) -> dict[str, Any]:
    return {
        "key": rejected.key,
        "reason": rejected.reason,
        "append": iso_utc(rejected.append_ms, milliseconds=True),
        "project": rejected.project,
        "record_key": None if rejected.record_key is None else printable(rejected.record_key),
        "replayed": replayed,
        "value": None if rejected.value is None else rejected.value.decode(errors="backslashreplace"),
        "value_bytes": len(rejected.value or b"") if rejected.cut is None else rejected.cut.size,
        "value_sha256": None if rejected.cut is None else rejected.cut.sha256,
    }


@rejects.command()
@click.argument("key")
@click.option("--value", "value_only", is_flag=True, help="Only the original bytes, as they were.")
def show(key: str, value_only: bool) -> None:
    """Show one rejected event, named by its KEY as `list` prints it: everything about it, and what is wrong with it."""
    settings = load_settings()
    rejected: Rejected | None = None
    marks: list[ReplayMark] = []
    for found in _read(settings, Wanted()):
        if found.key == key and isinstance(found, Rejected):
            rejected = found
        elif found.key == key and isinstance(found, ReplayMark):
            marks.append(found)
    if rejected is None:
        raise InputError(
            f"no reject {key!r} is in {settings.rejected_topic}: `vigie rejects list` names those that are"
        )
    if value_only and rejected.cut is not None:
        raise InputError(
            f"of {key} only the first {len(rejected.value or b'')} of {rejected.cut.size} bytes are kept: see them without --value"
        )
    if value_only:
        click.echo(rejected.value or b"", nl=False)
        return
    topic, partition, offset = key.rsplit("-", 2)
    shift = settings.calendar_shift_seconds
    cut = rejected.cut
    kept = len(rejected.value or b"")
    say_simulation(shift)
    for name, told in (
        ("reason", rejected.reason),
        ("decoder", explain(rejected.value)),
        ("taken", paris_text(rejected.append_ms, shift, "milliseconds")),
        ("from", f"{topic}, partition {partition}, offset {offset}"),
        ("project", rejected.project),
        ("record key", "(none)" if rejected.record_key is None else printable(rejected.record_key)),
        *(
            ("replay", f"{mark.stage} at {paris_text(mark.at_ms, shift, 'milliseconds')}, as event {mark.event_id}")
            for mark in marks
        ),
        ("bytes", f"{kept}" if cut is None else f"{cut.size:,}, of which the first {kept:,} are kept"),
        ("sha256", None if cut is None else cut.sha256),
    ):
        if told is not None:
            click.echo(f"{name:<12}{told}")
    click.echo(printable(rejected.value))


@rejects.command()
@_choice
@click.option(
    "--by", type=click.Choice(GROUPINGS), default="reason", show_default=True, help="What is counted together."
)
def stats(*, wanted: Wanted, by: str) -> None:
    """Count rejected events by reason, project or hour: how many are kept, how many were replayed.

    By reason and without a choice also how many were counted since the beginning, and how many of them were not kept.
    """
    settings = load_settings()
    found = tally(_read(settings, wanted), by, settings.calendar_shift_seconds)
    counted = _counted(settings) if by == "reason" and wanted == Wanted() else None
    numbers_told = [*(["counted", "not kept"] if counted is not None else []), "kept", "replayed"]
    rows = []
    for cell in sorted(set(found.rows) | {(reason, reason) for reason in counted or {}}):
        row = found.rows.get(cell)
        own = [f"{number:,}" for number in (counted or {}).get(cell[1], (0, 0))] if counted is not None else []
        numbers = [f"{row.kept:,}", f"{row.replayed:,}"] if row else ["0", "0"]
        names = [
            printable(name.encode(), NAME_CHARACTERS_MAX) for name in cell
        ]  # a sender's text may hold terminal codes
        rows.append([*(names[:1] if by == "reason" else names), *own, *numbers])
    say_simulation(settings.calendar_shift_seconds)
    columns = [*(["reason"] if by == "reason" else [by, "reason"]), *numbers_told]
    open_console().print(table_of(columns, rows, right=numbers_told, box=None, header_style="bold"))
    totals = found.totals()
    click.echo(f"{totals.kept:,} kept, {totals.replayed:,} replayed")


def _counted(settings: Settings) -> dict[str, tuple[int, int]] | None:
    """Reason -> (counted, not kept), from Redis; None where it does not answer."""
    with counts_reader(settings) as reader:
        try:
            totals = reader.snapshot().totals_of_all_time()
        except ServerError as error:
            click.echo(f"vigie: what was counted is left out: {error}", err=True)
            return None
    return {key[1]: (n, totals.get((Cut.NOT_KEPT, key[1]), 0)) for key, n in totals.items() if key[0] == Cut.REJECTED}


@rejects.command()
@_choice
@click.option("--limit", type=click.IntRange(1), default=100_000, show_default=True, help="At most so many.")
@click.option(
    "--through", metavar="COMMAND", help="Mend the values first: a program that reads one a line and prints as many."
)
@click.option("--dry-run", is_flag=True, help="Say what would be replayed, and send nothing.")
def replay(*, wanted: Wanted, limit: int, through: str | None, dry_run: bool) -> None:
    """Publish rejected events again, each at most once for ever: those that would count by now, or once they are mended.

    What was replayed is remembered beside the dead letters: the same command again sends nothing twice. An event that its publisher has
    sent again by itself, under the same id, counts once within the window of ids only: do not replay those.

    Exit status: 0 when everything that was meant is replayed, 1 when some were left out. These would be rejected again, are too young, or
    were so large that only their heads are kept.
    """
    settings = load_settings()
    replayer = Replayer(
        kafka_address(settings),
        settings.topic,
        settings.rejected_topic,
        event_bounds(settings),
        None if through is None else Through(through),
        dry_run,
    )
    with Meter("replay", None) as meter:
        outcome = replayer.run(wanted, limit, lambda what, number: meter.show(number, f"{what} {number:,}"))
    _report(outcome, dry_run)
    sys.exit(1 if outcome.still or outcome.young or outcome.cut else 0)


def _report(outcome: ReplayOutcome, dry_run: bool) -> None:
    click.echo(f"{'would replay' if dry_run else 'replayed'} {outcome.replayed:,}, replayed before {outcome.before:,}")
    for number, told in (
        (outcome.same_id, f"left out, an event of the same id was replayed: {outcome.same_id:,}"),
        (
            outcome.young,
            f"left out, rules were changed since, and a worker may remember their ids from before: {outcome.young:,}; replay them "
            "20 minutes after they came",
        ),
        (
            outcome.cut,
            f"left out, only the head of a large value is kept: {outcome.cut:,}; whoever published them has the rest",
        ),
        (
            outcome.healed,
            f"an earlier replay ended in its middle: {outcome.healed:,} of its events had gone through",
        ),
        *(
            (times, f"left out, would be rejected again as {reason}: {times:,}")
            for reason, times in outcome.still.most_common()
        ),
    ):
        if number:
            click.echo(told)


def _read(settings: Settings, wanted: Wanted) -> Iterator[Rejected | ReplayMark]:
    """Yield what `read_rejects` finds, with progress; say at the end how much nobody can read."""
    unread = 0
    with (
        open_log(kafka_address(settings), settings.rejected_topic) as log,
        Meter("rejects", sum(log.ends.values()) - sum(log.starts.values())) as meter,
    ):
        for found in read_rejects(log, wanted, lambda read: meter.show(read, f"{read:,} records read")):
            if isinstance(found, Unread):
                unread += found.number
            else:
                yield found
    if unread:
        click.echo(
            f"vigie: {unread:,} records of {settings.rejected_topic} cannot be read: damaged, or larger than unpacked_mib_max",
            err=True,
        )
