"""First questions to suggest: what this draft can answer, said the way people ask."""

from __future__ import annotations

from datapilot_kernel.catalog.lexicon import fold
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft
from datapilot_kernel.semantic.model import Measure

_MOST = 10
_LIKED = (
    "région",
    "ville",
    "pays",
    "catégorie",
    "canal",
    "type",
    "statut",
    "service",
    "famille",
    "segment",
    "secteur",
    "mode",
    "priorité",
    "équipe",
    "motif",
    "cause",
)


def draft_questions(draft: Draft) -> tuple[str, ...]:
    """Return 6 to 10 questions where the draft has enough to ask about, most telling first."""
    questions: list[str] = []
    facts = [t for t in draft.visible() if t.role == "fact"] or draft.visible()
    main = _main_measure(facts)
    if main is not None:
        table, measure = main
        questions += _about(draft, table, measure)
    for table in facts:
        count = table.measures.get("nombre")
        if count is None or (main is not None and table is main[0]) or table.concept.startswith("ligne"):
            continue
        group = _group(draft, table)
        if group:
            questions.append(f"{_upper(count.label)} par {group}")
        if table.time:
            questions.append(f"Évolution du {count.label} par mois")
    if main is not None and (count := main[0].measures.get("nombre")) is not None:
        questions.insert(
            min(3, len(questions)), f"Combien {_de(main[0].plural)} {'ce mois-ci' if main[0].time else 'au total'} ?"
        )
    for table in facts:
        for measure in table.measures.values():
            if measure.formula and measure.format.kind in {"percent", "currency"}:
                group = _group(draft, table)
                if group:
                    questions.append(f"{_upper(measure.label)} par {group}")
    for table in draft.visible():
        if len(questions) >= 6:
            break
        group = _group(draft, table)
        if group and "nombre" in table.measures:
            questions.append(f"{_upper(table.measures['nombre'].label)} par {group}")
        questions.append(f"Combien avons-nous {_de(table.plural)} ?")
    unique = list(dict.fromkeys(questions))
    return tuple(unique[:_MOST])


def _main_measure(facts: list[TableDraft]) -> tuple[TableDraft, Measure] | None:
    def adds_up(m: Measure) -> bool:
        return (
            m.expression is not None
            and m.expression.startswith("SUM")
            and "prévu" not in m.label
            and m.additivity == "additive"
        )

    for wanted in (lambda m: m.label == "chiffre d’affaires", lambda m: adds_up(m) and m.format.kind == "currency", adds_up):
        for table in facts:
            for measure in table.measures.values():
                if not measure.hidden and wanted(measure):
                    return table, measure
    return None


def _about(draft: Draft, table: TableDraft, measure: Measure) -> list[str]:
    label, found = measure.label, []
    the = _the(label)
    dated = table.time is not None or any(t.time for fk in table.table.foreign_keys if (t := draft.target(fk)))
    if dated:
        found.append(f"Quel est {the} cette année ?" if _masculine(label) else f"Quelle est {the} cette année ?")
        found.append(f"Évolution {_of_the(label)} par mois")
    group = _group(draft, table)
    if group:
        found.append(f"{_upper(label)} par {group}" + (" le mois dernier" if dated else ""))
    for fk in table.table.foreign_keys:
        target = draft.target(fk)
        if target is not None and not target.hidden and target.name_dimension:
            found.append(f"Top 10 des {target.plural} par {label}")
            break
    if dated:
        found.append(
            f"{_upper(label)} de cette année comparé à l’an dernier"
            if _masculine(label)
            else f"{_upper(label)} de cette année comparée à l’an dernier"
        )
    return found


def _group(draft: Draft, table: TableDraft) -> str | None:
    """Return the label of a dimension worth grouping by: of the table itself, or of what it points at."""
    best: tuple[int, str] | None = None
    near = [table, *(t for fk in table.table.foreign_keys if (t := draft.target(fk)) is not None and not t.hidden)]
    for distance, place in enumerate(near):
        for dimension in place.dimensions.values():
            if dimension.hidden or dimension.personal or dimension.type != "text":
                continue
            column = next((c for c in place.table.columns if c.name == dimension.column), None)
            if column is None or column.values is None or not 2 <= len(column.values) <= 60:
                continue
            liked = next((i for i, word in enumerate(_LIKED) if fold(dimension.label).startswith(fold(word))), len(_LIKED))
            score = liked * 10 + distance
            if best is None or score < best[0]:
                best = (score, dimension.label)
    if best is not None:
        return best[1]
    target = next((t for t in near[1:] if t.name_dimension), None)
    return target.label if target is not None else None


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _masculine(label: str) -> bool:
    from datapilot_kernel.catalog.names import read_name

    first = label.split(" ")[0]
    return first in {"chiffre", "montant", "nombre", "total", "taux", "coût", "prix"} or read_name(first).gender == "m"


def _vowel(label: str) -> bool:
    return fold(label)[:1] in "aeiouy" or fold(label).startswith(("heure", "honor", "horaire"))


def _plural_label(label: str) -> bool:
    return label.split(" ")[0] in {"frais", "heures", "jours", "ventes", "points"}


def _the(label: str) -> str:
    if _vowel(label):
        return f"l’{label}"
    return f"le {label}" if _masculine(label) else f"la {label}"


def _of_the(label: str) -> str:
    if _plural_label(label):
        return f"des {label}"
    if _vowel(label):
        return f"de l’{label}"
    return f"du {label}" if _masculine(label) else f"de la {label}"


def _de(word: str) -> str:
    from datapilot_kernel.semantic.drafting.context import of

    return of(word)
