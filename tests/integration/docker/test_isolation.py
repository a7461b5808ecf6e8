"""From inside a person's container, with a shell: what is reached and what is not. Each refusal has a control that is let through.

The person is an administrator of tenant t1 (who may do the most); beside them run a colleague's container (t1) and the other
tenant's (t2). « control » is a container of ours that stands where the target may be reached from: if it does not reach it,
the test fails, because then nothing is proved.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import subprocess
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from hub_config import docker_names as names
from hub_config import firewall
from hub_config.access import MATRIX
from hub_config.documents import all_routes, permission_of
from tests.container_world import ContainerWorld
from tests.docker_engine import Engine, put_file, run_shell
from tests.hub_world import Server, until
from tests.platform_support import PASSWORD

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

ROLE, COLLEAGUE = "administrator", "analyst"


@pytest.fixture(scope="module")
def person(container_world: ContainerWorld) -> Server:
    """The administrator of t1, signed in, their JupyterLab open."""
    return container_world.server(ROLE, "t1")


@pytest.fixture(scope="module")
def neighbour(container_world: ContainerWorld) -> Server:
    """The other tenant's analyst."""
    return container_world.server(COLLEAGUE, "t2")


@pytest.fixture(scope="module")
def inside(container_world: ContainerWorld, person: Server, neighbour: Server) -> Any:
    """The administrator's container; the neighbour's runs too."""
    return container_world.inside(ROLE, "t1")


@pytest.fixture(scope="module")
def controls(container_world: ContainerWorld, inside: Any) -> Iterator[dict[str, Any]]:
    """A plain container on each network, by its short name."""
    world = container_world
    where = {name: network.name for name, network in world.networks.items()}
    where |= {tenant: names.network_name(world.world.tenant_id(tenant)) for tenant in ("t1", "t2")}
    made = {name: world.control(network) for name, network in where.items()}
    yield made
    for container in made.values():
        container.remove(force=True)


@pytest.fixture(scope="module")
def host() -> Iterator[int]:
    """A service of the host that listens on every one of its addresses; its port."""

    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"host!\n")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Both(ThreadingHTTPServer):
        address_family = socket.AF_INET6
        daemon_threads = True

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

    server = Both(("::", 0), Says)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(10)


