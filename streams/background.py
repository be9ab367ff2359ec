"""One loop for every thread that does the same thing again and again: none of them ends, fails or hangs without a word.

A round that fails is tried again after a bounded pause, as often as it takes. A failure that was to be expected (a server that is down) is
logged once, until it is over. A failure that nobody foresaw is a defect of Vigie. It is counted, and logged with its traceback, once for
each place it comes from. The loop then goes on. Where going on would be a lie, it gives up after so many defects in a row. Either way
`problem` and `defect` say so.
"""

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from streams.errors import VigieError

logger = logging.getLogger(__name__)

#: What an action returns that has nothing to do until somebody calls `wake`.
REST = math.inf
#: Failures in a row after which the pause is the longest one: a server that restarts is seen at once, one that is gone is not asked often.
QUICK_RETRIES_MAX = 60
#: A round that takes longer than its period leaves this much to the others.
PAUSE_SECONDS_MIN = 0.05


@dataclass(frozen=True, slots=True)
class LoopRules:
    """How one loop goes.

    `failing` and `working` are what the log says, once, where rounds begin to fail ("minutes are not settled") and work again. `expected`
    are the errors that are no defect. A call that has not ended after `hung_seconds` hangs. After `defects_max` defects in a row the loop
    gives up; None: never.
    """

    name: str
    period_seconds: float
    failing: str
    working: str
    retry_seconds: float = 1.0
    retry_seconds_max: float = 5.0
    expected: tuple[type[Exception], ...] = (VigieError,)
    hung_seconds: float = math.inf
    defects_max: int | None = None


@dataclass(frozen=True, slots=True)
class LoopState:
    """Where a loop stands: `rounds` that ended well, when the last of them did (monotonic seconds), `failures` in a row and since the
    start, `defects` since the start. `problem` says why the last round failed, `is_defect` that nobody foresaw it.
    """

    rounds: int = 0
    ended_at: float | None = None
    failures: int = 0
    failures_total: int = 0
    defects: int = 0
    problem: str | None = None
    is_defect: bool = False


@dataclass(slots=True)
class _Run:
    """What one thread knows of itself alone."""

    began_at: float | None = None  # the call under way, monotonic seconds
    defects_in_a_row: int = 0
    places: set[tuple[str, str, int | None]] = field(default_factory=set)


