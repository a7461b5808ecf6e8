"""Columns to dimensions: labels, types, what is hidden, what names a row, what dates it."""

from __future__ import annotations

import re
from typing import Literal

from datapilot_kernel.catalog.lexicon import fold, words
from datapilot_kernel.catalog.model import Column
from datapilot_kernel.catalog.names import Reading, is_code_name, read_name, split_name
from datapilot_kernel.semantic.drafting.comments import label_in
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft, distinct, safe_name, same
from datapilot_kernel.semantic.drafting.values import aliases, boolean_names, yes_and_no
from datapilot_kernel.semantic.model import Dimension, DimensionType, Format

_TYPES: dict[str, DimensionType] = {
    "integer": "number", "decimal": "number", "float": "number", "text": "text", "boolean": "boolean", "date": "date",
    "timestamp": "timestamp", "timestamptz": "timestamp", "other": "text", "time": "text",
}  # fmt: skip
_NAMES = ("nom", "raison sociale", "libellé", "désignation", "intitulé", "titre", "nom complet")
_NAME_RANK = ("raison sociale", "nom", "libellé", "désignation", "intitulé", "titre", "description", "modèle")
MONEY = frozenset({
    "montant", "montant total", "chiffre d’affaires", "prix", "prix unitaire", "prix d’achat", "prix de vente", "prix de revient", "coût",
    "coût unitaire", "frais", "frais de port", "marge", "TVA", "taxe", "revenu", "recette", "dépense", "salaire", "salaire brut", "salaire net", "solde",
    "budget", "loyer", "prime", "cotisation", "don", "acompte", "encours", "crédit", "débit", "commission", "bénéfice", "sous-total",
    "remboursement", "impayé", "créance", "dette", "prêt", "plafond de crédit", "indemnité", "franchise", "revenu récurrent mensuel", "trésorerie",
    "note de frais", "encaissement", "taux horaire", "total", "achat", "vente", "amortissement", "investissement", "facturation", "grille tarifaire", "panier",
})  # fmt: skip
RATES = frozenset({"taux", "taux de remise", "taux de TVA", "pourcentage", "ratio"})
_YEAR = re.compile(r"^(annee|year|an|exercice|millesime|fiscal_?year)$")
_MONTH = re.compile(r"^(mois|month|num_?mois|month_?(no|num|number))$")


def draft_columns(draft: Draft) -> None:
    """Give every table its dimensions, its naming dimension and its main date."""
    for table in draft.tables.values():
        _readings(table)
        taken: dict[str, object] = {}
        for column in table.table.columns:
            if column.type in {"binary", "array", "json", "interval"}:
                continue
            name = safe_name(column.name, taken, "c")
            taken[name] = column
            table.dimension_names[column.name] = name
            table.dimensions[name] = _dimension(draft, table, column)
        _synthetic_dates(draft, table)
        _name_dimension(table)
        _named_after_table(table)
        table.time = _main_date(table)
        _tell_apart(table)


def _readings(table: TableDraft) -> None:
    for column in table.table.columns:
        flag = column.type == "boolean" or yes_and_no(column) is not None
        table.column_readings[column.name] = read_name(column.name, "boolean" if flag else "column")


def _dimension(draft: Draft, table: TableDraft, column: Column) -> Dimension:
    reading = table.reading_of(column)
    label, synonyms = _label(table, column, reading)
    kind = _TYPES[column.type]
    personal = column.personal
    foreign = any(column.name in fk.columns for fk in table.table.foreign_keys)
    surrogate = column.name in table.table.primary_key and column.type in {"integer", "decimal"}
    technical = foreign or reading.identifier or surrogate or _technical(column)
    values: dict[str, tuple[str, ...]] = {}
    expression = None
    if kind == "boolean" or _is_zero_one(column):
        expression = None if kind == "boolean" else f"{quoted(draft, column.name)} = 1"
        kind = "boolean"
        positive, negative = boolean_names(reading, table.gender)
        values = {"true": positive, "false": negative}
    elif (flag := yes_and_no(column)) is not None:
        positive, negative = boolean_names(reading, table.gender)
        values = {flag[0]: positive, flag[1]: negative}
    elif not personal and not technical:
        values = aliases(column, reading, table.gender, tuple(c.french for c in table.reading.nouns))
    return Dimension(
        column=None if expression else column.name,
        expression=expression,
        type=kind,
        label=label,
        plural=_plural(reading, label),
        synonyms=tuple(synonyms),
        description=_description(column, label),
        format=column_format(column, reading) if kind == "number" else None,
        values=values,
        personal=personal,
        hidden=technical,
    )


