"""Keys that nobody declared: proved by counting, or proposed by name and proved by value inclusion.

A key is a column named like one whose values are all there and all different. A foreign key needs a name that says where
it points (``id_client``, ``client_id``, ``cd_cli``, ``id_magasin_retrait``, ``manager_id``) *and* values that are found
there. Names alone are enough only where there are no values to look at and the name leaves no doubt.

Rejected: value inclusion alone (small whole numbers are included in every other key); names alone (an ``id_agent`` of
another system). Remaining risk: two tables numbered alike and named alike; hence ``inferred``, which people see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from datapilot_kernel.catalog.lexicon import LINKING, fold
from datapilot_kernel.catalog.model import ForeignKey
from datapilot_kernel.catalog.names import is_code_name, read_name, singular_words, split_name
from datapilot_kernel.catalog.profiling import qualified, quote
from datapilot_kernel.catalog.raw import RawColumn, RawTable
from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.model import Source

_KEY_TYPES = {"integer", "text", "decimal"}
_ORPHANS_ALLOWED = 0.05
_SAMPLE = 500
_BATCH = 20
_HABITS = {
    "t",
    "tb",
    "tbl",
    "tab",
    "table",
    "dim",
    "fact",
    "fct",
    "d",
    "v",
    "vw",
    "view",
    "stg",
    "ods",
    "dwh",
    "f",
    "data",
    "master",
    "ref",
}
_ID_WORDS = {"id", "ids", "uuid", "guid", "ident", "identifiant", "idt", "key", "cle", "sk", "fk", "pk"}
_CODE_WORDS = {"code", "numero", "no", "num", "reference", "ref", "matricule", "number", "cd"}
_PEOPLE_TABLES = ("employe", "salarie", "collaborateur", "utilisateur", "personne", "commercial", "vendeur", "agent",
    "operateur", "technicien", "staff", "contact")  # fmt: skip
_ROLES = {
    "manager", "responsable", "chef", "superviseur", "supervisor", "approver", "approbateur", "validateur", "owner",
    "proprietaire", "author", "auteur",
    "assignee", "assigned", "created", "updated", "cree", "createur", "creator", "reporter", "demandeur", "requester",
    "assigne", "sponsor", "leader",
    "valideur", "n1", "modificateur", "reports", "superieur", "tuteur", "mentor", "agent", "sales", "rep",
}  # fmt: skip
_SELF = {
    "parent",
    "mere",
    "pere",
    "superieur",
    "manager",
    "responsable",
    "chef",
    "reports",
    "parente",
    "racine",
    "root",
    "supervisor",
}
_MEASURES = ("objectif", "nombre", "montant", "montant total", "quantité", "total", "prix", "prix unitaire", "taux", "coût",
    "durée", "budget", "solde", "valeur", "remise", "poids", "frais", "stock", "âge", "année", "mois", "jour",
    "rang")  # fmt: skip
_NOT_KEYS = ("nom", "libellé", "désignation", "intitulé", "titre", "description", "commentaire", "observation", "type",
    "statut", "état", "ville", "pays", "région", "date", "période", "exercice", "semaine", "trimestre", "niveau",
    "prénom", "adresse", "e-mail", "téléphone", "unité", "couleur", "taille", "sexe", "motif", "débit",
    "crédit")  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A foreign key that a name proposes. ``strength`` 3: the name leaves no doubt; 1: values must prove it."""

    table: RawTable
    column: RawColumn
    target: RawTable
    target_column: str
    strength: int


def table_words(name: str) -> frozenset[str]:
    """Return the words of a table's name reduced for comparison, habits taken off."""
    raw = [w for w in split_name(name) if w not in LINKING]
    while len(raw) > 1 and raw[0] in _HABITS:
        raw = raw[1:]
    return frozenset(singular_words("_".join(raw)))


def key_words(column: str) -> tuple[tuple[str, ...], bool, bool]:
    """Return a column's words without the ones that say key or code, and whether it had either.

    >>> key_words("cd_cli"), key_words("id_magasin_retrait")
    ((('client',), False, True), (('magasin', 'retrait'), True, False))
    """
    raw = split_name(column)
    is_id = any(w in _ID_WORDS for w in (raw[:1] + raw[-1:]))
    rest = "_".join(w for w in raw if w not in _ID_WORDS)
    reduced = singular_words(rest) if rest else ()
    coded = any(w in _CODE_WORDS for w in reduced)
    return tuple(w for w in reduced if w not in _CODE_WORDS), is_id, coded


# ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_keys(source: Source, tables: list[RawTable]) -> None:
    """Give tables without a declared key the one that counting proves, if a column is named like it."""
    spread = Counter(fold(c.name) for t in tables for c in t.columns if c.type in _KEY_TYPES)
    shared = {name for name, count in spread.items() if count > 1}
    for table in tables:
        if not table.readable or not table.profiled:
            continue
        for column in table.columns:
            key = (column.name,)
            proved = column.unique and (column.distinct_count or 0) > 1 and column.type in _KEY_TYPES
            if proved and _named_like_key(table, column) > 0 and key not in (*table.unique_keys, table.primary_key):
                table.unique_keys.append(key)
        if table.primary_key or table.kind == "view":
            continue
        ranked = sorted(
            (c for c in table.columns if c.type in _KEY_TYPES),
            key=lambda c: (-_named_like_key(table, c, shared), table.columns.index(c)),
        )
        for column in ranked[:3]:
            if _named_like_key(table, column, shared) >= 2 and _proved_unique(source, table, column):
                table.primary_key = (column.name,)
                table.unique_keys = [k for k in table.unique_keys if k != (column.name,)]
                break


def _named_like_key(table: RawTable, column: RawColumn, shared: Collection[str] = ()) -> int:
    """Return how much a column's name says that it is this table's key: 0 not, 1 a code, 2 maybe, 3 surely.

    ``shared`` are the names that other tables have too: a first column that they repeat is what they point at
    (``compte`` of a chart of accounts), if counting proves it.
    """
    words, is_id, coded = key_words(column.name)
    own = table_words(table.name)
    if is_id and (not words or set(words) <= own or own <= set(words)):
        return 4 if not words or set(words) == set(own) else 3
    first = table.columns[0] is column
    if coded and (not words or set(words) & own):
        return 3 if first else 2
    if is_id or coded or is_code_name(column.name):
        return 2 if first else 1
    if first and column.type in {"integer", "text"} and set(words) & own:
        return 2
    if first and fold(column.name) in shared and _says_what(column):
        return 2
    return 1 if first and column.type == "integer" and not column.name.lower().startswith(("annee", "year", "mois")) else 0


def _says_what(column: RawColumn) -> bool:
    """Tell whether a name is a thing's (« compte »): not a wording, a date, a place or an amount, which repeat by chance."""
    reading = read_name(column.name)
    return reading.head is not None and not reading.has(*_MEASURES, *_NOT_KEYS)


def _proved_unique(source: Source, table: RawTable, column: RawColumn) -> bool:
    if column.unique is not None:
        return column.unique
    name = quote(source.dialect, column.name)
    try:
        total, filled, distinct = source.introspect_rows(
            f"SELECT COUNT(*), COUNT({name}), COUNT(DISTINCT {name}) FROM {qualified(source.dialect, table)}"  # noqa: S608
        )[0]
    except SourceProblem:
        return False
    column.unique = bool(total) and total == filled == distinct
    return column.unique


# ── foreign keys ───────────────────────────────────────────────────────────────────────────────────────────────────────


def find_foreign_keys(source: Source, tables: list[RawTable], *, out_of_time: Callable[[], bool]) -> int:
    """Add the inferred foreign keys; return how many candidates were left unchecked for want of time."""
    candidates = _candidates(tables)
    batches = [candidates[i : i + _BATCH] for i in range(0, len(candidates), _BATCH)]
    unchecked = 0
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="datapilot-keys") as pool:
        checks = pool.map(lambda batch: None if out_of_time() else _included(source, batch), batches)
        proved: list[tuple[Candidate, float]] = []
        for batch, shares in zip(batches, checks, strict=True):
            if shares is None:
                unchecked += len(batch)
                shares = [None] * len(batch)
            for candidate, share in zip(batch, shares, strict=True):
                if share is None and candidate.strength >= 3:
                    proved.append((candidate, 0.9))
                elif share is not None and share >= 1 - _ORPHANS_ALLOWED:
                    proved.append((candidate, share))
    _keep_best(proved)
    return unchecked


def _keep_best(proved: list[tuple[Candidate, float]]) -> None:
    """One target per column: the surest name, then the fullest inclusion, then the table closest in name."""
    for _, group in groupby(
        sorted(proved, key=lambda p: (p[0].table.key, p[0].column.name)), key=lambda p: (p[0].table.key, p[0].column.name)
    ):
        best = max(group, key=lambda p: (p[0].strength, p[1], -len(p[0].target.name), p[0].target.key))[0]
        best.table.foreign_keys.append(
            ForeignKey(
                columns=(best.column.name,), ref_table=best.target.key, ref_columns=(best.target_column,), inferred=True
            )
        )


def _candidates(tables: list[RawTable]) -> list[Candidate]:
    usable = [t for t in tables if t.readable]
    targets = [(t, table_words(t.name), _target_columns(t)) for t in usable]
    people = [(t, words, columns) for t, words, columns in targets if words & set(_PEOPLE_TABLES)]
    by_column: dict[str, list[tuple[RawTable, str]]] = {}
    for table, _, columns in targets:
        for name in columns:
            by_column.setdefault(fold(name), []).append((table, name))
    found: list[Candidate] = []
    for table in usable:
        if table.kind == "view" and not table.profiled:
            continue
        taken = {c for fk in table.foreign_keys for c in fk.columns}
        own_key = table.primary_key[0] if len(table.primary_key) == 1 else None
        for column in table.columns:
            if column.name in taken or column.type not in _KEY_TYPES or not column.readable or column.personal:
                continue
            found += _of_column(table, column, own_key == column.name, targets, people, by_column)
    return found


