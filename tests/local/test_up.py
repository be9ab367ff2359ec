"""`vigie up` says what stands in its way before it starts or creates anything; signals ask it to stop."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from streams.local.ports import free_ports, locked_by_us
from streams.local.run import stop_requests


def up(directory: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "VIGIE_STACK_FILE": str(directory / "stack.json"), **environment}
    command = [sys.executable, "-m", "streams", "up", "--data-dir", str(directory / "data"), *options]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_taken_ports_are_one_clear_error_and_nothing_is_created(tmp_path):
    _controller, kafka, redis, prometheus, alertmanager, observer, worker, _other, collector = free_ports(9)
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
    with socket.create_server(("127.0.0.1", redis)), socket.create_server(("127.0.0.1", worker + 1)):
        done = up(tmp_path, *options)
    assert done.returncode == 3
    assert f"{redis} (Redis) is held by pid {os.getpid()}" in done.stderr
    assert f"{worker + 1} (worker 1) is held by pid {os.getpid()}" in done.stderr
    assert "2 port(s)" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_stack_that_runs_already_is_named(tmp_path):
    with locked_by_us(tmp_path / "stack.json.lock", "taken"):
        done = up(tmp_path)
    assert done.returncode == 3
    assert f"a local stack runs already (recorded in {tmp_path / 'stack.json'}): pid {os.getpid()} (" in done.stderr


def test_options_and_settings_that_cannot_be_are_clear_errors(tmp_path):
    assert "--verify needs --seconds" in up(tmp_path, "--verify").stderr
    assert "'rentrée' is not one of" in up(tmp_path, "--scenario", "rentrée").stderr
    secured = up(tmp_path, VIGIE_REDIS_PASSWORD="hush")
    assert secured.returncode == 2
    assert "redis_password" in secured.stderr
    assert "hush" not in secured.stderr


def test_signals_ask_once_for_a_clean_stop_and_twice_for_a_quick_one():
    before = signal.getsignal(signal.SIGTERM)
    with stop_requests() as requests:
        assert not requests.asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (requests.asked(), requests.hurried(), requests.terminal_gone) == (True, False, False)
        os.kill(os.getpid(), signal.SIGHUP)
        assert (requests.asked(), requests.hurried(), requests.terminal_gone) == (True, True, True)
    assert signal.getsignal(signal.SIGTERM) is before
