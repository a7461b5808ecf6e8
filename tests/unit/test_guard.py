"""The guard without servers: verdicts, messages, policy, row filters, limits, walls."""

from __future__ import annotations

import ast
import json
import sys
import threading
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

import datapilot_kernel
from datapilot_kernel.guard import REASONS, Accepted, Guard, Policy, Refusal
from datapilot_kernel.guard.lexer import canonicalise
from datapilot_kernel.guard.policy import split_name
from datapilot_kernel.messages import has_text

Dialect = Literal["postgres", "mysql", "duckdb"]
DIALECTS: tuple[Dialect, ...] = ("postgres", "mysql", "duckdb")
SCHEMA = {"postgres": "public", "mysql": "bi", "duckdb": "main"}


def policy(dialect: str = "postgres", **changes: Any) -> Policy:
    tables = {
        "clients": {"columns": ["id", "nom", "region"], "masked": ["email"], "row_filter": "tenant_id = {tenant}"},
        "ventes": {"columns": ["id", "client_id", "montant", "jour"], "row_filter": None},
        "autre.budget": {"columns": ["id", "montant"], "row_filter": None},
    }
    data: dict[str, Any] = {
        "version": 1,
        "default_schema": SCHEMA[dialect],
        "attributes": {"tenant": "t1"},
        "tables": tables,
        "max_rows": 100,
    }
    return Policy.model_validate({**data, **changes})


@pytest.fixture(params=DIALECTS)
def guard(request: pytest.FixtureRequest) -> Guard:
    return Guard(policy(request.param), request.param)


def accepted(guard: Guard, sql: str) -> Accepted:
    verdict = guard.check(sql)
    assert isinstance(verdict, Accepted), (sql, verdict)
    return verdict


def refused(guard: Guard, sql: str, reason: str) -> Refusal:
    verdict = guard.check(sql)
    assert isinstance(verdict, Refusal), (sql, verdict)
    assert verdict.reason == reason, verdict
    return verdict


# --- verdicts


def test_a_table_becomes_its_permitted_columns_and_rows() -> None:
    verdict = accepted(Guard(policy(), "postgres"), "select nom from clients")
    assert verdict.sql == (
        'SELECT "nom" FROM (SELECT "nom" FROM "public"."clients"'
        ' WHERE ("tenant_id" = \'t1\') OFFSET 0) AS "clients" LIMIT 100'
    )
    assert verdict.tables == ("public.clients",)
    assert verdict.columns == (("public.clients", "nom"),)
    assert verdict.limit_rows == 100


def test_a_star_reads_every_column_and_the_masked_one_as_null() -> None:
    sql = accepted(Guard(policy(), "postgres"), "select * from clients").sql
    assert '(SELECT "id", "nom", "region", NULL AS "email" FROM "public"."clients"' in sql


def test_no_barrier_without_a_row_filter(guard: Guard) -> None:
    sql = accepted(guard, "SELECT montant FROM ventes").sql
    assert guard.rules.barrier not in sql


def test_columns_read_are_told(guard: Guard) -> None:
    schema = SCHEMA[guard.dialect]
    verdict = accepted(
        guard, "SELECT c.nom, SUM(v.montant) AS s FROM clients c JOIN ventes v ON v.client_id = c.id GROUP BY c.nom"
    )
    assert set(verdict.columns) == {
        (f"{schema}.clients", "nom"), (f"{schema}.clients", "id"), (f"{schema}.ventes", "montant"), (f"{schema}.ventes", "client_id")
    }  # fmt: skip
    star = accepted(guard, "SELECT * FROM ventes")
    assert {c for _, c in star.columns} == {"id", "client_id", "montant", "jour"}


