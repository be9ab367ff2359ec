"""What Vigie would have told, as one page: French, nothing to fetch, light and dark. `trial.html` lays it out. Pure."""

import re
from collections import Counter
from datetime import datetime

import numpy as np

from streams.catalog import Catalog
from streams.clock import french_moment
from streams.pages import DayBar, french, render
from streams.rehearse.plot import KINDS, LEGEND, Drawing, around, drawing
from streams.trial.facts import TrialDay, TrialFacts

#: Alerts that are drawn one by one; all are in the table.
DRAWN_MAX = 20
LINES_SHOWN_MAX = 8
VALUES_SHOWN_MAX = 12
DAY_MINUTES = 24 * 60
#: The colours of the drawings, and what they are in the dark.
_DARK = {
    "#1d4f91": "#8ab4f8", "#eef1e6": "#1d2430", "#dde3ea": "#2d3748", "#292524": "#e5e7eb", "#16a34a": "#4ade80", "#bbf7d0": "#14532d",
    "#57534e": "#9aa7b8", "#c2410c": "#fb923c", "#1d4ed8": "#60a5fa", "#6b21a8": "#c084fc",
}  # fmt: skip
#: What readers of `streams.publish` say of a line that is no event, or that they cannot read; `{}` stands for what they quote of it.
#: A test holds that each of their reasons is here.
FRENCH = {
    # No event.
    "empty line": "ligne vide",
    "answer {}xx": "réponse {}xx",
    "host without a row": "hôte absent de la table",
    "method {}": "méthode {}",
    "no hit.xiti": "autre chose qu'un appel de hit.xiti",
    "no request": "connexion sans requête",
    "not authenticated": "visiteur non connecté",
    "other kinds": "autres",
    "part of a page": "élément d'une page (image, style, script)",
    "path without a row": "chemin absent de la table",
    # Not readable, whatever the format.
    "a control character (byte {}, column {})": "un caractère de contrôle (octet {}, colonne {})",
    "its user holds characters that cannot be printed": "l'utilisateur contient des caractères non imprimables",
    "its user is percent-encoded over and over": "l'utilisateur est encodé (%) sans fin",
    "its user is {}, which stands for one and is none": "l'utilisateur est {}, qui tient la place d'un nom et n'en est pas un",
    "its time lies before 2000: is it in seconds? ({})": "l'heure est avant 2000 : est-elle en secondes ? ({})",
    "its time lies in the future ({})": "l'heure est dans le futur ({})",
    "it breaks the contract ({})": "l'événement ne respecte pas le contrat ({})",
    "longer than {} bytes, which is more than Kafka takes": "plus de {} octets, ce que Kafka n'accepte pas",
    # A line of an access log.
    "an address, a list or a name of something else where the host is expected: {}": (
        "à la place de l'hôte, une adresse, une liste ou autre chose : {}"
    ),
    "its path is not well percent-encoded": "le chemin est mal encodé (%)",
    "its path is percent-encoded twice: which service it is depends on who decodes it": (
        "le chemin est encodé (%) deux fois : le service dépend de qui le décode"
    ),
    "its request is not as in GET /{}": "la requête n'a pas la forme GET /{}",
    "names no host, and {} hosts of combined.yaml have this path: {}": (
        "aucun hôte, et {} hôtes de combined.yaml ont ce chemin : l'écrire en tête (vhost_combined d'Apache), ou donner --project"
    ),
    "not a line of a combined access log": "pas une ligne de journal au format « combined »",
    "the fields before the time are not `address ident user`, nor these after a host": (
        "les champs avant l'heure ne sont ni « adresse ident utilisateur », ni ceux-ci après un hôte"
    ),
    "time is not as in 01/Sep/2026:08:03:12 +0200: {}": "l'heure n'a pas la forme 01/Sep/2026:08:03:12 +0200 : {}",
    # A hit.
    "a hit carries no time: give --at, or lines of an access log": (
        "l'appel ne porte pas d'heure : donner --at, ou des lignes de journal d'accès"
    ),
    "a hit whose parameters do not begin behind a ?": "un appel dont les paramètres ne suivent pas un « ? »",
    "a hit with more than {} parameters": "un appel de plus de {} paramètres",
    "a referrer that is not encoded comes first: what is whose cannot be told": (
        "un référent non encodé vient en premier : on ne sait à qui sont les paramètres"
    ),
    "a value holds an & that is not encoded": "une valeur contient un « & » non encodé",
    "its parameter {} is given twice": "le paramètre {} est donné deux fois",
    "its parameter {} is not well percent-encoded": "le paramètre {} est mal encodé (%)",
    "its parameter {} is written {}": "le paramètre {} est écrit {}",
    "its parameters are not separated by &": "les paramètres ne sont pas séparés par « & »",
    "not a hit: a line of an access log, or a URL with hit.xiti?... and nothing around it": (
        "pas un appel : ni une ligne de journal d'accès, ni une URL hit.xiti?... seule"
    ),
    "project {} is not in xiti.yaml: add it to `ids` of a project, or give --project": (
        "le projet {} n'est pas dans xiti.yaml : l'ajouter aux « ids » d'un projet, ou donner --project"
    ),
    "two hits in one line": "deux appels dans une ligne",
    # An object of JSON.
    "date is no number of epoch milliseconds since 2000": "« date » n'est pas un nombre de millisecondes depuis 1970, d'après 2000",
    "event-type is absent or no text": "« event-type » est absent ou n'est pas un texte",
    "its member {} is given twice": "le membre {} est donné deux fois",
    "its member {} is written {}": "le membre {} est écrit {}",
    "JSON, but {} instead of an object": "du JSON, mais {} au lieu d'un objet",
    "JSON, but no object": "du JSON, mais pas un objet",
    "nested too deeply": "trop d'objets emboîtés",
    "not an object": "pas un objet",
    "not JSON ({})": "pas du JSON ({})",
    "not JSON: {}": "pas du JSON : {}",
    "not UTF-8 (byte {} of the line)": "pas de l'UTF-8 (octet {} de la ligne)",
    "one event a line is expected, but this line opens JSON that goes on in the next one: {}": (
        "un événement par ligne est attendu, mais le JSON de cette ligne continue à la suivante : {}"
    ),
    "structures is no list of ids": "« structures » n'est pas une liste d'identifiants",
    "{} is no text": "« {} » n'est pas un texte",
    # A file.
    "its compressed data ends in the middle, after line {}: {}": (
        "le fichier compressé s'arrête au milieu, après la ligne {} : il est tronqué ou en cours d'écriture ; le reprendre en entier"
    ),
    "its compressed data is damaged after line {} ({}): {}": (
        "le fichier compressé est abîmé après la ligne {} ({}) : le reprendre d'où il vient"
    ),
    "cannot be read on after line {} ({}): {}": "lecture impossible après la ligne {} ({}) : voir le disque ou le réseau",
}  # fmt: skip
_PATTERNS = [
    (re.compile(re.escape(english).replace(r"\{\}", "(.*)"), re.DOTALL), french) for english, french in FRENCH.items()
]


