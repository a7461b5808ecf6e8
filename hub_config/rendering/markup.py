"""The markup of a page, cleaned: text and places for tiles, nothing that runs, loads or asks anything of anybody.

``nh3`` (ammonia) parses as browsers do and writes anew what is on the list: no attribute can carry a script, no address
but a link that the reader clicks. Rejected: expressions over the text, and ``bleach``, which is no longer developed.
"""

from __future__ import annotations

import re

_TAGS = {
    "section", "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "b", "i", "u", "s", "sup", "sub", "a",
    "small", "code", "pre", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td",
    "caption", "span",
}  # fmt: skip
_CLASSES = {"section": {"dp-text", "dp-tile"}}
_TILE = re.compile(r'data-tile="([0-9a-f]{32})"')


def cleaned(markup: str) -> str:
    """Return the markup with what a page may hold.

    >>> cleaned('<section class="dp-text"><p onclick="x()">a<script>b</script><img src="http://c/d"></p></section>')
    '<section class="dp-text"><p>a</p></section>'
    """
    import nh3

    return nh3.clean(
        markup,
        tags=_TAGS,
        attributes={"section": {"data-tile"}, "a": {"href"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}},
        allowed_classes=_CLASSES,
        url_schemes={"https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )


def places(markup: str) -> list[str]:
    """Return the ids of the tiles that the markup has places for, in order."""
    return _TILE.findall(markup)
