"""The second step for a database: its connection, typed, tested, kept; and the same form for a source that is kept.

What is typed goes into a draft (:mod:`hub_config.data_sources.drafts`) and the browser is sent on to the draft's address:
reloading and going back show it again and send nothing. Secrets are in the draft and in no page. A secret is used for the
server, the account and the way that it was typed for; whoever names another types it again. A connection is kept only as it
was tested: another word in the form is another test.

A kept source's own secrets never come here. The page says what changes, and the manager decides whether the kept password
may still go there (:meth:`~hub_config.data_sources.administration.Administration.test_change`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.responses import Response

from datapilot_kernel.errors import BadInput, DataPilotError, Fault, SourceProblem
from datapilot_kernel.messages import text
from hub_config.data_sources.administration import SourceView, TestReport
from hub_config.data_sources.connection import ConnectionConfig, SshConfig
from hub_config.data_sources.drafts import Attempt, DatabaseDraft
from hub_config.errors import Conflict, NotFound, PlatformUnavailable, TooMany
from hub_config.pages.beside import a_moment
from hub_config.pages.serving import Visit, run

if TYPE_CHECKING:
    from hub_config.data_sources.drafts import Drafts

_ID = re.compile("[0-9a-f]{32}")
KINDS = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}
PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
TLS = ("verify", "require", "disable")
_FIELDS = {
    "type": 20, "name": 100, "workspace_id": 32, "host": 253, "port": 5, "database": 128, "user": 128, "tls": 10,
    "ca_certificate": 65536, "ssh_host": 253, "ssh_port": 5, "ssh_user": 128,
}  # fmt: skip
_SECRETS = {"password": 1024, "ssh_private_key": 16384, "ssh_passphrase": 1024, "ssh_password": 1024}
# Which field a sentence belongs to, where the sentence alone does not say.
_FIELD_OF = {
    "host_malformed": "host", "certificate_unreadable": "ca_certificate", "ssh_key_unreadable": "ssh_private_key",
    "ssh_key_format": "ssh_private_key", "ssh_key_passphrase": "ssh_passphrase", "ssh_key_costly": "ssh_private_key",
    "ssh_no_secret": "ssh_private_key", "ssh_secret_again": "ssh_private_key", "password_again": "password",
    "name_taken": "name",
}  # fmt: skip


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def form(visit: Visit) -> Response:
    """Show the form: empty, or with what is kept of the source."""
    view = await _kept(visit)
    if view is not None and view.connection is None:
        return visit.go(f"/sources/{view.id}/fichiers")
    draft = _new(visit, view)
    if view is None:
        kind = visit.request.query_params.get("type", "")
        draft.fields |= {"type": kind if kind in KINDS else "postgresql", "tls": "verify"}
    return await _shown(visit, draft, view, expired="expire" in visit.request.query_params)


async def draft_form(visit: Visit) -> Response:
    """Show a draft, with what came of its test."""
    view = await _kept(visit)
    try:
        draft = _drafts(visit).get(
            visit.person.principal, visit.request.path_params["draft_id"], DatabaseDraft, view.id if view else None
        )
    except NotFound:
        return visit.go(f"{_base(view)}?expire=1")
    return await _shown(visit, draft, view)


async def entered(visit: Visit) -> Response:
    """Take what was typed; test it, or keep what was tested."""
    view = await _kept(visit)
    if view is not None and view.connection is None:
        raise BadInput("data_sources.files_have_no_connection")
    draft = _begun(visit, view)
    _take(draft, visit.form, view)
    if not draft.problems:
        tried = draft.attempt is not None and draft.attempt.result is not None and draft.attempt.result.ok
        if visit.form.get("act") == "keep" and tried:
            kept = await _keep(visit, draft, view)
            if kept is not None:
                return kept
        elif not tried or visit.form.get("act") == "test":
            draft.attempt = Attempt(_test(visit, draft, view))
            await a_moment(draft.attempt)
    _drafts(visit).put(draft)
    return visit.go(f"{_base(view)}/{draft.id}")


# ── the draft ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _drafts(visit: Visit) -> Drafts:
    drafts: Drafts = visit.platform.sources.drafts
    return drafts


def _base(view: SourceView | None) -> str:
    return "/sources/nouvelle/base" if view is None else f"/sources/{view.id}/connexion"


async def _kept(visit: Visit) -> SourceView | None:
    source_id = visit.request.path_params.get("source_id")
    if source_id is None:
        return None
    if _ID.fullmatch(source_id) is None:
        raise NotFound(log="malformed id")
    read = visit.platform.sources.administration.read
    view: SourceView = await run(read, visit.person.principal, source_id, managing=True)
    return view


def _new(visit: Visit, view: SourceView | None) -> DatabaseDraft:
    principal = visit.person.principal
    draft = DatabaseDraft(principal.tenant_id, principal.user_id, view.id if view else None)
    draft.fields = dict.fromkeys(_FIELDS, "")
    if view is not None and view.connection is not None:
        given, ssh = view.connection, view.connection.get("ssh") or {}
        draft.fields |= {name: str(given[name]) for name in _FIELDS if given.get(name) is not None}
        draft.fields |= {f"ssh_{name}": str(ssh[name]) for name in ("host", "port", "user") if ssh.get(name) is not None}
        draft.fields |= {"name": view.name, "workspace_id": view.workspace_id or ""}
        draft.host_key, draft.revision = ssh.get("host_key") or "", view.revision
        draft.bound_to = _bound(draft.fields)
    return draft


def _begun(visit: Visit, view: SourceView | None) -> DatabaseDraft:
    """Return the draft that the form names; a new one where it is gone: what was typed is in the form, but no secret."""
    try:
        return _drafts(visit).get(
            visit.person.principal, visit.form.get("draft", ""), DatabaseDraft, view.id if view else None
        )
    except NotFound:
        return _new(visit, view)


def _way(fields: dict[str, str]) -> tuple[str, ...]:
    return (fields["ssh_host"].lower(), fields["ssh_port"] or "22", fields["ssh_user"]) if fields["ssh_host"] else ()


def _bound(fields: dict[str, str]) -> tuple[Any, ...]:
    """Return for which server, account and way a secret is typed."""
    kind = "postgres" if fields["type"] == "postgresql" else "mysql"
    port = fields["port"] or str(PORTS.get(fields["type"], ""))
    return kind, fields["host"].lower(), port, fields["user"], _way(fields)


def _take(draft: DatabaseDraft, sent: dict[str, str], view: SourceView | None) -> None:
    """Take what was typed into the draft: what the secrets there were not typed for, they are not used for."""
    fields = {name: sent.get(name, "").replace("\r\n", "\n").strip()[:most] for name, most in _FIELDS.items()}
    typed = {name: sent.get(name, "")[:most] for name, most in _SECRETS.items() if sent.get(name, "").strip()}
    if "ssh_private_key" in typed:
        typed["ssh_private_key"] = typed["ssh_private_key"].replace("\r\n", "\n")
    problems: dict[str, str] = {}
    bound = _bound(fields)
    if draft.bound_to and bound != draft.bound_to:
        if draft.secrets and "password" not in typed:
            problems["password"] = text("data_sources.password_again")
        if _way(fields) != draft.bound_to[-1]:
            draft.host_key = ""
        draft.secrets = {}
    before = (draft.fields, dict(draft.secrets), draft.host_key)
    shown = draft.attempt.result.host_key if draft.attempt is not None and draft.attempt.result is not None else None
    if (
        sent.get("confirm")
        and shown is not None
        and sent.get("fingerprint") == shown.fingerprint
        and bound == draft.bound_to
    ):
        if draft.host_key and draft.host_key != shown.line:
            # Another machine than the one that the secrets were typed for.
            draft.secrets = {}
        draft.host_key = shown.line
    if "ssh_private_key" in typed or "ssh_password" in typed:
        # One of the two signs in: the one that was typed last.
        for name in ("ssh_private_key", "ssh_passphrase", "ssh_password"):
            draft.secrets.pop(name, None)
    draft.secrets |= typed
    draft.fields, draft.bound_to = fields, bound
    if (draft.fields, draft.secrets, draft.host_key) != before:
        draft.attempt = None
    draft.config, found = configured(draft)
    if draft.config is not None and draft.config.ssh is not None and not _signs_in(draft, view):
        found["ssh_private_key"] = text("data_sources.ssh_no_secret")
    draft.problems = found | problems
    draft.change = _change(draft, view) if view is not None and draft.config is not None else None


def _signs_in(draft: DatabaseDraft, view: SourceView | None) -> bool:
    """Tell whether there is something that the SSH account signs in with, typed or kept."""
    if "ssh_private_key" in draft.secrets or "ssh_password" in draft.secrets:
        return True
    kept = (view.connection or {}).get("ssh") if view is not None else None
    return bool(kept)  # whether it may still be used is the manager's to say


def configured(draft: DatabaseDraft) -> tuple[ConnectionConfig | None, dict[str, str]]:
    """Return the connection that a draft says, or what is to be put right, by the form's fields."""
    fields, problems, ssh = draft.fields, {}, None
    for name in ("host", "database", "user", *(("ssh_user",) if fields["ssh_host"] else ())):
        if not fields[name]:
            problems[name] = text(f"connect.missing.{name}")
    for name in ("port", "ssh_port"):
        if fields[name] and not (fields[name].isdecimal() and 0 < int(fields[name]) < 65536):
            problems[name] = text("connect.bad_port")
    if problems:
        return None, problems
    try:
        if fields["ssh_host"]:
            ssh = _validated(
                SshConfig,
                "ssh_",
                {
                    "host": fields["ssh_host"], "port": int(fields["ssh_port"] or 22), "user": fields["ssh_user"],
                    "host_key": draft.host_key or None, "private_key": draft.secrets.get("ssh_private_key"),
                    "passphrase": draft.secrets.get("ssh_passphrase"), "password": draft.secrets.get("ssh_password"),
                },
            )  # fmt: skip
        config = _validated(
            ConnectionConfig,
            "",
            {
                "type": fields["type"], "host": fields["host"], "port": int(fields["port"]) if fields["port"] else None,
                "database": fields["database"], "user": fields["user"], "password": draft.secrets.get("password", ""),
                "tls": fields["tls"], "ca_certificate": fields["ca_certificate"] or None, "ssh": ssh,
            },
        )  # fmt: skip
    except _Wrong as wrong:
        return None, wrong.problems
    return config, {}


