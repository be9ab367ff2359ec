"""A day as a Parquet file and back. The only module that imports pyarrow, and only when it is called.

One table. Rows of the cuts carry `minute` (start, UTC) and counts; rows with cut `day` carry distinct users and establishments of the whole
day. Row groups: the day, then one a cut, `region_service` one a region, so that one region's year is read without the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np

from streams.clock import paris_day
from streams.decoded_types import known
from streams.errors import InputError, VigieError
from streams.history import hll
from streams.history.day_columns import KEY_COLUMNS, CutName, CutRows, Key, Sketches
from streams.history.marks import DayFile, HourMark, InputMark
from streams.history.whole_files import unreadable

if TYPE_CHECKING:
    import pyarrow as pa

#: Version of the columns and of the metadata; another one is refused.
FORMAT = 1
#: Key of the file's metadata that holds a `FileHead` as JSON.
METADATA_KEY = b"vigie"
COMPRESSION_LEVEL = 3


class MissingPyarrowError(VigieError):
    """The optional part of Vigie that reads and writes history is not installed."""

    exit_code = 2


class DamagedFileError(InputError):
    """A file of the archive is not what was written: its bytes are wrong."""


class FileHead(msgspec.Struct, frozen=True):
    """The metadata of a file. `groups` names its row groups in order: a cut, or `region_service:<region>`.

    `shift_seconds` is scenario time minus clock, 0 for real figures.
    """

    format: int
    date: date
    shift_seconds: int
    hours: tuple[HourMark, ...]
    groups: tuple[str, ...]
    catalog: str = ""
    inputs: tuple[InputMark, ...] = ()
    lead_events: int = 0

    @property
    def is_simulated(self) -> bool:
        """Whether its figures were made up."""
        return self.shift_seconds != 0 or any(mark.is_simulated for mark in self.hours)


def need_pyarrow() -> None:
    """Make sure that pyarrow is there.

    Raises:
        MissingPyarrowError: it is not.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise MissingPyarrowError(
            "history needs pyarrow, which is not installed: pip install 'vigie[history]' (counting and observing go on without it)"
        ) from None


def write_file(day: DayFile, target: BinaryIO | Path) -> None:
    """Write a day. The rows must be sorted, as `CutRows` are.

    Raises:
        OSError: as the file system says.
    """
    import pyarrow.parquet as pq

    groups = list(tables_of(day))
    head = FileHead(
        FORMAT,
        day.date,
        day.shift_seconds,
        day.hours,
        tuple(name for name, _table in groups),
        day.catalog,
        day.inputs,
        day.lead_events,
    )
    columns = schema().with_metadata({METADATA_KEY: msgspec.json.encode(head)})
    counts = ("minute", "events", "visits", "service_visits", "late", "users", "establishments")
    with pq.ParquetWriter(
        target,
        columns,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        use_dictionary=["cut", *CODES],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in counts},
        write_page_checksum=True,
        write_statistics=["minute"],
    ) as writer:
        for _name, table in groups:
            writer.write_table(table.cast(columns), row_group_size=max(1, table.num_rows))


