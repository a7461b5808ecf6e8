"""``GROUP BY`` of a table's key in PostgreSQL.

On a bare table ``SELECT c.id, c.nom, count(*) … GROUP BY c.id`` is right: the primary key determines the row. The
guard puts a subquery in the table's place, and a subquery has no key, so the columns that the key determines are
named in GROUP BY:

before: ``SELECT c.id, c.nom, count(*) FROM clients c JOIN … GROUP BY c.id``
after:  ``SELECT c.id, c.nom, count(*) FROM (…) AS c JOIN … GROUP BY c.id, c.nom``

Groups stay the same as long as the key is one (``TablePolicy.primary_key``; not given: the column ``id``).
"""

from __future__ import annotations

from sqlglot import exp

from datapilot_kernel.guard.dialects import DialectRules
from datapilot_kernel.guard.scope import Resolution, Source


def complete_group_by(found: Resolution, rules: DialectRules) -> None:
    """Add to each GROUP BY the columns that a grouped key determines, in place."""
    for select, scope in found.selects:
        group = select.args.get("group")
        if (
            group is None
            or not group.expressions
            or any(group.args.get(k) for k in ("grouping_sets", "rollup", "cube", "all"))
        ):
            continue
        grouped = _grouped(select, group, found)
        for source in scope.sources:
            table = source.table
            if table is None or not table.key or not source.name:
                continue
            own = {name for owner, name in grouped if owner is source}
            if not set(table.key) <= own:
                continue
            for name in _needed(select, source, found):
                if name not in own:
                    own.add(name)
                    identifier = exp.Identifier(this=name, quoted=True)
                    group.append(
                        "expressions", exp.Column(this=identifier, table=exp.Identifier(this=source.name, quoted=True))
                    )


def _grouped(select: exp.Select, group: exp.Group, found: Resolution) -> list[tuple[Source | None, str]]:
    columns = []
    for item in group.expressions:
        node = item
        if isinstance(item, exp.Literal) and not item.is_string and str(item.this).isdigit():
            at = int(str(item.this)) - 1
            if 0 <= at < len(select.expressions):
                node = select.expressions[at]
                node = node.this if isinstance(node, exp.Alias) else node
        origin = found.column_origins.get(id(node))
        if origin is not None:
            columns.append((origin[0], _column_name(node)))
    return columns


def _needed(select: exp.Select, source: Source, found: Resolution) -> list[str]:
    names = []
    parts = [*select.expressions, select.args.get("having"), select.args.get("order"), select.args.get("qualify")]
    for part in parts:
        if part is None:
            continue
        for column in part.find_all(exp.Column):
            origin = found.column_origins.get(id(column))
            if origin is not None and origin[0] is source:
                names.append(_column_name(column))
            elif (
                isinstance(column.this, exp.Star)
                and column.args.get("table") is not None
                and column.args["table"].name == source.name
            ):
                names.extend(source.columns or ())
    return names


def _column_name(node: exp.Expr) -> str:
    identifier = node.this
    name = str(identifier.this)
    return name if identifier.args.get("quoted") else name.lower()