class _Wrong(Exception):
    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems


def _validated(model: type[Any], prefix: str, given: dict[str, Any]) -> Any:
    try:
        return model.model_validate(given)
    except SourceProblem as problem:
        field = _FIELD_OF.get(problem.reason, "host")
        raise _Wrong({f"{prefix}host" if field == "host" else field: problem.message}) from None
    except ValidationError as error:
        named = {prefix + str(one["loc"][0]) for one in error.errors() if one["loc"]} or {f"{prefix}host"}
        raise _Wrong({name: text("connect.bad_value") for name in named}) from None


def _change(draft: DatabaseDraft, view: SourceView) -> dict[str, Any]:
    """Return what of a kept connection changes: a field that is named counts as changed, so only those that are."""
    config, before = draft.config, view.connection or {}
    assert config is not None
    plain = ("type", "host", "port", "database", "user", "tls", "ca_certificate")
    change = {name: getattr(config, name) for name in plain if getattr(config, name) != before.get(name)}
    if draft.secrets.get("password"):
        change["password"] = draft.secrets["password"]
    kept = before.get("ssh")
    if config.ssh is None:
        return change | ({"ssh": None} if kept else {})
    way = {"host": config.ssh.host, "port": config.ssh.port, "user": config.ssh.user, "host_key": draft.host_key or None}
    ssh: dict[str, Any] = {name: value for name, value in way.items() if value != (kept or {}).get(name)}
    if "ssh_private_key" in draft.secrets:
        ssh["private_key"] = draft.secrets["ssh_private_key"]
        ssh |= {"passphrase": draft.secrets.get("ssh_passphrase"), "password": None}
    elif "ssh_password" in draft.secrets:
        ssh |= {"password": draft.secrets["ssh_password"], "private_key": None, "passphrase": None}
    elif "ssh_passphrase" in draft.secrets:
        ssh["passphrase"] = draft.secrets["ssh_passphrase"]
    return change | ({"ssh": ssh} if ssh else {})


