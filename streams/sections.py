"""One section of a YAML file of `config/` as a value, and all problems of a file as one error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from streams.errors import SettingsError

T = TypeVar("T")


def convert_section(section: Any, kind: type[T], where: str, problems: list[str]) -> T | None:
    """Convert one section of a YAML file; the first problem of it is added to `problems`."""
    try:
        return msgspec.convert(section, kind)
    except msgspec.ValidationError as error:
        problems.append(f"{where}: {error}")
        return None


def section_error(path: Path, problems: list[str]) -> SettingsError:
    """All problems of one file of `config/` as one error."""
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return SettingsError(f"{len(problems)} problem(s) in {path}:\n{lines}\nMend this file, then start again.")
