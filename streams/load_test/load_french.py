"""What a load test found, in French. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from streams.clock import PARIS
from streams.load_test.load_verdict import MACHINE_FULL, RATE_SECONDS, LoadOutcome, LoadVerdict, workers_for
from streams.pages.french import counted, decimal, number, percent

_ROLES = {
    "machine": "la machine entière",
    "sender": "un générateur",
    "redis": "Redis",
    "worker": "un ouvrier (un cœur plein)",
    "collector": "le collecteur",
    "kafka": "Kafka",
    "observer": "l’observateur",
    "unknown": "rien n’était plein : voir les journaux",
}
_NAMES = {
    "sender": "générateur",
    "worker": "ouvrier",
    "observer": "observateur",
    "collector": "collecteur",
    "kafka": "Kafka",
    "redis": "Redis",
}
_WORDS = {
    LoadOutcome.HELD: "tenu",
    LoadOutcome.NOT_HELD: "non tenu",
    LoadOutcome.MACHINE_LIMITED: "limité par la machine",
}


@dataclass(frozen=True, slots=True)
class Balance:
    """What was sent, and what became of it, at the end. `visits` were counted, `visits_expected` drawn (None: not known)."""

    sent: int
    confirmed: int
    counted: int
    rejected: int
    duplicates: int
    visits: int
    visits_expected: int | None

    @property
    def difference(self) -> int:
        """Events that Kafka confirmed, and that are neither counted nor rejected nor repeats: 0 unless time was too short."""
        return self.confirmed - self.counted - self.rejected - self.duplicates


@dataclass(frozen=True, slots=True)
class LoadTestResult:
    """A whole load test. `delays_seconds` are p50, p95, p99; `need_rate` events a second in the worst minute of the day that is to come."""

    source: str
    times: float
    through: str
    workers: int
    senders: int
    verdict: LoadVerdict
    delays_seconds: tuple[float, float, float]
    balance: Balance
    memory_mib: Mapping[str, float]
    redis_bytes: int
    sender_rate_per_core: float
    need_rate: float
    need_of: str
    restarts: int
    left_out: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people."""
        found, balance = self.verdict, self.balance
        through = "Kafka" if self.through == "kafka" else "le collecteur"
        p50, p95, p99 = (_seconds(each) for each in self.delays_seconds)
        expected = "" if balance.visits_expected is None else f", {number(balance.visits_expected)} attendues"
        return [
            f"essai de charge : {self.source}, fois {self.times:g}, par {through}, {counted(self.workers, 'ouvrier')}, "
            f"{counted(self.senders, 'générateur')}",
            f"verdict : {self._words()}",
            f"  débit le plus haut tenu    {number(found.held_max)} événements/s sur {RATE_SECONDS} s ; "
            f"offert au plus : {number(found.offered_max)}",
            f"  retard le plus grand       {number(found.lag_max)} événements, soit {decimal(found.lag_seconds_max, 1)} s de trafic",
            f"  de l’envoi à Redis         p50 {p50}, p95 {p95}, p99 {p99} ; la page relit Redis chaque seconde",
            f"  machine                    {percent(found.machine_max)} au plus ; "
            f"d’autres programmes : {percent(found.others_max)} au plus",
            *(
                f"    {_french(name):<24} {decimal(found.cores.get(name, 0.0), 2)} cœur au plus, "
                f"{number(self.memory_mib.get(name, 0.0))} Mio"
                for name in sorted({*found.cores, *self.memory_mib}, key=_rank)
            ),
            f"  Redis tient                {number(self.redis_bytes / (1 << 20))} Mio de données",
            f"  un ouvrier                 {decimal(found.worker_us, 1)} µs de processeur par événement",
            f"  un générateur              {number(self.sender_rate_per_core)} événements/s et par cœur",
            f"  compte                     {number(balance.sent)} envoyés, {number(balance.confirmed)} confirmés = "
            f"{number(balance.counted)} comptés + {number(balance.rejected)} rejetés + {number(balance.duplicates)} doublons ; "
            f"écart {balance.difference}",
            f"  visites                    {number(balance.visits)} comptées{expected}",
            f"pour {self.need_of} ({number(self.need_rate)} événements/s à la pire minute) : "
            f"{counted(workers_for(self.need_rate, found.worker_us), 'ouvrier')}, la moitié de chaque cœur restant libre",
            *(
                [f"attention : {self.restarts} redémarrage(s) de processus pendant l’essai ; voir leurs journaux"]
                if self.restarts
                else []
            ),
            *(f"à savoir : {each}" for each in self.left_out),
        ]

    def _words(self) -> str:
        found = self.verdict
        words = _WORDS[self.verdict.outcome]
        if found.outcome is LoadOutcome.MACHINE_LIMITED:
            words += (
                f" (plus de {percent(MACHINE_FULL)} de tous ses cœurs, générateurs compris : au-delà rien n’est mesuré)"
            )
        if found.gave_way is not None and found.gave_way_at is not None:
            at = datetime.fromtimestamp(found.gave_way_at, PARIS)
            words += (
                f" ; a cédé le premier, à {at:%H:%M:%S} : {_ROLES.get(found.gave_way.split(' ')[0], found.gave_way)}"
            )
        return words


def of_what_was_sent(source: str, times: float) -> str:
    """What workers are told for: the day that was sent."""
    return f"{source}, fois {times:g}"


def more_than_archived(visits: int) -> str:
    """What a drawn day could not meet."""
    return f"{counted(visits, 'visite')} de plus qu’archivé : à ces minutes, personne n’était là dont la visite pût continuer"


def of_a_forecast(day: date) -> str:
    """What workers are told for: a day to come."""
    return f"la prévision du {day}, borne haute"


def _rank(name: str) -> tuple[int, str]:
    order = ("sender", "kafka", "worker", "redis", "observer", "collector")
    return next((place for place, role in enumerate(order) if name.startswith(role)), len(order)), name


def _french(name: str) -> str:
    role, _, slot = name.partition(" ")
    return f"{_NAMES.get(role, role)} {slot}".strip()


def _seconds(value: float) -> str:
    return "inconnu" if math.isnan(value) else "jamais" if math.isinf(value) else f"{decimal(value, 2)} s"
