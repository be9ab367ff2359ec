"""Where files of a user belong, by the XDG base directories; a container's arbitrary user may have no home at all."""

from __future__ import annotations

import os
from pathlib import Path

from streams.errors import SettingsError


def user_dir(variable: str, *below_home: str) -> Path:
    """Vigie's directory below what `variable` names (a relative path is ignored, as XDG says), else below these of the home directory.

    Raises:
        SettingsError: neither is known.
    """
    base = Path(os.environ.get(variable, ""))
    home = Path(os.path.expanduser("~"))  # Path.home raises where this tells by its answer
    if base.is_absolute():
        return base / "vigie"
    if home.is_absolute():
        return home.joinpath(*below_home, "vigie")
    raise SettingsError(
        f"user {os.getuid()} has no home directory: set HOME or {variable} to a directory that it may write to"
    )
