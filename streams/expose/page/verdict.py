"""« Puis-je croire cette minute ? » and the state of the chain, as sentences in French with a state each. Pure.

States: `ok`, `attention`, `mauvais`, `info` (nothing to judge), `inconnu` (not measured).
"""

from typing import Any

from streams.count.settle import UNOWNED_MS
from streams.expose.alert_french import counted
from streams.expose.page.picture import Picture, of_scope
from streams.expose.scope import FRANCE, Scope
from streams.expose.status import partitions_status
from streams.live import Snapshot
from streams.observe import partitions_unowned, settling
from streams.pages.french import number

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


#: What each tick is called, and what it takes, beside it.
_TOLD = {
    "settled": (
        "Minute arrêtée",
        f"bon jusqu'à {SETTLED_AGE_OK_SECONDS // 60} min, mauvais après {SETTLED_AGE_BAD_SECONDS // 60} min",
    ),
    "readers": ("Lecture de Kafka", "bon : toutes suivies, Kafka répond"),
    "rejected": ("Événements refusés", f"bon jusqu'à {REJECTED_SHARE_OK:.0%}, mauvais au-delà de {REJECTED_SHARE_BAD:.0%}"),
    "duplicates": ("Répétitions écartées", f"bon jusqu'à {DUPLICATE_SHARE_OK:.0%}"),
    "late": ("Arrivés en retard", f"bon jusqu'à {LATE_SHARE_OK:.0%}, mauvais au-delà de {LATE_SHARE_BAD:.0%}"),
    "lost": ("Perdus avant comptage", "bon : aucun depuis le début des comptes"),
    "reporting": ("Établissements qui remontent", ""),
}  # fmt: skip


def _check(key: str, state: str, value: str, note: str = "") -> Check:
    title, limit = _TOLD[key]
    limit = limit.replace("%", "\u202f%")
    return {"key": key, "state": state, "title": title, "value": value, "note": note, "limit": limit}


