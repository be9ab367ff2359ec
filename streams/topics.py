"""The two topics as Vigie needs them: created where absent, verified where present, never altered behind an operator's back.

`ent.visits` uses `message.timestamp.type=LogAppendTime`. With CreateTime retention would delete events replayed from the past within
minutes, one wrong clock would pin a segment, and the counters' memory would depend on publishers' clocks. The topic is never compacted: a
compacted log is no longer the state.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import GroupIdNotFoundError, TopicAlreadyExistsError
from kafka.structs import TopicPartition

from streams.broker import KafkaAddress
from streams.connecting import BOOTSTRAP_SECONDS_MAX, connecting, explained
from streams.errors import ServerError, TopicNotAsDesigned

#: How long a created topic may take until Kafka lists it: 5 s.
LISTED_TRIES_MAX = 50
LISTED_PAUSE_SECONDS = 0.1
#: And how often its settings are asked for by who has not created it: a user who may not know them waits half a second.
TOLD_TRIES_MAX = 5
RIGHTS_PAGE = "docs/operations/secure.md"
#: Kafka's word for the end of a log where a time is asked for.
LATEST = -1


@dataclass(frozen=True, slots=True)
class TopicDesign:
    """How a topic must be. `partitions` is what a new topic gets; an existing one may have more."""

    name: str
    partitions: int
    replication_factor: int
    min_insync_replicas: int
    retention_hours: int
    partition_bytes_max: int | None = None
    #: What is kept longer than this is kept longer than needed; None: for ever is well.
    retention_hours_max: int | None = None

    def configs(self) -> dict[str, str]:
        """Topic configuration of a new topic."""
        bound = {} if self.partition_bytes_max is None else {"retention.bytes": str(self.partition_bytes_max)}
        return {
            **bound,
            "message.timestamp.type": "LogAppendTime",
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_hours * 3_600_000),
            "min.insync.replicas": str(self.min_insync_replicas),
            "unclean.leader.election.enable": "false",
        }


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What Kafka says of an existing topic. `topic_id` changes when a topic is deleted and created anew."""

    name: str
    topic_id: str
    partitions: int
    configs: dict[str, str]


def open_admin_client(address: KafkaAddress) -> KafkaAdminClient:
    """Open an admin client; who opens it closes it.

    Raises:
        ServerError: Kafka is down or refuses us.
    """
    # kafka-python logs every failed attempt; the one error raised here says it all.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with connecting(address) as opened:
        return KafkaAdminClient(
            **address.client_options(), bootstrap_timeout_ms=int(BOOTSTRAP_SECONDS_MAX * 1000), kafka_client=opened
        )


@contextmanager
def admin_client(address: KafkaAddress) -> Iterator[KafkaAdminClient]:
    """Open an admin client and close it after the block.

    Raises:
        ServerError: Kafka is down or refuses us.
    """
    client = open_admin_client(address)
    try:
        with explained(address):
            yield client
    finally:
        client.close()


def identify_topic(client: KafkaAdminClient, name: str) -> tuple[str, int] | None:
    """Return a topic's id and its number of partitions, None where it does not exist."""
    found: dict[str, Any] = client.describe_topics([name])[0]
    if found["error_code"] == 3:  # UNKNOWN_TOPIC_OR_PARTITION
        return None
    if found["error_code"] == 29:  # TOPIC_AUTHORIZATION_FAILED
        raise ServerError(f"Kafka does not let us see topic {name}: give this user the rights listed in {RIGHTS_PAGE}")
    if found["error_code"]:
        raise ServerError(f"Kafka does not describe topic {name}: error code {found['error_code']}; see Kafka's log")
    return str(found["topic_id"]), len(found["partitions"])


