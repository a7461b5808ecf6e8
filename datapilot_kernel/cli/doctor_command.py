"""``datapilot doctor``: what of the installation is there, what is missing, what to do.

Other distributions add what they can look at through the entry-point group ``datapilot.doctor``: a module with
``register(parser)``, which adds its option, and ``examine(args)``, which yields checks, or None when it was not asked for.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from datapilot_kernel.cli.common import print_json
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import text

MIN_FREE_BYTES = 2 * 1024**3
PACKAGES = ("duckdb", "psycopg", "pymysql", "sqlglot", "sqlglotc", "pyarrow", "plotly", "jupyterlab", "voila")


@dataclass(frozen=True)
class Check:
    """One thing looked at: ``ok``, and a sentence that says what is there or what to do.

    Attributes
    ----------
    level
        Among ``cli.doctor.*``: how the line begins. Empty: ``ok`` or ``missing``.
    action
        What to do about it, where the sentence does not say; None: nothing.
    """

    name: str
    ok: bool
    message: str
    level: str = ""
    action: str | None = None

    @property
    def word(self) -> str:
        """``ok``, ``missing``, ``warning``, ``problem`` or ``skipped``."""
        return self.level or ("ok" if self.ok else "missing")


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("doctor", help=text("cli.help_doctor"), description=text("cli.help_doctor"))
    parser.add_argument("--source", metavar="S", help=text("cli.help_doctor_source"))
    parser.add_argument("--json", action="store_true", help=text("cli.help_json"))
    for module in _others():
        module.register(parser)
    parser.set_defaults(run=run)


def _others() -> list[Any]:
    """Return what other distributions look at; one that cannot be loaded here is left out."""
    found = []
    for entry in sorted(entry_points(group="datapilot.doctor"), key=lambda e: e.name):
        with suppress(ImportError):
            found.append(entry.load())
    return found


def run(args: argparse.Namespace) -> int:
    """Print every check, each as it is done; 1 when one of them failed. With a source: its connection and its account."""
    asked: Iterator[Check] | None = None
    for module in _others():
        asked = asked or module.examine(args)
    checks = []
    for check in examine_source(args.source) if args.source else asked or examine():
        checks.append(check)
        if not args.json:
            print(f"[{text(f'cli.doctor.{check.word}')}] {check.message}", flush=True)
            if check.action:
                print(f"    → {check.action}", flush=True)
    if args.json:
        print_json([_plain(check) for check in checks])
    return 0 if all(check.ok for check in checks) else 1


def _plain(check: Check) -> dict[str, Any]:
    level = "problem" if check.word == "missing" else check.word
    return {"name": check.name, "ok": check.ok, "level": level, "message": check.message, "action": check.action}


def examine() -> Iterator[Check]:
    """Yield the checks, each as it is done."""
    recent = sys.version_info >= (3, 11)
    yield Check(
        "python", recent, text("cli.doctor.python" if recent else "cli.doctor.python_old", version=platform.python_version())
    )
    for name in PACKAGES:
        try:
            yield Check(name, True, text("cli.doctor.package", name=name, version=version(name)))
        except PackageNotFoundError:
            yield Check(name, False, text("cli.doctor.package_missing", name=name))
    yield _kernelspec()
    yield _cache()
    yield _files_engine()
    yield _model()


def examine_source(location: str) -> Iterator[Check]:
    """Yield what the test of a connection says: it answers, and its account can read and nothing else.

    Where the account can do more, the last check is the SQL for one that cannot, to be run by an administrator.

    Raises
    ------
    SourceProblem
        The source does not answer; the sentence says why.
    """
    from datapilot_kernel.sources import open_source
    from datapilot_kernel.sources.roles import least_privilege_sql

    source = open_source(location)
    try:
        source.introspect_rows("SELECT 1")
        yield Check("connection", True, text("cli.doctor.connection", name=source.name))
        findings = source.role_report()
        for finding in findings:
            yield Check("role", not finding.serious, finding.message)
        if not any(finding.serious for finding in findings):
            yield Check("role", True, text("cli.doctor.role_reads_only"))
        elif source.dialect != "duckdb":
            script = least_privilege_sql(
                "postgres" if source.dialect == "postgres" else "mariadb", source.name, schemas=(source.default_schema,)
            )
            yield Check("role_sql", False, text("cli.doctor.role_sql") + "\n" + script)
    finally:
        source.close()


def _kernelspec() -> Check:
    from jupyter_client.kernelspec import KernelSpecManager

    there = "datapilot" in KernelSpecManager().find_kernel_specs()
    return Check("kernelspec", there, text("cli.doctor.kernelspec" if there else "cli.doctor.kernelspec_missing"))


def _cache() -> Check:
    from datapilot_kernel.sources import cache_folder

    try:
        folder: Path = cache_folder()
        free = shutil.disk_usage(folder).free
    except OSError:
        return Check("cache", False, text("cli.doctor.cache_unwritable"))
    enough = free >= MIN_FREE_BYTES
    return Check("cache", enough, text("cli.doctor.cache" if enough else "cli.doctor.cache_low", free_gb=free // 1024**3))


def _model() -> Check:
    """Say whether a language model is configured; nothing is sent to it."""
    import os

    from datapilot_kernel.nl2sql.claude.adapter import retirement
    from datapilot_kernel.nl2sql.claude.settings import settings_from_environment
    from datapilot_kernel.nl2sql.claude.wire import ModelProblem

    try:
        settings = settings_from_environment(os.environ)
        if settings is None:
            return Check("model", True, text("cli.doctor.model_none"))
        until = retirement(settings.model)
    except ModelProblem:
        return Check("model", False, text("cli.doctor.model_not_installed"))
    except DataPilotError as error:
        return Check("model", False, error.message)
    if until is not None:
        return Check("model", False, text("cli.doctor.model_retired", model=settings.model, date=until))
    return Check("model", True, text("cli.doctor.model", model=settings.model))


def _files_engine() -> Check:
    import tempfile

    from datapilot_kernel.sources import open_source

    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "essai.csv"
        sample.write_text("ville;montant\nLyon;1 234,50\n", encoding="utf-8")
        try:
            source = open_source(str(sample))
            try:
                works = bool(source.execute("SELECT 1 AS un").rows)
            finally:
                source.close()
        except DataPilotError:
            works = False
    return Check("files", works, text("cli.doctor.duckdb" if works else "cli.doctor.duckdb_broken"))
