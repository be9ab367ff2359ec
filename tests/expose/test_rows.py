"""Minutes as rows: every grouping adds up to the same total, whatever Redis holds."""

from __future__ import annotations

import pytest

from streams.expose.codes import Codes
from streams.expose.question import GROUPINGS
from streams.expose.rows import minute_rows
from streams.live import MinuteCounts

MINUTE = 1_788_242_580 // 60
COUNTS = {
    ("e", "44", "NOTES"): 3,
    ("e", "44", "CAHIER_TEXTES"): 12,
    ("e", "11", "NOTES"): 4,
    ("e", "GONE", "NOTES"): 5,
    ("e", "INCONNU", "NOTES"): 1,
    ("e", "11", "GONE"): 2,
    ("p", "mbn"): 20,
    ("p", "GONE"): 7,
    ("f", "ELEVE", "44"): 15,
    ("f", "ELEVE", "11"): 4,
    ("f", "GONE", "11"): 8,
    ("a", "INCONNU"): 27,
    ("l", "44"): 6,
}


@pytest.fixture(scope="module")
def codes(catalog):
    return Codes.of(catalog)


def rows(codes, by, settled_ms=None, counts=COUNTS):
    return minute_rows(MinuteCounts(MINUTE, counts), GROUPINGS[by], codes, settled_ms)


def test_the_default_rows_are_sorted_and_carry_every_member(codes):
    assert rows(codes, "region,service", settled_ms=(MINUTE + 1) * 60_000) == [
        {"minute": "2026-09-01T06:03:00Z", "region": region, "service": service, "events": n, "settled": True}
        for region, service, n in [
            ("11", "INCONNU", 2),
            ("11", "NOTES", 4),
            ("44", "CAHIER_TEXTES", 12),
            ("44", "NOTES", 3),
            ("INCONNU", "NOTES", 6),  # with the region that config/ no longer lists
        ]
    ]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("region", [("11", 6), ("44", 15), ("INCONNU", 6)]),
        ("service", [("CAHIER_TEXTES", 12), ("INCONNU", 2), ("NOTES", 13)]),
        ("project", [("INCONNU", 7), ("mbn", 20)]),
        ("profile", [("ELEVE", 19), ("INCONNU", 8)]),
        ("academy", [("INCONNU", 27)]),
    ],
)
def test_sums_by_one_member(codes, by, expected):
    assert [(row[by], row["events"]) for row in rows(codes, by)] == expected


def test_the_national_total_has_no_code(codes):
    assert rows(codes, "none") == [{"minute": "2026-09-01T06:03:00Z", "events": 27, "settled": False}]


@pytest.mark.parametrize("by", GROUPINGS)
def test_every_grouping_adds_up_to_the_same_total(codes, by):
    assert sum(row["events"] for row in rows(codes, by)) == 27


@pytest.mark.parametrize(
    ("settled_ms", "settled"),
    [(None, False), ((MINUTE + 1) * 60_000 - 1, False), ((MINUTE + 1) * 60_000, True)],
)
def test_a_minute_is_settled_when_its_end_is(codes, settled_ms, settled):
    assert {row["settled"] for row in rows(codes, "region", settled_ms)} == {settled}


def test_rows_of_zero_are_left_out(codes):
    assert rows(codes, "none", counts={("l", "44"): 1}) == []
    assert rows(codes, "region", counts={("e", "44", "NOTES"): 0}) == []
