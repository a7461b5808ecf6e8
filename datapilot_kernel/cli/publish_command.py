"""``datapilot publish``: ask for a saved notebook to be published as a dashboard.

In a container of the hub the notebook's token is enough: it can ask, and no more. Elsewhere one signs in with one's own
account; the password comes from a prompt or the environment, never from the command line, and is sent to no server without
encryption but this machine's. Either way a person decides, on the page whose address is printed last.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from datapilot_kernel.cli.common import note, print_json
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.notebook.publishing import Checked

EMAIL_VARIABLE, PASSWORD_VARIABLE = "DATAPILOT_EMAIL", "DATAPILOT_PASSWORD"


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("publish", help=text("publish.help"), description=text("publish.help_long"))
    parser.add_argument("notebook", metavar="NOTEBOOK", type=Path, help=text("publish.help_notebook"))
    parser.add_argument("--title", metavar="TITLE", help=text("publish.help_title"))
    parser.add_argument("--dashboard", metavar="NAME", help=text("publish.help_dashboard"))
    parser.add_argument("--server", metavar="URL", help=text("publish.help_server"))
    parser.add_argument("--email", metavar="EMAIL", help=text("publish.help_email", variable=EMAIL_VARIABLE))
    parser.add_argument("--tenant", metavar="ID", help=text("publish.help_tenant"))
    parser.add_argument("--check", action="store_true", help=text("publish.help_check"))
    parser.add_argument("--no-run", action="store_true", help=text("publish.help_no_run"))
    parser.add_argument("--json", action="store_true", help=text("cli.help_json"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, print, ask."""
    from datapilot_kernel.notebook.publishing import ask_all, kernel_of, read_notebook, run_through
    from datapilot_kernel.notebook.remote import RemoteClient

    checked = read_notebook(args.notebook)
    if checked.secrets:
        return _ended(args, checked, None)
    with _signed_in(args) as (server, token), RemoteClient.api(base_url=server, token=token) as api:
        possible = api.get("/dashboards/publishable")  # who is not signed in, or may not ask, hears it here
        dashboard = _dashboard(possible, args.dashboard) if args.dashboard else None
        note(text("publish.asking"))
        ask_all(checked, lambda name: RemoteClient(name, base_url=server, token=token), _tell)
        if not args.no_run and args.server is None and checked.has_code:
            note(text("publish.running"))
            run_through(checked, kernel=kernel_of(args.notebook), folder=args.notebook.resolve().parent)
        sent = None
        if checked.passed and not args.check:
            name = args.title or (None if dashboard is None else dashboard["name"])
            body = checked.request(name=name, dashboard_id=None if dashboard is None else dashboard["id"])
            sent = api.post("/dashboards/publication-requests", body)
    return _ended(args, checked, sent)


def _tell(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(text("publish.question", number=done + 1, count=of), end="\r", file=sys.stderr)


def _dashboard(found: dict[str, Any], wanted: str) -> dict[str, Any]:
    for one in found["items"]:
        if wanted in (one["id"], one["name"]):
            known: dict[str, Any] = one
            return known
    names = ", ".join(one["name"] for one in found["items"][:20]) or "—"
    raise BadInput("publish.no_dashboard", name=wanted, known=names)


# ── who asks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _signed_in(args: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Give the server and what gives its token; a session that was opened here is ended here."""
    from datapilot_kernel.notebook.hub_token import URL_VARIABLE, HubToken

    here = os.environ.get(URL_VARIABLE, "")
    if args.server is None:
        if not here:
            raise BadInput("publish.no_server")
        yield here, HubToken()
        return
    from datapilot_kernel.notebook.session_token import SessionToken

    where = urlsplit(args.server)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise BadInput("publish.bad_server", url=args.server[:200])
    if where.username or where.password:
        raise BadInput("publish.password_in_url")
    if where.scheme == "http" and where.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadInput("publish.not_encrypted")
    email = args.email or os.environ.get(EMAIL_VARIABLE) or _typed(text("publish.email_prompt"), secret=False)
    password = os.environ.get(PASSWORD_VARIABLE) or _typed(text("publish.password_prompt", email=email), secret=True)
    token = SessionToken(args.server, email, password, tenant_id=args.tenant)
    try:
        yield args.server, token
    finally:
        token.end()


def _typed(prompt: str, *, secret: bool) -> str:
    import getpass

    if not sys.stdin.isatty():
        raise BadInput("publish.no_prompt", email=EMAIL_VARIABLE, password=PASSWORD_VARIABLE)
    try:
        if secret:
            return getpass.getpass(prompt)
        print(prompt, end="", file=sys.stderr, flush=True)
        return input().strip()
    except EOFError:
        raise BadInput("publish.no_prompt", email=EMAIL_VARIABLE, password=PASSWORD_VARIABLE) from None


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _ended(args: argparse.Namespace, checked: Checked, sent: dict[str, Any] | None) -> int:
    if args.json:
        print_json(_as_json(checked, sent))
    _say(checked, args)
    if sent is not None:
        note(text("publish.sent", name=sent["name"]))
        note(text("publish.where"))
        if not args.json:
            print(sent["url"])
    return 0 if checked.passed else 1


def _say(checked: Checked, args: argparse.Namespace) -> None:
    for secret in checked.secrets:
        note(text("publish.secret", cell=secret.cell + 1, line=secret.line, kind=text(f"publish.secrets.{secret.kind}")))
    if checked.secrets:
        note(text("publish.secrets_end"))
        return
    note(text("publish.no_secret", count=len(checked.notebook["cells"])))
    if checked.failed is not None:
        note(text("publish.failed", cell=checked.failed[0], message=checked.failed[1]))
    elif checked.ran:
        note(text("publish.ran"))
    elif checked.has_code:
        note(text("publish.not_run"))
    for tile, trust in zip(checked.tiles, checked.trust, strict=True):
        note(text("publish.tile", cell=tile["cell"] + 1, title=tile["title"], trust=text(f"publish.trust.{trust}")))
    for one in checked.left:
        note(text("publish.left", cell=one.cell, text=one.text, why=one.why))
    if not checked.tiles:
        note(text("publish.no_tile"))


def _as_json(checked: Checked, sent: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "sent": sent is not None,
        "id": sent["id"] if sent is not None else None,
        "url": sent["url"] if sent is not None else None,
        "name": sent["name"] if sent is not None else checked.name,
        "secrets": [{"cell": s.cell + 1, "line": s.line, "kind": s.kind} for s in checked.secrets],
        "tiles": [
            {"cell": tile["cell"] + 1, "question": tile["question"], "trust": trust}
            for tile, trust in zip(checked.tiles, checked.trust, strict=True)
        ],
        "left": [{"cell": one.cell, "text": one.text, "why": one.why} for one in checked.left],
        "ran": checked.ran,
        "failed": None if checked.failed is None else {"cell": checked.failed[0], "message": checked.failed[1]},
    }
