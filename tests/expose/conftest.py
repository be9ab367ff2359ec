"""Values that the tests of this room share."""

from collections.abc import Callable
from typing import Any

import pytest

from streams.catalog import Catalog, load_catalog
from streams.count import Cut, Field, PartitionState
from streams.events import Reason
from streams.expose.codes import Codes
from streams.expose.page.minutes_read import MinuteFigures
from streams.expose.page.picture import Flow, Picture
from streams.live import Distinct, Heartbeat, MinuteCounts, Snapshot
from streams.live.keys import LAYOUT
from streams.observe import Census
from streams.settings import default_config_dir
from streams.small_numbers import SmallNumbers

NOW_MS = 1_788_242_592_345


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(default_config_dir())


@pytest.fixture(scope="session")
def totals() -> dict[Field, int]:
    """Some of every cut; as from Redis, all strings."""
    return {
        ("e", "44", "CAHIER_TEXTES"): 12,
        ("e", "44", "INCONNU"): 3,
        ("e", "GONE", "CAHIER_TEXTES"): 5,  # a region that config/ no longer lists
        ("e", "11", "GONE"): 7,
        ("p", "mbn"): 15,
        ("p", "GONE"): 12,
        ("f", "ELEVE", "44"): 15,
        ("f", "GONE", "GONE"): 12,
        ("a", "INCONNU"): 27,
        ("l", "44"): 2,
        ("r", Reason.NOT_JSON.value): 4,
        ("k", Reason.NOT_JSON.value): 1,
        (Cut.LOST.value,): 9,
        (Cut.DUPLICATE.value,): 6,
        ("v", "44"): 5,
        ("v", "GONE"): 2,
        ("vp", "mbn"): 7,
        ("vf", "ELEVE", "44"): 5,
        ("vf", "GONE", "GONE"): 2,
        ("va", "INCONNU"): 7,
        ("vs", "44", "CAHIER_TEXTES"): 6,
        ("vs", "44", "GONE"): 3,
    }


@pytest.fixture
def census() -> Census:
    """As of settled time of the snapshot below; as from Redis, without zeros."""
    five: Distinct[int | None] = Distinct(9, {"44": 7, "04": None}, {"12": 7}, {"mbn": 9})
    fifteen: Distinct[int | None] = Distinct(12, {"44": 9, "04": None}, {"12": 8, "INCONNU": None}, {"mbn": 12})
    day: Distinct[int | None] = Distinct(400, {"44": 390, "04": 30})
    return Census(
        (NOW_MS - 21_000) // 60_000,
        {"5m": five, "15m": fifteen, "day": day},
        Distinct(3, {"44": 3}, {}, {"mbn": 3}),
        SmallNumbers(5),
    )


@pytest.fixture
def make_snapshot(catalog: Catalog, totals: dict[Field, int]) -> Callable[..., Snapshot]:
    """A sound snapshot of two partitions, one of them 5 behind; keyword arguments replace its parts."""

    def make(**changes: Any) -> Snapshot:
        beats = {
            0: Heartbeat(
                "worker-a", 71, 8001, 110, 115, 1.5, NOW_MS - 300, NOW_MS - 300, None, None, 780_000, 2_100_000
            ),
            1: Heartbeat(
                "worker-b", 72, 8002, 60, 60, 0.0, NOW_MS - 200, NOW_MS - 200, NOW_MS - 9_000, None, 720_500, 2_050_000
            ),
        }
        parts: dict[str, Any] = {
            "now_ms": NOW_MS,
            "layout": LAYOUT,
            "catalog": catalog.digest,
            "topic_id": "T",
            "mark": None,
            "partitions": 2,
            "settled_ms": NOW_MS - 21_000,
            "offsets": {
                0: PartitionState(110, NOW_MS - 1_000, NOW_MS - 21_000),
                1: PartitionState(60, NOW_MS - 9_000, NOW_MS - 29_000),
            },
            "first_offsets": {0: 0, 1: 0},
            "heartbeats": beats,
            "totals": totals,
        }
        return Snapshot(**{**parts, **changes})

    return make


def _figures(catalog: Catalog, scale: int = 1) -> MinuteFigures:
    counts = {
        ("e", "44", "NOTES"): 20 * scale,
        ("e", "11", "PAGE_ENT"): 10 * scale,
        ("e", "GONE", "NOTES"): 1,
        ("v", "44"): 6 * scale,
        ("v", "11"): 4 * scale,
        ("vs", "44", "CAHIER_TEXTES"): 5 * scale,
        ("vs", "11", "PAGE_ENT"): 3 * scale,
        ("p", "mbn"): 20 * scale,
        ("vp", "mbn"): 6 * scale,
        ("a", "12"): 20 * scale,
        ("va", "12"): 6 * scale,
        ("l", "44"): 1,
    }
    return MinuteFigures.of(MinuteCounts(0, counts), Codes.of(catalog))


@pytest.fixture
def picture(catalog: Catalog, make_snapshot: Callable[..., Snapshot], census: Census) -> Picture:
    """Ten settled minutes and one that runs."""
    snapshot = make_snapshot()
    assert snapshot.settled_ms is not None
    last = snapshot.settled_ms // 60_000 - 1
    minutes = {m: _figures(catalog) for m in range(last - 9, last + 1)} | {last + 1: _figures(catalog, 2)}
    return Picture(7, 3, snapshot.now_ms, snapshot, None, census, minutes, last - 9, {"mbn": last, "atrium": last - 40},
                   Flow(60.0, 6000, 12, 30, 3), snapshot.settled_ms)  # fmt: skip