def host_addresses() -> list[str]:
    """Every IPv4 address of the host, the bridges' included."""
    said = subprocess.run(["ip", "-4", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    return [address for address in re.findall(r"inet ([0-9.]+)/", said) if not address.startswith("127.")]


def python(container: Any, code: str, *, user: str = "") -> str:
    """Run Python in a container; return what it printed."""
    code_, said = container.exec_run(["python3", "-c", textwrap.dedent(code)], user=user)
    assert code_ == 0, said.decode(errors="replace")
    return str(said.decode(errors="replace"))


def reached(container: Any, *targets: tuple[str, int]) -> dict[str, bool]:
    """Whether something answers HTTP there, seen from a container; by ``host:port``."""
    found: dict[str, bool] = json.loads(
        python(
            container,
            f"""
            import concurrent.futures, json, socket
            def reached(target):
                try:
                    with socket.create_connection(target, 5) as s:
                        s.settimeout(30)
                        s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                        return s.recv(1) != b""
                except OSError:
                    return False
            targets = [tuple(t) for t in {json.dumps(targets)}]
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                print(json.dumps({{f"{{h}}:{{p}}": ok for (h, p), ok in zip(targets, pool.map(reached, targets))}}))
            """,
        )
    )
    return found


def none(found: dict[str, bool]) -> bool:
    """Nothing was reached, of at least one thing."""
    return bool(found) and not any(found.values())


def every(found: dict[str, bool]) -> bool:
    """Everything was reached, of at least one thing."""
    return bool(found) and all(found.values())


def most(found: dict[str, bool]) -> bool:
    """At least two of the host's addresses were reached: bridges of others' networks come and go on a shared machine."""
    return sum(found.values()) >= 2


# ── the network ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_platforms_three_services_are_reached_and_their_names_lead_to_them_alone(
    container_world: ContainerWorld, inside: Any
) -> None:
    world = container_world
    assert every(reached(inside, ("dp-hub", 8081), ("dp-api", 8000), ("dp-proxy", 8000)))
    network = names.network_name(world.world.tenant_id("t1"))
    for alias, service in (("dp-hub", world.hub), ("dp-api", world.api), ("dp-proxy", world.proxy)):
        found = python(inside, f"import socket; print({{a[4][0] for a in socket.getaddrinfo('{alias}', 1)}})").strip()
        assert found == str({world.address(service.container, network)})


def test_nothing_else_of_those_services_answers(container_world: ContainerWorld, inside: Any) -> None:
    """The proxy's own API listens on the inner network alone; the hub reaches it there."""
    world = container_world
    network = names.network_name(world.world.tenant_id("t1"))
    here = world.address(world.proxy.container, network)
    assert every(reached(world.hub.container, (world.inner_proxy_ip, 8099)))
    assert none(reached(inside, (here, 8099), (world.inner_proxy_ip, 8099)))


def test_the_other_tenants_containers_are_out_of_reach(
    container_world: ContainerWorld, inside: Any, controls: dict[str, Any]
) -> None:
    world = container_world
    theirs = names.network_name(world.world.tenant_id("t2"))
    targets = [(world.address(world.inside(COLLEAGUE, "t2"), theirs), 8888)]
    targets += [(world.address(service.container, theirs), 8000) for service in (world.api, world.proxy)]
    assert every(reached(controls["t2"], *targets))
    assert none(reached(inside, *targets))
    name = world.container_name(COLLEAGUE, "t2")
    assert python(controls["t2"], f"import socket; print(socket.gethostbyname('{name}'))").strip() == targets[0][0]
    with pytest.raises(AssertionError, match="gaierror"):
        python(inside, f"import socket; print(socket.gethostbyname('{name}'))")


def test_no_address_of_the_host_answers(
    container_world: ContainerWorld, inside: Any, controls: dict[str, Any], host: int
) -> None:
    targets = [(address, host) for address in host_addresses()]
    own = container_world.engine.client.networks.get(names.network_name(container_world.world.tenant_id("t1")))
    gateway = str(own.attrs["IPAM"]["Config"][0]["Subnet"].rpartition(".")[0])
    first = int(own.attrs["IPAM"]["Config"][0]["Subnet"].split("/")[0].rpartition(".")[2]) + 1
    assert most(reached(controls["edge"], *targets))
    assert none(reached(inside, *targets, (f"{gateway}.{first}", host)))


def test_neither_database_nor_gate_nor_internet_are_reached(container_world: ContainerWorld, inside: Any) -> None:
    world = container_world
    core, docker = world.networks["core"].name, world.networks["docker"].name
    database, gate = (world.address(world.database, core), 5432), (world.address(world.gate.container, docker), 2375)
    internet = (world.internet_ip, 80)
    assert every(reached(world.hub.container, database, gate, ("postgres", 5432), ("docker-gate", 2375)))
    assert every(reached(world.api.container, internet, ("internet", 80)))
    assert none(
        reached(
            inside, database, gate, internet, ("postgres", 5432), ("docker-gate", 2375), ("internet", 80),
            ("169.254.169.254", 80), ("1.1.1.1", 443),
        )
    )  # fmt: skip


def test_names_beyond_the_network_are_asked_of_nobody(container_world: ContainerWorld, inside: Any) -> None:
    """A name can carry what a connection may not: the host's own name server must not hear one."""
    heard: list[bytes] = []
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            listening.bind(("127.0.0.1", 53))
        except OSError as error:
            pytest.skip(f"port 53 of this machine is taken: {error}")
        listening.settimeout(0.2)
        asked = b"\0\1\1\0\0\1\0\0\0\0\0\0\6secret\7example\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            control.sendto(asked, ("127.0.0.1", 53))
        assert b"secret" in listening.recv(512)
        started = time.monotonic()
        with pytest.raises(AssertionError, match="gaierror"):
            python(inside, "import socket; socket.gethostbyname('secret.stolen.example')")
        assert time.monotonic() - started < 15
        with contextlib.suppress(TimeoutError):
            while True:
                heard.append(listening.recv(512))
    assert heard == []
    own = container_world.engine.client.api.inspect_container(inside.id)["HostConfig"]
    assert (own["Dns"], own["DnsSearch"]) == (["127.0.0.1"], ["."])


PING = """
import concurrent.futures, os, socket, struct, sys
def ping(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as s:
        s.settimeout(2)
        body = b"12345678"
        head = struct.pack("!BBHHH", 8, 0, 0, 0, 1)
        total = sum(struct.unpack("!8H", head + body))
        total = (total >> 16) + (total & 0xFFFF)
        s.sendto(struct.pack("!BBHHH", 8, 0, ~(total + (total >> 16)) & 0xFFFF, 0, 1) + body, (address, 0))
        return s.recv(64) != b""
def tried(address):
    try:
        return ping(address)
    except OSError:
        return False
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    for address, answered in zip(sys.argv[1:], pool.map(tried, sys.argv[1:])):
        print(address, answered)
"""


def pings(container: Any, *addresses: str) -> dict[str, bool]:
    """Who answers ICMP, seen from a container."""
    code, said = container.exec_run(["python3", "-c", PING, *addresses])
    assert code == 0, said
    return {line.split()[0]: line.split()[1] == "True" for line in said.decode().splitlines()}


def test_neither_host_nor_others_answer_pings(
    container_world: ContainerWorld, inside: Any, controls: dict[str, Any]
) -> None:
    world = container_world
    other = world.address(world.inside(COLLEAGUE, "t2"), names.network_name(world.world.tenant_id("t2")))
    assert every(pings(inside, world.address(world.api.container, names.network_name(world.world.tenant_id("t1")))))
    assert every(pings(controls["t2"], other))
    assert most(pings(controls["edge"], *host_addresses()))
    assert none(pings(inside, other, *host_addresses()))


def test_no_raw_packet_leaves_and_nothing_of_the_interface_can_be_changed(inside: Any, controls: dict[str, Any]) -> None:
    """Without them nobody pretends to be the hub: no forged ARP, no second address, no route by another container."""
    code = """
    import fcntl, socket, struct
    def tried(what):
        try:
            what()
            return "done"
        except OSError as error:
            return type(error).__name__
    def address():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, 0x8916, struct.pack("16sH2s4s8s", b"eth0", socket.AF_INET, b"", socket.inet_aton("10.213.0.9"), b""))
    print(tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)).close()),
          tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()),
          tried(address))
    """
    assert python(inside, code).split() == ["PermissionError"] * 3
    # Docker's default is NET_RAW without NET_ADMIN: the first two are what dropping everything took away.
    assert python(controls["t1"], code).split() == ["done", "done", "PermissionError"]


def test_there_is_no_ipv6_by_which_to_go_round(inside: Any, controls: dict[str, Any], host: int) -> None:
    said = python(inside, "print(open('/proc/net/if_inet6').read())").split("\n")
    assert [line for line in said if line.strip() and not line.rstrip().endswith("lo")] == []
    targets = [
        (found, host)
        for found in re.findall(
            r"inet6 ([0-9a-f:]+)/",
            subprocess.run(["ip", "-6", "-o", "addr"], capture_output=True, text=True, check=True).stdout,
        )
        if found != "::1"
    ]
    if targets:
        with contextlib.closing(socket.create_connection((targets[0][0], host), 3)):
            pass
        assert none(reached(inside, *targets))
    assert not sends(inside, "ff02::1")


def sends(container: Any, address: str) -> bool:
    """Whether a packet to an IPv6 address of the link leaves."""
    said = python(
        container,
        f"""
        import socket
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            s.sendto(b"x", ("{address}", 9, 0, socket.if_nametoindex("eth0")))
            print("sent")
        except OSError:
            print("no")
        """,
    )
    return said.strip() == "sent"


def test_the_firewall_holds_by_itself(docker_engine: Engine, host: int) -> None:
    """On a network on which the host has its address, as an engine or an option of tomorrow may give it one."""
    was = firewall.in_place()
    firewall.remove()
    bridge = f"{names.BRIDGES}{docker_engine.run}000"
    network = docker_engine.client.networks.create(
        f"dptest-{docker_engine.run}-open", driver="bridge", labels=docker_engine.labels, enable_ipv6=False,
        options={"com.docker.network.bridge.name": bridge},
    )  # fmt: skip
    other = docker_engine.client.networks.create(
        f"dptest-{docker_engine.run}-aside", driver="bridge", labels=docker_engine.labels
    )
    image, labels = docker_engine.base_image(), docker_engine.labels
    made = [
        docker_engine.client.containers.run(image, ["sleep", "7200"], detach=True, init=True, network=where, labels=labels)
        for where in (network.name, network.name, other.name)
    ]
    try:
        container, peer, aside = made
        # Bridges of others' networks come and go on a shared machine, and some take nothing from another bridge.
        here = [
            address.split(":")[0] for address, ok in reached(container, *((a, host) for a in host_addresses())).items() if ok
        ]
        targets = [(address, host) for address in here]
        assert len(targets) >= 2
        peer.reload()
        peers = peer.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
        assert every(pings(container, *here, peers))
        firewall.apply()
        firewall.apply()
        assert firewall.in_place()
        assert none(reached(container, *targets))
        assert none(pings(container, *here))
        assert every(pings(container, peers)), "two containers of one network still reach each other"
        assert any(reached(aside, *targets).values()), "other networks are left alone"
        accept = ["INPUT", "-i", bridge, "-j", "ACCEPT"]
        subprocess.run(["iptables", "-I", *accept], check=True)
        try:
            assert none(reached(container, *targets)), "what others allow in iptables takes nothing back"
        finally:
            subprocess.run(["iptables", "-D", *accept], check=True)
        firewall.remove()
        assert not firewall.in_place()
        assert most(reached(container, *targets))
    finally:
        for container in made:
            container.remove(force=True)
        network.remove()
        other.remove()
        if was:
            firewall.apply()


def test_a_colleagues_server_asks_who_one_is(container_world: ContainerWorld, inside: Any, person: Server) -> None:
    """Containers of one tenant share a network: what keeps a person's server is its own sign-in."""
    colleague = container_world.server(COLLEAGUE, "t1")
    address = container_world.address(
        container_world.inside(COLLEAGUE, "t1"), names.network_name(container_world.world.tenant_id("t1"))
    )
    said = python(
        inside,
        f"""
        import os, urllib.request, urllib.error
        for token in ("", os.environ["JUPYTERHUB_API_TOKEN"]):
            for path in ("api/contents", "api/kernels", "api/sessions", "files/x"):
                asked = urllib.request.Request("http://{address}:8888{colleague.path}" + path)
                if token:
                    asked.add_header("Authorization", "token " + token)
                class Stay(urllib.request.HTTPRedirectHandler):
                    def redirect_request(self, *args): return None
                try:
                    print(urllib.request.build_opener(Stay).open(asked, timeout=60).status)
                except urllib.error.HTTPError as error:
                    print(error.code)
        """,
    )
    assert set(said.split()) <= {"403", "302"}
    assert len(said.split()) == 8
    assert colleague.request("GET", "contents").status_code == 200


# ── the API ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_token_inside_opens_neither_the_other_tenant_nor_any_administration(
    container_world: ContainerWorld, inside: Any, person: Server
) -> None:
    world = container_world
    closed = []
    for route in all_routes(world.world.app):
        needed = permission_of(route)
        if needed is not None and "administrator" not in MATRIX[needed].notebook:
            path = re.sub(r"\{[^}]+\}", "0" * 32, route.path)
            closed += [(method, path) for method in route.methods or ()]
    assert len(closed) > 30
    own, foreign = world.sources["t1"], world.sources["t2"]
    opened = [
        ("GET", f"/api/v1/data-sources/{own}"), ("GET", f"/api/v1/data-sources/{foreign}"),
        ("GET", f"/api/v1/data-sources/{foreign}/catalog"), ("GET", "/api/v1/data-sources"),
    ]  # fmt: skip
    said = python(
        inside,
        f"""
        import json, os, urllib.request, urllib.error
        base = os.environ["DATAPILOT_API_URL"].rstrip("/")
        def ask(method, path, token, body=None):
            asked = urllib.request.Request(base + path, method=method, data=None if method == "GET" else json.dumps(body or {{}}).encode())
            asked.add_header("Content-Type", "application/json")
            asked.add_header("Authorization", "Bearer " + token)
            try:
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
        mine = os.environ["JUPYTERHUB_API_TOKEN"]
        token = json.loads(ask("POST", "/api/v1/auth/exchange", "", {{"token": mine}})[1])["access_token"]
        print(json.dumps([[m, p, *ask(m, p, token)] for m, p in {json.dumps(opened)}]))
        print(json.dumps([[m, p, ask(m, p, token)[0], ask(m, p, mine)[0]] for m, p in {json.dumps(closed)}]))
        """,
    ).splitlines()
    opened_said, closed_said = (json.loads(line) for line in said)
    statuses = [status for _, _, status, _ in opened_said]
    assert statuses[0] == 200, opened_said[0]
    assert statuses[1:3] == [404, 404]
    assert foreign not in opened_said[3][3]
    assert own in opened_said[3][3]
    assert [entry for entry in closed_said if entry[2] != 403] == []
    assert [entry for entry in closed_said if entry[3] not in (401, 403)] == []


