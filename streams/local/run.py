"""Run a local stack from its first server to its clean stop."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType

from streams.errors import ServerError
from streams.live import LiveReader
from streams.local.chain import ChainWatcher
from streams.local.ports import check_ports, locked_by_us
from streams.local.process import Program
from streams.local.screen import Screen, StackView
from streams.local.servers import alertmanager, kafka, prometheus, redis
from streams.local.stack import StackPlan, StackRecord, recorded_settings
from streams.local.supervisor import TICK_SECONDS, Supervisor
from streams.stack_record import read_stack, stack_file

#: What is stopped together, in order: nothing is written to what has stopped.
STOP_ORDER = (
    ("simulator",),
    ("collector",),
    ("worker",),
    ("observer",),
    ("prometheus", "alertmanager"),
    ("kafka",),
    ("redis",),
)

#: Waits while the stack is looked after; False when a stop was asked for meanwhile.
Pause = Callable[[float], bool]


@dataclass(slots=True)
class StopRequests:
    """How often a stop was asked for: once stops cleanly, twice hurries."""

    count: int = 0
    terminal_gone: bool = False

    def asked(self) -> bool:
        """Whether to stop."""
        return self.count > 0

    def hurried(self) -> bool:
        """Whether to stop without waiting."""
        return self.count > 1

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Signal handler."""
        self.count += 1
        self.terminal_gone = self.terminal_gone or number == signal.SIGHUP


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into requests for a clean stop."""
    requests = StopRequests()
    before = {number: signal.signal(number, requests.note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class Hooks:
    """What the command adds: `ensure_topics` once Kafka is up; `at_end` after `--seconds`, its result is the exit code."""

    ensure_topics: Callable[[], None]
    reader: Callable[[], LiveReader]
    at_end: Callable[[Pause, Callable[[str], None]], int] | None = None


@dataclass(slots=True)
class Stack:
    """One run of a stack; construct and run it in the main thread."""

    plan: StackPlan
    hooks: Hooks
    screen: Screen
    requests: StopRequests
    record: StackRecord
    _supervisor: Supervisor = field(init=False)
    _ready_at: float = 0.0

    def __post_init__(self) -> None:
        assert threading.current_thread() is threading.main_thread(), "children die with the thread that starts them"
        self._supervisor = Supervisor(self.record.write)

    def run(self) -> int:
        """Start everything, look after it until asked to stop or the time is over, stop everything; return the exit code."""
        watcher: ChainWatcher | None = None
        try:
            self._start_servers()
            watcher = ChainWatcher(self.hooks.reader())
            self._start_processes()
            self._ready_at = time.monotonic()
            until = self._ready_at + (math.inf if self.plan.seconds is None else self.plan.seconds)
            self.screen.start()
            while not self.requests.asked() and time.monotonic() < until:
                self._turn(watcher)
            self.screen.stop()
            return self._end(watcher)
        finally:
            self.screen.stop()
            self._stop(watcher)

    def _start_servers(self) -> None:
        plan = self.plan
        self._start("Redis, Prometheus, Alertmanager", lambda: [
            redis(plan.data_dir, plan.ports.redis),
            alertmanager(plan.data_dir, plan.ports.alertmanager, plan.receivers()),
            prometheus(plan.data_dir, plan.scraped()),
        ])  # fmt: skip
        self._start("Kafka", lambda: [kafka(plan.data_dir, plan.ports.kafka, plan.kafka_controller_port)])
        if not self.requests.asked():
            self.hooks.ensure_topics()

    def _start_processes(self) -> None:
        plan = self.plan
        self._start(
            f"observer, collector and {plan.workers} workers",
            lambda: [plan.observer(), plan.collector(), *plan.worker_programs()],
        )
        if plan.simulator:
            self._start("traffic", lambda: [plan.simulator_program()])

    def _start(self, what: str, programs: Callable[[], Sequence[Program]]) -> None:
        if self.requests.asked():
            return
        begun = time.monotonic()
        self.screen.say(f"starting {what} ...")
        self._supervisor.start(programs(), lambda: not self.requests.asked())
        if not self.requests.asked():
            self.screen.say(f"  ready after {time.monotonic() - begun:.1f} s")

    def _turn(self, watcher: ChainWatcher) -> None:
        self._supervisor.tick()
        up = time.monotonic() - self._ready_at
        self.screen.show(
            StackView(
                chain=watcher.latest,
                problem=watcher.problem,
                processes=self._supervisor.statuses(),
                shift_seconds=self.plan.settings.calendar_shift_seconds,
                clock=time.time(),
                up_seconds=up,
                left_seconds=None if self.plan.seconds is None else self.plan.seconds - up,
            )
        )
        time.sleep(TICK_SECONDS)

    def _end(self, watcher: ChainWatcher) -> int:
        """After `--seconds`: stop the traffic, then let the command look at the figures while everything else still runs."""
        if self.requests.asked() or self.hooks.at_end is None:
            return 0
        self.screen.say("stopping the traffic ...")
        if self._supervisor.stop(("simulator",), self.requests.hurried):
            raise ServerError(
                "the simulator did not stop in its time, its truth is not written; see its log, try again"
            )

        def pause(seconds: float) -> bool:
            until = time.monotonic() + seconds
            while time.monotonic() < until and not self.requests.asked():
                self._turn(watcher)
            return not self.requests.asked()

        return self.hooks.at_end(pause, self.screen.say)

    def _stop(self, watcher: ChainWatcher | None) -> None:
        if self.requests.terminal_gone:
            self.screen.leave()
        self.screen.say("stopping ...")
        begun = time.monotonic()
        killed = [name for roles in STOP_ORDER for name in self._supervisor.stop(roles, self.requests.hurried)]
        if watcher:
            watcher.close()
        self.record.remove()
        note = f"; killed because they did not end in their time: {', '.join(killed)}" if killed else ""
        self.screen.say(
            f"stopped after {time.monotonic() - begun:.1f} s{note}; data and logs are in {self.plan.data_dir}"
        )


def run_stack(plan: StackPlan, hooks: Hooks, screen: Screen) -> int:
    """Run the stack until it is asked to stop; return the exit code.

    Raises:
        ServerError: another stack runs, a port is taken, a server is missing or does not start.
    """
    path = stack_file()
    with ExitStack() as stack:
        requests = stack.enter_context(stop_requests())
        stack.enter_context(
            locked_by_us(path.with_name(path.name + ".lock"), f"a local stack runs already (recorded in {path})")
        )
        if record := read_stack():
            raise ServerError(f"a local stack runs already (recorded in {path}): pid {record['pid']}; stop it first")
        check_ports(plan.port_uses())  # before anything is created in the data directory
        stack.enter_context(locked_by_us(plan.data_dir / "vigie.lock", f"a stack runs on {plan.data_dir} already"))
        written = StackRecord(path, plan.data_dir, recorded_settings(plan.settings), time.time())
        return Stack(plan, hooks, screen, requests, written).run()
