"""`vigie up --verify` with everything real: killed at its start, started again, its processes killed, every figure right all the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.live import LiveReader
from streams.live.connection import RedisAddress
from streams.local.ports import free_ports, is_free
from tests.servers.commands import run

pytestmark = pytest.mark.servers

START_SECONDS_MAX = 90
#: From ready to the end of the traffic: all are killed at the beginning, and must count again before the end.
SECONDS = 20


class Up:
    """One `vigie up` on free ports, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stack_file = directory / "state" / "stack.json"
        self.ports = free_ports(9)
        self.environment = {**os.environ, "VIGIE_STACK_FILE": str(self.stack_file)}
        self.process = self._start()

    def argv(self, *more: str) -> list[str]:
        controller, kafka, redis, prometheus, alertmanager, observer, worker, _worker_1, collector = self.ports
        assert controller == kafka - 1
        chosen = {
            "--kafka-port": kafka,
            "--redis-port": redis,
            "--prometheus-port": prometheus,
            "--alertmanager-port": alertmanager,
            "--port": observer,
            "--worker-port": worker,
            "--collector-port": collector,
        }
        options = [text for name, port in chosen.items() for text in (name, str(port))]
        return [sys.executable, "-m", "streams", "up", "--data-dir", str(self.directory / "data"), *options, *more]

    def _start(self, *more: str) -> subprocess.Popen[bytes]:
        with (self.directory / "up.log").open("ab") as log:
            return subprocess.Popen(self.argv(*more), env=self.environment, stdout=log, stderr=subprocess.STDOUT)

    def start_again(self, *more: str) -> None:
        self.process.wait(timeout=10)
        self.process = self._start(*more)

    def record(self) -> dict[str, Any]:
        return orjson.loads(self.stack_file.read_bytes())

    def processes(self) -> list[dict[str, Any]]:
        return self.record()["processes"]

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        if not self.stack_file.exists() or self.record()["pid"] != self.process.pid:
            return False
        states = [process["state"] for process in self.processes()]
        return len(states) == 8 and set(states) == {"running"}

    def runs(self, role: str) -> bool:
        assert self.process.poll() is None, self.log()
        return self.stack_file.exists() and any(
            process["role"] == role and process["state"] == "running" for process in self.processes()
        )

    def begins(self, role: str) -> bool:
        assert self.process.poll() is None, self.log()
        return self.stack_file.exists() and any(process["role"] == role for process in self.processes())

    def counts(self) -> bool:
        reader = LiveReader(RedisAddress(f"redis://127.0.0.1:{self.ports[2]}/0"), "vigie")
        try:
            return bool(reader.snapshot().totals)
        finally:
            reader.close()

    def log(self) -> str:
        return (self.directory / "up.log").read_text()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "streams", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def left_behind(self) -> list[str]:
        """Ports, and processes that name our directory or listen for us."""
        left = [f"port {port}" for port in self.ports if not is_free(port)]
        needle = str(self.directory).encode()
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                try:
                    if needle in (process / "cmdline").read_bytes() or needle in (process / "environ").read_bytes():
                        left.append(f"process {process.name}")
                except OSError:
                    continue
        return left


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, what
        time.sleep(0.05)
    return time.monotonic() - begun


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.wait(timeout=10)


def test_every_figure_is_right_whatever_was_killed_and_nothing_is_left(stack):
    # kill -9 in the middle of its start: everything dies with it, and its record is no longer believed.
    until(lambda: stack.begins("kafka"), START_SECONDS_MAX, "Kafka")
    first_pids = {process["pid"] for process in stack.processes()}
    stack.process.kill()
    stack.process.wait(timeout=10)
    until(lambda: not stack.left_behind(), 5, "still there after kill -9")
    assert stack.stack_file.exists()

    # The next start works on the same data.
    stack.start_again("--scenario", "ordinary", "--scale", "0.02", "--seconds", str(SECONDS), "--verify")
    until(stack.ready, START_SECONDS_MAX, "the second start")
    victims = {process["role"]: process["pid"] for process in stack.processes() if process["role"] != "simulator"}
    assert not first_pids & set(victims.values())
    until(stack.counts, SECONDS, "the first event")

    # Whatever dies is back within 5 s. (The simulator is spared: with it dies what only it knows.)
    for pid in victims.values():
        os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        pids = {process["pid"] for process in stack.processes()}
        return None not in pids and not pids & set(victims.values())

    assert until(replaced, 10, "the restart of all") < 5
    assert sum(process["restarts"] for process in stack.processes()) >= len(victims)

    # A second one beside it is refused, with the pid of the first; other commands find it without options.
    second = stack.run(*stack.argv()[3:])
    assert second.returncode != 0
    assert f"pid {stack.process.pid} (" in second.stderr

    def lists_both() -> bool:
        status = run(stack.environment, "status", "--json").stdout
        # Empty where a server that has just begun does not answer in time.
        return [process["role"] for process in orjson.loads(status or b"{}").get("processes", [])].count("worker") == 2

    until(lists_both, 60, "two workers in vigie status")

    # It ends by itself, every figure agrees, and nothing is left.
    assert stack.process.wait(timeout=SECONDS + 120) == 0, stack.log()
    assert "every figure agrees" in stack.log()
    assert "killed because" not in stack.log()
    assert stack.left_behind() == []
    assert list(stack.stack_file.parent.iterdir()) == []
    assert not (stack.directory / "data" / "vigie.lock").exists()
