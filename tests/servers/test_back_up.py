"""The drill: Redis and the archive are backed up under load, lost, put back, and begun anew, by the commands of docs/operations/."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.catalog import Catalog
from streams.count import Cut
from streams.history.archive import Archive
from streams.history.day_columns import CutName, minute_events
from streams.settings import Settings
from tests.servers.conftest import Installation
from tests.servers.observers import Place, observing
from tests.servers.own_servers import RedisHandle, on_own_redis
from tests.servers.supervised import Supervised
from tests.servers.test_outages import counting, nothing_is_lost, traffic_to
from tests.servers.truth import differences, snapshot_of, total, wait_drained
from tests.servers.workers import reader_of
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.long]
PAGES = Path(__file__).parents[2] / "docs" / "operations"


def commands_of(page: str, *words: str) -> list[str]:
    """The lines of the one block of commands on that page that holds all these words."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if all(word in block for word in words)]
    return [line.partition(" #")[0].strip() for line in found.splitlines()]


#: Commands of the pages that need what is not there: another stack, an incident or a rejected event of that name.
ELSEWHERE = ("vigie up ", "vigie alerts ack ", "vigie rejects show ")


def looks() -> list[str]:
    """The commands of the pages by which somebody looks, without their comments."""
    pages = "".join((PAGES / page).read_text() for page in ("watch.md", "size.md"))
    blocks = re.findall(r"^```sh\n(.*?)^```", pages, re.MULTILINE | re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    found = [line for line in lines if line.startswith("vigie ") and not line.startswith(ELSEWHERE)]
    assert len(found) > 8, found
    return found


class Machine:
    """Where documented commands are run: its Redis and its archive are a test's."""

    def __init__(self, directory: Path, handle: RedisHandle, archive: Path, prefix: str) -> None:
        self._directory, self._handle, self._archive, self._prefix = directory, handle, archive, prefix
        self.services: dict[str, Callable[[], None]] = {
            "stop redis-server": handle.kill,
            "start redis-server": handle.start,
            "stop vigie-observer": lambda: None,  # the test's own, which has ended
            "start vigie-observer": lambda: None,
        }

    def run(self, commands: list[str]) -> None:
        for command in commands:
            if command.startswith("systemctl "):
                self.services[command.removeprefix("systemctl ")]()
                continue
            for shown, own in (
                ("redis-cli", f"redis-cli -p {self._handle.port}"),
                ("/var/lib/redis", str(self._handle.data)),
                ("/var/lib/vigie", str(self._archive)),
                ("{vigie}", "{" + self._prefix + "}"),
            ):
                command = command.replace(shown, own)
            subprocess.run(["bash", "-ec", command], cwd=self._directory, check=True, capture_output=True, timeout=120)


def archived(archive: Path) -> dict[int, int]:
    """Events by epoch minute, of all days' files."""
    found: dict[int, int] = {}
    store = Archive(archive)
    for day in store.dates():
        if (reader := store.open(day)) is not None:
            with reader:
                found |= minute_events(reader.rows(CutName.REGION))
    return found


def over(settings: Settings) -> dict[int, int]:
    """Events by epoch minute of the hours that are over, as Redis has them."""
    reader = reader_of(settings)
    try:
        now_minute = reader.snapshot().now_ms // 60_000
        minutes = reader.minutes(None, now_minute // 60 * 60)
    finally:
        reader.close()
    return {each.minute: sum(n for key, n in each.counts.items() if key[0] == Cut.EVENTS) for each in minutes}


def test_redis_and_archive_are_restored_under_load(installation: Installation, catalog: Catalog) -> None:
    archive = installation.directory / "archive"
    with on_own_redis(installation) as (own, handle):
        machine = Machine(installation.directory, handle, archive, own.settings.redis_prefix)
        place = Place(own.settings.redis_url, own.settings.redis_prefix, installation.directory, archive_dir=archive)
        with Supervised(own.environment, own.directory, 2) as group:
            traffic = traffic_to(own, catalog)
            traffic.begin(300)
            with observing(place):
                wait_for("counting", counting(own, 1500))
                wait_for("hours are archived", lambda: archive.is_dir() and bool(archived(archive)))
                machine.run(commands_of("back-up.md", "appendonlydir"))
                at = total(snapshot_of(own.settings), Cut.EVENTS)
                machine.run(commands_of("back-up.md", "/var/lib/vigie"))
                wait_for("counting goes on", counting(own, at + 900))
                machine.run(commands_of("recover.md", "redis-server"))
                wait_for("counting goes on from the copy", counting(own, at + 1800))
            shutil.rmtree(archive)
            machine.run(commands_of("recover.md", "vigie-observer"))
            assert archived(archive)
            nothing_is_lost(group, traffic, own, catalog)
            with observing(place):
                wait_for("the archive is whole again", lambda: archived(archive) == over(own.settings), 60)
            for command in (*commands_of("recover.md", "vigie recount"), *looks()):
                words = [sys.executable, "-m", "streams", *shlex.split(command)[1:]]
                done = subprocess.run(words, env=own.environment, capture_output=True, text=True, timeout=120)
                assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        machine.run(commands_of("recover.md", "--scan"))
        assert snapshot_of(own.settings).layout is None
        with Supervised(own.environment, own.directory, 2):
            wait_drained(own.settings, 180)
        assert not (rows := differences(own.settings, catalog)), "\n".join(rows)
