"""What is kept has an end, which settings say, `vigie check` holds topics to, and who keeps it sees to."""

import os
from pathlib import Path

import pytest

from streams.edges import topic_designs
from streams.errors import SettingsError
from streams.publish.mark import MARK_SUFFIX
from streams.publish.resume import remove_old_marks
from streams.settings import load_settings
from streams.topics import TopicDesign, TopicFacts, topic_warnings

DESIGN = TopicDesign("visits", 8, 1, 1, 168, retention_hours_max=336)
HOUR_MS = 3_600_000


def warnings(retention_hours: float, segment_hours: float = 24, design: TopicDesign = DESIGN) -> list[str]:
    configs = {
        "retention.ms": f"{int(retention_hours * HOUR_MS) if retention_hours >= 0 else -1}",
        "segment.ms": f"{int(segment_hours * HOUR_MS)}",
    }
    return topic_warnings(TopicFacts("visits", "id", 8, configs), design)


def test_a_topic_that_keeps_events_too_long_is_said_with_the_command() -> None:
    assert warnings(168) == warnings(312) == []
    (long,) = warnings(337)
    assert "keeps personal data for 337 h, the settings say 336 h at most" in long
    assert long.endswith("--add-config retention.ms=1209600000")
    assert "for ever" in warnings(-1)[0]
    # Kafka removes whole segments.
    (rolled,) = warnings(200, segment_hours=168)
    assert "for 368 h where little is sent" in rolled
    assert rolled.endswith(f"segment.ms={136 * HOUR_MS}")
    assert warnings(-1, design=TopicDesign("visits", 8, 1, 1, 168)) == []


def test_a_new_topic_is_within_the_bounds() -> None:
    for design in topic_designs(load_settings()):
        configs = {**design.configs(), "segment.ms": str(168 * HOUR_MS)}  # Kafka's own default
        assert topic_warnings(TopicFacts(design.name, "id", 8, configs), design) == []


@pytest.mark.parametrize("name", ["topic_retention_hours_max", "rejected_retention_hours_max"])
def test_a_maximum_below_the_minimum_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is below topic_retention_hours"):
        load_settings(**{name: 100})


def test_marks_of_other_files_are_removed_when_they_are_due(tmp_path: Path) -> None:
    def mark(name: str, age_seconds: float) -> Path:
        path = tmp_path / f"{name}{MARK_SUFFIX}"
        path.write_text("{}")
        os.utime(path, (1_000_000 - age_seconds,) * 2)
        return path

    own, old, young = mark("own.log", 500), mark("old.log", 101), mark("young.log", 99)
    other = tmp_path / "old.log"
    other.write_text("kept")
    os.utime(other, (0, 0))
    link = tmp_path / f"link{MARK_SUFFIX}"
    link.symlink_to(other)
    assert remove_old_marks(tmp_path, 1_000_000 - 100, but=own) == 1
    assert sorted(tmp_path.iterdir()) == sorted([own, young, other, link])
    assert not old.exists()
    assert remove_old_marks(tmp_path / "nowhere", 1_000_000, but=own) == 0