# ── trying and keeping ────────────────────────────────────────────────────────────────────────────────────────────────


def _test(visit: Visit, draft: DatabaseDraft, view: SourceView | None) -> Callable[[], TestReport]:
    administration, principal, config = visit.platform.sources.administration, visit.person.principal, draft.config
    assert config is not None
    if view is None:
        return lambda: administration.test(principal, config)
    change = draft.change or {}
    return lambda: administration.test_change(principal, view.id, change)


async def _keep(visit: Visit, draft: DatabaseDraft, view: SourceView | None) -> Response | None:
    """Keep what was tested; None: it could not be, and the draft says why."""
    administration, principal = visit.platform.sources.administration, visit.person.principal
    name = draft.fields["name"] or draft.fields["database"]
    workspace = draft.fields["workspace_id"] or None
    assert draft.config is not None
    if view is not None and not draft.change:
        return visit.go(f"/sources/{view.id}?fait=connexion")
    try:
        if view is None:
            made, _ = await run(administration.create_database, principal, name, draft.config, workspace_id=workspace)
        else:
            made = await run(
                administration.update,
                principal,
                view.id,
                revision=draft.revision or view.revision,
                connection=draft.change,
            )
            await run(administration.refresh, principal, view.id)
    except (PlatformUnavailable, TooMany, Fault):
        raise
    except DataPilotError as error:
        reason = error.key.rpartition(".")[2]
        draft.problems = {_FIELD_OF.get(reason, "" if isinstance(error, Conflict) else "host"): error.message}
        return None
    _drafts(visit).drop(draft)
    if draft.attempt is not None:
        _drafts(visit).keep_check(principal.tenant_id, made.id, made.revision, draft.attempt)
    return visit.go(f"/sources/{made.id}/compris")


