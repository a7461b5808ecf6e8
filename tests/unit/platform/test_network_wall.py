"""Which hosts a tenant may name: every form of every address that is not public, the operator's list, and our own services."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub_config  # noqa: F401 -- registers its catalogues
from datapilot_kernel.errors import BadInput
from hub_config.data_sources.network import (
    MOST_ADDRESSES,
    HostRefused,
    NetworkWall,
    Place,
    inner_addresses,
    is_global,
    normalised_host,
    own_services,
)
from hub_config.settings import Settings


class Names:
    """A resolver of tests: what each name answers, in turn; remembers what it was asked."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(turns) for name, turns in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        turns = self.answers.get(host)
        if not turns:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return turns.pop(0) if len(turns) > 1 else turns[0]


PUBLIC = "51.15.20.30"
SPECIAL = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.1.1", "127.0.0.1", "127.255.0.1", "100.64.0.1",
    "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "192.88.99.1",
    "::1", "fc00::1", "fd12:3456::1", "2001:db8::1", "3fff::1", "2001:1::1", "2001:20::1", "100::1", "5f00::1", "1::1", "4000::1",
    "64:ff9b::808:808", "64:ff9b:1::808:808", "2002:808:808::1", "::ffff:8.8.8.8", "::8.8.8.8", "::ffff:0:8.8.8.8",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2a01:4f8::5efe:808:808", "2a01:4f8::200:5efe:808:808",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "169.254.1.1", "224.0.0.1", "239.1.2.3", "240.0.0.1",
    "255.255.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.192", "::", "fe80::1", "febf::1", "fec0::1", "ff02::1",
    "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1", "64:ff9b:1::a9fe:a9fe", "::ffff:0.0.0.0", "2a01:4f8::5efe:169.254.169.254",
]  # fmt: skip
MALFORMED = [
    "", " ", "2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "db.example.fr.", ".",
    "a..b", "10.0.0.256", "1.2.3", "1.2.3.4.5", "0x", "db.0x1f", "db.example.123", "[::1]", "fe80::1%eth0", "::1%1", "%",
    "/var/run/postgresql", "@abstract", "a,b", "a b", "db.example.fr:5432", "http://db", "user@db", "db#x", "db?x=1",
    "-db.example.fr", "db-.example.fr", "\u0661\u0662\u0667.0.0.1", "１２７.0.0.1", "bücher.example", "db\u3002example", "a" * 64 + ".fr",
    ("a" * 60 + ".") * 5 + "fr", "db\n.example", "db\0", "localhost\t", "::ffff:127.0.0.1:80", "1::2::3", "12345::1",
]  # fmt: skip


def _refused(wall: NetworkWall, host: str, port: int = 5432) -> HostRefused:
    with pytest.raises(HostRefused) as caught:
        wall.addresses(host, port)
    return caught.value


@pytest.mark.parametrize("address", [*SPECIAL, *NEVER])
def test_an_address_that_is_not_public_is_refused_as_itself_and_behind_a_name(address: str) -> None:
    wall = NetworkWall(resolver=Names(db_example=[[address]]))
    direct, named = _refused(wall, address), _refused(wall, "db.example")
    assert direct.reason == "address_not_public"
    assert named.reason == "host_not_found"
    assert address not in named.message + named.log + repr(named)


@pytest.mark.parametrize("address", NEVER)
def test_no_list_opens_what_is_never_open(address: str) -> None:
    wall = NetworkWall(["0.0.0.0/0", "::/0", "db.example"], resolver=Names(db_example=[[address]]))
    _refused(wall, address)
    _refused(wall, "db.example")


@pytest.mark.parametrize("address", SPECIAL)
def test_the_operators_list_opens_the_rest(address: str) -> None:
    by_network = NetworkWall(["0.0.0.0/0", "::/0"])
    assert by_network.addresses(address, 5432) == (str(ip_address(address)),)
    by_name = NetworkWall(["db.example"], resolver=Names(db_example=[[address]]))
    assert by_name.addresses("db.example", 5432) == (str(ip_address(address)),)
    # A name on the list opens that name, not its address.
    _refused(by_name, address)


