"""The four tools, and nothing else: give a plan, give SQL, ask back, refuse.

Their schemas are strict: no key but these. The service is asked to hold the small ones to their schema; it takes no more
than two dozen optional properties in all, so the plan (whose schema is the plan's own, made shorter) is held to it here
alone. What comes back is validated here in any case, and what does not validate is told to the model in a few lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datapilot_kernel.plan.model import Plan

ClaudeReason = Literal[
    "missing_data", "missing_measure", "missing_dimension", "missing_time", "value_not_found", "not_a_data_question",
    "forecast", "explanation", "write_request", "unsupported", "not_allowed",
]  # fmt: skip
"""Why the model may refuse: a part of the engine's closed set of reasons."""

MAX_SQL_CHARACTERS = 20_000


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GivePlan(_Arguments):
    """A plan over the semantic layer. ``note``: an assumption, in one sentence for the person; empty: none."""

    plan: Plan
    note: str = Field(default="", max_length=400)


class GiveSql(_Arguments):
    """One SELECT in the source's dialect."""

    sql: str = Field(min_length=1, max_length=MAX_SQL_CHARACTERS)
    note: str = Field(default="", max_length=400)


class Reading(_Arguments):
    """One reading of an ambiguous question."""

    label: str = Field(min_length=1, max_length=120)
    plan: Plan


class AskBack(_Arguments):
    """One precise question, with the readings it separates."""

    question: str = Field(min_length=1, max_length=400)
    readings: tuple[Reading, ...] = Field(min_length=2, max_length=4)


class Refuse(_Arguments):
    """What is missing, in the person's words, and a sentence for them."""

    reason: ClaudeReason
    missing: str = Field(default="", max_length=200)
    message: str = Field(min_length=1, max_length=600)


Given = GivePlan | GiveSql | AskBack | Refuse
_TYPES: dict[str, type[GivePlan] | type[GiveSql] | type[AskBack] | type[Refuse]] = {
    "give_plan": GivePlan, "give_sql": GiveSql, "ask_back": AskBack, "refuse": Refuse,
}  # fmt: skip
NAMES = tuple(_TYPES)


@dataclass(frozen=True)
class Invalid:
    """Arguments that do not validate. ``said`` tells the model what is wrong."""

    said: str


def validate(name: str, arguments: dict[str, Any] | None, restore: Callable[[Any], Any]) -> Given | Invalid:
    """Return what a tool call gives.

    Parameters
    ----------
    restore
        Puts value tokens back into JSON (not into SQL, whose quoting is the statement's).
    """
    if arguments is None:
        return Invalid("The arguments were not a JSON object (were they cut off?). Call the tool again, more briefly.")
    kind = _TYPES[name]
    try:
        return kind.model_validate(arguments if kind is GiveSql else restore(arguments))
    except ValidationError as error:
        return Invalid(_told(error))


def _told(error: ValidationError) -> str:
    lines = []
    for one in error.errors(include_url=False, include_context=False, include_input=False)[:6]:
        # The tags of a union stand in the place as « calendar »; they help as they are.
        place = ".".join(str(part) for part in one["loc"])
        lines.append(f"- {place or 'arguments'}: {one['msg']}")
    return "These arguments do not validate:\n" + "\n".join(lines) + "\nCorrect exactly this and call the tool again."


@cache
def _plan_schema() -> dict[str, Any]:
    """Return the plan's JSON Schema without what a model needs not: titles, defaults, lengths, nulls."""
    schema = Plan.model_json_schema()
    slim = _slim(schema)
    assert isinstance(slim, dict)
    slim["properties"].pop("version")
    for definition in slim["$defs"].values():
        definition["properties"].pop("typed", None)
        if "const" in definition["properties"].get("kind", {}):  # a period is told by its kind
            definition["required"] = ["kind", *definition.get("required", ())]
    return slim


_DROPPED = frozenset({"title", "default", "pattern", "maxLength", "discriminator", "minimum", "maximum", "format"})


def _slim(node: Any) -> Any:
    if isinstance(node, list):
        return [_slim(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            found[key] = {name: _slim(one) for name, one in value.items()}
        elif key == "$defs":
            found[key] = {name: _slim({k: v for k, v in one.items() if k != "description"}) for name, one in value.items()}
        elif key not in _DROPPED:
            found[key] = _slim(value)
    options = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    if "anyOf" in found and len(options) == 1:
        found.pop("anyOf")
        found = {**options[0], **found}
    elif "anyOf" in found:
        found["anyOf"] = list({repr(one): one for one in options}.values())
    return found


@cache
def definitions() -> tuple[dict[str, Any], ...]:
    """Return the four tools as the wire has them, always the same text: they are the first part of the prompt cache."""
    plan = _plan_schema()
    defs = plan["$defs"]
    bare = {key: value for key, value in plan.items() if key not in ("$defs", "description")}
    note = {
        "type": "string",
        "description": "What you had to assume, in one sentence in the person's language",
    }
    sql = {"type": "string", "description": "One SELECT (or WITH … SELECT), no comment"}
    return (
        {
            "name": "give_plan",
            "description": (
                "Answer with a plan over the semantic layer. Prefer it whenever the layer can express the question: it is "
                "compiled, checked and marked governed. See « Plans » in the rules."
            ),
            "input_schema": {
                "type": "object",
                "properties": {"plan": bare, "note": note},
                "required": ["plan"],
                "additionalProperties": False,
                "$defs": defs,
            },
        },
        {
            "name": "give_sql",
            "description": (
                "Answer with one SELECT in the source's dialect, only when no plan can express the question. It is marked "
                "exploratory."
            ),
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {"sql": sql, "note": note},
                "required": ["sql", "note"],
                "additionalProperties": False,
            },
        },
        {
            "name": "ask_back",
            "description": (
                "Ask the person one precise question when two to four readings are really equally likely and give different "
                "figures. Each reading is a plan that runs when it is clicked."
            ),
            "input_schema": {
                "type": "object",
                "properties": {
                    "question": {"type": "string"},
                    "readings": {
                        "type": "array",
                        "description": "2 to 4",
                        "items": {
                            "type": "object",
                            "properties": {
                                "label": {"type": "string", "description": "The reading in a few words, for a button"},
                                "plan": {"type": "object", "description": "A plan, exactly as give_plan takes it"},
                            },
                            "required": ["label", "plan"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["question", "readings"],
                "additionalProperties": False,
            },
        },
        {
            "name": "refuse",
            "description": (
                "Say that the question cannot be answered from this source, and what is missing. Never answer another "
                "question in its place."
            ),
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {
                    "reason": {"type": "string", "enum": list(get_args(ClaudeReason))},
                    "missing": {"type": "string", "description": "What is missing, in the person's words; may be empty"},
                    "message": {"type": "string", "description": "One or two sentences for the person"},
                },
                "required": ["reason", "missing", "message"],
                "additionalProperties": False,
            },
        },
    )  # fmt: skip
