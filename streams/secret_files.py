"""Secrets that are in files, as container platforms and systemd (`LoadCredential=`) hand them on: the setting `<name>_file` names one.

A file keeps a secret out of the environment, which every child process and every crash report of a process gets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: The settings that may be in a file.
NAMES = ("kafka_sasl_password", "redis_password", "redis_sentinel_password")
#: No secret is longer: somebody named another file.
BYTES_MAX = 4096


def with_secrets(given: dict[str, Any]) -> dict[str, Any]:
    """Put into what was set the secrets that were named by a file; a line's end after one is none of it.

    Raises:
        ValueError: what is wrong, all of it; never with what a file holds.
    """
    found, problems = dict(given), []
    for name in NAMES:
        if (file := given.get(f"{name}_file")) is None or file == "":
            continue
        if given.get(name):
            problems.append(f"{name} and {name}_file are both set: leave one out")
            continue
        try:
            found[name] = _read(Path(file))
        except ValueError as error:
            problems.append(f"{name}_file: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def _read(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            held = opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(held) > BYTES_MAX:
        raise ValueError(f"{path} is longer than a secret: name the file that holds it alone")
    try:
        secret = held.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None
    if not secret or "\n" in secret:
        raise ValueError(f"{path} {'is empty' if not secret else 'has several lines: it must hold the secret alone'}")
    return secret
