"""What a model may propose for a layer, as data: one kind of item for each kind of part, and the tools that take them.

On the wire a call of ``propose`` holds one list per kind, every key of every item required (an empty text or list is
« nothing »), so the service can be asked to hold it to its schema. Here each item is validated on its own: one that is
wrong costs the others nothing. :mod:`.layer_apply` puts an item into a layer; nothing here knows a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from datapilot_kernel.semantic.model import Additivity, DimensionType, FormatKind, Name, Ref

MOST_ITEMS = 150
"""Of one call; more are left out, and said."""
MOST_QUESTIONS = 20


def _nothing(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _clean(value: Any) -> Any:
    """Drop blank phrases and repetitions; people's words, so the order is kept."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return tuple(dict.fromkeys(" ".join(one.split()) for one in value if one.strip()))
    return value


Phrase = Annotated[str, Field(min_length=1, max_length=120)]
Phrases = Annotated[tuple[Phrase, ...], Field(max_length=40), BeforeValidator(_clean)]
MaybePhrase = Annotated[Annotated[str, Field(max_length=120)] | None, BeforeValidator(_nothing)]
MaybeText = Annotated[Annotated[str, Field(max_length=400)] | None, BeforeValidator(_nothing)]
MaybeSql = Annotated[Annotated[str, Field(max_length=2_000)] | None, BeforeValidator(_nothing)]
MaybeName = Annotated[Name | None, BeforeValidator(_nothing)]
MaybeRef = Annotated[Ref | None, BeforeValidator(_nothing)]
Why = Annotated[str, Field(max_length=400)]


