"""Rejected events: kept, shown, counted, replayed once for ever; poison in the flow, and a dead-letter topic that takes nothing."""

import json
import re
import sys
import time

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from streams import edges
from streams.audit.log import open_log
from streams.audit.rejects import Wanted
from streams.audit.replay import Replayer, _Chosen, _Sender
from streams.catalog import Catalog
from streams.cli import cli
from streams.count import Cut
from streams.events import EventBounds
from streams.ingest.dead_letters import KEEP_SECONDS_MAX
from streams.settings import Settings
from tests.servers.conftest import Installation
from tests.servers.truth import all_records, differences, snapshot_of, total, wait_drained
from tests.servers.workers import workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers


def vigie(installation: Installation, *words: str, **settings: str) -> tuple[int, str]:
    """Exit code, and everything that was printed; in this process, which spares ten starts of Python."""
    done = CliRunner().invoke(cli, words, env={**installation.environment, **settings}, catch_exceptions=False)
    return done.exit_code, done.output


def send(installation: Installation, values: list[bytes], key: bytes = b"k") -> None:
    producer = KafkaProducer(**edges.kafka_address(installation.settings).client_options(), linger_ms=20)
    for value in values:
        producer.send(installation.settings.topic, value=value, key=key)
    producer.flush(30)
    producer.close()


def event(number: int, **changed: object) -> bytes:
    base = {
        "v": 1,
        "id": f"e{number}",
        "ts": time.time_ns() // 1_000_000,
        "visitor": f"{number % 7:032x}",
        "project": "mbn",
    }
    return json.dumps({**base, "uai": "0541234Y", "service": "NOTES", **changed}).encode()


#: With no `max_ahead` at all, an event is rejected while it lies in the future, and can be replayed once it does not.
NO_FUTURE = {"VIGIE_MAX_AHEAD_SECONDS": "0"}
#: A machine that is slow has so long until Kafka has them.
AHEAD_MS = 6000


