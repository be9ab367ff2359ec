"""`vigie recount`, `vigie erase`: what the log holds, counted again with plain code, and of one visitor."""

import sys
from collections.abc import Iterator

import click
import orjson

from streams.audit.recount import CODES, Difference, Recount, RecountRules
from streams.audit.recount import recount as count_again
from streams.audit.visitor_traces import Traces, traces_of
from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.cli.shared import counts_reader, say_simulation
from streams.clock import iso_utc, paris_text
from streams.count.memory import MemoryPlan
from streams.edges import event_bounds, kafka_address
from streams.errors import InputError
from streams.events import VISITOR_CHARACTERS_MAX
from streams.live.keys import SKETCH_DAYS_KEPT, SKETCH_MINUTES_KEPT
from streams.settings import Settings, load_settings

#: Rows that are printed; all are counted.
DIFFERENCES_SHOWN_MAX = 50


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of text.")
@click.option("--visits", is_flag=True, help="Count visits too, by plain sentences: about half as fast.")
def recount(as_json: bool, visits: bool) -> None:
    """Count the topic again with plain code, up to where Redis stands, and compare row by row.

    Exit status: 0 when everything agrees, 1 when rows differ (they are listed) or when nothing could be compared.
    """
    settings = load_settings()
    rules = recount_rules(settings, visits=visits)
    with (
        counts_reader(settings) as reader,
        Meter("recount", None) as meter,
    ):

        def show(done: int, to_read: int) -> None:
            if meter.due():
                share = 100 * done // max(to_read, 1)
                meter.show(done, f"{done:,} of {to_read:,} records ({share} %), {done / meter.seconds:,.0f}/s")

        found = count_again(kafka_address(settings), settings.topic, reader, rules, show)
    if as_json:
        click.echo(orjson.dumps(_json(found)))
    else:
        say_simulation(settings.calendar_shift_seconds)
        click.echo(_text(found, settings.calendar_shift_seconds))
    sys.exit(0 if found.agrees else 1)


def recount_rules(settings: Settings, *, visits: bool) -> RecountRules:
    """How the log of these settings is counted again."""
    return RecountRules(
        catalog=load_catalog(settings.config_dir),
        bounds=event_bounds(settings),
        lateness_ms=settings.lateness_seconds * 1000,
        minutes_kept_hours=settings.minutes_kept_hours,
        visits=visits,
    )


def _text(found: Recount, shift_seconds: int) -> str:
    compared = found.compared
    rate = found.records / max(found.seconds, 0.001)
    lines = [
        f"recounted {found.records:,} records in {found.seconds:.1f} s ({rate:,.0f}/s); compared {compared.minutes:,} minutes, "
        f"{compared.rows:,} rows{' with the totals' if found.totals_compared else ''}",
        *(f"note: {note}" for note in found.notes),
    ]
    if found.service_visits is not None:
        ours, ministry = found.service_visits
        excess = f"{100 * (ours - ministry) / max(ministry, 1):+.2f} %"
        lines.append(
            f"visits of services: {ours:,}; by the ministry's rule, each service once a visit: {ministry:,} ({excess})"
        )
    if not compared.minutes:
        lines.append("nothing to compare: publish events and let a worker count them first")
    elif not compared.differences:
        lines.append("Redis agrees with the log in every row")
    else:
        left_out = len(compared.differences) - DIFFERENCES_SHOWN_MAX
        lines += [
            f"{len(compared.differences):,} rows differ:",
            *(_line(one, shift_seconds) for one in compared.differences[:DIFFERENCES_SHOWN_MAX]),
            *([f"  ... and {left_out:,} more"] if left_out > 0 else []),
        ]
    return "\n".join(lines)


def _line(one: Difference, shift_seconds: int) -> str:
    aspect, *codes = one.row
    when = "total" if one.minute is None else paris_text(one.minute * 60_000, shift_seconds)
    return f"  {when:22}  {aspect} {' '.join(codes)}: Redis {one.redis}, log {one.recount}"


