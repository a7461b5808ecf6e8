"""Sources: their list for everybody who asks, their connections for administrators, files for analysts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Header, Query, Request, Response
from pydantic import AwareDatetime, Field, SecretStr, StringConstraints, ValidationError

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import has_text, text
from datapilot_kernel.sources.files_import.report import ColumnOverride, FileOptions
from hub_config.api.paging import Cursor, Limit, next_of, read_cursor
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.data_sources.administration import SourceView, TestReport
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.database import Job

routes = Routes("/data-sources", tag="data sources")

_Name = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$")
]
_IdField = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Short = Annotated[str, StringConstraints(max_length=200)]


_Key = Annotated[SecretStr, Field(max_length=16384)]
_HostKey = Annotated[
    str,
    Field(
        max_length=16384,
        description="the line of the SSH server's public key (ssh-ed25519 AAAA…) once its fingerprint was compared; absent: "
        "the connection test asks the server for it and sends nothing else",
    ),
]


class SshIn(Wire):
    """The SSH server that the way to the database leads through. Its secrets are never given back."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    user: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    host_key: _HostKey | None = None
    private_key: _Key | None = Field(None, description="OpenSSH or PEM; or else the account's password")
    passphrase: Annotated[SecretStr, Field(max_length=1024)] | None = Field(None, description="of the private key")
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None


class SshPatch(Wire):
    """What changes of the way. Another host, port, account or host key needs both secrets again."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    user: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    host_key: _HostKey | None = None
    private_key: _Key | None = Field(None, description="null: takes the key away (a password takes its place)")
    passphrase: Annotated[SecretStr, Field(max_length=1024)] | None = None
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None


class ConnectionIn(Wire):
    """How to reach a database. The password is never given back."""

    type: Literal["postgresql", "mysql", "mariadb"]
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    database: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    user: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    password: Annotated[SecretStr, Field(max_length=1024)] = SecretStr("")
    tls: Literal["verify", "require", "disable"] = "verify"
    ca_certificate: Annotated[str, StringConstraints(max_length=65536)] | None = None
    ssh: SshIn | None = Field(None, description="null: the database is reached directly")


class ConnectionPatch(Wire):
    """What changes of a connection. Another host, port, account or weaker TLS needs the password again."""

    type: Literal["postgresql", "mysql", "mariadb"] | None = None
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    database: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    user: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None
    tls: Literal["verify", "require", "disable"] | None = None
    ca_certificate: Annotated[str, StringConstraints(max_length=65536)] | None = None
    ssh: SshPatch | None = Field(None, description="null: from now on without an SSH server")


class ColumnDecision(Wire):
    """What a person decides about a column; null leaves the decision to the reader."""

    type: Literal["integer", "decimal", "float", "text", "boolean", "date", "timestamp"] | None = None
    format: Literal["dmy", "mdy", "ymd", "comma", "point"] | None = None
    name: _Short | None = None


class FileDecision(Wire):
    """What a person decides about a file; null leaves the decision to the reader."""

    encoding: _Short | None = None
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    header_line: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    table: _Short | None = None
    keep_totals: bool = False
    sheets: Annotated[list[_Short], Field(max_length=100)] | None = None
    columns: Annotated[dict[_Short, ColumnDecision], Field(max_length=2000)] = Field(default_factory=dict)

    def options(self) -> FileOptions:
        """Return it as the reader takes it."""
        columns = {name: ColumnOverride(**decision.model_dump()) for name, decision in self.columns.items()}
        sheets = tuple(self.sheets) if self.sheets is not None else None
        plain = self.model_dump(exclude={"columns", "sheets"})
        return FileOptions(**plain, sheets=sheets, columns=columns)


class SourceIn(Wire):
    """A database by its connection, or files by their uploads: exactly one of the two."""

    name: _Name
    workspace_id: _IdField | None = None
    connection: ConnectionIn | None = None
    uploads: Annotated[list[_IdField], Field(max_length=50)] | None = None
    files: Annotated[dict[_Short, FileDecision], Field(max_length=50)] = Field(default_factory=dict)


class FilesSourceIn(Wire):
    """Uploads that become a source."""

    name: _Name
    workspace_id: _IdField | None = None
    uploads: Annotated[list[_IdField], Field(min_length=1, max_length=50)]
    files: Annotated[dict[_Short, FileDecision], Field(max_length=50)] = Field(default_factory=dict)


class FilesIn(Wire):
    """Uploads that become part of a source, replacing files of the same name."""

    uploads: Annotated[list[_IdField], Field(min_length=1, max_length=50)]
    files: Annotated[dict[_Short, FileDecision], Field(max_length=50)] = Field(default_factory=dict)


class SourcePatch(Wire):
    """What changes; ``revision`` is the one that was read."""

    revision: Annotated[int, Field(ge=1)]
    name: _Name | None = None
    workspace_id: _IdField | None = None
    move: bool = Field(False, description="true: workspace_id is where the source goes (null: to the whole tenant)")
    connection: ConnectionPatch | None = None
    model_values: bool | None = Field(
        None, description="true: values of columns that are not personal may go to the language model; null: as it is"
    )


class SourceOut(Wire):
    """A source as everybody who may ask it sees it."""

    id: str
    name: str
    type: str
    workspace_id: str | None
    status: str
    problem: str | None = Field(description="why it could not be read last time; null: it could")
    revision: int
    refreshed_at: AwareDatetime | None
    created_at: AwareDatetime
    model_values: bool = Field(description="values of columns that are not personal may go to the language model")


class ManagedSourceOut(SourceOut):
    """A source as its administrators see it. No password, ever."""

    connection: dict[str, Any] | None
    files: list[dict[str, Any]]


class SourcesOut(Wire):
    """A page of sources."""

    items: list[SourceOut]
    next: str | None


class CreatedOut(Wire):
    """A source, and the job that reads its catalog."""

    source: SourceOut
    job_id: str


class JobOut(Wire):
    """Work in the background."""

    id: str
    kind: str
    status: str
    progress: dict[str, Any]
    problem: str | None
    incident: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class FindingOut(Wire):
    """What a source's account can do beyond reading."""

    serious: bool
    message: str


