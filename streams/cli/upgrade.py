"""`vigie upgrade`: the counts of a new version, made beside the running ones, take their place; then the old ones are removed."""

import sys
from contextlib import ExitStack, closing

import click

from streams.audit.log import open_log
from streams.audit.upgrade import (
    Reach,
    carried,
    counted_between,
    of_running_workers,
    reach_of,
    readable,
    still_in_use,
    unlike_minutes,
    wait_caught_up,
)
from streams.catalog import Catalog
from streams.cli.audit import recount_rules
from streams.cli.progress import Meter
from streams.clock import MINUTE_MS, iso_utc
from streams.count import Cut, Field
from streams.edges import kafka_address, redis_address
from streams.errors import InputError, StateError
from streams.expose.probes import observer_rules, open_archives, open_keeper, open_sketches
from streams.live import AlertStore, LiveReader, PrefixBook, Snapshot
from streams.live.connection import RedisAddress
from streams.live.keys import encode_field
from streams.observe import Observer
from streams.settings import Settings, load_settings
from streams.topics import admin_client, group_members

ROWS_SHOWN_MAX = 20


@click.command()
@click.option("--from", "old_prefix", metavar="PREFIX", required=True, help="The redis_prefix that is running.")
@click.option("--accept-gap", is_flag=True, help="Go on where the log does not reach as far back as the minutes held.")
@click.option(
    "--accept-differences", is_flag=True, help="Open the new counts although minutes differ: rules have changed."
)
@click.option("--finish", is_flag=True, help="Remove the old prefix, once nobody counts or shows it any more.")
def upgrade(old_prefix: str, accept_gap: bool, accept_differences: bool, finish: bool) -> None:
    """Let a new version's counts, under the redis_prefix of these settings, take the place of those that run under --from.

    Start workers of the new version first, with a redis_prefix and a consumer_group of their own: they count the log from its beginning,
    beside the running ones. Observers of the new prefix show nothing until this command has seen every minute equal, carried the totals
    from before the log over, and opened it. It may be stopped and run again at any time.

    Exit status: 0 when the new counts are open (or the old ones removed), 1 when minutes differ.
    """
    settings = load_settings()
    if old_prefix == settings.redis_prefix:
        raise InputError(
            "--from names the redis_prefix of these settings: set another one, which the new workers count under"
        )
    address = redis_address(settings)
    with ExitStack() as stack:
        old = stack.enter_context(closing(LiveReader(address, old_prefix)))
        new = stack.enter_context(closing(LiveReader(address, settings.redis_prefix)))
        if finish:
            _may_finish(old, new, old_prefix)
            _take_alerts(address, old_prefix, settings.redis_prefix)  # those that ended since it was opened
            book = stack.enter_context(closing(PrefixBook(address, old_prefix)))
            click.echo(f"{book.remove():,} keys of {old_prefix} removed")
            return
        running = readable(old_prefix, old.snapshot())
        with admin_client(kafka_address(settings)) as client:
            members = group_members(client, settings.consumer_group)
        if (worker := of_running_workers(settings.consumer_group, members, running)) is not None:
            raise InputError(
                f"consumer_group {settings.consumer_group} is that of the running workers ({worker} is in it), from whom new ones would "
                "take partitions: set another, for this command and for the new workers"
            )
        book = stack.enter_context(closing(PrefixBook(address, settings.redis_prefix)))
        if not book.begin(old_prefix):
            click.echo(f"{settings.redis_prefix} has taken the place of {old_prefix} already; next: --finish")
            return
        rules = recount_rules(settings, visits=True)
        with open_log(kafka_address(settings), settings.topic) as log:
            reach = reach_of(log, rules, old)
        if reach.is_short and not accept_gap:
            raise StateError(_too_short(reach))
        _say_room(new)
        before, now = _wait(settings, rules.catalog, old_prefix, old, new)
        minutes, rows = unlike_minutes(old, new, reach.first_minute, (before.settled_ms or 0) // MINUTE_MS)
        click.echo(f"{minutes:,} settled minutes compared, {len({row.minute for row in rows}):,} differ")
        for row in rows[:ROWS_SHOWN_MAX]:
            what = f"{iso_utc(row.minute * MINUTE_MS)}  {encode_field(row.field)}"
            click.echo(f"  {what}: {old_prefix} {row.old:,}, new {row.new:,}")
        if rows and not accept_differences:
            click.echo(
                "not opened: look at these rows; where the new version is meant to count so, --accept-differences",
                err=True,
            )
            sys.exit(1)
        with open_log(kafka_address(settings), settings.topic) as log:  # opened anew: it has grown
            between = counted_between(log, rules, before, now)
        base, more = carried(before.totals_of_all_time(), between, now.totals)
        book.open(old_prefix, base)
        _take_alerts(address, old_prefix, settings.redis_prefix)
        _say_opened(old_prefix, base, more, now)


def _wait(
    settings: Settings, catalog: Catalog, old_prefix: str, old: LiveReader, new: LiveReader
) -> tuple[Snapshot, Snapshot]:
    rules = observer_rules(settings, catalog, may_be_closed=True)
    with (
        closing(open_keeper(settings)) as keeper,
        closing(open_sketches(settings, catalog)) as sketches,
        closing(open_archives(settings)) as archives,
        Meter("upgrade", None) as meter,
    ):
        observer = Observer(keeper, sketches, rules, archives=archives)

        def show(theirs: Snapshot, ours: Snapshot) -> None:
            left = sum(
                max(0, state.next_offset - (ours.offsets[n].next_offset if n in ours.offsets else 0))
                for n, state in theirs.offsets.items()
            )
            settled = "nothing" if ours.settled_ms is None else iso_utc(ours.settled_ms // MINUTE_MS * MINUTE_MS)
            meter.show(
                0, f"{left:,} offsets behind, settled up to {settled}, {len(ours.heartbeats)} partitions counted"
            )

        return wait_caught_up(lambda: readable(old_prefix, old.snapshot()), new.snapshot, observer.round, show)


def _say_room(reader: LiveReader) -> None:
    facts = reader.facts()
    if facts.maxmemory_bytes and 2 * facts.used_bytes > facts.maxmemory_bytes:
        click.echo(
            f"Redis uses {facts.used_bytes >> 20:,} of {facts.maxmemory_bytes >> 20:,} MiB: two prefixes may not fit; a full one refuses "
            "writes of both, and nothing is lost: raise maxmemory",
            err=True,
        )


def _too_short(reach: Reach) -> str:
    assert reach.first_minute is not None
    oldest = "" if reach.oldest_minute is None else f", the minutes held to {iso_utc(reach.oldest_minute * MINUTE_MS)}"
    return (
        f"the log lets minutes be counted again from {iso_utc(reach.first_minute * MINUTE_MS)} on{oldest}: earlier minutes would be gone "
        "from Redis (not from the archive). Raise the topic's retention and wait, or accept it with --accept-gap"
    )


def _say_opened(old_prefix: str, base: dict[Field, int], more: dict[Field, int], now: Snapshot) -> None:
    def events(counts: dict[Field, int]) -> int:
        return sum(number for key, number in counts.items() if key[0] == Cut.EVENTS)

    click.echo(
        f"opened: {events(now.totals):,} events counted from the log, {events(base):,} of before it carried over as a base "
        f"({len(base):,} rows)"
    )
    if more:
        click.echo(f"{len(more):,} totals are higher than before, since this version counts otherwise:")
        for key, number in sorted(more.items())[:ROWS_SHOWN_MAX]:
            click.echo(f"  {encode_field(key)}: {number:,} more")
    click.echo(
        "next: observers of the new version are ready now; stop the old observers, then the old workers, then "
        f"`vigie upgrade --from {old_prefix} --finish` removes the old prefix"
    )


def _take_alerts(address: RedisAddress, old_prefix: str, prefix: str) -> None:
    with closing(AlertStore(address, old_prefix)) as old, closing(AlertStore(address, prefix)) as new:
        taken, unreadable = new.take_over(old)
    if taken:
        click.echo(f"alerts of the past taken over: {taken:,}")
    if unreadable:
        click.echo(f"alerts of {old_prefix} that this version cannot read, and leaves: {unreadable:,}", err=True)


def _may_finish(old: LiveReader, new: LiveReader, old_prefix: str) -> None:
    if new.snapshot().continues != old_prefix:
        raise StateError(
            f"these settings' redis_prefix has not taken the place of {old_prefix}: run this without --finish first"
        )
    if (why := still_in_use(old.snapshot())) is not None:
        raise StateError(f"{old_prefix} is not removed: {why}. Stop them; 15 s later run this again")