def quoted(draft: Draft, column: str) -> str:
    """Return a column's name as SQL of the catalog's dialect needs it: bare when it can be."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", column) and column not in _RESERVED:
        return column
    mark = "`" if draft.catalog.dialect == "mysql" else '"'
    return f"{mark}{column.replace(mark, mark * 2)}{mark}"


_RESERVED = frozenset(
    "select from where group order by table user date time timestamp year month day hour minute second interval end start begin case when then else rank "
    "values value key index primary desc asc limit offset union all and or not null is in as on using left right full inner outer cross natural default "
    "check constraint references column add drop create alter grant revoke session current_date row rows range partition over window of lead lag total "
    "count sum avg min max position number condition signal match mode type level show describe explain lock read write release return repeat loop system "
    "groups cube function status language zone domain role schema force ignore replace convert char character int integer decimal float double real "
    "usage option procedure trigger view cast collate exists between like both leading trailing fetch for to with having distinct percent unit".split()
)


def _is_zero_one(column: Column) -> bool:
    """A whole number that is a flag: named like one, never anything but 0 and 1."""
    reading = read_name(column.name, "boolean")
    flagged = split_name(column.name)[:1] in {("is",), ("has",), ("est",), ("flag",), ("top",)} or (
        len(split_name(column.name)) == 1 and bool(reading.qualifiers) and not reading.nouns
    )
    return column.type == "integer" and flagged and column.minimum in {0, 1} and column.maximum in {0, 1}


def _technical(column: Column) -> bool:
    return split_name(column.name)[:1] in {
        ("hash",),
        ("token",),
        ("password",),
        ("salt",),
        ("checksum",),
        ("rowversion",),
        ("row",),
    } or read_name(column.name).has("date de suppression", "date de mise à jour", "mot de passe")


def _label(table: TableDraft, column: Column, reading: Reading) -> tuple[str, list[str]]:
    """Return a column's label and synonyms. A header in full (files) or a comment may say it better than the name."""
    label = reading.label
    said = label_in(column.comment)
    if said and said.isascii() and words(said) == tuple(w for w in split_name(column.name) if w in words(said)) and len(words(said)) == len(split_name(column.name)):  # noqa: E501  # fmt: skip
        said = None  # a header that is the technical name again
    synonyms: list[str] = []
    if said and not reading.known and not reading.identifier:
        synonyms.append(label)
        label = said
    elif said and said != label:
        if same(said, label):
            label = said
        elif len(said.split()) <= 5 and not reading.identifier:
            synonyms.append(said)
    if reading.unit in {"minutes", "heures", "jours", "secondes"} and reading.head is not None:
        if (
            reading.head.french not in {"durée", "temps", "délai", "temps de cycle", "ancienneté", "âge", "durée"}
            and "durée" not in label
        ):
            synonyms.append(label)
            label = f"durée {_of(label)}"
    if (
        reading.head is not None
        and reading.head.french == "code"
        and len(reading.nouns) > 1
        and not table.foreign(column.name)
    ):
        meant = reading.nouns[1].french
        others = [c for c in table.table.columns if c is not column and table.column_readings[c.name].head is not None]
        if meant != own_concept(table) and not any(table.column_readings[c.name].head.french == meant for c in others):  # type: ignore[union-attr]
            synonyms.append(meant)  # « code pays » is what there is of « pays »
    if table.is_a("paiement", "règlement", "encaissement") and label in {"méthode", "mode", "type", "moyen"}:
        synonyms += [label, "moyen de paiement", "mode de règlement" if table.concept != "règlement" else "mode de paiement"]
        label = "mode de règlement" if table.concept == "règlement" else "mode de paiement"
    own = table.concept
    if own and reading.head is not None and reading.head.french in _NAMES and reading.head.french != own:
        tail = {c.french for c in reading.nouns[1:]}
        if tail == {own} and same(label, f"{reading.head.french} {own}"):
            synonyms.append(f"{reading.head.french} {_of(own)}")
            label = reading.head.french
    if reading.identifier and column.name in table.table.primary_key:
        numbered = any(is_code_name(c.name) and not table.column_readings[c.name].identifier for c in table.table.columns)
        label = f"identifiant {_of(table.label)}" if numbered else f"numéro {_of(table.label)}"
        synonyms += ["identifiant", f"identifiant {_of(table.label)}", "id"]
    elif reading.identifier:
        label = f"identifiant {_of(reading.label)}"
    if reading.head is not None and same(label, reading.label):
        synonyms += [
            s for s in reading.head.synonyms if reading.known and len(reading.nouns) == 1 and not reading.qualifiers
        ]
    if reading.english and reading.english_label and not reading.identifier:
        synonyms.append(reading.english_label)
    return label, distinct(synonyms, label)


