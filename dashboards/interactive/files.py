"""The files of Voilà's script and of the widgets' own, from this very installation: by name, and nothing beside them.

``files.json`` holds the digest of each, as the locked versions bring them (``python -m dashboards.interactive.files`` writes
it; a test holds it to what is installed). The API takes a file from a process by its digest alone: the notebook's own code
runs beside that process and could hand in another, and what is in these files is the only script that a page may run.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from functools import cache
from importlib.resources import files as packaged
from pathlib import Path
from typing import Any

STATIC, EXTENSIONS, CHANNEL = "static/", "labextensions/", "channel.js"
SUFFIXES = frozenset({".js", ".css", ".woff", ".woff2", ".ttf", ".eot", ".svg", ".png", ".json"})
MOST_BYTES = 16_000_000
_NOT_LOADED = ("licenses.json", "/reveal.js", "/treepage.js", "/require.min.js", ".eot")
_NOT_FOR_VIEWERS = ["datapilot-lab", "@voila-dashboards/jupyterlab-preview", "@jupyter-notebook/lab-extension"]
_WITHOUT = ["@jupyterlab/mathjax2-extension:plugin", "@jupyterlab/mathjax2-extension"]
"""Loads from a CDN, and has no other place here."""
_PLAIN = {"terminalsAvailable": False, "progressiveRendering": False, "disabledExtensions": _WITHOUT}

_GIVES_UP = b'throw Error("widget model not found")}return t}'
_LOOKS_ONCE_MORE = b'if(void 0===(t=this._models[e]))throw Error("widget model not found")}return t}'
"""The widgets' manager (jupyterlab_widgets 3.0.17) waits two seconds for a model and gives up without a last look: where
drawing charts takes that long the model has come meanwhile, and its place would say « Error displaying widget » for good."""


@cache
def _folders() -> tuple[Path, tuple[Path, ...]]:
    """Where Voilà's script is, and where extensions are."""
    from voila.paths import collect_static_paths
    from voila.utils import get_voila_labextensions_path

    static = next(path for path in map(Path, collect_static_paths(["voila"], "lab")) if (path / "voila.js").is_file())
    return static.resolve(), tuple(Path(path).resolve() for path in get_voila_labextensions_path() if Path(path).is_dir())


@cache
def page_config() -> dict[str, Any]:
    """Return what Voilà's script reads in the page: which extensions there are. The caller adds its own addresses."""
    from voila.configuration import VoilaConfiguration
    from voila.utils import get_page_config

    chosen = VoilaConfiguration(extension_denylist=_NOT_FOR_VIEWERS)
    found = get_page_config("/", {}, logging.getLogger(__name__), chosen)
    kept = ("appVersion", "federated_extensions", "extensionConfig")
    return {name: found[name] for name in kept if name in found} | _PLAIN


def read(name: str) -> bytes | None:
    """Return a file of the script's; None: there is none of that name for a page.

    >>> read("static/../../../etc/passwd"), read("labextensions/datapilot-lab/package.json"), read("/etc/passwd")
    (None, None, None)
    """
    if name == CHANNEL:
        return packaged("dashboards.interactive").joinpath(CHANNEL).read_bytes()
    static, extensions = _folders()
    if name.startswith(STATIC):
        return _inside(static, name.removeprefix(STATIC))
    if name.startswith(EXTENSIONS):
        wanted = name.removeprefix(EXTENSIONS)
        allowed = {str(extension["name"]) for extension in page_config()["federated_extensions"]}
        if not any(wanted.startswith(f"{one}/static/") for one in allowed):
            return None
        for folder in extensions:
            found = _inside(folder, wanted)
            if found is not None:
                return found.replace(_GIVES_UP, _LOOKS_ONCE_MORE)
    return None


def _inside(folder: Path, name: str) -> bytes | None:
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or path.suffix not in SUFFIXES or not path.is_file():
            return None
        return path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except (OSError, ValueError):
        return None


@cache
def known() -> dict[str, str]:
    """Return the digest of every file that a page may load."""
    found: dict[str, str] = json.loads(packaged("dashboards.interactive").joinpath("files.json").read_text(encoding="utf-8"))
    return found


def is_known(name: str, content: bytes) -> bool:
    """Tell whether it is that very file."""
    digest = known().get(name)
    return digest is not None and hmac.compare_digest(digest, hashlib.sha256(content).hexdigest())


def installed() -> dict[str, str]:
    """Return the digest of every file of this installation that a page may load."""
    static, extensions = _folders()
    names = [CHANNEL, *(f"{STATIC}{path.relative_to(static)}" for path in static.rglob("*"))]
    for folder in extensions:
        names += [f"{EXTENSIONS}{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file()]
    found = {name: read(name) for name in dict.fromkeys(names) if not name.endswith(_NOT_LOADED)}
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(found.items()) if content is not None}


def main() -> None:
    """Write ``files.json`` anew."""
    path = Path(__file__).with_name("files.json")
    path.write_text(json.dumps(installed(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