class FileReader:
    """One file, open. `head` is read at once, rows when asked for. `content` is all its bytes, where they were read already.

    Raises:
        FileNotFoundError: there is none.
        UnreadableFileError: the system does not let it be read; also from `rows` and `sketches`, as what follows.
        DamagedFileError: it is no file of this archive, or was damaged.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        with self._explained():
            source = path if content is None else pa.BufferReader(content)
            self._file = pq.ParquetFile(source, page_checksum_verification=True)
            self.head = msgspec.json.decode(self._file.schema_arrow.metadata[METADATA_KEY], type=known(FileHead))
        if self.head.format != FORMAT:
            raise InputError(
                f"{path} has format {self.head.format}, this version reads {FORMAT}: use the version of Vigie that wrote it"
            )

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self, cut: CutName, region: str | None = None) -> CutRows:
        """The rows of a cut; of `REGION_SERVICE` those of one region where one is named."""
        wanted = f"{cut}:{region}" if region else cut.value
        groups = [i for i, name in enumerate(self.head.groups) if name == wanted or name.partition(":")[0] == wanted]
        visits = "service_visits" if cut is CutName.REGION_SERVICE else "visits"
        columns = ["minute", "events", visits, *KEY_COLUMNS[cut], *(["late"] if cut is CutName.REGION else [])]
        if not groups:
            return CutRows.empty()
        table = self._read(groups, columns)
        try:
            found = cut_rows(table, KEY_COLUMNS[cut], visits)
            first, end = paris_day(self.head.date)
            if len(found.minute) and not first <= found.minute.min() <= found.minute.max() < end:
                raise ValueError(f"it has minutes of another day than {self.head.date}")
        except ValueError as error:
            raise self._damaged(error) from None
        return found

    def sketches(self) -> Sketches:
        """Users and establishments of the day."""
        groups = [i for i, name in enumerate(self.head.groups) if name == DAY_CUT]
        if not groups:
            return Sketches.none()
        names = ("users_sketch", "establishments_sketch")
        rows = self._read(groups, ["region", "project", "scope", *names]).to_pylist()
        held: list[dict[Key, bytes]] = [
            {(row["scope"], row["project"] or row["region"]): row[name] for row in rows if row[name]} for name in names
        ]
        return Sketches(*held)

    def day(self, cuts: Collection[CutName] = tuple(CutName), *, with_sketches: bool = True) -> DayFile:
        """Everything, or these cuts alone. Without sketches, and with few cuts, it takes less than half the time."""
        head = self.head
        return DayFile(
            head.date,
            head.shift_seconds,
            head.hours,
            {cut: self.rows(cut) for cut in cuts},
            self.sketches() if with_sketches else Sketches.none(),
            head.catalog,
            head.inputs,
            head.lead_events,
        )

    def _read(self, groups: Sequence[int], columns: list[str]) -> pa.Table:
        with self._explained():
            return self._file.read_row_groups(list(groups), columns=columns, use_threads=False)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except FileNotFoundError:
            raise
        except MemoryError as error:
            raise unreadable(self._path, error) from None
        except (pa.ArrowException, KeyError, TypeError, ValueError, msgspec.DecodeError, OSError) as error:
            # Of the system's errors pyarrow keeps the number; what it finds wrong in a file has none.
            if isinstance(error, OSError) and error.errno:
                raise unreadable(self._path, error) from None
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DamagedFileError:
        reason = " ".join(str(error).split())[:200]
        return DamagedFileError(
            f"{self._path} is damaged ({reason}): restore it, or move it away; an observer writes again what Redis still holds"
        )


CODES = ("region", "service", "project", "profile", "academy")
DAY_CUT = "day"


def cut_rows(table: pa.Table, key_columns: tuple[str, ...], visits: str) -> CutRows:
    """Rows are stored sorted by key and minute, so keys are found where they change."""
    arrays = [table.column(column).unify_dictionaries().combine_chunks() for column in key_columns]
    if any(array.null_count for array in arrays):
        raise ValueError("it has rows without a code")
    codes = np.array([array.indices.to_numpy(zero_copy_only=False) for array in arrays], np.int64)
    begins = np.flatnonzero(np.diff(codes, prepend=-1).any(axis=0))
    lengths = np.diff(begins, append=table.num_rows)
    labels = [array.dictionary.to_pylist() for array in arrays]
    keys = tuple(tuple(map(list.__getitem__, labels, place)) for place in codes[:, begins].T.tolist())
    if list(keys) != sorted(set(keys)):
        raise ValueError("its rows are not in order")
    series = np.repeat(np.arange(len(keys)), lengths)
    minute = table.column("minute").to_numpy().astype("datetime64[s]").astype(np.int64) // 60
    late = _numbers(table, "late") if "late" in table.column_names else np.zeros(len(series), np.int64)
    return CutRows(keys, series, minute, _numbers(table, "events"), _numbers(table, visits), late)


def _numbers(table: pa.Table, column: str) -> Any:
    return table.column(column).to_numpy().astype(np.int64)


def tables_of(day: DayFile) -> Iterator[tuple[str, pa.Table]]:
    """The row groups of a file, by name, in order."""
    yield DAY_CUT, _day_table(day)
    for cut in CutName:
        rows = day.rows[cut]
        if cut is not CutName.REGION_SERVICE:
            yield cut.value, _cut_table(cut, rows, 0, len(rows.series))
        else:
            # Sorted by key, and a key begins with its region.
            regions = np.array([key[0] for key in rows.keys])
            for region in sorted(set(regions.tolist())):
                first, last = np.searchsorted(regions, region), np.searchsorted(regions, region, side="right")
                begin, end = np.searchsorted(rows.series, (first, last))
                yield f"{cut}:{region}", _cut_table(cut, rows, int(begin), int(end))


def _cut_table(cut: CutName, rows: CutRows, begin: int, end: int) -> pa.Table:
    import pyarrow as pa

    number = end - begin
    series = rows.series[begin:end]
    columns: dict[str, Any] = {
        "minute": pa.array(rows.minute[begin:end] * 60, pa.int64()),
        "cut": _same(cut.value, number),
        "events": pa.array(rows.events[begin:end], pa.int32()),
        "service_visits" if cut is CutName.REGION_SERVICE else "visits": pa.array(rows.visits[begin:end], pa.int32()),
    }
    if cut is CutName.REGION:
        columns["late"] = pa.array(rows.late[begin:end], pa.int32())
    for position, name in enumerate(KEY_COLUMNS[cut]):
        labels = sorted({key[position] for key in rows.keys})
        index = np.array([labels.index(key[position]) for key in rows.keys], np.int16)
        columns[name] = pa.DictionaryArray.from_arrays(
            pa.array(index[series] if number else [], pa.int16()), pa.array(labels, pa.string())
        )
    return _table(columns, number)


def _day_table(day: DayFile) -> pa.Table:
    keys = sorted({*day.sketches.users, *day.sketches.establishments})
    columns: dict[str, Any] = {
        "minute": [paris_day(day.date)[0] * 60] * len(keys),
        "cut": _same(DAY_CUT, len(keys)),
        "scope": [scope for scope, _code in keys],
        "region": [code if scope != "project" else None for scope, code in keys],
        "project": [code if scope == "project" else None for scope, code in keys],
    }
    for name, held in (("users", day.sketches.users), ("establishments", day.sketches.establishments)):
        columns[name] = [hll.count(held[key]) if key in held else None for key in keys]
        columns[f"{name}_sketch"] = [held.get(key) for key in keys]
    return _table(columns, len(keys))


def _same(text: str, number: int) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(number, np.int16)), pa.array([text]))


def _table(columns: dict[str, Any], number: int) -> pa.Table:
    import pyarrow as pa

    all_columns = schema()
    return pa.table(
        {field.name: columns.get(field.name, pa.nulls(number, field.type)) for field in all_columns}, schema=all_columns
    )


def schema() -> pa.Schema:
    """The columns of every file."""
    import pyarrow as pa

    code = pa.dictionary(pa.int16(), pa.string())
    return pa.schema(
        [
            ("minute", pa.timestamp("s", tz="UTC")),
            ("cut", code),
            *((name, code) for name in CODES),
            ("events", pa.int32()),
            ("visits", pa.int32()),
            ("service_visits", pa.int32()),
            ("late", pa.int32()),
            ("scope", pa.string()),
            ("users", pa.int64()),
            ("establishments", pa.int64()),
            ("users_sketch", pa.binary()),
            ("establishments_sketch", pa.binary()),
        ]
    )