def own_concept(table: TableDraft) -> str:
    """Return what the table is about."""
    return table.concept


def _of(word: str) -> str:
    from datapilot_kernel.semantic.drafting.context import of

    return of(word)


def _plural(reading: Reading, label: str) -> str | None:
    if same(label, reading.label):
        return reading.plural if reading.plural != label else None
    first, space, rest = label.partition(" ")
    from datapilot_kernel.catalog.lexicon import french_plural

    plural = french_plural(first) + space + rest
    return plural if plural != label else None


def _description(column: Column, label: str) -> str | None:
    comment = (column.comment or "").strip()
    return comment if comment and len(words(comment)) > len(words(label)) and len(comment) <= 300 else None


def column_format(column: Column, reading: Reading) -> Format:
    """Return how a number of this column is written."""
    if reading.identifier or is_code_name(column.name):
        return Format(kind="text")
    if reading.unit in {"€", "k€"} or (reading.head is not None and reading.head.french in MONEY):
        return Format(kind="currency")
    if is_rate(reading):
        return Format(kind="percent") if is_share(column) else Format(kind="decimal", unit="%")
    if _YEAR.match(fold(column.name)):
        return Format(kind="year")
    if money_by_purpose(column, reading):
        return Format(kind="currency")
    unit = reading.unit
    if reading.has("nombre de jours", "nombre de jours de retard") or label_starts(reading, "jours"):
        return Format(kind="days", decimals=0 if column.type == "integer" else None)
    if unit == "jours":
        return Format(kind="days", decimals=None if column.type != "integer" else 0)
    if unit == "heures" or reading.has("nombre d’heures", "heures travaillées", "heure"):
        return Format(kind="hours", decimals=None if column.type != "integer" else 0)
    if column.type == "integer":
        return Format(kind="integer", unit=unit)
    return Format(kind="decimal", unit=unit)


def label_starts(reading: Reading, word: str) -> bool:
    """Tell whether a label begins with a word."""
    return reading.label.split(" ")[0] == word


def money_by_purpose(column: Column, reading: Reading) -> bool:
    """« objectif », « budget », « remise », « valeur » are money when they say so or are decimals."""
    if reading.head is None or reading.head.french not in {
        "objectif",
        "remise",
        "ristourne",
        "valeur",
        "prévision",
        "réalisé",
        "stock",
        "coût",
    }:
        return False
    named = reading.has("chiffre d’affaires", "montant", "HT", "TTC", "marge", "vente", "revenu", "budget", "coût")
    return named or (column.type == "decimal" and not reading.has("quantité", "nombre"))


def is_rate(reading: Reading) -> bool:
    """Tell whether a name is a rate's or a percentage's."""
    return (reading.head is not None and reading.head.french in RATES) or reading.unit == "%"


def is_share(column: Column) -> bool:
    """Tell whether a rate is stored as 0.125 rather than 12.5. Unknown bounds: the type decides (12.5 needs two digits)."""
    if isinstance(column.maximum, int | float) or hasattr(column.maximum, "is_nan"):
        return abs(float(column.maximum)) <= 1 and abs(float(column.minimum or 0)) <= 1  # type: ignore[arg-type]
    match = re.search(r"\((\d+),\s*(\d+)\)", column.native_type)
    return match is not None and int(match[1]) - int(match[2]) <= 1


