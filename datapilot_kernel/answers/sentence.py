"""The sentence of an answer, made from the cells of its table.

The contract: no number that is not in the table. What may stand in a sentence is a cell as the formatter writes it (without
its sign where a word says « baisse »), the number of rows, a limit that was asked for, and the labels of periods. Nothing
is added up here. The words come from the catalogue ``answers``; French articles from :mod:`grammar`.

The remaining risk: a label that a tenant wrote in the plural of a word unknown to :mod:`grammar` gets the neutral form.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from datapilot_kernel.answers.formats import Formatter, as_decimal
from datapilot_kernel.answers.grammar import (
    Gender,
    a,
    in_period,
    is_plural,
    is_typical,
    lower_first,
    of,
    of_the,
    the,
    to_period,
    typographic,
    upper_first,
)
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.answers.shape import Shape, shape_of
from datapilot_kernel.messages import text
from datapilot_kernel.plan.compiled import Compiled, DateRange
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources.model import ResultTable


def write_sentence(
    plan: Plan | None,
    compiled: Compiled | None,
    columns: tuple[AnswerColumn, ...],
    table: ResultTable,
    layer: Layer | None,
    formatter: Formatter,
) -> str:
    """Return one or two sentences that say what the table shows, in the formatter's language."""
    writer = _Writer(plan, compiled, columns, table, layer, formatter)
    if not table.truncated:
        return writer.write()
    cut = writer.say("truncated", count=len(table.rows), rows=formatter.count(len(table.rows)))
    # Of a list cut short, the number of rows is only the cap's: not a number of things found.
    return cut if shape_of(columns, table, plan, layer).kind == "rows" else f"{writer.write()} {cut}"