class HostKeyOut(Wire):
    """What an SSH server showed of itself: to be compared by a person, then sent back as ``ssh.host_key``."""

    host_key: str
    sort: str = Field(description="ssh-ed25519 and the like")
    fingerprint: str = Field(description="SHA256:…, as ssh-keygen -lf prints it on the server")


class TestOut(Wire):
    """Whether a connection works, why not, and what its account can do too much."""

    ok: bool
    code: str | None
    message: str | None
    findings: list[FindingOut]
    ssh_host_key: HostKeyOut | None = Field(description="there when a person is to confirm it")


class UploadOut(Wire):
    """A file that came in. It is kept a day, or until it becomes part of a source."""

    id: str
    name: str
    size_bytes: int
    sha256: str


def _source(view: SourceView) -> SourceOut:
    return SourceOut(**_plain(view))


def _plain(view: SourceView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "type": view.type,
        "workspace_id": view.workspace_id,
        "status": view.status,
        "problem": said(view.problem_code),
        "revision": view.revision,
        "refreshed_at": view.refreshed_at,
        "created_at": view.created_at,
        "model_values": view.model_values,
    }


def said(code: str | None) -> str | None:
    """Return the sentence of a stored problem; one that needs values that were not kept is told in general."""
    if code is None:
        return None
    for key in (code, f"sources.{code}", f"data_sources.{code}"):
        room, dot, _ = key.partition(".")
        if dot and room in ("sources", "data_sources", "network", "catalog") and has_text(key):
            try:
                return text(key)
            except KeyError:
                break
    return text("data_sources.not_readable")


def _job(job: Job) -> JobOut:
    problem = None
    if job.problem_code is not None:
        problem = text("errors.fault", incident=job.incident) if job.incident else said(job.problem_code)
    return JobOut(
        id=job.id, kind=job.kind, status=job.status, progress=job.progress, problem=problem, incident=job.incident,
        created_at=job.created_at, updated_at=job.updated_at,
    )  # fmt: skip


def _config(given: ConnectionIn) -> ConnectionConfig:
    try:
        return ConnectionConfig.model_validate(_opened(given.model_dump()))
    except ValidationError as error:
        fields = ", ".join(sorted({f"connection.{e['loc'][0]}" for e in error.errors() if e["loc"]}))
        raise BadInput("hub.bad_request", fields=fields) from None


