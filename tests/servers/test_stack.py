"""`vigie up` with everything real: killed outright, started again on the same data, its children killed, stopped cleanly."""

from __future__ import annotations

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

from streams.local.ports import free_ports, is_free

pytestmark = pytest.mark.servers

START_SECONDS_MAX = 90


class Up:
    """One `vigie up --scenario none` on free ports, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stack_file = directory / "state" / "stack.json"
        self.ports = free_ports(8)
        self.environment = {**os.environ, "VIGIE_STACK_FILE": str(self.stack_file)}
        self.process = self._start()

    def argv(self, *more: str) -> list[str]:
        controller, kafka, redis, prometheus, alertmanager, observer, worker, _worker_1 = self.ports
        assert controller == kafka - 1
        chosen = {
            "--kafka-port": kafka,
            "--redis-port": redis,
            "--prometheus-port": prometheus,
            "--alertmanager-port": alertmanager,
            "--port": observer,
            "--worker-port": worker,
        }
        options = [text for name, port in chosen.items() for text in (name, str(port))]
        return [sys.executable, "-m", "streams", "up", "--data-dir", str(self.directory / "data"), *options, *more]

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.directory / "up.log").open("ab") as log:
            return subprocess.Popen(self.argv(), env=self.environment, stdout=log, stderr=subprocess.STDOUT)

    def start_again(self) -> None:
        self.process.wait(timeout=10)
        self.process = self._start()

    def record(self) -> dict[str, Any]:
        return orjson.loads(self.stack_file.read_bytes())

    def processes(self) -> list[dict[str, Any]]:
        return self.record()["processes"]

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        if not self.stack_file.exists() or self.record()["pid"] != self.process.pid:
            return False
        states = [process["state"] for process in self.processes()]
        return len(states) == 7 and set(states) == {"running"}

    def log(self) -> str:
        return (self.directory / "up.log").read_text()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "streams", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

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


def test_killed_started_again_children_killed_stopped(stack):
    until(stack.ready, START_SECONDS_MAX, "the first start")
    first_pids = {process["pid"] for process in stack.processes()}

    # A second one beside it is refused, with the pid of the first.
    second = subprocess.run(
        stack.argv(), env=stack.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode != 0
    assert f"pid {stack.process.pid} (" in second.stderr

    # kill -9: everything dies with it, the next start works on the same data.
    stack.process.kill()
    stack.process.wait(timeout=10)
    until(lambda: not stack.left_behind(), 5, f"still there: {stack.left_behind()}")
    assert stack.stack_file.exists()
    stack.start_again()
    until(stack.ready, START_SECONDS_MAX, "the second start")
    assert not first_pids & {process["pid"] for process in stack.processes()}

    # Other commands find it without options.
    status = stack.run("status", "--json")
    assert status.returncode == 0, status.stderr
    listed = orjson.loads(status.stdout)["processes"]
    assert [process["role"] for process in listed].count("worker") == 2

    # Whatever dies is back within 5 s.
    victims = {process["role"]: process["pid"] for process in stack.processes()}
    for pid in victims.values():
        os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        pids = {process["pid"] for process in stack.processes()}
        return None not in pids and not pids & set(victims.values())

    assert until(replaced, 10, "the restart of all") < 5
    assert sum(process["restarts"] for process in stack.processes()) >= len(victims)
    until(stack.ready, 60, "all ready again")

    # A clean stop leaves nothing.
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(timeout=60) == 0, stack.log()
    assert stack.left_behind() == []
    assert list(stack.stack_file.parent.iterdir()) == []
    assert not (stack.directory / "data" / "vigie.lock").exists()
    assert "killed because" not in stack.log()
