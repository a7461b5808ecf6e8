"""Creating, testing, changing and deleting sources; reading their catalog again.

A connection's secret goes into the vault in the transaction that makes or changes the row, and never comes out through here:
what is shown of a connection has no password. A change needs the revision that was read: of two people who change the same
source at once the second is told, and overwrites nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.exc import IntegrityError

from datapilot_kernel.errors import BadInput, SourceProblem
from datapilot_kernel.sources import CancelToken, HostKey, Limits, RoleFinding, open_source
from datapilot_kernel.sources.files_import.report import FileOptions
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.data_sources.manager import DataSources
from hub_config.data_sources.storage import Upload
from hub_config.data_sources.visibility import reached, visible
from hub_config.database import (
    Dashboard,
    DashboardVersion,
    DataSource,
    Job,
    ScopedSession,
    SemanticLayer,
    SourceFile,
    VerifiedQuestion,
    Widget,
    Workspace,
    WorkspaceMember,
    utc_now,
)
from hub_config.errors import Conflict, Forbidden, NotFound
from hub_config.principal import Principal

_MOST_FILES = 50
_TEST_LIMITS = Limits(max_rows=1, timeout_ms=10_000)


@dataclass(frozen=True)
class SourceView:
    """A source as its readers see it; ``connection`` (without its password) only for those who manage it."""

    id: str
    name: str
    type: str
    workspace_id: str | None
    status: str
    problem_code: str | None
    revision: int
    refreshed_at: datetime | None
    created_at: datetime
    model_values: bool
    connection: dict[str, Any] | None = None
    files: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class TestReport:
    """What a connection test found: it answers, and what its account can do beyond reading.

    Attributes
    ----------
    host_key
        What the SSH server showed of itself, where a person is to confirm it: none was confirmed yet, or another one.
    """

    __test__ = False

    ok: bool
    problem: SourceProblem | None
    findings: tuple[RoleFinding, ...] = ()
    host_key: HostKey | None = None


@dataclass(frozen=True)
class Dependents:
    """What goes, or stops working, with a source: dashboards by name, and how many of the rest."""

    dashboards: tuple[str, ...]
    layers: int
    verified: int
    files: int


class Administration:
    """What administrators do with sources, and the files that analysts add. Thread-safe."""

    def __init__(self, sources: DataSources) -> None:
        self._sources = sources
        self._database = sources.database

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def listed(self, principal: Principal, *, limit: int, before: tuple[datetime, str] | None = None) -> list[SourceView]:
        """Return the sources that the person reaches, newest first; ``before`` is ``(created_at, id)`` of the last seen."""
        statement = visible(principal).order_by(DataSource.created_at.desc(), DataSource.id.desc()).limit(limit)
        if before is not None:
            at, seen = before
            older = DataSource.created_at < at
            statement = statement.where(or_(older, and_(DataSource.created_at == at, DataSource.id < seen)))
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            return [_view(row) for row in session.scalars(statement)]

    def read(self, principal: Principal, source_id: str, *, managing: bool = False) -> SourceView:
        """Return one source; ``managing`` adds its connection without the password, and its files."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            row = reached(session, principal, source_id)
            return self._managed_view(session, row) if managing else _view(row)

    def _managed_view(self, session: ScopedSession, row: DataSource) -> SourceView:
        known = self._sources.known(session, row)
        shown = None
        if known.config is not None:
            shown = known.config.shown()
        files = session.scalars(select(SourceFile).where(SourceFile.data_source_id == row.id).order_by(SourceFile.name))
        return _view(row, shown, tuple({"name": f.name, "size_bytes": f.size_bytes} for f in files))

    # ── databases ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create_database(
        self, principal: Principal, name: str, config: ConnectionConfig, *, workspace_id: str | None = None
    ) -> tuple[SourceView, str]:
        """Keep a connection, and have its catalog read; return the source and the job's id.

        Raises
        ------
        HostRefused
            The host is not for tenants.
        Conflict
            There is a source of that name.
        BadInput
            The SSH server's key is not confirmed, or the account's private key cannot be used.
        """
        config.judge(self._sources.wall)
        _usable_tunnel(config)
        with self._database.tenant(principal.tenant_id) as session:
            row = self._added(session, principal, name, config.kind, workspace_id)
            row.connection_config_encrypted = self._sources.vault.encrypt(
                session, principal.tenant_id, row.id, config.plain()
            )
            self._record(session, principal, "source.create", row, {"type": row.type})
            job_id = self._queued(session, principal, row)
            view = _view(row)
        self._submit(principal, view.id, job_id)
        return view, job_id

    def update(
        self,
        principal: Principal,
        source_id: str,
        *,
        revision: int,
        name: str | None = None,
        workspace_id: str | None = None,
        move: bool = False,
        connection: dict[str, Any] | None = None,
        model_values: bool | None = None,
    ) -> SourceView:
        """Change a source.

        Parameters
        ----------
        revision
            What was read before; another one means that somebody was faster.
        workspace_id
            Where it goes when ``move`` is true; None: to the whole tenant.
        model_values
            Whether values of columns that are not personal may go to the language model; None: as it is.
        connection
            The fields that change; a password that is not given stays, unless the host, port or account changes: a kept
            password must not be sent to a server that somebody else just named.

        Raises
        ------
        Conflict
            Somebody changed it meanwhile, or the name is taken.
        BadInput
            The connection is not right, or its password must be given again.
        """
        with self._database.tenant(principal.tenant_id) as session:
            row = reached(session, principal, source_id)
            if row.revision != revision:
                raise Conflict("data_sources.changed_meanwhile")
            if name is not None:
                self._free_name(session, name, but=row.id)
                row.name = name
            if move:
                row.workspace_id = self._workspace(session, principal, workspace_id)
            if connection is not None:
                config = self._merged(session, row, connection)
                config.judge(self._sources.wall)
                _usable_tunnel(config)
                row.connection_config_encrypted = self._sources.vault.encrypt(
                    session, principal.tenant_id, row.id, config.plain()
                )
                row.type = config.kind
                row.schema_cache = row.catalog_version = row.refreshed_at = None
                row.status, row.problem_code = "new", None
            if model_values is not None:
                row.options = {**row.options, "model_values": model_values}
            row.revision = revision + 1
            given = {"name": name, "connection": connection, "model_values": model_values}
            changed = [k for k, v in given.items() if v is not None]
            self._record(session, principal, "source.update", row, {"changed": [*changed, *(["workspace"] if move else [])]})
            if row.type == "files":
                self._carry_files(session, row, revision)
            session.flush()
            view = _view(row)
        if connection is not None:
            self._sources.forget(principal.tenant_id, source_id, keep=str(view.revision))
        else:
            # A new name stops nobody's question: what is open is closed when its last user leaves.
            self._sources.pool.drop(principal.tenant_id, source_id, keep=str(view.revision))
        return view

    def _merged(self, session: ScopedSession, row: DataSource, given: dict[str, Any]) -> ConnectionConfig:
        known = self._sources.known(session, row)
        if known.config is None:
            raise BadInput("data_sources.files_have_no_connection")
        before = known.config.plain()
        if given.get("ssh"):
            given = {**given, "ssh": _with_ssh(before.get("ssh", {}), given["ssh"])}
        merged = ConnectionConfig.model_validate({**before, **given})
        moved = any(getattr(merged, f) != getattr(known.config, f) for f in ("type", "host", "effective_port", "user"))
        moved |= _way(merged) != _way(known.config)
        weaker = known.config.tls == "verify" and merged.tls != "verify"
        if "password" not in given and (moved or weaker or "ca_certificate" in given):
            raise BadInput("data_sources.password_again")
        if known.config.ssh and merged.ssh and not (merged.ssh.private_key or merged.ssh.password):
            raise BadInput("data_sources.ssh_secret_again")
        return merged

    def delete(self, principal: Principal, source_id: str) -> None:
        """Remove a source with its files, layers and verified questions; what was asked of it stays in the record."""
        with self._database.tenant(principal.tenant_id) as session:
            row = reached(session, principal, source_id)
            self._record(session, principal, "source.delete", row, {"type": row.type, "name": row.name})
            jobs = session.scalars(select(Job.id).where(Job.data_source_id == source_id)).all()
            session.delete(row)
        for job_id in jobs:
            self._sources.jobs.cancel(principal.tenant_id, job_id)
        self._sources.forget(principal.tenant_id, source_id)
        self._sources.storage(principal.tenant_id).keep_revision(source_id, None)

    def test(self, principal: Principal, config: ConnectionConfig) -> TestReport:
        """Connect, ask one thing, and say what the account can do beyond reading. Keeps nothing."""
        with self._sources.turns.taken(principal.tenant_id):
            return self._tested(config)

    def _tested(self, config: ConnectionConfig) -> TestReport:
        source = None
        try:
            if config.ssh is not None and config.ssh.confirmed is None:
                return self._unconfirmed(config)
            source = open_source(config.location(self._sources.wall))
            source.execute("SELECT 1 AS un", limits=_TEST_LIMITS)
            return TestReport(True, None, source.role_report())
        except SourceProblem as problem:
            changed = problem.reason == "ssh_host_key_changed"
            return self._unconfirmed(config, problem) if changed else TestReport(False, problem)
        finally:
            if source is not None:
                source.close()

    def _unconfirmed(self, config: ConnectionConfig, problem: SourceProblem | None = None) -> TestReport:
        """Ask the SSH server for its key, which a person is to compare and confirm."""
        from datapilot_kernel.sources.ssh_tunnel import read_host_key

        assert config.ssh is not None
        try:
            config.judge(self._sources.wall)
            shown = read_host_key(config.ssh.server(self._sources.wall))
        except SourceProblem as silent:
            return TestReport(False, problem or silent)
        return TestReport(False, problem or SourceProblem("sources.ssh_host_key_unconfirmed"), host_key=shown)

    def test_kept(self, principal: Principal, source_id: str) -> TestReport:
        """Test a source that is kept. Files answer by being read."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            known = self._sources.known(session, reached(session, principal, source_id))
        if known.config is not None:
            return self.test(principal, known.config)
        try:
            with self._sources.turns.taken(principal.tenant_id), self._sources.leased(known) as source:
                source.execute("SELECT 1 AS un", limits=_TEST_LIMITS)
            return TestReport(True, None)
        except SourceProblem as problem:
            return TestReport(False, problem)

    def test_change(self, principal: Principal, source_id: str, connection: dict[str, Any]) -> TestReport:
        """Test a kept source as it would be with these changes; the kept password goes where :meth:`update` lets it go.

        Raises
        ------
        BadInput
            The connection is not right, or its password must be given again.
        """
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            config = self._merged(session, reached(session, principal, source_id), connection)
        return self.test(principal, config)

    def dependents(self, principal: Principal, source_id: str) -> Dependents:
        """Return what stands on a source, for whoever is about to delete it."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)

            def count(model: type[SemanticLayer | VerifiedQuestion | SourceFile]) -> int:
                found = session.scalar(select(func.count()).select_from(model).where(model.data_source_id == source_id))
                return int(found or 0)

            asking = {w.dashboard_id for w in session.scalars(select(Widget)) if w.query_json.get("source_id") == source_id}
            names: set[str] = set()
            for board in session.scalars(select(Dashboard)):
                shown = session.get(DashboardVersion, board.published_version_id) if board.published_version_id else None
                tiles = shown.content_json.get("tiles", ()) if shown is not None else ()
                if board.id in asking or any(tile.get("source_id") == source_id for tile in tiles):
                    names.add(board.name)
            return Dependents(tuple(sorted(names)), count(SemanticLayer), count(VerifiedQuestion), count(SourceFile))

    # ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def create_files(
        self,
        principal: Principal,
        name: str,
        uploads: list[str],
        options: dict[str, FileOptions],
        *,
        workspace_id: str | None = None,
    ) -> tuple[SourceView, str]:
        """Make a source of uploaded files, and have them read; return the source and the job's id.

        Raises
        ------
        NotFound
            An upload is not there, or not this person's.
        SourceProblem
            None of the files can be read.
        """
        storage = self._sources.storage(principal.tenant_id)
        found = self._uploads(principal, uploads)
        with self._database.tenant(principal.tenant_id) as session:
            row = self._added(session, principal, name, "files", workspace_id)
            session.flush()
            self._add_files(session, principal, row, [upload for upload, _ in found], options)
            storage.make_revision(row.id, row.revision, {upload.name: path for upload, path in found})
            self._record(session, principal, "source.create", row, {"type": "files", "files": len(found)})
            job_id = self._queued(session, principal, row)
            view = _view(row)
        for upload, _ in found:
            storage.forget_upload(upload.id)
        self._submit(principal, view.id, job_id)
        return view, job_id

    def add_files(
        self, principal: Principal, source_id: str, uploads: list[str], options: dict[str, FileOptions]
    ) -> tuple[SourceView, str]:
        """Add files to a source of files, or replace those of the same name; return the source and the job's id."""
        storage = self._sources.storage(principal.tenant_id)
        found = self._uploads(principal, uploads)
        with self._database.tenant(principal.tenant_id) as session:
            row = reached(session, principal, source_id)
            if row.type != "files":
                raise BadInput("data_sources.not_files")
            before = row.revision
            names = {upload.name for upload, _ in found}
            since: dict[str, datetime] = {}
            for old in session.scalars(select(SourceFile).where(SourceFile.data_source_id == row.id)).all():
                if old.name in names:
                    if principal.audience == "notebook" and old.created_by != principal.user_id:
                        # Others rely on that file; a notebook may have been written by anybody.
                        raise Forbidden("hub.session_needed", log="a notebook replaces somebody else's file")
                    since[old.name] = old.created_at
                    session.delete(old)
            session.flush()
            self._add_files(session, principal, row, [upload for upload, _ in found], options, since=since)
            row.revision = before + 1
            row.schema_cache = row.catalog_version = row.refreshed_at = None
            kept = {path.name: path for path in storage.source_folder(row.id, before).iterdir()}
            if len(kept.keys() | names) > _MOST_FILES:
                raise BadInput("data_sources.too_many_files", count=_MOST_FILES)
            storage.make_revision(row.id, row.revision, {**kept, **{upload.name: path for upload, path in found}})
            self._record(session, principal, "source.add_files", row, {"files": len(found)})
            job_id = self._queued(session, principal, row)
            session.flush()
            view = _view(row)
        self._settled(principal, view, found)
        self._submit(principal, view.id, job_id)
        return view, job_id

    def _settled(self, principal: Principal, view: SourceView, found: list[tuple[Upload, Any]]) -> None:
        storage = self._sources.storage(principal.tenant_id)
        self._sources.forget(principal.tenant_id, view.id, keep=str(view.revision))
        for upload, _ in found:
            storage.forget_upload(upload.id)

    def _uploads(self, principal: Principal, uploads: list[str]) -> list[tuple[Upload, Any]]:
        storage = self._sources.storage(principal.tenant_id)
        found = [storage.upload(upload_id, principal.user_id) for upload_id in dict.fromkeys(uploads)]
        if len(found) > _MOST_FILES:
            raise BadInput("data_sources.too_many_files", count=_MOST_FILES)
        names = [upload.name for upload, _ in found]
        if len(set(names)) != len(names):
            raise BadInput("data_sources.same_file_name")
        return found

    def _add_files(
        self,
        session: ScopedSession,
        principal: Principal,
        row: DataSource,
        uploads: list[Upload],
        options: dict[str, FileOptions],
        *,
        since: dict[str, datetime] | None = None,
    ) -> None:
        for upload in uploads:
            session.add(
                SourceFile(
                    data_source_id=row.id,
                    # What takes an older file's place keeps its rank, and so the names of its tables.
                    created_at=(since or {}).get(upload.name) or utc_now(),
                    name=upload.name,
                    size_bytes=upload.size_bytes,
                    sha256=upload.sha256,
                    status="kept",
                    options=options.get(upload.name, FileOptions()).to_data(),
                    created_by=principal.user_id,
                )
            )

    def _carry_files(self, session: ScopedSession, row: DataSource, before: int) -> None:
        storage = self._sources.storage(row.tenant_id)
        folder = storage.source_folder(row.id, before)
        storage.make_revision(row.id, row.revision, {path.name: path for path in folder.iterdir()})

    # ── catalogs ──────────────────────────────────────────────────────────────────────────────────────────────────

    def refresh(self, principal: Principal, source_id: str) -> str:
        """Have the catalog read again; return the job's id (the one that is under way, if there is one)."""
        with self._database.tenant(principal.tenant_id) as session:
            row = reached(session, principal, source_id)
            under_way = session.scalars(
                select(Job.id).where(Job.data_source_id == row.id, Job.status.in_(("queued", "running")))
            ).first()
            if under_way is not None:
                return under_way
            job_id = self._queued(session, principal, row)
        self._submit(principal, source_id, job_id)
        return job_id

    def job(self, principal: Principal, source_id: str, job_id: str) -> Job:
        """Return a job of a source that the person reaches. Raises NotFound."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)
            found = session.scalars(select(Job).where(Job.id == job_id, Job.data_source_id == source_id)).one_or_none()
            if found is None:
                raise NotFound(log="job")
            return found

    def last_job(self, principal: Principal, source_id: str) -> Job | None:
        """Return the job that read the catalog last, or reads it now; None: none is remembered."""
        with self._database.tenant(principal.tenant_id, read_only=True) as session:
            reached(session, principal, source_id)
            mine = select(Job).where(Job.data_source_id == source_id, Job.kind == "catalog.refresh")
            return session.scalars(mine.order_by(Job.created_at.desc(), Job.id.desc()).limit(1)).one_or_none()

    def _queued(self, session: ScopedSession, principal: Principal, row: DataSource) -> str:
        session.flush()
        job = Job(kind="catalog.refresh", data_source_id=row.id, created_by=principal.user_id)
        session.add(job)
        session.flush()
        return str(job.id)

    def _submit(self, principal: Principal, source_id: str, job_id: str) -> None:
        tenant_id = principal.tenant_id

        def work(tell: Any, cancel: CancelToken) -> None:
            with self._database.tenant(tenant_id, read_only=True) as session:
                row = session.get(DataSource, source_id)
                if row is None:
                    return
                known = self._sources.known(session, row)
            try:
                tell({"step": "open"})
                with self._sources.leased(known) as source:
                    self._sources.introspected(known, source, tell=tell, cancel=cancel)
                    report = source.import_report
            except SourceProblem as problem:
                self._failed(tenant_id, source_id, known.revision, problem)
                raise
            finally:
                # Deleted or replaced while it was read: what was made of it goes too.
                self._sources.storage(tenant_id).forget_unused()
            if known.type == "files":
                self._sources.storage(tenant_id).forget_older(source_id, int(known.revision))
            if report is not None and any(note.key == "sources.table_taken" for note in report.skipped.values()):
                # The source is there, without that file.
                raise SourceProblem("data_sources.table_taken", log="a file's table has the name of another's")

        self._sources.jobs.submit(tenant_id, job_id, work)

    def _failed(self, tenant_id: str, source_id: str, revision: str, problem: SourceProblem) -> None:
        with self._database.tenant(tenant_id) as session:
            row = session.get(DataSource, source_id)
            if row is not None and str(row.revision) == revision:
                row.status, row.problem_code = "failed", problem.reason

    # ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _added(
        self, session: ScopedSession, principal: Principal, name: str, kind: str, workspace_id: str | None
    ) -> DataSource:
        self._free_name(session, name)
        row = DataSource(
            name=name,
            type=kind,
            workspace_id=self._workspace(session, principal, workspace_id),
            created_by=principal.user_id,
        )
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            raise Conflict("data_sources.name_taken") from None
        return row

    def _free_name(self, session: ScopedSession, name: str, *, but: str | None = None) -> None:
        taken = session.scalars(select(DataSource.id).where(DataSource.name == name)).first()
        if taken is not None and taken != but:
            raise Conflict("data_sources.name_taken")

    def _workspace(self, session: ScopedSession, principal: Principal, workspace_id: str | None) -> str | None:
        if workspace_id is None:
            return None
        member = principal.is_administrator or session.get(WorkspaceMember, (workspace_id, principal.user_id)) is not None
        if not member or session.get(Workspace, workspace_id) is None:
            raise NotFound(log="workspace")
        return workspace_id

    def _record(
        self, session: ScopedSession, principal: Principal, action: str, row: DataSource, details: dict[str, Any]
    ) -> None:
        self._sources.audit.record(
            session, principal, action=action, object_type="data_source", object_id=row.id, details=details
        )


_WAY = ("host", "port", "user", "host_key")


def _with_ssh(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of an SSH server with what changes; what signs in to one server is kept for no other."""
    merged = {**before, **given}
    if any(merged.get(name) != before.get(name) for name in _WAY):
        return {**{name: merged[name] for name in _WAY if name in merged}, **given}
    return merged


def _way(config: ConnectionConfig) -> tuple[Any, ...] | None:
    """Return through whom a connection goes: a kept secret goes through nobody else."""
    ssh = config.ssh
    return tuple(getattr(ssh, name) for name in _WAY) if ssh else None


def _usable_tunnel(config: ConnectionConfig) -> None:
    """Raise unless the SSH server's key is confirmed and the account can sign in to it."""
    if config.ssh is None:
        return
    if config.ssh.confirmed is None:
        raise BadInput("data_sources.ssh_unconfirmed")
    if config.ssh.private_key is not None:
        from datapilot_kernel.sources.ssh_tunnel import checked_key

        passphrase = config.ssh.passphrase
        checked_key(config.ssh.private_key.get_secret_value(), passphrase.get_secret_value() if passphrase else None)
    elif config.ssh.password is None:
        raise BadInput("data_sources.ssh_no_secret")


def _view(row: DataSource, connection: dict[str, Any] | None = None, files: tuple[dict[str, Any], ...] = ()) -> SourceView:
    return SourceView(
        row.id, row.name, row.type, row.workspace_id, row.status, row.problem_code, row.revision, row.refreshed_at,
        row.created_at, bool(row.options.get("model_values", False)), connection, files,
    )  # fmt: skip
