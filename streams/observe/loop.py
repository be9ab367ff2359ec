"""The loop of one observer, in a thread of its own: snapshot, settle, trim, once a second, for as long as the process lives.

Both writes are idempotent Lua calls that only move forward, so observers need no leader. Redis going away is an expected state, not an
error: it is logged once, shown, and tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from streams.errors import ServerError, StateError
from streams.live import LiveReader
from streams.observe.decide import first_minute_kept, progress_problem, retry_seconds, settling

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
#: A loop without a good round for this long is not ready, whatever its last round said: it may hang.
READY_SECONDS_MAX = 10.0
#: Minutes trimmed in one round: a whole day's worth is gone in seconds, and no Lua call holds Redis for long.
TRIM_A_ROUND_MAX = 200


@dataclass(frozen=True, slots=True)
class LoopState:
    """Where the loop stands: `rounds` that ended well, when the last of them did (monotonic seconds), why the last round failed."""

    rounds: int = 0
    ended_at: float | None = None
    failures: int = 0
    problem: str | None = None


def not_ready_because(state: LoopState, now: float) -> str | None:
    """Return why the observer is not ready at the monotonic time `now`, None where it is."""
    if state.problem is not None:
        return state.problem
    if state.ended_at is None:
        return "the observer's first round has not ended yet; ask again in a second"
    age = now - state.ended_at
    if age > READY_SECONDS_MAX:
        return f"the observer's loop has not ended a round for {age:.0f} s; see its log, restart it if this stays"
    return None


class Observer:
    """Settles and trims until `stop()`. `on_end` is called when the thread ends without having been asked to: a defect of Vigie."""

    def __init__(
        self,
        reader: LiveReader,
        lateness_ms: int,
        minutes_kept_hours: int,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._reader = reader
        self._lateness_ms = lateness_ms
        self._minutes_kept_hours = minutes_kept_hours
        self._on_end = on_end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._first_kept: int | None = None  # up to where everything is known to be trimmed
        self.state = LoopState()

    def start(self) -> None:
        """Start the thread; returns at once, whether Redis answers or not."""
        self._thread.start()

    def stop(self, seconds_max: float) -> None:
        """Ask the thread to end and wait for it, no longer than `seconds_max` (it may be in a call to Redis)."""
        self._stopping.set()
        self._thread.join(seconds_max)

    def round(self) -> None:
        """One round.

        Raises:
            ServerError: Redis does not answer as needed.
            StateError: what Redis holds must not be touched by this version.
        """
        snapshot = self._reader.snapshot()
        if problem := progress_problem(snapshot):
            raise StateError(problem)
        candidate_ms = settling(snapshot, self._lateness_ms).settled_ms
        settled_ms = snapshot.settled_ms
        if candidate_ms is not None and candidate_ms > (settled_ms or 0):
            settled_ms = self._reader.settle(candidate_ms)
        if settled_ms is not None:
            self._trim(first_minute_kept(settled_ms, self._minutes_kept_hours))

    def _trim(self, first_kept: int) -> None:
        if first_kept == self._first_kept:
            return
        removed = self._reader.trim(first_kept, TRIM_A_ROUND_MAX)
        if removed:
            logger.debug("trimmed %d minutes before epoch minute %d", removed, first_kept)
        self._first_kept = first_kept if removed < TRIM_A_ROUND_MAX else None

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                self._try_round()
                if self.state.problem is None:
                    pause = max(0.0, began + PERIOD_SECONDS - time.monotonic())
                else:
                    pause = retry_seconds(self.state.failures)
                self._stopping.wait(pause)
        finally:
            if not self._stopping.is_set() and self._on_end is not None:
                self._on_end()

    def _try_round(self) -> None:
        before = self.state
        try:
            self.round()
        except (ServerError, StateError) as error:
            self.state = LoopState(before.rounds, before.ended_at, before.failures + 1, str(error))
            if before.problem is None:
                logger.warning("minutes are not settled: %s (tried again until it works)", error)
            return
        self.state = LoopState(before.rounds + 1, time.monotonic())
        if before.problem is not None:
            logger.info("minutes are settled again after %d failed rounds", before.failures)
