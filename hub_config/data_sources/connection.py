"""A tenant's connection, typed: what may be said about a database server, and nothing besides.

There are no driver parameters: a form with free parameters is a way into libpq's and PyMySQL's settings, some of which read
files of this machine (``passfile``, ``sslkey``, ``read_default_file``), pick another server (``service``, ``unix_socket``,
``hostaddr``) or run statements (``options``, ``init_command``). Unknown fields are refused: a new need is a new field here.

The password is in no URL and in no text: from the vault to the driver it is a value of its own.

With ``ssh`` the way leads through a server of the tenant's: the wall judges that server, and the database's name is resolved
at its far side, where nothing of ours is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from datapilot_kernel.sources import DatabaseLocation, HostKey, SshServer, Tls
from datapilot_kernel.sources.ssh import LONGEST_KEY, checked_armour
from datapilot_kernel.sources.tls import TlsMode, checked_pem
from hub_config.data_sources.network import NetworkWall, normalised_host

SourceType = Literal["postgresql", "mysql", "mariadb"]

_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
_LONGEST_PEM = 64 * 1024


_SETTINGS = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


def _whole(secret: SecretStr) -> SecretStr:
    if "\0" in secret.get_secret_value():
        raise ValueError("NUL")
    return secret


class SshConfig(BaseModel):
    """The SSH server on the way to a database. ``repr`` and ``str`` show no secret; SourceProblem as ConnectionConfig.

    Attributes
    ----------
    host_key
        The line of the server's public key, confirmed by a person; None: it was only asked for.
    private_key, password
        One of the two signs in; a key that is there is the one that is used.
    """

    model_config = _SETTINGS

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(22, ge=1, le=65535, strict=True)
    user: _Name
    host_key: str | None = Field(None, max_length=LONGEST_KEY)
    private_key: SecretStr | None = Field(None, max_length=LONGEST_KEY)
    passphrase: SecretStr | None = Field(None, max_length=1024)
    password: SecretStr | None = Field(None, max_length=1024)

    @field_validator("host")
    @classmethod
    def _one_spelling(cls, host: str) -> str:
        return normalised_host(host)

    @field_validator("host_key")
    @classmethod
    def _one_line(cls, line: str | None) -> str | None:
        return HostKey.parse(line).line if line else None

    @field_validator("private_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        return SecretStr(checked_armour(key.get_secret_value())) if key and key.get_secret_value() else None

    @field_validator("passphrase", "password")
    @classmethod
    def _no_end_inside(cls, secret: SecretStr | None) -> SecretStr | None:
        return _whole(secret) if secret and secret.get_secret_value() else None

    @property
    def confirmed(self) -> HostKey | None:
        """The server's key that a person confirmed."""
        return HostKey.parse(self.host_key) if self.host_key else None

    def plain(self) -> dict[str, Any]:
        """Return everything, secrets in clear: for the vault alone."""
        secrets = {name: secret.get_secret_value() for name, secret in self._secrets().items() if secret is not None}
        return {**self.model_dump(exclude_none=True), **secrets}

    def shown(self) -> dict[str, Any]:
        """Return what those may see who manage the source: which secrets there are, and none of them."""
        there = {f"has_{name}": secret is not None for name, secret in self._secrets().items()}
        key = self.confirmed
        shown = self.model_dump(exclude=set(self._secrets()), exclude_none=True)
        return {**shown, **there, "fingerprint": key.fingerprint if key else None}

    def _secrets(self) -> dict[str, SecretStr | None]:
        return {"private_key": self.private_key, "passphrase": self.passphrase, "password": self.password}

    def server(self, wall: NetworkWall) -> SshServer:
        """Return what the tunnel takes. The wall judges the host before every connection."""
        host, port = self.host, self.port
        secrets = {name: secret.get_secret_value() if secret else None for name, secret in self._secrets().items()}
        return SshServer(host, port, self.user, self.confirmed, addresses=lambda: wall.addresses(host, port), **secrets)


class ConnectionConfig(BaseModel):
    """How to reach one database of a tenant. ``repr`` and ``str`` show no secret.

    A host that is none and a certificate that cannot be read raise SourceProblem, with a sentence for the person:
    pydantic's ValidationError would name the field alone.

    Attributes
    ----------
    host
        A name or an address, in its one spelling. What the certificate must carry.
    port
        None: the server's usual one.
    tls
        ``verify`` unless the person said otherwise.
    ca_certificate
        PEM of the authority that signed the server's certificate; None: the machine's authorities.
    ssh
        The server that the way leads through; None: the database is reached directly.
    """

    model_config = _SETTINGS

    type: SourceType
    host: str = Field(min_length=1, max_length=253)
    port: int | None = Field(None, ge=1, le=65535, strict=True)
    database: _Name
    user: _Name
    password: SecretStr = Field(SecretStr(""), max_length=1024)
    tls: TlsMode = "verify"
    ca_certificate: str | None = Field(None, max_length=_LONGEST_PEM, repr=False)
    ssh: SshConfig | None = None

    @field_validator("host")
    @classmethod
    def _one_spelling(cls, host: str) -> str:
        return normalised_host(host)

    @field_validator("password")
    @classmethod
    def _no_end_inside(cls, password: SecretStr) -> SecretStr:
        return _whole(password)

    @field_validator("ca_certificate")
    @classmethod
    def _readable(cls, pem: str | None) -> str | None:
        if pem:
            checked_pem(pem)
        return pem or None

    @property
    def kind(self) -> Literal["postgres", "mysql"]:
        """The dialect that the server speaks."""
        match self.type:
            case "postgresql":
                return "postgres"
            case "mysql" | "mariadb":
                return "mysql"
            case _:
                assert_never(self.type)

    @property
    def effective_port(self) -> int:
        """The port that is connected to."""
        return self.port or (5432 if self.kind == "postgres" else 3306)

    def plain(self) -> dict[str, Any]:
        """Return everything, the secrets in clear: for the vault alone."""
        plain = {**self.model_dump(exclude_none=True, exclude={"ssh"}), "password": self.password.get_secret_value()}
        return {**plain, "ssh": self.ssh.plain()} if self.ssh else plain

    def shown(self) -> dict[str, Any]:
        """Return what those may see who manage the source: everything but the secrets."""
        shown = self.model_dump(mode="json", exclude={"password", "ssh"}, exclude_none=True)
        shown["has_password"] = bool(self.password.get_secret_value())
        return {**shown, "ssh": self.ssh.shown()} if self.ssh else shown

    def judge(self, wall: NetworkWall) -> None:
        """Let the wall judge the server that this machine would connect to.

        Raises
        ------
        HostRefused
            The host is not for tenants. Blocks as long as the resolver does.
        """
        if self.ssh is not None:
            wall.addresses(self.ssh.host, self.ssh.port)
        else:
            wall.addresses(self.host, self.effective_port)

    def location(self, wall: NetworkWall) -> DatabaseLocation:
        """Return what ``open_source`` takes. The wall judges the host now, and again before every new connection.

        Raises
        ------
        HostRefused
            The host is not for tenants. Blocks as long as the resolver does.
        """
        host, port = self.host, self.effective_port
        self.judge(wall)
        return DatabaseLocation(
            kind=self.kind,
            host=host,
            port=port,
            database=self.database,
            user=self.user,
            password=self.password.get_secret_value(),
            tls=Tls(self.tls, self.ca_certificate),
            addresses=None if self.ssh else lambda: wall.addresses(host, port),
            ssh=self.ssh.server(wall) if self.ssh else None,
        )
