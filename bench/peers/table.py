"""The table of `make bench-peers`, as Markdown. Pure."""

import statistics
from collections.abc import Mapping, Sequence

from bench.peers.contenders import CONTENDERS, FAUST, OURS, STREAMS
from bench.peers.running import Figures

#: Vigie's whole path over these, by CPU second of the process: the goals.
GOALS = ((STREAMS, 2.0, False), (STREAMS, 1.0, True), (FAUST, 45.0, False))


def table(figures: Sequence[Figures], not_here: Mapping[str, str]) -> str:
    """One row a contender: median and spread over rounds, and how much of it Vigie's whole path is, round by round."""
    rows = [
        "| | keeps, when killed | events a CPU-second, median (spread) | events/s on the wall | Vigie's whole path is | with Redis's CPU |",
        "|---|---|---|---|---|---|",
    ]
    for one in CONTENDERS:
        mine = [each for each in figures if each.contender == one.name]
        if not mine:
            if one.name in not_here:
                rows.append(f"| {one.title} | {one.keeps} | not measured: {not_here[one.name]} | | | |")
            continue
        rates = [each.per_cpu_second for each in mine]
        wall = statistics.median(each.events / each.wall_seconds for each in mine)
        with_redis = f"; with Redis {statistics.median(e.with_redis for e in mine):,.0f}" if one.name == OURS else ""
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        rows.append(
            f"| {one.title} | {one.keeps} | {statistics.median(rates):,.0f} ({spread}){with_redis} | {wall:,.0f} | "
            f"{_times(ratio(figures, one.name))} | {_times(ratio(figures, one.name, with_redis=True))} |"
        )
    return "\n".join(rows)


def ratio(figures: Sequence[Figures], name: str, *, with_redis: bool = False) -> float | None:
    """Vigie's whole path over a contender, the median of the ratios of each round; None where no round has both."""
    ours = {each.round: each for each in figures if each.contender == OURS}
    found = [
        (ours[each.round].with_redis if with_redis else ours[each.round].per_cpu_second) / each.per_cpu_second
        for each in figures
        if each.contender == name and each.round in ours
    ]
    return statistics.median(found) if found else None


def goals(figures: Sequence[Figures]) -> list[str]:
    """What was to be reached, and whether it was."""
    lines = []
    for name, wanted, with_redis in GOALS:
        found = ratio(figures, name, with_redis=with_redis)
        what = f"whole path against {name}{', with Redis' if with_redis else ''}"
        if found is not None:
            lines.append(f"{what}: {found:.2f} times, goal {wanted:g}: {'met' if found >= wanted else 'NOT met'}")
    return lines


def _times(number: float | None) -> str:
    return "" if number is None else f"{number:.2f} times" if number < 10 else f"{number:.0f} times"
