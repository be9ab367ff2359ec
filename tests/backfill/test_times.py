"""Times that no log can have are refused by line."""

from pathlib import Path

from streams.history.archive import Archive
from tests.backfill.logs import backfill, event, write


def test_a_time_in_seconds_is_no_day_of_1970(tmp_path: Path) -> None:
    result = backfill(tmp_path / "archive", [write(tmp_path / "log", [event("1", 1_778_580_000, "v", project="mbn")])])
    assert result.inputs[0].rejected == {"too_old": 1}
    assert result.inputs[0].unreadable_first == [(1, "its time lies before 2000: is it in seconds? (too_old)")]
    assert not Archive(tmp_path / "archive").dates()
