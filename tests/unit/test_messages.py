"""The two catalogues have the same keys and the same placeholders; plurals follow the language."""

from __future__ import annotations

import string
import tomllib
from importlib.resources import files

import pytest

from datapilot_kernel import messages

LOCALE = files("datapilot_kernel").joinpath("locale")
ROOMS = sorted(p.name.removesuffix(".toml") for p in LOCALE.joinpath("fr").iterdir())


def _fields(template: object) -> set[str]:
    parts = template.values() if isinstance(template, dict) else [template]
    return {name for part in parts for _, name, _, _ in string.Formatter().parse(str(part)) if name is not None}


def _catalogue(language: str, room: str) -> dict[str, object]:
    raw = LOCALE.joinpath(language, f"{room}.toml").read_text(encoding="utf-8")
    return messages._flatten(tomllib.loads(raw))


def test_both_languages_have_the_same_rooms() -> None:
    assert sorted(p.name.removesuffix(".toml") for p in LOCALE.joinpath("en").iterdir()) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_same_keys_and_placeholders(room: str) -> None:
    fr, en = _catalogue("fr", room), _catalogue("en", room)
    assert fr.keys() == en.keys()
    for key in fr:
        assert _fields(fr[key]) - {"count"} == _fields(en[key]) - {"count"}, key


def test_a_missing_key_is_a_fault() -> None:
    with pytest.raises(KeyError):
        messages.text("errors.no_such_key")
