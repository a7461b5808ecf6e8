"""Columns to dimensions: labels, types, what is hidden, what names a row, what dates it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from datapilot_kernel.catalog.inference import key_words, table_words
from datapilot_kernel.catalog.lexicon import fold, lookup, words
from datapilot_kernel.catalog.model import Column
from datapilot_kernel.catalog.names import Reading, is_code_name, read_name, split_name
from datapilot_kernel.semantic.drafting.comments import label_in, meanings
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft, distinct, of, safe_name, same
from datapilot_kernel.semantic.drafting.dates import YEAR, dated_as_itself, main_date, synthetic_dates
from datapilot_kernel.semantic.drafting.naming import NAMES, name_dimension, named_after_table
from datapilot_kernel.semantic.drafting.reserved import quoted
from datapilot_kernel.semantic.drafting.values import aliases, boolean_names, situated, yes_and_no
from datapilot_kernel.semantic.model import Dimension, DimensionType, Format

_TYPES: dict[str, DimensionType] = {
    "integer": "number", "decimal": "number", "float": "number", "text": "text", "boolean": "boolean", "date": "date",
    "timestamp": "timestamp", "timestamptz": "timestamp", "other": "text", "time": "text",
}  # fmt: skip
_TIMES = frozenset({"durée", "temps", "délai", "retard", "temps de cycle", "ancienneté", "âge"})
MONEY = frozenset({
    "montant", "montant total", "chiffre d’affaires", "prix", "prix unitaire", "prix d’achat", "prix de vente",
    "prix de revient", "coût",
    "coût unitaire", "frais", "frais de port", "marge", "TVA", "taxe", "revenu", "recette", "dépense", "salaire",
    "salaire brut", "salaire net", "solde",
    "budget", "loyer", "prime", "cotisation", "don", "acompte", "encours", "crédit", "débit", "commission", "bénéfice",
    "sous-total",
    "remboursement", "impayé", "créance", "dette", "prêt", "plafond de crédit", "indemnité", "franchise",
    "revenu récurrent mensuel", "trésorerie",
    "note de frais", "encaissement", "taux horaire", "total", "achat", "vente", "amortissement", "investissement",
    "facturation", "grille tarifaire", "panier", "pourboire", "charge", "subvention", "honoraires", "mensualité",
    "dividende",
    "amende", "dépôt de garantie", "bourse", "dépassement d’honoraires", "objectif de collecte", "intérêt", "agios", "péage",
    "capital", "promesse de don", "collecte", "tarif", "tarif de base",
})  # fmt: skip
RATES = frozenset({"taux", "taux de remise", "taux de TVA", "pourcentage", "ratio"})


def draft_columns(draft: Draft) -> None:
    """Give every table its dimensions, its naming dimension and its main date."""
    for table in draft.tables.values():
        _readings(draft, table)
        taken: dict[str, object] = {}
        for column in table.table.columns:
            if column.type in {"binary", "array", "json", "interval"}:
                continue
            name = safe_name(column.name, taken, "c")
            taken[name] = column
            table.dimension_names[column.name] = name
            table.dimensions[name] = _dimension(draft, table, column)
        synthetic_dates(draft, table)
        name_dimension(table)
        named_after_table(table)
        table.time = main_date(table)
        dated_as_itself(table)
        _tell_apart(table)


def _readings(draft: Draft, table: TableDraft) -> None:
    prefix = _prefix(table)
    for column in table.table.columns:
        flag = column.type == "boolean" or yes_and_no(column) is not None or _is_zero_one(column)
        key = table.foreign(column.name)
        tokens = split_name(column.name)
        own = "_".join(tokens[1:]) if prefix and not key and len(tokens) > 1 and tokens[0] == prefix else column.name
        reading = read_name(_spelled_out(draft.spelled(own), draft.target(key) if key else None, table),
                            "boolean" if flag else "column")  # fmt: skip
        reading = _said_better(column, reading) or reading
        if reading.unit is None and re.search(r"\ben (%|pourcentage)", column.comment or ""):
            reading = replace(reading, unit="%")
        table.column_readings[column.name] = reading


def _prefix(table: TableDraft) -> str | None:
    """Return the word that a table's columns begin with because it is the table's: ``cli_nom`` of ``t_cli``."""
    own = [split_name(c.name) for c in table.table.columns if not table.foreign(c.name)]
    firsts = Counter(tokens[0] for tokens in own if len(tokens) > 1)
    if not firsts:
        return None
    first, count = firsts.most_common(1)[0]
    entry = lookup((first,))
    about = entry is not None and entry.concept.french == table.concept
    named = any(word.startswith(first) for word in split_name(table.table.name))
    enough = count >= 3 or (count == 2 and count == len(own) and named)
    return first if enough and count >= 0.6 * len(own) and (about or named) else None


def _spelled_out(name: str, target: TableDraft | None, table: TableDraft) -> str:
    """Read an abbreviation as the table it begins like: ``cd_dep`` of ``depot``, or pointing at it, is not a « dépense »."""
    tokens = list(split_name(name))
    for about in (target, table):
        if about is None or not about.concept or about.hidden:
            continue
        own = fold(about.concept).replace(" ", "")
        for place, token in enumerate(tokens):
            entry = lookup((token,))
            cut_short = entry is None and len(token) >= 4 and len(own) >= len(token) + 2
            if (
                (cut_short or (entry is not None and entry.abbreviation and len(token) >= 3
                               and entry.concept.french != about.concept))
                and own.startswith(token)
            ):  # fmt: skip
                tokens[place] = own
                return "_".join(tokens)
    return name


def _said_better(column: Column, reading: Reading) -> Reading | None:
    """Return the comment's reading where a name is an abbreviation that the comment takes for something else."""
    said = label_in(column.comment)
    abbreviated = any(
        (e := lookup((w,))) is not None and e.abbreviation and e.concept is reading.head for w in reading.words
    )
    if said is None or not abbreviated or reading.identifier:
        return None
    spoken = read_name("_".join(words(said)))
    if spoken.head is None or reading.head is None or spoken.head is reading.head:
        return None
    return replace(spoken, label=said, unit=reading.unit)


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
        said = meanings(column.comment, flag)
        values = {
            value: tuple(dict.fromkeys((*_forms(said.get(value, "")), *names)))
            for value, names in ((flag[0], positive), (flag[1], negative))
        }
    elif not personal and not technical and not (is_code_name(column.name) and _keyed(table, column)):
        values = aliases(column, reading, table.gender, tuple(c.french for c in table.reading.nouns))
    if kind == "boolean" or yes_and_no(column) is not None:
        values = situated(reading, table.concept, values)
    return Dimension(
        column=None if expression else column.name,
        expression=expression,
        type=kind,
        zoned=column.type == "timestamptz",
        label=label,
        plural=_plural(reading, label),
        synonyms=tuple(synonyms),
        description=_description(column, label),
        format=column_format(column, reading) if kind == "number" else None,
        values=values,
        personal=personal,
        hidden=technical,
    )


