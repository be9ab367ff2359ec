"""The end of `vigie up --verify`: does every figure of the chain agree, to the unit?

When traffic has stopped, the workers read the log to its end (within a bound), and two scrapes pass. Then these are compared:

- totals: published (the end of Kafka's log) = counted + rejected + duplicates, in Redis, on `/metrics`, in Prometheus's query API, in the
  recount, and in what the simulator knows;
- every total by region and service, in Redis and in Prometheus;
- every minute, in Redis, in the recount and in what the simulator knows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from streams.audit.figures import (
    Chain,
    Figures,
    Minutes,
    log_ends,
    metrics_figures,
    prometheus_figures,
    recount_figures,
    redis_figures,
)
from streams.audit.recount import Recount, differing
from streams.count import Cut, Field
from streams.errors import ServerError

DRAIN_SECONDS_MAX = 120
#: Two scrapes every 5 s, and a moment for the second to end.
SCRAPES_SECONDS = 12
SHOWN_DIFFERENCES_MAX = 40
_STOPPED = "stopped before the figures could be compared: let it run to its end"


@dataclass(slots=True)
class Comparison:
    """What was compared and what differs."""

    figures: list[Figures]
    notes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def verify(
    chain: Chain,
    known: Callable[[], list[Figures]],
    recount: Callable[[], Recount],
    pause: Callable[[float], bool],
    say: Callable[[str], None],
) -> int:
    """Drain, wait for two scrapes, compare and print; return the exit code. `known` gives the figures of the simulator, if there is one.

    `pause(seconds)` waits while the stack is looked after, and is False when a stop was asked for meanwhile.

    Raises:
        ServerError: a server does not answer, the workers do not reach the end of the log, or a stop was asked for.
    """
    say("waiting until everything is counted ...")
    published = wait_until_drained(chain, pause)
    say("waiting for two scrapes ...")
    if not pause(SCRAPES_SECONDS):
        raise ServerError(_STOPPED)
    redis = redis_figures(chain)
    prometheus, prometheus_fields = prometheus_figures(chain)
    redis_fields = {name: n for name, n in chain.reader.snapshot().totals.items() if name[0] == Cut.EVENTS}
    say("counting the log again ...")
    again = recount()
    figures = [
        Figures("Kafka", published),
        redis,
        metrics_figures(chain),
        prometheus,
        recount_figures(again, redis),
        *known(),
    ]
    comparison = compare(figures, published, redis, redis_fields, prometheus_fields)
    _add_recount(comparison, again)
    return report(comparison, say)


def wait_until_drained(chain: Chain, pause: Callable[[float], bool]) -> int:
    """Wait until Redis stands at the end of the log; return the number of records in it.

    Raises:
        ServerError: the workers are not there after `DRAIN_SECONDS_MAX`, or a stop was asked for.
    """
    behind = 0
    for _ in range(DRAIN_SECONDS_MAX):
        ends = log_ends(chain.kafka, chain.topic)
        offsets = chain.reader.snapshot().offsets
        stood = {number: offsets[number].next_offset if number in offsets else 0 for number in ends}
        if stood == ends:
            return sum(ends.values())
        behind = sum(ends.values()) - sum(stood.values())
        if not pause(1.0):
            raise ServerError(_STOPPED)
    raise ServerError(f"the workers are still {behind:,} events behind after {DRAIN_SECONDS_MAX} s: see their logs")


def _add_recount(result: Comparison, found: Recount) -> None:
    compared = found.compared
    result.notes.append(
        f"minutes, Redis and recount: {compared.minutes:,} minutes, {compared.rows:,} rows compared, {len(compared.differences):,} differ"
    )
    if not compared.minutes or not found.totals_compared:
        result.differences.append(
            "the recount could not compare everything: " + ("; ".join(found.notes) or "nothing was counted")
        )
    result.differences += [
        f"{'total' if each.minute is None else f'minute {each.minute}'} {' '.join(each.row)}: Redis says {each.redis:,}, "
        f"recount {each.recount:,}"
        for each in compared.differences
    ]


def compare(
    figures: list[Figures],
    published: int,
    redis: Figures,
    redis_fields: Mapping[Field, int],
    prometheus_fields: Mapping[Field, int],
) -> Comparison:
    """Compare everything with Redis and with the number of records published."""
    result = Comparison(figures)
    for each in figures:
        _compare_totals(result, each, redis, published)
    _compare_fields(result, redis_fields, prometheus_fields)
    for each in figures:
        if each is not redis and each.minutes is not None and redis.minutes is not None:
            _compare_minutes(result, each.source, each.minutes, redis.minutes)
    return result


def _with_repeats(result: Comparison, figures: Figures, published: int) -> Figures:
    """The figures of who sent, with what Kafka holds twice since no answer said that it was there; no more than was sent again."""
    more = 0 if figures.published is None else min(max(0, published - figures.published), figures.resent)
    if not more or figures.published is None or figures.duplicates is None:
        return figures
    result.notes.append(
        f"{figures.source}: {more:,} of {figures.resent:,} events that were sent again without an answer stand in Kafka twice"
    )
    return replace(figures, published=figures.published + more, duplicates=figures.duplicates + more)


def _compare_totals(result: Comparison, figures: Figures, redis: Figures, published: int) -> None:
    figures = _with_repeats(result, figures, published)
    if figures.published is not None and figures.published != published:
        result.differences.append(f"{figures.source}: {figures.published:,} published, Kafka holds {published:,}")
    if figures.counted is not None and figures.rejected is not None and figures.duplicates is not None:
        added = figures.counted + figures.rejected + figures.duplicates
        if added != published:
            result.differences.append(
                f"{figures.source}: counted + rejected + duplicates is {added:,}, published is {published:,}"
            )
    for name in ("counted", "rejected", "duplicates"):
        mine, theirs = getattr(figures, name), getattr(redis, name)
        if mine is not None and mine != theirs:
            result.differences.append(f"{name}: {figures.source} says {mine:,}, Redis {theirs:,}")
    if figures.rejected_by_reason is not None and redis.rejected_by_reason is not None:
        result.differences += [
            f"rejected as {reason}: {figures.source} says {mine:,}, Redis {theirs:,}"
            for reason, mine, theirs in differing(figures.rejected_by_reason, redis.rejected_by_reason)
        ]


def _compare_fields(result: Comparison, redis: Mapping[Field, int], prometheus: Mapping[Field, int]) -> None:
    wrong = differing(redis, prometheus)
    result.notes.append(
        f"totals by region and service, Redis and Prometheus: {len({*redis, *prometheus}):,} compared, {len(wrong):,} differ"
    )
    result.differences += [
        f"{' '.join(name[1:])}: Redis says {one:,}, Prometheus {other:,}" for name, one, other in wrong
    ]


def _compare_minutes(result: Comparison, source: str, mine: Minutes, redis: Minutes) -> None:
    cuts = {field[0] for _minute, field in mine}
    theirs = {key: number for key, number in redis.items() if key[1][0] in cuts}
    keys, wrong = {*mine, *theirs}, differing(theirs, mine)
    minutes = len({minute for minute, _field in keys})
    result.notes.append(
        f"minutes, Redis and {source}: {minutes:,} minutes, {len(keys):,} rows compared, {len(wrong):,} differ"
    )
    result.differences += [
        f"minute {minute} {' '.join(name)}: Redis says {number:,}, {source} {expected:,}"
        for (minute, name), number, expected in wrong
    ]


def report(comparison: Comparison, say: Callable[[str], None]) -> int:
    """Print the table, what was compared and every difference (bounded); return 0 where all agree, else 1."""
    rows: list[tuple[str, ...]] = [
        ("", "published", "= counted", "+ rejected", "+ duplicates"),
        *(
            (each.source, *map(_cell, (each.published, each.counted, each.rejected, each.duplicates)))
            for each in comparison.figures
        ),
    ]
    differences = comparison.differences
    more = len(differences) - SHOWN_DIFFERENCES_MAX
    lines = [
        "",
        *(f"{row[0]:<20}" + "".join(f"{cell:>14}" for cell in row[1:]) for row in rows),
        "",
        *comparison.notes,
        *(f"  DIFFERS  {difference}" for difference in differences[:SHOWN_DIFFERENCES_MAX]),
        *([f"  ... and {more:,} more"] if more > 0 else []),
        f"{len(differences):,} figures differ" if differences else "every figure agrees",
    ]
    for line in lines:
        say(line)
    return 1 if differences else 0


def _cell(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
