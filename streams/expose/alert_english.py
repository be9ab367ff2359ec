"""Alerts as commands tell them, in English, with codes beside names and times in Paris with the offset. Pure.

Pages, e-mails and boards speak French (`streams.expose.alert_french`); a terminal speaks English throughout.
"""

from dataclasses import dataclass

from streams.catalog import Catalog
from streams.clock import MINUTE_MS, paris_text
from streams.expose.alert_french import ALMOST_NONE, DECIMALS_BELOW, TIMES_MAX
from streams.incidents import HOLD_MINUTES, NOW_MINUTES, Acknowledgement, AlertRecord, Driver, Incident, Quiet

_KINDS = {"never_seen": "never seen"}
_LEVELS = {"national": "all of France", "region": "region", "project": "project", "service": "service"}
#: Why nobody is called for an incident that runs.
_QUIET = {
    Quiet.PLANNED: "planned",
    Quiet.LEARNING: "too little past",
    Quiet.SMALL: "few visits",
    Quiet.HELD: f"raised less than {HOLD_MINUTES} minutes ago",
}
#: What to do first, by kind.
_FIRST = {
    "surge": "first: see that the chain keeps up (vigie status: lag, rejects), then tell who runs the portals concerned",
    "drop": "first: open the portal as a user would, then call who runs it",
    "silence": "first: see that the portal answers and its sender publishes (vigie check --project), then call who runs it",
    "never_seen": "first: ask who runs the portal whether its sender is in service (vigie check --project)",
}


@dataclass(frozen=True, slots=True)
class TerminalWords:
    """Says alerts; `shift_seconds` is scenario time minus clock."""

    catalog: Catalog
    shift_seconds: int

    def place(self, region: str | None, service: str | None, project: str | None) -> str:
        """`44 Grand Est`, `44 Grand Est, NOTES Notes`, `kosmos_edu Kosmos Education`, `France`."""
        if project is not None:
            return f"{project} {self.catalog.project_name(project)}"
        named = [] if region is None else [f"{region} {self.catalog.region_name(region)}"]
        if service is not None:
            named.append(f"{service} {self.catalog.service_label(service)}")
        return ", ".join(named) or "France"

    def title(self, alert: AlertRecord) -> str:
        """`surge, 44 Grand Est`."""
        return f"{_KINDS.get(alert.kind, alert.kind)}, {self.place(alert.region, alert.service, alert.project)}"

    def clock(self, ms: int) -> str:
        """`2026-09-01 07:52+02:00`."""
        return paris_text(ms, self.shift_seconds)

    def sentence(self, alert: AlertRecord) -> str:
        """What, where, how much against what, since when, what drives it."""
        drivers = ", ".join(self._driver(one) for one in alert.drivers[:3])
        return f"{self.title(alert)}: {self._figures(alert)}{f'; most of it: {drivers}' if drivers else ''}"

    def incident(self, incident: Incident, known: Acknowledgement | None) -> str:
        """The same, what it explains, why nobody is called, and who has taken it in charge."""
        quiet = incident.quiet if incident.is_running else None
        uncalled = "" if quiet is None else f"nobody is called ({_QUIET[quiet]})"
        told = (self.sentence(incident.alert), self.explained(incident), uncalled, self.acknowledged(known))
        return "; ".join(text for text in told if text)

    def explanation(self, alert: AlertRecord) -> str:
        """All that is known, one line a thought."""
        rentree = alert.last_rentree if alert.kind != "silence" else None
        usual = f"usual over these minutes: {alert.lower:,.0f} to {alert.upper:,.0f} (days like it)"
        score = f"score {alert.score:.1f}; an ordinary day reaches {alert.usual_score:.1f}"
        normal = alert.normal_since_ms
        lines = [
            self.title(alert),
            self._figures(alert),
            usual if alert.expected > 0 else "",
            score if alert.score > 0 else "",
            f"{times(alert.observed / rentree)} the last rentrée" if rentree else "",
            f"raised {self.clock(alert.raised_ms)}",
            "learning: few comparable days" if alert.learning else "",
            "" if normal is None else f"learned as the new normal since {self.clock(normal)}",
            f"planned: {alert.planned}; nobody is called" if alert.planned else "",
            *(f"  {self._driver(driver)}" for driver in alert.drivers),
            _FIRST.get(alert.kind, ""),
        ]
        return "\n".join(filter(None, lines))

    def explained(self, incident: Incident) -> str:
        """`explains 316 other alerts: 13 regions, 13 projects, 290 services`, "" where it explains none."""
        counts = {level: number for level, number in incident.counts.items() if number}
        named = [_LEVELS[level] if level == "national" else several(n, _LEVELS[level]) for level, n in counts.items()]
        return f"explains {several(sum(counts.values()), 'other alert')}: {', '.join(named)}" if counts else ""

    def acknowledged(self, known: Acknowledgement | None) -> str:
        """`taken in charge by astreinte until 2026-09-01 10:00+02:00 (je regarde)`, "" where nobody has."""
        if known is None:
            return ""
        said = f" ({known.comment})" if known.comment else ""
        return f"taken in charge by {known.by} until {self.clock(known.until_ms)}{said}"

    def _figures(self, alert: AlertRecord) -> str:
        """`300 visits where 100 were expected since 2026-09-01 07:52+02:00 (x 3.0), x 4.1 in the last 5 minutes`."""
        when = (
            f"since {self.clock(alert.start_ms)}"
            if alert.end_ms is None
            else f"from {self.clock(alert.start_ms)} to {self.clock(alert.end_ms)}"
        )
        if alert.kind == "never_seen":
            return f"listed, and no event has ever come, {when}"
        what = alert.measure.removesuffix("s")
        told = f"{several(alert.observed, what)} where {hoped(alert.expected)} expected {when}"
        if alert.kind == "silence" or alert.ratio is None:
            return told
        now = alert.ratio_now if alert.until_ms - alert.start_ms > NOW_MINUTES * MINUTE_MS else None
        return (
            f"{told} ({times(alert.ratio)}){'' if now is None else f', {times(now)} in the last {NOW_MINUTES} minutes'}"
        )

    def _driver(self, driver: Driver) -> str:
        place = self.place(None if driver.service else driver.region, driver.service, driver.project)
        return place if driver.ratio is None else f"{place} ({times(driver.ratio)})"


def times(ratio: float) -> str:
    """`x 2.1`; of next to nothing a multiple says little."""
    return f"x {ratio:.1f}" if 0.95 <= ratio < TIMES_MAX else f"x {ratio:.2f}" if ratio < 1 else f"over x {TIMES_MAX}"


def hoped(value: float) -> str:
    """`100 were`, `1.4 were`, `almost none was`: few are never told as none."""
    if value < ALMOST_NONE:
        return f"{'almost ' if value else ''}none was"
    return f"{value:.1f} were" if value < DECIMALS_BELOW else f"{value:,.0f} were"


def several(number: float, word: str) -> str:
    """`1,234 visits`, `1 visit`, `0 visits`."""
    whole = f"{number:,.0f}"
    return f"{whole} {word}{'' if whole == '1' else 's'}"
