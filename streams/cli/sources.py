"""What commands read: settings and lists, the counts in Redis, an archive."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from streams.catalog import Catalog, load_catalog
from streams.edges import redis_address
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.reading import History
from streams.live import ArchiveReader, LiveReader
from streams.settings import Settings, load_settings


def settings_and_lists() -> tuple[Settings, Catalog]:
    """The settings, and the lists of the directory that they name.

    Raises:
        SettingsError: something is wrong in either.
    """
    settings = load_settings()
    return settings, load_catalog(settings.config_dir)


def counts_reader(settings: Settings) -> closing[LiveReader]:
    """A reader of the counts in Redis, which waits for a slow one; closed after the block."""
    return closing(LiveReader(redis_address(settings), settings.redis_prefix, settings.unseen_hours_kept * 3_600_000))


def archive_place(settings: Settings, directory: Path | None) -> Path:
    """Where the archive is that is named, or that of the settings; it may be yet to be made.

    Raises:
        InputError: neither says where.
    """
    if (chosen := directory or settings.archive_dir) is None:
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
    is_simulated = about is not None and about.simulated
    return History(archive, catalog, live, settings.calendar_shift_seconds // 60), is_simulated
