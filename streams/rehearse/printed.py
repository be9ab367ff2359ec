"""What `vigie rehearse` prints: one JSON array, or lines for a person."""

from __future__ import annotations

import orjson

from streams.rehearse.counts_file import CountsGrid
from streams.rehearse.judge_rows import Found, Rehearsal
from streams.watch import normal_since


def as_json(counts: CountsGrid, rehearsal: Rehearsal) -> bytes:
    """One array of `{kind,start,end,region,service,observed,expected,ratio}`; times as the file wrote them, `end` the
    last row of the alert.
    """
    return orjson.dumps(
        [
            {
                "kind": one.kind.value,
                "start": counts.texts[one.start],
                "end": counts.texts[one.last],
                "region": one.scope.region,
                "service": one.scope.service,
                "observed": _number(one.observed),
                "expected": round(one.expected, 1),
                "ratio": None if one.ratio is None else round(one.ratio, 3),
            }
            for one in rehearsal.alerts
        ]
    )


def as_text(counts: CountsGrid, rehearsal: Rehearsal) -> list[str]:
    """One line an alert, and a last one that sums up."""
    lines = [_line(counts, one) for one in rehearsal.alerts]
    days = len(set(counts.dates.tolist()))
    series = len(counts.scopes)
    kinds = [f"{sum(one.kind.value == kind for one in rehearsal.alerts)} {kind}s" for kind in ("surge", "drop")]
    silences = sum(one.kind.value == "silence" for one in rehearsal.alerts)
    lines.append(
        f"{len(rehearsal.alerts)} alerts ({kinds[0]}, {kinds[1]}, {silences} silences) in {days} days of {series} series, rows of "
        f"{counts.step_minutes} min: {7 * len(rehearsal.alerts) / days:.2f} a week"
    )
    return lines


def _line(counts: CountsGrid, one: Found) -> str:
    start, end = counts.texts[one.start], counts.texts[one.last]
    where = " ".join(part for part in (one.scope.region, one.scope.service) if part) or "-"
    ratio = "" if one.ratio is None or one.kind == "silence" else f"  x{one.ratio:.2f}"
    normal = _normal_from(counts, one)
    notes = ["still running"] if one.running else []
    notes += [f"score {one.score:.1f}, an ordinary day reaches {one.usual:.1f}"] if one.score else []
    notes += [f"learned as the new normal since {normal}"] if normal else []
    notes += ["learning: few comparable days"] if one.learning else []
    marks = f"  ({', '.join(notes)})" if notes else ""
    return f"{one.kind.value:7}  {start}  {end}  {where}  {one.observed:,.0f} where {one.expected:,.0f} were expected{ratio}{marks}"


def _normal_from(counts: CountsGrid, one: Found) -> str | None:
    """The first row of a lasting alert that is learned as usual."""
    step = counts.step_minutes
    since = normal_since(one.kind, one.start * step, (one.last + 1) * step)
    return None if since is None else next((text for text in counts.texts[since // step :] if text), None)


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 3)
