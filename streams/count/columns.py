"""Events as columns of numbers: codes become their number in a closed list, names their hash, so that NumPy can count them.

A code that is not listed is `INCONNU`, the last number of its list. A block of a few hundred events is read at once, while what was
decoded of it is still in the processor's cache.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UAI_MEMO_ENTRIES_MAX, UNKNOWN, Catalog
from streams.count.index import nonzero
from streams.events import VisitEvent
from streams.stable_hash import Hashes, hashes_of

Integers = NDArray[np.int64]
Code = str | None

#: An odd multiplier: keeps the hash of a project and the hash of a value apart where the two strings are equal.
_PROJECT_FACTOR = np.int64(0x5851F42D4C957F2D)
#: Distinct values that are not listed, noted of one chunk and list; the others are counted together under "".
UNSEEN_MAX = 100


class Unseen:
    """Values of one chunk's events that are in no list: `found` has (list, value as sent) -> events, repeats included."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], int] = {}
        self._distinct: dict[str, int] = {}

    def note(self, list_name: str, value: Code) -> None:
        """One event has this value; absent, null and empty are none."""
        if not value:
            return
        if (list_name, value) not in self.found:
            distinct = self._distinct[list_name] = self._distinct.get(list_name, 0) + 1
            if distinct > UNSEEN_MAX:
                value = ""
        self.found[list_name, value] = self.found.get((list_name, value), 0) + 1


class Sender(NamedTuple):
    """`events` that came from one partition: its number in a pass, and where what is in no list is noted."""

    partition: int
    events: int
    unseen: Unseen


class CodeNumbers:
    """Code -> its number in a list. `known` lacks what is not listed: that is the number of `INCONNU`, and is noted."""

    def __init__(self, name: str, codes: Iterable[str]) -> None:
        self._name = name
        self.codes = tuple(codes)
        #: A plain dictionary: the interpreter has a quick way for those.
        self.known: dict[Code, int] = {code: number for number, code in enumerate(self.codes)}
        self._unknown = self.known[UNKNOWN]
        self.known[None] = self.known[""] = self._unknown

    def numbers(self, codes: Iterable[Code], senders: Sequence[Sender]) -> list[int]:
        """The number of any code; who sent one that is not listed notes it."""
        return [self._number(code, unseen) for code, unseen in zip(codes, _each(senders), strict=True)]

    def _number(self, code: Code, unseen: Unseen) -> int:
        number = self.known.get(code)
        if number is None:
            unseen.note(self._name, code)
            return self._unknown
        return number


class ProjectNumbers(CodeNumbers):
    """The same of projects, and the hashes of each as it was sent: of this process for the memory, stable ones for sketches."""

    def __init__(self, name: str, codes: Iterable[str]) -> None:
        super().__init__(name, codes)
        sent = ["" if code == UNKNOWN else code for code in self.codes]  # most of the unknown name none
        self._hashes, self._stable = _hashes(sent), hashes_of(sent)

    def hashes(self, events: Sequence[VisitEvent], numbers: Integers) -> tuple[Integers, Hashes]:
        """Both hashes of each event's project; `numbers` are those of its project. Absent, null and "" name none."""
        hashes, stable = self._hashes[numbers], self._stable[numbers]
        named = [event for event in nonzero(numbers == self._unknown).tolist() if events[event].project]
        if named:
            sent = [events[event].project or "" for event in named]
            distinct = list(set(sent))
            stable_of = dict(zip(distinct, hashes_of(distinct).tolist(), strict=True))
            hashes[named] = _hashes(sent)
            stable[named] = np.fromiter(map(stable_of.__getitem__, sent), np.uint64, len(sent))
        return hashes, stable


class SchoolNumbers:
    """UAI -> a number, given as they come, in `known`; `names` has the UAI of each number. `begun` tells how often numbers began anew."""

    def __init__(self, catalog: Catalog) -> None:
        self._index = catalog.uai_index
        self._place_numbers = {codes: number for number, codes in enumerate(catalog.uai_index.places)}
        self._nowhere = self._place_numbers[UNKNOWN, UNKNOWN]
        self.known: dict[Code, int] = {}
        self.names: list[Code] = []
        self.begun = 0
        self._places = array("q")

    def learn(self, uais: set[Code]) -> None:
        """Give those of these a number that have none."""
        for uai in uais.difference(self.known):
            self.known[uai] = len(self.names)
            self.names.append(uai)
            self._places.append(self._place_numbers[self._index[uai]])

    def places_of(self, schools: Integers) -> Integers:
        """The number of the place of each of these schools."""
        return np.frombuffer(self._places, np.int64)[schools]

    def note_unseen(self, schools: Integers, senders: Sequence[Sender]) -> None:
        """Of these schools, note the values that are no UAI of a known departement."""
        nowhere = self.places_of(schools) == self._nowhere
        if nowhere.any():
            for number, is_nowhere, unseen in zip(schools.tolist(), nowhere.tolist(), _each(senders), strict=True):
                if is_nowhere:
                    unseen.note("uai", self.names[number])

    def forget_if_full(self) -> None:
        """Begin anew when senders have invented too many. Between two chunks only: numbers change their meaning."""
        if len(self.names) >= UAI_MEMO_ENTRIES_MAX:
            self.known.clear()
            self.names.clear()
            self.begun += 1
            self._places = array("q")


