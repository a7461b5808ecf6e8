"""``%ask``, ``%%ask``, ``%%sql``, ``%datapilot``: they parse a line and delegate."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from datapilot_kernel.errors import BadInput, DataPilotError
from datapilot_kernel.messages import text
from datapilot_kernel.notebook import options as opt
from datapilot_kernel.notebook.passwords import forget, has_password, needs_password, with_password, without_password
from datapilot_kernel.notebook.running import Said
from datapilot_kernel.notebook.session import Session, open_here

_ATTRIBUTE = "_datapilot_magics"
SUBCOMMANDS = ("status", "sources", "source", "use", "close", "files", "semantic", "demo", "today", "new", "help")


class Magics:
    """The magics of one shell, over one session."""

    def __init__(self, shell: Any, session: Session) -> None:
        self.shell, self.session = shell, session

    # ── %ask, %%ask, %%sql ─────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, line: str, cell: str | None = None) -> Any:
        """``%ask [-s SOURCE] [-o NAME] [--engine E] [--today D] [--no-chart] [--new] question``."""
        from datapilot_kernel.notebook.place import Place

        with _said():
            parsed = opt.parse(line, opt.ASK)
            question = " ".join(part for part in (parsed.rest, (cell or "").strip()) if part)
            pending = self.session.pending
            name, client = self.session.client(parsed.get(opt.SOURCE))
            day = _day(parsed.get(opt.TODAY)) or self.session.today
            talk = self.session.conversation(name, fresh=parsed.has(opt.NEW))
            place = Place(self.shell, client, chart=not parsed.has(opt.NO_CHART), today=day, conversation=talk)
            engine: Any = parsed.get(opt.ENGINE) or "auto"
            if pending is not None and pending[0] == name and question.isdecimal():
                place.question, clarification = pending[1], pending[2]
                if not 1 <= int(question) <= len(clarification.choices):
                    raise BadInput("notebook.no_such_choice", number=question, count=len(clarification.choices))
                plan = clarification.choices[int(question) - 1].plan
                result = place.answer(
                    lambda cancel, progress: client.run_plan(
                        plan, question=place.question, today=day, conversation=talk, cancel=cancel, progress=progress
                    )
                )
            else:
                place.question = question
                result = place.answer(
                    lambda cancel, progress: client.ask(
                        question, engine=engine, today=day, conversation=talk, cancel=cancel, progress=progress
                    )
                )
            self._remember(name, place.question, result)
            return self._named(parsed, result)

    def sql(self, line: str, cell: str | None = None) -> Any:
        """``%%sql [-s SOURCE] [-o NAME] [--no-chart]`` and a statement; ``%sql SELECT …`` on one line."""
        from datapilot_kernel.notebook.place import Place

        with _said():
            parsed = opt.parse(line, opt.SQL)
            statement = "\n".join(part for part in (parsed.rest, (cell or "").strip()) if part)
            _, client = self.session.client(parsed.get(opt.SOURCE))
            place = Place(self.shell, client, chart=not parsed.has(opt.NO_CHART))
            result = place.answer(lambda cancel, progress: client.run_sql(statement, cancel=cancel, progress=progress))
            return self._named(parsed, result)

    def _remember(self, name: str, question: str, result: Any) -> None:
        from datapilot_kernel.engine.outcome import Clarification

        waiting = isinstance(result.outcome, Clarification)
        self.session.pending = (name, question, result.outcome) if waiting else None

    def _named(self, parsed: opt.Parsed, result: Any) -> Any:
        name = parsed.get(opt.OUTPUT)
        if name is None:
            return result
        if not name.isidentifier():
            raise BadInput("notebook.not_a_name", name=name)
        self.shell.user_ns[name] = result
        return None

    # ── %datapilot ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def datapilot(self, line: str) -> None:
        """``%datapilot source PATH_OR_URL [as NAME]``, ``status``, ``use NAME``, ``semantic FILE``, ``demo``…"""
        command, _, rest = line.strip().partition(" ")
        with _said():
            if has_password(line):
                self._give_back(line)
                return
            if (command or "status") not in SUBCOMMANDS:
                raise BadInput("notebook.unknown_command", name=command, known=", ".join(SUBCOMMANDS))
            getattr(self, f"_{command or 'status'}")(rest.strip())

    def _source(self, rest: str) -> None:
        parsed = opt.parse(rest, (opt.ENVIRONMENT, opt.NAMED, opt.LAYER))
        words = opt.words(parsed.rest)
        name = parsed.get(opt.NAMED)
        if len(words) >= 2 and words[-2].lower() in ("as", "comme"):
            name = words[-1]
            words = words[:-2]
        # Options may also stand after the location.
        tail = opt.parse(" ".join(words[1:]), (opt.ENVIRONMENT, opt.NAMED, opt.LAYER)) if len(words) > 1 else opt.Parsed()
        if tail.rest:
            raise BadInput("notebook.too_many_words", word=tail.rest.split()[0])
        location = words[0] if words else ""
        variable = parsed.get(opt.ENVIRONMENT) or tail.get(opt.ENVIRONMENT)
        if variable:
            location = os.environ.get(variable, "")
            if not location:
                raise BadInput("notebook.empty_variable", name=variable)
        if not location:
            self._sources("")
            return
        if needs_password(location) and not variable:
            location = self._with_asked_password(location)
        semantic = parsed.get(opt.LAYER) or tail.get(opt.LAYER)
        self._say_status(self.session.connect(location, name=name or tail.get(opt.NAMED), semantic=semantic))

    def _with_asked_password(self, location: str) -> str:
        import getpass

        password = getpass.getpass(text("notebook.password_prompt", location=location))
        return with_password(location, password) if password else location

    def _give_back(self, line: str) -> None:
        """Put the cell back without its password, forget it, and say why."""
        history = getattr(self.shell, "history_manager", None)
        raw = history.input_hist_raw[-1] if history is not None and history.input_hist_raw else ""
        cell = raw if has_password(raw) else f"%datapilot {line}"
        forget(self.shell)
        self.shell.set_next_input(without_password(cell), replace=True)
        self._say(text("notebook.password_in_cell"), "refusal")

    def _status(self, rest: str) -> None:
        name, _ = self.session.client(rest or None)
        self._say_status(name)

    def _sources(self, rest: str) -> None:
        if not self.session.clients:
            raise BadInput("notebook.no_source")
        names = ", ".join(
            f"{n} ({text('notebook.current')})" if n == self.session.current else n for n in self.session.clients
        )
        self._say(text("notebook.sources", names=names))

    def _use(self, rest: str) -> None:
        name, _ = self.session.client(rest)
        self.session.current = name
        self._say_status(name)

    def _close(self, rest: str) -> None:
        name, client = self.session.client(rest or None)
        client.close()
        del self.session.clients[name]
        if self.session.current == name:
            self.session.current = next(iter(self.session.clients), None)
        self._say(text("notebook.closed", name=name))

    def _semantic(self, rest: str) -> None:
        name, client = self.session.client()
        use = getattr(client, "use_layer", None)
        if use is None:
            raise BadInput("notebook.layer_of_the_platform")
        path = opt.words(rest)
        if not path:
            self._say_status(name)
            return
        use(path[0])
        self.session.conversation(name, fresh=True)
        self._say_status(name)

    def _files(self, rest: str) -> None:
        from datapilot_kernel.answers import formatter_for
        from datapilot_kernel.notebook.files import report_card

        name, client = self.session.client()
        read = getattr(client, "import_report", None)
        report = read() if read is not None else None
        if report is None:
            raise BadInput("notebook.files.none", name=name)
        wanted = opt.words(rest)[0] if rest else None
        if wanted is not None and wanted not in {file.table for file in report.files}:
            raise BadInput("notebook.files.no_table", name=wanted, known=", ".join(file.table for file in report.files))
        html, plain = report_card(report, formatter_for(None), wanted)
        self._show(html, plain)

    def _demo(self, rest: str) -> None:
        from datapilot_kernel.notebook.demo import demo_source
        from datapilot_kernel.notebook.hub_token import URL_VARIABLE

        # In the hub the sources are the platform's; the demo's are there from the start.
        if os.environ.get(URL_VARIABLE) or (os.environ.get("DATAPILOT_SOURCE") and not rest):
            self._say_status(self.session.client()[0])
            return
        name, location, layer = demo_source(rest or None, lambda: self._say(text("notebook.making_demo")))
        self._say_status(self.session.connect(location, name=name, semantic=layer))

    def _today(self, rest: str) -> None:
        self.session.today = _day(rest) if rest else None
        day = self.session.today
        self._say(text("notebook.today_fixed", day=rest) if day else text("notebook.today_free"))

    def _new(self, rest: str) -> None:
        name, _ = self.session.client(rest or None)
        self.session.conversation(name, fresh=True)
        self.session.pending = None
        self._say(text("notebook.new_conversation"))

    def _help(self, rest: str) -> None:
        self._say(text("notebook.help"))

    def _say_status(self, name: str) -> None:
        from datapilot_kernel.answers import formatter_for
        from datapilot_kernel.semantic.model import Format

        status = self.session.clients[name].status()
        day = formatter_for(None).value(self.session.today or status.today, Format(kind="date"))
        layer = text("notebook.layer_accepted" if status.accepted else "notebook.layer_draft", name=status.layer)
        self._say(
            text(
                "notebook.status", name=name, engine=text(f"notebook.dialect.{status.dialect}"), count=status.tables,
                layer=layer, today=day,
            )
        )  # fmt: skip

    def _say(self, sentence: str, kind: str = "information") -> None:
        from datapilot_kernel.notebook.card import message

        self._show(message(sentence, kind), sentence)

    def _show(self, html: str, plain: str) -> None:
        from IPython.display import display

        display({"text/html": html, "text/plain": plain}, raw=True)


class _said:  # noqa: N801 -- reads as a phrase: with _said(): …
    """Turn an error of ours into one sentence in the cell, without a traceback; anything else goes through."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, DataPilotError):
            raise Said(error.message) from None


def _day(value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise BadInput("notebook.bad_day", value=value) from None


def register(shell: Any, session: Session | None = None) -> Magics:
    """Put the magics and their completion into a shell."""
    from datapilot_kernel.notebook.completion import register_completion

    magics = Magics(shell, session or Session(open_here))
    shell.register_magic_function(magics.ask, "line_cell", "ask")
    shell.register_magic_function(magics.sql, "line_cell", "sql")
    shell.register_magic_function(magics.datapilot, "line", "datapilot")
    setattr(shell, _ATTRIBUTE, magics)
    register_completion(shell, magics)
    return magics


def unregister(shell: Any) -> None:
    """Close what the magics of a shell opened."""
    magics = getattr(shell, _ATTRIBUTE, None)
    if magics is not None:
        magics.session.close()