def test_the_hub_grants_this_token_nothing_but_its_own_activity(container_world: ContainerWorld, inside: Any) -> None:
    said = python(
        inside,
        """
        import json, os, urllib.request, urllib.error
        def ask(method, path, body=None):
            asked = urllib.request.Request(os.environ["JUPYTERHUB_API_URL"] + path, method=method, data=body)
            asked.add_header("Authorization", "token " + os.environ["JUPYTERHUB_API_TOKEN"])
            try:
                return urllib.request.urlopen(asked, timeout=60).status
            except urllib.error.HTTPError as error:
                return error.code
        me = os.environ["JUPYTERHUB_USER"]
        print(json.dumps([ask("GET", "/user"), ask("POST", f"/users/{me}/activity", b"{}")]))
        print(json.dumps([ask(*call) for call in (
            ("GET", "/users"), ("GET", "/proxy"), ("GET", "/services"), ("GET", "/groups"), ("GET", "/info"),
            ("POST", f"/users/{me}/tokens", b"{}"), ("GET", f"/users/{me}/tokens"), ("DELETE", f"/users/{me}/server"),
            ("POST", "/users/somebody", b""), ("DELETE", f"/users/{me}"), ("POST", "/shutdown", b"{}"),
        )]))
        """,
    ).splitlines()
    assert json.loads(said[0])[0] == 200
    assert set(json.loads(said[1])) <= {403, 404}


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SCAN = """
import json, os, re, sys
wanted = {name: value.encode() for name, value in json.loads(sys.stdin.read()).items()}
found = {name: [] for name in wanted}
def look(path):
    try:
        with open(path, "rb") as f:
            content = f.read(64 * 1024 * 1024)
    except OSError:
        return
    for name, value in wanted.items():
        if value in content:
            found[name].append(path)
for root in ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var", "/dev/shm"):
    for folder, _, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                look(path)
for pid in filter(str.isdecimal, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        look(f"/proc/{pid}/{name}")
print(json.dumps(found))
"""