@pytest.mark.parametrize(
    ("sql", "limit", "rows"),
    [
        ("SELECT id FROM ventes", " LIMIT 100", 100),
        ("SELECT id FROM ventes LIMIT 5", " LIMIT 5", 5),
        ("SELECT id FROM ventes LIMIT 5000", " LIMIT 100", 100),
        ("SELECT id FROM ventes UNION ALL SELECT id FROM ventes", " LIMIT 100", 100),
        ("(SELECT id FROM ventes LIMIT 3)", ") LIMIT 100", 100),
    ],
)
def test_row_limit(guard: Guard, sql: str, limit: str, rows: int) -> None:
    verdict = accepted(guard, sql)
    assert verdict.sql.endswith(limit)
    assert verdict.limit_rows == rows


def test_a_computed_limit_is_wrapped() -> None:
    verdict = accepted(Guard(policy(), "postgres"), "SELECT id FROM ventes LIMIT (SELECT 1000000)")
    assert verdict.sql.startswith("SELECT * FROM (")
    assert verdict.sql.endswith("LIMIT 100")


def test_an_accepted_statement_comes_back_unchanged(guard: Guard) -> None:
    sql = accepted(guard, "WITH c AS (SELECT * FROM clients) SELECT c.nom FROM c JOIN ventes v ON v.client_id = c.id").sql
    assert accepted(guard, sql).sql == sql


def test_a_forged_wrapper_is_wrapped_again() -> None:
    """Only the guard's own subquery, to the letter, is left as it is."""
    guard = Guard(policy(), "postgres")
    forged = "SELECT nom FROM (SELECT id, nom, region FROM public.clients WHERE (id = 2) OFFSET 0) AS clients"
    assert accepted(guard, forged).sql.count("tenant_id") == 1


def test_a_cte_does_not_capture_the_guards_reference(guard: Guard) -> None:
    schema = guard.rules.quote(SCHEMA[guard.dialect])
    sql = accepted(guard, "WITH clients AS (SELECT nom FROM clients) SELECT nom FROM clients").sql
    assert sql.count(f"FROM {schema}.") == 1


def test_quoted_names_follow_the_engine() -> None:
    refused(Guard(policy(), "postgres"), 'SELECT * FROM "CLIENTS"', "unknown_table")
    accepted(Guard(policy(), "postgres"), "SELECT NOM FROM CLIENTS")
    accepted(Guard(policy("duckdb"), "duckdb"), 'SELECT "Nom" FROM "CLIENTS"')
    accepted(Guard(policy("mysql"), "mysql"), "SELECT `NOM` FROM clients")


def test_another_schema_is_another_table(guard: Guard) -> None:
    accepted(guard, "SELECT montant FROM autre.budget")
    refused(guard, "SELECT montant FROM budget", "unknown_table")
    refused(guard, "SELECT nom FROM autre.clients", "unknown_table")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("", "empty"),
        ("-- rien", "empty"),
        ("SELECT 1; SELECT 2", "several_statements"),
        ("DELETE FROM clients", "not_a_query"),
        ("SELECT * FROM salaires", "unknown_table"),
        ("SELECT nim FROM clients", "unknown_column"),
        ("SELECT upper(email) FROM clients", "masked_column"),
        ("SELECT nom FROM clients WHERE email = 'x'", "masked_column"),
        ("SELECT nom FROM clients ORDER BY email", "masked_column"),
        ("SELECT fonction_maison(nom) FROM clients", "forbidden_function"),
        ("SELECT id FROM clients FOR UPDATE", "locking"),
        ("SELECT 'x", "unreadable"),
        ("SELECT 1 +", "unreadable"),
        ("SELECT \u200bnom FROM clients", "bad_character"),
        ("SELECT " + "(" * 500 + "1" + ")" * 500, "too_long"),
        ("SELECT " + "1 + " * 40_000 + "1", "too_long"),
        ("SELECT repeat('x', 100000000)", "too_large"),
        ("SELECT COUNT(*) FROM ventes a, ventes b, ventes c", "too_many_joins"),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r", "unbounded_recursion"),
    ],
)
def test_reasons(guard: Guard, sql: str, reason: str) -> None:
    refused(guard, sql, reason)


