"""The Redis user of docs/operations/secure.md: its line lets the whole chain run, on the keys of its prefix and on nothing else."""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import redis

from streams import edges
from streams.live import LiveKeeper, alert_store, prefixes, scripts
from streams.publish import VisitPublisher
from streams.settings import Settings
from tests.servers.commands import run
from tests.servers.conftest import Installation
from tests.servers.workers import workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "a password that nobody else has"


def documented_line() -> list[str]:
    """The words of the documented `ACL SETUSER`, after it."""
    found = re.search(r"^ACL SETUSER (.+)$", (ROOT / "docs" / "operations" / "secure.md").read_text(), re.MULTILINE)
    assert found
    return found[1].split()


def test_every_command_of_the_scripts_is_in_the_line() -> None:
    allowed = {word[1:].upper() for word in documented_line() if word.startswith("+")}
    texts = {
        name: text
        for name, text in {**vars(scripts), **vars(prefixes), **vars(alert_store)}.items()
        if isinstance(text, str) and text.startswith("#!lua")
    }
    assert {"APPLY", "SETTLE", "JUDGE", "OPEN"} <= set(texts)
    for name, text in texts.items():
        called = set(re.findall(r"redis\.call\('(\w+)'", text))
        assert called <= allowed, f"{name}: add {called - allowed} to the line in docs/operations/secure.md"


@pytest.fixture
def restricted(installation: Installation) -> Iterator[Installation]:
    """An installation whose Redis user has the documented rights."""
    prefix = installation.settings.redis_prefix
    user, *words = (word.replace("{vigie}", "{" + prefix + "}") for word in documented_line())
    user = f"{user}-{prefix}"
    words = [">" + PASSWORD if word.startswith(">") else word for word in words]
    with redis.Redis.from_url(installation.settings.redis_url) as root:
        root.execute_command("ACL", "SETUSER", user, *words)
        given = {"VIGIE_REDIS_USERNAME": user, "VIGIE_REDIS_PASSWORD": PASSWORD}
        settings = installation.settings.model_dump() | {"redis_username": user, "redis_password": PASSWORD}
        yield Installation(Settings(**settings), installation.environment | given, installation.directory)
        root.execute_command("ACL", "DELUSER", user)


def get(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def vigie(installation: Installation, *words: str) -> str:
    done = run(installation.environment, *words)
    assert done.code == 0, done.said
    return done.stdout.decode()


def test_the_chain_runs_with_the_documented_rights(restricted: Installation) -> None:
    settings = restricted.settings
    vigie(restricted, "check")
    observer = subprocess.Popen([sys.executable, "-m", "streams", "serve"], env=restricted.environment)
    try:
        with workers(restricted.environment, restricted.directory, 1):
            with VisitPublisher(edges.kafka_address(settings), {"mbn": "x" * 16}, topic=settings.topic) as publisher:
                for number in range(20):
                    publisher.publish(
                        service="NOTES", uai="0541234Y", user_id=str(number), ts_ms=int(time.time() * 1000) - 120_000
                    )
            counted = 'ent_events_total{region="44",service="NOTES"} 20\n'
            wait_for("20 events on /metrics", lambda: counted in get(settings.observer_port, "/metrics"))
            status = orjson.loads(vigie(restricted, "status", "--json"))
            assert status["ready"], status["problems"]
            assert [orjson.loads(line)["events"] for line in vigie(restricted, "minutes", "--json").splitlines()] == [
                20
            ]
            vigie(restricted, "recount")
    finally:
        observer.terminate()
        observer.wait(15)
    reader = LiveKeeper(edges.redis_address(settings), settings.redis_prefix)
    assert reader.settle(1) >= 1
    assert reader.trim(1) == 0
    reader.close()


def test_the_user_can_touch_nothing_else(restricted: Installation) -> None:
    address = edges.redis_address(restricted.settings)
    with redis.Redis.from_url(address.url, **address.options()) as client:
        for command in (
            ("HGET", "other", "field"),
            ("HSET", "{vigie-of-others}:meta", "a", "b"),
            ("FLUSHALL",),
            ("KEYS", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
