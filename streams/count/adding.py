"""From columns to `Delta`s: how many events, visits and late events each minute of each partition has, in each cut."""

from collections.abc import Sequence

import numpy as np

from streams.count.columns import ColumnReader, Columns, Integers
from streams.count.delta import Field
from streams.count.grouping import Minutes
from streams.count.index import Mask, nonzero
from streams.count.members import Members, Target
from streams.count.names import FieldNames, Fields
from streams.count.recognise import Recognised


class DeltaBuilder:
    """Adds the columns of some chunks, each of another partition, to their deltas."""

    def __init__(self, names: FieldNames, reader: ColumnReader, members: Members) -> None:
        self._names = names
        self._reader = reader
        self._members = members

    def add(self, targets: Sequence[Target], columns: Columns, recognised: Recognised, late: Mask) -> None:
        """Add the events that count to the deltas of their partitions, as counts and as members of sketches."""
        fresh = nonzero(recognised.fresh)
        if not fresh.size:
            return
        columns = columns.at(fresh)
        projects, profiles, services = columns.projects, columns.profiles, columns.services
        minutes = Minutes.of(columns.ts, columns.partitions)
        places = self._reader.schools.places_of(columns.schools)
        field_names = self._names
        regions, academies = field_names.region_of_place[places], field_names.academy_of_place[places]
        region_services = regions * field_names.services + services
        profile_regions = profiles * field_names.regions + regions
        counts: list[dict[Field, int]] = [{} for _ in minutes.present]
        for (partition, minute), of_minute in zip(minutes.present, counts, strict=True):
            targets[partition].delta.minutes[minute] = of_minute
            targets[partition].delta.minute_sketches[minute] = {}

        cuts = (projects, profile_regions, academies)
        _count(counts, minutes, field_names.events, (region_services, *cuts))
        _count(counts, minutes, field_names.visits, (regions, *cuts), recognised.visits[fresh])
        _count(counts, minutes, field_names.service_visits, (region_services,), recognised.service_visits[fresh])
        _count(counts, minutes, field_names.late, (regions,), late[fresh])
        self._members.add_users(targets, minutes, columns, recognised.visitors.at(fresh), places)
        self._members.add_schools(targets, minutes, columns, places)


def _count(
    counts: Sequence[dict[Field, int]],
    minutes: Minutes,
    fields: Fields,
    codes: Sequence[Integers],
    which: Mask | None = None,
) -> None:
    """Count events, or those at `which`, by minute and code; `codes` are the codes of all events, in each of the cuts of `fields`."""
    if which is not None and not which.any():
        return
    width = len(fields.names)
    keys = minutes.numbers * width + fields.begins + np.array(codes)
    numbers = np.bincount((keys if which is None else keys[:, which]).ravel())
    held = nonzero(numbers)
    for key, number in zip(held.tolist(), numbers[held].tolist(), strict=True):
        counts[key // width][fields.names[key % width]] = number