def test_more_reasons() -> None:
    postgres, mysql = Guard(policy(), "postgres"), Guard(policy("mysql"), "mysql")
    refused(postgres, "SELECT 'x'::regclass", "forbidden_type")
    refused(postgres, "SELECT nom INTO t FROM clients", "writes")
    refused(postgres, "SELECT * FROM clients WHERE id = $1", "variable")
    refused(mysql, "SELECT @@version", "variable")
    refused(mysql, "SELECT 1 /*!50000 + 1 */", "executable_comment")
    refused(mysql, "WITH RECURSIVE a AS (SELECT 1 AS n FROM b), b AS (SELECT 1 AS n) SELECT * FROM a", "ambiguous_name")


def test_every_reason_has_a_message() -> None:
    assert [r for r in REASONS if not has_text(f"guard.{r}")] == []


def test_only_documented_reasons_are_raised() -> None:
    """Every ``RefusedSql("…")`` and ``Refusal("…")`` of the room names a documented reason and a message that exists."""
    root = Path(datapilot_kernel.__file__).parent / "guard"
    seen = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"RefusedSql", "Refusal"} and node.args:
                reason = node.args[0]
                if isinstance(reason, ast.Constant):
                    assert reason.value in REASONS, (path.name, reason.value)
                    seen.add(reason.value)
                keys = [k.value.value for k in node.keywords if k.arg == "key" and isinstance(k.value, ast.Constant)]
                assert all(has_text(f"guard.{k}") for k in keys if k), (path.name, keys)
    assert len(seen) > 15


def test_a_message_names_the_thing_and_tells_nothing_else(guard: Guard) -> None:
    forbidden = refused(guard, "SELECT * FROM salaires", "unknown_table").message
    missing = refused(guard, "SELECT * FROM nexistepas", "unknown_table").message
    assert forbidden.replace("salaires", "X") == missing.replace("nexistepas", "X")
    assert "«\u00a0client\u00a0»" in refused(guard, "SELECT * FROM client", "unknown_table").message
    assert "clients" in refused(guard, "SELECT * FROM client", "unknown_table").message
    assert "pg_sleep" in refused(guard, "SELECT pg_sleep(1)", "forbidden_function").message


def test_a_literal_never_reaches_the_log(guard: Guard) -> None:
    for sql in (
        "SELECT zzz('secret-value')",
        "SELECT * FROM salaires WHERE nom = 'secret-value'",
        "SELECT 'secret-value' +",
    ):
        verdict = guard.check(sql)
        assert isinstance(verdict, Refusal)
        assert "secret-value" not in verdict.log + verdict.message


# --- policy and row filters


def test_policy_is_strict() -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate_json('{"version": 2, "default_schema": "public", "tables": {}}')
    with pytest.raises(ValidationError):
        Policy.model_validate_json('{"version": 1, "default_schema": "public", "tables": {}, "extra": 1}')
    with pytest.raises(ValidationError):
        Policy.model_validate_json('{"version": 1, "default_schema": "", "tables": {}}')


def test_policy_table_names() -> None:
    assert split_name('"a.b".c', "x") == ("a.b", "c")
    assert split_name("Chiffre d'affaires", "x") == ("x", "Chiffre d'affaires")
    with pytest.raises(ValueError, match="schema"):
        split_name("a.b.c", "x")


@pytest.mark.parametrize("attributes", [{}, {"tenant": None}])
def test_a_missing_attribute_refuses(guard: Guard, attributes: dict[str, Any]) -> None:
    closed = Guard(policy(guard.dialect, attributes=attributes), guard.dialect)
    assert "tenant" in refused(closed, "SELECT nom FROM clients", "missing_attribute").message
    accepted(closed, "SELECT montant FROM ventes")