def _target_columns(table: RawTable) -> list[str]:
    """Return the columns of a table that another may point at: unique alone, and named like a key or a code."""
    columns = []
    if len(table.primary_key) == 1:
        columns.append(table.primary_key[0])
    for column in table.columns:
        if column.name not in columns and column.type in _KEY_TYPES and not column.personal and table.is_unique(column.name):
            columns.append(column.name)
    return columns


def _of_column(
    table: RawTable,
    column: RawColumn,
    is_own_key: bool,
    targets: list[tuple[RawTable, frozenset[str], list[str]]],
    people: list[tuple[RawTable, frozenset[str], list[str]]],
    by_column: dict[str, list[tuple[RawTable, str]]],
) -> Iterable[Candidate]:
    words, is_id, coded = key_words(column.name)
    wanted = frozenset(words)
    own = table_words(table.name)
    found: dict[tuple[str, str], Candidate] = {}

    def propose(target: RawTable, target_column: str, strength: int) -> None:
        if target is table and (target_column == column.name or not wanted & _SELF):
            return
        if not _comparable(column, target.column(target_column)):
            return
        key = (target.key, target_column)
        if key not in found or found[key].strength < strength:
            found[key] = Candidate(table, column, target, target_column, strength)

    if is_own_key and (not wanted or wanted == own):
        return []
    if not is_id and not coded and read_name(column.name).has(*_MEASURES):
        return []
    if wanted:
        for target, target_words, columns in targets:
            if not columns or not target_words:
                continue
            same, part = target_words == wanted, target_words < wanted
            if not (same or part) or (is_own_key and target_words >= own):
                continue
            if part and not (is_id or coded):
                continue
            for target_column in columns[:4]:
                _, target_is_id, target_coded = key_words(target_column)
                kind_fits = (is_id and target_is_id) or (coded and (target_coded or is_code_name(target_column)))
                named = (is_id and target.primary_key == (target_column,)) or kind_fits
                strength = (3 if same else 2) if named else 1
                if strength > 1 or column.type == "text" or is_id or coded or target_column in target.primary_key:
                    propose(target, target_column, strength)
        if (is_id and wanted & _ROLES) or (wanted & _ROLES and column.type == "integer"):
            for target, _, columns in people:
                for target_column in columns[:1]:
                    propose(target, target_column, 1)
        if wanted & _SELF and len(table.primary_key) == 1:
            propose(table, table.primary_key[0], 2 if is_id else 1)
    if not (is_id or coded) and wanted and _says_what(column):
        for target, target_column in by_column.get(fold(column.name), []):
            if target is not table and target.primary_key == (target_column,) and not is_own_key:
                propose(target, target_column, 2)
    if (is_id and wanted) or coded or is_code_name(column.name):
        for target, target_column in by_column.get(fold(column.name), []):
            if target is not table and not (is_own_key and own <= table_words(target.name)):
                propose(target, target_column, 3 if wanted & table_words(target.name) else 2)
    return list(found.values())[:8]


def _comparable(one: RawColumn, other: RawColumn) -> bool:
    numbers = {"integer", "decimal"}
    return one.type == other.type or {one.type, other.type} <= numbers


def _included(source: Source, batch: list[Candidate]) -> list[float | None]:
    """Return for each candidate the share of its values (sampled) found in the target; None: nothing to compare."""
    try:
        rows = source.introspect_rows(" UNION ALL ".join(_inclusion_sql(source, i, c) for i, c in enumerate(batch)))
    except SourceProblem:
        if len(batch) == 1:
            return [0.0]
        return [_included(source, [candidate])[0] for candidate in batch]
    shares: list[float | None] = [None] * len(batch)
    for position, total, found in rows:
        if total:
            shares[int(position)] = int(found) / int(total)
    return shares


def _inclusion_sql(source: Source, position: int, candidate: Candidate) -> str:
    dialect = source.dialect
    column, key = quote(dialect, candidate.column.name), quote(dialect, candidate.target_column)
    here, there = qualified(dialect, candidate.table), qualified(dialect, candidate.target)
    filled = f"SELECT {column} FROM {here} WHERE {column} IS NOT NULL LIMIT {_SAMPLE * 20}"  # noqa: S608
    sample = f"SELECT DISTINCT {column} AS v FROM ({filled}) r LIMIT {_SAMPLE}"  # noqa: S608
    return f"SELECT {position}, COUNT(*), COUNT(t.{key}) FROM ({sample}) s LEFT JOIN {there} t ON t.{key} = s.v"  # noqa: S608
