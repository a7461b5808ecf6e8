from __future__ import annotations

from html.parser import HTMLParser

from datapilot_kernel.answers import Formatter
from datapilot_kernel.engine.outcome import Clarification, Failure, Refusal, Timings
from datapilot_kernel.nl2sql.understanding import Choice
from datapilot_kernel.notebook import card
from tests.scripted_client import ScriptedClient, plan

FR = Formatter()
ANSWER = ScriptedClient().run_plan(plan())
SINGLE = ScriptedClient().run_plan(plan(by=None))
EVIL = "<script>alert(1)</script>"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _checked(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "b-"}
    assert not any(name.startswith("on") for name in tags.attributes)
    assert "http" not in html
    return tags


def test_an_answer_needs_no_script_and_no_network() -> None:
    assert ANSWER.__class__.__name__ == "Answer"
    _checked(card.head(ANSWER, FR))
    _checked(card.table(ANSWER, FR, "duckdb"))  # type: ignore[arg-type]


def test_data_are_escaped() -> None:
    html = card.table(ANSWER, FR, "duckdb")  # type: ignore[arg-type]
    assert "<b>Nord" not in html
    assert "&lt;b&gt;Nord&lt;/b&gt; &amp; Est" in html
    for outcome in (
        Refusal("1", EVIL, (EVIL,), "local", Timings(), "unknown_word", EVIL),
        Failure("1", EVIL, (), "local", Timings(), "X"),
        Clarification("1", EVIL, (), "local", Timings(), (Choice(EVIL, plan()), Choice("b", plan()))),
    ):
        assert EVIL not in card.head(outcome, FR)
        _checked(card.head(outcome, FR))
    assert EVIL not in card.message(EVIL)


def test_figures_stand_right_and_null_is_said() -> None:
    html = card.table(ANSWER, FR, "duckdb")  # type: ignore[arg-type]
    assert '<td class="dp-num">14\u202f109,29\u00a0€</td>' in html
    assert "(non renseigné)" in html


def test_one_figure_is_shown_large_and_not_as_a_table() -> None:
    assert "dp-kpi-value" in card.head(SINGLE, FR)
    assert "<table" not in card.table(SINGLE, FR, "duckdb")  # type: ignore[arg-type]


def test_plain_text_has_everything() -> None:
    text = card.plain(ANSWER, FR)
    assert "Bretagne" in text
    assert "Période" in text
    assert "14\u202f109,29" in text
