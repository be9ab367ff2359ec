"""A real broker that lets in whoever shows a signed token, with the documented rights: worker, publisher, commands; tokens grow old."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from streams import edges
from streams.catalog import load_catalog
from streams.local import Process, free_ports, kafka
from streams.publish import VisitPublisher
from streams.settings import Settings
from tests.servers.conftest import KafkaServer, RedisServer, install
from tests.servers.traffic import Traffic
from tests.servers.truth import differences, wait_drained
from tests.servers.workers import workers
from tests.token_endpoint import AUDIENCE, CLIENT, SECRET, token_endpoint
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.long]
#: Short, so that connections end and tokens are asked for again while the test runs.
LIFE_SECONDS = 10
HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"


def oauth_kafka(directory: Path, endpoint_url: str) -> tuple[Process, int, int]:
    """A broker with a second listener, on which tokens are asked for; its process, plain port and that of tokens."""
    port, controller_port, token_port = free_ports(3)
    program = kafka(directory, port, controller_port)
    one = "listener.name.oauth.oauthbearer."
    with (program.directory / "server.properties").open("a") as properties:
        properties.write(
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},OAUTH://127.0.0.1:{token_port}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{port},OAUTH://127.0.0.1:{token_port}\n"
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,OAUTH:SASL_PLAINTEXT\n"
            "listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER\n"
            f"{one}sasl.server.callback.handler.class={HANDLER}\n"
            f"{one}sasl.jaas.config={LOGIN}\n"
            f"{one}sasl.oauthbearer.jwks.endpoint.url={endpoint_url}/keys\n"
            f"{one}sasl.oauthbearer.expected.audience={AUDIENCE}\n"
            f"{one}connections.max.reauth.ms={LIFE_SECONDS * 1000}\n"
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
            "super.users=User:ANONYMOUS\n"  # who comes by the other listener: this test, and the broker itself
        )
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={endpoint_url}/keys"
    process = Process(replace(program, argv=(program.argv[0], allowed, *program.argv[1:])))
    process.wait_ready()
    return process, port, token_port


def give_documented_rights(settings: Settings, servers: str) -> None:
    """Those of the user `vigie` in docs/operations/secure.md, and no other."""
    page = (Path(__file__).parents[2] / "docs" / "operations" / "secure.md").read_text()
    rights = re.findall(
        r"^\$acls --allow-principal User:vigie ((?:--operation \w+ )+)--(topic|group) (\S+)$", page, re.MULTILINE
    )
    assert len(rights) == 5
    own = {
        "ent.visits": settings.topic,
        "ent.visits.rejected": settings.rejected_topic,
        "vigie": settings.consumer_group,
    }
    acls = [
        ACL(
            principal=f"User:{CLIENT}",
            host="*",
            operation=ACLOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(ResourceType[kind.upper()], own[name]),
        )
        for operations, kind, name in rights
        for operation in operations.split()[1::2]
    ]
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_acls(acls)
    admin.close()


@pytest.fixture
def place(redis_server: RedisServer, tmp_path: Path) -> Iterator[tuple[Settings, dict[str, str], str]]:
    """Settings of an installation whose Kafka wants tokens, their environment, and the broker's plain address."""
    with token_endpoint(tmp_path, LIFE_SECONDS) as endpoint:
        process, port, token_port = oauth_kafka(tmp_path / "k", endpoint.url)
        try:
            plain = install(KafkaServer(f"127.0.0.1:{port}", process), redis_server, tmp_path)
            chosen = {
                "kafka_bootstrap_servers": f"127.0.0.1:{token_port}",
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_sasl_mechanism": "OAUTHBEARER",
                "kafka_sasl_username": CLIENT,
                "kafka_sasl_password": SECRET,
                "kafka_oauth_token_url": f"{endpoint.url}/token",
            }
            settings = Settings(**{**plain.settings.model_dump(), **chosen})
            give_documented_rights(settings, f"127.0.0.1:{port}")
            environment = plain.environment | {f"VIGIE_{name.upper()}": value for name, value in chosen.items()}
            yield settings, environment, f"127.0.0.1:{port}"
        finally:
            process.stop()


def vigie(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", *words], env=environment, capture_output=True, text=True, timeout=120
    )


def test_everything_logs_in_with_tokens(place: tuple[Settings, dict[str, str], str], tmp_path: Path) -> None:
    settings, environment, plain = place
    catalog = load_catalog(settings.config_dir)
    done = vigie(environment, "check")
    assert done.returncode == 0, done.stdout + done.stderr
    with workers(environment, tmp_path, 2):
        traffic = Traffic(plain, settings.topic, catalog, seed=8)
        traffic.begin(200)
        with VisitPublisher(edges.kafka_address(settings), {"mbn": "x" * 16}, topic=settings.topic) as publisher:
            began = time.monotonic()
            number = 0
            while time.monotonic() - began < 2.5 * LIFE_SECONDS:  # connections end meanwhile, and are made anew
                publisher.publish(service="NOTES", uai="0541234Y", user_id=str(number), ts_ms=time.time_ns() // 10**6)
                number += 1
                time.sleep(0.1)
            publisher.flush(20)
        traffic.end()
        wait_drained(settings)
        assert differences(settings, catalog) == []
    done = vigie(environment, "recount")
    assert done.returncode == 0, done.stdout + done.stderr
    refused = vigie(environment | {"VIGIE_KAFKA_SASL_PASSWORD": "another"}, "recount")
    assert refused.returncode == 3, refused.stderr
    assert "check kafka_sasl_username, kafka_sasl_password" in refused.stderr
    with workers(environment | {"VIGIE_KAFKA_SASL_PASSWORD": "another"}, tmp_path, 1) as (stranger,):
        wait_for("it says why", lambda: "refuses this client (401)" in stranger.get("/readyz")[1], 30)
