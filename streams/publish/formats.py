"""Which reader a format needs, from the lists and tables of `config/`. Used by `vigie publish`, not by what an ENT embeds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streams.catalog import load_catalog
from streams.errors import InputError
from streams.publish.combined import CombinedReader
from streams.publish.emitter_tables import combined_tables, entcore_tables, xiti_tables
from streams.publish.entcore import EntcoreReader
from streams.publish.fields import TS_MS_MAX
from streams.publish.readers import EmittedLines, Format, LineReader, NativeLines, ReadBlock, ReadLine
from streams.publish.xiti import XitiReader


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What the command was asked: `project` for lines that name none, `at_ms` for hits that carry no time."""

    format: Format
    project: str | None = None
    at_ms: int | None = None

    @classmethod
    def of_words(cls, format_name: str, project: str | None, at: str | None) -> "FormatOptions":
        """The same from what was typed; `at` as `read_moment`.

        Raises:
            InputError: `at` is no time.
        """
        return cls(Format(format_name), project, None if at is None else read_moment(at))


def read_moment(text: str) -> int:
    """Return the epoch ms of an ISO 8601 time; UTC where it names no offset.

    Raises:
        InputError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
        ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        ms = -1
    if not 0 <= ms < TS_MS_MAX:
        raise InputError(
            f"--at {text!r} is no time of an event: write one between 1970 and 2100, as in 2026-09-01T08:03:12+02:00"
        )
    return ms


def line_reader(
    question: FormatOptions, config_dir: Path, secret_of: Callable[[str], bytes]
) -> Callable[[], LineReader]:
    """Return how to make a reader that has seen no line yet.

    Raises:
        InputError: the options do not go with the format.
        SettingsError: a list or table is wrong, or the secret of the named project is.
    """
    if question.format is Format.NATIVE:
        _refuse(question, project="events of the contract carry their own `project`", at="events carry their own `ts`")
        return NativeLines
    if question.format is not Format.XITI:
        _refuse(question, at="lines of this format carry their time")
    read_line, read_block = _reader(question, config_dir)
    if question.project is not None:
        secret_of(question.project)  # tells at once what would otherwise end the run at its first line
    return lambda: EmittedLines(question.format, read_line, secret_of, read_block)


def _reader(question: FormatOptions, config_dir: Path) -> tuple[ReadLine, ReadBlock | None]:
    catalog = load_catalog(config_dir)
    project = question.project
    if project is not None and project not in {each.code for each in catalog.projects}:
        alike = catalog.project_like(project)
        meant = f". Is it {alike}?" if alike else ""
        raise InputError(
            f"--project {project!r} is not in {config_dir / 'projects.yaml'}: name one of its ids, or add it there{meant}"
        )
    if question.format is Format.XITI:
        return XitiReader(xiti_tables(config_dir, catalog), project, question.at_ms).read, None
    if question.format is Format.COMBINED:
        combined = CombinedReader(combined_tables(config_dir, catalog), project)
        return combined.read, combined.read_block
    if project is None:
        raise InputError("--format entcore needs --project ID: its lines do not say of which project they are")
    return EntcoreReader(entcore_tables(config_dir, catalog, project), project).read, None


def _refuse(question: FormatOptions, project: str = "", at: str = "") -> None:
    for option, given, why in (("--project", question.project, project), ("--at", question.at_ms, at)):
        if given is not None and why:
            raise InputError(f"{option} does not go with --format {question.format.value}: {why}; leave it out")
