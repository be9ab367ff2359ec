"""A lock names its holder, leaves no file, and is free once its holder is gone."""

import os
import subprocess
import sys

import pytest

from streams.errors import ServerError
from streams.local.ports import locked_by_us


def test_the_holder_is_named(tmp_path):
    path = tmp_path / "vigie.lock"
    with locked_by_us(path, "taken"), pytest.raises(ServerError, match=rf"^taken: pid {os.getpid()} \(.*python"):
        locked_by_us(path, "taken").__enter__()
    assert not path.exists()
    with locked_by_us(path, "taken"):
        assert path.exists()


def test_a_killed_holder_holds_nothing(tmp_path):
    path = tmp_path / "vigie.lock"
    code = f"""
import os, signal
from pathlib import Path
from streams.local.ports import locked_by_us
held = locked_by_us(Path({str(path)!r}), "taken")
held.__enter__()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert path.exists()
    with locked_by_us(path, "taken"):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_lock_file_that_was_replaced_is_not_mistaken(tmp_path):
    """The file that was opened is removed by its last holder before it is locked: the one on disk counts."""
    path = tmp_path / "vigie.lock"
    first = locked_by_us(path, "taken")
    with first:
        path.unlink()
        with locked_by_us(path, "taken"):
            assert path.read_text() == f"{os.getpid()}\n"


def test_what_lies_beside_the_lock_is_its_owners_alone(tmp_path):
    with locked_by_us(tmp_path / "data" / "lock", "taken"):
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0
