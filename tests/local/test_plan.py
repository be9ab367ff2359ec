"""What a stack is made of, and what is said when something of it is missing."""

import os
from pathlib import Path

import pytest
import yaml

from streams.errors import ServerError, SettingsError
from streams.local import ScrapedPorts, ServerPorts, StackPlan, kafka_jars, local_settings, prometheus
from streams.local.process import check_programs, find_program
from streams.settings import Settings, deploy_dir

PORTS = ServerPorts(kafka=41092, redis=41379, prometheus=41090, alertmanager=41093)


@pytest.fixture
def plan(tmp_path: Path) -> StackPlan:
    settings = local_settings(
        Settings(observer_port=41000, worker_port=41001, collector_port=41400, calendar_shift_seconds=-7), PORTS
    )
    return StackPlan(settings, tmp_path, 3, PORTS)


def test_every_port_is_checked_with_the_option_that_changes_it(plan):
    assert [(use.port, use.option) for use in plan.port_uses()] == [
        (41092, "--kafka-port"),
        (41091, "--kafka-port"),
        (41379, "--redis-port"),
        (41090, "--prometheus-port"),
        (41093, "--alertmanager-port"),
        (41000, "--port"),
        (41400, "--collector-port"),
        (41001, "--worker-port"),
        (41002, "--worker-port"),
        (41003, "--worker-port"),
    ]


def test_children_get_the_settings_of_the_stack(plan):
    observer, worker = plan.observer(), plan.worker_programs()[2]
    for program in (observer, worker):
        assert program.environment["VIGIE_KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:41092"
        assert program.environment["VIGIE_REDIS_URL"] == "redis://127.0.0.1:41379/0"
        assert program.environment["VIGIE_CALENDAR_SHIFT_SECONDS"] == "-7"
    assert worker.argv[-3:] == ("worker", "--slot", "2")
    assert (worker.slot, worker.port) == (2, 41003)
    assert worker.log_file != plan.worker_programs()[1].log_file


def test_prometheus_scrapes_the_ports_in_use(tmp_path):
    program = prometheus(tmp_path, ScrapedPorts((41000,), (41001, 41002), 41090, 41093, 41400))
    config = yaml.safe_load((program.directory / "prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert targets == {
        "vigie-observer": ["127.0.0.1:41000"],
        "vigie-worker": ["127.0.0.1:41001", "127.0.0.1:41002"],
        "vigie-collector": ["127.0.0.1:41400"],
        "prometheus": ["127.0.0.1:41090"],
        "alertmanager": ["127.0.0.1:41093"],
    }
    assert config["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": ["127.0.0.1:41093"]}]
    assert config["storage"]["tsdb"]["out_of_order_time_window"] == "72h"
    assert all(Path(pattern).parent.is_dir() for pattern in config["rule_files"])


def test_passwords_are_refused_by_name():
    given = Settings(redis_password="hush", kafka_security_protocol="SSL")
    with pytest.raises(SettingsError, match="redis_password, kafka_security_protocol") as caught:
        local_settings(given, PORTS)
    assert "hush" not in str(caught.value)


def test_production_addresses_and_replication_do_not_reach_the_local_stack():
    given = Settings(
        kafka_bootstrap_servers="kafka.example:9092", topic_replication_factor=3, topic_min_insync_replicas=2
    )
    local = local_settings(given, PORTS)
    assert local.kafka_bootstrap_servers == "127.0.0.1:41092"
    assert (local.topic_replication_factor, local.topic_min_insync_replicas) == (1, 1)


def test_missing_servers_are_named_at_once_with_the_command_that_installs_them(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("streams.local.process._SYSTEM_PATHS", ())
    with pytest.raises(ServerError) as caught:
        check_programs()
    text = str(caught.value)
    assert "java, redis-server, prometheus, prometheus-alertmanager" in text
    script = deploy_dir() / "install-servers.sh"
    assert str(script) in text
    assert os.access(script, os.X_OK)


def test_a_maven_that_fails_is_a_clear_error_and_leaves_no_half_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'no route to the repository'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ServerError, match=r"exit code 1\)(.|\n)*no route to the repository"):
        kafka_jars()
    assert not (tmp_path / "cache" / "vigie" / "kafka-4.3.1").exists()


def test_jars_are_copied_once_and_again_when_the_pom_changes(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    maven = tmp_path / "mvn"
    maven.write_text(
        '#!/bin/sh\nfor word; do case "$word" in -DoutputDirectory=*) out="${word#*=}";; esac; done\n'
        f'mkdir -p "$out"; touch "$out/kafka_2.13-4.3.1.jar"; echo call >> {tmp_path}/calls\n'
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    calls = tmp_path / "calls"
    jars = kafka_jars()
    assert kafka_jars() == jars
    assert calls.read_text().count("call") == 1
    (jars / "pom.xml").write_text("another")
    assert kafka_jars() == jars
    assert calls.read_text().count("call") == 2


def test_a_program_that_exists_is_found():
    assert Path(find_program("sh")).is_file()
