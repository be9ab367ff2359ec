"""Who is in each sketch: the visitors and the establishments of a minute and of a day, each sent to Redis as rarely as it can be.

Adding a member to a HyperLogLog twice changes nothing, so a member that was sent to the same sketch the last time is left out.
"""

import numpy as np

from streams.count.columns import ColumnReader, Columns, Integers
from streams.count.delta import Delta, Sketch, SketchKey
from streams.count.grouping import Minutes, groups
from streams.count.index import nonzero
from streams.count.local_dates import LocalDays
from streams.count.memory import Memory, SketchKind
from streams.count.names import FieldNames
from streams.stable_hash import Hashes, as_texts, hashes_of_pairs


class Members:
    """The members of one partition's sketches."""

    def __init__(self, names: FieldNames, reader: ColumnReader, memory: Memory, days: LocalDays) -> None:
        self._memory = memory
        self._schools = reader.schools
        self._days = days
        self._names = names
        #: (local date, date in Paris, region) -> a number: who was counted for one of these is in its sketches.
        self._day_numbers: dict[tuple[str, str, str], int] = {}

    def add_users(self, delta: Delta, minutes: Minutes, columns: Columns, rows: Integers, places: Integers) -> None:
        """Add the visitors of events; `rows` is `Recognised.rows`, `places` are the numbers of their places."""
        projects = columns.projects
        of_minute = (minutes.epoch * len(self._names.places) + places) * len(self._names.project_users) + projects
        new = self._memory.note_sent(rows, of_minute, SketchKind.MINUTE)
        minutes, places, projects = minutes.at(new), places[new], projects[new]
        members = as_texts(self._memory.members(rows[new], lambda some: _hashes(columns, new[some])))
        width = len(self._names.project_users)
        for minute, both, found in groups(minutes, places * width + projects, len(self._names.places) * width, members):
            place, project = divmod(both, width)
            sketches = delta.minute_sketches[minute]
            sketches.setdefault(self._names.academy_users[place], []).extend(found)
            sketches.setdefault(self._names.project_users[project], []).extend(found)
        new = self._memory.note_sent(rows[new], self._day_table(minutes, places), SketchKind.DAY)
        for minute, place, found in groups(minutes.at(new), places[new], len(self._names.places), members[new]):
            region = self._names.places[place][0]
            _extend(delta, self._days.local(minute, region), (Sketch.LOCAL_DAY, region), found)
            if region in self._days.overseas:
                _extend(delta, self._days.paris(minute), (Sketch.PARIS_DAY, region), found)

    def _day_table(self, minutes: Minutes, places: Integers) -> Integers:
        """For each event a number of its region and its dates, there and in Paris."""
        width = len(self._names.places)
        keys = minutes.numbers * width + places
        number_of = np.zeros(len(minutes.present) * width, np.int64)
        for key in nonzero(np.bincount(keys)).tolist():
            minute, region = minutes.present[key // width], self._names.places[key % width][0]
            day = (self._days.local(minute, region), self._days.paris(minute), region)
            number_of[key] = self._day_numbers.setdefault(day, len(self._day_numbers))
        numbers: Integers = number_of[keys]
        return numbers

    def add_schools(self, delta: Delta, minutes: Minutes, columns: Columns, places: Integers) -> None:
        """Add the establishments of events, those whose place is known."""
        known = nonzero(self._names.known_place[places])
        minutes, schools, projects = minutes.at(known), columns.schools[known], columns.projects[known]
        new = self._schools.note_sent(schools, minutes.epoch * len(self._names.project_schools) + projects)
        minutes, places, projects = minutes.at(new), places[known[new]], projects[new]
        members = np.array([self._schools.names[number] for number in schools[new].tolist()], object)
        for minute, project, found in groups(minutes, projects, len(self._names.project_schools), members):
            delta.minute_sketches[minute][self._names.project_schools[project]] = found
        for minute, place, found in groups(minutes, places, len(self._names.places), members):
            delta.minute_sketches[minute].setdefault(self._names.region_schools[place], []).extend(found)


def _hashes(columns: Columns, events: Integers) -> Hashes:
    """The member of sketches that each of these events has: of its project and its visitor, as they were sent."""
    return hashes_of_pairs(columns.owners[events], columns.names[events].tolist())


def _extend(delta: Delta, date: str, key: SketchKey, members: list[str]) -> None:
    delta.day_sketches.setdefault(date, {}).setdefault(key, []).extend(members)
