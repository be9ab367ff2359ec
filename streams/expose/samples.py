"""From one snapshot of Redis to Prometheus families. Pure; every closed list is filled with zeros, what is unknown is absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from prometheus_client.metrics_core import Metric as Family

from streams import __version__, metrics
from streams.catalog import Catalog
from streams.count import Cut, Field
from streams.events import Reason
from streams.expose.codes import Codes
from streams.expose.families import Row, family, info_family, stamped_family
from streams.live import MinuteCounts, Snapshot
from streams.live.keys import LAYOUT
from streams.observe import partitions_unowned, settling


@dataclass(frozen=True, slots=True)
class Lists:
    """The closed lists as labels: made once a process. `pairs` are all (region, service), with their label dictionary."""

    catalog: Catalog
    codes: Codes
    pairs: Mapping[tuple[str, ...], dict[str, str]]

    @classmethod
    def of(cls, catalog: Catalog) -> Lists:
        """The lists of a catalog."""
        pairs = product(catalog.region_codes, catalog.service_codes)
        return cls(catalog, Codes.of(catalog), {pair: {"region": pair[0], "service": pair[1]} for pair in pairs})


def redis_up(up: bool) -> Family:
    """Whether this observer reads Redis; the only family that is always there."""
    return family(metrics.REDIS_UP, [((), int(up))])


def snapshot_families(snapshot: Snapshot, lists: Lists, lateness_ms: int) -> Iterator[Family]:
    """All families but the minutes and `ent_redis_up`."""
    catalog = lists.catalog
    yield from _counter_families(snapshot.totals, lists)
    if snapshot.settled_ms is not None:
        yield family(metrics.SETTLED, [((), snapshot.settled_ms / 1000)])
    yield family(metrics.SETTLING_STALE, [((), len(settling(snapshot, lateness_ms).stale))])
    yield family(metrics.PARTITIONS_UNOWNED, [((), len(partitions_unowned(snapshot)))])
    lags = lag_events(snapshot)
    yield family(metrics.LAG_EVENTS, [((str(number),), lag) for number, lag in lags.items() if lag is not None])
    mismatch = snapshot.catalog is not None and snapshot.catalog != catalog.digest
    yield family(metrics.CATALOG_MISMATCH, [((), int(mismatch))])
    yield info_family(metrics.OBSERVER_BUILD, (__version__, LAYOUT, catalog.digest))


def _counter_families(totals: Mapping[Field, int], lists: Lists) -> Iterator[Family]:
    catalog, fold = lists.catalog, lists.codes.fold
    regions = catalog.region_codes
    yield family(metrics.EVENTS, _filled(lists.pairs, fold(Cut.EVENTS, totals)))
    yield family(metrics.PROJECT_EVENTS, _filled(_singles(catalog.project_codes), fold(Cut.PROJECT, totals)))
    yield family(metrics.PROFILE_EVENTS, _filled(product(catalog.profile_codes, regions), fold(Cut.PROFILE, totals)))
    yield family(metrics.ACADEMY_EVENTS, _filled(_singles(catalog.academy_codes), fold(Cut.ACADEMY, totals)))
    yield family(metrics.REJECTED, [((why.value,), totals.get((Cut.REJECTED, why), 0)) for why in Reason])
    yield family(metrics.REJECTS_NOT_KEPT, [((why.value,), totals.get((Cut.NOT_KEPT, why), 0)) for why in Reason])
    yield family(metrics.LATE, _filled(_singles(regions), fold(Cut.LATE, totals)))
    yield family(metrics.LOST, [((), totals.get((Cut.LOST,), 0))])


def _singles(codes: Sequence[str]) -> Iterator[tuple[str]]:
    return ((code,) for code in codes)


def _filled(
    listed: Iterator[tuple[str, ...]] | Mapping[tuple[str, ...], object], counts: Mapping[tuple[str, ...], int]
) -> list[Row]:
    rows: list[Row] = [(codes, counts.get(codes, 0)) for codes in listed]
    assert sum(number for _codes, number in rows) == sum(counts.values()), "a total must be the sum of its parts"
    return rows


def lag_events(snapshot: Snapshot) -> dict[int, int | None]:
    """Return by partition how many offsets Kafka holds that are not counted; None where no live worker says where Kafka's log ends."""
    unowned = set(partitions_unowned(snapshot))
    lags: dict[int, int | None] = {}
    for number in range(snapshot.partitions):
        beat, state = snapshot.heartbeats.get(number), snapshot.offsets.get(number)
        if beat is None or beat.log_end is None or number in unowned:
            lags[number] = None
        else:
            position = state.next_offset if state is not None else beat.position
            lags[number] = max(0, beat.log_end - position)
    return lags


def minute_families(minutes: Sequence[MinuteCounts], lists: Lists) -> Iterator[Family]:
    """The time-stamped minutes, every region and service of each, zeros included. `minutes` are oldest first.

    Later measures of a minute (visits) are further families here.
    """
    if not minutes:
        return
    folded = [(minute.minute * 60, lists.codes.fold(Cut.EVENTS, minute.counts)) for minute in minutes]
    yield stamped_family(
        metrics.MINUTE_EVENTS,
        (
            (labels, [(second, counts.get(pair, 0)) for second, counts in folded])
            for pair, labels in lists.pairs.items()
        ),
    )
