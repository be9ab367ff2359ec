"""Where a run of `vigie publish` begins: a file is compared with the marks that lie beside it.

- It begins with the lines that a mark of the same format, project and topic speaks of: the run goes on behind them. The mark may have
  another name: the log was rotated, copied or compressed.
- It holds lines that were published, but does not fit a mark: it was changed, cut, put together, or goes out under another project. It
  is refused: sending it all would count lines twice once the window of ids is over.
- It holds none of them: it is another file, for instance a log after its rotation. It is published from its beginning, and that is said.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from streams.errors import InputError, SettingsError
from streams.publish.event import fingerprint
from streams.publish.lines import Damaged, InputLine, digest_of, read_lines, short_of
from streams.publish.mark import DIGEST_BITS, MARK_SUFFIX, Book, MarkFile, ResumeMark
from streams.publish.readers import Format, secret_name

#: Files of marks in the same directory that are looked at, those first that were written last.
NEIGHBOURS_MAX = 50
LINES_BETWEEN_LOOKS = 4096
#: A file holds what was published when this share of a mark's sample is in it, or this share of its lines is in the sample: a single
#: line that a sender repeated is not enough.
SAMPLE_SHARE, LINES_SHARE = 0.1, 0.5
WINDOW = "what Kafka took less than 10 minutes ago counts once, what is older counts a second time"


@dataclass(slots=True)
class Trial:
    """One mark held against the file. `fit` is the mark as the file bears it out, `found_at` where lines of its sample are,
    `less` the sum of the digests at places that are open."""

    mark: ResumeMark
    path: Path
    fit: ResumeMark | None = None
    found_at: list[int] = field(default_factory=list)
    less: int = 0

    def look(self, number: int, total: int, line: InputLine, is_open: bool) -> None:
        """Compare where the mark ends; `total` is the sum with this line, the last one."""
        mark = self.mark
        if number == mark.lines:
            if mark.tail_bytes and not is_open:
                total += digest_of(line.content[: mark.tail_bytes]) - line.digest()
            if _same(total - self.less, mark):
                self.fit = mark
        elif _same(total, mark):  # the open lines were deleted from the file
            tail_bytes = 0 if sum(mark.open[-1]) == mark.lines + 1 else mark.tail_bytes
            self.fit = msgspec.structs.replace(mark, lines=number, open=(), tail_bytes=tail_bytes)

    def significant(self, behind: int, lines: int) -> bool:
        """Whether the lines behind line `behind` of `lines` hold what this mark speaks of."""
        found, new = sum(number > behind for number in self.found_at), lines - behind
        sampled = len(self.mark.sample.digests())
        if found <= 1:  # where each file has but a few lines, one of them says nothing yet
            return found == 1 and (new == 1 or sampled == 1)
        return found >= SAMPLE_SHARE * sampled or found >= LINES_SHARE * new


def _same(total: int, mark: ResumeMark) -> bool:
    return total % (1 << DIGEST_BITS) == int(mark.digest, 16)


def marks_around(marks: MarkFile, neighbours: bool) -> list[Trial]:
    """Return the file's own marks and, if asked, those of the other files in its directory, damaged ones left out.

    Raises:
        InputError: its own marks are damaged.
    """
    found = [Trial(mark, marks.path) for mark in marks.read()]
    if neighbours:
        paths = [path for path in marks.path.parent.glob(f"*{MARK_SUFFIX}") if path != marks.path and path.is_file()]
        for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[:NEIGHBOURS_MAX]:
            other = MarkFile(path.with_name(path.name.removesuffix(MARK_SUFFIX)))
            try:
                found += [Trial(mark, path) for mark in other.read() if mark.sent]
            except InputError:
                continue
    return [trial for trial in found if trial.mark.sent or trial.mark.skipped]


def hold_against(stream: BinaryIO, trials: Iterable[Trial], look: Callable[[int], None]) -> int:
    """Read the stream and note in each trial what was found; return the number of its lines. One that is cut off ends there.

    Raises:
        InputError: the stream is not text at all, or is damaged so that its lines are in doubt.
    """
    ends: defaultdict[int, list[Trial]] = defaultdict(list)
    open_at: defaultdict[int, list[Trial]] = defaultdict(list)
    sampled: defaultdict[int, list[Trial]] = defaultdict(list)
    for trial in trials:
        for end in {trial.mark.lines, trial.mark.lines - trial.mark.open_count}:
            ends[end].append(trial)
        for number in trial.mark.open_lines():
            open_at[number].append(trial)
        for each in trial.mark.sample.digests():
            sampled[each].append(trial)
    number = total = 0
    try:
        for number, line in enumerate(read_lines(stream), 1):
            digest = line.digest()
            total += digest
            for trial in open_at.get(number, ()):
                trial.less += digest
            for trial in ends.get(number, ()):
                trial.look(number, total, line, trial in open_at.get(number, ()))
            for trial in sampled.pop(short_of(digest), ()):
                trial.found_at.append(number)
            if not number % LINES_BETWEEN_LOOKS:
                look(number)
    except Damaged as why:
        if why.doubtful:
            raise
        # Else the run itself comes to the same spot, and says so.
    return number


def decide(
    name: str, of: tuple[str, str, str], trials: list[Trial], *, own: Path, lines: int, at_ms: int | None = None
) -> tuple[Book, list[str]]:
    """Return the book with which a run over a file of `lines` lines begins, and what is to be said about it.

    Args:
        name: of the file, for messages.
        of: format, project ("" for none) and topic of this run.
        own: where the file's own marks are.
        at_ms: the time of lines that carry none: equal lines of another time are other events.

    Raises:
        InputError: the file holds lines that were published and does not fit.
    """
    fits = [trial for trial in trials if trial.fit is not None and _of(trial.mark) == of]
    best = max(fits, key=lambda trial: trial.fit.lines if trial.fit else 0, default=None)
    behind = best.fit.lines if best is not None and best.fit is not None else 0
    said: list[str] = []
    for trial in trials:
        if trial is best or not trial.significant(behind, lines) or _apart(trial.mark, of):
            continue
        if at_ms is not None and _of(trial.mark) == of and trial.mark.at_ms != at_ms:
            continue
        if trial.mark.topic == of[2]:
            raise InputError(_refusal(name, of, trial, own, lines))
        said.append(
            f"{name}: {trial.mark.sent:,} of its lines were published to topic {trial.mark.topic}; to {of[2]} none"
        )
    if best is not None and best.fit is not None:
        return Book(*of, best.fit, at_ms), [*said, _going_on(name, best.fit, best.path, own)]
    before = next((trial.mark for trial in trials if trial.path == own and _of(trial.mark) == of), None)
    if before is not None and lines:
        said.append(
            f"{name} is another file than the one of which {before.lines:,} lines were published under this name (a rotated log?): "
            "published from its beginning. Publish the rotated file, too: what came to it after that is in no other"
        )
    return Book(*of, at_ms=at_ms), said


def refuse_another_secret(name: str, book: Book, secret_of: Callable[[str], bytes]) -> None:
    """See that the rest of a file gets the pseudonyms that its beginning got.

    Raises:
        InputError: the secret of a project is another one now.
    """
    for project, known in book.secrets.items():
        try:
            secret = secret_of(project)
        except SettingsError:
            continue  # it is told where a line needs it
        if fingerprint(secret) != known:
            raise InputError(
                f"{name}: {book.sent:,} of its lines were published with another {secret_name(project)}: under this one each person of the "
                "rest would be another visitor. Nothing was sent. Give the secret of before; where it was changed on purpose, put the "
                "lines that were never sent into a file of their own"
            )


def _of(mark: ResumeMark) -> tuple[str, str, str]:
    return mark.format, mark.project, mark.topic


def _apart(mark: ResumeMark, of: tuple[str, str, str]) -> bool:
    """Whether both take different lines of the same log: the rows of one project each."""
    return mark.format == of[0] == Format.COMBINED and mark.project != of[1] and "" not in (mark.project, of[1])


def _going_on(name: str, mark: ResumeMark, path: Path, own: Path) -> str:
    where = path.name if path == own else f"{path.name}: it is the same file under another name"
    kinds = [f"{mark.sent:,} delivered", f"{mark.skipped:,} skipped"]
    if mark.lost:
        kinds.append(f"{mark.lost:,} unreadable and closed")
    if mark.open_count:
        kinds.append(f"{mark.open_count:,} not delivered, which are tried again")
    return f"{name}: {mark.lines:,} lines were dealt with before ({where}): {', '.join(kinds)}"


def _refusal(name: str, of: tuple[str, str, str], trial: Trial, own: Path, lines: int) -> str:
    mark = trial.mark
    if _of(mark) != of:
        asked = " ".join(["as", of[0], *([f"of project {of[1]}"] if of[1] else [])])
        was = " ".join(["as", mark.format, *([f"of project {mark.project}"] if mark.project else [])])
        return (
            f"{name}: {mark.sent:,} of its lines were published {was} ({trial.path.name}). Sent {asked} they may be other events, which "
            "no id holds apart, and count a second time. Nothing was sent. Give the same options as before, or --again to send all of it"
        )
    if trial.path != own:
        what = f"holds lines that were published from {trial.path.name.removesuffix(MARK_SUFFIX)}, but does not begin with all of them"
    elif lines < mark.lines:
        what = f"has {lines:,} lines, and {mark.lines:,} were published ({trial.path.name}): lines were cut out of it"
    else:
        what = f"was changed within the {mark.lines:,} lines that were published ({trial.path.name})"
    return (
        f"{name} {what}. Nothing was sent. Put the lines that were never sent into a file of their own and publish that; or give --again "
        f"to send everything once more: {WINDOW}"
    )


def remove_old_marks(directory: Path, before_seconds: float, but: Path) -> int:
    """Remove the files of marks of a directory that were last written before a moment (epoch s), `but` one; return how many."""
    removed = 0
    for path in directory.glob(f"*{MARK_SUFFIX}"):
        with contextlib.suppress(OSError):  # not ours to remove, or gone
            if path != but and path.is_file() and not path.is_symlink() and path.stat().st_mtime < before_seconds:
                path.unlink()
                removed += 1
    return removed
