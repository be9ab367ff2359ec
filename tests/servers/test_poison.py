"""What one message can do: batches that unpack to more than a worker has, that nobody can read, that no library would write."""

import hashlib
import resource
import subprocess
import sys
import time
from collections import Counter

import lz4.frame
import orjson
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.catalog import Catalog
from streams.clock import iso_utc
from streams.count import Cut
from streams.ingest.letters import HEAD_BYTES
from streams.live import Snapshot
from streams.settings import Settings
from tests.record_batches import CODECS, MIB, PACK, bomb, record, sent
from tests.servers.conftest import Installation
from tests.servers.own_servers import varied
from tests.servers.raw_produce import produce
from tests.servers.truth import differences, snapshot_of, total, wait_drained
from tests.servers.workers import WorkerProcess, workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers

EXIT_STATE = 4
#: What a worker or a command may take, of its data: heap and private maps.
MEMORY_BYTES = 512 * MIB
#: Batches of 10 records of 4 MiB.
MANY = 20


def not_cut_off(found: Snapshot) -> int:
    """How many records of too large values are kept."""
    return found.totals[Cut.REJECTED, "too_large"] - found.totals[Cut.NOT_KEPT, "too_large"]


class Sender:
    """Sends good events and bad batches, and knows how many."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.now_ms = time.time_ns() // 1_000_000
        self.good = 0
        self.bad: Counter[str] = Counter()

    def event(self, **changed: object) -> bytes:
        self.good += 1
        event = {"v": 1, "id": f"e{self.good}", "ts": self.now_ms, "visitor": f"{self.good:032x}", "project": "mbn"}
        return orjson.dumps({**event, "uai": "0541234Y", "service": "NOTES", "profile": "ELEVE", **changed})

    def send(self, partition: int, batch: bytes) -> int:
        return produce(self._settings.kafka_bootstrap_servers, self._settings.topic, partition, batch)

    def send_good(self, partition: int, codec: str, number: int = 20) -> None:
        records = b"".join(record(n, self.event()) for n in range(number))
        self.send(partition, sent(codec, PACK[codec](records), number))

    def send_bad(self, partition: int, reason: str, batch: bytes, number: int) -> None:
        self.send(partition, batch)
        self.bad[reason] += number


def capped(worker: WorkerProcess) -> WorkerProcess:
    resource.prlimit(worker.process.pid, resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    return worker


def capped_vigie(installation: Installation, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    done = subprocess.run(
        ["prlimit", f"--data={MEMORY_BYTES}", sys.executable, "-m", "streams", *arguments],
        env=installation.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def alter_topic(settings: Settings, timestamps: str = "LogAppendTime") -> None:
    """Allow large batches: snappy does not unpack to more than the bound from the one megabyte that Kafka takes by itself."""
    client = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    try:
        client.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC,
                    settings.topic,
                    configs={"max.message.bytes": str(16 * MIB), "message.timestamp.type": timestamps},
                )
            ]
        )
    finally:
        client.close()


def check_commands(installation: Installation, sender: Sender, found: Snapshot) -> None:
    """Whoever reads the log survives it as well, and says what is so."""
    code, text = capped_vigie(installation, "recount", "--visits")
    assert code == 0, text
    code, text = capped_vigie(installation, "check", "--project", "mbn")
    assert f"{sender.good} that count" in text, text
    assert "records are in batches that unpack to more than unpacked_mib_max" in text
    # Of 800 MB that was sent in 30 KiB, some heads are kept; nobody takes a head for an event.
    code, text = capped_vigie(installation, "rejects", "list", "--since", iso_utc(sender.now_ms), "--json")
    assert code == 0, text
    letters = [orjson.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert letters
    assert {(each["value_bytes"], len(each["value"])) for each in letters} == {(4 * MIB, HEAD_BYTES)}
    code, text = capped_vigie(installation, "rejects", "show", letters[0]["key"])
    assert f"{4 * MIB:,}, of which the first {HEAD_BYTES:,} are kept" in text
    assert hashlib.sha256(bytes(4 * MIB)).hexdigest() in text
    code, text = capped_vigie(installation, "rejects", "show", letters[0]["key"], "--value")
    assert (code, "see them without --value" in text) == (2, True)
    code, text = capped_vigie(installation, "rejects", "replay", "--reason", "too_large")
    assert (code, f"only the head of a large value is kept: {not_cut_off(found)}" in text) == (1, True), text


@pytest.mark.alone
def test_bombs_and_batches_that_nobody_can_read_are_counted_and_stop_nobody(
    installation: Installation, catalog: Catalog
) -> None:
    # Of two workers the second one ends: the first one waits for its partitions as long as a session.
    installation = varied(installation, worker_session_seconds=6)
    settings = installation.settings
    alter_topic(settings)
    sender = Sender(settings)
    for partition, codec in enumerate(CODECS):
        sender.send_good(partition, codec)
        sender.send_bad(partition, "too_large", sent(codec, bomb(codec, 200, records=2), 2), 2)
        sender.send_good(partition, codec)
    # A broker that is asked for an offset by time unpacks the batch there, 1.3 GB with a heap of 768 MB: nobody may ask.
    sender.send_bad(0, "too_large", sent("zstd", bomb("zstd", 1300), 1), 1)
    # A fetch that holds batches each within the bound, of 800 MB in all.
    many = sent("zstd", bomb("zstd", 40, records=10), 10)
    for _ in range(MANY):
        sender.send_bad(4, "too_large", many, 10)
    sender.send_good(4, "zstd")
    # What Kafka takes, and no library reads: it does not look at lz4's checksum, nor behind the last block.
    records = b"".join(record(n, sender.event(id=f"corrupt{n}")) for n in range(3))
    sender.good -= 3
    unsound = bytearray(lz4.frame.compress(records, content_checksum=True, block_linked=False))
    unsound[-1] ^= 1
    sender.send_bad(5, "corrupt", sent("lz4", bytes(unsound), 3), 3)
    sender.send_good(5, "lz4")
    for codec in ("lz4", "gzip", "snappy"):
        sender.send_bad(5, "corrupt", sent(codec, PACK[codec](records) + b"gar", 3), 3)
    sender.send_good(5, "gzip")
    # A header's name is any bytes to Kafka; to clients it is text.
    named = record(0, sender.event(), [(b"\xff\xfe", b"x")]) + record(1, sender.event())
    sender.send(6, sent("lz4", PACK["lz4"](named), 2))
    sender.send_good(6, "snappy")

    with workers(installation.environment, installation.directory, 2) as running:
        for worker in running:
            capped(worker)
        wait_drained(settings, 120)
        found = snapshot_of(settings)
        assert total(found, Cut.EVENTS) == sender.good
        rejected = {key[1]: number for key, number in found.totals.items() if key[0] == Cut.REJECTED}
        assert rejected == sender.bad
        unread = sender.bad["too_large"] - 10 * MANY
        assert found.totals[Cut.NOT_KEPT, "too_large"] >= unread, "there is nothing to keep of them"
        assert found.totals[Cut.NOT_KEPT, "corrupt"] == sender.bad["corrupt"]
        assert [worker.process.poll() for worker in running] == [None, None], "nobody was started again"
        assert differences(settings, catalog) == []
        # A worker that begins anew reads the log's tail again, all of this included.
        assert running[0].stop() == 0
        assert running[1].stop() == 0
    with workers(installation.environment, installation.directory, 1) as (worker,):
        capped(worker)
        sender.send_good(0, "zstd")
        wait_for("counted after the warm-up", lambda: total(snapshot_of(settings), Cut.EVENTS) == sender.good)
        assert worker.process.poll() is None
        check_commands(installation, sender, found)
        # The topic is altered under the running worker: what senders stamp is not counted, and the worker says where it begins.
        alter_topic(settings, "CreateTime")
        offset = sender.send(0, sent("lz4", PACK["lz4"](record(0, sender.event())), 1))
        assert worker.process.wait(30) == EXIT_STATE, worker.log
        assert f"partition 0: from offset {offset} on, batches are stamped by their senders' clocks" in worker.log
        assert worker.log.rstrip().endswith("and start the workers")
    assert total(snapshot_of(settings), Cut.EVENTS) == sender.good - 1
    assert differences(settings, catalog) == [], "up to there"