def test_no_secret_is_inside_but_the_own_token(container_world: ContainerWorld, inside: Any, neighbour: Server) -> None:
    world = container_world
    container_world.server(COLLEAGUE, "t1")

    def token_of(container: Any) -> str:
        said = run_shell(container, 'printf %s "$JUPYTERHUB_API_TOKEN"')[1]
        assert len(said) >= 32
        return said

    keys = [path.read_text().split() for path in (world.world.settings.data_dir / "keys").iterdir() if path.is_file()]
    own = token_of(inside)
    wanted = {
        "own": own, "the hub's key": world.hub_key, "the API's token": world.hub_token, "the gate's token": world.gate_token,
        "a password": PASSWORD, "the neighbour's token": token_of(world.inside(COLLEAGUE, "t2")),
        "a colleague's token": token_of(world.inside(COLLEAGUE, "t1")),
        "the hub's cookie key": (world.folder / "hub" / "keys" / "cookie").read_text().strip(),
        **{f"key {number}": word for number, words in enumerate(keys) for word in words if len(word) > 20},
    }  # fmt: skip
    assert any(name.startswith("key ") for name in wanted)
    put_file(inside, "/home/datapilot/wanted.json", json.dumps(wanted).encode())
    put_file(inside, "/home/datapilot/scan.py", SCAN.encode())
    code, said = run_shell(
        inside, "cd /home/datapilot; cat wanted.json > /tmp/w; rm wanted.json; (cat /tmp/w; rm /tmp/w) | python3 scan.py"
    )
    assert code == 0, said
    found = json.loads(said)
    assert {name: paths for name, paths in found.items() if paths and name != "own"} == {}
    assert found["own"], "the scan does not find what is there"
    kept = [path for path in found["own"] if not (path.startswith("/proc/") and path.endswith("/environ"))]
    assert [path for path in kept if not path.startswith("/tmp/jupyter/jpserver-")] == [], "a token stays on a volume"
    secret_names = [
        line.partition("=")[0]
        for line in run_shell(inside, "env")[1].splitlines()
        if re.search(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL", line.partition("=")[0])
    ]
    assert sorted(secret_names) == ["JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN"]
    assert run_shell(inside, 'printf %s "$JPY_API_TOKEN"')[1] == own


def test_there_is_no_socket_of_docker_inside(container_world: ContainerWorld, inside: Any) -> None:
    look = "find / -xdev -name '*docker*.sock' 2>/dev/null; ls /var/run/docker.sock /run/docker.sock /run/containerd 2>/dev/null"
    assert (
        str(container_world.engine.socket)
        in run_shell(container_world.gate.container, f"ls {container_world.engine.socket}")[1]
    )
    assert run_shell(inside, look)[1] == ""


# ── the container itself ─────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_made_as_the_spawner_says(container_world: ContainerWorld, inside: Any) -> None:
    host = inside.attrs["HostConfig"]
    assert (host["Privileged"], host["CapAdd"], host["CapDrop"], host["ReadonlyRootfs"]) == (False, None, ["ALL"], True)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"], host["CpuQuota"]) == (1024**3, 1024**3, 256, 100_000)
    assert (host["Binds"], host["Devices"], host["PortBindings"]) in (
        ([], [], {}),
        (None, None, None),
        (None, [], None),
        (None, None, {}),
    )
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"], host["IpcMode"]) == ("", "", "", "private")
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "2", "max-size": "5m"}}
    assert inside.attrs["Config"]["User"] == "1000:1000"
    world = container_world.world
    assert inside.labels == {
        **{k: v for k, v in inside.labels.items() if k.startswith("org.opencontainers.")},
        names.INSTALLATION: container_world.installation, names.TENANT: world.tenant_id("t1"),
        names.PERSON: world.user_id(ROLE, "t1"), names.KIND: "notebook",
    }  # fmt: skip
    assert list(inside.attrs["NetworkSettings"]["Networks"]) == [names.network_name(world.tenant_id("t1"))]
    assert {(mount["Type"], mount["Name"], mount["Destination"]) for mount in inside.attrs["Mounts"]} == {
        ("volume", names.home_volume(world.tenant_id("t1"), world.user_id(ROLE, "t1")), "/home/datapilot"),
        ("volume", names.shared_volume(world.tenant_id("t1")), "/home/datapilot/partage"),
    }


