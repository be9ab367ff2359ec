"""`vigie simulate --live` against a real Kafka: what the truth says was published lies in the topic, and a restart goes on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition

from streams import edges
from streams.errors import InputError
from streams.settings import Settings
from streams.simulate.scenario import DEFAULT_SPEED, load_scenarios, scenario_shift_seconds
from streams.simulate.truth import load_truth
from tests.servers.conftest import Installation
from tests.waiting import wait_until

pytestmark = pytest.mark.servers


def command(truth: Path, *options: str) -> list[str]:
    given = ["simulate", "--scenario", "rentree", "--live", "--scale", "0.01", "--truth", str(truth), *options]
    return [sys.executable, "-m", "streams", *given]


def in_topic(settings: Settings) -> list[tuple[bytes | None, bytes]]:
    """Every record of the events topic, by plain kafka-python."""
    consumer = KafkaConsumer(**edges.kafka_address(settings).client_options(), group_id=None, enable_auto_commit=False)
    try:
        parts = [TopicPartition(settings.topic, number) for number in consumer.partitions_for_topic(settings.topic)]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts)
        consumer.seek_to_beginning(*parts)
        found: list[tuple[bytes | None, bytes]] = []
        deadline = time.monotonic() + 20
        while any(consumer.position(part) < ends[part] for part in parts) and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                found += [(record.key, record.value) for record in records]
        return found
    finally:
        consumer.close()


def published(truth: Path) -> int:
    try:
        return load_truth(truth).published
    except InputError:
        return 0


def test_the_topic_holds_what_the_truth_says_over_a_stop_and_a_restart(installation: Installation) -> None:
    settings, truth_path = installation.settings, installation.directory / "truth.json"
    scenario = load_scenarios(settings.config_dir).get("rentree")
    shift = scenario_shift_seconds(scenario, time.time(), DEFAULT_SPEED)
    environment = {**installation.environment, "VIGIE_CALENDAR_SHIFT_SECONDS": str(shift)}
    first = subprocess.Popen(command(truth_path), env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: published(truth_path) > 500)
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=120)
    finally:
        first.kill()
    assert first.returncode == 0, said
    assert f"calendar shift {shift} s" in said
    before = load_truth(truth_path)
    assert before.complete
    assert before.shift_seconds == shift

    again = subprocess.run(
        command(truth_path, "--seconds", "2"), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert again.returncode == 0, again.stderr
    truth = load_truth(truth_path)
    records = in_topic(settings)
    assert truth.complete
    assert len(truth.runs) == 2
    assert truth.published > before.published
    assert truth.reached_s > before.reached_s
    assert len(records) == truth.published

    good = [
        (key, orjson.loads(value))
        for key, value in records
        if value.startswith(b'{"v":1,"id"') and b'"profile"' in value and b'"ts"' in value
    ]
    assert all(key is None or key.decode() == event["visitor"] for key, event in good[:1000])
    starts = {run.run: [e["ts"] for _, e in good if e["id"].startswith(run.run)] for run in truth.runs}
    assert min(starts[truth.runs[0].run]) // 1000 == scenario.begin_s - shift
    # No second run-up: the second run begins where the first ended.
    assert abs(min(starts[truth.runs[1].run]) // 1000 - before.reached_s) <= 2
    assert max(event["ts"] for _, event in good) <= time.time() * 1000


def test_a_kill_leaves_a_recent_truth_that_says_it_is_not_complete(installation: Installation) -> None:
    truth_path = installation.directory / "truth.json"
    process = subprocess.Popen(command(truth_path), env=installation.environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: published(truth_path) > 100)
    finally:
        process.kill()
        process.wait(10)
    truth = load_truth(truth_path)
    assert not truth.complete
    assert 100 < truth.published == truth.events + truth.duplicates + truth.rejected_total
    assert in_topic(installation.settings)


def test_without_the_topic_it_says_what_to_do(installation: Installation) -> None:
    environment = {**installation.environment, "VIGIE_TOPIC": "absent.topic"}
    found = subprocess.run(
        command(installation.directory / "t"), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 3
    assert "has no topic 'absent.topic'" in found.stderr
    assert not (installation.directory / "t").exists()
