"""A pool of forked processes that Ctrl-C does not reach, that die with this one, and that can be asked to stop."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import c_bool, c_uint64
from multiprocessing import get_context
from multiprocessing.sharedctypes import RawArray, RawValue
from typing import Any, TypeVar

from streams.errors import VigieError

Task = TypeVar("Task")
Done = TypeVar("Done")
#: How often progress is looked at.
LOOK_SECONDS = 0.2


class ProcessKilled(VigieError):
    """A process that shares the work was killed from outside."""

    exit_code = 1


class WorkPool:
    """Runs one function over many tasks. What it needs beside the task is inherited, not sent; `counters` are shared with the processes."""

    def __init__(self, processes: int, counters: int, die_with: Callable[[int], None]) -> None:
        self._processes = processes
        self._die_with = die_with
        self.stopping: Any = RawValue(c_bool, False)  # no lock, which a process that is killed would keep
        self.counters: Any = RawArray(c_uint64, max(1, counters))

    def run(
        self,
        work: Callable[[Task], Done],
        tasks: Sequence[Task],
        take: Callable[[Task, Done], None],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Give each task with what came of it to `take`, as they are done; `look` is called several times a second.

        Raises:
            ProcessKilled: a process was killed.
            VigieError: as `work` does.
        """
        if not tasks:
            return
        pool = ProcessPoolExecutor(
            min(self._processes, len(tasks)), get_context("fork"), _begin, (work, os.getpid(), self._die_with)
        )
        try:
            with _interrupts_held():
                futures: dict[Future[Done], Task] = {pool.submit(_call, task): task for task in tasks}
            pending = set(futures)
            while pending:
                done, pending = wait(pending, LOOK_SECONDS, FIRST_COMPLETED)
                look()
                for future in done:
                    take(futures[future], future.result())
        except BrokenProcessPool:
            raise ProcessKilled(
                "a process was killed, for want of memory perhaps: run the same command again, with fewer --processes"
            ) from None
        finally:
            # Interrupted, or a task failed: what is being done ends at its next look, the rest is not begun.
            self.stopping.value = True
            pool.shutdown(cancel_futures=True)
            self.stopping.value = False


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes that are forked in here never see Ctrl-C, which reaches every process of a terminal; this one sees it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: Callable[[Any], Any]


def _begin(work: Callable[[Any], Any], parent: int, die_with: Callable[[int], None]) -> None:
    global _work
    die_with(parent)
    _work = work


def _call(task: Any) -> Any:
    return _work(task)
