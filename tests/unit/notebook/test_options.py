from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook import options as opt


def test_the_question_comes_through_untouched() -> None:
    parsed = opt.parse("-s ventes -o ca --no-chart  chiffre d'affaires de l'année, -10 % ou « plus »", opt.ASK)
    assert parsed.get(opt.SOURCE) == "ventes"
    assert parsed.get(opt.OUTPUT) == "ca"
    assert parsed.has(opt.NO_CHART)
    assert not parsed.has(opt.NEW)
    assert parsed.rest == "chiffre d'affaires de l'année, -10 % ou « plus »"


@pytest.mark.parametrize(
    ("line", "rest"),
    [("ca -s x", "ca -s x"), ("-10 est-ce beaucoup ?", "-10 est-ce beaucoup ?"), ("- tiret", "- tiret"), ("-- -s x", "-s x"),
     ("--engine=local ca", "ca"), ("", ""), ("'ca' par mois", "'ca' par mois")],
)  # fmt: skip
def test_where_the_question_begins(line: str, rest: str) -> None:
    assert opt.parse(line, opt.ASK).rest == rest


@pytest.mark.parametrize("line", ["--inconnu ca", "-s", "--engine gpt ca", "-x ca"])
def test_what_is_wrong_is_said(line: str) -> None:
    with pytest.raises(BadInput) as error:
        opt.parse(line, opt.ASK)
    assert str(error.value).endswith(".")


def test_paths_with_spaces() -> None:
    assert opt.words('"Mes données/ventes 2026.csv" as v') == ["Mes données/ventes 2026.csv", "as", "v"]


@given(st.text(alphabet="ab'\"« »-é\t", max_size=30).filter(lambda t: not t.strip().startswith("-")))
def test_a_question_without_options_is_only_trimmed(question: str) -> None:
    assert opt.parse(question, opt.ASK).rest == question.strip()