def _keyed(table: TableDraft, column: Column) -> bool:
    """Tell whether a code is its table's own and another column words it: « PAN » is the row called « Panne »."""
    named, _, _ = key_words(column.name)
    return (
        table.role == "thing"
        and _has_wording(table, column)
        and any(w in split_name(column.name) for w in ("cd", "code"))
        # Its own: « code_pays » of a client says where, and is no name of the client.
        and set(named) <= table_words(table.table.name)
    )


def _forms(said: str) -> tuple[str, ...]:
    """Return a comment's word for a flag, and its participle alone: « retiré du catalogue », « retiré »."""
    first, _, rest = said.partition(" ")
    return (said, first) if rest and first.endswith(("é", "ée")) else (said,) if said else ()


def _is_zero_one(column: Column) -> bool:
    """A whole number that is a flag: named like one, never anything but 0 and 1."""
    reading = read_name(column.name, "boolean")
    flagged = split_name(column.name)[:1] in {
        ("is",),
        ("has",),
        ("est",),
        ("flag",),
        ("flg",),
        ("top",),
        ("a",),
        ("ind",),
    } or (len(split_name(column.name)) == 1 and bool(reading.qualifiers) and not reading.nouns)
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
    label = _entry_or_exit(table, column) or reading.label
    said = label_in(column.comment)
    if said and said.isascii() and words(said) == tuple(w for w in split_name(column.name) if w in words(said)) and len(
        words(said)) == len(split_name(column.name)):  # fmt: skip
        said = None  # a header that is the technical name again
    if said and column.values and fold(said) in {fold(v) for v in column.values}:
        said = None  # « F = femme »: a code, not a label
    synonyms: list[str] = []
    if said and not reading.known and not reading.identifier:
        synonyms.append(label)
        label = said
    elif said and said != label:
        if same(said, label):
            label = said
        elif len(said.split()) <= 5 and not reading.identifier:
            synonyms.append(said)
    timed = reading.unit in {"minutes", "heures", "jours", "secondes"} and reading.head is not None
    if timed and "durée" not in label and table.concept_of(column) not in _TIMES:
        synonyms.append(label)
        label = f"durée {of(label)}"
    if (
        reading.head is not None
        and reading.head.french in {"code", "numéro"}
        and len(reading.nouns) > 1
        and not table.foreign(column.name)
    ):
        meant = reading.nouns[1].french
        heads = [table.column_readings[c.name].head for c in table.table.columns if c is not column]
        worded = own_concept(table).startswith(meant) and _has_wording(table, column)
        if meant != own_concept(table) and not worded and not any(h is not None and h.french == meant for h in heads):
            synonyms.append(meant)  # « code pays » is what there is of « pays »
    if table.is_a("paiement", "règlement", "encaissement") and label in {"méthode", "mode", "type", "moyen"}:
        synonyms += [label, "moyen de paiement", "mode de règlement" if table.concept != "règlement" else "mode de paiement"]
        label = "mode de règlement" if table.concept == "règlement" else "mode de paiement"
    key = column.name in table.table.primary_key and len(table.table.primary_key) == 1
    if key and not reading.identifier and same(label, table.label) and _has_wording(table, column):
        synonyms += ["code", f"identifiant {of(table.label)}"]
        label = f"numéro {of(table.label)}" if table.label == "compte" else f"code {table.label}"
    own = table.concept
    if own and reading.head is not None and reading.head.french in NAMES and reading.head.french != own:
        tail = {c.french for c in reading.nouns[1:]}
        if tail == {own} and same(label, f"{reading.head.french} {own}"):
            synonyms.append(f"{reading.head.french} {of(own)}")
            label = reading.head.french
    if reading.identifier and column.name in table.table.primary_key:
        numbered = any(is_code_name(c.name) and not table.column_readings[c.name].identifier for c in table.table.columns)
        label = f"identifiant {of(table.label)}" if numbered else f"numéro {of(table.label)}"
        synonyms += ["identifiant", f"identifiant {of(table.label)}", "id"]
    elif reading.identifier:
        label = f"identifiant {of(reading.label)}"
    if reading.head is not None and same(label, reading.label):
        synonyms += [
            s for s in reading.head.synonyms if reading.known and len(reading.nouns) == 1 and not reading.qualifiers
        ]
    if label == "total" and table.role == "fact":
        label = f"total {of(table.label)}"  # « total » alone would be every total there is
    if reading.head is not None and len(reading.nouns) == 1 and [q.french for q in reading.qualifiers] in (["HT"], ["TTC"]):
        others = [c for c in table.table.columns if c is not column and table.concept_of(c) == reading.head.french]
        if not others and reading.head.french not in {"montant", "total"}:
            synonyms += [reading.head.french, *reading.head.synonyms]  # « prix de vente » is what there is of it
    if reading.english and reading.english_label and not reading.identifier:
        synonyms.append(reading.english_label)
    for short, whole in ((" HC", " hors charges"), (" CC", " charges comprises")):
        if label.endswith(short):
            synonyms.append(label.removesuffix(short) + whole)
    if label == "pays" and table.role == "thing":
        synonyms += ["pays d’origine", "pays de résidence"]
    return label, distinct(synonyms, label)


