"""Commands whose standard streams are closed, full, not read to the end or of an old encoding: told, and never with exit status 0."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VIGIE = f"{sys.executable} -m streams"
CLOSED = "what was to be printed or written is lost, it is closed: leave it open, or send it to /dev/null"
FULL = "what was to be printed or written is lost, no space is left: free some, then try again"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", ["--version", "--help", "history --help"])
@pytest.mark.parametrize(
    ("redirection", "code", "told"),
    [
        (">/dev/full", 2, FULL),
        (">&-", 2, CLOSED),
        (">&- 2>&-", 2, ""),
        ("| true", 141, ""),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
    ],
)
def test_where_nothing_can_be_printed_it_is_told(words: str, redirection: str, code: int, told: str) -> None:
    done = shell(f"{VIGIE} {words} {redirection}")
    assert (done.returncode, done.stderr) == (code, f"vigie: {told}\n" if told else "")


def test_an_error_is_not_printed_among_figures() -> None:
    """With standard error closed, `print` would take standard output in its place."""
    done = shell(f"{VIGIE} rehearse --counts /nonexistent.csv 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


def test_what_an_encoding_does_not_have_stops_nothing() -> None:
    code = "from streams.cli import mend_streams; mend_streams(); print('visites \\u2248 é')"
    done = shell(f'{sys.executable} -c "{code}" | od -c', PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "? 351" in " ".join(done.stdout.split())


def test_a_file_that_cannot_be_read_from_its_first_byte_on_is_told() -> None:
    done = shell(f"{VIGIE} rehearse --counts /proc/self/mem")
    assert (done.returncode, done.stderr) == (
        2, "vigie: cannot read /proc/self/mem: Input/output error; name a CSV file\n"
    )  # fmt: skip
