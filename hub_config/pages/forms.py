"""Against requests that another page makes in somebody's browser.

Two walls, each enough by itself. The browser says where a request comes from (``Sec-Fetch-Site``, ``Origin``), and only the
very same origin is taken: not « same-site », for the notebooks' origins are that. And each form carries a token derived from
the cookie's secret, which no other page knows; before sign-in from a cookie of its own, so that nobody can be signed in to
somebody else's account.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request


def token_of(secret: str) -> str:
    """Return the token of forms of whoever has this cookie."""
    return hmac.new(secret.encode(), b"datapilot form", hashlib.sha256).hexdigest()


def is_own(request: Request, public_url: str) -> bool:
    """Tell whether the browser says that the request comes from our own origin, or says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    if origin == "null":
        return False
    try:
        said, ours = urlsplit(origin), urlsplit(public_url)
    except ValueError:
        return False  # no browser writes such an origin
    # By whichever name the browser came: it is the one that the browser itself names as the request's host.
    return (said.scheme, said.netloc) == (ours.scheme, ours.netloc) or said.netloc == request.headers.get("host")


def is_good(given: str, secret: str) -> bool:
    """Tell whether a form's token belongs to the cookie."""
    return bool(secret) and hmac.compare_digest(given.encode(), token_of(secret).encode())


def safe_next(path: str) -> str:
    r"""Return a path of ours to go on to; the home where it is none.

    >>> [safe_next(p) for p in ("/account", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example")]
    ['/account', '/', '/', '/', '/']
    """
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable() or len(path) > 1000:
        return "/"
    return "/" if urlsplit(path).netloc or urlsplit(path).scheme else path
