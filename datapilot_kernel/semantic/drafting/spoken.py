"""How people say the total of a column: « jours d’absence », « kilomètres », « MRR des abonnements », « montant des devis ».

Two kinds of names. ``surely`` are this measure's whatever else there is, because they name its table or its own word.
``if_alone`` are bare (« kilomètres », « budget »): they go to nobody when two measures of the draft wish for them.
"""

from __future__ import annotations

from datapilot_kernel.catalog.lexicon import fold
from datapilot_kernel.catalog.model import Column
from datapilot_kernel.catalog.names import Reading, split_name
from datapilot_kernel.semantic.drafting.amounts import EXCLUDED
from datapilot_kernel.semantic.drafting.columns import MONEY
from datapilot_kernel.semantic.drafting.context import TableDraft, of

_AMOUNTS = ("montant", "montant total", "total", "sous-total")
_ACCOUNTS = {
    "débit": ("débits", "total débit", "total des débits", "débit total", "montant débité", "montant au débit",
    "mouvements débit"),
    "crédit": ("crédits", "total crédit", "total des crédits", "crédit total", "montant crédité", "montant au crédit",
    "mouvements crédit"),
}  # fmt: skip


def a(table: TableDraft) -> str:
    """Return « d’une commande », « d’un abonnement »."""
    return f"d’un{'e' if table.gender == 'f' else ''} {table.label}"


def surely(table: TableDraft, column: Column, reading: Reading, label: str) -> list[str]:
    """Return the names that are this total's own."""
    found: list[str] = []
    head = reading.head.french if reading.head else ""
    if days(reading):
        found += [f"jours {of(table.label)}", f"nombre de jours {of(table.label)}", f"total des jours {of(table.label)}",
                  f"jours {of(table.plural)}", f"nombre de jours {of(table.plural)}"]  # fmt: skip
    whole = reading.known and {c.french for c in reading.nouns[1:]} <= {table.concept}
    if head in _AMOUNTS and whole and not reading.has(*EXCLUDED):  # « montant de pièce » is a part of it
        tax = next((t for t in ("HT", "TTC") if reading.has(t)), "")
        said = f"montant {tax}".strip()
        found += [f"{said} des {table.plural}", f"{said} total des {table.plural}",
                  f"montant total {tax} des {table.plural}"]  # fmt: skip
        if not tax:
            found += [f"valeur des {table.plural}", f"valeur totale des {table.plural}"]
    if reading.unit and reading.unit not in {"jours", "mois", "%", "€", "k€", "$"}:
        found += [f"{label} en {reading.unit}", f"{label} {reading.unit}", f"{reading.unit} {of(table.plural)}"]
    if reading.has("stock") and head == "valeur":
        found += ["valeur du stock", "valeur des stocks", "stock en valeur", "valeur totale du stock"]
    acronym = _acronym(column, reading)
    if acronym:
        found += [acronym, f"{acronym} total", f"{acronym} des {table.plural}", f"{acronym} total des {table.plural}"]
    if head in _ACCOUNTS:
        found += _ACCOUNTS[head]
    if _counted(column, reading):
        found += [f"nombre {of(label)}", f"nombre total {of(label)}", f"nb {of(label)}", f"total des {label}"]
    if reading.head is not None and reading.head.french == "quantité":
        made = next((m for m in _MADE if reading.has(*m)), None)
        found += _MADE[made] if made else ()
    if reading.has("nombre d’heures"):
        done = _DONE_HOURS.get(table.concept, ())
        found += [*done, f"heures {of(table.label)}", f"heures {of(table.plural)}", f"nombre d’heures {of(table.label)}",
                  *(f"nombre d’{hours}" for hours in done if hours.startswith("heures"))]  # fmt: skip
    return list(dict.fromkeys(found))


_GIVEN_OR_TAKEN = ("remise", "pourboire", "commission", "acompte", "prime", "TVA", "taxe", "frais", "charge", "ristourne",
    "frais de port", "subvention", "pénalité")  # fmt: skip
