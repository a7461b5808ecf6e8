"""Money: nothing set aside stays so, nothing spent is forgotten, no price below nothing."""

from __future__ import annotations

import threading

import pytest
from pydantic import ValidationError

from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.nl2sql.claude.cost import Budgets, LimitBudget, Price, PriceTable, Reservation
from datapilot_kernel.sources.model import CancelToken
from tests.model_server import ModelServer, Reply, Usage, text
from tests.unit.claude.conftest import Make
from tests.unit.claude.test_engine import ODD, plan


class Broken:
    """A budget whose database is away: at reserving, or only at settling."""

    def __init__(self, *, reserves: bool) -> None:
        self._reserves = reserves

    def reserve(self, microeuros: int) -> Reservation:
        if not self._reserves:
            raise SourceProblem("engine.schema_changed")
        return self

    def settle(self, microeuros: int) -> None:
        raise SourceProblem("engine.schema_changed")


def test_a_budget_that_breaks_keeps_nothing_of_the_others() -> None:
    kept = LimitBudget(100)
    with pytest.raises(SourceProblem):
        Budgets([kept, Broken(reserves=False)]).reserve(100)
    kept.reserve(100).settle(0)


def test_a_budget_that_cannot_be_settled_does_not_keep_the_others_from_it() -> None:
    first, last = LimitBudget(100), LimitBudget(100)
    held = Budgets([first, Broken(reserves=True), last]).reserve(60)
    with pytest.raises(SourceProblem):
        held.settle(25)
    assert (first.spent_microeuros, last.spent_microeuros) == (25, 25)
    first.reserve(75)
    last.reserve(75)


def test_prices_are_no_less_than_nothing() -> None:
    for wrong in ("-1", "NaN", "Infinity"):
        with pytest.raises(ValidationError):
            Price(input=wrong, output=1, cache_write=1, cache_read=1)
    with pytest.raises(ValidationError):
        PriceTable(models={})


def test_a_stopped_question_says_what_it_cost(make: Make, server: ModelServer) -> None:
    engine = make()
    server.play([plan()])
    engine.ask(ODD)  # first use done: the source looked at, the SDK loaded
    server.play([text("une longue réponse " * 20).but(fragments=40, pauses=((12, 10.0),))])
    cancel = CancelToken()
    threading.Timer(1.0, cancel.cancel).start()
    with pytest.raises(Cancelled) as caught:
        engine.ask(ODD, cancel=cancel)
    assert caught.value.model.calls == 1
    assert caught.value.model.cost_microeuros >= 1200 * 3
    assert caught.value.model.to_json()["estimated"] is True


def test_parallel_questions_never_pass_the_budget_between_them(make: Make, server: ModelServer) -> None:
    dear = Usage(input=1000, output=2900)
    one = plan().but(usage=dear, wait_s=0.2)
    engine = make()
    server.play([one])
    engine.ask(ODD)
    request = server.requests[0].body
    most = engine.claude.settings.prices.price(request["model"]) if engine.claude else None
    assert most is not None
    limit = 400_000
    budget = LimitBudget(limit)
    shared = make(budget=budget)
    shared.prepare()

    def answer(body: dict[str, object]) -> Reply:
        return one

    server.play(answer)
    outcomes: list[object] = []
    threads = [threading.Thread(target=lambda: outcomes.append(shared.ask(ODD))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outcomes) == 12
    assert 0 < len(server.requests) < 12, "some were stopped before the call"
    assert budget.spent_microeuros == len(server.requests) * (1000 * 3 + 2900 * 15)
    assert budget.spent_microeuros <= limit
