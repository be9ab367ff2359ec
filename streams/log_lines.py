"""How worker and observer write their log: lines for people, or one JSON object a line for machines. Neither holds a visitor."""

import logging
import sys
import traceback

import orjson

from streams.clock import iso_utc

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One object a line: `time` (UTC, ms), `level`, `logger`, `message`, and where there is one `error`, a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": iso_utc(int(record.created * 1000), milliseconds=True),
            "level": record.levelname,
            "logger": record.name,
            "message": _text(record.getMessage()),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = _text("".join(traceback.format_exception(*record.exc_info)))
        return orjson.dumps(line).decode()


def _text(said: str) -> str:
    return said.encode(errors="backslashreplace").decode()  # halves of a surrogate pair are no text


def handler(log_format: str) -> logging.Handler:
    """A handler that writes to standard error in this format, `text` or `json`."""
    found = logging.StreamHandler(sys.stderr)
    found.setFormatter(JsonLines() if log_format == "json" else logging.Formatter(TEXT))
    return found
