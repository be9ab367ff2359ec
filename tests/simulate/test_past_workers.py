"""The processes that write a simulated past end with the command, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.history.archive import Archive
from tests.history.days_made import file_of
from tests.waiting import wait_until


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_processes_end_with_the_command(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "streams", "simulate", "--years", "2", "--archive", str(tmp_path / "past")]
    # Tests that run in the background of a shell ignore SIGINT, and so would their children.
    parent = subprocess.Popen(
        [*command, "--scale", "0.001"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    workers: list[int] = []
    try:
        wait_until(lambda: list(tmp_path.glob("past/*/*.parquet")))
        workers = children(parent.pid)
        assert workers
        if how is signal.SIGINT:
            os.killpg(parent.pid, how)  # as a terminal does
        else:
            parent.send_signal(how)
        assert parent.wait(20) == (130 if how is signal.SIGINT else -how)
        wait_until(lambda: not any(map(is_running, workers)))
    finally:
        for pid in [parent.pid, *workers]:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)
        parent.wait(20)
    # Every file that is there is whole.
    archive = Archive(tmp_path / "past")
    for day in archive.dates():
        with file_of(archive, day) as file:
            assert file.day().hours
