"""One place where CSV files are opened: what spreadsheets and portals make of them is read, or refused by line.

What is read:

- UTF-8, and UTF-16 with a byte order mark; also compressed;
- cells between `,` `;` tab or `|`, also after a first line `sep=;`; every end of line; quotes, and line breaks within them;
- names of columns in any order, case and accents; blank lines and empty columns.

All else is refused. Lines are counted as an editor counts them, from 1.
"""

import csv
import io
import itertools
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from streams.errors import FileRefused, InputError
from streams.unpacking import READ_BYTES, START_BYTES, Packing, Unpacked, tool_for
from streams.values import quoted

LINE_CHARACTERS_MAX = 1_000_000
_SEPARATORS = ",;\t|"
_BLANK_LINE = f'{_SEPARATORS}" \r\n'
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row that is not blank: the line on which it begins, and its cells without outer blanks, by `column_key`."""

    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell, empty where there is no such column."""
        return self.cells.get(column, "")


class CsvFile:
    """A CSV file whose first line that is not blank names its columns.

    `columns` is `column_key` -> the name as it is written, `line` that of the names.
    """

    def __init__(self, text: TextIO, name: str) -> None:
        self.name = name
        self._read = 0
        self._lines = self._text_lines(text)
        head = next((line for line in self._lines if line.strip(_BLANK_LINE)), "")
        if separator := _told_separator(head):
            head = next(self._lines, "")
        self._head = head
        self._separator = separator or max(
            _SEPARATORS, key=lambda one: len(next(csv.reader([head], delimiter=one), []))
        )
        self.line = max(self._read, 1)
        self._rows = self._records()
        names = next(self._rows, (1, []))[1]
        while names and not column_key(names[-1]):
            names.pop()
        #: `column_key` of each cell of a row, empty for a column without a name.
        self.keys = [column_key(name) for name in names]
        self.columns = {key: name.strip() for key, name in zip(self.keys, names, strict=True) if key}
        if len(self.columns) < sum(map(bool, self.keys)):
            twice = next(name for name in names if self.keys.count(column_key(name)) > 1)
            raise self.refusal(self.line, f"column {twice.strip()} twice: keep one")

    def rows(self) -> Iterator[CsvRow]:
        """The rows below the names; blank ones are none.

        Raises:
            FileRefused: a line is no row of this file, or no text.
        """
        for line, cells in self.lists():
            yield CsvRow(line, {key: cell.strip() for key, cell in zip(self.keys, cells, strict=False) if key})

    def lists(self) -> Iterator[tuple[int, list[str]]]:
        """The line of each row, and its cells as they are, in the order of `keys`: in less time than `rows` where columns are many.

        Raises:
            FileRefused: as `rows`.
        """
        width, all_named = len(self.keys), all(self.keys)
        for line, cells in self._rows:
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != width or not all_named:
                self._check_width(line, cells)
            yield line, cells

    def _check_width(self, line: int, cells: Sequence[str]) -> None:
        if len(cells) < len(self.keys):
            raise self.refusal(line, f"{len(cells)} columns where line {self.line} has {len(self.keys)}")
        extra = [
            *(cell for key, cell in zip(self.keys, cells, strict=False) if not key),
            *cells[len(self.keys) :],
        ]
        if found := next((cell.strip() for cell in extra if cell.strip()), None):
            raise self.refusal(line, f"it has more cells than line {self.line} names columns: {quoted(found)}")

    def check_columns(self, known: Sequence[str], needed: Sequence[str]) -> None:
        """Refuse a file that has not all that is needed, or a column that nothing reads.

        Raises:
            FileRefused: see above.
        """
        expected = f"expected a first line `{','.join(needed)}` or `{','.join(known)}`"
        if missing := [column for column in sorted(needed) if column not in self.columns]:
            found = quoted(", ".join(self.columns.values()))
            raise self.refusal(self.line, f"no column {', '.join(missing)}: {expected}, found {found}")
        if strange := [name for key, name in self.columns.items() if key not in known]:
            raise self.refusal(self.line, f"{expected}; column {quoted(strange[0])} is not one of them: take it out")

    def refusal(self, line: int, reason: object) -> FileRefused:
        """What to raise where a line cannot be used."""
        return FileRefused(f"{self.name}, line {line}: {reason}")

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(
            itertools.chain([self._head], self._lines), delimiter=self._separator, strict=True, skipinitialspace=True
        )
        before = self.line - 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise self.refusal(
                    before + 1, f"cannot be divided into cells ({error}): are its quotes in pairs?"
                ) from None
            yield before + 1, cells
            before = self._read

    def _text_lines(self, text: TextIO) -> Iterator[str]:
        try:
            while line := text.readline(LINE_CHARACTERS_MAX):
                self._read += 1
                self._check_text(line)
                yield line
        except UnicodeDecodeError:
            raise self.refusal(self._read + 1, "is no text: save the file as CSV in UTF-8") from None
        except (EOFError, Packing) as error:
            raise _damaged(self.name, self._read + 1, error) from None
        except OSError as error:
            raise InputError(
                f"{self.name} cannot be read on after line {self._read}: {error.strerror or error}"
            ) from None

    def _check_text(self, line: str) -> None:
        if len(line) >= LINE_CHARACTERS_MAX:
            raise self.refusal(self._read, f"is longer than {LINE_CHARACTERS_MAX:,} characters: is this a CSV file?")
        if "\0" in line:
            raise self.refusal(self._read, "holds a byte 0, as text in UTF-16 does: save the file as CSV in UTF-8")
        if not line.isascii() and any("\ud800" <= one <= "\udfff" for one in line):
            raise self.refusal(
                self._read, "is not in UTF-8: save the file as CSV in UTF-8, or use `iconv -f CP1252 -t UTF-8`"
            )


