"""Who is in each sketch: the visitors and the establishments of a minute and of a day, each sent to Redis as rarely as it can be.

Adding a member to a HyperLogLog twice changes nothing, so a member that was sent to the same sketch the last time is left out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.count.columns import ColumnReader, Columns, Integers, SchoolNumbers
from streams.count.delta import Delta, Sketch, SketchKey
from streams.count.generations import SketchKind
from streams.count.grouping import Minutes, groups
from streams.count.index import nonzero
from streams.count.local_dates import LocalDays
from streams.count.names import FieldNames
from streams.count.recognise import VisitorRows
from streams.stable_hash import Hashes, as_texts, hashes_of_pairs


class SentSchools:
    """Which sketch one partition sent each school to, the last time: as `VisitorRows.note_sent` of visitors."""

    def __init__(self, schools: SchoolNumbers) -> None:
        self._schools = schools
        self._begun = -1
        self._sent = np.zeros(0, np.int64)

    def note(self, schools: Integers, sketches: Integers) -> Integers:
        """Tell which of these schools must be sent to sketches, a number each."""
        if self._begun != self._schools.begun:  # numbers have changed their meaning
            self._begun, self._sent = self._schools.begun, np.zeros(0, np.int64)
        missing = len(self._schools.names) - len(self._sent)
        if missing > 0:
            self._sent = np.concatenate((self._sent, np.full(max(missing, len(self._sent)), -1, np.int64)))
        new = nonzero(self._sent[schools] != sketches)
        self._sent[schools[new]] = sketches[new]
        return new


class Target(NamedTuple):
    """Where the events of one partition are added, and what it was known to have sent before."""

    delta: Delta
    sent_schools: SentSchools


class Members:
    """The members of the sketches of some partitions."""

    def __init__(self, names: FieldNames, reader: ColumnReader, days: LocalDays) -> None:
        self._schools = reader.schools
        self._days = days
        self._names = names
        #: (local date, date in Paris, region) -> a number: who was counted for one of these is in its sketches.
        self._day_numbers: dict[tuple[str, str, str], int] = {}

    def add_users(
        self, targets: Sequence[Target], minutes: Minutes, columns: Columns, visitors: VisitorRows, places: Integers
    ) -> None:
        """Add the visitors of events; `places` are the numbers of their places."""
        projects = columns.projects
        of_minute = (minutes.epoch * len(self._names.places) + places) * len(self._names.project_users) + projects
        new = visitors.note_sent(of_minute, SketchKind.MINUTE)
        minutes, places, projects, visitors = minutes.at(new), places[new], projects[new], visitors.at(new)
        members = as_texts(visitors.members(lambda some: _hashes(columns, new[some])))
        width = len(self._names.project_users)
        codes = places * width + projects
        for partition, minute, code, found in groups(minutes, codes, len(self._names.places) * width, members):
            place, project = divmod(code, width)
            sketches = targets[partition].delta.minute_sketches[minute]
            sketches.setdefault(self._names.academy_users[place], []).extend(found)
            sketches.setdefault(self._names.project_users[project], []).extend(found)
        new = visitors.note_sent(self._day_table(minutes, places), SketchKind.DAY)
        days = minutes.at(new)
        for partition, minute, place, found in groups(days, places[new], len(self._names.places), members[new]):
            delta, region = targets[partition].delta, self._names.places[place][0]
            _extend(delta, self._days.local(minute, region), (Sketch.LOCAL_DAY, region), found)
            if region in self._days.overseas:
                _extend(delta, self._days.paris(minute), (Sketch.PARIS_DAY, region), found)

    def _day_table(self, minutes: Minutes, places: Integers) -> Integers:
        """For each event a number of its region and its dates, there and in Paris."""
        if not places.size:
            return places
        width, first = len(self._names.places), int(minutes.epoch.min())
        keys = (minutes.epoch - first) * width + places
        number_of = np.zeros(int(keys.max()) + 1, np.int64)
        for key in nonzero(np.bincount(keys)).tolist():
            minute, region = first + key // width, self._names.places[key % width][0]
            day = (self._days.local(minute, region), self._days.paris(minute), region)
            number_of[key] = self._day_numbers.setdefault(day, len(self._day_numbers))
        numbers: Integers = number_of[keys]
        return numbers

    def add_schools(self, targets: Sequence[Target], minutes: Minutes, columns: Columns, places: Integers) -> None:
        """Add the establishments of events, those whose place is known."""
        known = nonzero(self._names.known_place[places])
        if not known.size:
            return
        schools, projects = columns.schools[known], columns.projects[known]
        sketches = minutes.epoch[known] * len(self._names.project_schools) + projects
        bounds = np.searchsorted(columns.partitions[known], np.arange(len(targets) + 1)).tolist()
        new = np.concatenate(
            [
                begin + target.sent_schools.note(schools[begin:end], sketches[begin:end])
                for target, begin, end in zip(targets, bounds, bounds[1:], strict=False)
                if begin < end
            ]
        )
        minutes, places, projects = minutes.at(known[new]), places[known[new]], projects[new]
        members = np.array([self._schools.names[number] for number in schools[new].tolist()], object)
        for partition, minute, project, found in groups(minutes, projects, len(self._names.project_schools), members):
            delta = targets[partition].delta
            delta.minute_sketches[minute][self._names.project_schools[project]] = found
        for partition, minute, place, found in groups(minutes, places, len(self._names.places), members):
            sketches_of = targets[partition].delta.minute_sketches[minute]
            sketches_of.setdefault(self._names.region_schools[place], []).extend(found)


def _hashes(columns: Columns, events: Integers) -> Hashes:
    """The member of sketches that each of these events has: of its project and its visitor, as they were sent."""
    return hashes_of_pairs(columns.owners[events], columns.names[events].tolist())


def _extend(delta: Delta, date: str, key: SketchKey, members: list[str]) -> None:
    delta.day_sketches.setdefault(date, {}).setdefault(key, []).extend(members)
