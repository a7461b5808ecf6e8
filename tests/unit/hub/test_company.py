"""The provider's configuration and keys: what of them is believed, for how long, and what is read again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.oidc_server import Oidc, oidc_server

pytest.importorskip("oauthenticator")

from hub_config.hub.company import Company, NotValid, ProviderAway, cookie_of
from hub_config.hub.settings import HubSettings, Provider


@pytest.fixture
def provider() -> Iterator[Oidc]:
    with oidc_server() as found:
        yield found


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _company(provider: Oidc, clock: Clock | None = None) -> Company:
    given = Provider(id="maison", name="Maison", issuer=provider.issuer, client_id="datapilot-hub", client_secret="s" * 40)
    settings = HubSettings(_secrets_dir=None, data_dir=Path("unused"), api_token="t" * 40)
    return Company(given, settings, clock=clock or Clock())


def _token(provider: Oidc, **more: Any) -> str:
    now = int(time.time())
    return provider.token(
        {"iss": provider.issuer, "aud": "datapilot-hub", "sub": "z", "iat": now, "exp": now + 60, "nonce": "n"} | more
    )


def test_a_key_that_came_since_is_read_once_a_minute_at_most(provider: Oidc) -> None:
    clock = Clock()
    company = _company(provider, clock)

    async def story() -> None:
        await company.ready()
        assert (await company.verified(_token(provider), "n"))["sub"] == "z"
        provider.fresh_key("k2")
        for _ in range(5):  # a flood of unknown keys is no flood at the provider
            with pytest.raises(NotValid):
                await company.verified(_token(provider), "n")
        assert len(provider.asked("/keys")) == 1
        clock.now += 61
        assert (await company.verified(_token(provider), "n"))["sub"] == "z"
        assert len(provider.asked("/keys")) == 2

    asyncio.run(story())


def test_the_configuration_is_kept_for_an_hour(provider: Oidc) -> None:
    clock = Clock()
    company = _company(provider, clock)

    async def story() -> None:
        await company.ready()
        await company.ready()
        assert len(provider.asked("/.well-known/openid-configuration")) == 1
        clock.now += 3601
        await company.ready()
        assert len(provider.asked("/.well-known/openid-configuration")) == 2

    asyncio.run(story())


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "ftp://x/token"},
        {"jwks_uri": None},
        {"jwks_uri": "https://x"},
    ],
    ids=["issuer", "token endpoint", "no keys", "keys of another scheme"],
)
def test_a_configuration_that_is_not_the_issuers_is_refused(provider: Oidc, configuration: dict[str, Any]) -> None:
    provider.configuration = configuration
    with pytest.raises(ProviderAway):
        asyncio.run(_company(provider).ready())


def test_a_provider_on_the_network_must_be_https() -> None:
    with pytest.raises(ValueError, match="https"):
        Provider(id="x", name="X", issuer="http://id.example", client_id="c")


def test_no_server_of_a_host_below_ours_can_set_the_cookie_of_a_sign_in(tmp_path: Path) -> None:
    def named(**more: Any) -> tuple[str, str]:
        return cookie_of(HubSettings(_secrets_dir=None, data_dir=tmp_path, api_token="t" * 40, **more), "/hub/")

    site = "https://app.example.fr"
    assert named(public_url=site, subdomain_host=site) == ("__Host-datapilot-company", "/")
    assert named(public_url=site) == ("datapilot-company", "/hub/company/"), "one host: no notebook's server is sent it"
    plain = "http://app.localhost:8000"
    assert named(public_url=plain, subdomain_host=plain)[0] == "datapilot-company", "no browser takes the prefix without TLS"