@pytest.mark.parametrize("host", MALFORMED)
def test_what_is_no_plain_host_is_never_looked_up(host: str) -> None:
    names = Names()
    assert _refused(NetworkWall(["0.0.0.0/0", "::/0"], resolver=names), host).reason == "host_malformed"
    assert names.asked == []


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    _refused(NetworkWall(), PUBLIC, port)


def test_public_hosts_pass_in_the_resolvers_order_and_their_number_is_bounded() -> None:
    many = [f"51.15.20.{n}" for n in range(1, 9)]
    wall = NetworkWall(resolver=Names(db_example=[["2a01:4f8:1::7", PUBLIC, PUBLIC]], many_example=[many]))
    assert wall.addresses("DB.Example", 5432) == ("2a01:4f8:1::7", PUBLIC)
    assert wall.addresses("many.example", 3306) == tuple(many[:MOST_ADDRESSES])
    assert wall.addresses(PUBLIC, 5432) == (PUBLIC,)
    assert wall.addresses("2A01:4F8:0001::0007", 5432) == ("2a01:4f8:1::7",)


@pytest.mark.parametrize(
    "answer", [[PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "::ffff:127.0.0.1"], [PUBLIC, "fe80::1%2"]]
)
def test_one_address_inside_spoils_the_name(answer: list[str]) -> None:
    _refused(NetworkWall(resolver=Names(db_example=[answer])), "db.example")
    # Beyond the number that is tried, too.
    _refused(NetworkWall(resolver=Names(db_example=[[f"51.15.20.{n}" for n in range(9)] + answer])), "db.example")


def test_unknown_and_inside_are_one_answer() -> None:
    wall = NetworkWall(resolver=Names(inside_lan=[["10.1.2.3"]]))
    inside, unknown = _refused(wall, "inside.lan"), _refused(wall, "nobody.lan")
    assert (inside.key, inside.values.keys()) == (unknown.key, unknown.values.keys())
    assert inside.message.replace("inside", "nobody") == unknown.message


def test_a_name_is_judged_at_every_call() -> None:
    wall = NetworkWall(resolver=Names(db_example=[[PUBLIC], ["127.0.0.1"]]))
    assert wall.addresses("db.example", 5432) == (PUBLIC,)
    _refused(wall, "db.example")


@pytest.mark.parametrize(
    ("entry", "opens", "keeps_shut"),
    [
        ("10.8.0.0/16", [("10.8.3.4", 5432), ("10.8.0.1", 1)], [("10.9.0.1", 5432)]),
        ("10.8.0.0/16:5432", [("10.8.3.4", 5432)], [("10.8.3.4", 5433)]),
        ("10.8.0.3", [("10.8.0.3", 3306)], [("10.8.0.4", 3306)]),
        ("10.8.0.3:3306", [("10.8.0.3", 3306)], [("10.8.0.3", 22)]),
        ("fd12::/48", [("fd12::7", 5432)], [("fd13::7", 5432)]),
        ("[fd12::/48]:5432", [("fd12::7", 5432)], [("fd12::7", 5433)]),
        ("Erp.Client.LAN:5432", [("erp.client.lan", 5432)], [("erp.client.lan", 3306), ("autre.client.lan", 5432)]),
        ("10.0.0.0/8", [], [("::ffff:10.0.0.1", 5432), ("64:ff9b::a00:1", 5432)]),
    ],
)
def test_entries_of_the_list(entry: str, opens: list[tuple[str, int]], keeps_shut: list[tuple[str, int]]) -> None:
    names = Names(erp_client_lan=[["10.1.1.1"]], autre_client_lan=[["10.1.1.1"]])
    wall = NetworkWall([entry], resolver=names)
    for host, port in opens:
        assert wall.addresses(host, port)
    for host, port in keeps_shut:
        _refused(wall, host, port)


@pytest.mark.parametrize(
    "entry",
    ["", "10.8.0.0/40", "10.8.0.1/16", "a/b", "[fd12::/48", "[::1]x", "10.0.0.1:", "10.0.0.1:0", "db:99999", "*.lan"],
)
def test_an_entry_that_says_nothing_stops_the_start(entry: str) -> None:
    with pytest.raises(BadInput):
        Place.parse(entry)