@contextmanager
def open_csv(path: Path) -> Iterator[CsvFile]:
    """Open a file, `-` for standard input.

    Raises:
        FileRefused: it holds no CSV; while it is read, see `CsvFile`.
        InputError: there is no such file, or it cannot be read.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        raw = io.BytesIO(sys.stdin.buffer.read()) if str(path) == "-" else path.open("rb", buffering=0)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}; name a CSV file") from None
    with io.BufferedReader(raw) as stream:
        try:
            unpacked = _unpacked(stream)
            encoding = "utf-16" if unpacked.peek(START_BYTES).startswith(_UTF16_MARKS) else "utf-8-sig"
        except (EOFError, Packing) as error:
            raise _damaged(name, 1, error) from None
        except OSError as error:
            raise InputError(f"cannot read {name}: {error.strerror or error}; name a CSV file") from None
        except InputError as error:
            raise FileRefused(f"{name}, line 1: {error}") from None
        # Bytes that are no text get through as half characters, so that `CsvFile` can name their line.
        with io.TextIOWrapper(unpacked, encoding, errors="surrogateescape", newline="") as text:
            yield CsvFile(text, name)


def _unpacked(stream: "io.BufferedReader[Any]") -> "io.BufferedReader[Any]":
    start = stream.peek(START_BYTES)[:START_BYTES]
    if start.startswith(_SPREADSHEETS):
        raise InputError("This is a spreadsheet or an archive, no CSV file: export the sheet as CSV in UTF-8")
    tool = tool_for(start)
    return io.BufferedReader(Unpacked(stream, tool), READ_BYTES) if tool else stream


def _damaged(name: str, line: int, error: Exception) -> FileRefused:
    what = "ends in the middle" if isinstance(error, EOFError) else f"is damaged ({error})"
    return FileRefused(f"{name}, line {line}: its compressed data {what}: get the whole file again")


def column_key(name: str) -> str:
    """The name of a column without case, accents, blanks and marks: `Début semaine` is `debutsemaine`."""
    return "".join(one for one in unicodedata.normalize("NFKD", name).casefold() if one.isalnum())


def _told_separator(line: str) -> str:
    """That of a first line `sep=;`, which some spreadsheets write and read; empty where it is none."""
    told = line.strip("\r\n")
    return told[4] if len(told) == 5 and told.lower().startswith("sep=") and told[4] in _SEPARATORS else ""
