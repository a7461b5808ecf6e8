from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.notebook import passwords as p


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("postgresql://lea:s3cret@db:5432/ventes", "postgresql://lea@db:5432/ventes"),
     ("mysql://lea:p@ss:w/rd@db/x as y", "mysql://lea@db/x as y"),
     ("postgresql://lea@db/ventes?password=s3cret&sslmode=require", "postgresql://lea@db/ventes?password=&sslmode=require"),
     ("postgresql://:s3cret@db/x", "postgresql://@db/x"),
     ("ventes.csv", "ventes.csv"), ("postgresql://lea@db/x", "postgresql://lea@db/x"), ("http://h:80/a", "http://h:80/a")],
)  # fmt: skip
def test_passwords_are_taken_out(typed: str, kept: str) -> None:
    assert p.without_password(typed) == kept
    assert p.has_password(typed) == (typed != kept)
    assert not p.has_password(kept) or kept.endswith("require")


def test_a_url_with_a_user_and_no_password_asks_for_it() -> None:
    assert p.needs_password("postgresql://lea@db/x")
    assert not p.needs_password("postgresql://db/x")
    assert not p.needs_password("C:/lea@x.csv")


@given(st.text(min_size=1, alphabet=st.characters(codec="utf-8")))
def test_any_password_survives_its_way_into_the_url(password: str) -> None:
    made = p.with_password("postgresql://lea@db:5432/x?sslmode=require", password)
    parts = urlsplit(made)
    assert unquote(parts.password or "") == password
    assert (parts.username, parts.hostname, parts.port, parts.path, parts.query) == (
        "lea",
        "db",
        5432,
        "/x",
        "sslmode=require",
    )


def test_what_the_shell_remembers_is_cleaned() -> None:
    cell = "%datapilot source postgresql://lea:s3cret@db/x"
    history = SimpleNamespace(
        input_hist_raw=["", cell], input_hist_parsed=["", f"run_line_magic('datapilot', '{cell}')"], db_input_cache=[(1, cell, cell)],
        _i00=cell, _i=cell, _ii="", _iii="",
    )  # fmt: skip
    shell = SimpleNamespace(
        history_manager=history, user_ns={"_i": cell, "_i1": cell, "x": 1, "In": history.input_hist_parsed}
    )
    p.forget(shell)
    assert "s3cret" not in repr((vars(history), shell.user_ns))