def test_the_root_is_read_only_and_home_and_tmp_are_not(inside: Any) -> None:
    for folder in ("/", "/etc", "/usr/bin", "/opt/datapilot", "/var/tmp", "/root", "/run", "/home"):
        assert run_shell(inside, f"touch {folder}/x")[0] != 0, folder
        assert run_shell(inside, f"touch {folder}/x", user="0")[0] != 0, f"{folder} as root"
    for folder in ("/home/datapilot", "/home/datapilot/partage", "/tmp", "/dev/shm"):
        assert run_shell(inside, f"touch {folder}/x && rm {folder}/x")[0] == 0, folder
    for path in (
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/kernel/x",
    ):
        assert run_shell(inside, f"echo 1 > {path}")[0] != 0, path
        assert run_shell(inside, f"echo 1 > {path}", user="0")[0] != 0, f"{path} as root"


def test_what_colleagues_share_is_the_tenants_and_only_theirs(
    container_world: ContainerWorld, inside: Any, neighbour: Server
) -> None:
    container_world.server(COLLEAGUE, "t1")
    assert run_shell(inside, "echo bonjour > ~/partage/mot; echo secret > ~/mien")[0] == 0
    colleague, other = container_world.inside(COLLEAGUE, "t1"), container_world.inside(COLLEAGUE, "t2")
    assert run_shell(colleague, "cat ~/partage/mot")[1].strip() == "bonjour"
    assert run_shell(colleague, "cat ~/mien")[0] != 0
    assert run_shell(other, "cat ~/partage/mot || cat ~/mien")[0] != 0


