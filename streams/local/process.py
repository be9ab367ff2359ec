"""One child process: where its program is, how it is started, when it is ready, how it ends. Never outlives the thread that started it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.errors import ServerError
from streams.local.leash import kill_session
from streams.settings import deploy_dir

#: Debian keeps servers here, and an ordinary user's PATH does not name it.
_SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
#: What a local stack needs of the system; Maven only where Kafka's jars are not in the cache yet.
PROGRAMS = ("java", "redis-server", "prometheus", "prometheus-alertmanager")


def find_program(name: str) -> str:
    """Return the path of a program.

    Raises:
        ServerError: it is not installed; the message says which command installs it.
    """
    if (found := _which(name)) is None:
        raise _missing([name])
    return found


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=":".join(_SYSTEM_PATHS))


def _missing(names: list[str]) -> ServerError:
    return ServerError(
        f"not installed: {', '.join(names)}. Install the servers of the local stack (as root or with sudo): "
        f"{deploy_dir() / 'install-servers.sh'}"
    )


def check_programs(also: tuple[str, ...] = ()) -> None:
    """Make sure that all servers, and the programs named, are installed.

    Raises:
        ServerError: naming all that are missing at once, and the command that installs them.
    """
    if missing := [name for name in (*PROGRAMS, *also) if _which(name) is None]:
        raise _missing(missing)


_LEASH = Path(__file__).with_name("leash.py")
_POLL_SECONDS = 0.05
#: A log larger than this at a start is moved aside to `<name>.1`, so that logs stay bounded over restarts.
LOG_BYTES_MAX = 20_000_000
_TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `ready` is one quick look that returns False rather than raising; times are bounds in seconds.

    `may_end`: the program has an end of its own (exit code 0), after which it is not started again.
    """

    role: str
    argv: tuple[str, ...]
    directory: Path
    log_file: Path
    port: int | None = None
    slot: int | None = None
    ready: Callable[[], bool] = lambda: True
    ready_seconds_max: float = 120.0
    stop_seconds_max: float = 15.0
    may_end: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The role, with the slot where there are several."""
        return self.role if self.slot is None else f"{self.role} {self.slot}"


class Process:
    """A running program, in a session of its own: a terminal's Ctrl-C does not reach it.

    The kernel kills it when the thread that called the constructor ends: construct it in the main thread.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.started_at = time.time()
        program.log_file.parent.mkdir(parents=True, exist_ok=True)
        if program.log_file.exists() and program.log_file.stat().st_size > LOG_BYTES_MAX:
            program.log_file.replace(program.log_file.with_name(program.log_file.name + ".1"))
        with program.log_file.open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), *program.argv],
                cwd=program.directory,
                env={**os.environ, **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id; the program keeps that of the starter which it replaces."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it. What it left running is killed with its end."""
        # Until it is waited for, nobody else gets its number, which is that of its session.
        if self._popen.returncode is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            kill_session(self.pid)
        return self._popen.poll()

    def wait_ready(self) -> None:
        """Wait until the program is ready.

        Raises:
            ServerError: it ended, or was not ready in its time; with the last lines of its log.
        """
        deadline = time.monotonic() + self.program.ready_seconds_max
        while True:
            if (code := self.exit_code) is not None:
                raise ServerError(
                    f"{self.program.name} ended with {describe_exit(code)} at its start\n{log_tail(self.program)}"
                )
            if self.program.ready():
                return
            if time.monotonic() > deadline:
                raise not_ready(self.program)
            time.sleep(_POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Send SIGTERM; no wait."""
        if self.exit_code is None:
            self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the program and whatever it started; wait for its end."""
        if self.exit_code is None:
            kill_session(self.pid)
        self._popen.wait(timeout=10)

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Stop it: SIGTERM, then SIGKILL after its bound or when `hurry` says so. Return whether it ended by itself."""
        self.ask_to_stop()
        deadline = time.monotonic() + self.program.stop_seconds_max
        while self.exit_code is None and time.monotonic() < deadline and not hurry():
            time.sleep(_POLL_SECONDS)
        ended = self.exit_code is not None
        self.kill()
        return ended


def not_ready(program: Program) -> ServerError:
    """What is said of a program that took too long to start."""
    return ServerError(
        f"{program.name} was not ready after {program.ready_seconds_max:.0f} s: its log may say why; else run the same command again once "
        f"this machine does less\n{log_tail(program)}"
    )


def log_tail(program: Program) -> str:
    """Where its log is, and its last lines."""
    try:
        lines = program.log_file.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    except OSError:
        lines = []
    ends = "it ends with:" if lines else "it is empty"
    return "\n".join([f"Its log is {program.log_file}; {ends}", *(f"  | {line[:300]}" for line in lines)])


def describe_exit(code: int) -> str:
    """`exit code 1`, or `signal SIGKILL`."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
