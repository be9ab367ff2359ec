"""Events as columns of numbers: codes become their number in a closed list, names their hash, so that NumPy can count them.

A code that is not listed is `INCONNU`, the last number of its list. A block of a few hundred events is read at once, while what was
decoded of it is still in the processor's cache.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
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


class CodeNumbers:
    """Code -> its number in a list. `known` lacks what is not listed: that is the number of `INCONNU`, and is noted in `unseen`."""

    def __init__(self, codes: Iterable[str]) -> None:
        self.codes = tuple(codes)
        #: A plain dictionary: the interpreter has a quick way for those.
        self.known: dict[Code, int] = {code: number for number, code in enumerate(self.codes)}
        self._unknown = self.known[UNKNOWN]
        self.known[None] = self.known[""] = self._unknown
        self.unseen: Counter[str] = Counter()

    def number(self, code: Code) -> int:
        """The number of any code."""
        number = self.known.get(code)
        if number is None:
            _note(self.unseen, code)
            return self._unknown
        return number


class ProjectNumbers(CodeNumbers):
    """The same of projects, and the hashes of each as it was sent: of this process for the memory, stable ones for sketches."""

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(codes)
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
    """UAI -> a number, given as they come, in `known`; `names` has the UAI of each number."""

    def __init__(self, catalog: Catalog) -> None:
        self._index = catalog.uai_index
        self._place_numbers = {codes: number for number, codes in enumerate(catalog.uai_index.places)}
        self._nowhere = self._place_numbers[UNKNOWN, UNKNOWN]
        self.known: dict[Code, int] = {}
        self.names: list[Code] = []
        self._places = array("q")
        self._sent = array("q")

    def learn(self, uais: set[Code]) -> None:
        """Give those of these a number that have none."""
        for uai in uais.difference(self.known):
            self.known[uai] = len(self.names)
            self.names.append(uai)
            self._sent.append(-1)
            self._places.append(self._place_numbers[self._index[uai]])

    def places_of(self, schools: Integers) -> Integers:
        """The number of the place of each of these schools."""
        return np.frombuffer(self._places, np.int64)[schools]

    def note_sent(self, schools: Integers, sketches: Integers) -> Integers:
        """Tell which of these schools must be sent to sketches (a number each): as `Memory.note_sent` does of visitors."""
        if not schools.size:
            return schools
        sent = np.frombuffer(self._sent, np.int64)
        new = nonzero(sent[schools] != sketches)
        sent[schools[new]] = sketches[new]
        return new

    def unseen(self, schools: Integers) -> Counter[str]:
        """Of these schools, the values that are no UAI of a known departement."""
        found: Counter[str] = Counter()
        for number in schools[self.places_of(schools) == self._nowhere].tolist():
            _note(found, self.names[number])
        return found

    def forget_if_full(self) -> None:
        """Begin anew when senders have invented too many. Between two chunks only: numbers change their meaning."""
        if len(self.names) >= UAI_MEMO_ENTRIES_MAX:
            self.known.clear()
            self.names.clear()
            self._places = array("q")
            self._sent = array("q")


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
    numbers of its school, project and profile.
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

    def at(self, events: Integers) -> "Columns":
        """Those of some of the events, in order."""
        return self if len(events) == len(self.ts) else Columns._make(column[events] for column in self)


class ColumnReader:
    """Reads events into columns; one for each partition."""

    def __init__(self, catalog: Catalog) -> None:
        self.services = CodeNumbers(catalog.service_codes)
        self.projects = ProjectNumbers(catalog.project_codes)
        self.profiles = CodeNumbers(catalog.profile_codes)
        self.schools = SchoolNumbers(catalog)

    def begin_chunk(self) -> None:
        """Forget what was noted of the chunk before."""
        self.schools.forget_if_full()
        for numbers in (self.services, self.projects, self.profiles):
            numbers.unseen.clear()

    def read_for_memory(self, events: Sequence[VisitEvent]) -> MemoryColumns:
        """The columns of one block that the memory needs."""
        owners, _stable = self.projects.hashes(events, self._project_numbers(events))
        return self._memory(events, [event.visitor for event in events], owners)

    def read(self, events: Sequence[VisitEvent]) -> Columns:
        """All columns of one block."""
        names, projects = [event.visitor for event in events], self._project_numbers(events)
        owners, stable = self.projects.hashes(events, projects)
        memory, size = self._memory(events, names, owners), len(names)
        schools, profiles = self.schools.known, self.profiles.known
        try:
            columns = [schools[event.uai] for event in events], [profiles[event.profile] for event in events]
        except KeyError:
            self.schools.learn({event.uai for event in events})
            columns = (
                [schools[event.uai] for event in events],
                [self.profiles.number(event.profile) for event in events],
            )
        of_schools, of_profiles = (np.fromiter(column, np.int64, size) for column in columns)
        return Columns(*memory, np.fromiter(names, np.object_, size), stable, of_schools, projects, of_profiles)

    def unseen(self, schools: Integers) -> dict[tuple[str, str], int]:
        """Values that are in no list, of the chunk that was read: (list, value as sent) -> events, repeats included."""
        lists = {
            "service": self.services.unseen,
            "project": self.projects.unseen,
            "profile": self.profiles.unseen,
            "uai": self.schools.unseen(schools),
        }
        return {(name, value): number for name, found in lists.items() for value, number in found.items()}

    def _project_numbers(self, events: Sequence[VisitEvent]) -> Integers:
        known = self.projects.known
        try:
            numbers = [known[event.project] for event in events]
        except KeyError:
            numbers = [self.projects.number(event.project) for event in events]
        return np.fromiter(numbers, np.int64, len(numbers))

    def _memory(self, events: Sequence[VisitEvent], names: list[str], owners: Integers) -> MemoryColumns:
        size = len(names)
        known = self.services.known
        try:
            services = [known[event.service] for event in events]
        except KeyError:
            services = [self.services.number(event.service) for event in events]
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


def _note(unseen: Counter[str], value: Code) -> None:
    if value:  # absent, null and empty are no values
        unseen[value if value in unseen or len(unseen) < UNSEEN_MAX else ""] += 1


def join(blocks: Sequence[Block]) -> Block:
    """Put blocks one after the other; there is at least one."""
    return blocks[0] if len(blocks) == 1 else type(blocks[0])._make(map(np.concatenate, zip(*blocks, strict=True)))
