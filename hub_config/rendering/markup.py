"""The markup of a page, cleaned: text and places for tiles, nothing that runs, loads or asks anything of anybody.

``nh3`` (ammonia) parses as browsers do and writes anew what is on the list: no attribute can carry a script, no address
but a link that the reader clicks. Rejected: expressions over the text, and ``bleach``, which is no longer developed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote

_TAGS = {
    "section", "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "b", "i", "u", "s", "sup", "sub", "a",
    "small", "code", "pre", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td",
    "caption", "span",
}  # fmt: skip
_CLASSES = {"section": {"dp-text", "dp-tile"}}
_TILE = re.compile(r'data-tile="([0-9a-f]{32})"')


_LINK = re.compile(r"""(?:https://|mailto:)[^\s<>()\[\]"'`]+""")


def cleaned(markup: str, *, links: Collection[str] | None = None) -> str:
    """Return the markup with what a page may hold.

    Parameters
    ----------
    links
        Addresses that links may lead to (:func:`links_of`); None: any. What code made up while it ran with a reader's
        rights would carry away what those show, with the first reader who clicks.

    >>> cleaned('<section class="dp-text"><p onclick="x()">a<script>b</script><img src="http://c/d"></p></section>')
    '<section class="dp-text"><p>a</p></section>'
    """
    import nh3

    def kept(tag: str, attribute: str, value: str) -> str | None:
        return value if attribute != "href" or links is None or unquote(value) in links else None

    return nh3.clean(
        markup,
        attribute_filter=kept,
        tags=_TAGS,
        attributes={"section": {"data-tile"}, "a": {"href"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}},
        allowed_classes=_CLASSES,
        url_schemes={"https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )


def links_of(notebook: Mapping[str, Any]) -> frozenset[str]:
    """Return the addresses that a notebook's author wrote in its text, where whoever accepted it could read them.

    >>> sorted(links_of({"cells": [{"cell_type": "markdown", "source": "[a](https://b.example/c), https://d.example."}]}))
    ['https://b.example/c', 'https://d.example', 'https://d.example.']
    """
    written = "\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    found = [unquote(link) for link in _LINK.findall(written)]
    return frozenset([*found, *(link.rstrip(".,;:!?") for link in found)])


def places(markup: str) -> list[str]:
    """Return the ids of the tiles that the markup has places for, in order."""
    return _TILE.findall(markup)
