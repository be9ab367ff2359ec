"""Alerts as operators read them, in French: one or two sentences, and the whole explanation. Pure."""

from dataclasses import dataclass

from streams.catalog import Catalog
from streams.clock import MINUTE_MS, french_date, scenario_time
from streams.incidents import NOW_MINUTES, Acknowledgement, AlertRecord, Driver, Incident
from streams.pages.french import number

_KINDS = {"surge": "Hausse", "drop": "Baisse", "silence": "Silence", "never_seen": "Jamais vu"}
#: Higher multiples are not told to the unit: next to nothing was expected.
TIMES_MAX = 100
#: So few are almost none; below so many a decimal is told.
ALMOST_NONE, DECIMALS_BELOW = 0.05, 10

#: What to do first, by kind.
_FIRST = {
    "surge": "À faire d'abord : vérifier que la chaîne suit (retard, rejets), puis prévenir les exploitants des ENT concernés.",
    "drop": "À faire d'abord : ouvrir le portail concerné comme un usager, puis appeler son exploitant.",
    "silence": "À faire d'abord : vérifier que le portail répond et que son émetteur publie (vigie check --project), "
    "puis appeler son exploitant.",
    "never_seen": "À faire d'abord : vérifier avec l'exploitant que son émetteur est en service (vigie check --project).",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Says alerts; `shift_seconds` is scenario time minus clock: times are those that screens show, in Paris."""

    catalog: Catalog
    shift_seconds: int

    def place(self, region: str | None, service: str | None, project: str | None) -> str:
        """`Grand Est`, `Cahier de textes (Grand Est)`, `projet Mon Bureau Numérique`, `France entière`."""
        if project is not None:
            return f"projet {self.catalog.project_name(project)}"
        if service is not None:
            return f"{self.catalog.service_label(service)} ({self.catalog.region_name(region or '')})"
        return "France entière" if region is None else self.catalog.region_name(region)

    def title(self, alert: AlertRecord) -> str:
        """`Hausse - Grand Est`."""
        return f"{_KINDS.get(alert.kind, alert.kind)} – {self.place(alert.region, alert.service, alert.project)}"

    def summary(self, alert: AlertRecord) -> str:
        """`Hausse – Grand Est : × 3,0 depuis 07:52, × 4,1 ces 5 dernières minutes`."""
        said = {"silence": "plus rien n'arrive", "never_seen": "attendu, rien n'est arrivé"}.get(alert.kind)
        if said is None and alert.ratio is not None:
            said = f"{times(alert.ratio)} {self._when(alert)}{_lately(alert)}"
        return f"{self.title(alert)} : {said or self._when(alert)}"

    def incident(self, incident: Incident) -> str:
        """One paragraph: its alert, what it explains, what to do first."""
        alert = incident.alert
        return " ".join(filter(None, (self.sentence(alert), self.explained(incident), _FIRST.get(alert.kind, ""))))

    def part(self, alert: AlertRecord, whole: Incident) -> str:
        """The same of an alert that another one explains."""
        return f"{self.sentence(alert)} Fait partie de : {self.title(whole.alert)}."

    def clock(self, ms: int) -> str:
        """`07:52`."""
        return f"{scenario_time(ms, self.shift_seconds):%H:%M}"

    def sentence(self, alert: AlertRecord) -> str:
        """One or two sentences: what, where, how much against what, since when, what drives it."""
        drivers = ", ".join(self._driver(driver) for driver in alert.drivers[:3])
        told = (
            f"{self.title(alert)} : {self._figures(alert)}.",
            self._normal(alert),
            self._rentree(alert),
            f"Surtout : {drivers}." if drivers else "",
        )
        return " ".join(filter(None, told))

    def explanation(self, alert: AlertRecord) -> str:
        """All that is known, one line a thought."""
        day = french_date(scenario_time(alert.start_ms, self.shift_seconds))
        figures = self._figures(alert)
        usual = (
            f"Bornes habituelles sur cette durée : {number(alert.lower)} à {number(alert.upper)} "
            f"(jours comparables : même type de jour dans le calendrier scolaire)."
        )
        score = f"Écart : {decimal(alert.score)} ; le plus haut d'un jour ordinaire : {decimal(alert.usual_score)}."
        lines = [
            f"{self.title(alert)}, {day}",
            f"{figures[:1].upper()}{figures[1:]}.",
            usual if alert.expected > 0 else "",
            score if alert.score > 0 else "",
            self._normal(alert),
            self._rentree(alert),
            f"Alerte levée à {self.clock(alert.raised_ms)}.",
            "Apprentissage : peu de jours comparables, la fourchette est large." if alert.learning else "",
            f"Prévu : {alert.planned}. Personne n'est prévenu." if alert.planned else "",
            *(f"  {self._driver(driver)}" for driver in alert.drivers),
            _FIRST.get(alert.kind, ""),
        ]
        return "\n".join(filter(None, lines))

    def explained(self, incident: Incident) -> str:
        """`Explique 316 autres alertes : 13 régions, 13 ENT, 290 services.`, "" where it explains none."""
        counts = incident.counts
        several = {"region": "régions", "project": "ENT", "service": "services"}
        one = {"national": "la France entière", "region": "1 région", "project": "1 ENT", "service": "1 service"}
        named = [one[level] if n == 1 else f"{number(n)} {several[level]}" for level, n in counts.items() if n]
        total = sum(counts.values())
        alerts = "1 autre alerte" if total == 1 else f"{number(total)} autres alertes"
        return f"Explique {alerts} : {', '.join(named)}." if total else ""

    def acknowledged(self, known: Acknowledgement | None) -> str:
        """`Pris en charge par astreinte jusqu'à 10:00 (je regarde).`, "" where nobody has."""
        if known is None:
            return ""
        return f"Pris en charge par {self.who(known)}{f' ({known.comment})' if known.comment else ''}."

    def who(self, known: Acknowledgement) -> str:
        """`astreinte jusqu'à 10:00`."""
        return f"{known.by} jusqu'à {self.clock(known.until_ms)}"

    def _figures(self, alert: AlertRecord) -> str:
        """`300 visites pour 100 attendues depuis 07:52 (× 3,0), × 4,1 ces 5 dernières minutes`: since the start, and lately."""
        if alert.kind == "never_seen":
            return f"projet attendu, aucun événement reçu à ce jour, {self._when(alert)}"
        feminine = alert.measure == "visits"
        what, of = ("visite", "attendue") if feminine else ("événement", "attendu")
        observed = (
            f"aucun{'e' if feminine else ''} {what}" if alert.kind == "silence" else counted(alert.observed, what)
        )
        told = f"{observed} pour {hoped(alert.expected, of)} {self._when(alert)}"
        if alert.kind == "silence" or alert.ratio is None:
            return told
        return f"{told} ({times(alert.ratio)}){_lately(alert)}"

    def _when(self, alert: AlertRecord) -> str:
        start, until = (scenario_time(ms, self.shift_seconds) for ms in (alert.start_ms, alert.until_ms))
        several = start.date() != until.date()
        if alert.end_ms is None:
            return f"depuis {f'le {self._moment(alert.start_ms)}' if several else self.clock(alert.start_ms)}"
        if several:
            return f"du {self._moment(alert.start_ms)} au {self._moment(alert.end_ms)}"
        return f"de {self.clock(alert.start_ms)} à {self.clock(alert.end_ms)}"

    def _moment(self, ms: int) -> str:
        """`mardi 1er septembre 2026 à 07:52`."""
        return f"{french_date(scenario_time(ms, self.shift_seconds))} à {self.clock(ms)}"

    def _normal(self, alert: AlertRecord) -> str:
        """From when on an alert that lasts over days is learned, so that it ends although the level stays."""
        since = alert.normal_since_ms
        return "" if since is None else f"Appris comme nouveau niveau normal depuis le {self._moment(since)}."

    def _rentree(self, alert: AlertRecord) -> str:
        if not alert.last_rentree or alert.kind == "silence":
            return ""
        return f"C'est × {decimal(alert.observed / alert.last_rentree)} la dernière rentrée."

    def _driver(self, driver: Driver) -> str:
        in_place = self.place(driver.region, driver.service, driver.project)
        place = in_place if driver.service is None else self.catalog.service_label(driver.service)
        return place if driver.ratio is None else f"{place} ({times(driver.ratio)})"


def _lately(alert: AlertRecord) -> str:
    """`, × 4,1 ces 5 dernières minutes`; "" where it runs no longer than that, or is over."""
    now = alert.ratio_now
    is_longer = alert.until_ms - alert.start_ms > NOW_MINUTES * MINUTE_MS
    return f", {times(now)} ces {NOW_MINUTES} dernières minutes" if now is not None and is_longer else ""


def times(ratio: float) -> str:
    """`× 2,1`; of next to nothing a multiple says little."""
    return f"× {decimal(ratio)}" if ratio < TIMES_MAX else f"plus de × {TIMES_MAX}"


def counted(value: float, word: str) -> str:
    """`12 visites`, `1 visite`, `0 visite`: what is below two is one."""
    return f"{number(value)} {word}{'s' if round(value) >= 2 else ''}"


def hoped(value: float, word: str) -> str:
    """`100 attendues`, `1,4 attendue`, `presque aucune attendue`: few are never told as none. `word` is `attendue` or `attendu`."""
    if value < ALMOST_NONE:
        return f"{'presque ' if value else ''}aucun{'e' if word.endswith('e') else ''} {word}"
    if value < DECIMALS_BELOW:
        return f"{value:.1f} {word}{'s' if value >= 2 else ''}".replace(".", ",")
    return counted(value, word)


def decimal(value: float) -> str:
    """`2,1`."""
    return f"{value:.1f}".replace(".", ",") if value >= 0.95 else f"{value:.2f}".replace(".", ",")
