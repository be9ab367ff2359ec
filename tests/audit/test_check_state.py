"""What Redis holds, judged without servers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from streams.audit.check import Finding, Level, check_calendar, check_state, guarded
from streams.catalog import Catalog
from streams.errors import ServerError
from streams.live import Snapshot
from streams.live.keys import LAYOUT
from streams.topics import TopicFacts

TOPIC = TopicFacts("visits", "id-1", 8, {})


@pytest.fixture
def sound(catalog: Catalog) -> Snapshot:
    return Snapshot(1, LAYOUT, catalog.digest, "id-1", None, 8, None, {}, {}, {}, {})


def levels(findings: Iterator[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def test_sound_and_empty(catalog: Catalog, sound: Snapshot) -> None:
    assert levels(check_state(sound, catalog, TOPIC)) == [Level.OK]
    empty = replace(sound, layout=None, catalog=None, topic_id=None)
    assert levels(check_state(empty, catalog, TOPIC)) == [Level.OK]


@pytest.mark.parametrize(
    ("change", "level", "word"),
    [
        ({"layout": "0"}, Level.PROBLEM, "layout 0"),
        ({"topic_id": "id-0"}, Level.PROBLEM, "created anew"),
        ({"mark": "3 10 20"}, Level.PROBLEM, "only in part"),
        ({"catalog": "other"}, Level.WARNING, "other lists"),
    ],
)
def test_what_cannot_be_continued_is_said(
    catalog: Catalog, sound: Snapshot, change: dict[str, str], level: Level, word: str
) -> None:
    findings = list(check_state(replace(sound, **change), catalog, TOPIC))  # type: ignore[arg-type]
    assert findings[0].level is level
    assert word in findings[0].text
    assert (Level.OK in levels(iter(findings))) is (level is Level.WARNING)


def test_what_is_unknown_is_not_judged(sound: Snapshot) -> None:
    assert levels(check_state(replace(sound, topic_id="id-0", catalog="x"), None, None)) == [Level.OK]


def test_an_error_is_the_last_finding() -> None:
    def look() -> Iterator[Finding]:
        yield Finding(Level.OK, "kafka", "answers")
        raise ServerError("gone: start it")

    assert guarded("kafka", look) == [
        Finding(Level.OK, "kafka", "answers"),
        Finding(Level.PROBLEM, "kafka", "gone: start it"),
    ]


def test_regions_without_dates_of_school_are_named() -> None:
    assert check_calendar([]).level is Level.OK
    found = check_calendar(["Corse", "Mayotte"])
    assert found.level is Level.WARNING
    assert "Corse, Mayotte: the end of holidays" in found.text