def describe_topic(client: KafkaAdminClient, name: str, tries: int = TOLD_TRIES_MAX) -> TopicFacts | None:
    """Return what Kafka says of a topic, None where it does not exist. It has no `configs` where this user may not know them.

    One of several brokers tells nothing of a topic that another one has just created: it is asked again, `tries` times in all.
    """
    if (found := identify_topic(client, name)) is None:
        return None
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    for _ in range(tries):
        if raw := client.describe_configs([resource], config_filter=ConfigFilterType.ALL)["topic"][name]:
            break
        time.sleep(LISTED_PAUSE_SECONDS)
    return TopicFacts(name, *found, {key: str(entry["value"]) for key, entry in raw.items()})


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a consumer group. (What Kafka says of a static member's client and host may be its predecessor's.)"""

    member_id: str


def group_members(client: KafkaAdminClient, group: str) -> list[GroupMember]:
    """Return who is in a consumer group; nobody, where there is no such group."""
    found: dict[str, Any] = client.describe_groups([group])[group]
    # So say brokers of Kafka 4 of a group that nobody was in yet.
    if GroupIdNotFoundError.__name__ in str(found["error"]):
        return []
    if found["error"]:
        raise ServerError(f"Kafka does not say who is in group {group}: {found['error']}; see {RIGHTS_PAGE}")
    return [GroupMember(each["member_id"]) for each in found["members"]]


def log_ends(client: KafkaAdminClient, name: str, partitions: Iterable[int]) -> dict[int, int]:
    """Return the offset after the last one of each of these partitions, as of now."""
    asked = {TopicPartition(name, number): LATEST for number in partitions}
    found: dict[Any, Any] = client.list_partition_offsets(asked) if asked else {}
    return {tp.partition: int(end.offset) for tp, end in found.items()}


def found_or_created(client: KafkaAdminClient, design: TopicDesign) -> tuple[TopicFacts | None, bool]:
    """What Kafka says of a topic, and whether it was absent and is created now as designed; None where Kafka does not list it yet.

    One that appeared meanwhile is left as it is. A created topic reaches the brokers' metadata a moment later.
    """
    if found := describe_topic(client, design.name):
        return found, False
    with suppress(TopicAlreadyExistsError):
        client.create_topics(
            [NewTopic(design.name, design.partitions, design.replication_factor, topic_configs=design.configs())]
        )
    for _ in range(LISTED_TRIES_MAX):
        if found := describe_topic(client, design.name, LISTED_TRIES_MAX):
            return found, True
        time.sleep(LISTED_PAUSE_SECONDS)
    return None, True


def topic_problems(facts: TopicFacts, design: TopicDesign) -> list[str]:
    """Return what makes a topic unfit, each with the command that mends it; empty where it is as designed."""
    if not facts.configs:
        return [f"{facts.name}: Kafka does not tell its settings; this user needs DescribeConfigs, see {RIGHTS_PAGE}"]
    problems: list[str] = []
    configs, wanted = facts.configs, design.configs()

    def add(key: str, text: str) -> None:
        problems.append(f"{facts.name}: {key} is {text}: {_alter(facts.name)} {key}={wanted[key]}")

    for key in ("message.timestamp.type", "cleanup.policy"):
        if configs.get(key) != wanted[key]:
            add(key, f"{configs.get(key)}, must be {wanted[key]}")
    retention_ms = int(configs.get("retention.ms", "-1"))
    if 0 <= retention_ms < design.retention_hours * 3_600_000:
        add("retention.ms", f"{retention_ms}, must be at least {wanted['retention.ms']}")
    if int(configs.get("min.insync.replicas", "1")) < design.min_insync_replicas:
        add("min.insync.replicas", f"below {design.min_insync_replicas}")
    if configs.get("unclean.leader.election.enable") == "true":
        add("unclean.leader.election.enable", "true, events could vanish")
    return problems


def topic_warnings(facts: TopicFacts, design: TopicDesign) -> list[str]:
    """Return what should be altered of a topic that can be used as it is, with the command."""
    warnings, name, alter = [], facts.name, _alter(facts.name)
    wanted = design.partition_bytes_max
    if wanted is not None and not 0 <= int(facts.configs.get("retention.bytes", "-1")) <= wanted:
        warnings.append(
            f"{name} may fill the disk: a partition should hold at most {wanted} bytes: {alter} retention.bytes={wanted}"
        )
    if design.retention_hours_max is None:
        return warnings
    kept_ms, max_ms = int(facts.configs.get("retention.ms", "-1")), design.retention_hours_max * 3_600_000
    if not 0 <= kept_ms <= max_ms:
        kept = "for ever" if kept_ms < 0 else f"for {kept_ms / 3_600_000:g} h"
        warnings.append(
            f"{name} keeps personal data {kept}, the settings say {design.retention_hours_max} h at most: {alter} retention.ms={max_ms}"
        )
    elif kept_ms + (segment_ms := int(facts.configs.get("segment.ms", "0"))) > max_ms:
        # Kafka removes whole segments, and begins the next one only after so long where little is sent.
        warnings.append(
            f"{name} may keep personal data for {(kept_ms + segment_ms) / 3_600_000:g} h where little is sent, since Kafka removes whole "
            f"segments; the settings say {design.retention_hours_max} h at most: {alter} segment.ms={max(max_ms - kept_ms, 3_600_000)}"
        )
    return warnings


def _alter(name: str) -> str:
    return f"kafka-configs.sh --bootstrap-server ... --alter --entity-type topics --entity-name {name} --add-config"


def ensure_topics(address: KafkaAddress, designs: list[TopicDesign]) -> list[TopicFacts]:
    """Create the topics that are absent, verify all, and return what Kafka says of them.

    Raises:
        ServerError: Kafka is down, or a topic is not as designed; all problems at once.
    """
    problems: list[str] = []
    facts: list[TopicFacts] = []
    with admin_client(address) as client:
        for design in designs:
            found, _is_new = found_or_created(client, design)
            if found is None:
                problems.append(f"{design.name}: was created but Kafka does not list it yet; try again")
                continue
            facts.append(found)
            problems += topic_problems(found, design)
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise TopicNotAsDesigned(f"{len(problems)} problem(s) with the topics:\n{lines}")
    return facts