@pytest.mark.parametrize(
    ("row_filter", "attributes", "written"),
    [
        ("t = {a}", {"a": "x' OR 1=1 --"}, "'x'' OR 1=1 --'"),
        ("t = {a}", {"a": 7}, "= '7'"),
        ("t = {a}", {"a": -7}, "= '-7'"),
        ("n = {a}", {"a": 7}, "= 7"),
        ("n = {a}", {"a": "-7"}, "= (-7)"),
        ("v = {a}", {"a": True}, "= 'true'"),
        ("n IN ({a})", {"a": ["1", "2"]}, "IN (1, 2)"),
        ("n + {a} > 2", {"a": 7}, ""),
        ("t LIKE {a}", {"a": "x"}, "LIKE 'x'"),
        ("t IN ({a})", {"a": ["x", "y"]}, "IN ('x', 'y')"),
        ("t IN ({a})", {"a": []}, "IN (NULL)"),
        ("t = {a} AND u = {b}", {"a": "x", "b": "y"}, "'x'"),
    ],
)
def test_attributes_are_values(guard: Guard, row_filter: str, attributes: dict[str, Any], written: str) -> None:
    types = {"n": "bigint", "v": "character varying(20)"}
    tables = {"clients": {"columns": ["id"], "row_filter": row_filter, "types": types}}
    bound = Guard(policy(guard.dialect, tables=tables, attributes=attributes), guard.dialect)
    assert written in accepted(bound, "SELECT id FROM clients").sql


@pytest.mark.parametrize(
    "row_filter",
    [
        "1 = 1) OR (1 = 1",
        "id IN (SELECT id FROM salaires)",
        "autre.id = 1",
        "tenant_id = '{tenant}'",
        "pg_sleep(1) IS NULL",
        "",
        "tenant_id = {tenant}; DROP TABLE x",
        "tenant_id = {tenant} OFFSET 0",
        "t = {regions}",
        "n = {tenant}",
        "n IN ({regions})",
        "t SIMILAR TO {tenant}",
        "regexp_replace(t, {tenant}, '') = ''",
    ],
)
def test_a_bad_row_filter_closes_the_table(guard: Guard, row_filter: str) -> None:
    types = {"n": "numeric(10,2)"}
    tables = {"clients": {"columns": ["id"], "row_filter": row_filter, "types": types}, "ventes": {"columns": ["id"]}}
    closed = Guard(policy(guard.dialect, tables=tables, attributes={"tenant": "t1", "regions": ["a"]}), guard.dialect)
    refused(closed, "SELECT id FROM clients", "bad_policy")
    accepted(closed, "SELECT id FROM ventes")
    assert closed.problems


def test_an_attribute_in_like_has_no_wildcard(guard: Guard) -> None:
    tables = {"clients": {"columns": ["id"], "row_filter": "t LIKE CONCAT({a}, '%')"}}
    bound = Guard(policy(guard.dialect, tables=tables, attributes={"a": "x%_"}), guard.dialect)
    written = accepted(bound, "SELECT id FROM clients").sql
    assert "\\%" in written
    assert "'x%" not in written
    assert guard.dialect != "duckdb" or "ESCAPE" in written
    empty = Guard(policy(guard.dialect, tables=tables, attributes={"a": ""}), guard.dialect)
    refused(empty, "SELECT id FROM clients", "missing_attribute")


@pytest.mark.parametrize("row_filter", ["t = {a}", "({a}) = t", "t IN ({a}, 'y')", "NOT (t = {a})", "lower(t) = lower({a})"])
def test_mysql_compares_attributes_to_the_letter(row_filter: str) -> None:
    tables = {"clients": {"columns": ["id"], "row_filter": row_filter}}
    bound = Guard(policy("mysql", tables=tables, attributes={"a": "x"}), "mysql")
    assert "USING utf8mb4) AS BINARY" in accepted(bound, "SELECT id FROM clients").sql


def test_an_impossible_table_name_is_a_problem_only(guard: Guard) -> None:
    tables = {"a.b.c": {"columns": ["id"]}, "ventes": {"columns": ["id"]}}
    odd = Guard(policy(guard.dialect, tables=tables), guard.dialect)
    assert odd.problems
    accepted(odd, "SELECT id FROM ventes")
    refused(odd, "SELECT id FROM c", "unknown_table")
    assert guard.check_condition("a = 1", "a.b.c") is not None


