"""Events over HTTPS into a real Kafka: what is taken, each case that is refused, and what a Kafka that stands still does to senders."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.partitioner import murmur2

from streams import edges
from streams.count import Cut
from streams.count.memory import DEDUPE_MS_MIN
from streams.errors import InputError, ServerError
from streams.publish import Undelivered, VisitPublisher
from tests.certificates import make_certificate, trusting
from tests.servers.collectors import SECRET, Collector, collecting, event, lines, vigie
from tests.servers.conftest import Installation, KafkaServer, RedisServer, install
from tests.servers.test_other_languages import EXAMPLES, uses
from tests.servers.test_other_languages import SECRET as USERS_SECRET
from tests.servers.workers import reader_of, workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers

OPENAPI = orjson.loads((Path(__file__).parents[2] / "docs" / "contract" / "openapi.json").read_bytes())
#: Small bounds, so that a test may pass them; Kafka is waited for 3 s.
BOUNDS = {
    "collector_body_kib_max": 64,
    "collector_unpacked_kib_max": 256,
    "collector_events_max": 600,
    "collector_waiting_mib_max": 1,
    "collector_confirm_seconds_max": 3,
}


@pytest.fixture(scope="module")
def place(
    kafka_server: KafkaServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    return install(kafka_server, redis_server, tmp_path_factory.mktemp("collector"))


@pytest.fixture(scope="module")
def collector(place: Installation) -> Iterator[Collector]:
    port = place.settings.observer_port  # no observer runs here
    with collecting(place.environment, place.directory, port, **BOUNDS) as one:
        yield one


def records(place: Installation) -> list[Any]:
    """Everything in the topic."""
    settings = place.settings
    consumer = KafkaConsumer(**edges.kafka_address(settings).client_options(), group_id=None, enable_auto_commit=False)
    try:
        parts = [TopicPartition(settings.topic, number) for number in range(settings.topic_partitions)]
        consumer.assign(parts)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(parts)
        found: list[Any] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            found += [record for some in consumer.poll(500).values() for record in some]
        return found
    finally:
        consumer.close()


def ids_in_kafka(place: Installation) -> set[str]:
    return {orjson.loads(record.value)["id"] for record in records(place)}


def test_events_are_in_kafka_when_the_answer_comes_and_each_refused_line_is_named(
    place: Installation, collector: Collector
) -> None:
    before = ids_in_kafka(place)
    good = [event(visitor=f"{number:064x}") for number in range(40)]
    unnamed = event(project=None)
    sent = [*good, b"", b"{", event(ts="yesterday"), event(project="oze"), unnamed, event(ts=1)]
    answer = collector.post(lines(*sent), Content_Encoding="identity")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "accepted": 41,
        "refused": 4,
        "reasons": {"not_json": 1, "ill_typed": 1, "other_project": 1, "too_old": 1},
        "refused_lines": [
            {"line": 42, "reason": "not_json"},
            {"line": 43, "reason": "ill_typed"},
            {"line": 44, "reason": "other_project"},
            {"line": 46, "reason": "too_old"},
        ],
        "ids_remembered_seconds": DEDUPE_MS_MIN // 1000,
    }
    kept = {orjson.loads(record.value)["id"]: record for record in records(place)}
    assert kept.keys() - before == {each["id"] for each in [*good, unnamed]}
    assert orjson.loads(kept[unnamed["id"]].value) == unnamed | {"project": "mbn"}
    for record in (kept[each["id"]] for each in good):
        assert record.key == orjson.loads(record.value)["visitor"].encode()
        assert record.partition == (murmur2(record.key) & 0x7FFF_FFFF) % place.settings.topic_partitions


def test_gzip_one_event_and_many_senders_at_once(place: Installation, collector: Collector) -> None:
    one = event()
    indented = orjson.dumps(one, option=orjson.OPT_INDENT_2)
    assert collector.post(indented, Content_Type="application/json").json()["accepted"] == 1
    assert collector.post(indented).status_code == 422  # as lines it is rubbish
    batches = [[event(visitor=f"{batch:032}-{number}") for number in range(50)] for batch in range(24)]
    with ThreadPoolExecutor(8) as pool:
        bodies = [gzip.compress(lines(*batch)) for batch in batches]
        answers = list(pool.map(lambda body: collector.post(body, Content_Encoding="gzip"), bodies))
    assert [answer.json()["accepted"] for answer in answers] == [50] * 24
    assert {each["id"] for batch in batches for each in batch} | {one["id"]} <= ids_in_kafka(place)


def test_each_request_that_is_refused(place: Installation, collector: Collector) -> None:
    """Nothing of it is in Kafka, and the answer says what to do."""
    before, figures_before = len(records(place)), collector.figures()
    body = lines(event())
    expired = vigie(collector.environment, "token", "new", "--project", "mbn", "--days", "1", "--name", "expired")
    tokens = Path(collector.environment["VIGIE_TOKENS_FILE"])
    written = orjson.loads(tokens.read_bytes())
    written["tokens"][-1]["expires"] = "2026-01-01T00:00:00Z"
    tokens.write_bytes(orjson.dumps(written))
    bomb = gzip.compress(b" " * (100 << 20))
    zstd = {"Content_Encoding": "zstd"}
    packed = {"Content_Encoding": "gzip"}
    cases: list[tuple[str, bytes, str | None, dict[str, str], int, str]] = [
        ("no token", body, "", {}, 401, "Authorization: Bearer"),
        ("another scheme", body, None, {"Authorization": "Basic eDp5"}, 401, "Authorization: Bearer"),
        ("a wrong token", body, collector.token[:-1] + "_", {}, 401, "not known here"),
        ("an expired one", body, expired, {}, 401, "expired on 2026-01-01"),
        ("nothing", b"\n\n", None, {}, 400, "no event"),
        ("too many bytes", b"x" * (65 << 10), None, {}, 413, "larger than 65536"),
        ("too many events", b"{}\n" * 601, None, {}, 413, "at most 600"),
        ("a bomb", bomb, None, packed, 413, "larger than 65536"),
        ("a small bomb", gzip.compress(b" " * (257 << 10)), None, packed, 413, "unpacks to more"),
        ("no gzip", body, None, packed, 400, "not gzip"),
        ("another packing", body, None, zstd, 415, "gzip, or none"),
        (
            "a raw user id",
            lines(event(visitor="adupont"), event(visitor="a.dupont@ent.example.org")),
            None,
            {},
            422,
            "not_pseudonymous",
        ),
        ("no good event", b"{}\n" + lines(event(project="oze")), None, {}, 422, "other_project"),
    ]
    for what, sent, token, headers, status, said in cases:
        answer = collector.post(sent, token, **headers)
        assert (answer.status_code, said in answer.text) == (status, True), (what, answer.status_code, answer.text)
        assert collector.token not in answer.text
        described = OPENAPI["paths"]["/v1/events"]["post"]["responses"][str(status)]["content"]["application/json"]
        jsonschema.validate(answer.json(), described["schema"] | {"components": OPENAPI["components"]})
    with collector.client() as client:
        assert client.get("/v1/events").status_code == 405
        assert client.post("/v1/event").status_code == 404
    assert len(records(place)) == before
    figures = collector.figures()
    for name, more in (
        (("ent_collector_requests_total", "401"), 4),
        (("ent_collector_events_total", "other_project", "mbn"), 1),
    ):
        assert figures[name] - figures_before.get(name, 0) == more, name
    assert figures["ent_collector_waiting_bytes",] == 0


def test_one_token_too_fast_is_told_when_to_come_back_and_the_others_are_not(collector: Collector) -> None:
    slow = vigie(collector.environment, "token", "new", "--project", "mbn", "--events-per-second", "2")
    many = lines(*(event() for _ in range(70)))
    assert collector.post(many, slow).status_code == 200  # a burst of 60 and one request over it
    refused = collector.post(many, slow)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 6
    assert collector.post(many).status_code == 200
    wait_for("room for another request", lambda: collector.post(lines(event()), slow).status_code == 200, 30)


def test_a_token_is_rotated_and_revoked_while_the_collector_runs(collector: Collector) -> None:
    new = vigie(collector.environment, "token", "new", "--project", "mbn", "--name", "rotated")
    listed = vigie(collector.environment, "token", "list")
    (line,) = [line for line in listed.splitlines() if line.endswith("rotated")]
    assert {collector.post(lines(event()), token).status_code for token in (collector.token, new)} == {200}
    vigie(collector.environment, "token", "revoke", line.split()[0])
    assert collector.post(lines(event()), new).status_code == 401
    assert collector.post(lines(event())).status_code == 200


def test_a_tokens_file_that_is_gone_lets_nobody_in_and_says_so(collector: Collector) -> None:
    tokens = Path(collector.environment["VIGIE_TOKENS_FILE"])
    aside = tokens.with_suffix(".aside")
    os.rename(tokens, aside)
    try:
        answer = collector.post(lines(event()))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert (collector.get("/readyz").status_code, collector.get("/healthz").status_code) == (503, 200)
    finally:
        os.rename(aside, tokens)
    assert collector.get("/readyz").json() == {"ready": True, "reason": None}


def test_the_certificate_is_changed_under_the_running_collector(collector: Collector) -> None:
    old = collector.trust
    with collector.client() as client:  # a connection that is open goes on
        assert client.get("/healthz").status_code == 200
        certificate, _key = make_certificate(collector.directory)
        collector.trust = trusting(certificate)

        def shown() -> bool:
            with suppress(httpx.ConnectError):
                return collector.get("/healthz").status_code == 200
            return False

        wait_for("the new certificate", shown, 20)
        assert client.get("/healthz").status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(collector.url, verify=old)


def test_the_sdk_sends_over_https(place: Installation, collector: Collector) -> None:
    lost: list[Undelivered] = []
    broken, foreign = orjson.dumps(event(ts="yesterday")), orjson.dumps(event(project="oze"))
    publisher = VisitPublisher(collector.address(), {"mbn": SECRET}, on_failed=lost.append)
    try:
        publisher.connect()
        ids = {publisher.publish(service="NOTES", uai="0541234Y", user_id=str(number)) for number in range(1200)}
        indented = orjson.dumps(event(), option=orjson.OPT_INDENT_2)  # a line break within an event is a blank
        for number, value in enumerate([broken, foreign, b"", indented]):
            publisher.send_raw(value, b"key", number)
        assert publisher.flush(30) == 0
        assert publisher.health().problem is None
    finally:
        found = publisher.close()
    assert (found.taken, found.delivered, found.failed) == (1204, 1201, 3)
    told = {(each.tag, each.reason.rpartition(": ")[2], each.because_of_event) for each in lost}
    assert told == {(0, "ill_typed", True), (1, "other_project", True), (2, "empty", True)}
    assert ids | {orjson.loads(indented)["id"]} <= ids_in_kafka(place)


def has_problem(publisher: VisitPublisher) -> bool:
    return publisher.health().problem is not None


def test_the_sdk_says_what_keeps_it_from_the_collector(collector: Collector, tmp_path: Path) -> None:
    right = collector.address()
    port = right.url.rpartition(":")[2]
    for address, said in [
        (replace(right, token="vigie_nobody_x"), "answers 401: this token is not known"),
        (replace(right, cafile=None), "its certificate is refused"),
        (replace(right, cafile=str(make_certificate(tmp_path, "other")[0])), "its certificate is refused"),
        (replace(right, url=f"http://127.0.0.1:{port}", cafile=None), "is not reached"),
        (replace(right, url="https://127.0.0.1:9"), "is not reached"),
    ]:
        publisher = VisitPublisher(address, {"mbn": SECRET})
        with pytest.raises(ServerError, match=said):
            publisher.connect()
        publisher.publish(service="NOTES", uai="0541234Y", user_id="1")
        wait_for("a problem", partial(has_problem, publisher))
        assert collector.token not in str(publisher.health())
        assert publisher.close(0.1).failed == 1
    with pytest.raises(InputError, match="in the clear"):
        VisitPublisher("http://vigie.example.org", token="x")
    with pytest.raises(InputError, match="vigie token new"):
        VisitPublisher("https://vigie.example.org")
    with pytest.raises(InputError, match="for a collector"):
        VisitPublisher("kafka:9092", token="x")


def test_vigie_publish_sends_a_file_over_https(place: Installation, collector: Collector, tmp_path: Path) -> None:
    file, sent = tmp_path / "events.ndjson", [event(), event(), event()]
    file.write_bytes(lines(*sent, event(ts="yesterday")))
    address = collector.address()
    own = {
        "VIGIE_PUBLISH_URL": address.url,
        "VIGIE_PUBLISH_TOKEN": address.token,
        "VIGIE_PUBLISH_CAFILE": str(address.cafile),
    }
    argv = [sys.executable, "-m", "streams", "publish", str(file)]
    environment = place.environment | own | {"VIGIE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "4 lines read: 3 delivered" in done.stdout + done.stderr
    assert "ill_typed" in done.stdout + done.stderr
    assert {each["id"] for each in sent} <= ids_in_kafka(place)


def test_php_javascript_and_python_name_visitors_alike_and_curl_sends_a_file(
    place: Installation, collector: Collector, tmp_path: Path
) -> None:
    given = uses()
    text = "".join(json.dumps(use, ensure_ascii=False) + "\n \n" for use in given)
    certificate = str(collector.directory / "server.pem")
    own = {
        "VIGIE_TOKEN": collector.token,
        "ENT_SECRET": USERS_SECRET,
        "CAFILE": certificate,
        "NODE_EXTRA_CA_CERTS": certificate,
    }

    def seen(ids: set[str]) -> dict[str, set[tuple[int, str]]]:
        found: dict[str, set[tuple[int, str]]] = {}
        for record in records(place):
            read = orjson.loads(record.value)
            if read["id"] in ids:
                found.setdefault(read["id"], set()).add((record.partition, read["visitor"]))
        return found

    ids = {use["id"] for use in given}
    with VisitPublisher(collector.address(), {"mbn": USERS_SECRET}) as publisher:
        for use in given:
            publisher.publish(
                service=use["service"], uai=use["uai"], user_id=use["user"], profile=use["profile"], id=use["id"]
            )
    first, before = seen(ids), len(records(place))
    assert set(first) == ids
    for words in (["php", "php/publish.php"], ["node", "node/publish.mjs"]):
        argv = [words[0], str(EXAMPLES / words[1]), collector.url, "mbn"]
        done = subprocess.run(
            argv, input=text, env=os.environ | own, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, f"{len(given)} delivered, 0 failed" in done.stderr) == (0, True), done.stderr
        weak = os.environ | own | {"ENT_SECRET": "short"}
        short = subprocess.run(argv, input=text, env=weak, capture_output=True, text=True, timeout=120, check=False)
        assert short.returncode == 2
    assert len(records(place)) == before + 2 * len(given)
    assert seen(ids) == first
    file, sent = tmp_path / "events.ndjson", [event() for _ in range(3)]
    file.write_bytes(lines(*sent, event(project="oze")))
    argv = [str(EXAMPLES / "curl" / "send.sh"), collector.url, str(file)]
    done = subprocess.run(argv, env=os.environ | own, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout)["reasons"] == {"other_project": 1}
    assert {each["id"] for each in sent} <= ids_in_kafka(place)


def test_kafka_that_stands_still_is_told_to_senders_and_nothing_counts_twice(
    place: Installation, collector: Collector, kafka_server: KafkaServer
) -> None:
    sent = [event() for _ in range(200)]
    body = lines(*sent)
    publisher = VisitPublisher(collector.address(), {"mbn": SECRET})
    publisher.connect()
    os.kill(kafka_server.process.pid, signal.SIGSTOP)
    try:
        published = {publisher.publish(service="NOTES", uai="0541234Y", user_id=str(number)) for number in range(300)}
        with ThreadPoolExecutor(40) as pool:
            began = time.monotonic()
            answers = list(pool.map(lambda _: collector.post(body), range(40)))
            assert time.monotonic() - began < 30
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["Retry-After"] for answer in answers} == {"5"}
        # 40 requests of 50 kB: not all of them wait in a collector that may hold 1 MiB.
        assert any("too much waits" in answer.text or "takes no events" in answer.text for answer in answers)
        assert collector.figures()["ent_collector_waiting_bytes",] <= 1 << 20
        wait_for("not ready", lambda: collector.get("/readyz").status_code == 503, 20)
        assert collector.figures()["ent_collector_kafka_up",] == 0
        wait_for("the SDK says so", lambda: "answers 503" in (publisher.health().problem or ""))
        assert publisher.deliveries().failed == 0
    finally:
        os.kill(kafka_server.process.pid, signal.SIGCONT)
    wait_for("the same request again", lambda: collector.post(body).status_code == 200)
    wait_for("a request that is replayed", lambda: collector.post(body).status_code == 200)
    wait_for("nothing is held", lambda: collector.figures()["ent_collector_waiting_bytes",] == 0)
    assert publisher.close().delivered == 300
    found = [orjson.loads(record.value)["id"] for record in records(place)]
    assert published <= set(found)
    assert {each["id"] for each in sent} <= set(found)
    with workers(place.environment, place.directory, 1):

        def counted() -> int:
            totals = reader_of(place.settings).snapshot().totals
            return sum(number for field, number in totals.items() if field[0] in (Cut.EVENTS, Cut.DUPLICATE))

        wait_for("all is counted", lambda: counted() == len(found))
        totals = reader_of(place.settings).snapshot().totals
    assert sum(number for field, number in totals.items() if field[0] == Cut.EVENTS) == len(set(found))
