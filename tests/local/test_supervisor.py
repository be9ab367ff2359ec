"""The supervisor with small real programs: restarts, clean stops, and nothing that outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from streams.errors import ServerError
from streams.local.process import Process, Program
from streams.local.supervisor import ProcessStatus, State, Supervisor

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
)


def never() -> bool:
    return False


def always() -> bool:
    return True


def program(tmp_path: Path, *argv: str, role: str = "worker", **more) -> Program:
    return Program(role=role, argv=argv, directory=tmp_path, log_file=tmp_path / "log" / f"{role}.log", **more)


def sleeper(tmp_path: Path, role: str = "worker", **more) -> Program:
    return program(tmp_path, "sleep", "60", role=role, **more)


def until(condition: Callable[[], bool], supervisor: Supervisor, seconds: float = 5.0) -> float:
    """Tick until the condition holds; return how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "not in time"
        supervisor.tick()
        time.sleep(0.02)
    return time.monotonic() - begun


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def reports() -> list[tuple[ProcessStatus, ...]]:
    return []


@pytest.fixture
def supervisor(reports):
    made = Supervisor(lambda statuses: reports.append(tuple(statuses)))
    yield made
    made.stop([status.role for status in made.statuses()], always)


def test_a_worker_whose_name_is_taken_is_not_started_again_at_once(tmp_path, supervisor, monkeypatch):
    monkeypatch.setattr("streams.local.supervisor.SHORT_LIFE_SECONDS", 0.0)
    supervisor.start([program(tmp_path, "sh", "-c", "sleep 1; exit 6", ready=always)], always)
    until(lambda: supervisor.statuses()[0].state == State.RESTARTING, supervisor)
    assert supervisor.statuses()[0].last_exit == "exit code 6"
    began = time.monotonic()
    while time.monotonic() - began < 2.0:
        supervisor.tick()
        time.sleep(0.02)
    assert (supervisor.statuses()[0].restarts, supervisor.statuses()[0].pid) == (0, None)


def test_a_program_that_dies_is_back_within_five_seconds_however_often(tmp_path, supervisor, reports):
    def is_gone(pid: int) -> bool:
        return supervisor.statuses()[0].pid != pid

    supervisor.start([sleeper(tmp_path)], always)
    seen = set()
    for death in range(1, 4):
        pid = supervisor.statuses()[0].pid
        assert pid is not None
        seen.add(pid)
        os.kill(pid, signal.SIGKILL)
        until(partial(is_gone, pid), supervisor)
        assert supervisor.statuses()[0].pid is None  # nobody is told a pid that is gone
        took = until(lambda: supervisor.statuses()[0].state == State.RUNNING, supervisor)
        assert took < 5
        assert supervisor.statuses()[0].restarts == death
        assert supervisor.statuses()[0].last_exit == "signal SIGKILL"
    assert len(seen) == 3
    assert [status.state for (status,) in reports][:3] == [State.STARTING, State.RUNNING, State.RESTARTING]


def test_every_change_is_reported_once(tmp_path, supervisor, reports):
    supervisor.start([sleeper(tmp_path)], always)
    before = len(reports)
    for _ in range(5):
        supervisor.tick()
    assert len(reports) == before


def test_a_program_that_ends_at_its_start_is_a_clear_error(tmp_path, supervisor):
    with pytest.raises(ServerError) as caught:
        supervisor.start([program(tmp_path, "sh", "-c", "echo no such disk >&2; exit 7", ready=never)], always)
    assert "worker ended with exit code 7 at its start" in str(caught.value)
    assert "| no such disk" in str(caught.value)


def test_a_program_that_is_never_ready_is_a_clear_error(tmp_path, supervisor):
    with pytest.raises(ServerError, match="worker was not ready after 0 s"):
        supervisor.start([sleeper(tmp_path, ready=never, ready_seconds_max=0.3)], always)


def test_a_start_is_given_up_when_a_stop_is_asked_for(tmp_path, supervisor):
    looks = iter([True, True, False])
    supervisor.start([sleeper(tmp_path, ready=never)], lambda: next(looks))
    assert supervisor.statuses()[0].state == State.STARTING


def test_a_program_with_an_end_of_its_own_is_not_started_again(tmp_path, supervisor):
    supervisor.start([program(tmp_path, "true", role="simulator", may_end=True, ready=never)], always)
    assert supervisor.statuses()[0].state == State.ENDED
    time.sleep(0.3)
    supervisor.tick()
    assert supervisor.statuses()[0].pid is None
    assert supervisor.statuses()[0].restarts == 0


def test_a_simulator_that_fails_is_started_again(tmp_path, supervisor):
    script = "test -e went && sleep 60; touch went; sleep 0.3; exit 1"
    supervisor.start([program(tmp_path, "sh", "-c", script, role="simulator", may_end=True)], always)
    until(lambda: supervisor.statuses()[0].restarts == 1, supervisor)
    assert supervisor.statuses()[0].last_exit == "exit code 1"


