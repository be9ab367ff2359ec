"""Keeps programs running: one that died is started again, however often; all are stopped in order.

Everything happens in the caller's (main) thread: `Process` ties a child's life to the thread that starts it.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.errors import NameTaken, ServerError
from streams.local.process import Process, Program, describe_exit, log_tail, not_ready

TICK_SECONDS = 0.1
#: From the death of a program to its next start; the longer one for a program that did not live `SHORT_LIFE_SECONDS`. Both well under
#: the 5 s within which a program is back.
RESTART_SECONDS = 0.2
RESTART_SECONDS_AFTER_SHORT_LIFE = 1.5
SHORT_LIFE_SECONDS = 10.0
#: The same for a worker whose name another one has: only a person can change that.
RESTART_SECONDS_NAME_TAKEN = 60.0
_READY_LOOK_SECONDS = 0.25


class State(StrEnum):
    """What a program is doing."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"  # it died; `pid` is None until it is started again
    ENDED = "ended"  # it had an end of its own and reached it
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One line of the stack's record. `started_at` is in epoch seconds."""

    role: str
    slot: int | None
    pid: int | None
    state: State
    port: int | None
    restarts: int
    started_at: float
    last_exit: str | None

    @property
    def name(self) -> str:
        """The role, with the slot where there are several."""
        return self.role if self.slot is None else f"{self.role} {self.slot}"


class Child:
    """One program and its present process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.restarts = 0
        self.state = State.STARTING
        self.last_exit: str | None = None
        self.process: Process | None = Process(program)
        self._started = time.monotonic()
        self._next_start = 0.0
        self._next_look = 0.0

    def status(self) -> ProcessStatus:
        """Where it stands."""
        program, process = self.program, self.process
        return ProcessStatus(
            role=program.role,
            slot=program.slot,
            pid=process.pid if process else None,
            state=self.state,
            port=program.port,
            restarts=self.restarts,
            started_at=process.started_at if process else 0.0,
            last_exit=self.last_exit,
        )

    def tick(self) -> None:
        """Look after it: notice its end, start it again, notice that it is ready."""
        now = time.monotonic()
        if self.state in (State.ENDED, State.STOPPING, State.STOPPED):
            return
        if self.process is None:
            if now >= self._next_start:
                self._start_again()
        elif (code := self.process.exit_code) is not None:
            self._note_end(code, now)
        elif self.state != State.RUNNING and now >= self._next_look:
            self._next_look = now + _READY_LOOK_SECONDS
            if self.program.ready():
                self.state = State.RUNNING

    def _note_end(self, code: int, now: float) -> None:
        self.last_exit = describe_exit(code)
        self.process = None
        if code == 0 and self.program.may_end:
            self.state = State.ENDED
        else:
            pause = RESTART_SECONDS_AFTER_SHORT_LIFE if now - self._started < SHORT_LIFE_SECONDS else RESTART_SECONDS
            self._next_start = now + (RESTART_SECONDS_NAME_TAKEN if code == NameTaken.exit_code else pause)
            self.state = State.RESTARTING

    def _start_again(self) -> None:
        try:
            self.process = Process(self.program)
        except OSError:  # no memory or no process left on the machine: again at the next turn
            self._next_start = time.monotonic() + RESTART_SECONDS_AFTER_SHORT_LIFE
            return
        self._started = time.monotonic()
        self.restarts += 1
        self.state = State.STARTING


class Supervisor:
    """The children of a stack, in the order of their start. `on_change` is called after every change of any status."""

    def __init__(self, on_change: Callable[[Sequence[ProcessStatus]], None]) -> None:
        self._children: list[Child] = []
        self._on_change = on_change
        self._reported: tuple[ProcessStatus, ...] = ()

    def statuses(self) -> tuple[ProcessStatus, ...]:
        """Where every child stands."""
        return tuple(child.status() for child in self._children)

    def start(self, programs: Iterable[Program], keep_on: Callable[[], bool]) -> None:
        """Start programs together and wait until all are ready, or until `keep_on` says no.

        Raises:
            ServerError: one ended, or was not ready in its time; with the last lines of its log.
        """
        fresh = []
        for program in programs:  # one by one: those that run are looked after where a later one cannot be started
            fresh.append(Child(program))
            self._children.append(fresh[-1])
        self._report()
        begun = time.monotonic()
        while keep_on() and not all(child.state in (State.RUNNING, State.ENDED) for child in fresh):
            for child in fresh:
                _check_start(child, time.monotonic() - begun)
            self.tick()
            time.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Look after every child once."""
        for child in self._children:
            child.tick()
        self._report()

    def stop(self, roles: Collection[str], hurry: Callable[[], bool]) -> list[str]:
        """Stop the children of these roles together, each within its bound; return the names of those that had to be killed."""
        of_roles = [child for child in self._children if child.program.role in roles]
        running = [(child, process) for child in of_roles if (process := child.process) is not None]
        for child, process in running:
            child.state = State.STOPPING
            process.ask_to_stop()
        self._report()
        begun = time.monotonic()
        killed = []
        while running:
            for child, process in running.copy():
                ended = process.exit_code is not None
                if ended or time.monotonic() - begun > child.program.stop_seconds_max or hurry():
                    running.remove((child, process))
                    killed += [] if ended else [child.program.name]
                    process.kill()  # also what is left of its session
                    child.process, child.state = None, State.STOPPED
            self._report()
            time.sleep(TICK_SECONDS / 2)
        for child in of_roles:
            child.state = State.STOPPED
        self._report()
        return killed

    def _report(self) -> None:
        if (statuses := self.statuses()) != self._reported:
            self._reported = statuses
            self._on_change(statuses)


def _check_start(child: Child, seconds: float) -> None:
    program = child.program
    if child.state == State.RESTARTING:
        raise ServerError(f"{program.name} ended with {child.last_exit} at its start\n{log_tail(program)}")
    if child.state == State.STARTING and seconds > program.ready_seconds_max:
        raise not_ready(program)