def test_our_own_services_are_shut_even_where_the_list_is_open() -> None:
    names = Names(postgres=[["172.18.0.3"]], db_example=[["172.18.0.3"]])
    wall = NetworkWall(["0.0.0.0/0", "::/0"], ["postgres:5432", "172.18.0.4", "[fd12::9]:8081"], resolver=names)
    for host, port in [("postgres", 5432), ("172.18.0.3", 5432), ("db.example", 5432), ("::ffff:172.18.0.3", 5432)]:
        _refused(wall, host, port)
    for host, port in [("172.18.0.4", 22), ("fd12::9", 8081)]:
        _refused(wall, host, port)
    assert wall.addresses("172.18.0.3", 3306)
    assert wall.addresses("fd12::9", 8082)


def test_a_service_of_this_machine_is_shut_under_every_address_of_this_machine() -> None:
    wall = NetworkWall(["0.0.0.0/0", "::/0"], ["127.0.0.1:8000"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it asks which of our addresses would be used
        mine = str(probe.getsockname()[0])
    for host in ("127.0.0.1", "127.9.9.9", "::1", mine, f"::ffff:{mine}"):
        _refused(wall, host, 8000)
    assert wall.addresses("127.0.0.1", 5432) == ("127.0.0.1",)


def test_a_service_whose_name_fails_keeps_its_last_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(postgres=[["172.18.0.3"], []])
    wall = NetworkWall(["172.16.0.0/12"], ["postgres:5432"], resolver=names)
    _refused(wall, "172.18.0.3")
    monkeypatch.setattr("hub_config.data_sources.network._OWN_FRESH_S", 0.0)
    _refused(wall, "172.18.0.3")
    assert names.asked == ["postgres", "postgres"]


def test_the_settings_name_our_services() -> None:
    settings = Settings(
        database_url="postgresql+psycopg://app:pw@pg.intern/platform", database_admin_url="postgresql://o:pw@10.0.0.9:6432/platform",
        public_url="https://dp.exemple.fr", hub_api_url="http://hub:8081/hub/api", smtp_host="mail.exemple.fr", own_services="traefik:8099",
    )  # fmt: skip
    assert own_services(settings) == (
        "traefik:8099", "dp.exemple.fr:443", "hub:8081", "pg.intern:5432", "10.0.0.9:6432", "mail.exemple.fr:587",
    )  # fmt: skip
    wall = NetworkWall.from_settings(settings, own=["127.0.0.1:9000"], resolver=Names(dp_exemple_fr=[[PUBLIC]]))
    _refused(wall, PUBLIC, 443)
    assert wall.addresses(PUBLIC, 5432)


@given(st.integers(0, 2**32 - 1))
def test_every_embedding_of_an_address_is_seen(number: int) -> None:
    four = ip_address(number)
    for form in (
        number, 0xFFFF << 32 | number, 0xFFFF0000 << 32 | number, 0x64FF9B << 96 | number, 0x64FF9B0001 << 80 | number,
        0x2002 << 112 | number << 80, 0x20010000 << 96 | (number ^ 0xFFFFFFFF), 0x2A01 << 112 | 0x5EFE << 32 | number,
    ):  # fmt: skip
        six = ip_address(form.to_bytes(16, "big"))
        assert form == 1 or four in inner_addresses(six), six  # type: ignore[arg-type]


@given(st.ip_addresses())
def test_what_passes_is_what_python_calls_global_too(address: object) -> None:
    host = str(address)
    assert normalised_host(host) == host
    if is_global(address):  # type: ignore[arg-type]
        assert ip_address(host).is_global or host.startswith(("192.", "2001:", "2620:")), host


@given(st.text(max_size=40))
def test_any_text_is_a_host_or_a_refusal(text: str) -> None:
    refused = _refused(NetworkWall(resolver=Names()), text)
    assert refused.reason in {"host_malformed", "host_not_found", "address_not_public"}


def test_where_the_service_turned_out_to_listen_is_its_own() -> None:
    wall = NetworkWall(("127.0.0.1",))
    assert wall.addresses("127.0.0.1", 41000) == ("127.0.0.1",)
    wall.add_own("127.0.0.1:41000")
    with pytest.raises(HostRefused):
        wall.addresses("127.0.0.1", 41000)
    assert wall.addresses("127.0.0.1", 5432) == ("127.0.0.1",)
