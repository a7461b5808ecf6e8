"""``datapilot semantic draft|check|schema``: the layer's draft on standard output, its errors each with its line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.cli.common import add_source, note, print_json
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.catalog.model import Catalog
    from datapilot_kernel.semantic.model import Layer


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "semantic", help=text("semantic.help_semantic"), description=text("semantic.help_semantic")
    )
    actions = parser.add_subparsers(dest="action", required=True)
    draft = actions.add_parser("draft", help=text("semantic.help_draft"), description=text("semantic.help_draft"))
    add_source(draft)
    draft.add_argument("--glossary", metavar="FILE", help=text("semantic.help_glossary"))
    draft.add_argument("--engine", choices=("local", "claude"), default="local", help=text("semantic.help_engine"))
    check = actions.add_parser("check", help=text("semantic.help_check"), description=text("semantic.help_check"))
    check.add_argument("file", metavar="FILE", help=text("semantic.help_file"))
    add_source(check)
    schema = actions.add_parser("schema", help=text("semantic.help_schema"), description=text("semantic.help_schema"))
    for action in (draft, check, schema):
        action.add_argument("--json", action="store_true", help=text("cli.help_json"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; return the exit code (1: the check found errors)."""
    match args.action:
        case "draft":
            return _draft(args)
        case "check":
            return _check(args)
        case _:
            from datapilot_kernel.semantic.schema import schema_text

            sys.stdout.write(schema_text())
            return 0


def _catalog(location: str, layer: Layer | None = None) -> tuple[Catalog, str]:
    """Return the catalog and the source's name; the keys that the layer's joins claim are counted."""
    from datapilot_kernel.catalog import introspect
    from datapilot_kernel.semantic.proofs import with_proved_keys
    from datapilot_kernel.sources import open_source

    source = open_source(location)
    try:
        catalog = introspect(source)
        for remark in catalog.notes:
            note(remark)
        if layer is not None:
            catalog = with_proved_keys(source, catalog, layer)
        return catalog, source.name
    finally:
        source.close()


def _draft(args: argparse.Namespace) -> int:
    from datapilot_kernel.semantic import draft_layer, dump_layer
    from datapilot_kernel.semantic.glossary import apply_glossary, read_glossary

    if args.engine == "claude":
        raise BadInput("semantic.claude_not_here")
    glossary = read_glossary(Path(args.glossary)) if args.glossary else {}
    catalog, name = _catalog(args.source)
    layer = apply_glossary(draft_layer(catalog, name=name), glossary)
    if args.json:
        print_json(layer.model_dump(mode="json", exclude_defaults=False))
    else:
        sys.stdout.write(dump_layer(layer))
    measures = sum(len(e.measures) for e in layer.entities.values())
    note(text("semantic.check_source", name=name, entities=len(layer.entities), measures=measures, joins=len(layer.joins)))
    return 0


def _check(args: argparse.Namespace) -> int:
    from datapilot_kernel.semantic import check_layer, parse_layer
    from datapilot_kernel.semantic.loading import read_layer_text

    content = read_layer_text(Path(args.file))
    layer, _ = parse_layer(content)
    catalog, _ = _catalog(args.source, layer)
    findings = check_layer(content, catalog)
    if args.json:
        json.dump(
            {"ok": not any(f.severity == "error" for f in findings), "findings": [f.to_json() for f in findings]},
            sys.stdout,
            ensure_ascii=False,
        )
        sys.stdout.write("\n")
    else:
        for finding in findings:
            print(f"{args.file}:{finding.line}:{finding.column}: {text(f'semantic.{finding.severity}')} : {finding.message}")
    note(text("semantic.summary", count=len(findings)) if findings else text("semantic.check_clean"))
    return 1 if any(f.severity == "error" for f in findings) else 0
