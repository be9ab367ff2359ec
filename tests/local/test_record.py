"""The record of a running stack: written whole, found by every command, ignored once its process is gone."""

import os
import subprocess
import sys

import orjson
import pytest

from streams.edges import kafka_address, redis_address
from streams.errors import SettingsError
from streams.local.stack import StackRecord, as_environment, recorded_settings
from streams.local.supervisor import ProcessStatus, State
from streams.settings import Settings, load_settings
from streams.stack_record import process_start_ticks, read_stack

STATUS = ProcessStatus("worker", 0, 123, State.RUNNING, 8001, 2, 1.5, "exit code 1")


@pytest.fixture
def record(tmp_path, monkeypatch) -> StackRecord:
    for name in [name for name in os.environ if name.startswith("VIGIE_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "state" / "stack.json"
    monkeypatch.setenv("VIGIE_STACK_FILE", str(path))
    return StackRecord(path, tmp_path / "data", {"observer_port": 8123, "calendar_shift_seconds": -5}, 1.0)


def test_commands_find_the_settings_of_a_running_stack(record):
    assert load_settings().observer_port == 8000
    record.write([STATUS])
    found = read_stack()
    assert found is not None
    assert found["pid"] == os.getpid()
    assert found["processes"] == [
        {
            "role": "worker",
            "slot": 0,
            "pid": 123,
            "state": "running",
            "port": 8001,
            "restarts": 2,
            "started_at": 1.5,
            "last_exit": "exit code 1",
        }
    ]
    assert load_settings().observer_port == 8123
    assert load_settings().calendar_shift_seconds == -5
    assert record.path.stat().st_mode & 0o077 == 0, "others of the machine may read where the servers are"
    assert load_settings(observer_port=8200).observer_port == 8200
    record.remove()
    assert read_stack() is None
    assert list(record.path.parent.iterdir()) == []


def test_a_named_stack_that_does_not_run_is_not_replaced_by_the_default_ports(record, monkeypatch):
    """Another installation may listen there."""
    for address, name in ((kafka_address, "KAFKA_BOOTSTRAP_SERVERS"), (redis_address, "REDIS_URL")):
        with pytest.raises(SettingsError, match=f"no stack runs there.*`vigie up`.*VIGIE_{name}"):
            address(load_settings())
    record.write([STATUS])
    assert kafka_address(load_settings()).bootstrap_servers == ("127.0.0.1:19092",)
    assert redis_address(load_settings()).url == "redis://127.0.0.1:16379/0"
    record.remove()
    for name, value in as_environment(load_settings()).items():
        monkeypatch.setenv(name, value)
    assert redis_address(load_settings()).url == "redis://127.0.0.1:16379/0", "what is said counts, whatever it is"
    for name in ("VIGIE_STACK_FILE", "VIGIE_REDIS_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(record.path.parent))
    assert redis_address(load_settings()).url == "redis://127.0.0.1:16379/0"


def test_the_record_of_a_process_that_is_gone_is_ignored(record):
    record.write([STATUS])
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    document = orjson.loads(record.path.read_bytes())
    record.path.write_bytes(orjson.dumps({**document, "pid": process.pid}))
    assert read_stack() is None


def test_a_process_that_got_the_same_number_is_not_mistaken(record):
    record.write([STATUS])
    document = orjson.loads(record.path.read_bytes())
    record.path.write_bytes(orjson.dumps({**document, "start_ticks": document["start_ticks"] - 1}))
    assert read_stack() is None


def test_a_process_of_which_only_the_exit_code_is_left_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, not yet waited for: a zombie
        assert process_start_ticks(process.pid) is None
    finally:
        process.wait()


def test_only_what_differs_is_recorded_and_no_secret(record):
    settings = Settings(
        kafka_bootstrap_servers="127.0.0.1:41092",
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_username="u",
        kafka_sasl_password="hush",
    )
    found = recorded_settings(settings)
    assert found == {
        "kafka_bootstrap_servers": "127.0.0.1:41092",
        "kafka_security_protocol": "SASL_PLAINTEXT",
        "kafka_sasl_username": "u",
    }
    assert as_environment(settings)["VIGIE_KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:41092"
    orjson.dumps(found)
