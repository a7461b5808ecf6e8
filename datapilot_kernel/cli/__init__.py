"""``datapilot``, the one command.

Every subcommand is a module with ``register(subparsers)`` and ``run(args) -> exit code``; other distributions of this
repository (the hub, dashboards) add theirs through the entry-point group ``datapilot.commands``. Results go to standard
output, everything else to standard error. Exit codes: 0 done, 1 refusal, clarification or failed check, 2 wrong usage,
3 failure (contract).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NoReturn

from datapilot_kernel import __version__
from datapilot_kernel.errors import BadInput, Cancelled, DataPilotError, Fault, Refused, SourceProblem
from datapilot_kernel.messages import text

OWN_COMMANDS = ("ask", "sql", "guard", "eval", "demo_data", "files", "semantic", "publish", "kernelspec", "doctor")


class _Parser(argparse.ArgumentParser):
    """argparse in the person's language: its titles, and what was wrong.

    Its own translations go through gettext catalogues that Python does not ship for French.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "add_help": False})
        self._positionals.title = text("cli.title_arguments")
        self._optionals.title = text("cli.title_options")
        self.add_argument("-h", "--help", action="help", help=text("cli.help_help"))

    def format_usage(self) -> str:
        """Return the usage, its first word translated."""
        return _usage(super().format_usage())

    def format_help(self) -> str:
        """Return the help, its first word translated."""
        return _usage(super().format_help())

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and how to see the options; exit 2."""
        self.print_usage(sys.stderr)
        self.exit(2, text("cli.usage", program=self.prog, message=_said(message)) + "\n")


_ARGPARSE = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"the following arguments are required: (?P<what>.*)", "cli.wrong.missing"),
        (r"unrecognized arguments: (?P<what>.*)", "cli.wrong.unknown"),
        (r"argument (?P<what>.*?): expected .*", "cli.wrong.no_value"),
        (r"argument (?P<what>.*?): invalid choice: (?P<value>.*?) \(choose from (?P<known>.*)\)", "cli.wrong.choice"),
        (r"argument (?P<what>.*?): invalid int value: (?P<value>.*)", "cli.wrong.number"),
        (r"argument (?P<what>.*?): not allowed with argument (?P<other>.*)", "cli.wrong.together"),
        (r"one of the arguments (?P<what>.*) is required", "cli.wrong.one_of"),
    )
)


def _said(message: str) -> str:
    """Return argparse's message in the language in force; as it is when it is none that is known."""
    for pattern, key in _ARGPARSE:
        found = pattern.fullmatch(message)
        if found is not None:
            values: dict[str, Any] = {name: value.replace("'", "") for name, value in found.groupdict().items()}
            return text(key, **values)
    return message


def _usage(shown: str) -> str:
    return text("cli.title_usage") + shown.removeprefix("usage: ")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every subcommand registered."""
    parser = _Parser(prog="datapilot", description=text("cli.description"))
    parser.add_argument("--version", action="version", version=f"datapilot {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar=text("cli.command"), required=True)
    for name in OWN_COMMANDS:
        import_module(f"datapilot_kernel.cli.{name}_command").register(subparsers)
    for entry in sorted(entry_points(group="datapilot.commands"), key=lambda e: e.name):
        entry.load().register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return _say(Cancelled().message, 130)
    except BrokenPipeError:
        # The reader (head, less) has left: nothing more to say, and nobody to say it to.
        sys.stderr.close()
        return 0
    except DataPilotError as error:
        return _say(error.message, exit_code(error))
    except Exception as error:  # noqa: BLE001 -- the process's edge: the person gets an incident id, not a traceback
        fault = Fault(log=f"{type(error).__name__} in datapilot {args.command}")
        _log_fault(fault, error)
        return _say(fault.message, 3)


def exit_code(error: DataPilotError) -> int:
    """Return the contract's exit code for an error: whose fault it is decides."""
    match error:
        case SourceProblem():
            return 3
        case BadInput():
            return 2
        case Refused():
            return 1
        case Cancelled():
            return 130
        case _:
            return 3


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def _log_fault(fault: Fault, error: Exception) -> None:
    """Write where it broke, never the foreign exception's text: it may quote a value or a connection string."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-6:]))
    print(f"incident {fault.incident}: {fault.log} at {where}", file=sys.stderr)
