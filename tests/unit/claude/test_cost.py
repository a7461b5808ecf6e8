"""Prices, budgets, settings."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from pydantic import SecretStr

from datapilot_kernel.errors import BadInput
from datapilot_kernel.nl2sql.claude.adapter import retirement
from datapilot_kernel.nl2sql.claude.cost import DEFAULT_PRICES, Budgets, LimitBudget, OverBudget, Price, PriceTable, Usage
from datapilot_kernel.nl2sql.claude.settings import DEFAULT_MODEL, ENVIRONMENT, ModelSettings, settings_from_environment
from tests.model_server import KEY


def test_the_longest_name_that_fits_has_the_price() -> None:
    cheap, dear = (
        Price(input=1, output=5, cache_write=1, cache_read=0),
        Price(input=9, output=90, cache_write=9, cache_read=1),
    )
    table = PriceTable(models={"claude-sonnet": cheap, "claude-sonnet-9": dear})
    assert table.price("claude-sonnet-4-5-20250929") == cheap
    assert table.price("claude-sonnet-9-1") == dear
    assert table.price("something-else") == dear, "what is not known costs as much as the dearest"
    assert not table.knows("something-else")
    assert DEFAULT_PRICES.knows(DEFAULT_MODEL)
    assert DEFAULT_PRICES.price("claude-sonnet-5-5").output == 10 < DEFAULT_PRICES.price("claude-sonnet-4-6").output


def test_the_default_is_a_model_that_the_vendor_knows_and_keeps() -> None:
    from typing import get_args

    from anthropic.types import Model

    assert retirement(DEFAULT_MODEL) is None
    assert any(DEFAULT_MODEL in get_args(part) for part in get_args(Model))


def test_costs_are_whole_microeuros_rounded_up() -> None:
    price = Price(input=Decimal("0.3"), output=15, cache_write=1, cache_read=Decimal("0.01"))
    assert price.microeuros(Usage(1, 0, 0, 0)) == 1
    assert price.microeuros(Usage(10, 2, 5, 100)) == 3 + 30 + 5 + 1
    assert price.microeuros(Usage()) == 0
    assert price.most(100, 10) == 100 + 150


def test_many_threads_never_pass_a_budget() -> None:
    budget = LimitBudget(1_000)
    passed: list[int] = []

    def spend() -> None:
        for _ in range(50):
            try:
                held = budget.reserve(30)
            except OverBudget:
                continue
            held.settle(20)
            passed.append(20)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spent_microeuros == sum(passed) <= 1_000
    assert budget.spent_microeuros > 900


def test_all_of_several_budgets_need_room() -> None:
    tenant, person = LimitBudget(100), LimitBudget(50, who="person")
    both = Budgets([tenant, person])
    both.reserve(40).settle(30)
    with pytest.raises(OverBudget, match="Votre budget"):
        both.reserve(30)
    assert (tenant.spent_microeuros, person.spent_microeuros) == (30, 30)
    tenant.reserve(70).settle(70)
    with pytest.raises(OverBudget, match="entreprise"):
        both.reserve(10)


def test_the_environment_makes_the_settings() -> None:
    assert settings_from_environment({}) is None
    assert settings_from_environment({"ANTHROPIC_API_KEY": ""}) is None
    made = settings_from_environment(
        {
            "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://x", "DATAPILOT_MODEL": "claude-y", "DATAPILOT_MODEL_OPENNESS": "values",
            "DATAPILOT_MODEL_TIMEOUT_MS": "1234", "HOME": "/",
        }
    )  # fmt: skip
    assert made == ModelSettings(
        key=SecretStr(KEY), base_url="http://x", model="claude-y", openness="values", whole_timeout_ms=1234
    )
    default = settings_from_environment({"ANTHROPIC_API_KEY": KEY})
    assert default is not None
    assert (default.model, default.openness, default.base_url) == (DEFAULT_MODEL, "metadata", None)


@pytest.mark.parametrize("name", ["DATAPILOT_MODEL_OPENNESS", "DATAPILOT_MODEL_TIMEOUT_MS", "DATAPILOT_MODEL_MAX_RETRIES"])
def test_a_wrong_variable_is_named_and_its_value_is_not_shown(name: str) -> None:
    assert name in ENVIRONMENT
    with pytest.raises(BadInput) as caught:
        settings_from_environment({"ANTHROPIC_API_KEY": KEY, name: "zx-wrong"})
    assert name in str(caught.value)
    assert "zx-wrong" not in str(caught.value) + caught.value.log
    assert caught.value.__cause__ is None
