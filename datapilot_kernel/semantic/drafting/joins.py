"""Foreign keys to joins, with what tells apart two ways to the same table."""

from __future__ import annotations

from datapilot_kernel.catalog.lexicon import fold
from datapilot_kernel.catalog.model import ForeignKey
from datapilot_kernel.catalog.names import Reading, read_name
from datapilot_kernel.semantic.drafting.comments import label_in
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft, distinct, safe_name
from datapilot_kernel.semantic.model import Join

_ROLES = {
    "facture": ("facturé", "facturée"), "facturation": ("facturé", "facturée"), "livraison": ("livré", "livrée"),
    "expédition": ("livré", "livrée"),
    "commande": ("commandé", "commandée"), "paiement": ("payeur", "payeuse"), "départ": ("de départ", "de départ"),
    "origine": ("d’origine", "d’origine"),
    "source": ("d’origine", "d’origine"), "arrivée": ("d’arrivée", "d’arrivée"), "destination": ("de destination",
    "de destination"),
    "parent": ("parent", "parente"), "retrait": ("de retrait", "de retrait"),
}  # fmt: skip
_NEUTRAL = {"code", "numéro", "référence", "identifiant", "matricule"}


def draft_joins(draft: Draft) -> None:
    """Add a join for every foreign key whose two ends are in the draft."""
    for table in draft.tables.values():
        by_target: dict[str, list[ForeignKey]] = {}
        for fk in table.table.foreign_keys:
            if fk.ref_table in draft.tables and _leads_to_one(draft.tables[fk.ref_table], fk):
                by_target.setdefault(fk.ref_table, []).append(fk)
        for target_key, keys in by_target.items():
            _add(draft, table, draft.tables[target_key], keys)


def _leads_to_one(target: TableDraft, fk: ForeignKey) -> bool:
    """A join needs a unique side: a declared key guarantees it, an inferred one was proved by counting."""
    columns = set(fk.ref_columns)
    return (
        columns == set(target.table.primary_key)
        or any(columns == set(k) for k in target.table.unique_keys)
        or not fk.inferred
    )


def _add(draft: Draft, table: TableDraft, target: TableDraft, keys: list[ForeignKey]) -> None:
    plain = [fk for fk in keys if _plain(table, fk, target)]
    preferred = plain[0] if len(keys) > 1 and len(plain) == 1 else None
    labels: set[str] = set()
    for fk in keys:
        label = _label(table, target, fk, alone=len(keys) == 1, preferred=fk is preferred)
        if label is not None and fold(label) in labels:
            label = f"{label} ({', '.join(fk.columns)})"
        if label is not None:
            labels.add(fold(label))
        synonyms = _synonyms(table, target, fk, label)
        base = f"{table.name}_{target.name}" if len(keys) == 1 or fk is preferred else f"{table.name}_{'_'.join(fk.columns)}"
        draft.joins[safe_name(base, dict.fromkeys(draft.joins), "j")] = Join(
            from_entity=table.name,
            from_columns=fk.columns,
            to_entity=target.name,
            to_columns=fk.ref_columns,
            cardinality="one_to_one" if fk.columns == table.table.primary_key and table is not target else "many_to_one",
            label=label,
            synonyms=tuple(synonyms),
            preferred=fk is preferred,
            inferred=fk.inferred,
        )


def _read(table: TableDraft, column: str) -> Reading:
    return table.column_readings.get(column) or read_name(column)


def _plain(table: TableDraft, fk: ForeignKey, target: TableDraft) -> bool:
    """Tell whether a column names its target and nothing more: ``id_magasin``, not ``id_magasin_retrait``."""
    if len(fk.columns) != 1:
        return False
    reading = _read(table, fk.columns[0])
    said = {c.french for c in (*reading.nouns, *reading.qualifiers)} - _NEUTRAL
    own = {c.french for c in target.reading.nouns}
    return reading.known and (said <= own if said else True)


def _label(table: TableDraft, target: TableDraft, fk: ForeignKey, *, alone: bool, preferred: bool) -> str | None:
    if len(fk.columns) != 1:
        return None
    column = fk.columns[0]
    if alone and fk.columns == fk.ref_columns and table is not target:
        return None  # the same name at both ends is the key's, not a role's
    reading = _read(table, column)
    said = label_in(table.table.column(column).comment)
    if said and (read_name(said).identifier or "identifiant" in fold(said) or len(said.split()) > 5 or "_" in said):
        said = None
    if said and fold(said) == fold(column).replace("_", " "):
        said = None
    if _plain(table, fk, target):
        # The way that is taken unless another is named is called by its table, which a label would only repeat.
        return None if alone else said or (None if preferred else target.label)
    concepts = [c.french for c in (*reading.nouns, *reading.qualifiers) if c.french not in _NEUTRAL]
    others = [c for c in concepts if c != target.concept]
    if target.concept in concepts and others:
        role = _ROLES.get(others[0])
        if role is not None:
            return f"{target.label} {role[1] if target.gender == 'f' else role[0]}"
        return said or _composed(target, reading.label)
    if said and not alone:
        return said
    if not concepts and alone and not reading.known and table is not target:
        return None
    label = reading.label
    return None if fold(label) == fold(target.label) else said or label


def _composed(target: TableDraft, label: str) -> str:
    return label if fold(label).startswith(fold(target.label)) else f"{target.label} ({label})"


def _synonyms(table: TableDraft, target: TableDraft, fk: ForeignKey, label: str | None) -> list[str]:
    if label is None or len(fk.columns) != 1:
        return []
    reading = _read(table, fk.columns[0])
    wished = [reading.label]
    if reading.head is not None and len(reading.nouns) == 1:
        wished += list(reading.head.synonyms)
    if reading.english and reading.english_label:
        wished.append(reading.english_label)
    return distinct(wished, label, target.label, target.plural)
