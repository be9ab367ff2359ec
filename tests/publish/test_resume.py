"""Resume marks: what of a file is sent by each of several runs, whatever happened to the file in between; no broker."""

import gzip
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.errors import InputError
from streams.publish.lines import LineSample
from streams.publish.mark import MARKS_MAX, UNREADABLE_OPEN_MAX, MarkFile
from streams.publish.opening import open_events
from tests.publish.runs import Ents, events, write


@pytest.fixture
def ents() -> Ents:
    return Ents()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "access.log", events(0, 1000))


def test_what_grew_goes_on(ents: Ents, log: Path) -> None:
    assert len(ents.run(log)) == 1000
    assert ents.run(log) == []
    assert ents.said == [
        "access.log: 1,000 lines were dealt with before (access.log.vigie-mark): 1,000 delivered, 0 skipped"
    ]
    write(log, events(0, 1003))
    assert ents.run(log) == events(1000, 3)
    assert ents.run(log) == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_last_line_that_gets_its_newline_later_is_the_same_line(ents: Ents, log: Path, end: bytes) -> None:
    write(log, events(0, 3), end=b"")
    assert len(ents.run(log)) == 3
    with log.open("ab") as file:
        file.write(end)
    assert ents.run(log) == []
    with log.open("ab") as file:
        file.write(events(3, 1)[0])
    assert ents.run(log) == events(3, 1)


def test_a_last_line_that_is_not_yet_an_event_is_read_again(ents: Ents, log: Path) -> None:
    log.write_bytes(b'{"id":"0"}\n{"id":')
    assert ents.run(log) == [b'{"id":"0"}']
    assert (ents.run(log), ents.unreadable) == ([], 1)
    log.write_bytes(b'{"id":"0"}\n{"id":"1"}')
    assert ents.run(log) == [b'{"id":"1"}']
    log.write_bytes(b'{"id":"0"}\n{"id":"1"}\n   ')
    assert ents.run(log) == []
    log.write_bytes(b'{"id":"0"}\n{"id":"1"}\n   {"id":"2"}\n')
    assert ents.run(log) == [b'   {"id":"2"}']


def changed(lines: list[bytes], what: Callable[[list[bytes]], object]) -> list[bytes]:
    copy = list(lines)
    what(copy)
    return copy


