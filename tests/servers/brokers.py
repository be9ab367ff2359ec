"""Three real brokers that are controllers too, each on its own data: killed, stopped and started again one by one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kafka import KafkaAdminClient

from streams.local import Process, Program, free_ports, kafka
from tests.servers.own_servers import Killable
from tests.waiting import wait_for

BROKERS = 3
CLUSTER_ID = "VigieThreeBrokers00000"


class Broker(Killable):
    """One of three."""

    def __init__(self, directory: Path, number: int, ports: list[int], controller_ports: list[int]) -> None:
        self.number, self.port = number, ports[number - 1]
        controller_port = controller_ports[number - 1]
        self._program = kafka(directory / str(number), self.port, controller_port, heap_mib=320)
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controller_ports, 1))
        properties = self._program.directory / "server.properties"
        with properties.open("a") as more:
            more.write(f"node.id={number}\ncontroller.quorum.voters={voters}\n")
            for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
                more.write(f"{topic}.replication.factor=3\n")
            more.write("default.replication.factor=3\nmin.insync.replicas=2\nreplica.lag.time.max.ms=5000\n")
        _format_again(self._program, properties)

    def begin(self) -> None:
        """Start it without waiting: a controller alone has no quorum."""
        self._process = Process(self._program)

    def wait(self) -> None:
        assert self._process is not None
        self._process.wait_ready()

    def stop(self) -> None:
        """SIGTERM, and wait until it has handed its partitions over and ended."""
        if self._process is not None:
            self._process.stop()


def _format_again(program: Program, properties: Path) -> None:
    """Its storage, for this node of this cluster."""
    shutil.rmtree(program.directory / "data")
    at = program.argv.index("-cp")
    tool = [program.argv[0], "-Xmx256m", *program.argv[at : at + 2], "kafka.tools.StorageTool"]
    subprocess.run([*tool, "format", "-t", CLUSTER_ID, "-c", properties], check=True, capture_output=True, timeout=90)


class Cluster:
    """Three brokers."""

    def __init__(self, directory: Path) -> None:
        ports = free_ports(2 * BROKERS)
        self.brokers = [Broker(directory, n, ports[:BROKERS], ports[BROKERS:]) for n in range(1, BROKERS + 1)]
        self.bootstrap_servers = ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)
        for broker in self.brokers:
            broker.begin()
        for broker in self.brokers:
            broker.wait()

    def described(self, topic: str) -> list[dict[str, object]]:
        """What Kafka says of its partitions."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            found: list[dict[str, object]] = admin.describe_topics([topic])[0]["partitions"]
            return found
        finally:
            admin.close()

    def leader_of(self, topic: str, partition: int) -> Broker:
        (number,) = [each["leader_id"] for each in self.described(topic) if each["partition_index"] == partition]
        return self.brokers[int(str(number)) - 1]

    def wait_in_sync(self, topic: str, seconds: float = 90) -> None:
        """Wait until every partition has all its replicas."""
        wait_for(
            "all replicas are in sync",
            lambda: all(len(each["isr_nodes"]) == BROKERS for each in self.described(topic)),  # type: ignore[arg-type]
            seconds,
        )


@contextmanager
def three_brokers(directory: Path) -> Iterator[Cluster]:
    """They run within the block."""
    with ExitStack() as stack:
        cluster = Cluster(directory)
        for broker in cluster.brokers:
            stack.callback(broker.kill)
        yield cluster