def _opened(given: dict[str, Any]) -> dict[str, Any]:
    """Return what came in with its secrets as text: on the way to the vault, or to the server they are meant for."""
    opened: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            opened[name] = _opened(value)
        else:
            opened[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
    return opened


def _options(files: dict[str, FileDecision]) -> dict[str, FileOptions]:
    return {name: decision.options() for name, decision in files.items()}


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.get("", permission="catalog.read", summary="The sources one may ask")
def list_sources(caller: Caller, platform: ThePlatform, limit: Limit = 50, cursor: Cursor = None) -> SourcesOut:
    """Return the sources that the caller reaches, newest first."""
    found = platform.sources.administration.listed(caller, limit=limit, before=read_cursor(cursor))
    return SourcesOut(items=[_source(view) for view in found], next=next_of(found, limit))


@routes.get("/{source_id}", permission="catalog.read", summary="One source")
def read_source(source_id: Id, caller: Caller, platform: ThePlatform) -> SourceOut:
    """Return one source; nothing of its connection."""
    return _source(platform.sources.administration.read(caller, source_id))


@routes.get("/{source_id}/connection", permission="sources.manage", summary="A source with its connection, but its password")
def read_connection(source_id: Id, caller: Caller, platform: ThePlatform) -> ManagedSourceOut:
    """Return a source as its administrators see it."""
    view = platform.sources.administration.read(caller, source_id, managing=True)
    return ManagedSourceOut(**_plain(view), connection=view.connection, files=list(view.files))


@routes.get("/{source_id}/catalog", permission="catalog.read", summary="Tables and columns, as the caller may see them")
def read_catalog(source_id: Id, caller: Caller, platform: ThePlatform) -> dict[str, Any]:
    """Return the catalog; columns that the layer masks are there for administrators alone, values for nobody."""
    catalog = platform.sources.layers.catalog(caller, source_id)
    # Values are the value index's business: it shows only what a guarded query with this person's rights returns.
    shown: dict[str, Any] = catalog.model_dump(mode="json")
    for table in shown["tables"]:
        for column in table["columns"]:
            for name in ("values", "minimum", "maximum"):
                column.pop(name, None)
    return shown


# ── connections ───────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.post("", permission="sources.manage", status_code=201, summary="Connect a database, or make a source of uploads")
def create_source(body: SourceIn, caller: Caller, platform: ThePlatform) -> CreatedOut:
    """Keep a source and have its catalog read in the background."""
    administration = platform.sources.administration
    if (body.connection is None) == (body.uploads is None):
        raise BadInput("data_sources.one_of_two")
    if body.connection is not None:
        view, job_id = administration.create_database(
            caller, body.name, _config(body.connection), workspace_id=body.workspace_id
        )
    else:
        view, job_id = administration.create_files(
            caller, body.name, body.uploads or [], _options(body.files), workspace_id=body.workspace_id
        )
    return CreatedOut(source=_source(view), job_id=job_id)


@routes.post("/test", permission="sources.manage", summary="Try a connection before it is kept")
def test_connection(body: ConnectionIn, caller: Caller, platform: ThePlatform) -> TestOut:
    """Connect, ask one thing, say what the account can do beyond reading. Keeps nothing."""
    return _tested(platform.sources.administration.test(caller, _config(body)))


@routes.post("/{source_id}/test", permission="sources.manage", summary="Try a source that is kept")
def test_source(source_id: Id, caller: Caller, platform: ThePlatform) -> TestOut:
    """Connect with what is kept."""
    return _tested(platform.sources.administration.test_kept(caller, source_id))


def _tested(report: TestReport) -> TestOut:
    problem, key = report.problem, report.host_key
    findings = [FindingOut(serious=f.serious, message=f.message) for f in report.findings]
    return TestOut(
        ok=report.ok,
        code=problem.reason if problem else None,
        message=problem.message if problem else None,
        findings=findings,
        ssh_host_key=HostKeyOut(host_key=key.line, sort=key.sort, fingerprint=key.fingerprint) if key else None,
    )


@routes.patch("/{source_id}", permission="sources.manage", summary="Change a source")
def update_source(source_id: Id, body: SourcePatch, caller: Caller, platform: ThePlatform) -> SourceOut:
    """Change name, workspace or connection; 409 when somebody was faster."""
    connection: dict[str, Any] | None = None
    if body.connection is not None:
        connection = _opened(body.connection.model_dump(exclude_unset=True))
        if connection.get("password", "") is None:
            del connection["password"]
    try:
        view = platform.sources.administration.update(
            caller, source_id, revision=body.revision, name=body.name, workspace_id=body.workspace_id, move=body.move,
            connection=connection, model_values=body.model_values,
        )  # fmt: skip
    except ValidationError as error:
        fields = ", ".join(sorted({f"connection.{e['loc'][0]}" for e in error.errors() if e["loc"]}))
        raise BadInput("hub.bad_request", fields=fields) from None
    return _source(view)


@routes.delete("/{source_id}", permission="sources.manage", status_code=204, summary="Remove a source with everything of it")
def delete_source(source_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Remove it; its record of questions stays."""
    platform.sources.administration.delete(caller, source_id)
    return Response(status_code=204)


# ── catalogs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.post("/{source_id}/refresh", permission="catalog.read", status_code=202, summary="Read the catalog again")
def refresh_catalog(source_id: Id, caller: Caller, platform: ThePlatform) -> JobOut:
    """Have the catalog read in the background; one at a time."""
    administration = platform.sources.administration
    job_id = administration.refresh(caller, source_id)
    return _job(administration.job(caller, source_id, job_id))


@routes.get("/{source_id}/jobs/{job_id}", permission="catalog.read", summary="How far a job is")
def read_job(source_id: Id, job_id: Id, caller: Caller, platform: ThePlatform) -> JobOut:
    """Return a job with its progress."""
    return _job(platform.sources.administration.job(caller, source_id, job_id))


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@routes.post(
    "/upload",
    permission="files.add",
    status_code=201,
    summary="Send a file: multipart/form-data, or the bytes themselves with X-File-Name",
    # The receiver counts, and stops at the setting's limit; the general limit of bodies is far below it.
    max_body_size=1 << 50,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def upload_file(
    request: Request,
    caller: Caller,
    platform: ThePlatform,
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
    content_length: Annotated[int | None, Header(include_in_schema=False)] = None,
    x_file_name: Annotated[str | None, Header(max_length=1000, description="percent-encoded UTF-8")] = None,
) -> UploadOut:
    """Take a file in, straight to disk. It is visible to nobody else, and part of no source yet."""
    from starlette.concurrency import run_in_threadpool

    uploads = platform.sources.uploads
    upload = await uploads.receive(
        caller, request.stream(), content_type=content_type, file_name=x_file_name, content_length=content_length,
        quota_bytes=await run_in_threadpool(uploads.quota_bytes, caller),
    )  # fmt: skip
    return UploadOut(id=upload.id, name=upload.name, size_bytes=upload.size_bytes, sha256=upload.sha256)


@routes.post("/uploads/{upload_id}/preview", permission="files.add", summary="What was understood of a file")
def preview_upload(upload_id: Id, body: FileDecision, caller: Caller, platform: ThePlatform) -> dict[str, Any]:
    """Read an upload with these decisions: tables, columns with types and doubts, the first rows."""
    shown: dict[str, Any] = platform.sources.uploads.preview(caller, upload_id, body.options())
    return shown


@routes.delete("/uploads/{upload_id}", permission="files.add", status_code=204, summary="Give up an upload")
def delete_upload(upload_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Remove an upload."""
    platform.sources.uploads.forget(caller, upload_id)
    return Response(status_code=204)


@routes.post("/from-files", permission="files.add", status_code=201, summary="Make a source of uploads")
def create_from_files(body: FilesSourceIn, caller: Caller, platform: ThePlatform) -> CreatedOut:
    """Keep uploads as a source and have them read in the background."""
    view, job_id = platform.sources.administration.create_files(
        caller, body.name, body.uploads, _options(body.files), workspace_id=body.workspace_id
    )
    return CreatedOut(source=_source(view), job_id=job_id)


@routes.post("/{source_id}/files", permission="files.add", status_code=202, summary="Add files to a source of files")
def add_files(source_id: Id, body: FilesIn, caller: Caller, platform: ThePlatform) -> CreatedOut:
    """Add uploads to a source, replacing files of the same name."""
    view, job_id = platform.sources.administration.add_files(caller, source_id, body.uploads, _options(body.files))
    return CreatedOut(source=_source(view), job_id=job_id)


@routes.get("/{source_id}/preview", permission="questions.ask", summary="A table's first rows, with the caller's rights")
def preview_table(
    source_id: Id,
    caller: Caller,
    platform: ThePlatform,
    table: Annotated[str, Query(max_length=300, description="schema.table, as the catalog says it")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Return the first rows of a table through the guard: masked columns and filtered rows are not in it."""
    shown: dict[str, Any] = platform.sources.layers.preview(caller, source_id, table, limit)
    return shown