_MADE: dict[tuple[str, ...], tuple[str, ...]] = {
    ("rebut", "rebuté"): ("rebuts", "pièces rebutées", "pièces au rebut", "pièces mises au rebut", "nombre de rebuts",
                          "quantité mise au rebut"),
    ("fabrication", "fabriqué", "production"): ("pièces fabriquées", "pièces produites", "quantité produite", "production",
                                                "nombre de pièces fabriquées", "nombre de pièces produites"),
    ("lancement",): ("pièces lancées", "nombre de pièces lancées"),
}  # fmt: skip
_DONE_HOURS = {
    "pointage": ("heures pointées", "temps pointé", "heures saisies", "temps passé"), "formation": ("heures de formation",),
    "vacation": ("heures effectuées",), "intervention": ("heures d’intervention", "heures passées"),
    "absence": ("heures d’absence",), "mission": ("heures de mission",), "temps passé": ("heures passées", "temps passé"),
}  # fmt: skip


def if_alone(reading: Reading, label: str) -> list[str]:
    """Return the bare names that are this total's when no other measure wishes for them."""
    head = reading.head.french if reading.head else ""
    found: list[str] = []
    if days(reading):
        found += ["nombre de jours", "jours"]
    if head == "kilomètre" or (reading.unit == "km" and head in {"distance", ""}):
        found += ["kilomètres", "km", "kilomètres parcourus", "km parcourus", "kilométrage", "distance parcourue",
                  "distance totale", "kilomètres effectués", "nombre de kilomètres"]  # fmt: skip
    if head == "litre" or reading.unit == "litres":
        found += ["litres", "nombre de litres"]
    if reading.has("carburant"):
        found += ["carburant", "carburant consommé", "litres de carburant", "litres de carburant consommés",
                  "litres consommés", "consommation de carburant"]  # fmt: skip
    if reading.has("budget", "budgété") and head in {*_AMOUNTS, "budget", "valeur"}:
        found += ["budget", "budgets", "montant du budget", "montant des budgets", "montant budgété", "budget prévu",
                  "budget total"]  # fmt: skip
    if reading.has("nombre d’heures") or (head == "nombre" and reading.unit == "heures"):
        found += ["heures", "nombre d’heures", "nb d’heures", "total des heures", "heures totales"]
    elif head == "nombre" and label.startswith(("nombre de ", "nombre d’")):
        found += [label.removeprefix("nombre de ").removeprefix("nombre d’")]
    if head == "montant" and len(reading.nouns) == 2 and reading.nouns[1].french in _GIVEN_OR_TAKEN:
        found += [reading.nouns[1].plural, reading.nouns[1].french]
    if reading.unit in {"kg", "tonnes"} and head == "poids":
        found += [f"poids total en {reading.unit}", "tonnage" if reading.unit == "tonnes" else "poids total"]
    return [name for name in dict.fromkeys(found) if fold(name) != fold(label)]


def days(reading: Reading) -> bool:
    """Tell whether a column counts days."""
    return reading.has("nombre de jours") or (reading.unit == "jours" and reading.has("durée", "nombre")) or (
        reading.label.split(" ")[0] == "jours"
    )  # fmt: skip


def _acronym(column: Column, reading: Reading) -> str | None:
    """Return « MRR » for a column that is named by letters and is known by words."""
    tokens = split_name(column.name)
    known = reading.head is not None and len(reading.head.french) > len(column.name) + 4
    return column.name.upper() if len(tokens) == 1 and 2 <= len(column.name) <= 4 and known and reading.english else None


def _counted(column: Column, reading: Reading) -> bool:
    """Tell whether it is a number of things, written as the things: « appels API », « sièges », « utilisateurs actifs »."""
    head = reading.head
    return (
        column.type == "integer" and head is not None and reading.unit is None and head.french not in MONEY
        and head.french not in {"jour", "heure", "nombre", "points", "nombre de jours", "nombre d’heures"}
        and head.plural != head.french and reading.label.split(" ")[0] == head.plural.split(" ")[0]
    )  # fmt: skip
