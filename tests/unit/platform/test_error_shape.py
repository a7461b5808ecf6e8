"""One error shape, whoever raised the error; nothing that came in is echoed; what is not declared cannot be served."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from datapilot_kernel.errors import SourceProblem
from hub_config import access
from hub_config.api import errors, operations
from hub_config.api.routing import Caller, Id, Routes, Wire
from hub_config.errors import Conflict, NotFound, PlatformUnavailable, TooMany, Unauthenticated
from hub_config.operations import middleware
from hub_config.operations.metrics import Metrics
from hub_config.principal import Principal
from hub_config.settings import Settings

SECRET = "hunter2-hunter2"


class _People:
    def remembered(self, token: str) -> None:
        return None

    def authenticate(self, token: str) -> Principal:
        if token.count("/") != 1:
            raise Unauthenticated(log="unknown token")
        role, audience = token.split("/")
        return Principal("t" * 32, "u" * 32, "a@b.fr", role, audience)  # type: ignore[arg-type]


class _Body(Wire):
    name: str
    password: SecretStr


def _application(settings: Settings) -> FastAPI:
    app = FastAPI(openapi_url="/api/v1/openapi.json")
    ready = SimpleNamespace(value=True)
    app.state.platform = SimpleNamespace(
        settings=settings, metrics=Metrics(), people=_People(), is_ready=lambda: ready.value, ready=ready
    )
    routes = Routes("/things", tag="things")

    @routes.get("/{thing_id}", permission="sources.manage")
    def read(thing_id: Id, caller: Caller) -> dict[str, str]:
        return {"role": caller.role}

    @routes.post("", permission="questions.ask")
    def create(body: _Body) -> None:
        raise RuntimeError(f"broke on {body.password.get_secret_value()}")

    @routes.get("/raises/{what}", permission="questions.ask")
    def raises(what: str) -> None:
        raise {
            "conflict": Conflict("hub.bad_json"),
            "many": TooMany("hub.too_many_requests", retry_after_s=7, seconds=7),
            "away": PlatformUnavailable(),
            "source": SourceProblem("sources.unreachable"),
            "missing": NotFound(),
        }[what]

    app.include_router(routes.router, max_body_size=settings.body_max_bytes)
    app.include_router(operations.routes.router)
    errors.install(app)
    middleware.install(app, settings)
    return app


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return Settings(data_dir=tmp_path, body_max_bytes=4096, request_timeout_seconds=30)


@pytest.fixture
def client(settings: Settings) -> TestClient:
    return TestClient(_application(settings), raise_server_exceptions=False)


def _as(role: str, audience: str = "session") -> dict[str, str]:
    return {"Authorization": f"Bearer {role}/{audience}"}


def _shape(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "incident"}
    assert error["code"] == code
    assert error["message"]
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-content-type-options"] == "nosniff"
    return error  # type: ignore[no-any-return]


def test_no_token_a_bad_one_and_the_wrong_role(client: TestClient) -> None:
    path = "/api/v1/things/" + "a" * 32
    assert _shape(client.get(path), 401, "unauthenticated")["incident"] is None
    assert client.get(path).headers["www-authenticate"] == "Bearer"
    _shape(client.get(path, headers={"Authorization": "Bearer x"}), 401, "unauthenticated")
    _shape(client.get(path, headers=_as("analyst")), 403, "forbidden")
    assert client.get(path, headers=_as("administrator")).json() == {"role": "administrator"}


def test_a_notebooks_token_is_told_to_use_the_session(client: TestClient) -> None:
    path = "/api/v1/things/" + "a" * 32
    _shape(client.get(path, headers=_as("administrator", "notebook")), 403, "session_needed")
    _shape(client.get(path, headers=_as("viewer", "notebook")), 403, "forbidden")


def test_a_malformed_id_is_not_found_like_any_other(client: TestClient) -> None:
    _shape(client.get("/api/v1/things/../etc", headers=_as("administrator")), 404, "not_found")
    wrong = client.get("/api/v1/things/" + "Z" * 32, headers=_as("administrator"))
    unknown = client.get("/api/v1/nowhere", headers=_as("administrator"))
    assert _shape(wrong, 404, "not_found") == _shape(unknown, 404, "not_found")


def test_wrong_fields_are_named_and_their_values_are_not(client: TestClient) -> None:
    answer = client.post("/api/v1/things", json={"password": SECRET, "extra": SECRET}, headers=_as("analyst"))
    error = _shape(answer, 422, "bad_request")
    assert error["details"] == {"fields": ["name", "extra"]}
    assert SECRET not in answer.text
    broken = client.post(
        "/api/v1/things",
        content=b'{"password": "' + SECRET.encode(),
        headers=_as("analyst") | {"Content-Type": "application/json"},
    )
    assert SECRET not in broken.text
    _shape(broken, 422, "bad_json")


def test_a_fault_has_an_incident_and_its_text_goes_nowhere(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = client.post("/api/v1/things", json={"name": "n", "password": SECRET}, headers=_as("analyst"))
    error = _shape(answer, 500, "fault")
    assert error["incident"] in error["message"]
    logged = "\n".join(logging.Formatter().format(r) for r in caplog.records)
    assert error["incident"] in logged
    assert "RuntimeError" in logged
    assert SECRET not in logged + answer.text


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("conflict", 409, "bad_json"),
        ("many", 429, "too_many_requests"),
        ("away", 503, "unavailable"),
        ("source", 424, "unreachable"),
        ("missing", 404, "not_found"),
    ],
)
def test_each_error_has_its_status(client: TestClient, what: str, status: int, code: str) -> None:
    answer = client.get(f"/api/v1/things/raises/{what}", headers=_as("analyst"))
    _shape(answer, status, code)
    assert answer.headers.get("retry-after") == {"many": "7", "away": "5"}.get(what)


def test_method_size_and_language(client: TestClient) -> None:
    _shape(client.put("/api/v1/healthz"), 405, "method_not_allowed")
    _shape(client.post("/api/v1/things", content=b"x" * 5000, headers=_as("analyst")), 413, "too_large")
    english = client.get("/api/v1/nowhere", headers={"Accept-Language": "en-GB,fr;q=0.4"})
    assert _shape(english, 404, "not_found")["message"].startswith("This does not exist")


def test_a_slow_request_is_stopped(tmp_path: Any) -> None:
    import anyio

    settings = Settings(data_dir=tmp_path, request_timeout_seconds=1)
    app = _application(settings)

    @app.get("/slow")
    async def slow() -> None:
        await anyio.sleep(20)

    answer = TestClient(app, raise_server_exceptions=False).get("/slow")
    _shape(answer, 503, "request_timeout")


def test_health_readiness_and_metrics(client: TestClient, settings: Settings) -> None:
    assert client.get("/api/v1/healthz").json() == {"status": "ok"}
    assert client.get("/api/v1/readyz").json() == {"status": "ok"}
    client.app.state.platform.ready.value = False  # type: ignore[attr-defined]
    _shape(client.get("/api/v1/readyz"), 503, "unavailable")
    client.get("/api/v1/things/" + "b" * 32, headers=_as("analyst"))
    told = client.get("/api/v1/metrics").text
    assert 'datapilot_http_requests_total{method="GET",route="/api/v1/things/{thing_id}",status="403"} 1.0' in told
    assert "b" * 32 not in told


def test_metrics_with_a_token_or_from_elsewhere(tmp_path: Any) -> None:
    guarded = TestClient(_application(Settings(data_dir=tmp_path, metrics_token="m" * 20)))
    assert guarded.get("/api/v1/metrics").status_code == 404
    assert guarded.get("/api/v1/metrics", headers={"Authorization": "Bearer " + "m" * 20}).status_code == 200
    elsewhere = TestClient(_application(Settings(data_dir=tmp_path)), client=("192.0.2.7", 5000))
    assert elsewhere.get("/api/v1/metrics").status_code == 404


def test_a_route_without_a_permission_cannot_be_declared() -> None:
    routes = Routes("/anything", tag="x")
    with pytest.raises(TypeError, match="names no permission"):
        routes.get("", permission=None)
    with pytest.raises(TypeError, match="no permission"):
        routes.get("", permission="sources.mangle")  # type: ignore[arg-type]


def test_what_a_notebook_may_do_is_what_the_wall_says() -> None:
    open_to_notebooks = {p for p, grant in access.MATRIX.items() if grant.notebook}
    assert open_to_notebooks == {
        "account.read", "questions.ask", "catalog.read", "history.own", "feedback.give", "files.add",
        "publication.request", "workspaces.read",
    }  # fmt: skip
    assert all("viewer" not in grant.notebook for grant in access.MATRIX.values())
    assert all(grant.notebook <= grant.session for grant in access.MATRIX.values())