def early(number: int) -> bytes:
    """Rejected as `too_far_ahead` at first."""
    return event(number, ts=time.time_ns() // 1_000_000 + AHEAD_MS)


def rows_of(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_replay_counts_once_whatever_is_replayed_again(installation: Installation, catalog: Catalog) -> None:
    settings = installation.settings
    chain = Installation(settings, {**installation.environment, **NO_FUTURE}, installation.directory)
    texts = [event(100 + n, ts=str(time.time_ns() // 1_000_000 - 1000)) for n in range(5)]  # `ts` as text: ill_typed
    with workers(chain.environment, installation.directory, 1) as (worker,):
        wait_for("ready", worker.ready)
        # Two of the early ones were sent twice by their publisher: four dead letters, two events.
        send(installation, [*(early(n) for n in range(20)), *texts, b"not json", early(3), early(4)])
        sent = time.monotonic()
        wait_drained(settings)
        code, text = vigie(chain, "rejects", "stats")
        assert (code, "28 kept, 0 replayed" in text) == (0, True), text
        assert re.search(r"ill_typed +5 +0 +5 +0", text), text
        code, text = vigie(chain, "rejects", "stats", "--by", "project", "--reason", "ill_typed")
        assert re.search(r"mbn +ill_typed +5 +0", text), text
        rows = rows_of(vigie(chain, "rejects", "list", "--reason", "ill_typed", "--json")[1])
        assert [row["value"].encode() for row in rows] == texts
        text = vigie(chain, "rejects", "show", rows[0]["key"])[1]
        assert "Expected `int`, got `str` - at `$.ts`" in text
        time.sleep(max(0.0, AHEAD_MS / 1000 + 0.5 - (time.monotonic() - sent)))
        code, text = vigie(chain, "rejects", "replay", "--reason", "too_far_ahead", "--dry-run")
        assert (code, "would replay 20" in text) == (0, True), text
        code, text = vigie(chain, "rejects", "replay", "--reason", "too_far_ahead", "--limit", "8")
        assert (code, "replayed 8" in text) == (0, True), text
        code, text = vigie(chain, "rejects", "replay")
        assert (code, "replayed 12, replayed before 8" in text, "ill_typed: 5" in text) == (1, True, True), text
        assert "same id was replayed: 2" in text, text
        mend = "import sys, json; [print(json.dumps({**d, 'ts': int(d['ts'])})) for d in map(json.loads, sys.stdin)]"
        command = f'{sys.executable} -c "{mend}"'
        code, text = vigie(chain, "rejects", "replay", "--reason", "ill_typed", "--through", command)
        assert (code, "replayed 5" in text) == (0, True), text
        for _ in range(2):
            code, text = vigie(chain, "rejects", "replay", "--reason", "ill_typed", "--reason", "too_far_ahead")
            assert (code, "replayed 0, replayed before 25" in text) == (0, True), text
        wait_drained(settings)
    found = snapshot_of(settings)
    assert (total(found, Cut.EVENTS), total(found, Cut.DUPLICATE)) == (20 + 5, 0)
    assert "28 kept, 25 replayed" in vigie(chain, "rejects", "stats")[1]
    strict = Settings(**{**settings.model_dump(), "max_ahead_seconds": 0})
    assert differences(strict, catalog) == []


def test_after_a_change_of_rules_young_rejects_wait(installation: Installation) -> None:
    """A worker that starts under wider rules takes the rejected record for a counted one: its replay would be a repeat."""
    settings = installation.settings
    with workers({**installation.environment, "VIGIE_MAX_AGE_HOURS": "1"}, installation.directory, 1):
        send(installation, [event(n, ts=time.time_ns() // 1_000_000 - 2 * 3_600_000) for n in range(5)])
        wait_drained(settings)
    code, text = vigie(installation, "rejects", "replay")
    assert (code, "replayed 0" in text, "remember their ids from before: 5" in text) == (1, True, True), text
    code, text = vigie(installation, "rejects", "replay", VIGIE_MAX_AGE_HOURS="1")
    assert (code, "too_old: 5" in text) == (1, True), text


def test_a_replay_that_died_between_its_steps_is_resolved(installation: Installation) -> None:
    """Once before the events went out, once after: the next replay finds out which, and each event counts once."""
    settings = installation.settings
    with workers({**installation.environment, **NO_FUTURE}, installation.directory, 1) as (worker,):
        wait_for("ready", worker.ready)
        send(installation, [early(n) for n in range(6)])
        wait_drained(settings)
    address = edges.kafka_address(settings)
    rows = rows_of(vigie(installation, "rejects", "list", "--json")[1])
    chosen = [
        _Chosen(row["key"], int(row["key"].split("-")[-2]), f"e{n}", f"v{n % 7}".encode(), row["value"].encode())
        for n, row in enumerate(rows)
    ]
    assert len(chosen) == 6
    sender = _Sender(address, settings.topic, settings.rejected_topic)
    sender.mark("intent", chosen[:4])  # dies here for the first two ...
    only_events = _Sender(address, settings.topic, settings.rejected_topic)
    only_events.mark = lambda *_: None  # type: ignore[method-assign]
    only_events.replay(chosen[2:4])  # ... and here for the next two
    sender.close()
    only_events.close()
    time.sleep(AHEAD_MS / 1000)
    replayer = Replayer(address, settings.topic, settings.rejected_topic, EventBounds(ahead_ms_max=0))
    first = replayer.run(Wanted(), 100, lambda *_: None)
    assert (first.replayed, first.before, first.healed) == (4, 2, 2)
    again = replayer.run(Wanted(), 100, lambda *_: None)
    assert (again.replayed, again.before, again.healed) == (0, 6, 0)
    with open_log(address, settings.topic) as log:
        assert sum(log.ends.values()) == 6 + 6, "six rejected, six replayed: none was sent twice"
    places: dict[bytes, set[int]] = {}
    with open_log(address, settings.rejected_topic) as log:
        for partition, records in all_records(log):
            for record in records:
                places.setdefault(record.key, set()).add(partition)
    assert all(len(found) == 1 for found in places.values()), "a mark lies behind its letter, and goes with it"


def test_poison_at_one_half_and_all_of_the_flow(installation: Installation) -> None:
    """Good events are all counted, each broken one is counted under its reason, and kept up to the bound."""
    settings = installation.settings
    bound = {**installation.environment, "VIGIE_REJECTS_KEPT_PER_MINUTE": "100"}
    good = broken = 0
    with workers(bound, installation.directory, 1):
        for share in (0.01, 0.5, 1.0):
            values = []
            for n in range(2000):
                if n % 100 < share * 100:
                    values.append((b"{broken", b'{"v":1}', event(n, ts="now"), event(n, v=3))[n % 4])
                    broken += 1
                else:
                    values.append(event(100_000 + good))
                    good += 1
            send(installation, values)
        wait_drained(settings)
    found = snapshot_of(settings)
    assert total(found, Cut.EVENTS) == good
    assert total(found, Cut.REJECTED) == broken
    with open_log(edges.kafka_address(settings), settings.rejected_topic) as log:
        kept = sum(log.ends.values())
    assert kept == broken - total(found, Cut.NOT_KEPT)
    assert 400 <= kept <= 1200, "100 a minute and reason, four reasons, at most three minutes"


def delete_topic(settings: Settings, name: str) -> None:
    client = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    client.delete_topics([name])
    client.close()


def test_a_dead_letter_topic_that_takes_nothing_delays_counting_by_seconds(installation: Installation) -> None:
    settings = installation.settings
    with workers(installation.environment, installation.directory, 1) as (worker,):
        wait_for("ready", worker.ready)
        delete_topic(settings, settings.rejected_topic)
        began = time.monotonic()
        send(installation, [b"broken", *(event(n) for n in range(500)), b"broken again"])
        wait_drained(settings)
        assert time.monotonic() - began < 12, "5 s for the dead letters, and what a busy machine takes"
        found = snapshot_of(settings)
        assert (total(found, Cut.EVENTS), total(found, Cut.REJECTED), total(found, Cut.NOT_KEPT)) == (500, 2, 2)
        took = []
        for first in (500, 700, 900):  # a busy machine is late with one of them, an outage that is waited for with all
            began = time.monotonic()
            send(installation, [b"broken", *(event(n) for n in range(first, first + 200))])
            wait_drained(settings)
            took.append(time.monotonic() - began)
        assert min(took) < KEEP_SECONDS_MAX, "the outage is known: nothing waits for it again"
        assert re.search(r"^ent_worker_dead_letter_failures_total [12]", worker.get("/metrics")[1], re.MULTILINE)
    found = snapshot_of(settings)
    assert (total(found, Cut.EVENTS), total(found, Cut.NOT_KEPT)) == (1100, 5)
