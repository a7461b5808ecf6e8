"""The published JSON Schema of the layer's format: derived from the model, kept beside it as ``schema.json``.

An editor that is given the file completes and checks a layer while it is written. A test holds file and model together;
``python -m datapilot_kernel.semantic.schema`` writes the file again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datapilot_kernel.semantic.model import Layer

SCHEMA_FILE = Path(__file__).with_name("schema.json")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a layer, version 1."""
    schema = Layer.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:datapilot:semantic-layer:1",
        **schema,
        "title": "DataPilot, couche sémantique, version 1",
    }


def schema_text() -> str:
    """Return the schema as the published file holds it."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2, sort_keys=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
