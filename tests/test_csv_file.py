"""CSV files before their rows are looked at: what they are written in, and what is no CSV file at all."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import cramjam
import pytest

from streams.csv_file import LINE_CHARACTERS_MAX, column_key, open_csv
from streams.errors import FileRefused, InputError

TEXT = "timestamp,count\n2026-01-05T00:00,1\n"


def rows(path: Path, data: bytes) -> list[tuple[int, dict[str, str]]]:
    path.write_bytes(data)
    with open_csv(path) as file:
        return [(row.line, dict(row.cells)) for row in file.rows()]


def refused(path: Path, data: bytes) -> str:
    with pytest.raises(FileRefused) as caught:
        rows(path, data)
    assert caught.value.exit_code == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "line 3: its compressed data ends in the middle"),
        (gzip.compress(TEXT.encode(), mtime=0)[:4], "line 1: its compressed data ends in the middle"),
        (bz2.compress(TEXT.encode())[:20] + b"x" * 50, "line 1: its compressed data is damaged"),
        (gzip.compress(TEXT.encode(), mtime=0) + b"rubbish", "line 3: its compressed data is damaged"),
        (b"\x1f\x9d\x90t", "line 1: This is compressed with compress: pipe it through `zcat`"),
        (b"PK\x03\x04\x14\x00\x06\x00", "line 1: This is a spreadsheet or an archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "line 1: This is a spreadsheet or an archive"),
        (TEXT.encode("utf-16-le"), "line 1: holds a byte 0, as text in UTF-16 does"),
        (TEXT.encode() + b"2026-01-05T01:00,1\0\n", "line 3: holds a byte 0"),
        (TEXT.encode() + "2026-01-05T01:00,é\n".encode("cp1252"), "line 3: is not in UTF-8"),
        (TEXT.encode("utf-16")[:-1], "line 2: is no text"),
        (TEXT.encode() + b"x" * LINE_CHARACTERS_MAX, "line 3: is longer than"),
        (TEXT.encode() + b'"' + b"x\n" * 100_000, "line 3: cannot be divided into cells"),
        (TEXT.encode() + b'2026-01-05T01:00,"1"0\n', "line 3: cannot be divided into cells"),
    ],
)
def test_what_is_no_csv_file_is_refused_by_line(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in refused(tmp_path / "c.csv", data)


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, lambda data: bytes(cramjam.zstd.compress(data))],
    ids=["gz", "bz2", "xz", "zst"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_compressed_files_are_read_whatever_they_are_called(
    tmp_path: Path, compress: Callable[[bytes], bytes], encoding: str
) -> None:
    assert rows(tmp_path / "c.csv", compress(TEXT.encode(encoding))) == [
        (2, {"timestamp": "2026-01-05T00:00", "count": "1"})
    ]


def test_what_cannot_be_opened_is_another_error(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=said) as caught, open_csv(path):
            pass
        assert caught.value.exit_code == 2


def test_a_line_is_that_of_an_editor(tmp_path: Path) -> None:
    text = '\n;;\r\na;b;"c\nd";\n\n"1\r\n1";2;3\n;;\n  \n4;5;6;\n7;8;9'
    assert [line for line, _cells in rows(tmp_path / "c.csv", text.encode())] == [6, 10, 11]
    assert "line 10: it has more cells than line 3 names columns: '0'" in refused(
        tmp_path / "c.csv", text.replace("6;", "6;0").encode()
    )


def test_cells_below_no_name_are_refused(tmp_path: Path) -> None:
    assert rows(tmp_path / "c.csv", b",a,,b,,\n,1,,2\n") == [(2, {"a": "1", "b": "2"})]
    assert "line 2: it has more cells" in refused(tmp_path / "c.csv", b",a\n0,1\n")


def test_names_of_columns(tmp_path: Path) -> None:
    names = ["Début semaine", "debutSemaine", " DEBUT_SEMAINE ", "\ufeffdébut-semaine", "de\u0301but\nsemaine"]
    assert {column_key(name) for name in names} == {"debutsemaine"}
    assert column_key("visites_1er_degré") == "visites1erdegre"