# ── what names a row ───────────────────────────────────────────────────────────────────────────────────────────────────


def _name_dimension(table: TableDraft) -> None:
    texts = [
        c for c in table.table.columns if c.type == "text" and not table.dimensions[table.dimension_names[c.name]].hidden
    ]
    first = next((c for c in texts if table.reading_of(c).has("prénom")), None)
    last = next(
        (c for c in texts if table.reading_of(c).head and table.reading_of(c).label in {"nom", "nom de famille"}), None
    )
    if first is not None and last is not None:
        dialect_free = f"CONCAT_WS(' ', {_bare(table, first)}, {_bare(table, last)})"
        name = safe_name("nom_complet", dict.fromkeys(table.dimensions), "n")
        synonyms = ["nom et prénom", "prénom et nom", "full name"]
        table.dimensions[name] = Dimension(expression=dialect_free, label="nom complet", plural="noms complets", synonyms=tuple(synonyms), personal=True)  # fmt: skip
        table.name_dimension = name
        return
    best: tuple[int, int, str] | None = None
    for position, column in enumerate(texts):
        reading = table.reading_of(column)
        head = reading.head.french if reading.head else ""
        about_other = {c.french for c in reading.nouns[1:]} - {table.concept, *(w for w in _NAMES)}
        if head in _NAME_RANK and not (head == "nom" and about_other and "contact" in about_other):
            rank = _NAME_RANK.index(head) + (4 if about_other else 0)
        elif head and head == table.concept:
            rank = 8  # a table « catégorie » with a column « categorie »
        elif is_code_name(column.name) and _unique(table, column):
            rank = 20
        else:
            continue
        if best is None or (rank, position) < best[:2]:
            best = (rank, position, column.name)
    if best is None and table.role != "fact":
        alone = [c for c in texts if _unique(table, c)]
        if alone:
            best = (30, 0, alone[0].name)
        elif len(texts) == 1:
            best = (31, 0, texts[0].name)
    if best is not None and not (table.role == "fact" and best[0] in range(2, 20) and not _fact_titled(table, best[2])):
        table.name_dimension = table.dimension_names[best[2]]
        return
    codes = [c for c in texts if is_code_name(c.name)]
    code = next((c for c in codes if _unique(table, c)), None) or next(
        (c for c in codes if table.concept and table.reading_of(c).has(table.concept)), None
    )
    if code is not None:
        table.name_dimension = table.dimension_names[code.name]
    elif len(table.table.primary_key) == 1 and table.table.primary_key[0] in table.dimension_names:
        name = table.dimension_names[table.table.primary_key[0]]
        table.name_dimension = name
        table.dimensions[name] = table.dimensions[name].model_copy(update={"hidden": False, "format": Format(kind="text")})


def _named_after_table(table: TableDraft) -> None:
    """Call what names a thing by the thing: « catégorie » rather than « libellé », in a result's header and sentence."""
    name = table.name_dimension
    if (
        name is None
        or table.role == "fact"
        or any(same(d.label, table.label) for n, d in table.dimensions.items() if n != name)
    ):
        return
    old = table.dimensions[name]
    if old.column is not None and is_code_name(old.column):
        return
    synonyms = distinct(
        [old.label, *old.synonyms, f"{old.label.split(' ')[0]} {_of(table.label)}"], table.label, table.plural
    )
    table.dimensions[name] = old.model_copy(
        update={"label": table.label, "plural": table.plural, "synonyms": tuple(synonyms)}
    )


def _fact_titled(table: TableDraft, column: str) -> bool:
    """A fact is named by a title or a name that tells its rows apart, not by a wording that many rows share."""
    found = table.table.column(column)
    rows = table.table.row_estimate
    return _unique(table, found) or not rows or found.distinct_count is None or found.distinct_count >= 0.5 * rows


def _unique(table: TableDraft, column: Column) -> bool:
    if table.table.primary_key == (column.name,) or (column.name,) in table.table.unique_keys:
        return True
    rows = table.table.row_estimate
    return bool(rows and column.distinct_count and column.distinct_count >= 0.98 * rows and (column.null_share or 0) < 0.02)


def _bare(table: TableDraft, column: Column) -> str:
    return (
        f'"{column.name}"' if not re.fullmatch(r"[a-z_][a-z0-9_]*", column.name) or column.name in _RESERVED else column.name
    )


