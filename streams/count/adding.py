"""From columns to a `Delta`: how many events, visits and late events each minute has, in each cut."""

from collections.abc import Sequence

import numpy as np

from streams.count.columns import ColumnReader, Columns, Integers
from streams.count.delta import Delta
from streams.count.grouping import Minutes
from streams.count.index import Mask, nonzero
from streams.count.members import Members
from streams.count.memory import Recognised
from streams.count.names import FieldNames, Fields


class DeltaBuilder:
    """Adds the columns of one chunk to its delta."""

    def __init__(self, names: FieldNames, reader: ColumnReader, members: Members) -> None:
        self._names = names
        self._reader = reader
        self._members = members

    def add(self, delta: Delta, columns: Columns, recognised: Recognised, late: Mask) -> None:
        """Add the events that count to `delta`, as counts and as members of sketches."""
        fresh = nonzero(recognised.fresh)
        if not fresh.size:
            return
        columns = columns.at(fresh)
        projects, profiles, services = columns.projects, columns.profiles, columns.services
        minutes = Minutes.of(columns.ts)
        places = self._reader.schools.places_of(columns.schools)
        field_names = self._names
        regions, academies = field_names.region_of_place[places], field_names.academy_of_place[places]
        region_services = regions * field_names.services + services
        profile_regions = profiles * field_names.regions + regions
        for minute in minutes.present:
            delta.minutes[minute] = {}
            delta.minute_sketches[minute] = {}

        cuts = (projects, profile_regions, academies)
        _count(delta, minutes, field_names.events, (region_services, *cuts))
        _count(delta, minutes, field_names.visits, (regions, *cuts), recognised.visits[fresh])
        _count(delta, minutes, field_names.service_visits, (region_services,), recognised.service_visits[fresh])
        _count(delta, minutes, field_names.late, (regions,), late[fresh])
        self._members.add_users(delta, minutes, columns, recognised.rows[fresh], places)
        self._members.add_schools(delta, minutes, columns, places)


def _count(
    delta: Delta, minutes: Minutes, fields: Fields, codes: Sequence[Integers], which: Mask | None = None
) -> None:
    """Count events, or those at `which`, by minute and code; `codes` are the codes of all events, in each of the cuts of `fields`."""
    if which is not None and not which.any():
        return
    width = len(fields.names)
    keys = minutes.numbers * width + fields.begins + np.array(codes)
    counts = np.bincount((keys if which is None else keys[:, which]).ravel())
    held = nonzero(counts)
    for key, number in zip(held.tolist(), counts[held].tolist(), strict=True):
        delta.minutes[minutes.present[key // width]][fields.names[key % width]] = number