_COMES_AND_GOES = {"entree": "date d’entrée", "sortie": "date de sortie"}
_STAFF = ("employé", "salarié", "collaborateur", "commercial", "vendeur", "agent", "opérateur", "technicien", "chauffeur")


def _entry_or_exit(table: TableDraft, column: Column) -> str | None:
    """``date_entree`` is a hiring in a table of people at work, and an entry anywhere else (a stay, a movement)."""
    if table.is_a(*_STAFF) or table.concept_of(column) not in {"date d’embauche", "date de départ"}:
        return None
    return next((said for word, said in _COMES_AND_GOES.items() if word in split_name(column.name)), None)


def _has_wording(table: TableDraft, key: Column) -> bool:
    """Tell whether another column words what the key only codes."""
    return any(
        c is not key and c.type == "text" and (r := table.column_readings[c.name]).head is not None
        and (r.head.french if r.head else "") in NAMES
        for c in table.table.columns
    )  # fmt: skip


def own_concept(table: TableDraft) -> str:
    """Return what the table is about."""
    return table.concept


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
    if YEAR.match(fold(column.name)):
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


# ── labels within a table ──────────────────────────────────────────────────────────────────────────────────────────────


def _tell_apart(table: TableDraft) -> None:
    """Make labels different within a table, and drop the synonyms that another dimension's label or synonym has."""
    taken: dict[str, str] = {}
    ordered = sorted(table.dimensions, key=lambda n: (table.dimensions[n].hidden, list(table.dimensions).index(n)))
    for name in ordered:
        dimension = table.dimensions[name]
        label = dimension.label
        if fold(label) in taken:
            spelled = name.replace("_", " ")
            label = spelled if fold(spelled) not in taken else f"{label} ({name})"
            table.dimensions[name] = dimension.model_copy(update={"label": label, "plural": None})
        taken[fold(label)] = name
    for name in ordered:
        dimension = table.dimensions[name]
        kept = [s for s in dimension.synonyms if taken.setdefault(fold(s), name) == name]
        if len(kept) != len(dimension.synonyms):
            table.dimensions[name] = dimension.model_copy(update={"synonyms": tuple(kept)})
