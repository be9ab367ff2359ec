"""`vigie support-bundle`: what is in it, and what is not."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import orjson
import pytest

from streams.catalog import Catalog
from tests.servers.conftest import RedisServer
from tests.servers.observers import Filler, Place, events, now_minute, observing, vigie

pytestmark = pytest.mark.servers


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as bundle:
        return {entry.name: bundle.extractfile(entry).read() for entry in bundle}  # type: ignore[union-attr]


def bundle(place: Place, path: Path) -> None:
    """In a process of its own: Kafka's client leaves a socket to the collector where nobody answers it."""
    command = [sys.executable, "-m", "streams", "support-bundle", "--out", str(path)]
    done = subprocess.run(command, env={**os.environ, **place.environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_running_chain_and_nothing_of_anybody(
    redis_server: RedisServer, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(redis_server.url, f"bundle.{tmp_path.name}"[:60], tmp_path)
    Filler(place, catalog.digest).count({now_minute(): events(10)})
    hidden = {
        "VIGIE_KAFKA_SASL_PASSWORD": "hidden-of-kafka",
        "VIGIE_ALERT_WEBHOOK_URL": "https://example.org/hook?token=hidden-token",
        "VIGIE_ALERT_EMAIL_TO": "hidden.person@example.org",
    }
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "bundle.tar.gz"
    with observing(place) as observer:
        monkeypatch.setenv("VIGIE_OBSERVER_PORT", str(observer.port))
        bundle(place, path)
    found = members(path)
    assert {"about.json", "settings.json", "lists.json", "status.json", "redis.json", "topics.json"} <= found.keys()
    assert b"hidden" not in b"".join(found.values())
    settings = orjson.loads(found["settings.json"])
    assert settings["values"]["kafka_sasl_password"] == settings["values"]["alert_webhook_url"] == "set"
    assert settings["values"]["redis_prefix"] == place.prefix
    assert "redis_prefix" in settings["given"]
    assert orjson.loads(found["redis.json"])["minutes_held"] == 1
    assert orjson.loads(found["status.json"])["redis"]["up"] is True
    assert "Kafka" in orjson.loads(found["topics.json"])["not to be had"]  # nobody is at that port
    assert b"ent_redis_up 1.0" in found["observer.metrics"]
    assert len(orjson.loads(found["lists.json"])["regions.yaml"]) == 64
    assert path.stat().st_mode & 0o077 == 0
    again = vigie(place, "support-bundle", "--out", str(path))
    assert (again.code, "is there already" in again.message) == (2, True)


def test_wrong_settings_and_servers_that_are_down_are_told_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place("redis://127.0.0.1:9/0", "p", tmp_path)
    path = tmp_path / "down.tar.gz"
    bundle(place, path)
    found = members(path)
    assert "does not answer" in orjson.loads(found["redis.json"])["not to be had"]
    assert orjson.loads(found["status.json"])["redis"]["up"] is False
    monkeypatch.setenv("VIGIE_REDIS_PASSWORD", "hidden\n")
    wrong = tmp_path / "wrong.tar.gz"
    assert vigie(place, "support-bundle", "--out", str(wrong)).code == 0
    found = members(wrong)
    assert found.keys() == {"about.json", "settings.txt"}
    assert b"redis_password" in found["settings.txt"]
    assert b"hidden" not in found["settings.txt"]
