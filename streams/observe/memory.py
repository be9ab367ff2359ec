"""What judging the last weeks of the archive left behind, kept beside it: an observer that starts again need not judge them anew.

One file, `ARCHIVE/.detector/memory`: the judges as they stood at the end of a day, and from which files they came. It is taken only where
code, lists, calendar and those files are the same to the byte count and time of writing; else it is as if it were not there. It holds
counts and figures alone, and is read with an unpickler that makes nothing but this project's and numpy's plain values.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import streams.watch
from streams.catalog import Catalog
from streams.history import SchoolCalendar
from streams.watch import Judge

logger = logging.getLogger(__name__)

DIRECTORY, FILE = ".detector", "memory"
#: Days younger than this may still be written again: late events come for two days.
SETTLED_DAYS = 3
_MODULE = "streams.watch."
_PLAIN = frozenset(
    {
        ("datetime", "date"),
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("copyreg", "_reconstructor"),
        ("builtins", "object"),
    }
)

#: (bytes, time of writing in ns) of a day's file.
Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Remembered:
    """`states` of the judges, in the plan's order, fed up to epoch minute `fed` (archive time) with the days of `files`."""

    key: str
    files: dict[date, Stamp]
    fed: int
    states: list[dict[str, Any]]

    @property
    def first(self) -> date:
        """The first judged day."""
        return min(self.files)


def key_of(catalog: Catalog, calendar: SchoolCalendar) -> str:
    """What the judging of a day depends on besides its counts: the code, numpy, the lists, the calendar."""
    digest = hashlib.sha256(f"{np.__version__} {catalog.digest} {calendar.config!r} {calendar.zones}".encode())
    package = Path(streams.watch.__file__).parent
    here = Path(__file__).parent
    for path in (*sorted(package.glob("*.py")), here / "series.py", here / "backlog.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def stamps_of(paths: Mapping[date, Path]) -> dict[date, Stamp]:
    """The stamps of the days' files that are there."""
    found = {}
    for day, path in paths.items():
        try:
            state = path.stat()
        except OSError:
            continue
        found[day] = (state.st_size, state.st_mtime_ns)
    return found


def recall(directory: Path, key: str, files: Mapping[date, Stamp], oldest: date) -> Remembered | None:
    """What is kept, where it still holds: `files` are the stamps of all archived days, those from `oldest` on must have been judged."""
    path = directory / DIRECTORY / FILE
    try:
        found = _Unpickler(io.BytesIO(path.read_bytes())).load()
    except FileNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the file, the archive tells the same
        logger.warning("%s cannot be used, the archive is judged anew: %s", path, error)
        return None
    if not isinstance(found, Remembered) or found.key != key or not found.files:
        return None
    inside = {day: stamp for day, stamp in files.items() if min(oldest, found.first) <= day <= max(found.files)}
    return found if inside == found.files else None


def keep(directory: Path, key: str, files: Mapping[date, Stamp], fed: int, judges: Sequence[Judge]) -> None:
    """Write the judges' states; a directory that takes no file is said once in the log, and nothing else is lost."""
    first = min(files)
    path = directory / DIRECTORY / FILE
    beside = path.with_name(f"{FILE}.{os.getpid()}")
    remembered = Remembered(key, dict(files), fed, [judge.state(first) for judge in judges])
    try:
        path.parent.mkdir(exist_ok=True)
        with beside.open("wb") as out:
            pickle.dump(remembered, out, protocol=5)
        beside.replace(path)
    except OSError as error:
        logger.warning("%s cannot be written, the next start takes longer: %s", path, error)
    finally:
        beside.unlink(missing_ok=True)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        own = module.startswith(_MODULE) or (module, name) == (__name__, "Remembered")
        if not own and (module, name) not in _PLAIN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no memory holds")
        return super().find_class(module, name)
