"""Traffic written to a file: one event a line, as `vigie publish` sends it, and its truth beside it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from streams.errors import InputError
from streams.simulate.book import TruthBook
from streams.simulate.inputs import Configuration, derived_run
from streams.simulate.step import Step
from streams.simulate.traffic import Generator, TrafficPlan
from streams.simulate.visits import Load

PROGRESS_SECONDS = 5.0
#: A longer file would be rejected in part when it is published (`max_age_hours`).
FILE_SECONDS_MAX = 46 * 3600
#: Traffic is random: the time for so many events is reckoned for a few more.
COUNT_MARGIN = 1.05


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What is to be written: `events` lines, or `seconds` of traffic, of the scenario from `first_s` on (its epoch seconds).

    `start_s` is the clock's second of the first event; None lets the traffic end now, so that the file can be published at once.
    """

    seed: int
    scale: float | None
    run: str | None
    clean: bool
    first_s: int
    start_s: int | None
    seconds: int
    events: int | None = None


def plan_file(configuration: Configuration, request: FileRequest, now: float) -> tuple[TrafficPlan, FileRequest]:
    """Choose start and run where they are left open; the same request with a start gives the same plan, whatever the time.

    Raises:
        InputError: the options cannot be used; so many events do not fit into the time that the chain accepts.
    """
    plan = configuration.plan(
        seed=request.seed, scale=request.scale, first_s=request.first_s, shift_seconds=0, run=request.run or "sim",
        clean=request.clean, objects_only=True,
    )  # fmt: skip
    if request.events is not None:
        needed = seconds_needed(plan.load, request.first_s, request.events, FILE_SECONDS_MAX)
        if needed is None:
            raise InputError(
                f"{request.events} events at --scale {plan.scale:g} take more than {FILE_SECONDS_MAX // 3600} hours of traffic, which the "
                "chain would reject as too old: give a larger --scale"
            )
        request = replace(request, seconds=needed)
    start = request.start_s
    if start is None:
        start = math.floor((now - request.seconds) / 60) * 60
    run = request.run or derived_run(plan.scenario.name, plan.scale, start, request)
    return replace(plan, shift_seconds=request.first_s - start, run=run), request


def seconds_needed(load: Load, first_s: int, events: int, seconds_max: int) -> int | None:
    """Enough seconds of traffic from scenario second `first_s` on for so many events; None if more than `seconds_max`."""
    expected = 0.0
    for minutes in range(seconds_max // 60 + 1):
        if expected >= events * COUNT_MARGIN:
            return (minutes + 1) * 60
        expected += 60 * sum(load.events_per_second(first_s + minutes * 60))
    return None


def steps_of(generator: Generator, request: FileRequest) -> Iterator[Step]:
    """The steps of a file. What is held back at the end of a number of seconds follows as well, so that nothing is missing."""
    if request.events is None:
        for _ in range(request.seconds):
            yield generator.next_step()
        yield from generator.held_back()
        return
    left = request.events
    while left > 0:  # ends: every minute of a day has events
        step = generator.next_step()
        yield step if len(step) <= left else step.cut(left)
        left -= len(step)


def write_steps(steps: Iterator[Step], book: TruthBook, out: BinaryIO, say: Callable[[str], None]) -> None:
    """Write the lines of the steps and count them in the book."""
    said = time.monotonic()
    for step in steps:
        lines = [special.value for special in step.specials] + step.values
        if lines:
            out.write(b"\n".join(lines) + b"\n")
        book.add(step)
        if time.monotonic() - said >= PROGRESS_SECONDS:
            said = time.monotonic()
            say(f"{book.published} lines written")


def write_file(steps: Iterator[Step], book: TruthBook, path: Path, say: Callable[[str], None]) -> None:
    """Write a file; it appears whole under its name or not at all.

    Raises:
        InputError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as out:
            write_steps(steps, book, out, say)
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}; free space or name another file"
        ) from None
    finally:
        part.unlink(missing_ok=True)
