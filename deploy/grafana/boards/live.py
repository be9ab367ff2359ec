"""*Direct*: France now, for the operator at 07:50."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue as Set

from .parts import (
    COUNT,
    EVENTS,
    PEOPLE,
    PLACES,
    RATIO,
    SECONDS,
    SHARE,
    USED,
    VISITS,
    About,
    Query,
    big,
    folded,
    lately,
    lines,
    minute,
    named,
    now,
    placed,
    rows,
    titled,
    whole,
)
from .parts import board as empty

FRANCE = '{region="-"}'
LAST_15 = '{window="15m"}'
WEEK_MINUTES = 7 * 24 * 60
_SETTLED = "comparez avec « Puis-je croire cette minute ? » plus bas, puis avec la page directe de l'observateur."
_APPROX = "le chiffre est approché (± 0,8 %) et ne s'additionne pas ; comparez avec « vigie status »."


def board() -> Any:
    """The board."""
    built = empty("Direct", "vigie-direct", ["direct"], [])
    for part in (_now, _curve, _tables, _alerts, _forecast, _trust):
        for panel in part():
            built = built.with_row(panel) if isinstance(panel, dashboard.Row) else built.with_panel(panel)
    return built.build()


def _now() -> list[Any]:
    visits = "sum(max without (instance, pod) (ent_minute_visits))"
    expected = f"max without (instance, pod) (ent_expected_visits{FRANCE})"
    counted, judged = (
        f"max(max without (instance, pod) (timestamp({metric})))"
        for metric in ("ent_minute_visits", f"ent_expected_visits{FRANCE}")
    )
    return [
        big(
            "Visites par minute",
            VISITS,
            About(
                "Visites de la dernière minute arrêtée, France entière, règle du ministère (30 minutes sans activité).",
                _SETTLED,
            ),
            Query(visits),
            size=(6, 6),
        ),
        big(
            "Par rapport à l'attendu",
            RATIO,
            About(
                "Visites de la dernière minute arrêtée, rapportées à l'attendu des jours comparables ; rien tant qu'elle n'est pas jugée.",
                "les premiers jours, l'attendu s'apprend et sa fourchette est large.",
                "EntSurge",
            ),
            Query(f"{visits} / on () {expected} and on () ({counted} == {judged})"),
            size=(4, 6),
            decimals=1,
        ),
        big(
            "Événements par minute",
            EVENTS,
            About(
                "Pages et actions de la dernière minute arrêtée, sans les répétitions : ce ne sont pas des visites.",
                _SETTLED,
            ),
            Query("sum(max without (instance, pod) (ent_minute_events))"),
            size=(4, 6),
        ),
        big(
            "Utilisateurs",
            PEOPLE,
            About("Visiteurs distincts en France : 5 et 15 dernières minutes arrêtées, jour en cours.", _APPROX),
            *(
                Query(now("ent_users", f'{{region="-",window="{window}"}}'), label)
                for window, label in (("5m", "5 min"), ("15m", "15 min"), ("day", "aujourd'hui"))
            ),
            size=(6, 6),
        ),
        big(
            "Établissements qui remontent",
            PLACES,
            About("Établissements distincts vus dans les 15 dernières minutes arrêtées.", _APPROX, "EntSilence"),
            Query(now("ent_establishments_reporting", FRANCE)),
            size=(4, 6),
        ),
    ]


def _curve() -> list[Any]:
    about = About(
        "Visites de chaque minute arrêtée, à son heure, avec l'attendu et sa fourchette, et la même heure une semaine plus tôt ; les alertes sont en annotation.",
        "une minute absente n'est pas un zéro : elle n'est pas arrêtée. Un rattrapage se dessine à l'heure des événements.",
        "EntSettlingStale",
    )
    hope = [
        (f"ent_expected_visits{suffix}", name)
        for suffix, name in (("_lower", "fourchette, bas"), ("_upper", "fourchette, haut"), ("", "attendu"))
    ]
    queries = [
        Query(whole("sum", "ent_minute_visits"), "visites"),
        *(Query(f"max by (region) ({minute(metric, FRANCE)})", name) for metric, name in hope),
        Query(whole("sum", "ent_minute_visits", ago_minutes=WEEK_MINUTES), "il y a une semaine"),
    ]
    panel = lines("Visites par minute et attendu", VISITS, about, *queries, size=(24, 10))
    return [
        _banded(panel, "attendu", "fourchette").override_by_name(
            "il y a une semaine", [Set(id_val="custom.lineWidth", value=1)]
        )
    ]


def _banded(panel: Any, middle: str, band: str | None = None) -> Any:
    """With `middle` dashed, in a band between the lines `band, bas` and `band, haut`."""
    low, high = (f"{band or middle}, {side}" for side in ("bas", "haut"))
    faint = [Set(id_val="custom.lineWidth", value=0)]
    filled = [Set(id_val="custom.fillBelowTo", value=low), Set(id_val="custom.fillOpacity", value=15)]
    dashed = [Set(id_val="custom.lineStyle", value={"fill": "dash", "dash": [6, 6]})]
    return panel.override_by_name(high, [*faint, *filled]).override_by_name(low, faint).override_by_name(middle, dashed)


def _tables() -> list[Any]:
    visits, expected = lately("ent_minute_visits"), lately("ent_expected_visits")
    used = f"sum by (service) ({lately('ent_minute_service_visits')})"
    moved = "sum by (region, service) (max without (instance, pod) (sum_over_time(ent_minute_service_visits[5m] offset {}m)))"
    movers = f"{moved.format(2)} - {moved.format(17)}"
    return [
        rows(
            "Régions",
            VISITS,
            About("Par région, sur les 5 dernières minutes arrêtées.", _SETTLED, "EntDrop"),
            "region",
            [
                ("Visites", VISITS, named(f"sum by (region) ({visits})", "region")),
                (
                    "Sur l'attendu",
                    RATIO,
                    named(f"sum by (region) ({visits}) / on (region) (max by (region) ({expected}) > 0)", "region"),
                ),
                ("Utilisateurs 15 min", PEOPLE, named(f"max by (region) ({now('ent_users', LAST_15)})", "region")),
                ("Établissements", PLACES, named(f"max by (region) ({now('ent_establishments_reporting')})", "region")),
            ],
        ),
        rows(
            "Services",
            USED,
            About(
                "Utilisations de chaque service, France entière, 5 dernières minutes arrêtées. Des utilisations ne s'additionnent pas en visites.",
                _SETTLED,
            ),
            "service",
            [
                ("Utilisations", USED, named(used, "service")),
                ("Événements", EVENTS, named(f"sum by (service) ({lately('ent_minute_events')})", "service")),
            ],
        ),
        rows(
            "Ce qui monte le plus",
            USED,
            About(
                "Les huit couples région et service dont les utilisations montent le plus : 5 minutes contre les 5 d'il y a un quart d'heure.",
                "après un redémarrage de Prometheus, il faut vingt minutes de données.",
                "EntSurge",
            ),
            "title",
            [("De plus", USED, placed(f"topk(8, {movers} > 0)"))],
            size=(12, 8),
        ),
        rows(
            "Ce qui baisse le plus",
            USED,
            About(
                "Les huit couples région et service dont les utilisations baissent le plus, en valeur absolue.",
                "le soir, tout baisse : regardez d'abord l'attendu.",
                "EntDrop",
            ),
            "title",
            [("De moins", USED, placed(f"topk(8, -({movers}) > 0)"))],
            size=(12, 8),
        ),
    ]


def _alerts() -> list[Any]:
    about = About(
        "Incidents en cours pour lesquels quelqu'un est appelé : rapport entre l'observé et l'attendu depuis le début.",
        "« vigie alerts » les explique un à un ; sans incident, ce tableau est vide et c'est bien.",
        "EntSurge",
    )
    parts = About(
        "Incidents en cours : alertes qu'un incident explique, la sienne comprise, rapport des 5 dernières minutes jugées, et qui l'a pris en charge.",
        "comparez avec « vigie alerts » et la page directe : ce sont les mêmes.",
        "EntSurge",
    )
    return [
        lines(
            "Incidents en cours",
            RATIO,
            about,
            Query(titled("ent_alert_ratio"), "{{title}}"),
            size=(12, 7),
            decimals=1,
        ),
        rows(
            "Ce qu'ils expliquent",
            COUNT,
            parts,
            "title",
            [
                ("Alertes", COUNT, f"sum by (title) ({folded()})"),
                ("5 dernières min", RATIO, f"max by (title) ({titled('ent_alert_ratio_now')})"),
                ("Qui", COUNT, f"topk by (title) (1, max by (title, who) ({titled('ent_alert_acknowledged')}))"),
            ],
            size=(12, 7),
            said=("who", "Pris en charge"),
        ),
    ]


def _forecast() -> list[Any]:
    about = About(
        "Visites du quart d'heure écoulé, et ce que la prévision gardée en attendait, en France ; la bande tient quatre quarts d'heure sur cinq.",
        "sans « vigie forecast --keep » chaque nuit il n'y a pas de prévision. Les heures à venir : « Prévision », au bas de la page directe.",
    )
    known = {"mean": "prévu", "lower": "prévu, bas", "upper": "prévu, haut"}
    # So many seconds: a quarter's fifteen minutes and not a sixteenth, in any version of Prometheus; only where all are settled.
    quarter = "ent_minute_visits[899s] offset 1m"
    counted = f"sum(max without (instance, pod) (sum_over_time({quarter})))"
    is_whole = f"max(max without (instance, pod) (count_over_time({quarter}))) == 15"
    curve = lines(
        "Visites par quart d'heure, comptées et prévues",
        VISITS,
        about,
        Query(f"{counted} and on () ({is_whole})", "visites"),
        *(Query(_foreseen("visits", f'ahead="0h",bound="{bound}"'), name) for bound, name in known.items()),
        size=(16, 9),
    )
    told = [
        ("Prévues aujourd'hui", "du jour, à Paris", "day_visits", 'day="today"'),
        ("Prévues demain", "de demain, à Paris", "day_visits", 'day="tomorrow"'),
        ("Prévues dans une heure", "du quart d'heure qui finira dans une heure", "visits", 'ahead="1h"'),
    ]
    return [
        dashboard.Row("Ce qui est prévu"),
        _banded(curve, "prévu"),
        *(
            big(
                title,
                VISITS,
                About(
                    f"Visites prévues {what} : au plus juste, et les bornes qui tiennent quatre fois sur cinq.",
                    "la page /prevision dit de quels jours la prévision est faite.",
                ),
                *(Query(_foreseen(metric, f'{selector},bound="{bound}"'), name) for bound, name in known.items()),
                size=(8, 3),
            )
            for title, what, metric, selector in told
        ),
    ]


def _foreseen(metric: str, selector: str) -> str:
    return now(f"ent_forecast_{metric}", f"{{{selector}}}")


def _trust() -> list[Any]:
    green = (None, "green")
    settled = Query(f"time() - {now('ent_settled_timestamp_seconds')}")
    return [
        dashboard.Row("Puis-je croire cette minute ?"),
        big(
            "Âge de la minute arrêtée",
            SECONDS,
            About(
                "Temps écoulé depuis l'heure jusqu'à laquelle tout est arrêté. Normal : moins de 2 minutes.",
                "vérifiez l'horloge de cette machine et celle de Redis.",
                "EntSettlingStale",
            ),
            settled,
            steps=[green, (120, "orange"), (300, "red")],
        ),
        *_shares(),
        big(
            "Partitions en relecture",
            COUNT,
            About(
                "Partitions dont la mémoire est relue : elles reprennent seules.",
                "voyez le journal du worker.",
                "EntLag",
            ),
            Query("sum(max by (partition) (ent_partition_warming))"),
            steps=[green, (1, "orange")],
        ),
        big(
            "Partitions arrêtées",
            COUNT,
            About(
                "Partitions pour lesquelles personne ne répond : plus rien ne s'arrête.",
                "voyez « Santé de la chaîne ».",
                "EntPartitionsUnowned",
            ),
            Query(now("ent_settling_stale_partitions")),
            steps=[green, (1, "red")],
        ),
    ]


def _rate(metric: str) -> str:
    return f"sum(rate({now(metric)}[$__rate_interval]))"


def _shares() -> list[Any]:
    """Late, rejected and repeated events as shares of what arrived: title, metric, whether it adds to what was counted, limits, texts."""
    counted = _rate("ent_events_total")
    late = About(
        "Part des événements arrivés après l'arrêt de leur minute ; ils y sont comptés.",
        "un émetteur dont l'horloge retarde suffit.",
        "EntLateRatio",
    )
    refused = About("Part des envois refusés.", "« vigie rejects stats » donne les raisons.", "EntRejectRatio")
    repeated = About(
        "Part des renvois du même événement, écartés.",
        "un émetteur qui insiste n'est pas une affluence.",
        "EntDuplicateRatio",
    )
    shares: list[tuple[str, str, bool, About, list[tuple[float | None, str]]]] = [
        ("En retard", "ent_events_late_total", False, late, [(0.01, "orange"), (0.05, "red")]),
        ("Refusés", "ent_events_rejected_total", True, refused, [(0.01, "orange"), (0.1, "red")]),
        ("Répétitions écartées", "ent_events_duplicate_total", True, repeated, [(0.05, "orange")]),
    ]
    panels = []
    for title, metric, adds, about, steps in shares:
        whole = f"{counted} + {_rate(metric)}" if adds else counted
        query = Query(f"{_rate(metric)} / ({whole} > 0) or vector(0)")
        panels.append(big(title, SHARE, about, query, steps=[(None, "green"), *steps], decimals=2))
    return panels