def _json(found: Recount) -> dict[str, object]:
    compared = found.compared
    return {
        "agrees": found.agrees,
        "records": found.records,
        "seconds": round(found.seconds, 3),
        "minutes_compared": compared.minutes,
        "rows_compared": compared.rows,
        "totals_compared": found.totals_compared,
        "differences_count": len(compared.differences),
        "differences": [
            {
                "minute": None if one.minute is None else iso_utc(one.minute * 60_000),
                "aspect": one.row[0],
                **dict(zip(CODES[one.row[0]], one.row[1:], strict=True)),
                "counted": one.redis,
                "recounted": one.recount,
            }
            for one in compared.differences[:DIFFERENCES_SHOWN_MAX]
        ],
        "notes": list(found.notes),
        "service_visits": None if found.service_visits is None else found.service_visits[0],
        "ministry_service_visits": None if found.service_visits is None else found.service_visits[1],
    }


@click.command()
@click.option("--visitor", required=True, help="The pseudonym, as events carry it: the ENT knows whose it is.")
def erase(visitor: str) -> None:
    """Say what of a visitor can be erased, what cannot, and when that is gone. Nothing is changed.

    A log that counts are made from cannot lose single records. What erases a person at once is the ENT's: it forgets the secret of its
    pseudonyms, or the user's id. Then no pseudonym leads to anybody.

    Exit status: 0 when Kafka holds nothing of the visitor, 1 while it does.
    """
    if not 0 < len(visitor) <= VISITOR_CHARACTERS_MAX:
        raise InputError(f"--visitor is a pseudonym, of 1 to {VISITOR_CHARACTERS_MAX} characters, as events carry it")
    settings = load_settings()
    with Meter("erase", None) as meter:
        found = traces_of(
            visitor,
            kafka_address(settings),
            (settings.topic, settings.rejected_topic),
            lambda read: meter.show(read, f"{read:,} records read"),
        )
    for about, text in (*(line for traces in found for line in _in_kafka(traces)), *_elsewhere(settings)):
        click.echo(f"{about:<9}  {text}")
    sys.exit(1 if any(traces.by_project for traces in found) else 0)


def _in_kafka(traces: Traces) -> Iterator[tuple[str, str]]:
    if not traces.by_project:
        yield "kafka", f"{traces.topic} holds nothing of this visitor"
    else:
        named = ", ".join(f"{project} {number:,}" for project, number in traces.by_project.most_common())
        last = paris_text(traces.last_ms, 0, "seconds")
        gone = "never: retention.ms is -1" if traces.gone_ms is None else paris_text(traces.gone_ms, 0, "seconds")
        yield (
            "kafka",
            f"{traces.topic} holds {traces.by_project.total():,} records ({named}), the last of {last}. They cannot be erased one by one; "
            f"Kafka removes them by {gone} at the latest",
        )
    if traces.unread:
        yield "kafka", f"{traces.unread:,} records of {traces.topic} can be read by nobody: they may be anybody's"


def _elsewhere(settings: Settings) -> Iterator[tuple[str, str]]:
    plan = MemoryPlan.covering(event_bounds(settings).ahead_ms_max, settings.lateness_seconds * 1000)
    minutes = -(-plan.visit_ms * plan.visit_count // 60_000)
    yield (
        "workers",
        f"hold hashes of pseudonyms in memory alone, under keys of the process, for {minutes} minutes after the last event",
    )
    yield (
        "redis",
        f"holds no pseudonym. It cannot be taken out of a sketch of users, nor read from one: those of minutes are gone after "
        f"{SKETCH_MINUTES_KEPT} settled minutes, those of days after {SKETCH_DAYS_KEPT} days",
    )
    if settings.archive_dir is not None:
        days = settings.archive_sketches_days_max
        kept = "are kept for ever: set archive_sketches_days_max" if days is None else f"are gone after {days} days"
        yield (
            "archive",
            f"holds no pseudonym. Its sketches of users of a day {kept}. Whoever has the pseudonym can learn from one that it is not in "
            "it, never that it is",
        )
    yield "others", "counts, metrics, alerts, reports and logs hold no pseudonym"
    yield (
        "the ENT",
        "erases a person at once: without the secret of its pseudonyms, or the user's id, they lead to nobody (docs/rgpd.md)",
    )
