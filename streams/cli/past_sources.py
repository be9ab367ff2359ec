"""For commands that read the past: which archive, and whether Redis is read for what is not archived yet."""

from __future__ import annotations

from pathlib import Path

from streams.catalog import Catalog
from streams.edges import redis_address
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.reading import History
from streams.live import ArchiveReader
from streams.settings import Settings


def archive_place(settings: Settings, directory: Path | None) -> Path:
    """Where the archive is that is named, or that of the settings; it may be yet to be made.

    Raises:
        InputError: neither says where.
    """
    chosen = directory or settings.archive_dir
    if chosen is None:
        raise InputError("no archive: name one with --archive DIR, or set archive_dir (docs/operations.md)")
    return chosen


def open_archive(settings: Settings, directory: Path | None) -> Archive:
    """The archive that is named, or that of the settings.

    Raises:
        InputError: there is none.
    """
    chosen = archive_place(settings, directory)
    if not chosen.is_dir():
        raise InputError(f"{chosen} is no directory: name an archive with --archive DIR, or set archive_dir")
    return Archive(chosen)


def open_history(settings: Settings, catalog: Catalog, directory: Path | None) -> tuple[History, bool]:
    """The past, and whether it is simulated. A directory that is named is read alone; that of the settings together with Redis."""
    archive = open_archive(settings, directory)
    about = archive.about()
    live = None if directory else ArchiveReader(redis_address(settings), settings.redis_prefix)
    history = History(archive, catalog, live, settings.calendar_shift_seconds // 60)
    return history, about is not None and about.simulated
