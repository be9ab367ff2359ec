"""Log lines for machines: one object a line, of closed fields."""

import io
import logging

import orjson
import pytest

from streams.log_lines import JsonLines, handler


def written(log_format: str) -> tuple[logging.Logger, io.StringIO]:
    """A logger of its own, and where it writes."""
    stream = io.StringIO()
    to = handler(log_format)
    assert isinstance(to, logging.StreamHandler)
    to.setStream(stream)
    logger = logging.Logger(f"streams.{log_format}")
    logger.addHandler(to)
    return logger, stream


def test_one_object_a_line() -> None:
    logger, stream = written("json")
    logger.warning("two\nlines, %s and \x1b[31m", "« accents »")
    logger.error("half a pair: \ud83d")
    try:
        raise ValueError("why\nnot")
    except ValueError:
        logger.exception("failed")
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 3
    assert {frozenset(line) for line in lines[:2]} == {frozenset({"time", "level", "logger", "message"})}
    assert lines[0]["message"] == "two\nlines, « accents » and \x1b[31m"
    assert (lines[0]["level"], lines[0]["logger"]) == ("WARNING", "streams.json")
    assert lines[0]["time"].endswith("Z")
    assert lines[1]["message"] == "half a pair: \\ud83d"
    assert lines[2].keys() == {"time", "level", "logger", "message", "error"}
    assert lines[2]["error"].endswith("ValueError: why\nnot\n")


def test_lines_for_people_are_as_ever() -> None:
    logger, stream = written("text")
    logger.warning("a %s", "b")
    assert stream.getvalue().endswith(" WARNING streams.text: a b\n")


def test_a_line_that_cannot_be_made_is_pythons_to_tell() -> None:
    with pytest.raises(TypeError):
        JsonLines().format(logging.LogRecord("a", logging.INFO, "", 0, "%d", ("x",), None))
