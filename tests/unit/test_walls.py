"""The walls between rooms, read off the imports themselves."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "datapilot_kernel"

# What each room may import of the others: downwards only (docs/architecture.md).
BASE = {"messages", "errors"}
BELOW: dict[str, set[str]] = {
    "messages": set(),
    "errors": {"messages"},
    "sources": BASE,
    "guard": BASE,
    "catalog": BASE | {"sources"},
    "semantic": BASE | {"sources", "catalog", "guard"},
    "plan": BASE | {"semantic", "catalog", "guard", "sources"},
    "nl2sql": BASE | {"plan", "semantic", "catalog", "guard", "sources"},
    "answers": BASE | {"plan", "semantic", "catalog", "guard", "sources"},
    "engine": BASE | {"nl2sql", "answers", "plan", "semantic", "catalog", "guard", "sources"},
    "demo": BASE | {"sources"},
    "notebook": BASE | {"engine", "nl2sql", "answers", "plan", "semantic", "catalog", "guard", "sources", "demo"},
    "cli": BASE | {"notebook", "engine", "nl2sql", "answers", "plan", "semantic", "catalog", "guard", "sources", "demo"},
}
VENDORS = {
    "psycopg": "sources",
    "pymysql": "sources",
    "asyncssh": "sources",
    "duckdb": "sources",
    "sqlalchemy": "sources",
    "anthropic": "nl2sql",
    "docker": None,
}
PURE = {"guard", "plan"}
HEAVY = {"pandas", "plotly", "pyarrow", "anthropic", "sqlalchemy", "duckdb", "babel", "ipywidgets", "numpy"}

FILES = sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Every module named by an import anywhere in the file, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            if node.module == "datapilot_kernel":
                found |= {f"datapilot_kernel.{alias.name}" for alias in node.names}
    return found


def test_every_room_is_on_the_map() -> None:
    assert {_room(path) for path in FILES} - {"__init__", "__main__"} == BELOW.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downwards(path: Path) -> None:
    room = _room(path)
    for module in _imports(path):
        parts = module.split(".")
        if parts[0] == "datapilot_kernel" and len(parts) > 1 and room in BELOW:
            assert parts[1] == room or parts[1] in BELOW[room] or parts[1].startswith("__"), f"{room} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_one_vendor_one_adapter(path: Path) -> None:
    for module in _imports(path):
        vendor = module.split(".")[0]
        if vendor in VENDORS:
            assert _room(path) == VENDORS[vendor], f"{vendor} outside its adapter"


@pytest.mark.parametrize("path", [p for p in FILES if _room(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_guard_and_plan_import_only_pydantic_and_sqlglot(path: Path) -> None:
    for module in _imports(path):
        top = module.split(".")[0]
        assert top in sys.stdlib_module_names | {"pydantic", "sqlglot", "datapilot_kernel"}, module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_load_only_when_needed(path: Path) -> None:
    if _room(path) == "sources" and path.name not in {"__init__.py", "model.py"}:
        pytest.skip("an adapter is loaded when its source is opened")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = (
            {a.name for a in node.names}
            if isinstance(node, ast.Import)
            else {node.module or ""}
            if isinstance(node, ast.ImportFrom)
            else set()
        )
        assert not {n.split(".")[0] for n in names} & HEAVY, f"{path} imports {names} at its top"


def test_nothing_but_the_command_line_prints() -> None:
    for path in FILES:
        if _room(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}"


# ── the platform ─────────────────────────────────────────────────────────────────────────────────────────────────

PLATFORM = ROOT / "hub_config"
PLATFORM_FILES = sorted(PLATFORM.rglob("*.py"))
# What a manager writes its statements with; engines, connections, text() and raw DDL are hub_config.database's alone.
STATEMENTS = {"sqlalchemy", "sqlalchemy.exc", "sqlalchemy.orm", "sqlalchemy.dialects"}
NOT_STATEMENTS = {"create_engine", "Engine", "Connection", "MetaData", "Table", "event", "text", "Session", "sessionmaker"}
ROUND_THE_WALL = {
    "get_bind", "exec_driver_sql", "raw_connection", "driver_connection", "dbapi_connection",
    "owner_function", "set_up", "bind_scope", "new_engine",
}  # fmt: skip


# dockerspawner's own class is what the container spawner derives from; the client behind it is docker_line's.
OUTSIDE = {"docker": PLATFORM / "hub/spawning/docker_line.py"}


@pytest.mark.parametrize(
    "path",
    [p for room in ("hub_config", "dashboards", "extension/datapilot_lab") for p in sorted((ROOT / room).rglob("*.py"))],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_one_vendor_one_adapter_outside_the_kernel(path: Path) -> None:
    vendors = {module.split(".")[0] for module in _imports(path)} & (VENDORS.keys() - {"sqlalchemy"})
    assert not {vendor for vendor in vendors if OUTSIDE.get(vendor) != path}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_kernel_never_imports_the_platform(path: Path) -> None:
    assert not {m for m in _imports(path) if m.split(".")[0] in {"hub_config", "migrations", "dashboards", "extension"}}


@pytest.mark.parametrize("path", PLATFORM_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_platform_reaches_databases_through_its_rooms(path: Path) -> None:
    in_database = path.is_relative_to(PLATFORM / "database")
    for module in _imports(path):
        top = module.split(".")[0]
        assert top not in {"psycopg", "pymysql", "duckdb", "anthropic"}, f"{path} imports {module}"
        assert top != "alembic" or in_database, f"{path} imports {module}"
        assert top != "sqlalchemy" or in_database or module in STATEMENTS, f"{path} imports {module}"
    if in_database:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            assert not {alias.name for alias in node.names} & NOT_STATEMENTS, f"{path}:{node.lineno}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hub_config.database."):
            assert not {alias.name for alias in node.names} & ROUND_THE_WALL, f"{path}:{node.lineno}"
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        assert name not in ROUND_THE_WALL, f"{path}:{node.lineno} goes round the wall by {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "migrations").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_migrations_know_nothing_of_the_present(path: Path) -> None:
    for module in _imports(path):
        assert module.split(".")[0] in sys.stdlib_module_names | {"alembic", "sqlalchemy", "migrations"}, module
