"""What a backfill keeps on disk while it runs: runs of events, and a report for each file that was read whole. From it an interrupted one
goes on.

`<archive>/backfill/.spool/<key>/`, readable by its owner alone: it holds pseudonyms, never user ids. The key follows from everything that
decides what a line becomes, so that what was read by other rules is never taken.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from streams.backfill.log_input import InputReport
from streams.backfill.parts import DIRECTORY
from streams.history.whole_files import explained

_SPOOL = ".spool"


class Spool:
    """The directory of one backfill."""

    def __init__(self, archive: Path, key: str) -> None:
        self._all = archive / DIRECTORY / _SPOOL
        self.directory = self._all / key

    def prepare(self) -> None:
        """Create it where it is absent.

        Raises:
            ArchiveError: it cannot be written.
        """
        with explained(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def stem(self, name: str) -> str:
        """What a file's runs and report are called: another one once the file has changed."""
        state = os.stat(name)
        text = f"{os.path.realpath(name)}\0{state.st_size}\0{state.st_mtime_ns}"
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]

    def known(self, stem: str) -> InputReport | None:
        """The report of a file that was read whole before."""
        try:
            return msgspec.json.decode(self._report(stem).read_bytes(), type=InputReport)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def keep(self, stem: str, report: InputReport) -> None:
        """Note that a file was read whole: its runs are all there.

        Raises:
            OSError: as the file system says.
        """
        beside = self._report(stem).with_suffix(".tmp")
        beside.write_bytes(msgspec.json.encode(report))
        beside.replace(self._report(stem))

    def paths(self, names: Iterable[str]) -> tuple[Path, ...]:
        """Where runs are."""
        return tuple(self.directory / name for name in names)

    def remove(self) -> None:
        """Remove everything: what was read is counted."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def left_behind(self) -> list[Path]:
        """Directories of other backfills that were interrupted and never went on."""
        return sorted(path for path in self._all.glob("*") if path != self.directory)

    def _report(self, stem: str) -> Path:
        return self.directory / f"{stem}.json"
