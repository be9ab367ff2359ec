"""Minutes as rows: every grouping adds up to the same total, whatever Redis holds."""

import pytest

from streams.expose.codes import Codes
from streams.expose.minutes_query import GROUPINGS, minute_rows, read_question
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
    ("v", "44"): 5,
    ("v", "11"): 3,
    ("v", "GONE"): 1,
    ("vp", "mbn"): 9,
    ("vf", "ELEVE", "44"): 5,
    ("vf", "ELEVE", "11"): 4,
    ("va", "INCONNU"): 9,
    ("vs", "44", "NOTES"): 3,
    ("vs", "44", "CAHIER_TEXTES"): 5,
    ("vs", "11", "NOTES"): 4,
}


@pytest.fixture(scope="module")
def codes(catalog):
    return Codes.of(catalog)


def rows(codes, by, settled_ms=None, counts=COUNTS, users=None, measure=None):
    question = read_question(None, None, by, measure)
    return minute_rows(MinuteCounts(MINUTE, counts), question, codes, settled_ms, users)


def test_the_default_rows_are_sorted_and_carry_every_member(codes):
    found = rows(codes, "region,service", settled_ms=(MINUTE + 1) * 60_000)
    assert list(found[0]) == ["minute", "region", "service", "events", "visits", "settled"]
    assert found == [
        {
            "minute": "2026-09-01T06:03:00Z",
            "region": region,
            "service": service,
            "events": events,
            "visits": visits,
            "settled": True,
        }
        for region, service, events, visits in [
            ("11", "INCONNU", 2, 0),
            ("11", "NOTES", 4, 4),
            ("44", "CAHIER_TEXTES", 12, 5),
            ("44", "NOTES", 3, 3),
            ("INCONNU", "NOTES", 6, 0),  # with the region that config/ no longer lists
        ]
    ]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("region", [("11", 6, 3), ("44", 15, 5), ("INCONNU", 6, 1)]),
        # By service the visits are those of the service, over all regions: 12 although only 9 visits began.
        ("service", [("CAHIER_TEXTES", 12, 5), ("INCONNU", 2, 0), ("NOTES", 13, 7)]),
        ("project", [("INCONNU", 7, 0), ("mbn", 20, 9)]),
        ("profile", [("ELEVE", 19, 9), ("INCONNU", 8, 0)]),
        ("academy", [("INCONNU", 27, 9)]),
    ],
)
def test_by_one_member(codes, by, expected):
    assert [(row[by], row["events"], row["visits"]) for row in rows(codes, by)] == expected


def test_the_national_total_has_no_code(codes):
    assert rows(codes, "none", users={"": 11}) == [
        {"minute": "2026-09-01T06:03:00Z", "events": 27, "visits": 9, "users": 11, "settled": False}
    ]


@pytest.mark.parametrize("by", GROUPINGS)
def test_every_grouping_adds_up_to_the_same_total(codes, by):
    assert sum(row["events"] for row in rows(codes, by)) == 27
    if GROUPINGS[by].adds_up("visits"):
        assert sum(row["visits"] for row in rows(codes, by)) == 9


def test_users_are_a_member_where_their_sketches_are_held(codes):
    found = rows(codes, "region", users={"44": 9, "11": 4, "INCONNU": 2})
    assert [(row["region"], row["users"]) for row in found] == [("11", 4), ("44", 9), ("INCONNU", 2)]
    assert list(found[0]) == ["minute", "region", "events", "visits", "users", "settled"]
    assert all("users" not in row for row in rows(codes, "region", users=None))
    few = rows(codes, "region", users={"44": 9, "11": None})
    assert [(row["region"], row["users"]) for row in few] == [("11", None), ("44", 9), ("INCONNU", 0)]
    assert [row["users"] for row in rows(codes, "region", users={"11": None}, measure="users")] == [None]
    assert rows(codes, "region", users=None, measure="users") == []


def test_one_measure_alone(codes):
    found = rows(codes, "region", users={"44": 9}, measure="visits")
    assert [(row["region"], row["visits"]) for row in found] == [("11", 3), ("44", 5), ("INCONNU", 1)]
    assert set(found[0]) == {"minute", "region", "visits", "settled"}
    assert [row["users"] for row in rows(codes, "region", users={"44": 9}, measure="users")] == [9]
    # A row of zero is one in which nothing that was asked for is.
    assert [row["service"] for row in rows(codes, "service", measure="visits")] == ["CAHIER_TEXTES", "NOTES"]


@pytest.mark.parametrize(
    ("settled_ms", "settled"),
    [(None, False), ((MINUTE + 1) * 60_000 - 1, False), ((MINUTE + 1) * 60_000, True)],
)
def test_a_minute_is_settled_when_its_end_is(codes, settled_ms, settled):
    assert {row["settled"] for row in rows(codes, "region", settled_ms)} == {settled}


def test_rows_of_zero_are_left_out(codes):
    assert rows(codes, "none", counts={("l", "44"): 1}) == []
    assert rows(codes, "region", counts={("e", "44", "NOTES"): 0}) == []
