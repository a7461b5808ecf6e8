"""Properties: accepted output is accepted again and unchanged; no statement of the grammar reaches a table outside the policy;
no text makes the guard raise.
"""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapilot_kernel.guard import Accepted, Guard, Refusal
from tests.unit.test_guard import DIALECTS, policy

GUARDS = {d: Guard(policy(d), d) for d in DIALECTS}
_TABLES = ["clients", "ventes", "salaires", "autre.budget", "autre.clients", "x", "y", "CLIENTS", "autre.salaires"]
_COLUMNS = ["id", "nom", "montant", "region", "email", "c.id", "v.montant", "client_id"]

names = st.sampled_from(_TABLES)
columns = st.sampled_from(_COLUMNS)
values = st.sampled_from(["1", "'a'", "NULL", "2.5", "'t2'"])


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 8 if depth else 1))
    if kind == 0:
        return draw(columns)
    if kind == 1:
        return draw(values)
    inner = expressions(depth=depth - 1)
    if kind == 2:
        return f"({draw(inner)} {draw(st.sampled_from(['+', '=', '<', 'AND', 'OR', '||', 'LIKE']))} {draw(inner)})"
    if kind == 3:
        return (
            f"{draw(st.sampled_from(['COALESCE', 'UPPER', 'pg_sleep', 'SUM', 'COUNT', 'load_file', 'ABS']))}({draw(inner)})"
        )
    if kind == 4:
        return f"CASE WHEN {draw(inner)} THEN {draw(inner)} END"
    if kind == 5:
        return f"({draw(queries(depth=depth - 1))})"
    if kind == 6:
        return f"EXISTS ({draw(queries(depth=depth - 1))})"
    if kind == 7:
        return f"{draw(inner)} IN ({draw(queries(depth=depth - 1))})"
    return f"SUM({draw(inner)}) OVER (PARTITION BY {draw(inner)})"


@st.composite
def sources(draw: st.DrawFn, depth: int) -> str:
    if depth and draw(st.booleans()):
        return f"({draw(queries(depth=depth - 1))}) {draw(st.sampled_from(['c', 'v', 'salaires']))}"
    alias = draw(st.sampled_from(["", " c", " v", " AS clients", " salaires"]))
    return draw(names) + alias


@st.composite
def queries(draw: st.DrawFn, depth: int = 2) -> str:
    text = ""
    if depth and draw(st.booleans()):
        ctes = [
            f"{draw(st.sampled_from(['x', 'y', 'clients', 'salaires']))} AS ({draw(queries(depth=depth - 1))})"
            for _ in range(draw(st.integers(1, 2)))
        ]
        text = f"WITH {draw(st.sampled_from(['', 'RECURSIVE ']))}{', '.join(ctes)} "
    items = draw(st.sampled_from(["*", "c.*", "1"])) if draw(st.booleans()) else draw(expressions(depth=depth))
    text += f"SELECT {items} FROM {draw(sources(depth))}"
    if draw(st.booleans()):
        text += f" JOIN {draw(sources(depth))} ON {draw(expressions(depth=0))} = {draw(expressions(depth=0))}"
    if draw(st.booleans()):
        text += f" WHERE {draw(expressions(depth=depth))}"
    if depth and draw(st.booleans()):
        text += f" {draw(st.sampled_from(['UNION', 'UNION ALL', 'EXCEPT']))} {draw(queries(depth=0))}"
    return text


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(dialect=st.sampled_from(DIALECTS), sql=queries())
def test_no_table_outside_the_policy_is_reached(dialect: str, sql: str) -> None:
    guard = GUARDS[dialect]
    verdict = guard.check(sql)
    if isinstance(verdict, Refusal):
        assert not verdict.log.startswith("unforeseen"), verdict
        return
    # every qualified name after FROM is inside one of the guard's own subqueries
    text = verdict.sql
    for info in guard._tables.values():
        text = re.sub(r"\(SELECT [^()]* " + re.escape(info.tail) + r"\)", "()", text)
    mark = "`" if dialect == "mysql" else '"'
    assert not re.search(rf"(?:FROM|JOIN|,) {mark}[^{mark}]+{mark}\.{mark}", text), verdict.sql
    # and what stays unqualified is the name of a CTE of the statement
    defined = set(re.findall(rf"(?:WITH |RECURSIVE |, ){mark}(\w+){mark} AS \(", text))
    for name in re.findall(rf"(?:FROM|JOIN) {mark}(\w+){mark}(?!\.)", text):
        assert name in defined, (sql, verdict.sql)
    again = guard.check(verdict.sql)
    assert isinstance(again, Accepted), (verdict.sql, again)
    assert again.sql == verdict.sql
    assert again.tables == verdict.tables