# ── what dates a row ───────────────────────────────────────────────────────────────────────────────────────────────────

_DATE_RANK: dict[str, int] = {
    "date de commande": 2, "date de vente": 2, "date de facture": 2, "date de paiement": 4, "date de réservation": 3, "date de début": 5, "début": 5,
    "date d’émission": 4, "date de signature": 4, "date d’embauche": 3, "date d’inscription": 4, "date d’ouverture": 5, "date d’arrivée": 4,
    "date de réception": 6, "date d’expédition": 6, "date de livraison": 7, "date de retour": 5, "date de lancement": 6, "date de départ": 12,
    "date de création": 8, "date prévue": 13, "date de fin": 13, "fin": 13, "échéance": 14, "date de clôture": 12, "date d’annulation": 15,
    "date de résiliation": 14, "date d’expiration": 15, "date de naissance": 18, "date de mise à jour": 19, "date de suppression": 20,
    "date limite": 14,
}  # fmt: skip
_OWN_DATES: dict[str, tuple[str, ...]] = {
    "commande": ("date de commande",), "ligne de commande": ("date de commande",), "vente": ("date de vente",), "facture": ("date de facture", "date d’émission"),
    "paiement": ("date de paiement",), "règlement": ("date de paiement",), "encaissement": ("date de paiement",),
    "livraison": ("date de livraison", "date d’expédition"), "expédition": ("date d’expédition", "date de livraison"), "employé": ("date d’embauche",),
    "salarié": ("date d’embauche",), "abonnement": ("date de début", "date d’inscription"), "contrat": ("date de signature", "date de début"),
    "retour": ("date de retour",), "réservation": ("date de réservation", "date d’arrivée"), "ticket": ("date d’ouverture", "date de création"),
    "ordre de fabrication": ("date de lancement", "date de début"), "absence": ("date de début",), "congé": ("date de début",),
    "produit": ("date de lancement", "date de création"), "commande d’achat": ("date de commande",), "client": ("date d’inscription", "date de création"),
    "utilisateur": ("date d’inscription", "date de création"), "avoir": ("date d’émission",),
}  # fmt: skip


def _main_date(table: TableDraft) -> str | None:
    """Return the time dimension that dates a row by default; None when there is none that does."""
    best: tuple[float, int, str] | None = None
    own = _OWN_DATES.get(table.concept, ())
    for position, (name, dimension) in enumerate(table.dimensions.items()):
        if dimension.type not in {"date", "timestamp"}:
            continue
        column = next((c for c in table.table.columns if c.name == dimension.column), None)
        rank = _rank(table, column, name, own)
        if column is not None and (column.null_share or 0) > 0.5:
            rank += 8
        if best is None or (rank, position) < best[:2]:
            best = (rank, position, name)
    if best is None or best[0] >= 17:
        return None
    if table.dimensions[best[2]].hidden:
        table.dimensions[best[2]] = table.dimensions[best[2]].model_copy(update={"hidden": False})
    return best[2]


def _rank(table: TableDraft, column: Column | None, name: str, own: tuple[str, ...]) -> float:
    if column is None:
        return 1  # made of a year and a month: there is nothing else to date by
    reading = table.reading_of(column)
    concepts = [c.french for c in reading.nouns]
    head = concepts[0] if concepts else ""
    if head in own:
        return 0.1 * own.index(head)
    if fold(name) in {
        "date",
        "jour",
        "mois",
        "periode",
        "day",
        "month",
        "period",
        "semaine",
        "week",
        "timestamp",
        "datetime",
        "date_heure",
        "horodatage",
    }:
        return 0.5
    rank = float(_DATE_RANK.get(head, 9))
    if head == "date":
        tail = concepts[1:]
        rank = 1.0 if table.concept and table.concept in tail else 3.5
        worst = {
            "fin": 13,
            "échéance": 14,
            "naissance": 18,
            "mise à jour": 19,
            "modification": 19,
            "suppression": 20,
            "sortie": 14,
            "fermeture": 14,
        }
        rank = max([rank, *(worst.get(w, 0) for w in [*tail, *words(column.name)])])
    if reading.has("prévu", "estimé", "supprimé"):
        rank += 6
    return rank


