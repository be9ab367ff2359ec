"""What `vigie up` shows: a live view on a terminal, a line every ten seconds elsewhere. Draws; reads and decides nothing."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.align import Align
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from streams.clock import paris_text, simulation_note
from streams.local.chain import RANKED_MINUTES, TOP, ChainLook, duration_text
from streams.local.supervisor import ProcessStatus, State

LINE_SECONDS = 10.0
DRAW_SECONDS = 0.5
_BAR_CELLS = 14
#: Terminals this wide show processes and addresses side by side.
_WIDE = 100
#: Headline, figures with their frame, the frame of the rankings, the last line, and one to spare for the cursor.
_FIXED_LINES = 1 + 5 + 2 + 1 + 1
_RANKED_MIN = 2
#: A lag above this is coloured: about a second of the workers' capacity.
LAG_SHOWN = 100_000
_COLOURS = {
    **{State.RUNNING: "green", State.RESTARTING: "red"},
    **dict.fromkeys((State.STARTING, State.STOPPING), "yellow"),
    **dict.fromkeys((State.ENDED, State.STOPPED), "dim"),
}
#: A child that was started again this often is named in every plain line.
RESTARTS_TOLD = 3


@dataclass(frozen=True, slots=True)
class FrenchNames:
    """French names of codes."""

    regions: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackView:
    """Everything one picture shows. `left_seconds` is None where the stack runs until it is stopped."""

    chain: ChainLook | None
    problem: str | None
    processes: Sequence[ProcessStatus]
    shift_seconds: int
    clock: float
    up_seconds: float
    left_seconds: float | None


class Screen:
    """Shows views at their pace. A terminal that went away (closed window, closed pipe) is no reason to stop: it is then left alone."""

    def __init__(
        self, addresses: Mapping[str, str], names: FrenchNames, live: bool | None = None, console: Console | None = None
    ) -> None:
        self._console = console or Console()
        self._addresses = addresses
        self._names = names
        wanted = self._console.is_terminal and not self._console.is_dumb_terminal if live is None else live
        self._live = Live(console=self._console, screen=True, auto_refresh=False) if wanted else None
        self._gone = False
        self._next = 0.0

    def start(self) -> None:
        """Take the terminal over, or say where everything is."""
        if self._live:
            self._live.start()
        else:
            for name, address in self._addresses.items():
                self.say(f"{name:<12} {address}")

    def show(self, view: StackView) -> None:
        """Show a view if it is time for one."""
        now = time.monotonic()
        if self._gone or now < self._next:
            return
        try:
            if self._live:
                self._next = now + DRAW_SECONDS
                self._live.update(self.render(view), refresh=True)
            else:
                self._next = now + LINE_SECONDS
                print(line(view), flush=True)  # noqa: T201
        except OSError:
            self._gone = True

    def stop(self) -> None:
        """Give the terminal back; what is said from now on is plain lines."""
        if self._live:
            try:
                self._live.stop()
            except OSError:
                self._gone = True
            self._live = None

    def leave(self) -> None:
        """Write nothing more: the terminal is gone."""
        self._gone = True

    def say(self, text: str) -> None:
        """Print a line, unless the live view has the terminal."""
        if not self._gone and not self._live:
            try:
                print(text, flush=True)  # noqa: T201
            except OSError:
                self._gone = True

    def render(self, view: StackView) -> RenderableType:
        """The whole live view, cut to the terminal: first the rankings get shorter, then the addresses go."""
        wide = self._console.width >= _WIDE
        below = 1 + (max(len(view.processes), len(self._addresses)) if wide else len(view.processes))
        taken = _FIXED_LINES + (view.shift_seconds != 0) + below
        links = wide or taken + _RANKED_MIN + 1 + len(self._addresses) <= self._console.height
        if links and not wide:
            taken += 1 + len(self._addresses)
        ranked_lines = min(max(self._console.height - taken, _RANKED_MIN), TOP)
        if view.chain:
            shown: list[RenderableType] = [
                self._figures(view.chain, view.clock, view.shift_seconds),
                self._rankings(view.chain, ranked_lines),
            ]
        else:
            problem = Text(view.problem or "waiting for Redis", style="red")
            shown = [Panel(problem, title="Redis", border_style="red")]
        return Group(
            self._headline(view),
            *shown,
            Columns([self._processes(view), *([self._links()] if links else [])], padding=(0, 1)),
            Text("Ctrl-C stops everything cleanly; once more hurries.", style="dim"),
        )

    def _headline(self, view: StackView) -> RenderableType:
        ends = "" if view.left_seconds is None else f", stops in {duration_text(max(view.left_seconds, 0))}"
        note = simulation_note(int(view.clock * 1000), view.shift_seconds)
        return Text.assemble(
            ("VIGIE", "bold cyan"),
            (f"  local stack  up {duration_text(view.up_seconds)}{ends}", "dim"),
            (f"\n{note}" if note else "", "bold yellow"),
        )

    def _figures(self, chain: ChainLook, clock: float, shift_seconds: int) -> RenderableType:
        figures = [
            ("-" if chain.rate is None else f"{chain.rate:,.0f}", "bold green", "events/s", "last 10 s"),
            (f"{chain.counted:,}", "bold", "counted", "in all"),
            (f"{chain.rejected:,}", "yellow" if chain.rejected else "bold", "rejected", "in all"),
            (f"{chain.lag:,}", "bold" if chain.lag < LAG_SHOWN else "yellow", "lag", "to count"),
            (chain.settled_clock(shift_seconds), "bold", "settled to", chain.settled_ago(clock)),
            (
                f"{chain.owned}/{chain.partitions}",
                "bold" if chain.owned == chain.partitions else "red",
                "partitions",
                "being read",
            ),
        ]
        table = Table.grid(*(Column(justify="center", ratio=1) for _ in figures), expand=True)
        table.add_row(*(Text(value, style=style) for value, style, _title, _note in figures))
        table.add_row(*(Text(title) for _value, _style, title, _note in figures))
        table.add_row(*(Text(note, style="dim") for _value, _style, _title, note in figures))
        return Panel(table, border_style="cyan")

    def _rankings(self, chain: ChainLook, lines: int) -> RenderableType:
        grid = Table.grid(Column(ratio=1), Column(ratio=1), expand=True)
        span = f"last {RANKED_MINUTES} minutes counted"
        grid.add_row(
            _ranking(f"Regions, {span}", chain.top_regions[:lines], self._names.regions),
            _ranking(f"Services, {span}", chain.top_services[:lines], self._names.services),
        )
        return grid

    def _processes(self, view: StackView) -> RenderableType:
        texts = (Column(title, no_wrap=True) for title in ("process", "state"))
        numbers = (Column(title, justify="right", no_wrap=True) for title in ("pid", "port", "restarts"))
        table = Table(*texts, *numbers, box=None, padding=(0, 1), header_style="dim")
        for status in view.processes:
            state = Text(f"● {status.state}", style=_COLOURS[status.state])
            restarts = Text(str(status.restarts), style="yellow" if status.restarts else "dim")
            table.add_row(status.name, state, str(status.pid or "-"), str(status.port or "-"), restarts)
        return table

    def _links(self) -> RenderableType:
        columns = Column("address", no_wrap=True), Column(no_wrap=True)
        table = Table(*columns, box=None, padding=(0, 1), header_style="dim")
        for name, address in self._addresses.items():
            table.add_row(name, Text(address, style="cyan"))
        return Align.left(table)


def line(view: StackView) -> str:
    """The plain line."""
    now = paris_text(int(view.clock * 1000), view.shift_seconds, "seconds")
    parts = [f"scenario {now}" if view.shift_seconds else now]
    if chain := view.chain:
        parts += [
            f"{'-' if chain.rate is None else f'{chain.rate:,.0f}'} events/s",
            f"{chain.counted:,} counted",
            f"{chain.rejected:,} rejected",
            f"lag {chain.lag:,}",
            f"settled to {chain.settled_clock(view.shift_seconds)} ({chain.settled_ago(view.clock)})",
        ]
    else:
        parts.append(view.problem or "waiting for Redis")
    well = sum(status.state in (State.RUNNING, State.ENDED, State.STOPPED) for status in view.processes)
    parts += [
        f"{well}/{len(view.processes)} processes up",
        # A child that dies again and again is up at most looks.
        *(
            f"{status.name} was started again {status.restarts} times, last end: {status.last_exit}; see its log"
            for status in view.processes
            if status.restarts >= RESTARTS_TOLD
        ),
        *(
            f"{status.name} {status.state}"
            for status in view.processes
            if status.state in (State.RESTARTING, State.STARTING)
        ),
    ]
    if restarts := sum(status.restarts for status in view.processes):
        parts.append(f"{restarts} restarts")
    return " | ".join(parts)


def _ranking(title: str, pairs: Sequence[tuple[str, int]], names: Mapping[str, str]) -> RenderableType:
    table = Table.grid(
        Column(no_wrap=True, overflow="ellipsis", ratio=1),
        Column(justify="right", no_wrap=True),
        Column(no_wrap=True, width=_BAR_CELLS),
        padding=(0, 1),
        expand=True,
    )
    longest = max((number for _code, number in pairs), default=1)
    for code, number in pairs:
        bar = Text("━" * max(1, round(_BAR_CELLS * number / longest)), style="cyan")
        table.add_row(names.get(code, code), f"{number:,}", bar)
    if not pairs:
        table.add_row(Text("no event yet", style="dim"))
    return Panel(table, title=title, title_align="left", border_style="dim")