_WORDS = """SELECT FROM WHERE AND OR NOT IN BETWEEN LIKE IS NULL CASE WHEN THEN ELSE END CAST AS INTERVAL DATE JOIN LEFT ON USING GROUP BY ORDER
HAVING LIMIT OFFSET UNION ALL DISTINCT WITH RECURSIVE LATERAL EXISTS ANY VALUES WINDOW OVER PARTITION ROWS FILTER PIVOT QUALIFY ARRAY nom clients
1 'x' ( ) [ ] { } , . + - * / % < > = || :: -> : ~ ! ; /* */ -- # $$ E'\\' @ ? "a" `b` lambda COLUMNS EXTRACT TRIM SUBSTRING""".split()  # noqa: SIM905


@settings(max_examples=500, deadline=None)
@given(
    dialect=st.sampled_from(DIALECTS),
    words=st.lists(st.sampled_from(_WORDS), max_size=25),
    glue=st.sampled_from([" ", "", "\n"]),
)
def test_no_text_makes_it_raise(dialect: str, words: list[str], glue: str) -> None:
    verdict = GUARDS[dialect].check("SELECT " + glue.join(words))
    assert isinstance(verdict, (Accepted, Refusal))


@settings(max_examples=300, deadline=None)
@given(dialect=st.sampled_from(DIALECTS), text=st.text(max_size=60))
def test_no_character_makes_it_raise(dialect: str, text: str) -> None:
    for sql in (text, "SELECT " + text, f"SELECT '{text}", f"SELECT nom FROM clients WHERE nom = '{text}'"):
        assert isinstance(GUARDS[dialect].check(sql), (Accepted, Refusal))


def test_nothing_deep_makes_it_crash_on_a_small_stack() -> None:
    """A segmentation fault would end the process: the parser runs here on half a megabyte, as in some servers' threads."""
    finished = []

    def work() -> None:
        for dialect in DIALECTS:
            for piece in ("x JOIN ", "(", "a -> ", "1 UNION SELECT ", "CASE WHEN ", "NOT ", "1 + "):
                for count in (58, 3_500):
                    closing = ")" * count if piece == "(" else ""
                    finished.append(GUARDS[dialect].check("SELECT " + piece * count + "1" + closing))

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(finished) == 42


@pytest.mark.slow
def test_nothing_deep_makes_it_crash() -> None:
    """The compiled parser recurses without Python's limit: depth is bounded before it sees the text."""
    for dialect in DIALECTS:
        for piece in (
            "(", "[", "NOT ", "- ", "CASE WHEN ", "SELECT (", "CAST(", "{'a': ", "x -> ", "EXISTS (SELECT ", "a.", "1 + ", "1 AND ", "INTERVAL ",
            "DATE ", "LATERAL ", "DISTINCT ", "a BETWEEN ", "ARRAY[", "lambda x: ", "f(", "1 UNION SELECT ", "x AS ", "ANY ", "a ->> ", "~ ", "! ",
            "x JOIN ", "1 IN (", "FROM ", "WITH a AS (", "a COLLATE ", "a::", "VALUES (", "x ESCAPE ", "TABLE ", "a[",
        ):  # fmt: skip
            for count in (60, 1_000, 11_000):
                assert isinstance(GUARDS[dialect].check("SELECT " + piece * count), (Accepted, Refusal))