class BackgroundLoop:
    """Calls `action` in a daemon thread until `stop`.

    An action returns how long to wait until the next round: a number of seconds; None for the period, counted from the round's beginning;
    `REST` to wait for `wake`.

    In that thread, too: `on_failure` is called after each round that failed, `at_end` when the loop ends, whichever way, and `on_gone`
    with the reason where it gave up.
    """

    def __init__(
        self,
        action: Callable[[], float | None],
        rules: LoopRules,
        *,
        on_failure: Callable[[], None] = lambda: None,
        at_end: Callable[[], None] = lambda: None,
        on_gone: Callable[[str], None] = lambda _problem: None,
    ) -> None:
        self._action, self.rules = action, rules
        self._on_failure, self._at_end, self._on_gone = on_failure, at_end, on_gone
        self._run_state = _Run()
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._started = False
        self._thread = threading.Thread(target=self._run, name=rules.name, daemon=True)
        self.state = LoopState()

    def start(self) -> None:
        """Start the thread, where it was not; returns at once."""
        if self._thread.ident is None:  # else Ctrl-C came between
            self._thread.start()
        self._started = True

    def wake(self) -> None:
        """End the pause under way, or skip the next one: a call is never lost between two rounds."""
        self._woken.set()

    def end(self) -> None:
        """Ask the thread to end, and do not wait."""
        self._stopping.set()
        self._woken.set()

    def stop(self, seconds_max: float) -> bool:
        """Ask the thread to end and wait for it, no longer than `seconds_max`; whether it has ended."""
        self.end()
        if self._started and self._thread is not threading.current_thread():
            self._thread.join(seconds_max)
        return not self._thread.is_alive()

    def goes_on(self) -> None:
        """Called by a long action: it does not hang."""
        self._run_state.began_at = time.monotonic()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end: a long action looks at it."""
        return self._stopping.is_set()

    def defect(self) -> str | None:
        """What nobody foresaw and that is so now: the last round's failure, a call that hangs, a thread that is gone."""
        state, began_at = self.state, self._run_state.began_at
        if self._started and not self.stopping and not self._thread.is_alive():
            return f"{self.rules.name}: {state.problem or 'its thread has ended'}; restart this process, and report its log"
        if began_at is not None and (seconds := time.monotonic() - began_at) > self.rules.hung_seconds:
            return f"{self.rules.name}: hangs since {seconds:.0f} s; restart this process if this stays, and report its log"
        return f"{self.rules.name}: {state.problem}" if state.is_defect else None

    def problem(self) -> str | None:
        """Why its work is not done now, None where it is."""
        return self.defect() or (None if self.state.problem is None else f"{self.rules.name}: {self.state.problem}")

    def _run(self) -> None:
        try:
            while True:
                self._woken.clear()
                if self._stopping.is_set():
                    return
                pause = self.round()
                if pause is None:
                    return
                self._woken.wait(None if pause == REST else pause)
        finally:
            self._guarded(self._at_end)
            if not self._stopping.is_set():
                problem = self.state.problem or "its thread has ended"
                self._guarded(lambda: self._on_gone(f"{self.rules.name}: {problem}"))

    def round(self) -> float | None:
        """One call of the action, as the thread makes it; return the pause after it, None where the loop gives up."""
        run = self._run_state
        began_at = run.began_at = time.monotonic()
        try:
            asked = self._action()
        except BaseException as error:  # noqa: BLE001 - this loop is the one place where the unexpected ends; it is shown, and counted
            run.began_at = None
            return self._failed(error)
        run.began_at, run.defects_in_a_row = None, 0
        before = self.state
        ended_at = time.monotonic()
        self.state = LoopState(before.rounds + 1, ended_at, 0, before.failures_total, before.defects)
        if before.problem is not None:
            with suppress(Exception):  # as in `_tell`
                logger.info("%s, after %d failed attempts", self.rules.working, before.failures)
        return max(PAUSE_SECONDS_MIN, began_at + self.rules.period_seconds - ended_at) if asked is None else asked

    def _failed(self, error: BaseException) -> float | None:
        before, run, rules = self.state, self._run_state, self.rules
        is_defect = not isinstance(error, rules.expected)
        run.defects_in_a_row = run.defects_in_a_row + 1 if is_defect else 0
        problem = (
            f"a defect of Vigie ({type(error).__name__}: {_said(error)}); see the traceback in its log"
            if is_defect
            else _said(error)
        )
        self.state = LoopState(
            before.rounds,
            before.ended_at,
            before.failures + 1,
            before.failures_total + 1,
            before.defects + is_defect,
            problem,
            is_defect,
        )
        if self._stopping.is_set() and not is_defect:
            return 0.0
        with suppress(Exception):  # a log that cannot be written to ends nothing: what fails is shown elsewhere, too
            self._tell(error, before)
        self._guarded(self._on_failure)
        if rules.defects_max is not None and run.defects_in_a_row >= rules.defects_max:
            return None
        return retry_seconds(before.failures + 1, rules.retry_seconds, rules.retry_seconds_max)

    def _tell(self, error: BaseException, before: LoopState) -> None:
        """Log the first failure of a row, and the first defect; the traceback of each place once in the life of the process."""
        if not self.state.is_defect:
            if before.problem is None:
                logger.warning("%s: %s (tried again until it works)", self.rules.failing, error)
            return
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = (type(error).__name__, frame.filename, frame.lineno)
        if place not in self._run_state.places:
            self._run_state.places.add(place)
            logger.error("%s: a defect of Vigie, please report it", self.rules.failing, exc_info=error)
        elif not before.is_defect:
            logger.error("%s: the same defect as before: %r", self.rules.failing, error)

    def _guarded(self, call: Callable[[], None]) -> None:
        """What is called beside the rounds may be wrong, too: that is told, and changes nothing."""
        try:
            call()
        except BaseException:  # as for rounds
            with suppress(Exception):
                logger.exception("%s: a defect of Vigie, please report it", self.rules.name)


def _said(error: BaseException) -> str:
    """What an error says; some cannot even say that."""
    try:
        return str(error)
    except Exception as why:  # noqa: BLE001 - as for rounds
        return f"its text cannot be had: {type(why).__name__}"


def retry_seconds(failures: int, seconds: float = 1.0, seconds_max: float = 5.0) -> float:
    """Return how long to wait after `failures` (1 or more) rounds in a row that failed."""
    return seconds if failures <= QUICK_RETRIES_MAX else max(seconds, seconds_max)