def _synthetic_dates(draft: Draft, table: TableDraft) -> None:
    """Make a date of what is one in disguise: year and month columns, ``2025-03``, 20250301."""
    columns = table.table.columns
    year = next((c for c in columns if c.type == "integer" and _YEAR.match(fold(c.name))), None)
    month = next((c for c in columns if c.type == "integer" and _MONTH.match(fold(c.name))), None)
    dates = [d for d in table.dimensions.values() if d.type in {"date", "timestamp"}]
    if year and month and not dates:
        y, m = quoted(draft, year.name), quoted(draft, month.name)
        expression = {
            "postgres": f"MAKE_DATE({y}, {m}, 1)",
            "duckdb": f"MAKE_DATE({y}, {m}, 1)",
            "mysql": f"STR_TO_DATE(CONCAT({y}, '-', {m}, '-01'), '%Y-%m-%d')",
        }[draft.catalog.dialect]
        _add_date(table, "periode", expression, "mois", ("période",))
        for column in (year, month):
            name = table.dimension_names[column.name]
            table.dimensions[name] = table.dimensions[name].model_copy(update={"hidden": True})
        return
    for column in columns:
        if column.type == "text" and column.values and all(re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", v) for v in column.values):
            c = quoted(draft, column.name)
            joined = f"CONCAT({c}, '-01')"
            expression = (
                f"STR_TO_DATE({joined}, '%Y-%m-%d')" if draft.catalog.dialect == "mysql" else f"CAST({joined} AS DATE)"
            )
            _disguised(table, column, expression)
        elif (
            column.type == "integer"
            and _in(column, 19500101, 21001231)
            and read_name(column.name).has("date", "jour", "mois", "période")
            | (column.name.lower().endswith(("date_key", "date_id", "_date")))
        ):
            c = quoted(draft, column.name)
            expression = {
                "postgres": f"TO_DATE(CAST({c} AS TEXT), 'YYYYMMDD')",
                "duckdb": f"CAST(STRPTIME(CAST({c} AS VARCHAR), '%Y%m%d') AS DATE)",
                "mysql": f"STR_TO_DATE(CAST({c} AS CHAR), '%Y%m%d')",
            }[draft.catalog.dialect]
            _disguised(table, column, expression)


def _in(column: Column, low: int, high: int) -> bool:
    return (
        isinstance(column.minimum, int)
        and isinstance(column.maximum, int)
        and low <= column.minimum <= column.maximum <= high
    )


def _disguised(table: TableDraft, column: Column, expression: str) -> None:
    name = table.dimension_names[column.name]
    old = table.dimensions[name]
    table.dimensions[name] = old.model_copy(update={"hidden": True})
    _add_date(table, f"{name}_date", expression, old.label, old.synonyms)


def _add_date(table: TableDraft, name: str, expression: str, label: str, synonyms: tuple[str, ...]) -> None:
    free = safe_name(name, dict.fromkeys(table.dimensions), "d")
    table.dimensions[free] = Dimension(expression=expression, type="date", label=label, synonyms=synonyms)


# ── labels within a table ──────────────────────────────────────────────────────────────────────────────────────────────


def _tell_apart(table: TableDraft) -> None:
    """Make labels different within a table, and drop the synonyms that another dimension's label or synonym has."""
    Kind = Literal["label", "synonym"]
    taken: dict[str, tuple[str, Kind]] = {}
    ordered = sorted(table.dimensions, key=lambda n: (table.dimensions[n].hidden, list(table.dimensions).index(n)))
    for name in ordered:
        dimension = table.dimensions[name]
        label = dimension.label
        if fold(label) in taken:
            spelled = name.replace("_", " ")
            label = spelled if fold(spelled) not in taken else f"{label} ({name})"
            table.dimensions[name] = dimension.model_copy(update={"label": label, "plural": None})
        taken[fold(label)] = (name, "label")
    for name in ordered:
        dimension = table.dimensions[name]
        kept = [s for s in dimension.synonyms if taken.setdefault(fold(s), (name, "synonym"))[0] == name]
        if len(kept) != len(dimension.synonyms):
            table.dimensions[name] = dimension.model_copy(update={"synonyms": tuple(kept)})
