"""What may hold a visitor is looked at, however it is written."""

import json

import pytest
from click.testing import CliRunner

from streams.audit.visitor_traces import Traces, may_hold
from streams.cli import cli
from streams.errors import InputError


def test_escapes_hide_nobody() -> None:
    visitor = "a/b+c=é"
    assert may_hold(json.dumps({"visitor": visitor}).encode(), visitor.encode())  # é as an escape
    assert may_hold(json.dumps({"visitor": visitor}, ensure_ascii=False).encode(), visitor.encode())
    assert not may_hold(b'{"visitor":"other"}', visitor.encode())
    assert not may_hold(None, visitor.encode())


def test_the_last_record_decides_when_all_are_gone() -> None:
    traces = Traces("visits")
    for at_ms in (5, 9, 7):
        traces.note("mbn", at_ms)
    assert (traces.by_project, traces.last_ms) == ({"mbn": 3}, 9)


@pytest.mark.parametrize("visitor", ["", "x" * 129])
def test_what_is_no_pseudonym_is_refused(visitor: str) -> None:
    done = CliRunner().invoke(cli, ["erase", "--visitor", visitor])
    assert isinstance(done.exception, InputError)
