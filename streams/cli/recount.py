"""`vigie recount`: the topic counted again with plain code, against Redis."""

from __future__ import annotations

import sys
from contextlib import closing

import click
import orjson

from streams.audit.recount import CODES, Difference, Recount, RecountRules
from streams.audit.recount import recount as count_again
from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.cli.terminal import say_simulation
from streams.clock import iso_utc, paris_text
from streams.edges import event_bounds, kafka_address, redis_address
from streams.live import LiveReader
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
        closing(LiveReader(redis_address(settings), settings.redis_prefix)) as reader,
        Meter("recount", None) as meter,
    ):

        def show(done: int, to_read: int) -> None:
            if meter.due():
                share = 100 * done // max(to_read, 1)
                rate = done / meter.seconds
                meter.show(done, f"{done:,} of {to_read:,} records ({share} %), {rate:,.0f}/s")

        found = count_again(kafka_address(settings), settings.topic, reader, rules, show)
    shift = settings.calendar_shift_seconds
    if not as_json:
        say_simulation(shift)
    click.echo(orjson.dumps(_json(found)) if as_json else _text(found, shift))
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
        f"{compared.rows:,} rows{' with the totals' if found.totals_compared else ''}"
    ]
    lines += [f"note: {note}" for note in found.notes]
    if found.service_visits is not None:
        ours, ministry = found.service_visits
        excess = 100 * (ours - ministry) / max(ministry, 1)
        lines.append(
            f"visits of services: {ours:,}; by the ministry's rule, each service once a visit: {ministry:,} ({excess:+.2f} %)"
        )
    if not compared.minutes:
        lines.append("nothing to compare: publish events and let a worker count them first")
    elif not compared.differences:
        lines.append("Redis agrees with the log in every row")
    else:
        lines.append(f"{len(compared.differences):,} rows differ:")
        lines += [_line(one, shift_seconds) for one in compared.differences[:DIFFERENCES_SHOWN_MAX]]
        if len(compared.differences) > DIFFERENCES_SHOWN_MAX:
            lines.append(f"  ... and {len(compared.differences) - DIFFERENCES_SHOWN_MAX:,} more")
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
