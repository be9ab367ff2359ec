"""`vigie minutes`: the counts by minute that Redis holds."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NoReturn

import click

from streams.catalog import UNKNOWN, Catalog
from streams.cli.shared import print_json, settings_and_lists, since_text
from streams.clock import paris_text, simulation_note
from streams.edges import redis_address
from streams.errors import InputError, ServerError
from streams.expose.codes import Codes
from streams.expose.minutes_query import (
    GROUPINGS,
    MEASURES,
    USERS,
    Question,
    Row,
    Value,
    read_question,
    read_rows,
    read_time,
)
from streams.live import LiveReader, SketchReader, Snapshot
from streams.settings import Settings
from streams.small_numbers import SmallNumbers

#: More lines than this say nothing on a screen; `--json` gives them all.
LINES_SHOWN_MAX = 500
#: What `--follow` begins with, unless `--since` says so.
FOLLOWED_MINUTES = 10
FOLLOW_SECONDS = 2.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, and nothing else.")
@click.option(
    "--since", "--from", "since", metavar="TIME", help="First start of a minute: 15m, 6h or 3d ago, or ISO 8601 (UTC)."
)
@click.option("--to", "to_text", metavar="TIME", help="Start of a minute that is left out, ISO 8601 (UTC).")
@click.option("--by", "by_text", default="none", show_default=True, help=f"One of: {' | '.join(GROUPINGS)}.")
@click.option("--measure", help=f"One of: {' | '.join(MEASURES)}; all that the grouping has unless given.")
@click.option("--follow", is_flag=True, help="Go on: print each minute once it is settled, until Ctrl-C.")
def minutes(
    *, as_json: bool, since: str | None, to_text: str | None, by_text: str, measure: str | None, follow: bool
) -> None:
    """Print the counts by minute that Redis holds, a line a minute for all of France: all of them unless bounded.

    Times are in Paris, with the offset; in a simulation those of the scenario. JSON has UTC. Rows of zero are left out. A minute is
    running until it will not move any more but for late events. Codes that config/ no longer lists are under INCONNU.

    Visits are by the ministry's rule (a gap of 30 minutes starts another), at the event that starts them; by service they are the visits
    of that service, and do not add up. Users are distinct visitors, approximate (0.81 % standard error), kept for about 20 settled
    minutes, and do not add up either.
    """
    if follow and to_text is not None:
        raise InputError("--follow goes on until Ctrl-C: leave --to out")
    settings, catalog = settings_and_lists()
    found = _Minutes(settings, catalog)
    question = read_question(since_text(since), to_text, by_text, measure)
    lines = MinuteLines(question, catalog, settings.calendar_shift_seconds, SmallNumbers(settings.users_shown_min))
    if follow:
        found.follow(question, None if as_json else lines)
    elif as_json:
        for page in found.read(question, found.snapshot()):
            _write(page, None)
    else:
        found.show(question, lines)


class _Minutes:
    """The minutes of one installation, read and printed."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        address, prefix = redis_address(settings), settings.redis_prefix
        self._shift_seconds = settings.calendar_shift_seconds
        self._reader = LiveReader(address, prefix)
        self._sketches = SketchReader(address, prefix, catalog, SmallNumbers(settings.users_shown_min))
        self._codes = Codes.of(catalog)
        self.snapshot: Callable[[], Snapshot] = self._reader.snapshot

    def read(self, question: Question, snapshot: Snapshot) -> Iterator[list[Row]]:
        """Yield the rows page by page."""
        return read_rows(self._reader, self._sketches, snapshot, question, self._codes)

    def show(self, question: Question, lines: "MinuteLines") -> None:
        """Print the last lines, what they add up to, and how many were left out."""
        snapshot = self.snapshot()
        self._print_head(lines, snapshot)
        shown: deque[Row] = deque(maxlen=LINES_SHOWN_MAX)
        # Users never add up, and visits of services neither.
        sums = dict.fromkeys((name for name in question.measures if question.grouping.adds_up(name)), 0)
        count = 0
        for page in self.read(question, snapshot):
            shown.extend(page)
            count += len(page)
            for name in sums:
                sums[name] += sum(int(row[name] or 0) for row in page)
        _write(shown, lines)
        if count > len(shown):
            click.echo(f"{count - len(shown):,} earlier lines are not shown: use --since, a coarser --by, or --json")
        click.echo("".join(f"{number:,} {name}, " for name, number in sums.items()) + f"{count:,} lines")

    def follow(self, question: Question, lines: "MinuteLines | None") -> NoReturn:
        """Print the rows of each minute once it is settled, as JSON where `lines` is None; ends with Ctrl-C."""
        following = question.first
        says_head, says_away = lines is not None, True
        while True:
            try:
                snapshot = self.snapshot()
                end = (snapshot.settled_ms or 0) // 60_000
                if says_head and lines is not None:
                    self._print_head(lines, snapshot)
                says_head = False
                following = end - FOLLOWED_MINUTES if following is None and end else following
                if following is not None and following < end:
                    for page in self.read(replace(question, first=following, end=end), snapshot):
                        _write(page, lines)
                    following = end
                says_away = True
            except ServerError as error:
                if says_away:
                    click.echo(f"{error} (tried again until it answers)", err=True)
                says_away = False
            time.sleep(FOLLOW_SECONDS)

    def _print_head(self, lines: "MinuteLines", snapshot: Snapshot) -> None:
        if note := simulation_note(snapshot.now_ms, self._shift_seconds):
            click.echo(note)
        click.echo(lines.head())