CHANGES: dict[str, Callable[[list[bytes]], object]] = {
    "mended in the middle": lambda lines: lines.__setitem__(500, b'{"id":"mended"}'),
    "mended at the beginning": lambda lines: lines.__setitem__(0, b'{"id":"mended"}'),
    "mended at the end": lambda lines: lines.__setitem__(-1, b'{"id":"mended"}'),
    "a line taken out": lambda lines: lines.pop(3),
    "a line put in": lambda lines: lines.insert(3, b'{"id":"new"}'),
    "the beginning cut off": lambda lines: lines.__delitem__(slice(0, 990)),
    "the end cut off": lambda lines: lines.__delitem__(slice(10, None)),
    "all but one in the middle cut off": lambda lines: lines.__setitem__(slice(None), [lines[-1]]),
    "new lines in front": lambda lines: lines.__setitem__(slice(0, 0), events(5000, 200)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_file_that_was_changed_is_refused_and_again_sends_it_knowingly(ents: Ents, log: Path, what: str) -> None:
    ents.run(log)
    lines = changed(events(0, 1000), CHANGES[what])
    write(log, lines)
    with pytest.raises(
        InputError, match=r"Nothing was sent\. .* --again to send everything once more: what Kafka took less"
    ):
        ents.run(log)
    assert ents.arrived.total() == 1000
    assert len(ents.run(log, again=True)) == len(lines)
    assert ents.run(log) == [], "and goes on from there"


def test_another_order_of_the_same_lines_is_nothing_new(ents: Ents, log: Path) -> None:
    ents.run(log)
    write(log, reversed(events(0, 1000)))
    assert ents.run(log) == []


def test_a_refusal_names_what_is_wrong(ents: Ents, log: Path, tmp_path: Path) -> None:
    ents.run(log)
    write(log, events(0, 999))
    with pytest.raises(InputError, match=r"access\.log has 999 lines, and 1,000 were published .*: lines were cut out"):
        ents.run(log)
    write(log, [b'{"id":"x"}', *events(1, 999)])
    with pytest.raises(InputError, match="was changed within the 1,000 lines that were published"):
        ents.run(log)
    both = write(tmp_path / "both.log", events(2000, 20) + events(0, 1000))
    with pytest.raises(
        InputError, match=r"holds lines that were published from access\.log, but does not begin with all"
    ):
        ents.run(both)


# --- rotation, copies, names


def test_a_log_is_rotated_by_renaming(ents: Ents, log: Path) -> None:
    ents.run(log)
    with log.open("ab") as file:
        file.write(b"\n".join(events(1000, 5)) + b"\n")
    old = log.with_name("access.log.1")
    log.rename(old)
    write(log, events(3000, 10))
    assert ents.run(log) == events(3000, 10)
    assert "is another file than the one of which 1,000 lines were published under this name" in ents.said[0]
    assert "Publish the rotated file, too" in ents.said[0]
    assert ents.run(old) == events(1000, 5), "though its mark bears the other name, and speaks of the new file first"
    assert "access.log.vigie-mark: it is the same file under another name" in ents.said[0]
    packed = old.with_name("access.log.2.gz")
    packed.write_bytes(gzip.compress(old.read_bytes(), mtime=0))
    assert ents.run(packed) == []
    assert max(ents.arrived.values()) == 1


def test_a_log_is_copied_and_truncated(ents: Ents, log: Path) -> None:
    ents.run(log)
    with log.open("ab") as file:
        file.write(events(1000, 1)[0] + b"\n")
    copy = log.with_name("access.log.1")
    shutil.copy(log, copy)
    os.truncate(log, 0)
    assert (ents.run(log), ents.said) == ([], [])
    write(log, events(3000, 1))
    assert ents.run(log) == events(3000, 1)
    assert ents.run(copy) == events(1000, 1)


def test_the_same_name_for_many_days(ents: Ents, log: Path) -> None:
    for day in range(3 * MARKS_MAX):
        write(log, events(10_000 * day, 50))
        assert len(ents.run(log)) == 50
        assert ents.run(log) == []
    assert len(MarkFile(log).read()) == MARKS_MAX


def test_a_link_shares_the_mark_of_its_file(ents: Ents, log: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "current.log"
    link.symlink_to(log)
    assert len(ents.run(link)) == 1000
    assert ents.run(log) == []
    assert list(link.parent.iterdir()) == [link]


def test_a_line_that_the_sender_repeated_is_no_sign_of_a_changed_file(ents: Ents, log: Path) -> None:
    ents.run(log)
    log.rename(log.with_name("access.log.1"))
    write(log, [events(999, 1)[0], *events(3000, 500)])
    assert len(ents.run(log)) == 501
    write(log, [events(999, 1)[0], *events(3000, 500), events(3000, 1)[0], events(4000, 1)[0]])
    assert len(ents.run(log)) == 2


def test_one_line_in_common_of_two_short_logs_is_no_sign_of_a_changed_file(ents: Ents, log: Path) -> None:
    shared = events(10, 1)[0]
    write(log, [events(0, 1)[0], shared, events(1, 1)[0]])
    ents.run(log)
    log.rename(log.with_name("access.log.1"))
    write(log, [shared, events(20, 1)[0]])
    assert len(ents.run(log)) == 2
    write(log, [shared, events(20, 60)[0], *events(21, 59)])
    assert len(ents.run(log)) == 59
    # A file of nothing but a line that was published is that file, cut.
    write(log, [events(70, 1)[0]])
    with pytest.raises(InputError, match="lines were cut out of it"):
        ents.run(log)


def test_files_put_together_are_refused_behind_what_fits(ents: Ents, log: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "b.log", events(5000, 100))
    ents.run(log)
    ents.run(other)
    both = write(tmp_path / "both.log", events(0, 1000) + events(5000, 100))
    with pytest.raises(InputError, match=r"from b\.log"):
        ents.run(both)


# --- lines that were not delivered


def test_lines_that_were_not_delivered_stay_open_and_are_told_by_every_run(ents: Ents, log: Path) -> None:
    lines = events(0, 100)
    lines[10], lines[20], lines[99] = b"broken", b"[]", b"broken too"
    ents.refused = {lines[50], lines[51]}
    write(log, lines)
    assert (len(ents.run(log)), ents.unreadable) == (97, 3)
    for _ in range(2):
        assert (ents.run(log), ents.unreadable) == (lines[50:52], 3)
        assert "100 lines were dealt with before" in ents.said[0]
        assert "95 delivered, 0 skipped, 5 not delivered, which are tried again" in ents.said[0]
    ents.refused = set()
    write(log, [*lines, *events(100, 1)])
    assert ents.run(log) == [*lines[50:52], *events(100, 1)]
    lines[20] = b'{"id":"mended"}'
    write(log, [*lines, *events(100, 1)])
    assert (ents.run(log), ents.unreadable) == ([lines[20]], 2)
    write(log, [line for line in [*lines, *events(100, 1)] if not line.startswith(b"broken")])
    assert (ents.run(log), ents.unreadable) == ([], 0), "deleted where they were broken"
    assert max(ents.arrived.values()) == 1


def test_only_some_of_the_open_lines_deleted_is_refused(ents: Ents, log: Path) -> None:
    lines = events(0, 100)
    lines[10], lines[20] = b"broken", b"broken too"
    write(log, lines)
    ents.run(log)
    del lines[10]
    write(log, lines)
    with pytest.raises(InputError, match="lines were cut out"):
        ents.run(log)


def test_a_last_line_without_its_end_that_was_open_and_deleted(ents: Ents, log: Path) -> None:
    ents.refused = {events(9, 1)[0]}
    write(log, events(0, 10), end=b"")
    ents.run(log)
    write(log, events(0, 9))
    assert ents.run(log) == []
    write(log, events(0, 9) + events(50, 1))
    assert ents.run(log) == events(50, 1)


def test_unreadable_lines_are_open_up_to_a_bound(ents: Ents, log: Path) -> None:
    write(log, [b"broken", *events(0, 10), *[b"x"] * (UNREADABLE_OPEN_MAX + 5)])
    assert len(ents.run(log)) == 10
    mark = MarkFile(log).read()[0]
    assert (mark.lost, mark.open_count, mark.open) == (6, UNREADABLE_OPEN_MAX, ((1, 1), (12, UNREADABLE_OPEN_MAX - 1)))
    assert ents.run(log) == []
    assert "6 unreadable and closed" in ents.said[0]
    assert MarkFile(log).path.stat().st_size < 20_000


def test_where_nothing_was_delivered_there_is_no_mark(ents: Ents, log: Path) -> None:
    write(log, [b"broken"] * 20)
    ents.run(log)
    assert not MarkFile(log).path.exists()


# --- other options, other marks


def test_another_project_or_format_is_refused_another_topic_is_said(ents: Ents, log: Path) -> None:
    ents.run(log, ("entcore", "enthdf", "visits"))
    for other in (("entcore", "pcn", "visits"), ("native", "", "visits")):
        with pytest.raises(InputError, match=r"as entcore of project enthdf .* count a second time"):
            ents.run(log, other)
    assert len(ents.run(log, ("entcore", "enthdf", "elsewhere"))) == 1000
    assert ents.said == ["access.log: 1,000 of its lines were published to topic visits; to elsewhere none"]
    assert ents.run(log, ("entcore", "enthdf", "elsewhere")) == ents.run(log, ("entcore", "enthdf", "visits")) == []


def test_rows_of_one_project_after_those_of_another(ents: Ents, log: Path) -> None:
    ents.run(log, ("combined", "monlycee", "visits"))
    assert len(ents.run(log, ("combined", "pcn", "visits"))) == 1000
    assert ents.run(log, ("combined", "monlycee", "visits")) == []
    with pytest.raises(InputError, match="as combined of project"):
        ents.run(log, ("combined", "", "visits"))


def test_hits_without_a_time_are_not_looked_for_in_other_files(ents: Ents, log: Path, tmp_path: Path) -> None:
    ents.run(log, at_ms=1)
    assert len(ents.run(write(tmp_path / "tuesday.log", events(0, 1000)), at_ms=1)) == 1000


def test_hits_without_a_time_that_are_handed_over_in_one_file_again_and_again(ents: Ents, log: Path) -> None:
    ents.run(log, at_ms=1)
    write(log, [b'{"id":"new"}', *events(0, 900)])
    with pytest.raises(InputError, match="lines were cut out"):
        ents.run(log, at_ms=1)
    assert len(ents.run(log, at_ms=2)) == 901, "the same lines of another time are other hits"
    assert "another file" in ents.said[0]
    write(log, [b'{"id":"new"}', *events(0, 901)])
    assert ents.run(log, at_ms=3) == events(900, 1), "it grew"


def test_a_damaged_mark_is_no_mark_of_nothing(ents: Ents, log: Path) -> None:
    MarkFile(log).path.write_text("{")
    with pytest.raises(InputError, match=r"cannot be read .*: remove it and give --again"):
        ents.run(log)
    assert len(ents.run(write(log.with_name("b.log"), events(0, 3)))) == 3, "another file's is left out"


def test_a_mark_that_is_a_symbolic_link_is_not_read(ents: Ents, log: Path, tmp_path: Path) -> None:
    ents.run(log)
    path = MarkFile(log).path
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"cannot be read .*symbolic links"):
        ents.run(log)


@pytest.mark.parametrize("name", [".access.log.vigie-mark.tmp", "access.log.vigie-mark.new"])
def test_a_mark_is_not_written_through_a_symbolic_link(ents: Ents, log: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("of somebody else")
    log.with_name(name).symlink_to(elsewhere)
    assert len(ents.run(log)) == 1000
    assert elsewhere.read_text() == "of somebody else"
    assert ents.run(log) == [], "the mark was written"


def test_two_runs_over_one_file_at_a_time(log: Path) -> None:
    with (
        MarkFile(log).held(),
        pytest.raises(InputError, match=r"another `vigie publish` is at work on .*access\.log:"),
        MarkFile(log).held(),
    ):
        pass
    with MarkFile(log).held():
        pass
    assert [path.name for path in log.parent.iterdir()] == ["access.log"]


def test_where_no_mark_can_be_kept_nothing_is_sent() -> None:
    with (
        pytest.raises(InputError, match=r"/proc/version\.vigie-mark cannot be written .* --no-mark"),
        MarkFile(Path("/proc/version")).held(),
    ):
        pass


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_to_a_file_nothing_is_sent_twice_or_forgotten(tmp_path: Path, seed: int) -> None:
    """Growth, lines without their end, broken ones that are mended, refusals by Kafka, rotations: in the end every event arrived once."""
    rnd, ents = random.Random(seed), Ents()
    path, lines, whole, number = tmp_path / "access.log", list[bytes](), set[bytes](), 0
    for step in range(40):
        what = rnd.random()
        if what < 0.6:
            fresh = events(number, rnd.randrange(1, 30))
            number += len(fresh)
            whole.update(fresh)
            lines += [line[:-1] if rnd.random() < 0.1 else line for line in fresh]
        elif what < 0.75:
            lines = [line if line.endswith(b"}") or rnd.random() < 0.5 else line + b"}" for line in lines]
        elif lines and all(line.endswith(b"}") for line in lines):
            ents.refused = set()
            ents.run(path) if path.exists() else None
            write(path, lines)
            ents.run(path)
            path.rename(tmp_path / f"access.log.{step}")
            lines = []
            continue
        ents.refused = {line for line in lines if rnd.random() < 0.05}
        write(path, lines, end=rnd.choice([b"\n", b""]) if lines else b"")
        ents.run(path)
    ents.refused = set()
    write(path, [line if line.endswith(b"}") else line + b"}" for line in lines], end=b"\n" if lines else b"")
    ents.run(path)
    assert set(ents.arrived) == whole
    assert max(ents.arrived.values()) == 1


def test_a_sample_is_bounded_and_holds_both_ends() -> None:
    sample = LineSample()
    for n in range(10_000):
        sample.add((n * 2654435761) % 2**64 | n << 64)
    assert len(sample.digests()) <= 32 + 32 + 128
    assert sample.digests() >= {(n * 2654435761) % 2**64 for n in (0, 31, 9999, 9968)}
    for _ in range(1000):
        sample.add(7)
    assert sample.lowest.count(7) == 1
    assert sample.copy() is not sample
    assert sample.copy().digests() == sample.digests()


def test_closed_standard_input_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        open_events("-")