@dataclass(frozen=True)
class _Writer:
    plan: Plan | None
    compiled: Compiled | None
    columns: tuple[AnswerColumn, ...]
    table: ResultTable
    layer: Layer | None
    formatter: Formatter

    def say(self, key: str, **values: Any) -> str:
        return text(f"answers.sentence.{key}", language=self.formatter.language, **values)

    # ── which sentence ─────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self) -> str:
        shape = shape_of(self.columns, self.table, self.plan, self.layer)
        if shape.kind == "empty":
            return self._finish(self._empty())
        if shape.kind == "rows":
            return self._finish(self._rows())
        if shape.kind == "value":
            return self._finish(self._values(shape))
        if shape.kind == "trend" and len(shape.dimensions) == 1:
            return self._finish(self._trend(shape))
        if shape.growth is not None and len(shape.dimensions) == 1:
            return self._finish(self._growths(shape))
        if shape.kind in ("ranking", "share") and len(shape.dimensions) == 1:
            return self._finish(self._ranking(shape))
        return self._finish(self._extremes(shape))

    def _finish(self, sentence: str) -> str:
        return upper_first(sentence)

    # ── pieces ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _shown(self, row: int, column: int) -> str:
        return self.formatter.cell(self.table.rows[row][column], self.columns[column])

    def _unsigned(self, row: int, column: int) -> str:
        number = as_decimal(self.table.rows[row][column])
        return self.formatter.value(abs(number) if number is not None else None, self.columns[column].format)

    def _named(self, row: int, shape: Shape) -> str:
        return ", ".join(self._shown(row, d) for d in shape.dimensions)

    def _number(self, row: int, column: int) -> Decimal | None:
        return as_decimal(self.table.rows[row][column])

    def _label(self, column: int) -> str:
        return typographic(lower_first(self.columns[column].label))

    def _subject(self, column: int) -> str | None:
        """Return « le chiffre d’affaires », None when its gender is not sure."""
        if self.formatter.language != "fr":
            return f"the {self._label(column)}"
        return the(self._label(column))

    def _when(self) -> str:
        """Return the period as an opening, « en mai 2026, », or nothing."""
        period = self._period()
        return in_period(period.label, self.formatter.language) + ", " if period else ""

    def _where(self) -> str:
        """Return the period in brackets, with a space before, or nothing."""
        period = self._period()
        if period is None:
            return ""
        # A label with brackets of its own (« semaine 20 de 2026 (du 11 au 17 mai) ») is not put into others.
        return f", {period.label}" if "(" in period.label else f" ({period.label})"

    def _period(self) -> DateRange | None:
        period = self.compiled.period if self.compiled else None
        limited = period is not None and period.label and (period.start is not None or period.end is not None)
        return period if limited else None

    def _be(self, column: int) -> str:
        return self.say("are" if self.formatter.language == "fr" and is_plural(self._label(column)) else "is")

    # ── one value, or a few ────────────────────────────────────────────────────────────────────────────────────────────

    def _values(self, shape: Shape) -> str:
        if shape.growth is not None or shape.previous is not None:
            return self._compared(shape)
        count = self._counted(shape)
        if count is not None:
            return count
        if all(self.table.rows[0][m] is None for m in shape.measures):
            return self.say("no_value", label=upper_first(self._label(shape.measures[0])), where=self._where())
        parts = []
        for column in shape.measures:
            subject, value = self._subject(column), self._shown(0, column)
            plural_count = self.columns[column].format.kind == "integer" and is_plural(self._label(column))
            if self.plan is not None and self._is_count_of(column, 0):
                parts.append(self.say("counted", value=value, label=self._label(column)))
            elif subject is None or self.plan is None or (plural_count and self.formatter.language == "fr"):
                parts.append(self.say("value_neutral", label=self._label(column), value=value))
            else:
                parts.append(self.say("value", subject=subject, be=self._be(column), value=value))
        if shape.dimensions and self.plan is not None and self.plan.limit == 1 and self.plan.order:
            return self.say("it_is", name=self._named(0, shape), value=self._measured(0, shape.main), where=self._where())
        if shape.dimensions:
            return self.say("of_one", name=self._named(0, shape), rest=self._joined(parts), where=self._where())
        return f"{self._when()}{self._joined(parts)}."

    def _is_count_of(self, column: int, row: int) -> bool:
        """Tell whether a figure counts what its label names (« clients actifs »), two of them or more."""
        number = self._number(row, column)
        counts = self.columns[column].format.kind == "integer" and is_plural(self._label(column))
        return self.formatter.language == "fr" and counts and number is not None and abs(number) >= 2

    def _joined(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + self.say("and") + parts[-1]

    def _counted(self, shape: Shape) -> str | None:
        """Return « Il y a 12 factures (mai 2026). » for a plain count of an entity's rows, None for anything else."""
        if self.plan is None or self.layer is None or len(shape.measures) != 1 or shape.dimensions or self.plan.rollup:
            return None
        items = [m for m in self.plan.measures if not m.hidden]
        if len(items) != 1 or items[0].aggregate != "count" or items[0].entity is None or items[0].transform:
            return None
        entity = self.layer.entities.get(items[0].entity)
        number = self._number(0, shape.measures[0])
        if entity is None or number is None:
            return None
        value, where = self._shown(0, shape.measures[0]), self._where()
        one, many = typographic(lower_first(entity.label)), typographic(lower_first(entity.plural or entity.label))
        if number == 0:
            return self._none(one, entity.gender, where, "there_is_none")
        return self.say("there_are", count=number, value=value, one=one, many=many, where=where)

    def _compared(self, shape: Shape) -> str:
        main = shape.measures[0]
        subject = self._subject(main)
        value = self._shown(0, main)
        if self._is_count_of(main, 0):
            opening = self._when() + self.say("counted", value=value, label=self._label(main))
        elif subject is None:
            opening = self._when() + self.say("value_neutral", label=self._label(main), value=value)
        else:
            opening = self._when() + self.say("value", subject=subject, be=self._be(main), value=value)
        previous = shape.previous
        period = self.compiled.previous if self.compiled else None
        before = to_period(period.label, self.formatter.language) if period else self.say("before")
        base = self._shown(0, previous) if previous is not None else None
        bracket = f" ({base})" if base is not None and self.table.rows[0][previous or 0] is not None else ""
        growth = self._number(0, shape.growth) if shape.growth is not None else None
        if growth is None or shape.growth is None:
            if bracket and base is not None:
                label = period.label if period else ""
                return self.say("against", opening=opening, base=base, label=f" ({label})" if label else "")
            return self.say("no_base", opening=opening, before=before)
        return self.say(
            "stable" if growth == 0 else "up" if growth > 0 else "down",
            opening=opening, growth=self._unsigned(0, shape.growth), before=before, base=bracket,
        )  # fmt: skip

    # ── several rows ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _trend(self, shape: Shape) -> str:
        measure, rows = shape.main, self._filled(shape.main)
        if not rows:
            return self.say("nothing", where=self._where())
        first, last = rows[0], rows[-1]
        subject = self._subject(measure)
        opening = subject or self._label(measure)
        sentence = self.say(
            "trend" if subject and not is_plural(self._label(measure)) else "trend_neutral",
            subject=opening, first=self._shown(first, measure), since=self._named(first, shape),
            last=self._shown(last, measure), until=self._named(last, shape),
        )  # fmt: skip
        if self.columns[measure].role == "running_total":
            last_said = {"last": self._shown(last, measure), "until": self._named(last, shape)}
            return self.say("running", subject=opening, **last_said)
        if len(rows) < 3:
            return sentence + "."
        return sentence + " ; " + self._high_low(rows, measure, shape) + "."

    def _high_low(self, rows: list[int], measure: int, shape: Shape) -> str:
        high = max(rows, key=lambda r: self._number(r, measure) or Decimal(0))
        low = min(rows, key=lambda r: self._number(r, measure) or Decimal(0))
        return self.say(
            "high_low",
            high=self._shown(high, measure), at_high=self._named(high, shape),
            low=self._shown(low, measure), at_low=self._named(low, shape),
        )  # fmt: skip

    def _growths(self, shape: Shape) -> str:
        column = shape.growth
        rows = self._filled(column) if column is not None else []
        if column is None or not rows:
            return self._ranking(shape)
        best = max(rows, key=lambda r: self._number(r, column) or Decimal(0))
        worst = min(rows, key=lambda r: self._number(r, column) or Decimal(0))
        period = self.compiled.previous if self.compiled else None
        before = to_period(period.label, self.formatter.language) if period else self.say("before")

        def change(row: int) -> str:
            return self.formatter.signed(self.table.rows[row][column], self.columns[column].format)

        key = "growths" if (self._number(best, column) or 0) > 0 > (self._number(worst, column) or 0) else "growths_one_way"
        if best == worst:
            key = "growth_one"
        return self.say(
            key, label=upper_first(self._label(shape.measures[0])), before=before,
            best=self._named(best, shape), best_growth=change(best),
            worst=self._named(worst, shape), worst_growth=change(worst),
        )  # fmt: skip

    def _ranking(self, shape: Shape) -> str:
        measure = shape.main
        rows = self._filled(measure)
        if not rows:
            return self.say("nothing", where=self._where())
        is_share, kind = self.columns[measure].role == "share", self.columns[measure].format.kind
        leads = not (self._ascending(shape) or self.columns[measure].lower_is_better or kind == "percent")
        if not (leads or is_share):
            return self._extremes(shape)
        # « (non renseigné) » is no name: it neither leads nor comes last, but what it holds is said when it is much.
        named = [r for r in rows if self.table.rows[r][shape.dimensions[0]] is not None]
        ordered = sorted(named, key=lambda r: self._number(r, measure) or Decimal(0), reverse=True)
        if not ordered:
            return self._extremes(shape)
        top, rest = ordered[0], ordered[1:]
        tied = [r for r in rest if self._number(r, measure) == self._number(top, measure)]
        opening = self._among(shape, rows)
        value = self._measured(top, measure)
        if len(tied) == 1:
            names = self._named(top, shape) + self.say("and") + self._named(tied[0], shape)
            return opening + self.say("tied", names=names, value=value, where=self._where())
        if tied:
            return self._extremes(shape)
        followers = [f"{self._named(r, shape)} ({self._shown(r, measure)})" for r in rest[:2]]
        sentence = self.say(
            "share" if self.columns[measure].role == "share" else "leads",
            name=self._named(top, shape), value=value, whole=self._whole(shape), where=self._where(),
        )  # fmt: skip
        if followers:
            sentence += self.say("ahead_of", names=self._joined(followers))
        if len(rest) > 3 and self._complete():
            last = ordered[-1]
            sentence += self.say("closes", name=self._named(last, shape), value=self._shown(last, measure))
        return opening + sentence + self._unnamed(rows, ordered, shape) + "."

    def _unnamed(self, rows: list[int], ordered: list[int], shape: Shape) -> str:
        """Return what the row without a name holds, when it would be among the first three; else nothing."""
        measure = shape.main
        bound = self._number(ordered[min(2, len(ordered) - 1)], measure) or Decimal(0)
        for row in set(rows) - set(ordered):
            if (self._number(row, measure) or Decimal(0)) > bound:
                return self.say("unnamed", name=self._named(row, shape), value=self._shown(row, measure))
        return ""

    def _among(self, shape: Shape, rows: list[int]) -> str:
        """Return « sur 13 régions, » when that is what the rows are; else nothing."""
        column = self.columns[shape.dimensions[0]]
        plural = self._plural_of(column)
        if plural is None or len(rows) != len(self.table.rows) or len(rows) < 3 or not self._complete():
            return ""
        if any(row[shape.dimensions[0]] is None for row in self.table.rows):
            return ""
        return self.say("among", rows=self.formatter.count(len(rows)), plural=plural)

    def _plural_of(self, column: AnswerColumn) -> str | None:
        if column.ref is None or self.layer is None or column.grain is not None:
            return None
        owner, _, name = column.ref.partition(".")
        entity = self.layer.entities.get(owner)
        dimension = entity.dimensions.get(name) if entity else None
        if entity is None or dimension is None:
            return None
        plural = dimension.plural or (entity.plural if entity.name_dimension == name else None)
        return typographic(lower_first(plural)) if plural else None

    def _measured(self, row: int, column: int) -> str:
        """Return a value with what it is: « 12 345 € de chiffre d’affaires », « 34 commandes »."""
        value, label, kind = self._shown(row, column), self._label(column), self.columns[column].format.kind
        if self.columns[column].role == "share":
            return value
        if self.formatter.language == "fr":
            number = self._number(row, column) or Decimal(0)
            for counted in ("nombre de ", "nombre d’"):
                if label.startswith(counted) and abs(number) >= 2 and kind in ("integer", "decimal"):
                    return f"{value} {label.removeprefix(counted)}"
            if self._is_count_of(column, row):
                return f"{value} {label}"
            if kind == "currency" and not is_plural(label) and not is_typical(label):
                return f"{value} {of(label)}"
            named = a(label)
            if named is not None:
                return f"{named} de {value}"
        return f"{value} ({label})"

    def _whole(self, shape: Shape) -> str:
        """Return what a share is a part of: « du chiffre d’affaires », else « du total »."""
        base = next((m for m in shape.measures if self.columns[m].role == "measure"), None)
        if base is not None and self.formatter.language == "fr":
            return of_the(self._label(base)) or self.say("of_total")
        return self.say("of_total")

    def _extremes(self, shape: Shape) -> str:
        measure = shape.main
        rows = self._filled(measure)
        if not rows:
            return self.say("nothing", where=self._where())
        if len(rows) == 1:
            return self.say(
                "of_one", name=self._named(rows[0], shape), where=self._where(),
                rest=self.say("value_neutral", label=self._label(measure), value=self._shown(rows[0], measure)),
            )  # fmt: skip
        label = upper_first(self._label(measure))
        return self.say("extremes", label=label, rest=self._high_low(rows, measure, shape), where=self._where())

    def _filled(self, column: int) -> list[int]:
        return [i for i in range(len(self.table.rows)) if self._number(i, column) is not None]

    def _complete(self) -> bool:
        return not self.table.truncated and (self.plan is None or self.plan.limit is None)

    def _ascending(self, shape: Shape) -> bool:
        if self.plan is None or not self.plan.order:
            return False
        first = self.plan.order[0]
        return not first.descending and first.by in {m.alias for m in self.plan.measures}

    # ── lists, nothing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _entity(self) -> tuple[str, str, Gender | None] | None:
        plan = self.plan
        if plan is None or self.layer is None:
            return None
        if plan.kind == "rows" and not plan.distinct and plan.entity in self.layer.entities:
            entity = self.layer.entities[plan.entity]
            one = typographic(lower_first(entity.label))
            return one, typographic(lower_first(entity.plural or entity.label)), entity.gender
        dimensions = [c for c in self.columns if c.role in ("dimension", "column")]
        if (plan.kind == "aggregate" or plan.distinct) and len(dimensions) == 1 and not plan.measures:
            plural = self._plural_of(dimensions[0])
            return (typographic(lower_first(dimensions[0].label)), plural, None) if plural else None
        return None

    def _rows(self) -> str:
        count, entity, where = len(self.table.rows), self._entity(), self._where()
        rows = self.formatter.count(count)
        if entity is None:
            return self.say("lines", count=count, rows=rows, where=where)
        limited = self.plan is not None and self.plan.limit == count
        return self.say(
            "listed_limit" if limited else "listed", count=count, rows=rows, one=entity[0], many=entity[1], where=where
        )

    def _empty(self) -> str:
        entity = self._entity()
        if entity is None:
            return self.say("nothing", where=self._where())
        return self._none(entity[0], entity[2], self._where(), "none_matches")

    def _none(self, one: str, gender: Gender | None, where: str, key: str) -> str:
        if gender is None and self.formatter.language == "fr":
            return self.say("nothing", where=where)
        return self.say(f"{key}_{gender or 'm'}", one=one, where=where)
