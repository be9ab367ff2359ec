"""`vigie check` against real servers, and without them."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis
import yaml
from click.testing import CliRunner
from confluent_kafka import Producer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from bench.quota import producer_quota
from streams.cli import cli
from streams.edges import kafka_address
from streams.errors import RedisUnfit
from streams.live import LiveReader
from streams.live.connection import RedisAddress
from streams.local import free_ports
from streams.publish import pseudonym
from streams.settings import default_config_dir
from streams.topics import describe_topic
from tests.servers.commands import run
from tests.servers.conftest import Installation
from tests.servers.own_servers import RedisHandle, on_own_redis, varied
from tests.servers.workers import WorkerProcess
from tests.waiting import wait_for

pytestmark = pytest.mark.servers


def check(installation: Installation, *options: str, **changed: str) -> tuple[int, list[str], str]:
    """Exit code, lines of stdout, stderr."""
    done = run({**installation.environment, **changed}, "check", *options)
    return done.code, done.stdout.decode().splitlines(), done.message


def configs_of(client: KafkaAdminClient, topic: str) -> dict[str, str]:
    facts = describe_topic(client, topic)
    assert facts is not None
    return facts.configs


def test_all_is_well_and_absent_topics_are_created(installation: Installation) -> None:
    fresh = {"VIGIE_TOPIC": f"{installation.settings.topic}.new", "VIGIE_TOPIC_PARTITIONS": "3"}
    code, lines, _ = check(installation, **fresh)
    assert code == 0, lines
    assert any(line.startswith("ok ") and ".new was absent: created, 3 partitions" in line for line in lines)
    assert any(line.startswith("warning  calendar") and "Mayotte" in line for line in lines)
    assert not any("maxmemory" in line for line in lines)
    assert any(line.startswith("ok       quotas") for line in lines), lines
    assert any("answers, version 7" in line or "answers, version 8" in line for line in lines)
    assert any("none bounds what a user writes" in line for line in lines)
    with producer_quota(kafka_address(installation.settings), f"flooder of {installation.settings.topic}", 1e6):
        code, lines, _ = check(installation, **fresh)
    assert code == 0
    assert any(line.startswith("ok       quotas") and "bound what users or clients write" in line for line in lines)
    assert any(".new is as designed, 3 partitions" in line for line in lines)


def test_every_problem_of_servers_and_lists_at_once(installation: Installation, tmp_path: Path) -> None:
    settings = installation.settings
    config = tmp_path / "config"
    shutil.copytree(default_config_dir(), config)
    projects = yaml.safe_load((config / "projects.yaml").read_text())
    del projects["projects"][2]["region"]
    (config / "projects.yaml").write_text(yaml.safe_dump(projects))
    client = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    try:
        wrong = {"message.timestamp.type": "CreateTime", "retention.ms": "60000"}
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic, configs=wrong)])
        # The broker that is asked has it a moment after the controller.
        wait_for("altered", lambda: wrong.items() <= configs_of(client, settings.topic).items())
    finally:
        client.close()
    base = "{" + settings.redis_prefix + "}:meta"
    with redis.Redis.from_url(settings.redis_url) as raw:
        raw.hset(base, mapping={"layout": "0", "catalog": "other", "topic_id": "id"})
    code, lines, errors = check(installation, VIGIE_CONFIG_DIR=str(config))
    assert code == 1
    problems = [line for line in lines if line.startswith("problem")]
    text = "\n".join(lines)
    assert "projects.yaml: entry 3" in text
    assert "region is missing" in text
    assert any("message.timestamp.type is CreateTime, must be LogAppendTime: kafka-configs.sh" in p for p in problems)
    assert any("retention.ms is 60000" in p for p in problems)
    assert any("key layout 0" in p for p in problems)
    assert any("was created anew" in p for p in problems)
    assert "5 problems found" in errors


@pytest.mark.alone
def test_servers_that_are_down_take_little_time(installation: Installation) -> None:
    began = time.monotonic()
    nowhere = {"VIGIE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "VIGIE_REDIS_URL": "redis://127.0.0.1:9/0"}
    # A process of its own, as a person runs it; and kafka-python leaves the sockets of refused connections open.
    done = subprocess.run(
        [sys.executable, "-m", "streams", "check"],
        env=installation.environment | nowhere,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert time.monotonic() - began < 20  # 10 on an idle machine: Kafka's client asks again for a while
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert len(problems) == 2
    assert "Redis at redis://127.0.0.1:9/0 does not answer" in problems[0]
    assert "ECONNREFUSED; start it" in problems[1]


def test_settings_that_are_wrong_are_all_named(installation: Installation) -> None:
    code, lines, _ = check(installation, VIGIE_TOPIC="a/b", VIGIE_TOPIK="x", VIGIE_OBSERVER_PORT="0")
    assert code == 1
    assert lines[0].startswith("problem  settings")
    text = "\n".join(lines)
    for name in ("topic:", "VIGIE_TOPIK", "observer_port"):
        assert name in text


def test_what_a_project_sends_wrongly(installation: Installation) -> None:
    """A librdkafka client with its own partitioner, a clock ahead, an unknown service and a broken event, among another project's."""
    settings = installation.settings
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "partitioner": "consistent_random"})
    now_ms = time.time_ns() // 1_000_000
    for number in range(200):
        event = {
            "v": 1,
            "id": f"e{number}",
            "ts": now_ms + 5_000,
            "project": ("mbn", "elyco")[number % 2],
            "uai": "0541234Y",
        }
        event["service"] = "DEVOIRS" if number < 10 else "NOTES"
        visitor = pseudonym("0123456789abcdef", str(number))
        value = json.dumps({**event, "profile": "ELEVE", "visitor": visitor} if number < 190 else event)
        producer.produce(settings.topic, value, key=visitor)
    assert producer.flush(30) == 0
    code, lines, _ = check(installation, "--project", "mbn")
    text = "\n".join(lines)
    assert code == 1, text
    assert "95 that count" in text
    assert "rejected  missing_member: 5, for instance {" in text
    assert "service: 5 events (5.3%) count under INCONNU: DEVOIRS (5)" in text
    assert "set the senders' clocks by NTP" in text
    wrong = re.search(r"keys      (\d+) events lie in the wrong partition", text)
    assert wrong, text
    assert int(wrong[1]) > 60, "seven in eight, by chance"
    assert "no minute that Redis holds has an event of it" in text
    # Where one of its visitors is, and until when.
    erased = CliRunner().invoke(
        cli, ["erase", "--visitor", pseudonym("0123456789abcdef", "3")], env=installation.environment
    )
    assert erased.exit_code == 1, erased.output
    assert f"{settings.topic} holds 1 records (elyco 1), the last of" in erased.stdout
    assert f"{settings.rejected_topic} holds nothing of this visitor" in erased.stdout
    assert re.search(r"Kafka removes them by \S+ \S+ at the latest", erased.stdout)
    nobody = CliRunner().invoke(cli, ["erase", "--visitor", "f" * 64], env=installation.environment)
    assert (nobody.exit_code, nobody.stdout.count("holds nothing of this visitor")) == (0, 2), nobody.output
    code, lines, _ = check(installation, "--project", "nobody", "--minutes", "5")
    assert "nobody is not in projects.yaml" in "\n".join(lines)
    code, _, errors = check(installation, "--minutes", "5")
    assert (code, "--minutes goes with --project" in errors) == (2, True)


