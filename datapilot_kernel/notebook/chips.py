"""The reading as buttons: click a part, change it, and the plan runs again, without a model.

ipywidgets, imported when the first answer is shown. One bar for each answer: its buttons are replaced when the outcome
changes, so that a hundred edits leave no more widgets than one. The bar is left out where nobody can click.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers import formatter_for
from datapilot_kernel.answers.model import ReadingPart
from datapilot_kernel.engine.outcome import Answer, Clarification, Outcome
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import text
from datapilot_kernel.notebook import choices
from datapilot_kernel.notebook.running import Said

if TYPE_CHECKING:
    from datapilot_kernel.notebook.place import Place
    from datapilot_kernel.plan.model import Plan

_WIDTH = 80


def available(shell: Any) -> bool:
    """Tell whether widgets can be clicked here: a kernel with a front end, not a bare IPython or a script."""
    return getattr(shell, "kernel", None) is not None


class Chips:
    """The bar of one answer, with the editor of the chip that was clicked below it."""

    def __init__(self, place: Place) -> None:
        import ipywidgets as w

        self._w = w
        self._place = place
        self._bar = w.HBox([])
        self._bar.add_class("dp-bar")
        self._editor = w.HBox([])
        self._editor.add_class("dp-bar")
        self.widget = w.VBox([self._bar, self._editor])
        self._disposable: list[Any] = []
        self._open: str | None = None

    def show(self, outcome: Outcome) -> None:
        """Show the chips of an outcome: the reading of an answer, the choices of a clarification, nothing else."""
        self._close()
        for widget in self._disposable:
            widget.close()
        self._disposable = []
        buttons: list[Any] = []
        if isinstance(outcome, Answer) and outcome.plan is not None:
            plan = outcome.plan
            for part in outcome.reading:
                if part.editable:
                    buttons.append(self._chip(part, plan))
                else:
                    buttons.append(self._button(_said(part), disabled=True))
            if plan.kind == "aggregate":
                buttons.append(self._button(text("notebook.chip.add_group"), lambda: self._edit_group(plan)))
            buttons += self._charts(outcome)
        elif isinstance(outcome, Clarification):
            for choice in outcome.choices:
                buttons.append(self._button(choice.label, partial(self._place.run_plan, choice.plan), style="dp-go"))
        self._bar.children = tuple(buttons)
        # The head's text of the reading gives way to live chips only (style.css).
        (self._bar.add_class if buttons else self._bar.remove_class)("dp-live")
        self.widget.layout.display = "" if buttons else "none"

    # ── buttons ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _button(
        self, label: str, click: Callable[[], None] | None = None, *, style: str = "", disabled: bool = False
    ) -> Any:  # an ipywidgets Button: the module is imported late
        shown = label if len(label) <= _WIDTH else label[: _WIDTH - 1] + "…"
        button = self._w.Button(description=shown, tooltip=label, disabled=disabled)
        if style:
            button.add_class(style)
        if click is not None:
            button.on_click(lambda _: self._guarded(click))
        self._disposable.append(button)
        return button

    def _chip(self, part: ReadingPart, plan: Plan) -> Any:
        def click() -> None:
            if self._open == part.path:
                self._close()
            else:
                self._edit(part, plan)

        return self._button(_said(part), click)

    def _guarded(self, click: Callable[[], None]) -> None:
        """Do what a click asks; what it says instead of an answer is shown in the place, never as a traceback."""
        try:
            click()
        except (Said, DataPilotError) as error:
            self._show_editor([self._w.Label(str(error))])

    def _apply(self, path: str, value: Any) -> None:
        self._place.edit(path, value)

    def _charts(self, answer: Answer) -> list[Any]:
        meta = (answer.chart or {}).get("layout", {}).get("meta", {}).get("datapilot", {})
        kinds = meta.get("alternatives", [])
        if len(kinds) < 2:
            return []
        menu = self._w.Dropdown(
            options=[(text(f"answers.chart_type.{kind}"), kind) for kind in kinds],
            value=meta["type"],
            layout=self._w.Layout(width="150px"),
        )

        def changed(change: Any) -> None:
            from datapilot_kernel.answers.chart import choose_chart

            formatter = formatter_for(self._place.layer())
            self._place.show_chart(
                choose_chart(answer.columns, answer.table, answer.plan, None, formatter, chart_type=change["new"])
            )

        menu.observe(changed, names="value")
        self._disposable.append(menu)
        return [menu]

    # ── editors ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _close(self) -> None:
        for widget in self._editor.children:
            widget.close()
        self._editor.children = ()
        self._editor.layout.display = "none"
        self._open = None

    def _show_editor(self, widgets: list[Any]) -> None:
        self._close()
        self._editor.children = tuple(widgets)
        self._editor.layout.display = ""

    def _go(self, click: Callable[[], None], label: str = "notebook.chip.apply") -> Any:
        button = self._w.Button(description=text(label))
        button.add_class("dp-go")
        button.on_click(lambda _: self._guarded(click))
        return button

    def _remove(self, path: str) -> Any:
        button = self._w.Button(description=text("notebook.chip.remove"))
        button.on_click(lambda _: self._guarded(lambda: self._apply(path, None)))
        return button

    def _edit(self, part: ReadingPart, plan: Plan) -> None:
        editors: dict[str, Callable[[ReadingPart, Plan], list[Any]]] = {
            "period": self._period,
            "measure": self._measure,
            "dimension": self._dimension,
            "filter": self._filter,
            "limit": self._limit,
            "order": self._order,
        }
        build = editors.get(part.kind)
        widgets = build(part, plan) if build is not None else []
        removable = part.kind != "order" or bool(plan.order)
        if part.kind == "period" and plan.period is None:
            removable = False
        self._show_editor([*widgets, *([self._remove(part.path)] if removable else [])])
        self._open = part.path

    def _menu(self, options: list[tuple[str, Any]], value: Any) -> Any:
        known = [v for _, v in options]
        return self._w.Dropdown(options=options, value=value if value in known else known[0] if known else None)

    def _period(self, part: ReadingPart, plan: Plan) -> list[Any]:
        formatter = formatter_for(self._place.layer())
        options: list[tuple[str, Any]] = [(text("notebook.chip.from_to"), None), *choices.periods(formatter)]
        menu = self._menu(options, plan.period)
        start, end = (self._w.DatePicker(layout=self._w.Layout(width="150px")) for _ in range(2))

        def dates(_: Any = None) -> None:
            for picker in (start, end):
                picker.layout.display = "" if menu.value is None else "none"

        menu.observe(dates, names="value")
        dates()

        def click() -> None:
            between = {"kind": "between", "start": start.value, "end": end.value}
            between = {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in between.items()}
            self._apply("/period", menu.value if menu.value is not None else between)

        return [menu, start, end, self._go(click)]

    def _measure(self, part: ReadingPart, plan: Plan) -> list[Any]:
        layer = self._place.layer()
        if layer is None:
            return []
        index = int(part.path.rpartition("/")[2])
        menu = self._menu(list(choices.measures(layer)), plan.measures[index].measure)
        return [menu, self._go(lambda: self._apply(part.path, menu.value))]

    def _dimension(self, part: ReadingPart, plan: Plan) -> list[Any]:
        return self._grouping(part.path, plan, plan.dimensions[int(part.path.rpartition("/")[2])].field)

    def _edit_group(self, plan: Plan) -> None:
        self._show_editor(self._grouping("/dimensions/-", plan, None))

    def _grouping(self, path: str, plan: Plan, field: str | None) -> list[Any]:
        layer = self._place.layer()
        if layer is None:
            return []
        menu = self._menu(list(choices.dimensions(layer, plan)), field)
        cut = self._w.Dropdown(options=choices.grains(formatter_for(layer)), value="month")

        def timed(_: Any = None) -> None:
            cut.layout.display = "" if menu.value and layer.dimension(menu.value).type in ("date", "timestamp") else "none"

        menu.observe(timed, names="value")
        timed()

        def click() -> None:
            is_time = layer.dimension(menu.value).type in ("date", "timestamp")
            if not is_time:
                self._apply(path, menu.value)
                return
            taken = {d.alias for d in plan.dimensions} | {m.alias for m in plan.measures}
            index = path.rpartition("/")[2]
            alias = plan.dimensions[int(index)].alias if index.isdecimal() else menu.value.rpartition(".")[2]
            while not index.isdecimal() and alias in taken:
                alias += "_2"
            self._apply(path, {"alias": alias, "field": menu.value, "grain": cut.value})

        return [menu, cut, self._go(click)]

    def _filter(self, part: ReadingPart, plan: Plan) -> list[Any]:
        if not part.path.startswith("/filters/"):
            return []
        condition = plan.filters[int(part.path.rpartition("/")[2])]
        if not condition.values or condition.op == "day_type":
            return []
        typed = self._w.Text(value=" ; ".join(str(v) for v in condition.values), placeholder=text("notebook.chip.values"))

        def click() -> None:
            values = choices.value_of(typed.value, condition.values)
            op: str = condition.op
            if len(values) > 1 and op in ("eq", "ne"):
                op = "in" if op == "eq" else "not_in"
            edited = condition.model_dump(mode="json") | {"values": values, "op": op, "typed": []}
            self._apply(part.path, edited)

        return [typed, self._go(click)]

    def _limit(self, part: ReadingPart, plan: Plan) -> list[Any]:
        number = self._w.BoundedIntText(value=plan.limit or 10, min=1, max=100_000, layout=self._w.Layout(width="110px"))
        return [number, self._go(lambda: self._apply("/limit", number.value))]

    def _order(self, part: ReadingPart, plan: Plan) -> list[Any]:
        order = plan.order[int(part.path.rpartition("/")[2])]
        edited = {"by": order.by, "descending": not order.descending}
        return [self._go(lambda: self._apply(part.path, edited), "notebook.chip.reverse")]


def _said(part: ReadingPart) -> str:
    return text("notebook.chip.part", label=part.label, value=part.value)
