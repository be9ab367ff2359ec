"""The same table as spreadsheets and portals write it, and edits of its bytes: for the property tests of every reader of CSV."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from streams.csv_file import CsvFile, open_csv
from streams.errors import FileRefused

SEPARATORS = [",", ";", "\t", "|"]
ENDS = ["\n", "\r\n", "\r"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16"]
HEADS: list[Callable[[str], str]] = [str, str.upper, str.capitalize, lambda name: f" {name} "]
#: Cells that say a whole number, and which.
COUNTS_READ = {
    "7": 7,
    "007": 7,
    " 7 ": 7,
    "7.0": 7,
    "7,00": 7,
    "1 234": 1234,
    "1\u202f234": 1234,
    "1\u00a0234,00": 1234,
    "123\n": 123,
}
#: Cells that say none, or perhaps another.
COUNTS_REFUSED = [
    *("1_0", "1e3", "NaN", "nan", "inf", "-1", "+1", "٣", "３", "0x10", "1 0", "12 34", "1,234", "1.234", "1.5", "1,5", "5%", "=5"),
    *("true", "'5", "1 234 5", "1.234,0", "9999999999999999", "1\n2", "½", "²", "1-2", "--", "n.d.", "…"),
]  # fmt: skip
#: Cells that say no moment that everybody reads as the same.
MOMENTS_REFUSED = [
    "",
    "01/09/2026 06:00",
    "09/01/2026",
    "46266.25",
    "46266",
    "20260901T0600Z",
    "2026-W36-2T06:00Z",
    "2026-09-01x06:00Z",
]
MOMENTS_REFUSED += [
    "٢٠٢٦-09-01T06:00Z",
    "2026-13-01T06:00Z",
    "2026-09-31T06:00Z",
    "06:00",
    "Total",
    "0026-09-01T06:00Z",
    "2026-09-01T06Z",
]


@dataclass(frozen=True)
class Table:
    """Names of columns, and rows of cells."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def with_cell(self, row: int, column: str, cell: str) -> "Table":
        """The same but for one cell."""
        changed = list(self.rows[row])
        changed[self.head.index(column)] = cell
        return Table(self.head, (*self.rows[:row], tuple(changed), *self.rows[row + 1 :]))

    def plain(self) -> str:
        """As a program writes it."""
        return "".join(",".join(row) + "\n" for row in (self.head, *self.rows))


@dataclass(frozen=True)
class Written:
    """A file, and on which line of an editor each row of the table begins."""

    data: bytes
    lines: tuple[int, ...]


@st.composite
def forms(draw: st.DrawFn, table: Table) -> Written:
    """A table in one of the forms that mean the same."""
    order = draw(st.permutations(range(len(table.head))))
    separator, end, encoding = (
        draw(st.sampled_from(SEPARATORS)),
        draw(st.sampled_from(ENDS)),
        draw(st.sampled_from(ENCODINGS)),
    )
    empty_columns = draw(st.integers(0, 2))
    quoted = draw(st.booleans()) or any("\n" in cell for row in table.rows for cell in row)
    head_form = draw(st.sampled_from(HEADS))
    blank_lines = draw(st.lists(st.sampled_from(["", separator * (len(order) - 1), "  "]), max_size=2))
    text = f"sep={separator}{end}" if draw(st.booleans()) and encoding != "utf-16" else ""
    lines = []
    for number, row in enumerate((table.head, *table.rows)):
        cells = [row[place] for place in order] + [""] * empty_columns
        out = io.StringIO()
        named = [head_form(cell) if cell else "" for cell in cells] if number == 0 else cells
        csv.writer(
            out, delimiter=separator, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator=end
        ).writerow(named)
        if number != 1 or not text.startswith("sep="):  # right after `sep=` only the names may follow
            text += "".join(blank + end for blank in blank_lines) if number else ""
        lines.append(len(re.findall(r"\r\n|\r|\n", text)) + 1)
        text += out.getvalue()
    return Written((text if draw(st.booleans()) else text.rstrip("\r\n")).encode(encoding), tuple(lines[1:]))


@st.composite
def edits(draw: st.DrawFn, data: bytes) -> bytes:
    """One to three edits: bytes put in, taken out, doubled, exchanged."""
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.sampled_from([0, 1, 1, 2, 5, 20, 60])))
        pieces = [b"", data[begin:end] * 2, draw(st.binary(max_size=3)), draw(st.sampled_from(SNIPPETS)).encode()]
        data = data[:begin] + draw(st.sampled_from(pieces)) + data[end:]
    return data


SNIPPETS = [
    ",",
    ";",
    '"',
    "\n",
    "\r",
    "\t",
    " ",
    "\u202f",
    "0",
    "1",
    "9",
    "_",
    ".",
    ",,",
    "-",
    "e",
    "é",
    "\0",
    "\ufeff",
    "\n\n",
    "NaN",
]


def opened(path: Path, data: bytes, read: Callable[[CsvFile], object]) -> object:
    """What a reader makes of a file, or the refusal."""
    path.write_bytes(data)
    try:
        with open_csv(path) as file:
            return read(file)
    except FileRefused as refusal:
        return refusal


def line_of(refusal: object, data: bytes) -> int:
    """The line that a refusal names, which the file has."""
    assert isinstance(refusal, FileRefused), refusal
    named = re.search(r", line ([0-9]+): ", str(refusal))
    assert named is not None, refusal
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    lines = len(re.findall(r"\r\n|\r|\n", data.decode(encoding, "replace"))) + 1
    assert 1 <= int(named[1]) <= lines, refusal
    return int(named[1])


def plain_count(cell: str) -> int:
    """The whole number of a cell, read a second way; fails where nobody should have read one."""
    found = re.fullmatch(r"([0-9]+|[0-9]{1,3}(?:[ \u00a0\u2009\u202f][0-9]{3})+)(?:[.,]0{1,2})?", cell.strip())
    assert found, f"{cell!r} was read as a count"
    return int(re.sub("[^0-9]", "", found[1]))


def plain_rows(data: bytes) -> list[dict[str, str]]:
    """The rows of an edited file that was taken, read a second way: separated as its first line is."""
    text = data.decode("utf-8-sig")
    lines = io.StringIO(text, newline="").readlines()
    while lines and not lines[0].strip(' ",;|\t\r\n'):
        lines.pop(0)
    separator = max(SEPARATORS, key=lines[0].count)
    names, *rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    keys = [re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKD", name).lower()) for name in names]
    return [dict(zip(keys, row, strict=False)) for row in rows if any(cell.strip() for cell in row)]


def changed(data: st.DataObject, table: Table, column: str, cell: str) -> tuple[Written, int]:
    """The table with that cell in some row, in some form, and the line of that row."""
    row = data.draw(st.integers(0, len(table.rows) - 1))
    written = data.draw(forms(table.with_cell(row, column, cell)))
    return written, written.lines[row]


#: For tests that write each example to the same temporary file.
EXAMPLES = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