def _settled(picture: Picture) -> Check:
    if picture.snapshot is None:
        return _check("settled", "mauvais", "Redis ne répond pas", "Les chiffres affichés sont les derniers lus.")
    if picture.settled_ms is None:
        return _check("settled", "inconnu", "aucune encore", "Aucun worker n'a encore compté.")
    age = max(0, (picture.read_ms - picture.settled_ms) // 1000)
    value = f"il y a {duration(age)}"
    if age > SETTLED_AGE_OK_SECONDS and picture.flow is not None and picture.flow.is_catching_up:
        return _check(
            "settled", "attention", value, "Rattrapage en cours : le retard diminue, les chiffres sont d'alors."
        )
    if age > SETTLED_AGE_BAD_SECONDS:
        return _check("settled", "mauvais", value, "Plus rien ne s'arrête : voyez l'état de la chaîne.")
    if age > SETTLED_AGE_OK_SECONDS:
        return _check("settled", "attention", value, "Plus ancienne que d'habitude (moins de 2 min).")
    return _check("settled", "ok", value)


def _readers(snapshot: Snapshot | None) -> Check:
    if snapshot is None:
        return _check("readers", "inconnu", "inconnue", "Redis ne répond pas.")
    if not snapshot.partitions:
        return _check("readers", "mauvais", "aucun worker", "Démarrez un worker.")
    if unowned := len(partitions_unowned(snapshot)):
        value = f"{counted(unowned, 'partition')} sur {number(snapshot.partitions)} sans worker"
        return _check("readers", "mauvais", value, "Ce qui y arrive n'est pas compté pour le moment.")
    if warming := sum(beat.warming is not None for beat in snapshot.heartbeats.values()):
        return _check(
            "readers", "attention", f"{counted(warming, 'partition')} en relecture", "Elles reprennent seules."
        )
    if silence := kafka_silence(snapshot):
        value = f"{counted(silence[0], 'partition')} sur {number(snapshot.partitions)} sans réponse"
        return _check("readers", "mauvais", value, f"{silence[1]} : ce qui y arrive n'est pas compté pour le moment.")
    return _check("readers", "ok", f"{number(snapshot.partitions)} partitions sur {number(snapshot.partitions)}")


def kafka_silence(snapshot: Snapshot) -> tuple[int, str] | None:
    """How many partitions Kafka leaves without word, and `Kafka ne répond plus depuis 45 s`: one that hangs leaves all else as it was."""
    silent = set(settling(snapshot, 0).stale) - set(partitions_unowned(snapshot))
    beats = [snapshot.heartbeats[number] for number in sorted(silent) if number in snapshot.heartbeats]
    if not beats:
        return None
    latest = max(beat.confirmed_ms or 0 for beat in beats)
    since = f"plus depuis {duration((snapshot.now_ms - latest) // 1000)}" if latest else "pas"
    return len(silent), f"Kafka ne répond {since}"


def _flow(picture: Picture) -> list[Check]:
    if (flow := picture.flow) is None:
        return [
            _check("rejected", "inconnu" if picture.snapshot is None else "info", "pas encore mesuré"),
            _check("duplicates", "info", "pas encore mesuré"),
        ]
    arrived = flow.events + flow.rejected + flow.duplicates
    rejected, repeated = share(flow.rejected, arrived), share(flow.duplicates, arrived)
    over = f"sur {duration(round(flow.seconds))}"
    note = "" if rejected <= REJECTED_SHARE_OK else "Des envois sont mal formés : « vigie rejects list » dit lesquels."
    return [
        _check(
            "rejected",
            _grade(rejected, REJECTED_SHARE_OK, REJECTED_SHARE_BAD),
            f"{number(flow.rejected)} ({percent(rejected)}) {over}",
            note,
        ),
        _check(
            "duplicates",
            "ok" if repeated <= DUPLICATE_SHARE_OK else "attention",
            f"{number(flow.duplicates)} ({percent(repeated)}) {over}",
            ""
            if repeated <= DUPLICATE_SHARE_OK
            else "Beaucoup de renvois : un émetteur insiste. Ils ne sont pas comptés deux fois.",
        ),
    ]


def _late(picture: Picture) -> Check:
    if not (figures := picture.settled_figures()):
        return _check("late", "info", "pas encore mesuré")
    late = sum(f.late for f in figures)
    found = share(late, sum(f.of_scope(FRANCE)[0] for f in figures))
    note = "" if found <= LATE_SHARE_OK else "Comptés dans leur minute après son arrêt : elle peut encore monter."
    return _check(
        "late",
        _grade(found, LATE_SHARE_OK, LATE_SHARE_BAD),
        f"{number(late)} ({percent(found)}) sur 5 min",
        note,
    )


def _lost(snapshot: Snapshot | None) -> Check:
    if snapshot is None:
        return _check("lost", "inconnu", "inconnu")
    if lost := sum(n for field, n in snapshot.totals_of_all_time().items() if field[0] == "x"):
        return _check("lost", "attention", f"{number(lost)} depuis le début", "Kafka les a effacés avant lecture.")
    return _check("lost", "ok", "aucun")


def _reporting(picture: Picture, scope: Scope) -> list[Check]:
    if scope.service or scope.kind == "academy":
        return []  # not measured: the page says it once, for all figures
    if picture.census is None:
        return [_check("reporting", "info", "pas encore mesuré")]
    return [_check("reporting", "info", f"environ {number(of_scope(picture.census.establishments, scope))} sur 15 min")]


def chain(picture: Picture, lateness_ms: int) -> dict[str, Any]:
    """The chain in figures: the answer for « où est-ce que ça coince ? »."""
    if (snapshot := picture.snapshot) is None:
        return {
            "redis": False,
            "kafka": None,
            "partitions": [],
            "workers": [],
            "perSecond": None,
            "lagSeconds": None,
            "lagEvents": None,
        }
    marks = {number: state.watermark_ms or None for number, state in snapshot.offsets.items()}
    found = partitions_status(snapshot, lateness_ms).rows
    lags = [one.lag_events for one in found if one.lag_events is not None]
    silence = kafka_silence(snapshot)
    flow = picture.flow
    return {
        "redis": True,
        "kafka": silence[1] if silence else "",
        "partitions": [
            {
                "partition": one.partition,
                "worker": one.owner,
                "lag": one.lag_events,
                "lagSeconds": one.lag_seconds,
                "watermarkMs": marks.get(one.partition),
                "stale": one.stale,
                "warming": one.warming,
            }
            for one in found
        ],
        "workers": sorted({b.worker for b in snapshot.heartbeats.values() if snapshot.now_ms - b.at_ms <= UNOWNED_MS}),
        "perSecond": round(flow.events / flow.seconds, 1) if flow and flow.seconds else None,
        "lagSeconds": max((one.lag_seconds for one in found if one.lag_seconds is not None), default=None),
        "lagEvents": sum(lags) if lags else None,
    }


def _grade(found: float, fine: float, bad: float) -> str:
    return "ok" if found <= fine else "attention" if found <= bad else "mauvais"


def share(part: int, whole: int) -> float:
    """`part` of `whole`, 0 where there is nothing."""
    return part / whole if whole else 0.0


def percent(value: float) -> str:
    """`0,5 %`."""
    return f"{value * 100:.{2 if 0 < value < 0.001 else 1}f}\u202f%".replace(".", ",")


def duration(seconds: int) -> str:
    """`45 s`, `2 min 05`, `3 h 10`, `2 jours`."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02}" if seconds % 60 else f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02}" if seconds < 2 * 86_400 else f"{seconds // 86_400} jours"
