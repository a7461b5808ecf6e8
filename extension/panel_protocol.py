"""Writes ``src/protocol.ts``: the panel's types, from the API's pydantic models and this half's own (one source for both).

``python extension/panel_protocol.py`` writes the file, ``--check`` only compares; a test runs the latter. The types are what
JSON Schema says of each model, as it is sent (an answer) or as it may come in (a request).

Rejected: a generator from npm over OpenAPI (a dependency of a hundred packages for two hundred lines), types written by hand
(they drift), zod at run time (the server half has checked already, and the bundle would carry it).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

HERE = Path(__file__).resolve().parent
TARGET = HERE / "src" / "protocol.ts"

_HEAD = """\
// Made by extension/panel_protocol.py from the API's models and datapilot_lab/wire.py. Do not edit: run the script.

"""

Mode = Literal["validation", "serialization"]


def models() -> list[tuple[type[BaseModel], Mode]]:
    """Return what the panel sends and gets."""
    from datapilot_lab import wire, wire_data

    from hub_config.api import ai, auth, conversations, dashboards, data_sources, queries, workspaces

    sent: list[type[BaseModel]] = [
        ai.QueryIn, queries.FeedbackIn, conversations.Renamed, data_sources.FileDecision, data_sources.FilesSourceIn,
        data_sources.FilesIn, dashboards.RequestIn, wire.AskIn, wire.Place, wire.EditIn, wire.ChartIn,
    ]  # fmt: skip
    got: list[type[BaseModel]] = [
        ai.AnswerOut, ai.ClarificationOut, ai.RefusalOut, ai.FailureOut, queries.QueryPage, queries.QueryDetail,
        queries.Cancelling, queries.FeedbackOut, queries.ResultPage, conversations.ConversationPage,
        conversations.ConversationDetail, data_sources.SourcesOut, data_sources.CreatedOut, data_sources.JobOut,
        data_sources.UploadOut, dashboards.RequestOut, dashboards.RequestsOut, dashboards.PublishablesOut,
        workspaces.WorkspacesOut, auth.MeOut, wire.Status, wire.About,
        wire.AnswerShown, wire.Rows, wire.Editor, wire.EditOut, wire.ChartOut, wire_data.Browsed, wire_data.Understood,
    ]  # fmt: skip
    return [(m, "validation") for m in sent] + [(m, "serialization") for m in got]


def generated() -> str:
    """Return the whole file."""
    _, schema = models_json_schema(models(), ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = schema["$defs"]
    names = {name: _name(name) for name in definitions}
    if len(set(names.values())) != len(names):
        raise AssertionError(f"two models have one name: {sorted(names.values())}")
    parts = [_declaration(names[name], definitions[name], names) for name in sorted(definitions, key=lambda n: names[n])]
    return _HEAD + "\n".join(parts) + _TAIL


_TAIL = """
/** An answer as this half gives it: the API's, with its values written out. */
export type Answer = AnswerOut & AnswerShown;

/** What comes back for a question: always exactly one of four. */
export type Outcome = Answer | ClarificationOut | RefusalOut | FailureOut;
"""


def _name(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_").replace("hub_config_api_", "").replace("datapilot_kernel_", "")


def _declaration(name: str, schema: dict[str, Any], names: dict[str, str]) -> str:
    said = _comment(schema.get("description"), "")
    if schema.get("type") == "object" and "properties" in schema:
        required = set(schema.get("required", ()))
        lines = [f"{said}export interface {name} {{"]
        for key, value in schema["properties"].items():
            mark = "" if key in required else "?"
            lines.append(f"{_comment(value.get('description'), '  ')}  {_key(key)}{mark}: {_type(value, names)};")
        return "\n".join([*lines, "}\n"])
    return f"{said}export type {name} = {_type(schema, names)};\n"


def _comment(text: str | None, indent: str) -> str:
    if not text:
        return ""
    first = " ".join(text.split("\n\n")[0].split()).replace("``", "`").replace("*/", "* /")
    return f"{indent}/** {first} */\n"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_]\w*", key) else f"'{key}'"


def _type(schema: dict[str, Any] | bool, names: dict[str, str]) -> str:
    if isinstance(schema, bool) or not schema:
        return "unknown"
    if "$ref" in schema:
        return names[schema["$ref"].rpartition("/")[2]]
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " | ".join(_literal(value) for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(_type(one, names) for one in schema[key]))
    if "allOf" in schema:
        return " & ".join(_type(one, names) for one in schema["allOf"])
    match schema.get("type"):
        case "string":
            return "string"
        case "integer" | "number":
            return "number"
        case "boolean":
            return "boolean"
        case "null":
            return "null"
        case "array":
            if "prefixItems" in schema:
                return f"[{', '.join(_type(one, names) for one in schema['prefixItems'])}]"
            inner = _type(schema.get("items", {}), names)
            return f"({inner})[]" if " " in inner else f"{inner}[]"
        case "object":
            return f"Record<string, {_type(schema.get('additionalProperties', {}), names)}>"
    return "unknown"


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    return f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def main(arguments: list[str]) -> int:
    """Write the file, or with ``--check`` say whether it is up to date."""
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    made = generated()
    if "--check" in arguments:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != made:
            sys.stderr.write("extension/src/protocol.ts is out of date: python extension/panel_protocol.py\n")
            return 1
        return 0
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
