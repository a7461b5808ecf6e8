"""The guide's examples are layers, and together they show every key there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from datapilot_kernel.semantic import check_layer, load_layer, model

GUIDE = Path(__file__).parents[3] / "docs" / "fr" / "couche-semantique.md"
EXAMPLES = re.findall(r"<!-- exemple -->\n```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_example_is_a_layer_without_findings() -> None:
    assert len(EXAMPLES) == 5
    for example in EXAMPLES:
        load_layer(example)
        assert check_layer(example) == []


def _keys(data: Any) -> set[str]:
    if isinstance(data, dict):
        return set(data).union(*(_keys(v) for v in data.values()))
    return set().union(*(_keys(v) for v in data)) if isinstance(data, list) else set()


def test_every_key_is_shown_and_explained() -> None:
    shown = set().union(*(_keys(yaml.safe_load(e)) for e in EXAMPLES))
    text = GUIDE.read_text(encoding="utf-8")
    for part in (model.Layer, model.Calendar, model.Entity, model.Dimension, model.Measure, model.Format, model.Join):
        for key in part.model_fields:
            assert key in shown, f"{part.__name__}.{key} has no example"
            assert f"`{key}`" in text or f"{key}:" in text
