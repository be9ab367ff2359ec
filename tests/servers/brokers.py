"""Three real brokers, each on its own data: killed, stopped and started again one by one. They are controllers too, or have one apart."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.local import Process, Program, free_ports, kafka
from tests.servers.own_servers import Killable
from tests.waiting import wait_for

BROKERS = 3
#: How often somebody asks, half a second apart, until a broker answers.
ASKED_MAX = 60
CLUSTER_ID = "VigieThreeBrokers00000"


class Broker(Killable):
    """A node of the cluster, at the port at which it answers. `voters` are the ports of the controllers, by number of their node.

    `own` are lines that only its properties have.
    """

    def __init__(self, directory: Path, number: int, port: int, voters: dict[int, int], own: str = "") -> None:
        self.number, self.port = number, port
        (spare,) = free_ports(1)
        self._program = kafka(directory / str(number), port, spare if own else voters[number], heap_mib=320)
        quorum = ",".join(f"{voter}@127.0.0.1:{at}" for voter, at in voters.items())
        properties = self._program.directory / "server.properties"
        with properties.open("a") as more:
            more.write(f"node.id={number}\ncontroller.quorum.voters={quorum}\n")
            for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
                more.write(f"{topic}.replication.factor=3\n")
            more.write("default.replication.factor=3\nmin.insync.replicas=2\nreplica.lag.time.max.ms=5000\n" + own)
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
    subprocess.run([*tool, "format", "-t", CLUSTER_ID, "-c", properties], check=True, capture_output=True, timeout=120)


def _alone(role: str, listener: str, port: int) -> str:
    """The properties of a node that is either broker or controller."""
    address = f"listeners={listener}://127.0.0.1:{port}\n"
    return f"process.roles={role}\n{address}advertised.{address}"


class Cluster:
    """Three brokers, each a controller too.

    Args:
        controller_apart: brokers alone, and a fourth node as their controller: where two of three are gone, somebody still chooses leaders.
    """

    def __init__(self, directory: Path, controller_apart: bool = False) -> None:
        found = free_ports(2 * BROKERS)
        ports = dict(enumerate(found[:BROKERS], 1))
        apart: list[Broker] = []
        if controller_apart:
            voters = {BROKERS + 1: found[-1]}
            apart = [Broker(directory, BROKERS + 1, found[-1], voters, _alone("controller", "CONTROLLER", found[-1]))]
            self.brokers = [
                Broker(directory, n, ports[n], voters, _alone("broker", "PLAINTEXT", ports[n])) for n in ports
            ]
        else:
            voters = dict(enumerate(found[BROKERS:], 1))
            self.brokers = [Broker(directory, n, ports[n], voters) for n in ports]
        self.nodes = [*apart, *self.brokers]
        self.bootstrap_servers = ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)
        for node in self.nodes:
            node.begin()
        for node in self.nodes:
            node.wait()

    def described(self, topic: str) -> list[dict[str, object]]:
        """What Kafka says of its partitions. A client that asks a broker which was just killed is told nothing, and another one asks."""
        for _ in range(ASKED_MAX):
            with suppress(KafkaError):
                admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
                try:
                    found: list[dict[str, object]] = admin.describe_topics([topic])[0]["partitions"]
                    return found
                finally:
                    admin.close()
            time.sleep(0.5)
        raise AssertionError(f"no broker of {self.bootstrap_servers} says how {topic} stands")

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
def three_brokers(directory: Path, controller_apart: bool = False) -> Iterator[Cluster]:
    """They run within the block."""
    with ExitStack() as stack:
        cluster = Cluster(directory, controller_apart)
        for node in cluster.nodes:
            stack.callback(node.kill)
        yield cluster
