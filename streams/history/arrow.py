"""A day as a Parquet file and back. The only module that imports pyarrow, and only when it is called.

One table. Rows of the cuts carry `minute` (start, UTC) and counts; rows with cut `day` carry distinct users and establishments of the whole
day. Row groups: the day, then one a cut, `region_service` one a region, so that one region's year is read without the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from streams.clock import paris_day
from streams.decoded_types import known
from streams.errors import InputError, VigieError
from streams.history.arrow_tables import CODES, DAY_CUT, cut_rows, tables_of
from streams.history.arrow_tables import schema as columns
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
    names = tuple(name for name, _ in groups)
    head = FileHead(FORMAT, day.date, day.shift_seconds, day.hours, names, day.catalog, day.inputs, day.lead_events)
    schema = columns().with_metadata({METADATA_KEY: msgspec.json.encode(head)})
    counts = ("minute", "events", "visits", "service_visits", "late", "users", "establishments")
    with pq.ParquetWriter(
        target,
        schema,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        use_dictionary=["cut", *CODES],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in counts},
        write_page_checksum=True,
        write_statistics=["minute"],
    ) as writer:
        for _name, table in groups:
            writer.write_table(table.cast(schema), row_group_size=max(1, table.num_rows))


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
        wanted = [f"{cut}:{region}"] if region else [cut.value]
        groups = [
            i
            for i, name in enumerate(self.head.groups)
            if name in wanted or (not region and name.startswith(f"{cut}:"))
        ]
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
        users: dict[Key, bytes] = {}
        establishments: dict[Key, bytes] = {}
        for row in self._read(
            groups, ["region", "project", "scope", "users_sketch", "establishments_sketch"]
        ).to_pylist():
            key = (row["scope"], row["project"] or row["region"])
            if row["users_sketch"]:
                users[key] = row["users_sketch"]
            if row["establishments_sketch"]:
                establishments[key] = row["establishments_sketch"]
        return Sketches(users, establishments)

    def day(self) -> DayFile:
        """Everything."""
        head = self.head
        rows = {cut: self.rows(cut) for cut in CutName}
        return DayFile(
            head.date,
            head.shift_seconds,
            head.hours,
            rows,
            self.sketches(),
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
