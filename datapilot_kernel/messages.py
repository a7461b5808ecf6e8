"""What people read, in French first and English second.

Every room keeps its texts in ``locale/LANG/ROOM.toml``; code names them by key: ``text("guard.forbidden_function",
name="pg_sleep")``. A key missing in the chosen language is a programming fault (``KeyError``): a test holds the two
catalogues to the same keys and the same placeholders. TOML because the standard library reads it and a translator can
edit it; gettext was left aside because its compiled files would have to be built before the first run.

A template may carry a plural: a table with ``one`` and ``other``, chosen by the parameter ``count`` by the rule of the
language (French: 0 and 1 are singular; English: only 1).
"""

from __future__ import annotations

import tomllib
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

Language = Literal["fr", "en"]

_language: ContextVar[Language] = ContextVar("datapilot_language", default="fr")
_packages = ["datapilot_kernel"]


def register_catalogues(package: str) -> None:
    """Add the rooms of another package of this repository (``hub_config``): its ``locale/LANG/ROOM.toml``. Safe twice."""
    if package not in _packages:
        _packages.append(package)


def set_language(language: Language) -> None:
    """Choose the language of every later text in this context (thread or task)."""
    _language.set(language)


def current_language() -> Language:
    """Return the language in force: ``"fr"`` unless set."""
    return _language.get()


@cache
def _room(language: Language, room: str) -> dict[str, Any]:
    for package in _packages:
        resource = files(package).joinpath("locale", language, f"{room}.toml")
        if resource.is_file():
            return _flatten(tomllib.loads(resource.read_text(encoding="utf-8")))
    raise KeyError(f"no catalogue for {room!r}")


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and not {"one", "other"} <= value.keys():
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def text(key: str, /, *, language: Language | None = None, **values: Any) -> str:
    """Return the text of ``key`` with its placeholders filled in.

    Parameters
    ----------
    key
        ``room.name`` (the name may itself have dots: TOML tables).
    language
        None: the language in force.
    values
        Filled in with ``str.format``. Never pass a secret or a row's value that the reader may not see.

    Raises
    ------
    KeyError
        The catalogue has no such key, or a placeholder is not given.
    """
    language = language or current_language()
    room, _, name = key.partition(".")
    template = _room(language, room)[name]
    if isinstance(template, dict):
        count = values["count"]
        singular = abs(cast("float", count)) < 2 if language == "fr" else count == 1
        template = template["one" if singular else "other"]
    return cast("str", template).format(**values)


def has_text(key: str, /) -> bool:
    """Tell whether the French catalogue knows ``key``."""
    room, _, name = key.partition(".")
    return name in _room("fr", room)


def keys_below(prefix: str, /) -> list[str]:
    """Return the names of the French catalogue below a key, without it, in the catalogue's order.

    >>> "bad_today" in keys_below("engine")
    True
    """
    room, _, rest = prefix.partition(".")
    start = f"{rest}." if rest else ""
    return [name.removeprefix(start) for name in _room("fr", room) if name.startswith(start)]
