"""A backfill from files to days: reading, counting, adding up; each step in all processes, each again from where it was interrupted."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from streams.backfill.counting import PartTask, count_part, lead_minutes, measured_spans
from streams.backfill.log_input import DayOfInput, InputReading, InputReport, ReadRules
from streams.backfill.parts import PartChoice, PartStore, Spool, WrittenDay, may_replace, write_day
from streams.backfill.spill import events_held
from streams.clock import paris_date, paris_day
from streams.count import CountingRules
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.marks import InputMark
from streams.publish.opening import open_events
from streams.publish.readers import LineReader
from streams.work_pool import WorkPool


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What is to be done. `key` follows from everything that decides what a line becomes. Days that are not over are left out, but where
    the plan says `with_today`.

    `again` replaces parts whatever they are from; `tolerant` counts what could be read of a file that breaks off.
    """

    files: tuple[str, ...]
    archive: Path
    key: str
    make_reader: Callable[[], LineReader]
    rules: CountingRules
    now_ms: int
    processes: int
    again: bool = False
    tolerant: bool = False
    with_today: bool = False

    @property
    def end(self) -> date:
        """The day from which on nothing is counted: today, which is not over, unless it is wanted all the same."""
        return paris_date(self.now_ms // 60_000) + timedelta(days=self.with_today)


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of one part."""

    choice: PartChoice
    events: int = 0
    duplicates: int = 0
    unseen: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class BackfillResult:
    """What a backfill came to. `parts` by project and day; `unfinished_events` are of days that are not over."""

    inputs: list[InputReport] = field(default_factory=list)
    parts: dict[tuple[str, date], PartOutcome] = field(default_factory=dict)
    days: list[WrittenDay] = field(default_factory=list)
    unfinished_events: int = 0

    @property
    def broken_off(self) -> list[InputReport]:
        """Files that could not be read to their end."""
        return [report for report in self.inputs if report.trouble is not None]

    def unseen(self) -> Counter[tuple[str, str]]:
        """Values that no list knows: (list, value) -> events."""
        return sum((Counter(outcome.unseen) for outcome in self.parts.values()), Counter())


#: Called as work goes on: step, done, in all.
Said = Callable[[str, int, int], None]


class BackfillRun:
    """One backfill; `die_with` is called in each process with the id of this one."""

    def __init__(self, plan: BackfillPlan, die_with: Callable[[int], None], said: Said) -> None:
        self._plan = plan
        self._die_with = die_with
        self._said = said
        self._archive = Archive(plan.archive)
        self._store = PartStore(plan.archive)
        self.spool = Spool(plan.archive, plan.key)
        self.result = BackfillResult()
        self._done = 0

    def run(self) -> BackfillResult:
        """Do all of it. Nothing is written to the archive before every file was read to its end (but where the plan is tolerant).

        Raises:
            InputError: a file cannot be opened, is no text, or the archive cannot be used.
            SettingsError: a secret is missing.
            ProcessKilled: a process was killed.
        """
        self._see_files()
        self._archive.prepare(simulated=False)
        with self._store.held():
            self._read()
            if self.result.broken_off and not self._plan.tolerant:
                return self.result
            self._count()
            self._write_days()
            self.spool.remove()
        return self.result

    def read(self) -> tuple[Path, ...]:
        """Read every file, and nothing more; return where the runs are.

        Raises:
            InputError: a file cannot be opened, or is no text.
            SettingsError: a secret is missing.
            ProcessKilled: a process was killed.
        """
        self._see_files()
        self._read()
        return self.spool.paths(run.name for report in self.result.inputs for run in report.runs)

    def _see_files(self) -> None:
        """See that all files can be read, before anything is done: none is a pipe."""
        for name in self._plan.files:
            if name != "-" and not os.path.exists(name):
                raise InputError(f"There is no file {name}: name log files, also compressed ones")
            if name == "-" or not os.path.isfile(name):
                raise InputError(
                    f"{name} is no file: logs are read from files, which can be read again after an interruption"
                )
            for opened in open_events(name):
                opened.close()

    def _read(self) -> None:
        self.spool.prepare()
        files = list(dict.fromkeys(self._plan.files))
        stems = {name: self.spool.stem(name) for name in files}
        reports = {name: self.spool.known(stems[name]) for name in files}
        # The largest first: nobody waits for it at the end.
        left = sorted((name for name in files if reports[name] is None), key=lambda name: -os.path.getsize(name))
        pool = WorkPool(self._plan.processes, len(left), self._die_with)
        total = sum(os.path.getsize(name) for name in left)
        projects = {code: number for number, code in enumerate(self._plan.rules.catalog.project_codes)}
        plan, bounds = self._plan, self._plan.rules.bounds
        rules = ReadRules(plan.make_reader, projects, plan.now_ms + bounds.ahead_ms_max, bounds.pseudonyms_only)

        def read(place: int) -> InputReport | None:
            def look(at: int) -> bool:
                pool.counters[place] = at
                return bool(pool.stopping.value)

            name = left[place]
            report = InputReading(rules, name, self.spool.directory, stems[name], look).run()
            if report is not None and report.trouble is None:
                self.spool.keep(stems[name], report)
            pool.counters[place] = os.path.getsize(name)
            return report

        def said() -> None:
            self._said("read", sum(pool.counters), total)

        def keep(place: int, report: InputReport | None) -> None:
            assert report is not None, "only an interrupted run stops a file"
            reports[left[place]] = report

        pool.run(read, range(len(left)), keep, said)
        self.result.inputs = [report for name in files if (report := reports[name]) is not None]

    def _count(self) -> None:
        tasks = list(self._tasks())
        events = {task: sum(mark.events for mark in task.inputs) for task in tasks}
        total, self._done = sum(events.values()), 0
        pool = WorkPool(self._plan.processes, 0, self._die_with)

        def count(place: int) -> PartOutcome | None:
            return self._part(tasks[place], lambda: bool(pool.stopping.value))

        def keep(place: int, outcome: PartOutcome | None) -> None:
            assert outcome is not None, "only an interrupted run stops a part"
            task = tasks[place]
            self.result.parts[task.project, task.day] = outcome
            self._done += events[task]

        pool.run(count, range(len(tasks)), keep, lambda: self._said("count", self._done, total))

    def _tasks(self) -> Iterator[PartTask]:
        """A part each, by day."""
        catalog, plan = self._plan.rules.catalog, self._plan.rules.plan
        found: dict[tuple[int, int], list[InputMark]] = {}
        inputs_of: dict[int, list[list[DayOfInput]]] = {}
        for report in self.result.inputs:
            of_file: dict[int, list[DayOfInput]] = {}
            for held in report.days:
                of_file.setdefault(held.project, []).append(held)
                if held.day >= self._plan.end.toordinal():
                    self.result.unfinished_events += held.events
                else:
                    mark = InputMark(os.path.basename(report.name), held.events, held.digest)
                    found.setdefault((held.day, held.project), []).append(mark)
            for project, days in of_file.items():
                inputs_of.setdefault(project, []).append(days)
        spans = {project: tuple(measured_spans(inputs)) for project, inputs in inputs_of.items()}
        runs = [run for report in self.result.inputs for run in report.runs]
        for (ordinal, project), marks in sorted(found.items()):
            day = date.fromordinal(ordinal)
            first, end = lead_minutes(plan, day)[0], paris_day(day)[1]
            near = self.spool.paths(run.name for run in runs if run.last >= first and run.first < end)
            inputs = tuple(sorted(marks, key=lambda mark: (mark.name, mark.digest)))
            yield PartTask(catalog.project_codes[project], project, day, inputs, spans[project], near)

    def _part(self, task: PartTask, stop: Callable[[], bool]) -> PartOutcome | None:
        rules = self._plan.rules
        lead = events_held(task.runs, task.number, *lead_minutes(rules.plan, task.day))
        choice = may_replace(self._store.head(task.project, task.day), task.inputs, lead, rules.catalog.digest)
        if choice is not PartChoice.WRITTEN and not self._plan.again:
            return PartOutcome(choice)
        counted = None if stop() else count_part(rules, task, stop)
        if counted is None:
            return None
        self._store.write(task.project, counted.part)
        return PartOutcome(PartChoice.WRITTEN, counted.events, counted.duplicates, dict(counted.unseen))

    def _write_days(self) -> None:
        near = {day + timedelta(days=step) for _project, day in self.result.parts for step in (-1, 0, 1)}
        wanted = sorted(day for day in near if any(True for _ in self._store.of_day(day)))
        pool = WorkPool(self._plan.processes, 0, self._die_with)

        def write(place: int) -> WrittenDay:
            return write_day(self._archive, self._store, wanted[place], self._plan.rules.catalog.digest)

        days_written = self.result.days
        pool.run(
            write,
            range(len(wanted)),
            lambda _place, written: days_written.append(written),
            lambda: self._said("write", len(days_written), len(wanted)),
        )
        self.result.days.sort(key=lambda written: written.day)
        if any(written.changed for written in self.result.days):
            self._archive.note_backfill()
