"""`vigie check --project`: what each fault of a sender looks like."""

import json
from typing import Any

import pytest

from streams.audit.check import Finding, Level
from streams.audit.check_project import Looked, project_findings
from streams.audit.project import VALUES_MAX, ProjectView
from streams.catalog import Catalog
from streams.events import EventBounds
from streams.publish.producer import murmur2

NOW_MS = 1_788_242_592_345
PARTITIONS = 8
VISITOR = "9f2c1e5b7a3d4860b1c2d3e4f5061728"
HOME = (murmur2(VISITOR.encode()) & 0x7FFFFFFF) % PARTITIONS


@pytest.fixture
def view(catalog: Catalog) -> ProjectView:
    found = ProjectView("mbn", catalog, EventBounds())
    found.partitions = PARTITIONS
    return found


def add(
    view: ProjectView, number: int = 0, *, partition: int = HOME, key: bytes | None = VISITOR.encode(), **changed: Any
) -> None:
    event = {
        "v": 1,
        "id": f"e{number}",
        "ts": NOW_MS - 500,
        "project": "mbn",
        "uai": "0541234Y",
        "service": "NOTES",
        "profile": "ELEVE",
    }
    view.add(partition, NOW_MS, key, json.dumps({**event, "visitor": VISITOR, **changed}).encode())


def findings(view: ProjectView) -> list[Finding]:
    return list(project_findings(view, Looked(100, NOW_MS - 60_000, NOW_MS), 20_000))


def texts(view: ProjectView, level: Level) -> str:
    return "\n".join(f"{each.about}: {each.text}" for each in findings(view) if each.level is level)


def test_all_is_well(view: ProjectView) -> None:
    for number in range(10):
        add(view, number)
    add(view, 10, project="elyco")
    assert {each.level for each in findings(view)} == {Level.OK}
    text = texts(view, Level.OK)
    assert "events: 10 that count, 10.0 a minute, of 1 visitors" in text
    assert text.count("last: 2026-09-01 ") == 5
    assert "clock: the broker takes events 0.5 s after their ts" in text
    assert view.others == 1


def test_nothing_comes(view: ProjectView) -> None:
    add(view, project="elyco")
    view.add(0, NOW_MS, b"k", b"broken")
    assert "events: none that counts since 2026-09-01 08:02:12+02:00" in texts(view, Level.PROBLEM)
    assert "1 records name no project" in texts(view, Level.WARNING)


def test_an_unknown_project(catalog: Catalog) -> None:
    unknown = ProjectView("mbm", catalog, EventBounds())
    add(unknown, project="mbm")
    assert "mbm is not in projects.yaml" in texts(unknown, Level.PROBLEM)
    assert "send the id that is there. Is it mbn?" in texts(unknown, Level.PROBLEM)
    assert "Is it mbn?" in texts(ProjectView("MBN ", catalog, EventBounds()), Level.PROBLEM)
    assert "Is it" not in texts(ProjectView("quelque chose", catalog, EventBounds()), Level.PROBLEM)


def test_rejects_with_a_sample_and_the_decoders_word(view: ProjectView) -> None:
    add(view, ts=str(NOW_MS))
    add(view, ts=NOW_MS - 72 * 3_600_000)
    add(view, ts=NOW_MS - 73 * 3_600_000)
    text = texts(view, Level.PROBLEM)
    assert "rejected: too_old: 2, for instance {" in text
    assert "ill_typed: 1" in text
    assert "Expected `int`, got `str` - at `$.ts`" in text


def test_unknown_codes_are_named_and_bounded(view: ProjectView) -> None:
    for number in range(VALUES_MAX + 50):
        add(view, number, service=f"S{number}", profile=None, uai="0541234Z\n")
    text = texts(view, Level.WARNING)
    assert "service: 550 events (100.0%) count under INCONNU: (others) (50), S0 (1)" in text
    assert "profile: 550 events (100.0%) count under INCONNU: (absent) (550)" in text
    assert r'"0541234Z\n" (550)' in text, "in quotes, where an end would not show"


@pytest.mark.parametrize(("behind_ms", "word"), [(-3000, "NTP"), (25_000, "is late")])
def test_clocks(view: ProjectView, behind_ms: int, word: str) -> None:
    for number in range(20):
        add(view, number, ts=NOW_MS - behind_ms)
    assert word in texts(view, Level.WARNING)


def test_repeats_and_those_that_count_twice(view: ProjectView) -> None:
    for number in (1, 2, 3, 1, 1):
        add(view, number)
    assert "repeats: 2 repeats of an id (40.0%), removed: is one id given to several events?" in texts(
        view, Level.WARNING
    )
    add(view, 1, partition=(HOME + 1) % PARTITIONS)
    assert "1 repeats of an id lie in another partition, and count twice, for instance id e1" in texts(
        view, Level.PROBLEM
    )


def test_keys(view: ProjectView) -> None:
    add(view, 1, key=None)
    add(view, 2, key=b"another")
    add(view, 3, partition=(HOME + 1) % PARTITIONS)
    add(view, 4, visitor="31415", key=b"31415", partition=(murmur2(b"31415") & 0x7FFFFFFF) % PARTITIONS)
    text = texts(view, Level.PROBLEM)
    assert "1 events have no key" in text
    assert "1 events have another key than their visitor, for instance key another" in text
    assert "1 events lie in the wrong partition" in text
    assert "partitioner=murmur2_random" in text
    assert "visitor that may be a name, a login or a number" in texts(view, Level.WARNING)
