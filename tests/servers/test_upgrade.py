"""An upgrade without a gap: from a Redis and a log that commit 1d6e3eb writes (key layout 1), under load."""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson
import pytest
import redis
from kafka import KafkaAdminClient, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from streams.catalog import load_catalog
from streams.count import Cut
from streams.local import free_ports
from streams.settings import Settings
from tests.servers.conftest import Installation
from tests.servers.traffic import Sent, Traffic
from tests.servers.truth import is_drained, log_ends, snapshot_of, total, wait_drained
from tests.servers.workers import get, reader_of
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
#: Key layout 1: ids and visitors remembered over all projects together, one call of Redis a chunk.
BEFORE = "1d6e3eb"
RATE = 300
EARLIER = 400
#: Seconds until an observer answers, and until the new counts have caught up, on a machine that does much else.
STARTS_MAX, OPENS_MAX = 120.0, 400.0


#: A surge of this morning, as the old version's own code writes it: argv are the server, the prefix, and when it began, epoch ms.
PAST_ALERT = """
import sys
from streams.live.alerts import AlertRecord, AlertStore
from streams.live.connection import RedisAddress
start, end = int(sys.argv[3]), int(sys.argv[3]) + 600_000
what = (f"surge:region=44:{start}", "surge", "region", "44", None, None, "visits")
told = AlertRecord(*what, start, start + 120_000, end, end, 300.0, 100.0, 80.0, 130.0)
AlertStore(RedisAddress(sys.argv[1]), sys.argv[2]).judged(end // 60_000, [], [told])
"""


def vigie_of(code: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the version whose code lies there, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        env={**environment, "PYTHONPATH": str(code)},
        cwd=code,
        capture_output=True,
        text=True,
        timeout=200,
    )


@contextmanager
def running(code: Path, environment: dict[str, str], log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the version whose code lies there, killed at the end if it still runs."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", *arguments],
            env={**environment, "PYTHONPATH": str(code)},
            cwd=code,
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def counters(port: int) -> dict[tuple[str, ...], float]:
    """Every counter of events, visits, repeats and rejects that an observer exposes."""
    families = text_string_to_metric_families(get(port, "/metrics", 10)[1])
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        if family.name.startswith(("ent_events", "ent_project_", "ent_visits", "ent_rejects_not"))
        and family.type == "counter"
        for sample in family.samples
        if sample.name.endswith("_total")
    }


@pytest.fixture(scope="module")
def code_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of that commit, out of this repository's history."""
    made = subprocess.run(["git", "archive", BEFORE, "streams", "config", "deploy"], cwd=ROOT, capture_output=True)
    assert made.returncode == 0, f"this test needs the history of the repository: {made.stderr.decode()}"
    place = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(place, filter="data")
    return place