# ── what is shown ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _shown(visit: Visit, draft: DatabaseDraft, view: SourceView | None, *, expired: bool = False) -> Response:
    workspaces = await run(visit.platform.content.workspaces.listed, visit.person.principal, limit=200)
    before = (view.connection or {}) if view is not None else {}
    kept_ssh = before.get("ssh") or {}
    same = not before or _bound(draft.fields) == _bound(_new(visit, view).fields)
    there = {name: name in draft.secrets for name in _SECRETS}
    if before and same:
        there["password"] |= bool(before.get("has_password"))
        for name in ("private_key", "passphrase", "password"):
            there[f"ssh_{name}"] |= bool(kept_ssh.get(f"has_{name}"))
    attempt = draft.attempt
    testing = attempt is not None and not attempt.ended
    return visit.page(
        "connect_database.html",
        connects=testing,
        current="connect",
        draft=draft,
        view=view,
        kinds=KINDS,
        ports=PORTS,
        modes=TLS,
        workspaces=workspaces,
        there=there,
        expired=expired,
        testing=testing,
        known=draft.id if draft.attempt is not None or draft.problems or draft.secrets else "",
        outcome=outcome_of(attempt, draft.fields["type"], draft.fields["database"]) if attempt is not None else None,
        base=_base(view),
    )


def outcome_of(
    attempt: Attempt[TestReport], kind: str, database: str, schemas: tuple[str, ...] = ("public",)
) -> dict[str, Any] | None:
    """Return what a test found, for a page; None: it is still under way.

    ``sql`` makes an account that only reads, where the one that was tested can do more.
    """
    from datapilot_kernel.sources.roles import least_privilege_sql

    if not attempt.ended:
        return None
    if attempt.problem is not None:
        incident = attempt.problem.incident if isinstance(attempt.problem, Fault) else None
        return _outcome(message=attempt.problem.message, incident=incident)
    report = attempt.result
    assert report is not None
    if not report.ok:
        shown = report.host_key
        key = {"sort": shown.sort, "fingerprint": shown.fingerprint} if shown is not None else None
        return _outcome(message=report.problem.message if report.problem else "", key=key)
    account = [finding for finding in report.findings if finding.key != "sources.role_no_time_zones"]
    engine: Any = {"postgresql": "postgres", "postgres": "postgres"}.get(kind, kind)
    sql = least_privilege_sql(engine, database, schemas=schemas) if account else ""
    return _outcome(ok=True, findings=[finding.message for finding in report.findings], account=bool(account), sql=sql)


def _outcome(**known: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "ok": False, "message": "", "incident": None, "key": None, "findings": [], "account": False, "sql": "",
    }  # fmt: skip
    return nothing | known
