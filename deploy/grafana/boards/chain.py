"""*Santé de la chaîne*: where it is stuck, for the person on duty."""

from typing import Any

from .parts import COUNT, EVENTS, SECONDS, About, Query, big, lines, now
from .parts import board as empty

_RATE = "[$__rate_interval]"
_GREEN = (None, "green")
_ANSWERS = {0: "ne répond pas", 1: "répond"}
_UP = [(None, "red"), (1, "green")]
_OF_WORKER = "cette mesure vient des workers : vérifiez dans Prometheus que tous sont lus (up)."


def board() -> Any:
    """The board."""
    built = empty("Santé de la chaîne", "vigie-chaine", ["chaîne"], [])
    for panel in (*_servers(), *_flow(), *_rejects(), *_workers(), *_keeping()):
        built = built.with_panel(panel)
    return built.build()


def _servers() -> list[Any]:
    return [
        big(
            "Redis",
            COUNT,
            About(
                "Si un observateur au moins lit Redis.", "interrogez Redis vous-même : redis-cli ping.", "EntRedisDown"
            ),
            Query(now("ent_redis_up")),
            steps=_UP,
            words=_ANSWERS,
        ),
        big(
            "Kafka",
            COUNT,
            About(
                "Si un courtier de Kafka répond à un observateur.",
                "le port peut être ouvert et Kafka bloqué.",
                "EntKafkaDown",
            ),
            Query(now("ent_kafka_up")),
            steps=_UP,
            words=_ANSWERS,
        ),
        big(
            "Observateurs lus",
            COUNT,
            About("Observateurs que Prometheus lit.", "voyez les cibles dans Prometheus.", "EntObserverDown"),
            Query("sum(up and on (job) max without (instance, pod) (ent_redis_up))"),
            steps=_UP,
        ),
        big(
            "Workers lus",
            COUNT,
            About("Workers que Prometheus lit.", "voyez les cibles dans Prometheus.", "EntWorkerDown"),
            Query("sum(up and on (job) group by (job) (ent_worker_redis_failures_total))"),
            steps=_UP,
        ),
        big(
            "Partitions sans worker",
            COUNT,
            About(
                "Partitions sans signe de vie d'un worker depuis 15 s.",
                "un rééquilibrage dure quelques secondes.",
                "EntPartitionsUnowned",
            ),
            Query(now("ent_partitions_unowned")),
            steps=[_GREEN, (1, "red")],
        ),
        big(
            "Perdus",
            EVENTS,
            About(
                "Événements effacés par Kafka avant d'être comptés, depuis la mise en service.",
                "le chiffre ne redescend jamais.",
                "EntEventsLost",
            ),
            Query(now("ent_events_lost_total")),
            steps=[_GREEN, (1, "red")],
        ),
    ]


def _flow() -> list[Any]:
    return [
        lines(
            "Retard par partition",
            SECONDS,
            About("Âge du plus vieil enregistrement pas encore compté.", _OF_WORKER, "EntLag"),
            Query("max by (partition) (ent_lag_seconds)", "partition {{partition}}"),
            decimals=1,
        ),
        lines(
            "En attente par partition",
            EVENTS,
            About(
                "Enregistrements de Kafka pas encore comptés.",
                "la fin du journal vient du signe de vie des workers.",
                "EntLag",
            ),
            Query(now("ent_lag_events"), "partition {{partition}}"),
        ),
        lines(
            "Débit",
            "suffix: év./s",
            About(
                "Enregistrements comptés ou refusés par seconde, par les workers, et événements ajoutés aux totaux.",
                _OF_WORKER,
                "EntLag",
            ),
            Query(f"sum(rate(ent_worker_events_total{_RATE}))", "workers"),
            Query(f"sum(rate({now('ent_events_total')}{_RATE}))", "comptés"),
        ),
        lines(
            "De Kafka à Redis",
            SECONDS,
            About(
                "Délai entre l'arrivée dans Kafka et le compte dans Redis : médiane et 95e centile.",
                _OF_WORKER,
                "EntLag",
            ),
            *(
                Query(f"histogram_quantile({q}, sum by (le) (rate(ent_ingest_delay_seconds_bucket{_RATE})))", name)
                for q, name in ((0.5, "médiane"), (0.95, "95 %"))
            ),
            decimals=2,
        ),
        lines(
            "Âge du filigrane par partition",
            SECONDS,
            About(
                "Temps écoulé depuis l'heure jusqu'à laquelle une partition est lue.",
                "une partition sans trafic garde son filigrane : elle est dite inactive.",
                "EntSettlingStale",
            ),
            Query("time() - max by (partition) (ent_partition_watermark_timestamp_seconds)", "partition {{partition}}"),
        ),
        lines(
            "Temps arrêté et jugé",
            SECONDS,
            About(
                "Âge de l'heure arrêtée, et de l'heure jugée par le détecteur.",
                "vérifiez l'horloge de cette machine.",
                "EntSettlingStale",
            ),
            Query(f"time() - {now('ent_settled_timestamp_seconds')}", "arrêté"),
            Query(f"time() - {now('ent_judged_timestamp_seconds')}", "jugé"),
        ),
    ]


