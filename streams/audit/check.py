"""Looks at everything that must be right before the chain can run: one finding a thing, all of them, in bounded time.

Creates the topics that are absent and changes nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.protocol.admin.client_quotas import DescribeClientQuotasRequest

from streams.broker import KafkaAddress
from streams.catalog import Catalog
from streams.errors import ServerError, VigieError
from streams.live import LiveReader, RedisFacts, Snapshot
from streams.live.connection import cluster_problem
from streams.live.keys import LAYOUT
from streams.topics import (
    TopicDesign,
    TopicFacts,
    admin_client,
    found_or_created,
    topic_problems,
    topic_warnings,
)

REDIS_VERSION_MIN = (7, 0)
#: What a minute in which every service of every region is used takes in Redis, a region and service (measured: 228), and all sketches.
PAIR_BYTES = 230
SKETCHES_BYTES = 64 << 20
#: A server that holds more of its `maxmemory` than this has little room for a rentrée.
USED_SHARE_MAX = 0.8
#: About one period of school and the holidays after it.
CALENDAR_DAYS = 60


class Level(StrEnum):
    """How a finding is to be taken; only a problem keeps the chain from running."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `about` names it, `text` says what was found and, unless it is ok, what to do."""

    level: Level
    about: str
    text: str


def guarded(about: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Run one look; an error that it raises becomes its last finding."""
    found: list[Finding] = []
    try:
        found.extend(look())  # keeps those before an error
    except VigieError as error:
        found.append(Finding(Level.PROBLEM, about, str(error)))
    return found


def memory_needed_bytes(catalog: Catalog, kept_hours: int) -> int:
    """What Redis holds at most of so many hours, were every service of these lists used in every region in every minute."""
    return len(catalog.regions) * len(catalog.services) * PAIR_BYTES * 60 * kept_hours + SKETCHES_BYTES


def check_redis(reader: LiveReader, needed_bytes: int | None = None) -> Iterator[Finding]:
    """Reachable, new enough, keeps its data, does not evict, and has room for what will be held (None: that is not known)."""
    facts = reader.facts()
    if tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit()) < REDIS_VERSION_MIN:
        yield Finding(Level.PROBLEM, "redis", f"version {facts.version}: Vigie's scripts need Redis 7 or newer")
    else:
        yield Finding(Level.OK, "redis", f"answers, version {facts.version}")
    looks = (
        (
            facts.master is not None,
            Level.PROBLEM,
            f"is a replica of {facts.master}, which takes no writes: set redis_url to its master",
        ),
        (
            facts.cluster_nodes != 0,
            Level.WARNING if facts.cluster_nodes == 1 else Level.PROBLEM,
            cluster_problem(facts.cluster_nodes),
        ),
        (
            not facts.append_only,
            Level.WARNING,
            "appendonly is off: a restart loses counts until workers have read Kafka again; set `appendonly yes`",
        ),
        (
            facts.maxmemory_policy != "noeviction",
            Level.WARNING if facts.maxmemory_bytes == 0 else Level.PROBLEM,
            f"maxmemory-policy is {facts.maxmemory_policy}: a full Redis would throw counts away silently; "
            "set `maxmemory-policy noeviction`",
        ),
    )
    yield from (Finding(level, "redis", text) for is_wrong, level, text in looks if is_wrong)
    if (problem := memory_problem(facts, needed_bytes)) is not None:
        yield Finding(Level.WARNING, "redis", problem)


def memory_problem(facts: RedisFacts, needed_bytes: int | None) -> str | None:
    """Why Redis may fill up, or be killed; None where it will not. None `needed_bytes`: it is not known what will be held."""
    size = "" if needed_bytes is None else f"; these lists and minutes_kept_hours take up to {needed_bytes >> 20} MiB"
    most_mib = facts.maxmemory_bytes >> 20
    if facts.maxmemory_bytes == 0:
        return f"maxmemory is not set: a machine that is full kills Redis, instead of Redis refusing writes until there is room{size}"
    if needed_bytes is not None and facts.maxmemory_bytes < needed_bytes:
        return f"maxmemory is {most_mib} MiB{size}: raise it, or lower minutes_kept_hours"
    if facts.used_bytes > USED_SHARE_MAX * facts.maxmemory_bytes:
        return f"holds {facts.used_bytes >> 20} MiB of a maxmemory of {most_mib} MiB: raise it before it is full"
    return None


def check_topics(
    address: KafkaAddress, designs: Sequence[TopicDesign], found: dict[str, TopicFacts]
) -> Iterator[Finding]:
    """Kafka answers; topics exist, are created where they do not, and are as designed. `found` receives what Kafka says of them."""
    with admin_client(address) as client:
        yield Finding(Level.OK, "kafka", f"answers at {','.join(address.bootstrap_servers)}")
        for design in designs:
            facts, is_new = found_or_created(client, design)
            if facts is None:
                raise ServerError(
                    f"{design.name} was created but Kafka does not list it: try again, or see Kafka's log"
                )
            found[design.name] = facts
            yield from _topic_findings(facts, design, created=is_new)
        number = producer_quotas(client)
        is_bad = number == 0 and address.security_protocol != "PLAINTEXT"
        yield Finding(Level.WARNING if is_bad else Level.OK, "quotas", quotas_text(number))


def _topic_findings(facts: TopicFacts, design: TopicDesign, *, created: bool) -> Iterator[Finding]:
    problems = topic_problems(facts, design)
    yield from (Finding(Level.PROBLEM, "topic", problem) for problem in problems)
    if facts.partitions < design.partitions:
        yield Finding(
            Level.WARNING,
            "topic",
            f"{facts.name} has {facts.partitions} partitions, the settings say {design.partitions}: set topic_partitions to "
            f"{facts.partitions}; adding partitions to a topic in use moves visitors to others",
        )
    yield from (Finding(Level.WARNING, "topic", warning) for warning in topic_warnings(facts, design))
    if not problems:
        was = "was absent: created" if created else "is as designed"
        yield Finding(Level.OK, "topic", f"{facts.name} {was}, {facts.partitions} partitions")


def check_calendar(unknown: Sequence[str]) -> Finding:
    """The dates of school are known for the next `CALENDAR_DAYS` days, but for these regions."""
    if not unknown:
        return Finding(Level.OK, "calendar", f"known everywhere for the next {CALENDAR_DAYS} days")
    return Finding(
        Level.WARNING,
        "calendar",
        f"not all of the next {CALENDAR_DAYS} days is known of {', '.join(unknown)}: the end of holidays may be told as a surge there; "
        "add their school year to calendar_overrides.yaml",
    )


def check_state(snapshot: Snapshot, catalog: Catalog | None, topic: TopicFacts | None) -> Iterator[Finding]:
    """What Redis holds can be continued: key layout, lists, topic id. `catalog` or `topic` is None where it could not be read."""
    if snapshot.layout is None:
        yield Finding(Level.OK, "counts", "none yet: the first worker begins")
        return
    problems = _state_problems(snapshot, topic)
    yield from (Finding(Level.PROBLEM, "counts", problem) for problem in problems)
    if catalog is not None and snapshot.catalog != catalog.digest:
        yield Finding(
            Level.WARNING,
            "counts",
            f"were begun under other lists (catalog {snapshot.catalog}, here {catalog.digest}): codes that were added or removed "
            "count from now on; workers and observers must all use the same config/",
        )
    if not problems:
        yield Finding(Level.OK, "counts", f"layout {snapshot.layout}, {len(snapshot.offsets)} partitions begun")


def _state_problems(snapshot: Snapshot, topic: TopicFacts | None) -> list[str]:
    anew = "set another redis_prefix, or delete the keys of this one, and count again from Kafka"
    is_other = topic is not None and snapshot.topic_id not in (None, topic.topic_id)
    problems = (
        (
            snapshot.layout != LAYOUT,
            f"Redis holds key layout {snapshot.layout}, this version uses {LAYOUT}: run the version that wrote it, or set another "
            "redis_prefix and count again from Kafka",
        ),
        (
            snapshot.mark is not None,
            f"Redis holds a chunk that was written only in part ({snapshot.mark}): {anew}",
        ),
        (
            is_other,
            f"{topic and topic.name} was created anew (id {topic and topic.topic_id}, counted so far: {snapshot.topic_id}), its offsets "
            f"mean other events: {anew}",
        ),
    )
    return [text for is_wrong, text in problems if is_wrong]


def check_servers(
    address: KafkaAddress, designs: Sequence[TopicDesign], reader: LiveReader, catalog: Catalog | None, kept_hours: int
) -> Iterator[Finding]:
    """All that needs servers, in order; what one server's absence leaves unknown is left out."""
    topics: dict[str, TopicFacts] = {}
    needed_bytes = None if catalog is None else memory_needed_bytes(catalog, kept_hours)
    redis_findings = guarded("redis", lambda: check_redis(reader, needed_bytes))
    yield from redis_findings
    yield from guarded("kafka", lambda: check_topics(address, designs, topics))
    if not any(finding.level is Level.PROBLEM for finding in redis_findings):
        events = topics.get(designs[0].name)
        yield from guarded("counts", lambda: check_state(reader.snapshot(), catalog, events))


def producer_quotas(client: KafkaAdminClient) -> int | None:
    """Return how many users, clients, or defaults of them have a bound on what they write; None where this user may not ask.

    kafka-python knows the question and has no method for it.
    """

    async def ask() -> Any:
        return await client._manager.send(DescribeClientQuotasRequest(components=[], strict=False))

    found: Any = client._manager.run(ask)
    if found.error_code == 31:  # CLUSTER_AUTHORIZATION_FAILED
        return None
    if found.error_code:
        raise ServerError(f"Kafka does not tell its quotas: error code {found.error_code}; see Kafka's log")
    return sum(any(value.key == "producer_byte_rate" for value in entry.values) for entry in found.entries or ())


def quotas_text(number: int | None) -> str:
    """What `producer_quotas` found, and what to do where that is nothing."""
    if number is None:
        return "are not told to this user: the right DescribeConfigs of the cluster is needed"
    if number:
        return f"{number} bound what users or clients write"
    return (
        "none bounds what a user writes: one that floods holds up all others; kafka-configs.sh --bootstrap-server ... --alter "
        "--entity-type users --entity-default --add-config producer_byte_rate=2097152"
    )