def _write(rows: Iterable[Row], lines: "MinuteLines | None") -> None:
    """Write rows to standard output at once: as text, or as JSON where `lines` is None."""
    if lines is None:
        print_json(*rows)
        return
    for row in rows:
        click.echo(lines.row(row))


_TIME_WIDTH = len("2026-09-01 07:52+02:00")
_FIGURE_WIDTH = 11


class MinuteLines:
    """Writes the rows of one question, all in the same columns; times are in Paris, `shift_seconds` after the clock (a scenario's)."""

    def __init__(self, question: Question, catalog: Catalog, shift_seconds: int, few: SmallNumbers) -> None:
        self._members = {member: _texts(member, catalog) for member in question.grouping.members}
        self._widths = {member: max(map(len, texts.values())) for member, texts in self._members.items()}
        self._measures = question.measures
        self._shift_seconds = shift_seconds
        self._few = f"< {few.shown_min}"

    def head(self) -> str:
        """The names of the columns."""
        figures = ["users ≈" if name == USERS else name for name in self._measures]
        return self._line("minute (Paris)", {member: member for member in self._members}, "", figures)

    def row(self, row: Row) -> str:
        """One row."""
        texts = {member: texts.get(str(row[member]), str(row[member])) for member, texts in self._members.items()}
        figures = [self._figure(row[name]) if name in row else "-" for name in self._measures]
        when = paris_text(read_time("minute", str(row["minute"])), self._shift_seconds)
        return self._line(when, texts, "" if row["settled"] else "running", figures)

    def _figure(self, number: Value) -> str:
        return self._few if number is None else f"{number:,}"

    def _line(self, when: str, texts: Mapping[str, str], state: str, figures: list[str]) -> str:
        members = [f"{text:{self._widths[member]}}" for member, text in texts.items()]
        return "".join(
            [
                "  ".join([f"{when:{_TIME_WIDTH}}", *members, f"{state:7}"]),
                *(f"{each:>{_FIGURE_WIDTH}}" for each in figures),
            ]
        )


def _texts(member: str, catalog: Catalog) -> dict[str, str]:
    """Code -> code and name, of what the member may be."""
    lists = {
        "region": {region.code: region.name for region in catalog.regions},
        "service": {service.code: service.label for service in catalog.services},
        "project": {project.code: project.name for project in catalog.projects},
        "profile": {profile.code: "" for profile in catalog.profiles},
        "academy": {academy.code: academy.name for region in catalog.regions for academy in region.academies},
    }
    return {code: f"{code} {name}".rstrip() for code, name in lists[member].items()} | {UNKNOWN: UNKNOWN}
