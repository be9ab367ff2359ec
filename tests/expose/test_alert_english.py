"""Incidents as a terminal tells them: English words, codes beside names, times in Paris with the offset."""

from typing import Any

import pytest

from streams.expose.alert_english import TerminalWords, hoped, times
from streams.expose.alert_french import Words
from streams.expose.alert_rows import alert_row
from streams.incidents import Acknowledgement, Driver, fold
from tests.incidents.storms import MINUTE_MS, alert, storm

SUMMER = 29_804_032  # epoch minute of 2026-09-01 07:52 in Paris


def test_an_alert_says_where_how_much_since_when_and_what_drives_it(catalog):
    region = alert(
        "region", region="44", start=SUMMER, expected=100.0, drivers=(Driver("44", "NOTES", None, 250.0, 60.0, 4.167),)
    )
    words = TerminalWords(catalog, 0)
    assert words.sentence(region).startswith(
        "surge, 44 Grand Est: 300 visits where 100 were expected since 2026-09-01 07:52+02:00 (x 3.0)"
    )
    assert words.sentence(region).endswith("; most of it: NOTES Notes (x 4.2)")
    over = alert("project", "silence", project="mbn", start=SUMMER, until=SUMMER + 5, end_ms=(SUMMER + 5) * MINUTE_MS)
    assert words.sentence(over).startswith("silence, mbn ")
    assert words.sentence(over).endswith(" expected from 2026-09-01 07:52+02:00 to 2026-09-01 07:57+02:00")
    assert "first: see that the portal answers" in words.explanation(over)
    # The scenario's time, in winter too.
    assert "since 2026-12-01 06:52+01:00" in TerminalWords(catalog, 91 * 86_400).sentence(region)


def test_a_storm_is_one_paragraph(catalog):
    one = fold(storm(catalog), {p.code: p.region for p in catalog.projects}, 1_013 * MINUTE_MS)[0]
    known = Acknowledgement("Claire", (SUMMER + 30) * MINUTE_MS, "", ())
    said = TerminalWords(catalog, 0).incident(one, known)
    assert said.startswith("surge, France: ")
    assert said.endswith(
        "; explains 316 other alerts: 13 regions, 13 projects, 290 services; taken in charge by Claire until 2026-09-01 08:22+02:00"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "none was"), (0.01, "almost none was"), (0.3, "0.3 were"), (9.94, "9.9 were"), (1234.5, "1,234 were")],
)
def test_few_are_never_told_as_none(value, said):
    assert hoped(value) == said


@pytest.mark.parametrize(("ratio", "said"), [(0.04, "x 0.04"), (0.96, "x 1.0"), (3.04, "x 3.0"), (500.0, "over x 100")])
def test_multiples(ratio, said):
    assert times(ratio) == said


def test_the_ratio_of_the_last_minutes_stands_beside_that_since_the_start_once_they_differ(catalog):
    words = TerminalWords(catalog, 0)
    given: dict[str, Any] = {"region": "44", "start": SUMMER, "observed_now": 50.0, "expected_now": 100.0}
    assert words.sentence(alert("region", until=SUMMER + 5, **given)).endswith("(x 3.0)")
    assert words.sentence(alert("region", until=SUMMER + 6, **given)).endswith("(x 3.0), x 0.50 in the last 5 minutes")
    assert Words(catalog, 0).sentence(alert("region", until=SUMMER + 5, **given)).endswith("(× 3,0).")
    assert (
        Words(catalog, 0)
        .sentence(alert("region", until=SUMMER + 6, **given))
        .endswith("(× 3,0), × 0,50 ces 5 dernières minutes.")
    )


def test_an_alert_of_days_says_its_days_and_since_when_its_level_is_the_new_normal(catalog):
    given: dict[str, Any] = {"region": "44", "start": SUMMER, "normal_since_ms": (SUMMER + 3 * 1440) * MINUTE_MS}
    lasting = alert("region", until=SUMMER + 4 * 1440, **given)
    over = alert("region", until=SUMMER + 4 * 1440, end_ms=(SUMMER + 4 * 1440) * MINUTE_MS, **given)
    learned = "Appris comme nouveau niveau normal depuis le vendredi 4 septembre 2026 à 07:52."
    for said in (Words(catalog, 0).sentence(lasting), Words(catalog, 0).explanation(lasting)):
        assert " depuis le mardi 1er septembre 2026 à 07:52 (" in said
        assert learned in said
    assert " du mardi 1er septembre 2026 à 07:52 au samedi 5 septembre 2026 à 07:52 (" in Words(catalog, 0).sentence(
        over
    )
    assert "learned as the new normal since 2026-09-04 07:52+02:00" in TerminalWords(catalog, 0).explanation(lasting)
    assert alert_row(lasting, Words(catalog, 0)).normal_since == "2026-09-04T05:52:00Z"
    assert "nouveau niveau" not in Words(catalog, 0).explanation(alert("region", region="44", start=SUMMER))
