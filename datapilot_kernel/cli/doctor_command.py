"""``datapilot doctor``: what of the installation is there, what is missing, what to do."""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from datapilot_kernel.cli.common import print_json
from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.messages import text

MIN_FREE_BYTES = 2 * 1024**3
PACKAGES = ("duckdb", "psycopg", "pymysql", "sqlglot", "sqlglotc", "pyarrow", "plotly", "jupyterlab", "voila")


@dataclass(frozen=True)
class Check:
    """One thing looked at: ``ok``, and a sentence that says what is there or what to do."""

    name: str
    ok: bool
    message: str


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("doctor", help=text("cli.help_doctor"), description=text("cli.help_doctor"))
    parser.add_argument("--source", metavar="S", help=text("cli.help_doctor_source"))
    parser.add_argument("--json", action="store_true", help=text("cli.help_json"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every check; 1 when one of them failed. With a source: the connection, and what its account can do."""
    checks = list(examine_source(args.source) if args.source else examine())
    if args.json:
        print_json([{"name": c.name, "ok": c.ok, "message": c.message} for c in checks])
    else:
        for check in checks:
            print(f"[{text('cli.doctor.ok') if check.ok else text('cli.doctor.missing')}] {check.message}")
    return 0 if all(check.ok for check in checks) else 1


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