class MemoryColumns(NamedTuple):
    """What the memory needs of each event: `ts`, hashes of the id and of the visitor, number of the service.

    Both hashes are of the project as it was sent, too, listed or not: what one ENT sends makes no repeat and no visitor of another's.
    """

    ts: Integers
    ids: Integers
    visitors: Integers
    services: Integers


class Columns(NamedTuple):
    """What counting needs of each event: the above; its visitor (objects of `str`) and the stable hash of its project, both as sent; the
    numbers of its school, project and profile, and of its partition in this pass: those of a partition lie one after the other.
    """

    ts: Integers
    ids: Integers
    visitors: Integers
    services: Integers
    names: NDArray[np.object_]
    owners: Hashes
    schools: Integers
    projects: Integers
    profiles: Integers
    partitions: Integers

    def at(self, events: Integers) -> "Columns":
        """Those of some of the events, in order."""
        return self if len(events) == len(self.ts) else Columns._make(column[events] for column in self)


class ColumnReader:
    """Reads events into columns. A block has events of several partitions: `senders` tells which, one after the other."""

    def __init__(self, catalog: Catalog) -> None:
        self.services = CodeNumbers("service", catalog.service_codes)
        self.projects = ProjectNumbers("project", catalog.project_codes)
        self.profiles = CodeNumbers("profile", catalog.profile_codes)
        self.schools = SchoolNumbers(catalog)

    def read_for_memory(self, events: Sequence[VisitEvent], senders: Sequence[Sender]) -> MemoryColumns:
        """The columns of one block that the memory needs."""
        owners, _stable = self.projects.hashes(events, self._project_numbers(events, senders))
        return self._memory(events, [event.visitor for event in events], owners, senders)

    def read(self, events: Sequence[VisitEvent], senders: Sequence[Sender]) -> Columns:
        """All columns of one block."""
        names, projects = [event.visitor for event in events], self._project_numbers(events, senders)
        owners, stable = self.projects.hashes(events, projects)
        memory, size = self._memory(events, names, owners, senders), len(names)
        schools, profiles = self.schools.known, self.profiles.known
        try:
            columns = [schools[event.uai] for event in events], [profiles[event.profile] for event in events]
        except KeyError:
            self.schools.learn({event.uai for event in events})
            columns = (
                [schools[event.uai] for event in events],
                self.profiles.numbers((event.profile for event in events), senders),
            )
        of_schools, of_profiles = (np.fromiter(column, np.int64, size) for column in columns)
        self.schools.note_unseen(of_schools, senders)
        partitions = np.repeat([each.partition for each in senders], [each.events for each in senders])
        of_names = np.fromiter(names, np.object_, size)
        return Columns(*memory, of_names, stable, of_schools, projects, of_profiles, partitions)

    def _project_numbers(self, events: Sequence[VisitEvent], senders: Sequence[Sender]) -> Integers:
        known = self.projects.known
        try:
            numbers = [known[event.project] for event in events]
        except KeyError:
            numbers = self.projects.numbers((event.project for event in events), senders)
        return np.fromiter(numbers, np.int64, len(numbers))

    def _memory(
        self, events: Sequence[VisitEvent], names: list[str], owners: Integers, senders: Sequence[Sender]
    ) -> MemoryColumns:
        size = len(names)
        known = self.services.known
        try:
            services = [known[event.service] for event in events]
        except KeyError:
            services = self.services.numbers((event.service for event in events), senders)
        projects = owners * _PROJECT_FACTOR
        return MemoryColumns(
            np.fromiter([event.ts for event in events], np.int64, size),
            _hashes([event.id for event in events]) + projects,
            _hashes(names) + projects,
            np.fromiter(services, np.int64, size),
        )


def _hashes(values: Sequence[str]) -> Integers:
    return np.fromiter(map(hash, values), np.int64, len(values))


Block = TypeVar("Block", MemoryColumns, Columns)


def _each(senders: Sequence[Sender]) -> Iterator[Unseen]:
    """Where each event's sender notes."""
    return chain.from_iterable(repeat(each.unseen, each.events) for each in senders)


def join(blocks: Sequence[Block]) -> Block:
    """Put blocks one after the other; there is at least one."""
    return blocks[0] if len(blocks) == 1 else type(blocks[0])._make(map(np.concatenate, zip(*blocks, strict=True)))