def trial_page(facts: TrialFacts, catalog: Catalog, made_at: datetime) -> str:
    """The whole page."""
    labels = {service.code: service.label for service in catalog.services} | {"INCONNU": "Service inconnu des listes"}
    counts, rehearsal, days = facts.counts, facts.rehearsal, facts.days
    return render(
        "trial/trial.html",
        facts=facts,
        title=f"Vos journaux vus par Vigie, du {french.day(days[0].day)} au {french.day(days[-1].day)}",
        cards=_cards(facts, labels),
        label=lambda code: labels.get(code, code),
        bars=[
            DayBar((french.WEEKDAYS[one.day.weekday()], f"{one.day.day}"), one.visits, None, _told(one), one.is_off)
            for one in days
        ],
        partial_days=sum(one.measured_minutes < 23 * 60 for one in days),
        curves=[(scope.region or "", *_curves(facts, series)) for series, scope in enumerate(counts.scopes)],
        details=[
            (one, drawing(counts, rehearsal, one.found.series, *around(counts, one.found)))
            for one in facts.alerts[:DRAWN_MAX]
        ],
        kinds=KINDS,
        legend_of=LEGEND,
        dark=_DARK,
        skipped=sum((Counter(one.skipped) for one in facts.inputs), Counter()),
        unseen=[one for one in facts.unseen[:VALUES_SHOWN_MAX] if one[1]],
        in_french=in_french,
        lines_max=LINES_SHOWN_MAX,
        made=french_moment(made_at),
    )


def _cards(facts: TrialFacts, labels: dict[str, str]) -> list[tuple[str, str, str]]:
    """(title, figure, what it says)."""
    days, number = facts.days, len(facts.alerts)
    busiest = max(days, key=lambda day: day.visits)
    a_week = french.decimal(7 * number / max(1, len(days)), 1)
    events = sum(one.events for one in facts.inputs) - facts.repeats
    lines = french.number(sum(one.lines for one in facts.inputs))
    top = [
        ("Service le plus utilisé", labels.get(one.code, one.code), f"{french.number(one.visits)} utilisations")
        for one in facts.peaks[:1]
    ]
    return [
        ("Visites", french.number(sum(day.visits for day in days)), f"en {french.counted(len(days), 'jour')}"),
        ("Jour le plus chargé", french.number(busiest.visits), f"visites, {french.day(busiest.day)}"),
        ("Alertes", french.number(number), f"soit {a_week} par semaine"),
        *top,
        ("Lignes lues", lines, f"dont {french.number(events)} événements"),
    ]


def _told(one: TrialDay) -> str:
    users = f", environ {french.number(one.users)} visiteurs différents" if one.users is not None else ""
    return f"{french.day(one.day)} : {french.number(one.visits)} visites{users}"


def _curves(facts: TrialFacts, series: int) -> tuple[Drawing, Drawing]:
    """Everything, and the busiest day."""
    row = facts.counts.values[series]
    busiest = max(range(0, len(row), DAY_MINUTES), key=lambda begin: float(np.nansum(row[begin : begin + DAY_MINUTES])))
    return (
        drawing(facts.counts, facts.rehearsal, series, 0, len(row)),
        drawing(facts.counts, facts.rehearsal, series, busiest, min(busiest + DAY_MINUTES, len(row))),
    )


def in_french(reason: str) -> str:
    """Return a reason of a reader in French, as it is where it is not known."""
    told = (said.format(*found.groups()) for pattern, said in _PATTERNS if (found := pattern.fullmatch(reason)))
    return next(told, reason)
