"""What the report's page calls things, in French."""

from __future__ import annotations

from streams.history.report import Row

ESTIMATED = "estimée d'après le DNMA"
GROUP_LABELS = {
    "vie_scolaire": "Vie scolaire",
    "services_pedagogiques": "Services pédagogiques",
    "stockage_partage": "Stockage et partage",
    "parcours": "Parcours pédagogiques",
    "visioconference": "Visioconférence",
    "travail_collaboratif": "Travail collaboratif",
}
FAMILY_LABELS = {
    "general": "Général",
    "communication": "Communication",
    "gestion": "Gestion et vie scolaire",
    "collaboration": "Collaboration",
    "ressources": "Ressources",
    "pedagogie": "Pédagogie",
}
PROFILE_LABELS = {
    "ELEVE": "Élèves",
    "PARENT": "Parents",
    "ENSEIGNANT": "Enseignants",
    "ADMIN_VIE_SCOL_TECH": "Administratifs, vie scolaire, techniques",
    "PERSONNEL_COLLECTIVITE": "Personnels des collectivités",
    "AUTRE": "Autres",
}


def by_label(by: str) -> str:
    """The head of the first column."""
    names = {"region": "Région", "group": "Groupe", "family": "Famille", "service": "Service", "project": "Projet"}
    return names.get(by, {"profile": "Profil", "academy": "Académie"}.get(by, ""))


def label_of(row: Row) -> str:
    """The French name of a row."""
    if row.code == "INCONNU":
        return "Inconnu"
    table = {"group": GROUP_LABELS, "family": FAMILY_LABELS, "profile": PROFILE_LABELS}.get(row.by, {})
    return table.get(row.code, row.label)
