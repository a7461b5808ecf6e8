"""The hub's configuration from its settings: what is set, that nothing is appended, and what is refused."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("jupyterhub")

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyterhub.scopes import scope_definitions
from traitlets.config import Config

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import has_text
from hub_config.hub import pages, roles
from hub_config.hub.clients import client_of
from hub_config.hub.configuration import apply_config, host_name_of
from hub_config.hub.errors import Said, sentence_for, title_for
from hub_config.hub.settings import HubSettings, load_hub_settings
from hub_config.hub.sign_in import Waiting
from hub_config.hub.spawning.base import failure, sentence_of
from hub_config.hub_names import hub_user_name

KEY = "k" * 40


def _settings(tmp_path: Path, **given: Any) -> HubSettings:
    return HubSettings(_secrets_dir=None, **({"data_dir": tmp_path, "key": KEY, "api_token": "t" * 40} | given))


def _config(settings: HubSettings) -> Config:
    c = Config()
    apply_config(settings, c)
    return c


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"public_url": "https://app.example.fr/some/path"}, "PUBLIC_URL"),
        ({"public_url": "app.example.fr"}, "PUBLIC_URL"),
        ({"key": "short"}, "KEY"),
        ({"trusted_proxies": "not-an-address"}, "TRUSTED_PROXIES"),
        ({"providers": "{broken"}, "PROVIDERS"),
        ({"providers": '[{"id": "x"}]'}, "PROVIDERS"),
        ({"subdomain_host": "https://other.example.fr"}, "same address"),
        ({"proxy_start": False}, "proxy_api_password"),
        ({"api_token": None}, "api_token"),
        ({"no_such_setting": "1"}, "NO_SUCH_SETTING"),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    values = {"data_dir": tmp_path, "key": KEY, "api_token": "t" * 40} | given
    with pytest.raises(BadInput) as problem:
        load_hub_settings(**values)
    assert said in problem.value.message
    assert "short" not in problem.value.message


def test_one_variable_serves_the_hub_and_the_api(tmp_path: Path) -> None:
    for written in ("https://app.example.fr", "https://app.example.fr/", "https://app.example.fr/hub/"):
        assert _settings(tmp_path, public_url=written).public_url == "https://app.example.fr"


def test_without_a_key_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="DATAPILOT_HUB_KEY"):
        apply_config(_settings(tmp_path, key=None), Config())


def test_every_setting_says_what_it_is_and_its_unit() -> None:
    units = ("seconds", "minutes", "days", "hours", "port", "at_once")
    for name, field in HubSettings.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            assert name.endswith(units), f"{name} says no unit"


# ── configuration ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_twice_applied_is_once_applied(tmp_path: Path) -> None:
    settings = _settings(tmp_path, proxy_api_password="p" * 40)
    once, twice = Config(), Config()
    apply_config(settings, once)
    apply_config(settings, twice)
    apply_config(settings, twice)
    plain = lambda c: {k: {n: str(v) for n, v in section.items() if not callable(v)} for k, section in c.items()}  # noqa: E731
    without = lambda c: {k: {n: v for n, v in s.items() if n != "template_vars"} for k, s in plain(c).items()}  # noqa: E731
    assert without(once) == without(twice)


def test_a_wildcard_gives_every_server_its_own_host_and_its_own_cookies(tmp_path: Path) -> None:
    site = "https://app.example.fr"
    c = _config(_settings(tmp_path, public_url=site, subdomain_host=site))
    assert c.JupyterHub.subdomain_host == site
    assert c.JupyterHub.cookie_host_prefix_enabled is True
    assert c.JupyterHub.tornado_settings["cookie_options"]["secure"] is True
    name = hub_user_name("0" * 32, "f" * 32)
    host = host_name_of(name, "app.example.fr", "user")
    assert host == f"{name}.app.example.fr"
    assert all(len(label) <= 63 for label in host.split("."))
    policy = c.JupyterHub.tornado_settings["headers"]["Content-Security-Policy"]
    assert "form-action 'self' https://*.app.example.fr" in policy
    shared = _config(_settings(tmp_path, public_url=site))
    # All on one host: a cookie of that prefix would be sent to every notebook's server.
    assert shared.JupyterHub.cookie_host_prefix_enabled is False


def test_what_the_hub_writes_down_is_nobody_elses(tmp_path: Path) -> None:
    settings = _settings(tmp_path, data_dir=tmp_path / "hub")
    apply_config(settings, Config())
    assert (tmp_path / "hub").stat().st_mode & 0o777 == 0o700


def test_what_lives_on_when_the_hub_restarts(tmp_path: Path) -> None:
    c = _config(_settings(tmp_path))
    assert (c.JupyterHub.cleanup_servers, c.JupyterHub.cleanup_proxy) == (False, False)
    c = _config(_settings(tmp_path, stop_servers_with_hub=True))
    assert (c.JupyterHub.cleanup_servers, c.JupyterHub.cleanup_proxy) == (True, True)


def test_the_api_that_the_hub_starts_gets_its_secrets_and_none_of_the_hubs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAPILOT_HUB_DB_URL", "postgresql://hub:secret@db/hub")
    monkeypatch.setenv("DATAPILOT_DATABASE_URL", "sqlite:///x")
    c = _config(_settings(tmp_path, service_command="datapilot serve"))
    [api] = [service for service in c.JupyterHub.services if service["name"] == "datapilot"]
    assert api["environment"]["DATAPILOT_HUB_KEY"] == KEY
    assert api["environment"]["DATAPILOT_HUB_API_TOKEN"] == api["api_token"]
    assert api["environment"]["DATAPILOT_DATABASE_URL"] == "sqlite:///x"
    assert "DATAPILOT_HUB_DB_URL" not in api["environment"]
    assert api["oauth_no_confirm"] is True


def test_idle_servers_are_culled_unless_never(tmp_path: Path) -> None:
    names = [service["name"] for service in _config(_settings(tmp_path)).JupyterHub.services]
    assert names == ["datapilot", "idle-culler"]
    c = _config(_settings(tmp_path, idle_minutes=0))
    assert [service["name"] for service in c.JupyterHub.services] == ["datapilot"]
    assert all("idle-culler" not in role.get("services", ()) for role in c.JupyterHub.load_roles)


def test_a_postgresql_address_names_the_driver_that_is_there(tmp_path: Path) -> None:
    for written in ("postgres://u:p@db/hub", "postgresql://u:p@db/hub"):
        assert _settings(tmp_path, db_url=written).resolved_db_url() == "postgresql+psycopg://u:p@db/hub"


# ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_scope_is_one_of_the_hubs() -> None:
    specs = [*roles.role_specs(), *roles.fixed_roles("datapilot", culls=True)]
    named = {scope.partition("!")[0] for spec in specs for scope in spec["scopes"]}
    named |= {scope.partition("!")[0] for scope in (*roles.SERVER_TOKEN_SCOPES, *roles.RENDERING_TOKEN_SCOPES)}
    assert named <= scope_definitions.keys()


def test_what_a_tenants_people_may_is_their_own_alone() -> None:
    for spec in [*roles.role_specs(), roles.fixed_roles("datapilot", culls=True)[0]]:
        for scope in spec["scopes"]:
            assert scope.endswith(("!user", "!service=datapilot")), (spec["name"], scope)
            assert not scope.startswith(("admin", "tokens", "self", "inherit", "shares", "proxy")), scope


def test_a_viewers_role_has_nothing_of_servers() -> None:
    [viewer] = roles.roles_of("viewer")
    assert not [scope for scope in viewer["scopes"] if "servers" in scope]
    assert not [scope for scope in roles.EVERYBODY if "servers" in scope]


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TEMPLATES = sorted(path.name for path in Path(str(pages.TEMPLATES)).glob("*.html"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_word_of_a_page_is_in_the_catalogue(name: str) -> None:
    source = (Path(str(pages.TEMPLATES)) / name).read_text(encoding="utf-8")
    for key in re.findall(r"\bt\('([a-z_0-9]+)'", source):
        assert has_text(f"hub_pages.{key}"), f"{name}: {key}"
    written = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}|<[^>]*>", " ", source, flags=re.S)
    assert not re.search(r"[A-Za-zÀ-ÿ]{3,}", re.sub(r"dp-(main|door)", "", written)), (
        f"{name} has words of its own: {written.split()}"
    )


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_every_page_is_made_in_both_languages(tmp_path: Path, name: str, language: str) -> None:
    settings = _settings(tmp_path, language=language)
    user = SimpleNamespace(
        name="somebody",
        escaped_name="somebody",
        orm_user=SimpleNamespace(groups=[], user_info={"full_name": "<Zoé>", "email": "z@x", "tenant_name": "Maison"}),
    )
    given = {name: value(user) if callable(value) else value for name, value in pages.template_vars(settings).items()}
    environment = Environment(loader=FileSystemLoader(str(pages.TEMPLATES)), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template(name).render(
        **given, base_url="/hub/", login_url="/hub/login", logout_url="/hub/logout", user=user, xsrf="x", url="/hub/spawn",
        progress_url="/hub/api/x", spawn_url="/hub/spawn", status_code=404, exception=None, failed=True, login_error="",
        insecure=True, tenants=(("1", "A"),), ticket="t", providers=[{"name": "P", "url": "/hub/company/p"}], username="",
        form_action="/hub/login", default_server=SimpleNamespace(active=True), allowed_scopes=["a"],
        oauth_client=SimpleNamespace(redirect_uri="/user/x"), error_message="", ask=True,
    )  # fmt: skip
    assert f'lang="{language}"' in page
    assert "<Zoé>" not in page
    assert "{" not in re.sub(r"<[^>]+>", "", page)


def test_the_hubs_own_words_are_shown_to_nobody() -> None:
    from tornado import web

    for status in (400, 401, 403, 404, 405, 418, 424, 429, 500, 502, 503):
        said = sentence_for(status, web.HTTPError(status, "Traceback: user alice, scope servers!user=alice"))
        assert "alice" not in said
        assert title_for(status)
    ours = Said("hub_pages.too_many", status=429, retry_after=300, minutes=5)
    assert "5 minutes" in sentence_for(429, ours)
    assert ours.headers == {"Retry-After": "300"}


def test_a_start_that_fails_says_what_to_do_and_nothing_inside() -> None:
    for problem in (TimeoutError("alice's server never showed up"), RuntimeError("/var/lib/secret"), None):
        said = sentence_of(problem)
        assert "Réessayez" in said
        assert "alice" not in said
        assert "/var" not in said
    assert "tableaux de bord" in sentence_of(failure("spawning.viewer", status=403))


# ── walls ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ROOT = Path(__file__).parents[3] / "hub_config"
# What the hub's process shares with the API's: settings, names, data. No manager, no table, no vault.
SHARED = {"hub", "hub_names", "docker_names", "principal", "settings", "company", "key_files"}


def _rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("hub_config.")}
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "hub").rglob("*.py")), ids=lambda path: path.name)
def test_the_hubs_process_holds_nothing_of_the_apis(path: Path) -> None:
    assert _rooms(path) <= SHARED, path


@pytest.mark.parametrize(
    "room", ["api", "people", "queries", "data_sources", "content", "vault", "database", "operations", "pages", "tenant"]
)
def test_the_api_holds_nothing_of_the_hubs(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        assert "hub" not in _rooms(path), path


# ── where a browser came from, and who waits ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "1.2.3.4, 198.51.100.7", "198.51.100.7"),  # what the browser itself wrote is not believed
        ("127.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),  # nginx before traefik
        ("10.213.0.9", "198.51.100.7", "10.213.0.9"),  # a notebook's container that forges the header
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", ""),
    ],
)
def test_the_clients_address_is_what_trusted_proxies_say(peer: str, forwarded: str, client: str) -> None:
    assert client_of(peer, forwarded, ("127.0.0.1", "10.0.0.0/29")) == client


def test_what_waits_for_a_choice_is_taken_once_in_time_by_the_one_who_typed_it() -> None:
    now = [0.0]
    waiting = Waiting(lambda: now[0])
    tenants = (("1", "A"), ("2", "B"))
    ticket = waiting.keep("z@x", "secret", tenants, "198.51.100.7")
    assert "secret" not in repr(waiting._typed[ticket])
    assert waiting.take(ticket, "203.0.113.1") is None
    ticket = waiting.keep("z@x", "secret", tenants, "198.51.100.7")
    found = waiting.take(ticket, "198.51.100.7")
    assert found is not None
    assert found.password == "secret"
    assert waiting.take(ticket, "198.51.100.7") is None
    ticket = waiting.keep("z@x", "secret", tenants, "198.51.100.7")
    now[0] = 121.0
    assert waiting.take(ticket, "198.51.100.7") is None
    for _ in range(600):
        waiting.keep("z@x", "secret", tenants, "198.51.100.7")
    assert len(waiting._typed) <= 500


def test_servers_know_where_the_pages_are(tmp_path: Path) -> None:
    settings = _settings(tmp_path, public_url="https://app.example.fr", subdomain_host="https://app.example.fr")
    config = _config(settings)
    assert config.PersonSpawner.pages_url == settings.resolved_service_public_url()
    assert config.PersonSpawner.pages_url.startswith("https://")
