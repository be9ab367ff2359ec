"""Where files of a user belong, by the XDG base directories, and one of them: the record that `vigie up` leaves of a running local stack.

A container's arbitrary user may have no home at all.
"""

import os
from pathlib import Path
from typing import Any

import orjson

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


def stack_file() -> Path:
    """Where `vigie up` records the running local stack (`VIGIE_STACK_FILE` overrides it).

    Raises:
        SettingsError: this user has no home directory.
    """
    if named := os.environ.get("VIGIE_STACK_FILE"):
        return Path(named)
    return user_dir("XDG_STATE_HOME", ".local", "state") / "stack.json"


def read_stack() -> dict[str, Any] | None:
    """Return the record of the local stack, or None when none runs.

    Shape: `{"pid": int, "start_ticks": int | None, "started_at": float, "data_dir": str, "settings": {name: value}, "processes": [...]}`.
    The record of a stack whose process is gone is ignored, also where another process has its number by now.
    """
    try:
        path = stack_file()
    except SettingsError:
        return None  # nobody without a home directory started one there
    try:
        record: dict[str, Any] = orjson.loads(path.read_bytes())
        ticks = process_start_ticks(int(record["pid"]))
        if ticks is None or ticks != record.get("start_ticks", ticks):
            return None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if not os.environ.get("VIGIE_STACK_FILE") and not os.access(path.parent, os.X_OK):
            return None  # another user's home, as containers have it
        raise SettingsError(f"{path} cannot be read: {error.strerror}: mend that, or set VIGIE_STACK_FILE") from None
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        raise SettingsError(f"{path} is damaged: remove it, then start the stack again with `vigie up`") from None
    return record


def process_start_ticks(pid: int) -> int | None:
    """When a process started, in the kernel's clock ticks since boot; None where there is no such process, or only its exit code is left.

    A process number is used again after a while; the number with its start is not.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    words = text.rpartition(")")[2].split()
    return None if words[0] == "Z" else int(words[19])