class _Item(BaseModel):
    """``why``: the words of the glossary that it comes from, for the person who decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: Why = ""


class Words(_Item):
    """What people call an entity (``entity``), a dimension or a measure (``entity.name``). None: it stays as it is."""

    kind: Literal["words"] = "words"
    ref: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")]
    label: MaybePhrase = None
    plural: MaybePhrase = None
    synonyms: Phrases = ()
    description: MaybeText = None


class NewMeasure(_Item):
    """A measure, new or in the place of the one of that name."""

    kind: Literal["measure"] = "measure"
    entity: Name
    name: Name
    expression: MaybeSql = None
    formula: MaybeSql = None
    filter: MaybeSql = None
    label: Phrase
    plural: MaybePhrase = None
    synonyms: Phrases = ()
    description: MaybeText = None
    format: FormatKind = "decimal"
    additivity: Additivity = "additive"
    unfiltered: bool = False
    time: MaybeName = None
    lower_is_better: bool = False


class NewDimension(_Item):
    """A dimension, new or in the place of the one of that name."""

    kind: Literal["dimension"] = "dimension"
    entity: Name
    name: Name
    column: MaybePhrase = None
    expression: MaybeSql = None
    type: DimensionType = "text"
    label: Phrase
    plural: MaybePhrase = None
    synonyms: Phrases = ()


class ValueNames(_Item):
    """What people call a stored value, the label first."""

    kind: Literal["value"] = "value"
    ref: Ref
    stored: Annotated[str, Field(min_length=1, max_length=200)]
    names: Annotated[Phrases, Field(min_length=1)]


class DefaultFilter(_Item):
    """A condition on the rows of an entity that always holds, unless a question asks for what it leaves out."""

    kind: Literal["default_filter"] = "default_filter"
    entity: Name
    condition: Annotated[str, Field(min_length=1, max_length=2_000)]


class Naming(_Item):
    """The dimension that dates the rows of an entity, and the one that names a row."""

    kind: Literal["naming"] = "naming"
    entity: Name
    time: MaybeName = None
    name_dimension: MaybeName = None


class NewJoin(_Item):
    """A join from the many side to the one side; in the place of the one over the same columns, if there is one."""

    kind: Literal["join"] = "join"
    from_entity: Name
    from_columns: Annotated[Phrases, Field(min_length=1)]
    to_entity: Name
    to_columns: Annotated[Phrases, Field(min_length=1)]
    label: MaybePhrase = None
    synonyms: Phrases = ()
    preferred: bool = False


class NewCalendar(_Item):
    """How the company counts time."""

    kind: Literal["calendar"] = "calendar"
    fiscal_year_start: Annotated[int, Field(ge=1, le=12)] = 1
    fiscal_year_named_by: Literal["start", "end"] = "end"
    week_start: Literal["monday", "sunday"] = "monday"
    worked_saturday: bool = False


class FirstQuestion(_Item):
    """A question to suggest to whoever opens the source for the first time."""

    kind: Literal["question"] = "question"
    text: Annotated[str, Field(min_length=5, max_length=200)]


Proposal = Annotated[
    Words | NewMeasure | NewDimension | ValueNames | DefaultFilter | Naming | NewJoin | NewCalendar | FirstQuestion,
    Field(discriminator="kind"),
]

LISTS: Final[dict[str, type[_Item]]] = {
    "calendar": NewCalendar, "joins": NewJoin, "dimensions": NewDimension, "naming": Naming, "values": ValueNames,
    "default_filters": DefaultFilter, "measures": NewMeasure, "words": Words,
}  # fmt: skip
"""The lists of ``propose``, in the order in which their items are put into a layer: what others stand on first."""

PROPOSE = "propose"
QUESTIONS = "first_questions"


@dataclass(frozen=True)
class Wrong:
    """An item that is none. ``place`` as the model wrote it (``measures[2]``), ``said`` for the model."""

    place: str
    said: str
    given: Any


def place_of(proposal: Proposal) -> str:
    """Return what a proposal is about, in a few characters: ``ventes.ca``, ``ventes.statut=ANN``."""
    match proposal:
        case Words(ref=ref):
            return ref
        case NewMeasure(entity=entity, name=name) | NewDimension(entity=entity, name=name):
            return f"{entity}.{name}"
        case ValueNames(ref=ref, stored=stored):
            return f"{ref}={stored}"
        case DefaultFilter(entity=entity) | Naming(entity=entity):
            return entity
        case NewJoin(from_entity=one, to_entity=other):
            return f"{one}->{other}"
        case NewCalendar():
            return "calendar"
        case FirstQuestion(text=asked):
            return asked


def read_items(arguments: dict[str, Any] | None) -> tuple[list[tuple[str, Proposal]], list[Wrong]]:
    """Return the items of a ``propose`` call with their places, and those that are none."""
    if arguments is None:
        return [], [Wrong("arguments", "they were no JSON object (were they cut off? propose fewer items)", None)]
    wrong = [Wrong(name, "there is no such list", None) for name in arguments if name not in LISTS]
    found: list[tuple[str, Proposal]] = []
    for name, kind in LISTS.items():
        given = arguments.get(name, [])
        if not isinstance(given, list):
            wrong.append(Wrong(name, "a list is needed", None))
            continue
        for place, item in ((f"{name}[{i}]", item) for i, item in enumerate(given)):
            if len(found) >= MOST_ITEMS:
                wrong.append(Wrong(place, f"too many: {MOST_ITEMS} items at most", item))
                continue
            _read(place, kind, item, found, wrong)
    # A formula stands on measures: they go in before it.
    found.sort(key=lambda one: isinstance(one[1], NewMeasure) and one[1].formula is not None)
    return found, wrong


def read_questions(arguments: dict[str, Any] | None) -> tuple[list[tuple[str, Proposal]], list[Wrong]]:
    """Return the questions of a ``first_questions`` call."""
    given = arguments.get("questions") if arguments is not None else None
    if not isinstance(given, list):
        return [], [Wrong("arguments", "a list « questions » of texts is needed", None)]
    found: list[tuple[str, Proposal]] = []
    wrong: list[Wrong] = []
    for i, item in enumerate(given[: MOST_QUESTIONS * 2]):
        _read(f"questions[{i}]", FirstQuestion, {"text": item}, found, wrong)
    return found, wrong


def _read(place: str, kind: type[_Item], item: Any, found: list[tuple[str, Proposal]], wrong: list[Wrong]) -> None:
    try:
        read = kind.model_validate(item)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)[:3]
        said = "; ".join(f"{'.'.join(str(p) for p in one['loc'])}: {one['msg']}" for one in problems)
        wrong.append(Wrong(place, said, item))
        return
    found.append((place, read))  # type: ignore[arg-type]  # every kind of LISTS is one of the union


# ── the tools ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _text(description: str = "") -> dict[str, Any]:
    return {"type": "string", **({"description": description} if description else {})}


def _texts(description: str = "") -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, **({"description": description} if description else {})}


def _one_of(kind: Any) -> dict[str, Any]:
    return {"type": "string", "enum": list(get_args(kind))}


@cache
def propose_tool() -> dict[str, Any]:
    """Return the tool that takes items, always the same text: it opens the prompt cache."""
    why = _text("The words of the glossary it comes from, briefly; empty: from the schema alone")
    yes = {"type": "boolean"}
    items = {
        "words": _object(
            ref=_text("entity, entity.dimension or entity.measure"), label=_text("empty: unchanged"), plural=_text(),
            synonyms=_texts("added to those there are"), description=_text(), why=why,
        ),
        "measures": _object(
            entity=_text(), name=_text("an existing name replaces that measure"),
            expression=_text("aggregate SQL over the entity's own columns; empty for a formula"),
            formula=_text("arithmetic over {measure} or {entity.measure}; empty for an expression"),
            filter=_text("SQL condition; empty: none"), label=_text(), plural=_text(), synonyms=_texts(),
            description=_text("one sentence: what it counts and what it leaves out"), format=_one_of(FormatKind),
            additivity=_one_of(Additivity),
            unfiltered={**yes, "description": "looks at rows that the default filters leave out too"},
            time=_text("the time dimension that dates it; empty: the entity's"), lower_is_better=yes, why=why,
        ),
        "dimensions": _object(
            entity=_text(), name=_text(), column=_text("or empty"), expression=_text("or empty"),
            type=_one_of(DimensionType), label=_text(), plural=_text(), synonyms=_texts(), why=why,
        ),
        "values": _object(
            ref=_text("entity.dimension"), stored=_text("as stored"), names=_texts("the label first"), why=why,
        ),
        "default_filters": _object(entity=_text(), condition=_text("SQL"), why=why),
        "naming": _object(
            entity=_text(), time=_text("the date that dates its rows; empty: unchanged"),
            name_dimension=_text("the dimension that names a row; empty: unchanged"), why=why,
        ),
        "joins": _object(
            from_entity=_text("the many side"), from_columns=_texts(), to_entity=_text("the one side"), to_columns=_texts(),
            label=_text("which of several ways it is; empty"), synonyms=_texts(), preferred=yes, why=why,
        ),
        "calendar": _object(
            fiscal_year_start={"type": "integer", "description": "month, 1 to 12"},
            fiscal_year_named_by={"type": "string", "enum": ["start", "end"]},
            week_start={"type": "string", "enum": ["monday", "sunday"]}, worked_saturday=yes, why=why,
        ),
    }  # fmt: skip
    lists = {name: {"type": "array", "items": items[name]} for name in LISTS}
    return {
        "name": PROPOSE,
        "description": (
            "Propose parts of the semantic layer; empty lists for what there is nothing to say of. A person accepts each."
        ),
        "strict": True,
        "input_schema": _object(**lists),
    }


@cache
def questions_tool() -> dict[str, Any]:
    """Return the tool that takes first questions."""
    return {
        "name": QUESTIONS,
        "description": f"Propose {MOST_QUESTIONS} first questions that the layer as it is now can answer.",
        "strict": True,
        "input_schema": _object(questions=_texts()),
    }
