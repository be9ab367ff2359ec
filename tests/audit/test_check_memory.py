"""`vigie check` on what Redis may hold."""

import pytest

from streams.audit.check import SKETCHES_BYTES, memory_needed_bytes, memory_problem
from streams.catalog import load_catalog
from streams.live import RedisFacts
from streams.settings import default_config_dir

MIB = 1 << 20


def facts(maxmemory_mib: int, used_mib: int = 1) -> RedisFacts:
    return RedisFacts("7.0.15", True, maxmemory_mib * MIB, "noeviction", used_bytes=used_mib * MIB)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (facts(0), "maxmemory is not set"),
        (facts(799), "maxmemory is 799 MiB; these lists and minutes_kept_hours take up to 800 MiB: raise it"),
        (facts(800, 641), "holds 641 MiB of a maxmemory of 800 MiB"),
        (facts(800, 640), None),
        (facts(10_000), None),
    ],
)
def test_what_will_not_fit_is_told(found: RedisFacts, said: str | None) -> None:
    problem = memory_problem(found, 800 * MIB)
    assert said in (problem or "") if said else problem is None


def test_without_lists_only_the_bound_itself_is_looked_at() -> None:
    assert "take up to" not in (memory_problem(facts(0), None) or "")
    assert memory_problem(facts(1), None) is not None  # 1 MiB of 1 MiB
    assert memory_problem(facts(2), None) is None


def test_the_shipped_bound_holds_the_shipped_lists() -> None:
    catalog = load_catalog(default_config_dir())
    needed = memory_needed_bytes(catalog, 72)
    assert needed == len(catalog.regions) * len(catalog.services) * 230 * 72 * 60 + SKETCHES_BYTES
    assert memory_problem(facts(1300), needed) is None  # docker-compose.yml
    assert "2gb" in (default_config_dir().parent / "deploy" / "redis" / "redis.conf").read_text()
    assert (
        1_800 * MIB < 18 * 100 * 230 * 72 * 60 * 1.1 < 2048 * MIB
    )  # what redis.conf says of 18 regions and 100 services
