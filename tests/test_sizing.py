"""The sizing formula: it grows as it must, says what has to be split, and docs/performance.md shows what it says."""

from dataclasses import replace
from pathlib import Path

import pytest

from streams.sizing import CONSTANTS, Demand, size_of

RECTORAT = Demand(events_per_second=2_000, events_per_day=24e6, services=26, regions=2)
FRANCE = Demand(events_per_second=36_000, events_per_day=432e6, services=26)


def test_a_rectorat_is_two_workers_and_one_redis():
    found = size_of(RECTORAT)
    assert (found.workers, found.partitions, found.redis_prefixes) == (2, 8, 1)
    assert found.redis_memory_mib < size_of(FRANCE).redis_memory_mib / 5


def test_france_fits_into_one_redis():
    found = size_of(FRANCE)
    assert found.workers <= found.partitions
    assert found.redis_cores < 1.0


def test_ten_times_france_has_to_be_split():
    found = size_of(replace(FRANCE, events_per_second=360_000, events_per_day=4.32e9))
    assert found.redis_prefixes > size_of(FRANCE).redis_prefixes
    assert found.partitions >= found.workers
    assert found.worker_cores / found.workers <= 0.5


@pytest.mark.parametrize("name", ["events_per_second", "partitions", "services", "regions"])
def test_more_never_needs_less(name):
    for factor in (2, 5, 30):
        more = replace(FRANCE, **{name: getattr(FRANCE, name) * factor})
        before, after = size_of(FRANCE), size_of(more)
        for figure in ("worker_cores", "redis_cores", "redis_memory_mib", "kafka_disk_bytes", "scrape_lines"):
            assert getattr(after, figure) >= getattr(before, figure), figure


def test_memory_grows_with_what_is_kept_and_with_services_not_with_events():
    assert size_of(replace(FRANCE, events_per_second=72_000)).redis_memory_mib == size_of(FRANCE).redis_memory_mib
    longer = size_of(replace(FRANCE, minutes_kept_hours=144)).redis_memory_mib
    assert longer == pytest.approx(2 * size_of(FRANCE).redis_memory_mib, rel=0.1)


def test_nothing_is_no_demand():
    with pytest.raises(ValueError, match="numbers above 0"):
        size_of(replace(FRANCE, events_per_second=0))


def test_every_constant_names_a_command_that_there_is():
    root = Path(__file__).resolve().parent.parent
    targets = (root / "Makefile").read_text()
    for one in CONSTANTS:
        assert one.value > 0
        if one.command.startswith("make "):
            assert f"\n{one.command.removeprefix('make ')}:" in targets, one
        else:
            module = one.command.removeprefix("python -m ").replace(".", "/")
            assert (root / f"{module}.py").is_file(), one
