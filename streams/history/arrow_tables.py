"""Rows as Arrow tables and back: the columns of a day's file. pyarrow is imported when a function is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.clock import paris_day
from streams.history import hll
from streams.history.day_columns import KEY_COLUMNS, CutName, CutRows
from streams.history.marks import DayFile

if TYPE_CHECKING:
    import pyarrow as pa

CODES = ("region", "service", "project", "profile", "academy")
DAY_CUT = "day"


def cut_rows(table: pa.Table, key_columns: tuple[str, ...], visits: str) -> CutRows:
    """Rows are stored sorted by key and minute, so keys are found where they change."""
    combined = np.zeros(table.num_rows, np.int64)
    names: list[list[str]] = []
    for column in key_columns:
        array = table.column(column).unify_dictionaries().combine_chunks()
        labels = [str(label) for label in array.dictionary.to_pylist()]
        combined *= max(1, len(labels))
        combined += array.indices.to_numpy(zero_copy_only=False)
        names.append(labels)
    begins = np.flatnonzero(np.diff(combined, prepend=-1))
    lengths = np.diff(begins, append=len(combined))
    keys = tuple(_key(int(combined[begin]), names) for begin in begins)
    if list(keys) != sorted(set(keys)):
        raise ValueError("its rows are not in order")
    series = np.repeat(np.arange(len(keys)), lengths)
    minute = table.column("minute").to_numpy().astype("datetime64[s]").astype(np.int64) // 60
    late = _numbers(table, "late") if "late" in table.column_names else np.zeros(len(series), np.int64)
    return CutRows(keys, series, minute, _numbers(table, "events"), _numbers(table, visits), late)


def _key(value: int, names: list[list[str]]) -> tuple[str, ...]:
    key = []
    for labels in reversed(names):
        value, index = divmod(value, len(labels))
        key.append(labels[index])
    return tuple(reversed(key))


def _numbers(table: pa.Table, column: str) -> Any:
    return table.column(column).to_numpy().astype(np.int64)


def tables_of(day: DayFile) -> Iterator[tuple[str, pa.Table]]:
    """The row groups of a file, by name, in order."""
    yield DAY_CUT, _day_table(day)
    for cut in CutName:
        rows = day.rows[cut]
        if cut is not CutName.REGION_SERVICE:
            yield cut.value, _cut_table(cut, rows, 0, len(rows.series))
            continue
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
    import pyarrow as pa

    users, establishments = day.sketches.users, day.sketches.establishments
    keys = sorted({*users, *establishments})
    region = [code if scope != "project" else None for scope, code in keys]
    project = [code if scope == "project" else None for scope, code in keys]
    midnight = paris_day(day.date)[0]
    columns: dict[str, Any] = {
        "minute": pa.array([midnight * 60] * len(keys), pa.int64()),
        "cut": _same(DAY_CUT, len(keys)),
        "scope": pa.array([scope for scope, _code in keys], pa.string()),
        "region": pa.array(region, pa.string()),
        "project": pa.array(project, pa.string()),
        "users": pa.array([hll.count(users[key]) if key in users else None for key in keys], pa.int64()),
        "establishments": pa.array(
            [hll.count(establishments[key]) if key in establishments else None for key in keys], pa.int64()
        ),
        "users_sketch": pa.array([users.get(key) for key in keys], pa.binary()),
        "establishments_sketch": pa.array([establishments.get(key) for key in keys], pa.binary()),
    }
    return _table(columns, len(keys))


def _same(text: str, number: int) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(number, np.int16)), pa.array([text]))


def _table(columns: dict[str, Any], number: int) -> pa.Table:
    import pyarrow as pa

    arrays = []
    for field in schema():
        values = columns.get(field.name)
        arrays.append(pa.nulls(number, field.type) if values is None else values.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema())


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