def test_rows_of_a_table_without_columns_can_be_counted(guard: Guard) -> None:
    tables = {"fantome": {"columns": [], "row_filter": "t = {tenant}"}}
    accepted(Guard(policy(guard.dialect, tables=tables), guard.dialect), "SELECT COUNT(*) FROM fantome")


def test_half_characters_are_refused(guard: Guard) -> None:
    refused(guard, "SELECT '\ud800' AS a", "bad_character")
    tables = {"clients": {"columns": ["id"], "row_filter": "t = {a}"}}
    bound = Guard(policy(guard.dialect, tables=tables, attributes={"a": "\ud800"}), guard.dialect)
    assert not bound.check("SELECT id FROM clients").ok


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("nom NOT LIKE ANY (ARRAY['a'])", "\"nom\" NOT LIKE ANY (ARRAY['a'])"),
        ("NOT nom LIKE ANY (ARRAY['a'])", "NOT \"nom\" LIKE ANY (ARRAY['a'])"),
        ("nom !~~ ANY (ARRAY['a'])", "\"nom\" NOT LIKE ANY (ARRAY['a'])"),
        ("NOT nom ~ ANY (ARRAY['a'])", 'NOT "nom" ~ ANY'),
        ("nom !~ ANY (ARRAY['a'])", '"nom" !~ ANY'),
        ("nom <> ALL (ARRAY['a'])", "\"nom\" <> ALL (ARRAY['a'])"),
    ],
)
def test_a_negated_list_keeps_its_meaning(written: str, sent: str) -> None:
    assert sent in accepted(Guard(policy("postgres"), "postgres"), f"SELECT id FROM clients WHERE {written}").sql


def test_a_negated_list_of_regular_expressions_beside_not_is_refused() -> None:
    guard = Guard(policy("postgres"), "postgres")
    refused(guard, "SELECT id FROM clients WHERE NOT nom !~ ANY (ARRAY['a'])", "forbidden_syntax")


@pytest.mark.parametrize(
    ("dialect", "written", "sent"),
    [
        ("mysql", "SELECT DISTINCT SQL_NO_CACHE nom FROM clients", "SELECT DISTINCT `nom`"),
        ("mysql", "SELECT nom FROM clients USE INDEX (PRIMARY)", "AS `clients` LIMIT"),
        ("mysql", "SELECT 0xFF, X'41'", "SELECT 0xFF, UNHEX('41')"),
        ("postgres", "SELECT U&'\\00e9', |/ 16 + 9", "SELECT 'é', |/ 16 + 9"),
        ("postgres", "SELECT 1 AS a FROM (SELECT 1 AS xor) t WHERE xor = 1", '"xor" = 1'),
        ("duckdb", "SELECT id FROM clients TABLESAMPLE 10%", 'AS "clients" TABLESAMPLE SYSTEM(10 PERCENT)'),
        ("duckdb", "FROM clients USING SAMPLE 5", "USING SAMPLE RESERVOIR(5 ROWS)"),
        ("duckdb", "SELECT @ -5, [1, 2][1:2:1]", "SELECT @ -5, [1, 2][1:2:1]"),
    ],
)
def test_forms_of_one_engine(dialect: str, written: str, sent: str) -> None:
    assert sent in accepted(Guard(policy(dialect), dialect), written).sql  # type: ignore[arg-type]


def test_check_condition(guard: Guard) -> None:
    assert guard.check_condition("tenant_id = {tenant}", "clients") is None
    assert guard.check_condition("id IN (SELECT 1)", "clients") is not None


def test_a_masked_column_keeps_its_type_when_known() -> None:
    tables = {"paie": {"columns": ["id"], "masked": ["salaire"], "types": {"salaire": "numeric(12, 2)"}}}
    sql = accepted(Guard(policy(tables=tables), "postgres"), "SELECT * FROM paie").sql
    assert 'CAST(NULL AS NUMERIC(12, 2)) AS "salaire"' in sql