def test_roles_stop_apart_and_what_stopped_stays_so(tmp_path, supervisor):
    supervisor.start([sleeper(tmp_path), sleeper(tmp_path, role="redis")], always)
    assert supervisor.stop(["worker"], never) == []
    supervisor.tick()
    worker, redis = supervisor.statuses()
    assert (worker.state, worker.pid) == (State.STOPPED, None)
    assert redis.state == State.RUNNING


def test_a_program_that_ignores_sigterm_is_killed_after_its_bound(tmp_path, supervisor):
    stubborn = program(
        tmp_path, sys.executable, "-c", STUBBORN, stop_seconds_max=0.3, ready=lambda: "here" in log(tmp_path)
    )
    supervisor.start([stubborn], always)
    pid = supervisor.statuses()[0].pid
    assert supervisor.stop(["worker"], never) == ["worker"]
    assert not alive(pid)


def log(tmp_path: Path) -> str:
    return (tmp_path / "log" / "worker.log").read_text()


def test_a_hurried_stop_does_not_wait(tmp_path, supervisor):
    stubborn = program(
        tmp_path, sys.executable, "-c", STUBBORN, stop_seconds_max=30, ready=lambda: "here" in log(tmp_path)
    )
    supervisor.start([stubborn], always)
    begun = time.monotonic()
    supervisor.stop(["worker"], always)
    assert time.monotonic() - begun < 5


def test_children_have_a_session_of_their_own(tmp_path, supervisor):
    """A Ctrl-C at the terminal goes to its foreground process group: they must not be in it."""
    supervisor.start([sleeper(tmp_path)], always)
    pid = supervisor.statuses()[0].pid
    assert os.getsid(pid) == pid != os.getsid(0)


def test_what_a_program_started_dies_with_it_when_it_is_killed(tmp_path, supervisor):
    script = f"trap '' TERM; {sys.executable} -c 'import time; time.sleep(60)' & echo $! > grandchild; wait"
    supervisor.start(
        [program(tmp_path, "sh", "-c", script, stop_seconds_max=0.2, ready=(tmp_path / "grandchild").exists)], always
    )
    until(lambda: (tmp_path / "grandchild").read_text().strip() != "", supervisor)
    grandchild = int((tmp_path / "grandchild").read_text())
    assert alive(grandchild)
    supervisor.stop(["worker"], never)
    deadline = time.monotonic() + 5
    while alive(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(grandchild)


LEAVES = "{python} -c 'import time; time.sleep(60)' & echo $! > grandchild; "
IN_A_SESSION_OF_ITS_OWN = "setsid {python} -c 'import time; time.sleep(60)' & echo $! > grandchild; "


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        (LEAVES + "sleep 0.5", "by itself"),
        (LEAVES + "trap 'exit 0' TERM; wait", "stopped"),
        (LEAVES + "sleep 60", "killed"),
        (LEAVES + "sleep 60", "killed from outside"),
        (IN_A_SESSION_OF_ITS_OWN + "trap '' TERM; while true; do sleep 1; done", "killed"),
    ],
)
def test_nothing_that_a_program_started_outlives_it_however_it_ends(tmp_path, script, ended):
    process = Process(program(tmp_path, "sh", "-c", script.format(python=sys.executable), stop_seconds_max=10))
    path, deadline = tmp_path / "grandchild", time.monotonic() + 20
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    grandchild = int(path.read_text())
    assert alive(grandchild)
    if ended == "stopped":
        assert process.stop(), "it ended by itself within its bound"
    elif ended == "killed":
        process.kill()
    elif ended == "killed from outside":
        os.kill(process.pid, signal.SIGKILL)
    while process.exit_code is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not alive(grandchild)


def until_there(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_nothing_outlives_a_killed_supervisor(tmp_path):
    """Neither its programs nor what they started."""
    code = f"""
import sys, time
from pathlib import Path
from streams.local.process import Process, Program
from streams.local.supervisor import Supervisor
here = Path({str(tmp_path)!r})
supervisor = Supervisor(lambda statuses: None)
stubborn = Program("worker", (sys.executable, "-c", {STUBBORN!r}), here, here / "log" / "worker.log")
starts = ("sh", "-c", "sleep 60 & echo $! > new && mv new grandchild; wait")
supervisor.start([stubborn, Program("redis", starts, here, here / "redis.log")], lambda: True)
print(*[status.pid for status in supervisor.statuses()], flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        grandchild = tmp_path / "grandchild"
        until_there(grandchild)
        pids.append(int(grandchild.read_text()))
        assert all(alive(pid) for pid in pids)
        parent.kill()
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in pids)
