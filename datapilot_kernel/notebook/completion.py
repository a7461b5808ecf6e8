"""Completion of the magics: options, their values, names of sources, subcommands, measures and dimensions by label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from datapilot_kernel.notebook import options as opt

if TYPE_CHECKING:
    from datapilot_kernel.notebook.magics import Magics


def register_completion(shell: Any, magics: Magics) -> None:
    """Hook the completers of the three magics into IPython's."""

    def completer(known: tuple[opt.Option, ...]) -> Callable[[Any, Any], list[str]]:
        return lambda _, event: complete_options(event.line, known, magics)

    for name, known in (("ask", opt.ASK), ("sql", opt.SQL)):
        for prefix in ("%", "%%"):
            shell.set_hook("complete_command", completer(known), str_key=f"{prefix}{name}")
    shell.set_hook("complete_command", lambda _, event: complete_command(event.line, magics), str_key="%datapilot")


def complete_options(line: str, known: tuple[opt.Option, ...], magics: Magics) -> list[str]:
    """Return what can follow in a line of ``%ask`` or ``%%sql``."""
    words = line.split()
    typed = "" if line.endswith(" ") else words[-1]
    before = words[-1] if line.endswith(" ") else words[-2] if len(words) > 1 else ""
    for option in known:
        if before in (option.long, option.short) and option.takes_value:
            found = list(magics.session.clients) if option is opt.SOURCE else list(option.values)
            return [f for f in found if f.startswith(typed)]
    if typed.startswith("-"):
        return [name for o in known for name in (o.long, o.short) if name and name.startswith(typed)]
    return []


def complete_command(line: str, magics: Magics) -> list[str]:
    """Return what can follow in a line of ``%datapilot``."""
    from datapilot_kernel.notebook.magics import SUBCOMMANDS

    words = line.split()
    typed = "" if line.endswith(" ") else words[-1]
    if len(words) + line.endswith(" ") <= 2:
        return [c for c in SUBCOMMANDS if c.startswith(typed)]
    if words[1] in ("use", "close", "status", "new"):
        return [n for n in magics.session.clients if n.startswith(typed)]
    if words[1] == "files":
        return [t for t in _tables(magics) if t.startswith(typed)]
    if words[1] == "source" and typed.startswith("-"):
        return [o.long for o in (opt.ENVIRONMENT, opt.NAMED, opt.LAYER) if o.long.startswith(typed)]
    return []


def _tables(magics: Magics) -> list[str]:
    """Return the tables that files of the current source became."""
    client = magics.session.clients.get(magics.session.current or "")
    read = getattr(client, "import_report", None)
    report = read() if read is not None else None
    return [file.table for file in report.files] if report is not None else []
