"""``datapilot semantic draft|check|schema``: the layer's draft on standard output, its errors each with its line.

``draft --engine claude`` has a model propose on top of the automatic draft; standard output holds what was accepted of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.cli.common import add_source, note, parse_day, print_json
from datapilot_kernel.cli.model_options import add_model_options, configured_model
from datapilot_kernel.errors import BadInput, Refused
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.catalog.model import Catalog
    from datapilot_kernel.engine import Engine
    from datapilot_kernel.nl2sql.claude.layer_apply import Ground
    from datapilot_kernel.nl2sql.claude.layer_writer import Written
    from datapilot_kernel.nl2sql.claude.settings import ModelSettings
    from datapilot_kernel.nl2sql.claude.wire import Model
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
    draft.add_argument("--yes", action="store_true", help=text("semantic.help_yes"))
    draft.add_argument("--budget", type=float, metavar="EUR", help=text("semantic.help_budget"))
    draft.add_argument("--today", metavar="YYYY-MM-DD", help=text("cli.help_today"))
    add_model_options(draft)
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
        return _draft_by_claude(args)
    glossary = read_glossary(Path(args.glossary)) if args.glossary else {}
    catalog, name = _catalog(args.source)
    layer = apply_glossary(draft_layer(catalog, name=name), glossary)
    if args.json:
        print_json(layer.model_dump(mode="json", exclude_defaults=False))
    else:
        sys.stdout.write(dump_layer(layer))
    _summary(layer, name)
    return 0


def _summary(layer: Layer, name: str) -> None:
    measures = sum(len(e.measures) for e in layer.entities.values())
    note(text("semantic.check_source", name=name, entities=len(layer.entities), measures=measures, joins=len(layer.joins)))


def _draft_by_claude(args: argparse.Namespace) -> int:
    """The draft with what a model proposes and a person accepts; 1 when the model could not be asked to the end."""
    if not (args.yes or args.json or sys.stdin.isatty()):
        # Said before anything is paid for.
        raise BadInput("semantic.nobody_accepts")
    glossary = _glossary_text(args.glossary)
    with configured_model(args) as (settings, transport):
        if settings is None:
            raise Refused("engine.claude_not_configured")
        from datapilot_kernel.engine import Engine
        from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel
        from datapilot_kernel.semantic import draft_layer
        from datapilot_kernel.sources import open_source

        model = transport or ClaudeModel(settings)
        source = open_source(args.source)
        try:
            from datapilot_kernel.catalog import introspect

            catalog = introspect(source)
            draft = draft_layer(catalog, name=source.name)
            engine = Engine(source, catalog=catalog, layer=draft, fixed_today=parse_day(args.today))
            written, ground = _written(engine, settings, model, glossary, args.budget)
            return _decided(args, written, ground, source.name)
        finally:
            source.close()
            if transport is None:
                model.close()


def _written(
    engine: Engine, settings: ModelSettings, model: Model, glossary: str, budget_euros: float | None
) -> tuple[Written, Ground]:
    from datapilot_kernel.engine.layer_effects import layer_ground, layer_writer
    from datapilot_kernel.nl2sql.claude.cost import LimitBudget
    from datapilot_kernel.nl2sql.claude.paying import PaidModel

    def told(done: int, parts: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{parts}", end="\n" if done == parts else "", file=sys.stderr, flush=True)

    budget = LimitBudget(round(budget_euros * 1_000_000)) if budget_euros is not None else None
    ground = layer_ground(engine)
    writer = layer_writer(engine, PaidModel(model, settings, budget=budget), ground, told=told)
    return writer.write(engine.layer, glossary), ground


def _decided(args: argparse.Namespace, written: Written, ground: Ground, name: str) -> int:
    from datapilot_kernel.cli.layer_review import chosen, show_dropped
    from datapilot_kernel.nl2sql.claude.layer_writer import accept
    from datapilot_kernel.semantic import dump_layer

    taken = written.proposed if args.json else chosen(written, everything=args.yes)
    layer, fallen = accept(written.draft, taken, ground)
    dropped = [*written.dropped, *fallen]
    if args.json:
        print_json(
            {
                "proposals": [one.to_json(number) for number, one in enumerate(written.proposed, 1)],
                "dropped": [one.to_json() for one in dropped],
                "trouble": written.trouble,
                "model": written.use.to_json(),
                "layer": layer.model_dump(mode="json", exclude_defaults=False),
            }
        )
    else:
        sys.stdout.write(dump_layer(layer))
        show_dropped(dropped)
    if written.trouble:
        note(written.trouble)
    used = written.use
    note(
        text(
            "semantic.written",
            taken=len(taken),
            proposed=len(written.proposed),
            dropped=len(dropped),
            calls=used.calls,
            euros=f"{used.cost_microeuros / 1_000_000:.4f}",
        )
    )
    _summary(layer, name)
    return 1 if written.trouble else 0


def _glossary_text(path: str | None) -> str:
    from datapilot_kernel.errors import LayerProblem
    from datapilot_kernel.nl2sql.claude.layer_prompt import MAX_GLOSSARY_CHARACTERS

    if path is None:
        return ""
    try:
        content = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LayerProblem("semantic.glossary_missing", name=Path(path).name, log=type(error).__name__) from None
    if len(content) > MAX_GLOSSARY_CHARACTERS:
        raise LayerProblem("semantic.glossary_too_long", name=Path(path).name, limit=MAX_GLOSSARY_CHARACTERS)
    return content


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
