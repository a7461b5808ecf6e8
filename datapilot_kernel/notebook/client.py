"""The seam of the notebook: who answers. Here the engine in this process; in the hub, the same engine behind the API.

One protocol, so that magics, chips and the result object know nothing of where the data is. ``LocalClient`` opens the
source itself and is for a laptop, a plain notebook and the demo: there the person's own connection is in the process. In
the hub no secret enters this container, and the client of the API takes its place.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from datapilot_kernel.engine import Engine, Outcome
    from datapilot_kernel.plan.model import Plan
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.sources.files_import.report import ImportReport
    from datapilot_kernel.sources.model import CancelToken, Dialect

EngineChoice = Literal["auto", "local", "claude"]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class SourceStatus:
    """What ``%datapilot status`` shows of a source. Holds no host, user or password."""

    name: str
    dialect: str
    tables: int
    layer: str
    accepted: bool
    today: date


class AskClient(Protocol):
    """Answers questions about one source. Every call may be cancelled from another thread."""

    @property
    def name(self) -> str:
        """What the source is called, for people."""

    @property
    def dialect(self) -> Dialect:
        """Which SQL the source speaks."""

    def new_conversation(self) -> Any:
        """Return a fresh conversation, to be handed back to :meth:`ask` and :meth:`run_plan`."""

    def ask(
        self,
        question: str,
        *,
        engine: EngineChoice = "auto",
        today: date | None = None,
        conversation: Any = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Answer a question. ``today`` None: the source's own clock."""

    def run_plan(
        self,
        plan: Plan,
        *,
        question: str = "",
        today: date | None = None,
        conversation: Any = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Run a plan: a chip that was edited, a choice that was clicked."""

    def run_sql(self, sql: str, *, cancel: CancelToken | None = None, progress: Progress | None = None) -> Outcome:
        """Run a statement through the guard."""

    def layer(self) -> Layer:
        """Return the semantic layer, for the chips' choices and the formats."""

    def status(self) -> SourceStatus:
        """Return what is known of the source."""

    def close(self) -> None:
        """Give back connections. Safe twice."""


class LocalClient:
    """The engine in this process.

    Parameters
    ----------
    location
        A URL or a path, as ``--source`` of the command line. Kept nowhere once the source is open.
    semantic
        A file of the semantic layer; None: an automatic draft.

    Raises
    ------
    SourceProblem
        The source cannot be opened.
    """

    def __init__(self, location: str, *, semantic: str | None = None) -> None:
        from datapilot_kernel.engine import Engine
        from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel
        from datapilot_kernel.nl2sql.claude.settings import settings_from_environment
        from datapilot_kernel.semantic import load_layer
        from datapilot_kernel.sources import open_source

        layer = load_layer(Path(semantic).expanduser()) if semantic else None
        self._source = open_source(location)
        self._model = settings_from_environment(os.environ)
        self._transport = ClaudeModel(self._model) if self._model is not None else None
        self._engine = Engine(self._source, layer=layer, model=self._model, transport=self._transport)
        self._given_layer = layer
        self._by_day: dict[date, Engine] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The database's or the folder's name."""
        return self._source.name

    @property
    def dialect(self) -> Dialect:
        """The source's dialect."""
        return self._source.dialect

    def new_conversation(self) -> Any:
        """Return an empty conversation of the local engine."""
        from datapilot_kernel.nl2sql.conversation import Conversation

        return Conversation()

    def use_layer(self, path: str) -> None:
        """Take another semantic layer, from a file.

        Raises
        ------
        LayerProblem
            The file is not a layer.
        """
        from datapilot_kernel.engine import Engine
        from datapilot_kernel.semantic import load_layer

        layer = load_layer(Path(path).expanduser())
        with self._lock:
            self._engine = Engine(
                self._source, catalog=self._engine.catalog, layer=layer, model=self._model, transport=self._transport
            )
            self._given_layer = layer
            self._by_day.clear()

    def ask(
        self,
        question: str,
        *,
        engine: EngineChoice = "auto",
        today: date | None = None,
        conversation: Any = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Ask the engine."""
        return self._at(today).ask(question, engine=engine, conversation=conversation, cancel=cancel, progress=progress)

    def run_plan(
        self,
        plan: Plan,
        *,
        question: str = "",
        today: date | None = None,
        conversation: Any = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Run a plan on the engine."""
        return self._at(today).run_plan(plan, question=question, conversation=conversation, cancel=cancel, progress=progress)

    def run_sql(self, sql: str, *, cancel: CancelToken | None = None, progress: Progress | None = None) -> Outcome:
        """Run guarded SQL on the engine."""
        return self._engine.run_sql(sql, cancel=cancel, progress=progress)

    def layer(self) -> Layer:
        """Return the layer given, or the draft."""
        return self._engine.layer

    def status(self) -> SourceStatus:
        """Do what the first question would have to wait for, and describe."""
        self._engine.prepare()
        layer = self._engine.layer
        return SourceStatus(
            name=self.name,
            dialect=self._source.dialect,
            tables=len(self._engine.catalog.tables),
            layer=layer.name,
            accepted=layer.status == "accepted",
            today=self._engine.today(),
        )

    def import_report(self) -> ImportReport | None:
        """Return what was decided when files were read; None for a database."""
        return self._source.import_report

    def close(self) -> None:
        """Close the source, and the model's connections."""
        self._source.close()
        if self._transport is not None:
            self._transport.close()

    def _at(self, today: date | None) -> Engine:
        """Return the engine whose clock stands at ``today``; engines share the source, the catalog and the layer."""
        if today is None:
            return self._engine
        from datapilot_kernel.engine import Engine

        with self._lock:
            found = self._by_day.get(today)
            if found is None:
                found = Engine(
                    self._source,
                    catalog=self._engine.catalog,
                    layer=self._given_layer or self._engine.layer,
                    fixed_today=today,
                    model=self._model,
                    transport=self._transport,
                )
                self._by_day[today] = found
            return found
