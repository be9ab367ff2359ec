"""« Puis-je croire cette minute ? » and the state of the chain, as sentences in French with a state each. Pure.

States: `ok`, `attention`, `mauvais`, `info` (nothing to judge), `inconnu` (not measured).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.count.settle import UNOWNED_MS
from streams.expose.page.picture import Picture
from streams.expose.samples import lag_events
from streams.expose.scope import Scope
from streams.live import Snapshot
from streams.observe import partitions_unowned, settling

#: Settled time stands so far behind the clock in the normal flow: a minute, the lateness, a heartbeat.
SETTLED_AGE_OK_SECONDS = 120
SETTLED_AGE_BAD_SECONDS = 300
LATE_SHARE_OK, LATE_SHARE_BAD = 0.01, 0.05
REJECTED_SHARE_OK, REJECTED_SHARE_BAD = 0.01, 0.10
DUPLICATE_SHARE_OK = 0.05

_ORDER = ("mauvais", "attention", "inconnu", "ok", "info")
_ANSWERS = {
    "ok": ("Oui", "Tout ce qui a été envoyé est compté."),
    "attention": ("Avec réserve", "Le chiffre est juste pour ce qui est arrivé ; voyez ce qui suit."),
    "mauvais": ("Non", "La chaîne ne dit pas ce qui se passe maintenant."),
    "inconnu": ("On ne sait pas encore", "Rien n'est encore arrêté."),
}

Check = dict[str, str]


def trust(picture: Picture, scope: Scope) -> dict[str, Any]:
    """The answer and its reasons, worst first in `state`."""
    checks = [
        _settled(picture),
        _readers(picture.snapshot),
        *_flow(picture),
        _late(picture),
        _lost(picture.snapshot),
        *_reporting(picture, scope),
    ]
    worst = min((check["state"] for check in checks), key=_ORDER.index)
    state = "ok" if worst == "info" else worst
    answer, why = _ANSWERS[state]
    return {"state": state, "answer": answer, "why": why, "checks": checks}


#: What each tick takes, beside it.
_LIMITS = {
    "settled": f"bon jusqu'à {SETTLED_AGE_OK_SECONDS // 60} min, mauvais après {SETTLED_AGE_BAD_SECONDS // 60} min",
    "readers": "bon : toutes suivies, Kafka répond",
    "rejected": f"bon jusqu'à {REJECTED_SHARE_OK:.0%}, mauvais au-delà de {REJECTED_SHARE_BAD:.0%}",
    "duplicates": f"bon jusqu'à {DUPLICATE_SHARE_OK:.0%}",
    "late": f"bon jusqu'à {LATE_SHARE_OK:.0%}, mauvais au-delà de {LATE_SHARE_BAD:.0%}",
    "lost": "bon : aucun depuis le début des comptes",
}


def _check(key: str, state: str, title: str, value: str, note: str = "") -> Check:
    limit = _LIMITS.get(key, "").replace("%", "\u202f%")
    return {"key": key, "state": state, "title": title, "value": value, "note": note, "limit": limit}


def _settled(picture: Picture) -> Check:
    if picture.snapshot is None:
        return _check(
            "settled",
            "mauvais",
            "Minute arrêtée",
            "Redis ne répond pas",
            "Les chiffres affichés sont les derniers lus.",
        )
    if picture.settled_ms is None:
        return _check("settled", "inconnu", "Minute arrêtée", "aucune encore", "Aucun worker n'a encore compté.")
    age = max(0, (picture.read_ms - picture.settled_ms) // 1000)
    value = f"il y a {duration(age)}"
    if age > SETTLED_AGE_OK_SECONDS and picture.flow is not None and picture.flow.is_catching_up:
        return _check(
            "settled",
            "attention",
            "Minute arrêtée",
            value,
            "Rattrapage en cours : le retard diminue, les chiffres sont d'alors.",
        )
    if age > SETTLED_AGE_BAD_SECONDS:
        return _check(
            "settled", "mauvais", "Minute arrêtée", value, "Plus rien ne s'arrête : voyez l'état de la chaîne."
        )
    if age > SETTLED_AGE_OK_SECONDS:
        return _check("settled", "attention", "Minute arrêtée", value, "Plus ancienne que d'habitude (moins de 2 min).")
    return _check("settled", "ok", "Minute arrêtée", value)


def _readers(snapshot: Snapshot | None) -> Check:
    title = "Lecture de Kafka"
    if snapshot is None:
        return _check("readers", "inconnu", title, "inconnue", "Redis ne répond pas.")
    if not snapshot.partitions:
        return _check("readers", "mauvais", title, "aucun worker", "Démarrez un worker.")
    unowned = len(partitions_unowned(snapshot))
    if unowned:
        value = f"{plural(unowned, 'partition')} sur {number(snapshot.partitions)} sans worker"
        return _check("readers", "mauvais", title, value, "Ce qui y arrive n'est pas compté pour le moment.")
    warming = sum(beat.warming is not None for beat in snapshot.heartbeats.values())
    if warming:
        return _check(
            "readers", "attention", title, f"{plural(warming, 'partition')} en relecture", "Elles reprennent seules."
        )
    if silence := kafka_silence(snapshot):
        value = f"{plural(len(silence.partitions), 'partition')} sur {number(snapshot.partitions)} sans réponse"
        return _check(
            "readers", "mauvais", title, value, f"{silence.words} : ce qui y arrive n'est pas compté pour le moment."
        )
    return _check("readers", "ok", title, f"{number(snapshot.partitions)} partitions sur {number(snapshot.partitions)}")


@dataclass(frozen=True, slots=True)
class KafkaSilence:
    """Partitions whose owner lives and that Kafka says nothing of, and for how long; `seconds` is None where it never said anything."""

    partitions: tuple[int, ...]
    seconds: int | None

    @property
    def words(self) -> str:
        """`Kafka ne répond plus depuis 45 s`."""
        return (
            "Kafka ne répond pas" if self.seconds is None else f"Kafka ne répond plus depuis {duration(self.seconds)}"
        )


def kafka_silence(snapshot: Snapshot) -> KafkaSilence | None:
    """None where Kafka lately told each live worker where its log ends. One that hangs leaves workers, heartbeats and port as they were."""
    silent = set(settling(snapshot, 0).stale) - set(partitions_unowned(snapshot))
    beats = [snapshot.heartbeats[number] for number in sorted(silent) if number in snapshot.heartbeats]
    if not beats:
        return None
    latest = max(beat.confirmed_ms or 0 for beat in beats)
    return KafkaSilence(tuple(sorted(silent)), (snapshot.now_ms - latest) // 1000 if latest else None)


def _flow(picture: Picture) -> list[Check]:
    flow = picture.flow
    if flow is None:
        return [
            _check(
                "rejected", "inconnu" if picture.snapshot is None else "info", "Événements refusés", "pas encore mesuré"
            ),
            _check("duplicates", "info", "Répétitions écartées", "pas encore mesuré"),
        ]
    arrived = flow.events + flow.rejected + flow.duplicates
    rejected, repeated = share(flow.rejected, arrived), share(flow.duplicates, arrived)
    over = f"sur {duration(round(flow.seconds))}"
    note = "" if rejected <= REJECTED_SHARE_OK else "Des envois sont mal formés : « vigie rejects list » dit lesquels."
    return [
        _check("rejected", _grade(rejected, REJECTED_SHARE_OK, REJECTED_SHARE_BAD), "Événements refusés",
               f"{number(flow.rejected)} ({percent(rejected)}) {over}", note),
        _check("duplicates", "ok" if repeated <= DUPLICATE_SHARE_OK else "attention", "Répétitions écartées",
               f"{number(flow.duplicates)} ({percent(repeated)}) {over}",
               "" if repeated <= DUPLICATE_SHARE_OK else "Beaucoup de renvois : un émetteur insiste. Ils ne sont pas comptés deux fois."),
    ]  # fmt: skip


def _late(picture: Picture) -> Check:
    figures = picture.settled_figures()
    events, late = sum(f.all_events for f in figures), sum(f.late for f in figures)
    if not figures:
        return _check("late", "info", "Arrivés en retard", "pas encore mesuré")
    found = share(late, events)
    note = "" if found <= LATE_SHARE_OK else "Comptés dans leur minute après son arrêt : elle peut encore monter."
    return _check(
        "late",
        _grade(found, LATE_SHARE_OK, LATE_SHARE_BAD),
        "Arrivés en retard",
        f"{number(late)} ({percent(found)}) sur 5 min",
        note,
    )


def _lost(snapshot: Snapshot | None) -> Check:
    if snapshot is None:
        return _check("lost", "inconnu", "Perdus avant comptage", "inconnu")
    lost = sum(n for field, n in snapshot.totals_of_all_time().items() if field[0] == "x")
    if lost:
        return _check(
            "lost",
            "attention",
            "Perdus avant comptage",
            f"{number(lost)} depuis le début",
            "Kafka les a effacés avant lecture.",
        )
    return _check("lost", "ok", "Perdus avant comptage", "aucun")


def _reporting(picture: Picture, scope: Scope) -> list[Check]:
    if scope.service or scope.kind == "academy":
        return []  # not measured: the page says it once, for all figures
    title = "Établissements qui remontent"
    if picture.census is None:
        return [_check("reporting", "info", title, "pas encore mesuré")]
    seen = picture.census.establishments
    by = {"region": seen.by_region, "project": seen.by_project}.get(scope.kind)
    found = seen.national if by is None else by.get(scope.code, 0)
    return [_check("reporting", "info", title, f"environ {number(found)} sur 15 min")]


def chain(picture: Picture, lateness_ms: int) -> dict[str, Any]:
    """The chain in figures: the answer for « où est-ce que ça coince ? »."""
    snapshot = picture.snapshot
    if snapshot is None:
        return {
            "redis": False,
            "kafka": None,
            "partitions": [],
            "workers": [],
            "perSecond": None,
            "lagSeconds": None,
            "lagEvents": None,
        }
    unowned = set(partitions_unowned(snapshot))
    stale = set(settling(snapshot, lateness_ms).stale)
    lags = lag_events(snapshot)
    rows = []
    for partition in range(snapshot.partitions):
        state, beat = snapshot.offsets.get(partition), snapshot.heartbeats.get(partition)
        live = beat if partition not in unowned else None
        rows.append(
            {
                "partition": partition,
                "worker": live.worker if live else None,
                "lag": lags[partition],
                "lagSeconds": live.lag_seconds if live else None,
                "watermarkMs": state.watermark_ms or None if state else None,
                "stale": partition in stale,
                "warming": live.warming if live else None,
            }
        )
    silence = kafka_silence(snapshot)
    return {
        "redis": True,
        "kafka": silence.words if silence else "",
        "partitions": rows,
        "workers": sorted({b.worker for b in snapshot.heartbeats.values() if snapshot.now_ms - b.at_ms <= UNOWNED_MS}),
        "perSecond": round(picture.flow.events / picture.flow.seconds, 1) if picture.flow and picture.flow.seconds else None,
        "lagSeconds": max((r["lagSeconds"] for r in rows if r["lagSeconds"] is not None), default=None),
        "lagEvents": sum(r["lag"] for r in rows if r["lag"] is not None) if any(r["lag"] is not None for r in rows) else None,
    }  # fmt: skip


def _grade(found: float, fine: float, bad: float) -> str:
    return "ok" if found <= fine else "attention" if found <= bad else "mauvais"


def share(part: int, whole: int) -> float:
    """`part` of `whole`, 0 where there is nothing."""
    return part / whole if whole else 0.0


def number(value: int) -> str:
    """`12 345`, with narrow no-break spaces."""
    return f"{value:,}".replace(",", "\u202f")


def plural(value: int, word: str) -> str:
    """`3 partitions`."""
    return f"{number(value)} {word}{'s' if value > 1 else ''}"


def percent(value: float) -> str:
    """`0,5 %`."""
    digits = 2 if 0 < value < 0.001 else 1
    return f"{value * 100:.{digits}f} %".replace(".", ",").replace(" %", "\u202f%")


def duration(seconds: int) -> str:
    """`45 s`, `2 min 05`, `3 h 10`, `2 jours`."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02}" if seconds % 60 else f"{seconds // 60} min"
    if seconds < 2 * 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02}"
    return f"{seconds // 86_400} jours"
