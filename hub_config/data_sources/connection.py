"""A tenant's connection, typed: what may be said about a database server, and nothing besides.

There are no driver parameters: a form with free parameters is a way into libpq's and PyMySQL's settings, some of which read
files of this machine (``passfile``, ``sslkey``, ``read_default_file``), pick another server (``service``, ``unix_socket``,
``hostaddr``) or run statements (``options``, ``init_command``). Unknown fields are refused: a new need is a new field here.

The password is in no URL and in no text: from the vault to the driver it is a value of its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from datapilot_kernel.sources import DatabaseLocation, Tls
from datapilot_kernel.sources.tls import TlsMode, checked_pem
from hub_config.data_sources.network import NetworkWall, normalised_host

SourceType = Literal["postgresql", "mysql", "mariadb"]

_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
_LONGEST_PEM = 64 * 1024


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
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    type: SourceType
    host: str = Field(min_length=1, max_length=253)
    port: int | None = Field(None, ge=1, le=65535, strict=True)
    database: _Name
    user: _Name
    password: SecretStr = Field(SecretStr(""), max_length=1024)
    tls: TlsMode = "verify"
    ca_certificate: str | None = Field(None, max_length=_LONGEST_PEM, repr=False)

    @field_validator("host")
    @classmethod
    def _one_spelling(cls, host: str) -> str:
        return normalised_host(host)

    @field_validator("password")
    @classmethod
    def _no_end_inside(cls, password: SecretStr) -> SecretStr:
        if "\0" in password.get_secret_value():
            raise ValueError("NUL")
        return password

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
        """Return everything, the password in clear: for the vault alone."""
        return {**self.model_dump(exclude_none=True), "password": self.password.get_secret_value()}

    def location(self, wall: NetworkWall) -> DatabaseLocation:
        """Return what ``open_source`` takes. The wall judges the host now, and again before every new connection.

        Raises
        ------
        HostRefused
            The host is not for tenants. Blocks as long as the resolver does.
        """
        host, port = self.host, self.effective_port
        wall.addresses(host, port)
        return DatabaseLocation(
            kind=self.kind,
            host=host,
            port=port,
            database=self.database,
            user=self.user,
            password=self.password.get_secret_value(),
            tls=Tls(self.tls, self.ca_certificate),
            addresses=lambda: wall.addresses(host, port),
        )
