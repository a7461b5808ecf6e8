"""Default filters and what a question says against them; taxes; rows that belong to nothing."""

from __future__ import annotations

import re

from datapilot_kernel.nl2sql.local.conditions import ConditionBuilder
from datapilot_kernel.nl2sql.local.signals import NotSure
from datapilot_kernel.plan.model import (
    Filter,
)  # fmt: skip

_DUE = {"echeanc", "due", "deadlin", "limit"}
_LATE = {"impay", "retard", "echu", "overdu", "unpaid", "late", "souffranc", "non"}
_DEFAULT_TOP = 10


class DefaultsBuilder(ConditionBuilder):
    """Decides which defaults hold."""

    def _leave_defaults(self, roots: frozenset[str]) -> None:
        """When the question asks for what a default filter excludes, leave that filter out."""
        for made in (*self.filters_out, *(f for i in self.items for f in i.filters)):
            if made.op not in ("eq", "in"):
                continue
            entity = made.field.partition(".")[0]
            literals = {f"'{v}'" for v in made.values if isinstance(v, str)}
            for name in {entity, *roots}:
                model = self.layer.entities[name]
                if any(literal in sql for sql in model.default_filters for literal in literals):
                    self.ignored.add(name)

    def _include(self, roots: frozenset[str]) -> None:
        """« y compris les annulées »: leave out the default filters that exclude them."""
        for mention in self.draft.included:
            literals = {f"'{o.value}'" for o in mention.of("value") if isinstance(o.value, str)}
            entities = {o.entity for o in mention.of("value")} | roots
            touched = {
                e for e in entities if any(x in sql for sql in self.layer.entities[e].default_filters for x in literals)
            }
            if not touched:
                raise NotSure(mention.text)
            self.ignored |= touched

    def _leave_grouped(self, roots: frozenset[str]) -> None:
        """Grouped by the very column that a default filter looks at: every value is asked for, the excluded one too."""
        for item in self.dims:
            column = self.layer.dimension(item.field).column
            entity = item.field.partition(".")[0]
            model = self.layer.entities[entity]
            if column is None or not any(re.search(rf"\b{re.escape(column)}\b", sql) for sql in model.default_filters):
                continue
            literals = {literal for sql in model.default_filters for literal in re.findall(r"'[^']*'", sql)}
            for name in {entity, *roots}:
                if any(literal in sql for sql in self.layer.entities[name].default_filters for literal in literals):
                    self.ignored.add(name)
            self.note("defaults_left", label=self.layer.dimension(item.field).label)

    def _taxes(self) -> None:
        """« HT », « TTC » must be said by a measure or a column that the plan uses; otherwise the word has no place."""
        if self.draft.tax is None or self.tax_placed:
            return
        used = [self.layer.measure(i.measure) for i in self.items if i.measure] + [
            self.layer.dimension(f.field) for f in self.filters_out
        ]
        if not any(self._says_tax(u, self.draft.tax) for u in used):
            raise NotSure("HT" if self.draft.tax == "net_of_tax" else "TTC")

    def _known_only(self) -> None:
        """Ranked, folded or held to a condition, groups are things: rows that belong to none are left out."""
        if self.draft.rank is None and not self.having and self.draft.aggregate is None:
            return
        for item in self.dims:
            entity, _, name = item.field.partition(".")
            model = self.layer.entities[entity]
            roots = {r for i in self.items for r in self.item_roots(i)}
            if (
                item.grain is None
                and (entity not in roots or (self.draft.rank is not None and model.name_dimension != name))
                and (model.name_dimension in (None, name) or self.draft.rank is not None)
            ):
                if not any(f.field == item.field for f in self.filters_out):
                    self.filters_out.append(Filter(field=item.field, op="not_null", via=item.via))
                break

    def _narrow_related(self, subject: str | None) -> None:
        """« clients qui ont acheté des lampadaires en 2025 »: what was bought narrows the buying, not the client."""
        if not self.related or subject is None:
            return
        last = self.related[-1]
        for made in list(self.filters_out):
            entity = made.field.partition(".")[0]
            if self.k.distance(subject, entity) is None and self.k.distance(last.entity, entity) is not None:
                self.filters_out.remove(made)
                last = last.model_copy(update={"filters": (*last.filters, made)})
        self.related[-1] = last
