"""The publishers of examples/, built and run: the same visitors in the same partitions as from Python, and counted once."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from streams.catalog import Catalog
from streams.count import Cut
from streams.edges import kafka_address
from streams.events import VisitEvent, decode
from streams.local.jars import KAFKA_VERSION, kafka_jars
from streams.publish import VisitPublisher
from tests.servers.conftest import Installation
from tests.servers.test_publish import records
from tests.servers.truth import differences, snapshot_of, total, wait_drained
from tests.servers.workers import workers

pytestmark = pytest.mark.servers
ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
VECTORS = json.loads((ROOT / "docs" / "contract" / "vectors.json").read_text())["pseudonyms"]
SECRET = VECTORS[0]["secret"]
USERS = [each["user_id"] for each in VECTORS if each["secret"] == SECRET] + [f"user-{number}" for number in range(197)]


def need(program: str) -> str:
    """Where a toolchain is; the test is skipped where it is absent."""
    found = shutil.which(program) or shutil.which(program, path="/usr/local/go/bin")
    if found is None:
        pytest.skip(f"{program} is not installed: the example in its language is not tried")
    return found


def build(command: list[str], directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the Java example, compiled against the jars of the local stack."""
    compiler, runtime = need("javac"), need("java")
    classes = tmp_path_factory.mktemp("java")
    jars = f"{kafka_jars()}/*"
    build(
        [compiler, "-Xlint:all,-processing", "-Werror", "-cp", jars, "-d", str(classes), "VisitPublisher.java"],
        EXAMPLES / "java",
    )
    return [runtime, "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{jars}", "VisitPublisher"]


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The Go example, compiled."""
    program = tmp_path_factory.mktemp("go") / "publisher"
    build([need("go"), "build", "-mod=readonly", "-o", str(program), "."], EXAMPLES / "go")
    return [str(program)]


def uses() -> list[dict[str, str]]:
    """Three uses of each user, with ids."""
    return [
        {"id": f"{user}/{number}"[:64], "user": user, "uai": "0541234Y", "service": "NOTES", "profile": "PARENT"}
        for number in range(3)
        for user in USERS
    ]


def run(command: list[str], installation: Installation, sent: list[dict[str, str]]) -> subprocess.CompletedProcess[str]:
    settings = installation.settings
    return subprocess.run(
        [*command, settings.kafka_bootstrap_servers, settings.topic, "mbn"],
        input="".join(json.dumps(use, ensure_ascii=False) + "\n \n" for use in sent),  # blank lines are no uses
        env={**os.environ, "ENT_SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def from_python(installation: Installation) -> None:
    settings = installation.settings
    with VisitPublisher(kafka_address(settings), {"mbn": SECRET}, topic=settings.topic) as publisher:
        for use in uses():
            publisher.publish(
                service=use["service"], uai=use["uai"], user_id=use["user"], profile=use["profile"], id=use["id"]
            )


def placed(installation: Installation, publish: Callable[[], None]) -> dict[str, set[tuple[int, str]]]:
    """id -> (partition, visitor) of what `publish` added to the topic."""
    before = len(records(installation.settings))
    seen: dict[str, set[tuple[int, str]]] = {}
    publish()
    everything = records(installation.settings)
    assert len(everything) - before == len(uses())
    for partition, key, value in everything:
        event = decode(value)
        assert isinstance(event, VisitEvent), value
        assert key == event.visitor.encode()
        assert (event.project, event.uai, event.service, event.profile) == ("mbn", "0541234Y", "NOTES", "PARENT")
        seen.setdefault(event.id, set()).add((partition, event.visitor))
    return seen


def test_java_go_and_python_place_and_name_visitors_alike(
    installation: Installation, java: list[str], go: list[str]
) -> None:
    def from_program(command: list[str]) -> None:
        left = uses()
        for _ in range(4):  # a program that gets little time of its machine says what to send again
            done = run(command, installation, left)
            failed = [use for use in left if f"with the same id: {use['id']}: " in done.stderr]
            assert f"{len(left) - len(failed)} delivered, {len(failed)} failed" in done.stderr, done.stderr
            assert done.returncode == bool(failed)
            if not failed:
                return
            left = failed
        pytest.fail(done.stderr)

    with workers(installation.environment, installation.directory, 1):
        first = placed(installation, lambda: from_python(installation))
        assert placed(installation, lambda: from_program(java)) == first
        assert placed(installation, lambda: from_program(go)) == first
        wait_drained(installation.settings)
    assert all(len(places) == 1 for places in first.values())
    for each in VECTORS:
        if each["secret"] == SECRET:
            assert first[f"{each['user_id']}/0"] == {(each["partition_of_8"], each["visitor"])}
    found = snapshot_of(installation.settings)
    assert total(found, Cut.EVENTS) == len(uses())
    assert total(found, Cut.DUPLICATE) == 2 * len(uses())


def test_a_secret_that_is_none_is_said_in_one_line(java: list[str], go: list[str]) -> None:
    for command in (java, go):
        for secret in ("", "too short", "hex:0f0f", "hex:no digits, but of sixteen bytes"):
            environment = {**os.environ, "ENT_SECRET": secret}
            environment.pop("JDK_JAVA_OPTIONS", None)  # a JVM that is given some says so
            words = [*command, "127.0.0.1:9", "visits", "mbn"]
            done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
            assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
            assert "secret" in done.stderr or "hex" in done.stderr


def test_the_java_example_names_the_version_that_is_tried() -> None:
    pom = (EXAMPLES / "java" / "pom.xml").read_text()
    assert f"<artifactId>kafka-clients</artifactId>\n      <version>{KAFKA_VERSION}<" in pom
    jackson = next(kafka_jars().glob("jackson-databind-*.jar")).stem.rpartition("-")[2]
    assert f"<artifactId>jackson-databind</artifactId>\n      <version>{jackson}<" in pom


def test_vectors_are_those_of_the_document() -> None:
    text = (ROOT / "docs" / "integration.md").read_text()
    for each in VECTORS:
        assert f"| `{each['secret']}` | `{each['user_id']}` | `{each['visitor']}` | {each['partition_of_8']} |" in text
    assert orjson.loads((ROOT / "docs/contract/vectors.json").read_bytes())["pseudonyms"]


def test_every_compression_is_counted_and_recounted(installation: Installation, catalog: Catalog) -> None:
    """A publisher chooses how it compresses: workers (aiokafka) and the recount (kafka-python) read them all."""
    settings = installation.settings
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    for codec in codecs:
        producer = Producer(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "compression.type": codec, "linger.ms": 50}
        )
        for number in range(300):
            event = {
                "v": 1,
                "id": f"{codec}-{number}",
                "ts": time.time_ns() // 1_000_000,
                "visitor": f"{number % 7:032x}",
            }
            producer.produce(settings.topic, json.dumps(event).encode(), key=f"{number % 7}")
        assert producer.flush(30) == 0
    with workers(installation.environment, installation.directory, 1):
        wait_drained(settings)
    assert total(snapshot_of(settings), Cut.EVENTS) == 300 * len(codecs)
    assert differences(settings, catalog) == []
