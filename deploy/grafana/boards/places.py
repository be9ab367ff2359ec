"""*Région et service*: one place, one service, one ENT, closely."""

from typing import Any

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue as Set

from .parts import (
    EVENTS,
    PEOPLE,
    PLACES,
    RATIO,
    USED,
    VISITS,
    About,
    Query,
    lately,
    lines,
    minute,
    named,
    now,
    of_list,
    rows,
    titled,
    whole,
)
from .parts import board as empty

R, S = '{region=~"$region"}', '{region=~"$region",service=~"$service"}'
P, A = '{project=~"$project"}', '{academy=~"$academy"}'
A15 = '{window="15m",academy=~"$academy"}'
R15, P15 = '{window="15m",region=~"$region"}', '{window="15m",project=~"$project"}'
_RATE = "[$__rate_interval]"
_PER_MINUTE = "60 * "
_CHOICE = "vérifiez les choix en haut du tableau de bord, puis la page directe du même périmètre."


def board() -> Any:
    """The board."""
    variables = [
        of_list("region", "Région", "ent_region_info"),
        of_list("academy", "Académie", "ent_academy_info"),
        of_list("project", "ENT", "ent_project_info"),
        of_list("service", "Service", "ent_service_info"),
    ]
    built = empty("Région et service", "vigie-region", ["région"], variables)
    for panel in (*_regions(), *_services(), *_projects(), *_academies()):
        built = built.with_panel(panel)
    return built.build()


def _regions() -> list[Any]:
    stale = About("Visites de chaque minute arrêtée, par région, à son heure.", _CHOICE, "EntDrop")
    hope = About(
        "Visites et fourchette attendue des régions choisies ; choisissez-en une pour lire la fourchette.",
        "les premiers jours, l'attendu s'apprend.",
        "EntSurge",
    )
    return [
        lines(
            "Visites par minute, par région",
            VISITS,
            stale,
            Query(named(whole("sum by (region)", "ent_minute_visits", R), "region"), "{{name}}"),
        ),
        lines(
            "Attendu",
            VISITS,
            hope,
            *(
                Query(named(f"max by (region) ({minute(metric, R)})", "region"), f"{{{{name}}}} {word}")
                for metric, word in (
                    ("ent_expected_visits", "attendu"),
                    ("ent_expected_visits_lower", "bas"),
                    ("ent_expected_visits_upper", "haut"),
                )
            ),
        ).override_by_regexp("/ (bas|haut)$/", [Set(id_val="custom.lineWidth", value=0.5)]),
        lines(
            "Utilisateurs, 15 minutes",
            PEOPLE,
            About("Visiteurs distincts par région, approchés ; ils ne s'additionnent pas.", _CHOICE),
            Query(named(f"max by (region) ({now('ent_users', R15)})", "region"), "{{name}}"),
        ),
        lines(
            "Événements par minute, par région",
            EVENTS,
            About("Événements de chaque minute arrêtée, par région.", _CHOICE),
            Query(named(whole("sum by (region)", "ent_minute_events", S), "region"), "{{name}}"),
        ),
    ]


def _services() -> list[Any]:
    used = f"sum by (service) ({lately('ent_minute_service_visits', S)})"
    return [
        lines(
            "Utilisations par minute, par service",
            USED,
            About(
                "Visites de chaque service dans les régions choisies ; elles ne s'additionnent pas en visites.", _CHOICE
            ),
            Query(named(whole("sum by (service)", "ent_minute_service_visits", S), "service"), "{{name}}"),
        ),
        rows(
            "Services",
            USED,
            About("Utilisations et événements des 5 dernières minutes arrêtées.", _CHOICE),
            "service",
            [
                ("Utilisations", USED, named(used, "service")),
                ("Événements", EVENTS, named(f"sum by (service) ({lately('ent_minute_events', S)})", "service")),
            ],
            size=(12, 8),
        ),
        lines(
            "Visites par profil",
            VISITS,
            About(
                "Visites par minute et par profil (élèves, parents, enseignants) dans les régions choisies.",
                "le profil est déclaré par l'ENT ; INCONNU en garde la part non dite.",
            ),
            Query(f"{_PER_MINUTE}sum by (profile) (rate({now('ent_profile_visits_total', R)}{_RATE}))", "{{profile}}"),
        ),
        lines(
            "Incidents",
            RATIO,
            About(
                "Observé sur attendu depuis le début, pour les incidents en cours des régions choisies.",
                "« vigie alerts » les explique ; sans alerte, rien n'est dessiné.",
                "EntSurge",
            ),
            Query(titled("ent_alert_ratio", '{region=~"$region|-"}'), "{{title}}"),
            decimals=1,
        ),
    ]


def _projects() -> list[Any]:
    return [
        lines(
            "Visites par minute, par ENT",
            VISITS,
            About(
                "Visites par minute et par ENT, au moment où elles sont comptées.",
                "un ENT muet a une procédure : le silence n'est pas un zéro.",
                "EntSilence",
            ),
            Query(
                named(f"{_PER_MINUTE}sum by (project) (rate({now('ent_project_visits_total', P)}{_RATE}))", "project"),
                "{{name}}",
            ),
            size=(12, 10),
        ),
        rows(
            "ENT",
            VISITS,
            About(
                "Par ENT : visites et événements par minute, utilisateurs et établissements des 15 dernières minutes.",
                "« vigie check --project » dit ce qu'un ENT envoie.",
                "EntNeverSeen",
            ),
            "project",
            [
                (
                    "Visites/min",
                    VISITS,
                    named(
                        f"{_PER_MINUTE}sum by (project) (rate({now('ent_project_visits_total', P)}{_RATE}))", "project"
                    ),
                ),
                (
                    "Événements/min",
                    EVENTS,
                    named(
                        f"{_PER_MINUTE}sum by (project) (rate({now('ent_project_events_total', P)}{_RATE}))", "project"
                    ),
                ),
                ("Utilisateurs", PEOPLE, named(f"max by (project) ({now('ent_project_users', P15)})", "project")),
                (
                    "Établissements",
                    PLACES,
                    named(f"max by (project) ({now('ent_project_establishments_reporting', P)})", "project"),
                ),
            ],
        ),
    ]


def _academies() -> list[Any]:
    return [
        lines(
            "Visites par minute, par académie",
            VISITS,
            About("Visites par minute et par académie, au moment où elles sont comptées.", _CHOICE),
            Query(
                named(f"{_PER_MINUTE}sum by (academy) (rate({now('ent_academy_visits_total', A)}{_RATE}))", "academy"),
                "{{name}}",
            ),
        ),
        lines(
            "Utilisateurs par académie, 15 minutes",
            PEOPLE,
            About("Visiteurs distincts par académie, approchés.", _CHOICE),
            Query(
                named(f"max by (academy) ({now('ent_academy_users', A15)})", "academy"),
                "{{name}}",
            ),
        ),
    ]
