"""The files of `config/`: YAML that says what it looks like.

Only the numbers of JSON are numbers. `01`, `08`, `1_000`, `1:30`, `NO`, `on`, `.inf` and dates are texts, as they were written, until a
list or a struct says what they are. These are refused, and the message names the line: a key told twice, anchors and aliases, tags, what is
nested too deep, tabs, what is not UTF-8. Nothing here recurses, so no file can end the process.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from streams.decoded_types import known
from streams.errors import SettingsError

T = TypeVar("T")
BYTES_MAX = 16 << 20
DEPTH_MAX = 20
_NULLS = ("", "~", "null")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
#: What YAML itself refuses, without a line.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a file holds; one that says nothing is empty. Scalars are texts, int, float or None; keys are texts.

    Raises:
        SettingsError: the file is missing or is no such mapping; the message names the line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        raise SettingsError(f"{path} is missing: restore it from the repository, or set VIGIE_CONFIG_DIR") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > BYTES_MAX:
        raise SettingsError(f"{path} cannot be read: it has more than {BYTES_MAX:,} bytes, is it a list?")
    try:
        document = _document(_text(data))
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Mend this file") from None
    if document is not None and not isinstance(document, dict):
        raise SettingsError(
            f"{path} cannot be read: Expected `object` (`name: ...`), as the head of the file shows. Mend this file"
        )
    return document or {}


def convert_section(section: Any, kind: type[T], where: str, problems: list[str]) -> T | None:
    """A part of a file as a value; the first problem of it is added to `problems`."""
    try:
        return msgspec.convert(section, known(kind))
    except msgspec.ValidationError as error:
        problems.append(f"{where}: {error}" if where else str(error))
        return None


def section_error(path: Path, problems: Iterable[str]) -> SettingsError:
    """All problems of one file as one error."""
    told = list(problems)
    lines = "\n".join(f"  - {problem}" for problem in told)
    return SettingsError(f"{len(told)} problem(s) in {path}:\n{lines}\nMend this file, then start again.")


def unknown_keys(item: dict[str, Any], known: Iterable[str]) -> list[str]:
    """Keys that nothing reads: a typing error would be ignored silently otherwise."""
    return sorted(item.keys() - set(known))


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read, and the key whose value comes next."""

    value: list[Any] | dict[str, Any]
    key: str | None = None

    def add(self, value: Any, line: int) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None:
            self.value[self.key] = value
            self.key = None
        elif not isinstance(value, _Scalar):
            raise ValueError(f"a list or mapping where a name was expected, line {line}")
        elif value.text in self.value:
            raise ValueError(f"{value.text!r} is told twice, line {line}: keep one")
        else:
            self.key = value.text


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A single value as it was written."""

    text: str
    plain: bool

    def value(self, line: int) -> str | int | float | None:
        """What it is: without quotes a number or nothing, otherwise a text."""
        if not self.plain:
            return self.text
        if self.text in _NULLS:
            return None
        if _INTEGER.fullmatch(self.text):
            return int(self.text)
        if _FRACTION.fullmatch(self.text):
            return float(self.text)
        if _DATE.fullmatch(self.text):
            try:
                date.fromisoformat(self.text)
            except ValueError as error:
                raise ValueError(f"{error}: {self.text}, line {line}") from None
        return self.text


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"it is not in UTF-8, line {line}: save it so") from None
    if found := _UNPRINTABLE.search(text):
        raise ValueError(f"it holds the character {found[0]!r}, line {text.count(chr(10), 0, found.start()) + 1}")
    return text


def _document(text: str) -> Any:
    """Build the document from libyaml's events, which come one by one."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    root = _Open([])
    stack = [root]
    for event in yaml.parse(text, Loader=loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        _check_event(event, line)
        if isinstance(event, yaml.ScalarEvent):
            here = stack[-1]
            scalar = _Scalar(event.value, event.implicit[0])
            is_key = isinstance(here.value, dict) and here.key is None
            here.add(scalar if is_key else scalar.value(line), line)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(stack) > DEPTH_MAX:
                raise ValueError(f"nested deeper than {DEPTH_MAX}, line {line}")
            value: list[Any] | dict[str, Any] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            stack[-1].add(value, line)
            stack.append(_Open(value))
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
    assert isinstance(root.value, list)
    if len(root.value) > 1:
        raise ValueError("there is more than one document (`---`) in it")
    return root.value[0] if root.value else None


def _check_event(event: Any, line: int) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise ValueError(
            f"anchors and aliases (& and *) are not read, line {line}: write the value out, or put it in quotes"
        )
    if getattr(event, "tag", None):
        raise ValueError(f"tags ({event.tag}) are not read, line {line}: put the value in quotes")