@contextmanager
def a_cluster_of_two(directory: Path) -> Iterator[list[RedisHandle]]:
    """Two nodes, each with half of the slots."""
    nodes: list[RedisHandle] = []
    try:
        buses = free_ports(2)  # the usual one, port + 10000, may be another's
        for number, bus in enumerate(buses):
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--save", "")
            nodes.append(RedisHandle(directory / f"node-{number}", *options))
        clients = [redis.Redis.from_url(node.url) for node in nodes]
        for client, (first, last) in zip(clients, ((0, 8191), (8192, 16383)), strict=True):
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
        clients[0].execute_command("CLUSTER MEET", "127.0.0.1", nodes[1].port, buses[1])
        wait_for(
            "the cluster", lambda: all(c.execute_command("CLUSTER INFO")["cluster_known_nodes"] == "2" for c in clients)
        )
        wait_for("is whole", lambda: all(c.execute_command("CLUSTER INFO")["cluster_state"] == "ok" for c in clients))
        for client in clients:
            client.close()
        yield nodes
    finally:
        for node in nodes:
            node.kill()


def test_a_replica_and_a_cluster_are_named_by_check_and_by_workers(installation: Installation, tmp_path: Path) -> None:
    host, _, port = installation.settings.redis_url.removeprefix("redis://").removesuffix("/0").rpartition(":")
    with (
        on_own_redis(installation, "--replicaof", host, port) as (on_replica, _),
        a_cluster_of_two(tmp_path) as nodes,
        ExitStack() as stack,
    ):
        # One of the two nodes does not have the keys; the other one has, until they are moved. Neither is begun with.
        in_cluster = [varied(installation, redis_url=node.url) for node in nodes]
        refused = [
            WorkerProcess(each.environment, installation.directory, slot) for slot, each in enumerate(in_cluster)
        ]
        for worker in refused:
            stack.callback(worker.kill)
        wait_for(
            "a copy", lambda: redis.Redis.from_url(on_replica.settings.redis_url).info()["master_link_status"] == "up"
        )
        waiting = WorkerProcess(on_replica.environment, installation.directory, 2)
        stack.callback(waiting.kill)
        code, lines, _ = check(on_replica)
        text = "\n".join(lines)
        assert code == 1, text
        assert f"is a replica of 127.0.0.1:{port}, which takes no writes: set redis_url to its master" in text
        for each in in_cluster:
            code, lines, _ = check(each)
            text = "\n".join(lines)
            assert code == 1, text
            assert "is in cluster mode, with 2 node(s): Vigie speaks to one server" in text
            reader = LiveReader(RedisAddress(each.settings.redis_url), installation.settings.redis_prefix)
            with pytest.raises(RedisUnfit, match="cluster mode, with 2 node"):
                reader.snapshot()
            reader.close()
        wait_for("says why", lambda: "is a replica, which takes no writes" in waiting.get("/readyz")[1], 30)
        for worker in refused:
            assert worker.process.wait(40) == 3
            assert "is in cluster mode, with 2 node(s): Vigie speaks to one server" in worker.log.splitlines()[-1]
            assert "redis+sentinel://" in worker.log.splitlines()[-1]
