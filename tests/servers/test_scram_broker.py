"""A real broker that lets in by password over TLS, with the rights of docs/operations/secure.md, given by the lines that stand there."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from streams import edges
from streams.broker import KafkaAddress
from streams.count import Cut
from streams.local import Process, free_ports, kafka, kafka_jars
from streams.publish import VisitPublisher
from streams.topics import ensure_topics
from tests.certificates import make_certificate
from tests.servers.collectors import collecting, event, lines
from tests.servers.conftest import Installation, KafkaServer, RedisServer, install
from tests.servers.own_servers import varied
from tests.servers.truth import snapshot_of, total, wait_drained
from tests.servers.workers import workers
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.long]
PAGE = Path(__file__).parents[2] / "docs" / "operations" / "secure.md"
PASSWORD = "one that each of them has"
#: What Kafka's own script runs.
SCRIPT = """#!/bin/sh
exec java -Xmx256m -cp '{jars}/*' org.apache.kafka.tools.AclCommand "$@"
"""
MEND = """sed 's/"ts":"\\([0-9]*\\)"/"ts":\\1/'"""


def scram_kafka(directory: Path) -> tuple[Process, int, int]:
    """A broker with a second listener, of TLS and passwords; its process, plain port and that one."""
    port, controller_port, secure = free_ports(3)
    program = kafka(directory, port, controller_port)
    certificate, key = make_certificate(directory)
    store = directory / "store.pem"
    store.write_text(key.read_text() + certificate.read_text())
    module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    with (program.directory / "server.properties").open("a") as properties:
        properties.write(
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},SECURE://127.0.0.1:{secure}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{secure}\n"
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL\n"
            "listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512\n"
            f"listener.name.secure.scram-sha-512.sasl.jaas.config={module}\n"
            "listener.name.secure.ssl.keystore.type=PEM\n"
            f"listener.name.secure.ssl.keystore.location={store}\n"
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
            "super.users=User:ANONYMOUS\n"  # who comes by the other listener: this test, and the broker itself
        )
    process = Process(program)
    process.wait_ready()
    return process, port, secure


def give_documented_rights(directory: Path, servers: str) -> None:
    """Run the block of the page, as it stands there; only the broker's address is the test's."""
    (block,) = re.findall(r"^```sh\n(acls=.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    script = directory / "kafka-acls.sh"
    script.write_text(SCRIPT.format(jars=kafka_jars()))
    script.chmod(0o755)
    (directory / "admin.properties").touch()
    block = block.replace("kafka-acls.sh --bootstrap-server ...", f"{script} --bootstrap-server {servers}")
    done = subprocess.run(["bash", "-ec", block], cwd=directory, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def place(redis_server: RedisServer, tmp_path: Path) -> Iterator[Installation]:
    """An installation of the documented names whose user is `vigie`; the users `ent` and `collector` are there, too."""
    directory = tmp_path / "k"
    directory.mkdir()
    process, port, secure = scram_kafka(directory)
    try:
        servers = f"127.0.0.1:{port}"
        names = {"topic": "ent.visits", "rejected_topic": "ent.visits.rejected", "consumer_group": "vigie"}
        own = varied(install(KafkaServer(servers, process), redis_server, tmp_path), **names)
        ensure_topics(edges.kafka_address(own.settings), edges.topic_designs(own.settings))
        admin = KafkaAdminClient(bootstrap_servers=servers)
        users = ("vigie", "ent", "collector")
        admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, PASSWORD) for user in users]
        )
        admin.close()
        give_documented_rights(tmp_path, servers)
        chosen = {
            "kafka_bootstrap_servers": f"127.0.0.1:{secure}",
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_sasl_username": "vigie",
            "kafka_sasl_password": PASSWORD,
            "kafka_ssl_cafile": str(directory / "server.pem"),
        }
        yield varied(own, **chosen)
    finally:
        process.stop()


def vigie(place: Installation, *words: str, user: str = "vigie") -> subprocess.CompletedProcess[str]:
    environment = place.environment | {"VIGIE_KAFKA_SASL_USERNAME": user}
    argv = [sys.executable, "-m", "streams", *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120)


def test_each_user_can_do_its_work_with_the_documented_rights(place: Installation, tmp_path: Path) -> None:
    settings = place.settings
    done = vigie(place, "check")
    assert done.returncode == 0, done.stdout + done.stderr
    with workers(place.environment, tmp_path, 1):
        ent: KafkaAddress = edges.kafka_address(settings.model_copy(update={"kafka_sasl_username": "ent"}))
        with VisitPublisher(ent, {"mbn": "x" * 16}, topic=settings.topic) as publisher:
            for number in range(20):
                publisher.publish(service="NOTES", uai="0541234Y", user_id=str(number), ts_ms=time.time_ns() // 10**6)
            (broken,) = [lines(event(ts=str(time.time_ns() // 10**6)))]
            publisher.send_raw(broken, b"k")
        environment = place.environment | {"VIGIE_KAFKA_SASL_USERNAME": "collector"}
        with collecting(environment, tmp_path, *free_ports(1)) as collector:
            assert collector.post(lines(event())).json()["accepted"] == 1
        wait_drained(settings)
        wait_for("rejected", lambda: total(snapshot_of(settings), Cut.REJECTED) == 1)
        done = vigie(place, "rejects", "replay", "--reason", "ill_typed", "--project", "mbn", "--through", MEND)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_for("all counted", lambda: total(snapshot_of(settings), Cut.EVENTS) == 22)
    done = vigie(place, "recount")
    assert done.returncode == 0, done.stdout + done.stderr
    for user in ("ent", "collector"):
        refused = vigie(place, "recount", user=user)
        assert refused.returncode == 3, refused.stdout + refused.stderr
        assert "Traceback" not in refused.stderr
