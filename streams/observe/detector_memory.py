"""What judging the last weeks of the archive left behind, kept beside it: an observer that starts again need not judge them anew.

One file, `ARCHIVE/.detector/memory`: the judges as they stood at the end of a day, and from which files they came. It is taken only where
code, lists, calendar and those files are the same to the byte count and time of writing; else it is as if it were not there. It holds
counts and figures alone: a digest, and MessagePack of what is declared in `streams.watch.states`, checked by type, size and shape.
"""

import hashlib
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np

import streams.watch
from streams.catalog import Catalog
from streams.decoded_types import known
from streams.history import SchoolCalendar
from streams.watch import Group, Judge
from streams.watch.states import JudgeState, wrong_with

logger = logging.getLogger(__name__)

DIRECTORY, FILE = ".detector", "memory"
#: Days younger than this may still be written again: late events come for two days.
SETTLED_DAYS = 3
#: More than all groups leave behind: a larger file is none of ours, and is not read.
BYTES_MAX = 1 << 30
_DIGEST_BYTES = 32

#: (bytes, time of writing in ns) of a day's file.
Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Remembered:
    """`states` of the judges, in the plan's order, fed up to epoch minute `fed` (archive time) with the days of `files`."""

    key: str
    files: dict[date, Stamp]
    fed: int
    states: list[JudgeState]

    @property
    def first(self) -> date:
        """The first judged day."""
        return min(self.files)


def key_of(catalog: Catalog, calendar: SchoolCalendar) -> str:
    """What the judging of a day depends on besides its counts: the code, numpy, the lists, the calendar."""
    digest = hashlib.sha256(f"{np.__version__} {catalog.digest} {calendar.config!r} {calendar.zones}".encode())
    package = Path(streams.watch.__file__).parent
    here = Path(__file__).parent
    for path in (*sorted(package.glob("*.py")), here / "series.py", here / "loading.py"):
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


def recall(
    directory: Path, key: str, files: Mapping[date, Stamp], oldest: date, groups: Sequence[Group]
) -> Remembered | None:
    """What is kept, where it still holds: `files` are the stamps of all archived days, those from `oldest` on must have been judged."""
    path = directory / DIRECTORY / FILE
    try:
        found = _read(path, groups)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, msgspec.DecodeError, RecursionError) as error:
        logger.warning("%s cannot be used, the archive is judged anew: %s", path, error)
        return None
    if found.key != key or not found.files:
        return None
    inside = {day: stamp for day, stamp in files.items() if min(oldest, found.first) <= day <= max(found.files)}
    return found if inside == found.files else None


def keep(directory: Path, key: str, files: Mapping[date, Stamp], fed: int, judges: Sequence[Judge]) -> None:
    """Write the judges' states; a directory that takes no file is said once in the log, and nothing else is lost."""
    first = min(files)
    path = directory / DIRECTORY / FILE
    beside = path.with_name(f"{FILE}.{os.getpid()}")
    remembered = Remembered(key, dict(files), fed, [judge.state(first) for judge in judges])
    body = msgspec.msgpack.encode(remembered, enc_hook=_plain)
    try:
        path.parent.mkdir(exist_ok=True)
        beside.write_bytes(hashlib.sha256(body).digest() + body)
        beside.replace(path)
    except OSError as error:
        logger.warning("%s cannot be written, the next start takes longer: %s", path, error)
    finally:
        beside.unlink(missing_ok=True)


def _read(path: Path, groups: Sequence[Group]) -> Remembered:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > BYTES_MAX:
            raise ValueError(f"it has more than {BYTES_MAX} bytes")
        content = file.read()
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("its digest is another one: it was damaged, or an earlier version wrote it")
    found = msgspec.msgpack.decode(body, type=known(Remembered), dec_hook=_array)
    if len(found.states) != len(groups):
        raise ValueError(f"it is of {len(found.states)} groups, there are {len(groups)}")
    for state, group in zip(found.states, groups, strict=True):
        if wrong := wrong_with(state, group):
            raise ValueError(f"{group.name}: {wrong}")
    return found


def _plain(value: Any) -> Any:
    """An array as (shape, bytes); its type is the declared one."""
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(f"{type(value).__name__} is no part of a judge's state")
    return value.shape, value.tobytes()


def _array(declared: Any, stored: Any) -> Any:
    shape, content = msgspec.convert(stored, tuple[tuple[int, ...], bytes])
    (scalar,) = get_args(get_args(declared)[1])
    kind = np.dtype(scalar)
    if any(length < 0 for length in shape) or math.prod(shape) * kind.itemsize != len(content):
        raise ValueError(f"an array of {len(content)} bytes does not have the shape {shape}")
    if kind == np.bool_:
        return np.frombuffer(content, np.uint8).reshape(shape) != 0
    return np.frombuffer(content, kind).reshape(shape).copy()