def earlier_events(path: Path) -> None:
    """Events of five hours ago, of visitors that do not come again, with ids of their own."""
    then = (time.time_ns() // 1_000_000) - 5 * 3_600_000
    with path.open("wb") as out:
        for number in range(EARLIER):
            visitor = hashlib.md5(b"%d" % number).hexdigest()
            event = {"v": 1, "id": f"early-{number}", "ts": then + number, "visitor": visitor, "project": "mbn"}
            out.write(orjson.dumps({**event, "uai": "0541234Y", "service": "NOTES", "profile": "ELEVE"}) + b"\n")


class Upgrading:
    """An old installation that counts, and the settings of a new one beside it, whose processes end with the block."""

    def __init__(self, installation: Installation, code_before: Path, directory: Path, stack: ExitStack) -> None:
        self.old, self._old_environment = installation.settings, installation.environment
        observer_port, worker_port, *_ = free_ports(4)
        chosen = {
            "redis_prefix": self.old.redis_prefix + ".2",
            "consumer_group": self.old.consumer_group + ".2",
            "observer_port": str(observer_port),
            "worker_port": str(worker_port),
        }
        self.new = Settings(**{**self.old.model_dump(), **chosen})
        self.environment = self._old_environment | {f"VIGIE_{name.upper()}": value for name, value in chosen.items()}
        self._before, self._directory, self._stack = code_before, directory, stack
        self.command = ("upgrade", "--from", self.old.redis_prefix)
        self.processes: list[subprocess.Popen[bytes]] = []

    def run_old(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._directory / f"old-{'-'.join(arguments)}.log"
        return self._stack.enter_context(running(self._before, self._old_environment, log, *arguments))

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._directory / f"new-{'-'.join(arguments)}.log"
        return self._stack.enter_context(running(ROOT, self.environment, log, *arguments))

    def upgrade(self, *options: str) -> subprocess.CompletedProcess[str]:
        return vigie_of(ROOT, self.environment, *self.command, *options)

    def publish_earlier(self) -> None:
        """Publish events of hours ago by the old version, and wait until it has counted them."""
        events = self._directory / "events.ndjson"
        earlier_events(events)
        done = vigie_of(self._before, self._old_environment, "publish", str(events))
        assert done.returncode == 0, done.stderr
        wait_drained(self.old)

    def tell_an_alert(self, ago_ms: int) -> None:
        """An alert of the past, as the old version tells one."""
        words = (self.old.redis_url, self.old.redis_prefix, str(time.time_ns() // 1_000_000 - ago_ms))
        subprocess.run([sys.executable, "-c", PAST_ALERT, *words], cwd=self._before, check=True)

    def alerts(self, state: str) -> int:
        """How many the new observer knows: running, ended, all."""
        return len(orjson.loads(get(self.new.observer_port, f"/api/v1/incidents?state={state}", 10)[1])["incidents"])

    def remove_from_the_log(self) -> None:
        """All that is in it, as retention does."""
        removed = {TopicPartition(self.old.topic, n): end for n, end in log_ends(self.old).items() if end}
        admin = KafkaAdminClient(bootstrap_servers=self.old.kafka_bootstrap_servers)
        admin.delete_records(removed)
        admin.close()

    def open(self, *options: str) -> str:
        """Upgrade, with new processes: closed at first, then no counter goes back and nobody is called. Return what was said."""
        port = self.new.observer_port
        log = self._directory / "upgrade.log"
        with running(ROOT, self.environment, log, *self.command, *options) as opening:
            wait_for("closed", lambda: snapshot_of(self.new).beside == self.old.redis_prefix)
            # First the observer: without workers nothing is opened, however long it takes to start.
            observer = self.run("serve")
            wait_for("the new observer says so", lambda: "still being made" in get(port, "/readyz", 10)[1], STARTS_MAX)
            assert not counters(port), "a prefix that is not open shows no counter"
            self.processes = [observer, *(self.run("worker", "--slot", str(slot)) for slot in range(2))]
            assert opening.wait(OPENS_MAX) == 0, log.read_text()
        before = counters(self.old.observer_port)
        assert before["ent_project_events_total", "project=mbn"] > EARLIER
        wait_for("the new observer is ready", lambda: get(port, "/readyz", 10)[0] == 200, STARTS_MAX)
        after = counters(port)
        assert not {name: value for name, value in before.items() if after.get(name, 0) < value}, "counters go on"
        assert self.alerts("running") == 0
        assert self.alerts("all") == 1, "that of the past, and no other"
        return log.read_text()

    def compare(self, sent: Sent, gone: int) -> None:
        """Every minute and every total of the two, and what was sent."""
        wait_for("all counted twice", lambda: is_drained(self.old) and is_drained(self.new))
        first = min(minute for minute, _region, _service in sent.events)
        theirs, ours = (
            {one.minute: one.counts for one in reader_of(each).minutes() if one.minute >= first}
            for each in (self.old, self.new)
        )
        assert theirs == ours
        assert len(ours) >= 3
        now, then = snapshot_of(self.new), snapshot_of(self.old)
        shown = now.totals_of_all_time()
        assert {key: n for key, n in shown.items() if key[0] != Cut.NOT_KEPT} == {
            key: n for key, n in then.totals.items() if key[0] != Cut.NOT_KEPT
        }
        assert total(now, Cut.EVENTS) == sent.events.total() + EARLIER - gone
        assert sum(n for key, n in shown.items() if key[0] == Cut.EVENTS) == sent.events.total() + EARLIER
        assert total(now, Cut.DUPLICATE) == sent.duplicates


@pytest.mark.servers
@pytest.mark.long
@pytest.mark.parametrize("log_is_whole", [True, False])
def test_from_the_version_of_another_layout_under_load(
    installation: Installation, code_before: Path, tmp_path: Path, log_is_whole: bool
) -> None:
    with ExitStack() as stack:
        it = Upgrading(installation, code_before, tmp_path, stack)
        old_workers = [it.run_old("worker", "--slot", str(slot)) for slot in range(2)]
        it.publish_earlier()
        it.tell_an_alert(7_200_000)
        if not log_is_whole:
            it.remove_from_the_log()
        traffic = Traffic(it.old.kafka_bootstrap_servers, it.old.topic, load_catalog(it.old.config_dir), seed=21)
        traffic.begin(RATE)
        old_observer = it.run_old("serve")
        wait_for("the old observer is ready", lambda: get(it.old.observer_port, "/readyz", 10)[0] == 200)
        assert snapshot_of(it.old).layout == "1"
        mistaken = vigie_of(ROOT, it.environment | {"VIGIE_CONSUMER_GROUP": it.old.consumer_group}, *it.command)
        assert mistaken.returncode == 2, mistaken.stderr
        assert "is that of the running workers" in mistaken.stderr
        if log_is_whole:
            said = it.open()
            assert "0 of before it carried over as a base (0 rows)" in said, said
            compared = re.search(r"^(\d+) settled minutes compared, 0 differ$", said, re.MULTILINE)
            assert compared, said
            assert int(compared[1]) >= 3
        else:
            refused = it.upgrade()
            assert refused.returncode == 4, refused.stderr
            assert "--accept-gap" in refused.stderr
            said = it.open("--accept-gap")
            assert f"{EARLIER:,} of before it carried over" in said, said
        assert "alerts of the past taken over: 1" in said
        it.compare(traffic.end(), 0 if log_is_whole else EARLIER)
        it.tell_an_alert(3_600_000)  # ended since then, and the old observer told it
        assert it.alerts("ended") == 1

        refused = it.upgrade("--finish")
        assert refused.returncode == 4, refused.stdout
        assert "workers still count" in refused.stderr
        for process in (*old_workers, old_observer):
            process.terminate()
        wait_for("nobody counts it any more", lambda: it.upgrade("--finish").returncode == 0, 60)
        with redis.Redis.from_url(it.new.redis_url) as client:
            assert list(client.scan_iter(match="{" + it.old.redis_prefix + "}:*")) == []
        assert get(it.new.observer_port, "/readyz", 10)[0] == 200
        wait_for("alerts of the past stay", lambda: it.alerts("ended") == 2)
        assert [each.poll() for each in it.processes] == [None] * 3