def test_group_by_of_a_key_names_what_it_determines() -> None:
    guard = Guard(policy(), "postgres")
    sql = "SELECT c.id, c.nom, SUM(v.montant) AS s FROM clients c JOIN ventes v ON v.client_id = c.id GROUP BY c.id"
    assert 'GROUP BY "c"."id", "c"."nom"' in accepted(guard, sql).sql
    assert 'GROUP BY "c"."region" LIMIT' in accepted(guard, "SELECT c.region, COUNT(*) FROM clients c GROUP BY c.region").sql


# --- text


@pytest.mark.parametrize(
    ("dialect", "sql", "strings"),
    [
        ("postgres", r"SELECT 'a''b', E'a\'b', $x$it's$x$, N'n', 'c:\'", ["a'b", "a'b", "it's", "n", "c:\\"]),
        ("mysql", r"""SELECT 'a\'b', "c""d", 'x\ny', 'a' 'b'""", ["a'b", 'c"d', "x\ny", "ab"]),
        ("duckdb", "SELECT 'a''b', $$x$$, E'\\t'", ["a'b", "x", "\t"]),
    ],
)
def test_strings_are_read_as_the_engine_does(dialect: str, sql: str, strings: list[str]) -> None:
    assert canonicalise(sql, dialect).strings == strings


def test_comments_end_where_the_engine_ends_them() -> None:
    assert "DELETE" not in canonicalise("SELECT 1 /* a /* b */ DELETE */", "postgres").sql
    assert "x" in canonicalise("SELECT 1 /* a /* b */ + x", "mysql").sql
    assert canonicalise("SELECT 5--2", "mysql").sql == "SELECT 5- -2"
    assert canonicalise("SELECT 5--2", "postgres").sql == "SELECT 5"


# --- walls


@pytest.mark.parametrize("room", ["guard", "plan"])
def test_imports_of_the_room(room: str) -> None:
    """Of third parties only pydantic and sqlglot; of ours only what lies below."""
    allowed = {"pydantic", "sqlglot", "datapilot_kernel"} | set(sys.stdlib_module_names)
    root = Path(datapilot_kernel.__file__).parent
    ours = {
        "guard": {"guard", "messages", "errors"},
        "plan": {"plan", "semantic", "catalog", "guard", "sources", "messages", "errors"},
    }[room]
    for path in (root / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module or ""]
            for name in names:
                parts = name.split(".")
                assert parts[0] in allowed, (path.name, name)
                if parts[0] == "datapilot_kernel" and len(parts) > 1:
                    assert parts[1] in ours, (path.name, name)


def test_threads_share_a_guard(guard: Guard) -> None:
    wanted = accepted(guard, "SELECT nom FROM clients").sql
    seen: list[str] = []

    def work() -> None:
        seen.extend(accepted(guard, "SELECT nom FROM clients").sql for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {wanted}
    assert len(seen) == 200


# --- command


def test_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse
    import io

    from datapilot_kernel.cli import guard_command

    file = tmp_path / "policy.json"
    file.write_text(policy().model_dump_json(), encoding="utf-8")
    lines = [
        '{"id": 1, "sql": "SELECT nom FROM clients"}',
        "pas du json",
        '{"id": "b", "sql": "SELECT * FROM salaires"}',
        '{"id": 3}',
    ]
    monkeypatch.setattr(sys, "stdin", type("In", (), {"buffer": io.BytesIO("\n".join(lines).encode() + b"\n\xff\n")})())
    assert guard_command.run(argparse.Namespace(policy=str(file), dialect="postgres")) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(a["id"], a["ok"], a.get("reason")) for a in answers] == [
        (1, True, None), (None, False, "bad_request"), ("b", False, "unknown_table"), (None, False, "bad_request"), (None, False, "bad_request")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"version": 1, "default_schema": "p", "tables": {"a": {"columns": [], "row_filter": "1 = ("}}}', None],
)
def test_a_broken_policy_is_wrong_usage(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    from datapilot_kernel.cli import guard_command

    file = tmp_path / "policy.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    assert guard_command.run(argparse.Namespace(policy=str(file), dialect="duckdb")) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
