"""Marks of files that were published long ago: removed when they are due."""

from __future__ import annotations

import contextlib
from pathlib import Path

from streams.publish.mark import MARK_SUFFIX


def remove_old_marks(directory: Path, before_seconds: float, but: Path) -> int:
    """Remove the files of marks of a directory that were last written before a moment (epoch s), `but` one; return how many."""
    removed = 0
    for path in directory.glob(f"*{MARK_SUFFIX}"):
        with contextlib.suppress(OSError):  # not ours to remove, or gone
            if path != but and path.is_file() and not path.is_symlink() and path.stat().st_mtime < before_seconds:
                path.unlink()
                removed += 1
    return removed