def _rejects() -> list[Any]:
    return [
        lines(
            "Refusés par raison",
            "suffix: év./s",
            About(
                "Envois refusés par seconde et par raison.",
                "« vigie rejects list » montre les envois eux-mêmes.",
                "EntRejectRatio",
            ),
            Query(f"sum by (reason) (rate({now('ent_events_rejected_total')}{_RATE}))", "{{reason}}"),
            decimals=2,
        ),
        lines(
            "Refusés et non gardés",
            EVENTS,
            About(
                "Envois refusés dont le texte n'a pas été gardé (limite par minute, ou panne), depuis la mise en service.",
                "ils sont comptés, seul leur texte manque.",
                "EntRejectRatio",
            ),
            Query(now("ent_rejects_not_kept_total"), "{{reason}}"),
        ),
        lines(
            "Répétitions et retards",
            "suffix: év./s",
            About(
                "Répétitions écartées et événements en retard, par seconde.",
                "un émetteur qui insiste, ou dont l'horloge retarde.",
                "EntDuplicateRatio",
            ),
            Query(f"sum(rate({now('ent_events_duplicate_total')}{_RATE}))", "répétitions"),
            Query(f"sum(rate({now('ent_events_late_total')}{_RATE}))", "en retard"),
            decimals=2,
        ),
        lines(
            "Valeurs hors des listes",
            COUNT,
            About(
                "Valeurs distinctes d'aucune liste, gardées 24 h : comptées sous INCONNU.",
                "« vigie unseen » les nomme.",
                "EntRejectRatio",
            ),
            Query(now("ent_unseen_values"), "{{kind}}"),
        ),
    ]


def _workers() -> list[Any]:
    return [
        lines(
            "Partitions par worker",
            COUNT,
            About("Partitions que chaque worker possède.", _OF_WORKER, "EntWorkerDown"),
            Query("ent_worker_partitions", "{{instance}}"),
        ),
        lines(
            "Mémoire des compteurs",
            "bytes",
            About("Octets de la mémoire des identifiants et des visiteurs, par worker.", _OF_WORKER, "EntWorkerDown"),
            Query("ent_worker_memory_bytes", "{{instance}} {{kind}}"),
        ),
        lines(
            "Relecture",
            COUNT,
            About("1 tant qu'une partition relit sa mémoire avant de compter de nouveau.", _OF_WORKER, "EntLag"),
            Query("max by (partition) (ent_partition_warming)", "partition {{partition}}"),
        ),
        lines(
            "Écritures Redis en échec",
            "suffix: /s",
            About("Appels de Redis qui échouent et sont retentés, par seconde.", _OF_WORKER, "EntRedisWriteFailures"),
            Query(f"sum(rate(ent_worker_redis_failures_total{_RATE}))", "Redis"),
            Query(f"sum(rate(ent_worker_dead_letter_failures_total{_RATE}))", "lettres mortes"),
            decimals=2,
        ),
        lines(
            "Blocs par issue",
            "suffix: /s",
            About("Blocs terminés par seconde, par issue de l'appel à Redis.", _OF_WORKER, "EntRedisWriteFailures"),
            Query(f"sum by (kind) (rate(ent_worker_chunks_total{_RATE}))", "{{kind}}"),
            decimals=1,
        ),
        lines(
            "Reprises de lecture",
            "suffix: /s",
            About(
                "Partitions relues depuis là où Redis en est, par seconde et par cause.", _OF_WORKER, "EntWorkerDown"
            ),
            Query(
                f'sum by (kind) (rate(ent_worker_seeks_total{_RATE})) or label_replace(vector(0), "kind", "aucune", "", "")',
                "{{kind}}",
            ),
            decimals=2,
        ),
    ]


def _keeping() -> list[Any]:
    return [
        lines(
            "Mémoire des répétitions",
            SECONDS,
            About(
                "Jusqu'où les identifiants sont gardés pour écarter les répétitions : la plus courte des partitions ; et jusqu'où les visiteurs.",
                "un fort trafic la raccourcit, sans rien perdre d'autre.",
                "EntDuplicateRatio",
            ),
            Query(now("ent_dedupe_window_seconds"), "identifiants"),
            Query(now("ent_visit_window_seconds"), "visiteurs"),
        ),
        lines(
            "Archive : heures en attente",
            SECONDS,
            About(
                "Heures arrêtées que Redis tient et que l'archive n'a pas, en secondes ; et heures dont l'archive garde une autre lecture.",
                "jusqu'à une heure est normal.",
                "EntArchiveGap",
            ),
            Query(now("ent_archive_gap_seconds"), "en attente"),
            Query(now("ent_archive_refused_seconds"), "autre lecture"),
        ),
        lines(
            "Archive : manqués et échecs",
            COUNT,
            About(
                "Événements qu'aucune archive n'a, et passages en échec, depuis la mise en service.",
                "« manqués » ne redescend jamais.",
                "EntArchiveGap",
            ),
            Query(now("ent_archive_missed_events_total"), "événements manqués"),
            Query(now("ent_archive_failures_total"), "échecs"),
        ),
        lines(
            "Détecteur",
            COUNT,
            About(
                "1 tant que le détecteur lit le passé ; échecs depuis son démarrage.",
                "voyez le journal de l'observateur.",
                "EntDetectorStopped",
            ),
            Query(now("ent_detector_loading"), "lit le passé"),
            Query(now("ent_detector_failures_total"), "échecs"),
        ),
        lines(
            "Alertes sans appel",
            COUNT,
            About(
                "Alertes en cours pour lesquelles personne n'est appelé : arrêts prévus, séries en apprentissage.",
                "sans aucune, rien n'est dessiné.",
                "EntSurge",
            ),
            Query(now("ent_alerts_quiet"), "{{kind}} {{reason}}"),
        ),
        big(
            "Listes différentes",
            COUNT,
            About(
                "Si les comptes de Redis ont été commencés sous d'autres listes que celles d'un observateur.",
                "après un changement de config/, redémarrez workers et observateurs.",
                "EntRejectRatio",
            ),
            Query(now("ent_catalog_mismatch")),
            steps=[_GREEN, (1, "orange")],
            size=(12, 8),
            words={0: "non", 1: "oui"},
        ),
    ]