def test_setuid_programs_and_namespaces_are_of_no_use(inside: Any, controls: dict[str, Any]) -> None:
    status = dict(line.split(":\t") for line in run_shell(inside, "cat /proc/self/status")[1].splitlines() if ":\t" in line)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    who = "cp /usr/bin/id {0}/id && chown 0:0 {0}/id && chmod 4755 {0}/id"
    plain = controls["t1"]
    assert run_shell(plain, who.format("/tmp"))[0] == 0
    assert "euid=0" in run_shell(plain, "/tmp/id", user="1000")[1]
    # Root of the engine puts it there: nobody inside could.
    volume = inside.attrs["Mounts"]
    home = next(mount["Name"] for mount in volume if mount["Destination"] == "/home/datapilot")
    client = plain.client
    client.containers.run(
        plain.image, ["sh", "-c", who.format("/h")], remove=True, mounts=[{"Type": "volume", "Source": home, "Target": "/h"}]
    )
    said = run_shell(inside, "stat -c %a:%u ~/id; ~/id")[1]
    assert "4755:0" in said
    assert "uid=1000" in said
    assert "euid" not in said
    tries = python(
        inside,
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        for flags in (0x10000000, 0x20000, 0x40000000, 0x20000000):  # user, mount, network, pid
            print(libc.unshare(flags))
        print(libc.mount(b"none", b"/tmp", b"tmpfs", 0, b""))
        for call in (lambda: os.mknod("/tmp/d", 0o60600, os.makedev(254, 0)), lambda: os.setuid(0), lambda: os.chroot("/tmp")):
            try:
                call()
                print(0)
            except OSError:
                print(-1)
        """,
    )
    assert set(tries.split()) == {"-1"}
    assert len(tries.split()) == 8


def answers(server: Server, seconds: float = 30) -> bool:
    """Whether somebody's JupyterLab answers in time."""
    try:
        return server.request("GET", "status", timeout=seconds).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_fork_bomb_stays_inside(inside: Any, person: Server, neighbour: Server, container_world: ContainerWorld) -> None:
    code = """
    import os, signal, sys, time
    children = []
    try:
        while len(children) < 5000:
            child = os.fork()
            if child == 0:
                time.sleep(200)
                os._exit(0)
            children.append(child)
    except OSError:
        pass
    print(len(children), flush=True)
    end = time.monotonic() + 180
    while time.monotonic() < end and not os.path.exists("ENOUGH"):
        time.sleep(0.1)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    """
    enough = f"/home/datapilot/enough-{secrets.token_hex(4)}"
    told: list[str] = []
    bomb = threading.Thread(target=lambda: told.append(python(inside, code.replace("ENOUGH", enough))))
    bomb.start()
    try:
        inside.reload()
        most = inside.attrs["HostConfig"]["PidsLimit"]
        until(lambda: inside.stats(stream=False)["pids_stats"]["current"] >= most, 60)
        assert answers(neighbour), "the neighbour does not answer"
        assert httpx.get(f"{container_world.url}/hub/health", timeout=30, trust_env=False).status_code == 200
        assert run_shell(container_world.inside(COLLEAGUE, "t2"), "sh -c 'sleep 0 & wait'")[0] == 0
    finally:
        put_file(inside, enough, b"")
        bomb.join(200)
    assert 1 < int(told[0]) <= 256
    until(lambda: answers(person), 30, lambda: "the person's own server does not answer any more")


def test_a_memory_hog_stays_inside(inside: Any, person: Server, neighbour: Server, container_world: ContainerWorld) -> None:
    code, said = inside.exec_run(["python3", "-c", "x = b'x' * (3 * 1024**3); print(len(x))"])
    assert (code, said) == (137, b""), (code, said)
    assert answers(neighbour)
    inside.reload()
    assert inside.status == "running"
    until(lambda: answers(person), 60, lambda: "the person's own server is gone")
    control = container_world.control(container_world.networks["edge"].name)
    try:
        code, said = control.exec_run(["python3", "-c", "x = b'x' * (3 * 1024**3); print(len(x))"])
        assert (code, said.strip()) == (0, str(3 * 1024**3).encode()), (
            "the machine itself has no such memory: nothing is proved"
        )
    finally:
        control.remove(force=True)


def test_temporary_files_large_files_and_logs_end(inside: Any, neighbour: Server) -> None:
    fill = "for n in 1 2 3 4 5; do dd if=/dev/zero of={0}/fill$n bs=1M count=20; done; rm -f {0}/fill?"
    assert "No space left" in run_shell(inside, fill.format("/tmp"))[1]
    assert "No space left" in run_shell(inside, fill.format("/dev/shm"))[1]
    said = python(
        inside,
        """
        import os, resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with open(os.path.expanduser("~/large"), "wb") as f:
                for _ in range(100):
                    f.write(bytes(1024**2))
            print("written")
        except OSError as error:
            print(error.strerror, os.path.getsize(os.path.expanduser("~/large")))
        os.remove(os.path.expanduser("~/large"))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            print("raised")
        except (ValueError, OSError):
            print("stays")
        """,
    ).splitlines()
    assert said == [f"File too large {32 * 1024**2}", "stays"]
    assert answers(neighbour)


def test_a_hungry_person_gets_their_share_of_the_processor(inside: Any) -> None:
    """Two busy loops in a container of one CPU use one CPU."""
    said = python(
        inside,
        """
        import os, time
        started = time.monotonic()
        end = started + 4
        def busy():
            while time.monotonic() < end:
                pass
            os._exit(0)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                busy()
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        took, used = time.monotonic() - started, os.times()
        print((used.children_user + used.children_system) / took)
        """,
    )
    assert float(said) < 1.35
