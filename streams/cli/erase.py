"""`vigie erase --visitor`: what of a visitor is there, what can be erased, and when the rest is gone."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from streams.audit.visitor_traces import Traces, traces_of
from streams.cli.progress import Meter
from streams.clock import paris_text
from streams.count.memory import MemoryPlan
from streams.edges import event_bounds, kafka_address
from streams.errors import InputError
from streams.events import VISITOR_CHARACTERS_MAX
from streams.live.keys import SKETCH_DAYS_KEPT, SKETCH_MINUTES_KEPT
from streams.settings import Settings, load_settings


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
