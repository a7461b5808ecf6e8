"""The gate's rules, without an engine: what passes, and that everything else is refused before the engine hears of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.errors import BadInput
from hub_config import docker_names as names
from hub_config.docker_gate import calls
from hub_config.docker_gate.app import Gate
from hub_config.docker_gate.settings import GateSettings, load_gate_settings
from tests.gate_support import (
    BAD_CONTAINERS,
    COLLEAGUE,
    ID,
    IMAGE,
    OTHER,
    PERSON,
    TENANT,
    TOKEN,
    ScriptedEngine,
    call,
    changed,
    container_body,
    labels,
    network_body,
    rendering_network_body,
    volume_body,
)  # fmt: skip

NAME = names.container_name(TENANT, PERSON)
NETWORK = names.network_name(TENANT)


def create(body: Any, *, name: str = NAME, engine: ScriptedEngine | None = None, **options: Any) -> tuple[int, Any]:
    return call("POST", "/v1.41/containers/create", body, query=f"name={name}", engine=engine, **options)


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "é" * 20])
def test_a_caller_without_the_token_is_told_nothing(token: str | None) -> None:
    engine = ScriptedEngine()
    assert call("GET", "/version", token=token, engine=engine)[0] == 401
    assert engine.asked == []


def test_the_token_counts_once() -> None:
    engine = ScriptedEngine()
    assert call("GET", "/version", token=None, headers={"authorization": "Basic x"}, engine=engine)[0] == 401


def test_a_short_token_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAPILOT_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("DATAPILOT_GATE_TOKEN", "court")
    with pytest.raises(BadInput, match="DATAPILOT_GATE_TOKEN") as refused:
        load_gate_settings()
    assert "court" not in str(refused.value)
    (tmp_path / "DATAPILOT_GATE_TOKEN").write_text("x" * 32)
    monkeypatch.delenv("DATAPILOT_GATE_TOKEN")
    assert load_gate_settings().token.get_secret_value() == "x" * 32


# ── which calls ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_call_of_the_table_has_its_handler() -> None:
    for known in calls.CALLS:
        assert hasattr(Gate, f"_{known.handler}"), known


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/v1.41/containers/{NAME}/exec"), ("POST", f"/v1.41/exec/{ID}/start"), ("POST", f"/v1.41/containers/{NAME}/attach"),
        ("GET", f"/v1.41/containers/{NAME}/attach/ws"), ("GET", f"/v1.41/containers/{NAME}/archive"),
        ("PUT", f"/v1.41/containers/{NAME}/archive"), ("HEAD", f"/v1.41/containers/{NAME}/archive"),
        ("GET", f"/v1.41/containers/{NAME}/export"), ("POST", "/v1.41/commit"), ("POST", "/v1.41/build"),
        ("POST", "/v1.41/images/create"), ("POST", "/v1.41/images/load"), ("DELETE", f"/v1.41/images/{IMAGE}"),
        ("POST", f"/v1.41/containers/{NAME}/update"), ("POST", f"/v1.41/containers/{NAME}/rename"),
        ("POST", f"/v1.41/containers/{NAME}/copy"), ("GET", f"/v1.41/containers/{NAME}/top"),
        ("GET", f"/v1.41/containers/{NAME}/changes"), ("POST", f"/v1.41/containers/{NAME}/restart"),
        ("POST", "/v1.41/containers/prune"), ("POST", "/v1.41/volumes/prune"), ("POST", "/v1.41/networks/prune"),
        ("GET", "/v1.41/info"), ("GET", "/v1.41/events"), ("GET", "/v1.41/secrets"), ("POST", "/v1.41/swarm/init"),
        ("GET", "/v1.41/plugins"), ("POST", "/v1.41/plugins/pull"), ("POST", "/v1.41/session"), ("POST", "/v1.41/grpc"),
        ("POST", "/v1.41/auth"), ("GET", "/v1.41/images/json"), ("GET", "/"), ("GET", ""), ("GET", "*"),
        ("CONNECT", "/v1.41/_ping"), ("PUT", f"/v1.41/volumes/{NAME}"),
    ],
)  # fmt: skip
def test_other_calls_are_refused(method: str, path: str) -> None:
    engine = ScriptedEngine()
    status, said = call(method, path, engine=engine)
    assert (status, engine.asked) == (403, [])
    assert method == "HEAD" or said["message"].startswith("docker gate: ")


@pytest.mark.parametrize(
    "path",
    [
        "//v1.41/containers/create", "/v1.41//containers/create", "/v1.41/containers//create", "/v1.41/containers/create/",
        "/v1.41/./containers/create", "/v1.41/x/../containers/create", "/v1.41/containers/%63reate", "/v1.41/containers%2Fcreate",
        "/v1.41/containers/create%00", "/v1.41/containers/create;x", "/v1.41/containers/create#x", "/V1.41/containers/create",
        "/v1.41/v1.41/containers/create", "/v1.4x/containers/create", "/v2.0/containers/create", "/v1.041/containers/create",
        "/v1.41/Containers/create", "/v1.41/containers/create\n", "/v1.41/containers/create ", "http://docker/containers/create",
        f"/v1.41/containers/{NAME}/../hub-1/start", f"/v1.41/containers/{NAME}%2f..%2fhub-1/start", "/v1.41/containers/../hub-1/start",
        "/v1.41/containers/.../start", f"/v1.41/containers/{NAME}\\..\\hub-1/start",
    ],
)  # fmt: skip
def test_tricks_with_the_path_are_no_call(path: str) -> None:
    engine = ScriptedEngine()
    assert call("POST", path, container_body(), query=f"name={NAME}", engine=engine)[0] == 403
    assert engine.asked == []


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("DELETE", f"/v1.41/containers/{NAME}", "link=1"), ("GET", f"/v1.41/containers/{NAME}/logs", "follow=1&tail=5"),
        ("GET", f"/v1.41/containers/{NAME}/logs", "tail=all"), ("POST", f"/v1.41/containers/{NAME}/stop", "t=999"),
        ("POST", f"/v1.41/containers/{NAME}/stop", "t=1&t=2"), ("POST", f"/v1.41/containers/{NAME}/start", "detachKeys=x"),
        ("POST", f"/v1.41/containers/{NAME}/kill", "signal=SIGSTOP"), ("DELETE", f"/v1.41/volumes/{names.shared_volume(TENANT)}", "force=1"),
        ("GET", "/v1.41/containers/json", "size=1"), ("GET", "/v1.41/containers/json", 'filters={"volume":["x"]}'),
        ("GET", "/v1.41/containers/json", "filters=x"), ("GET", f"/v1.41/containers/{NAME}/json", "size=1"),
        ("GET", f"/v1.41/containers/{NAME}/logs", "tail=5%0a"), ("GET", "/v1.41/networks", "filters=%5B%5D"),
        ("GET", "/v1.41/volumes", 'filters={"label":5}'), ("GET", "/v1.41/networks", 'filters={"label":null}'),
        ("GET", "/v1.41/containers/json", 'filters={"label":{"a":true}}'), ("GET", "/v1.41/volumes", 'filters={"label":[1]}'),
    ],
)  # fmt: skip
def test_parameters_that_are_not_named_are_refused(method: str, path: str, query: str) -> None:
    engine = ScriptedEngine()
    assert call(method, path, query=query, engine=engine)[0] == 403
    assert engine.done == []


# ── creating a container ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rendering", [False, True], ids=["notebook", "rendering"])
def test_the_hubs_own_container_passes_as_the_hub_wrote_it(rendering: bool) -> None:
    engine = ScriptedEngine()
    body = container_body(rendering=rendering)
    assert create(body, engine=engine)[0] == 201
    [(method, path, query, sent)] = engine.done
    assert (method, path, query) == ("POST", "/v1.41/containers/create", {"name": NAME})
    host = sent["HostConfig"]
    assert {key: host[key] for key in body["HostConfig"] if key not in {"Mounts"}} == {
        key: value for key, value in body["HostConfig"].items() if key not in {"Mounts"}
    }
    assert [(m["Type"], m["Source"], m["Target"]) for m in host["Mounts"]] == [
        (m["Type"], m["Source"], m["Target"]) for m in body["HostConfig"]["Mounts"]
    ]
    assert {key: sent[key] for key in ("Image", "Cmd", "Env", "User", "Labels")} == {
        key: body[key] for key in ("Image", "Cmd", "Env", "User", "Labels")
    }


@pytest.mark.parametrize("what", BAD_CONTAINERS)
def test_any_other_option_of_a_container_is_refused(what: str) -> None:
    engine = ScriptedEngine()
    path, value = BAD_CONTAINERS[what]
    status, said = create(changed(container_body(), path, value), engine=engine)
    assert (status, engine.done) == (403, []), said
    assert "secret-of-hers" not in json.dumps(said)


@pytest.mark.parametrize(
    "missing",
    ["Image", "User", "Labels", "HostConfig", *(f"HostConfig/{key}" for key in (
        "NetworkMode", "Memory", "MemorySwap", "CpuQuota", "PidsLimit", "CapDrop", "SecurityOpt", "ReadonlyRootfs", "Mounts",
        "Tmpfs", "LogConfig", "Ulimits", "IpcMode", "CgroupnsMode", "Init", "OomScoreAdj", "Dns", "DnsSearch",
    ))],
)  # fmt: skip
@pytest.mark.parametrize("way", ["absent", "null"])
def test_nothing_that_protects_may_be_left_out(missing: str, way: str) -> None:
    body = changed(container_body(), missing, None)
    if way == "absent":
        inner = body["HostConfig"] if "/" in missing else body
        del inner[missing.rpartition("/")[2]]
    engine = ScriptedEngine()
    assert create(body, engine=engine)[0] == 403
    assert engine.done == []


@pytest.mark.parametrize(
    "name",
    [
        "postgres-1",
        names.container_name(OTHER, PERSON),
        names.container_name(TENANT, COLLEAGUE),
        f"{NAME}x",
        f"{NAME}-",
        f"{NAME}-A",
    ],
)
def test_a_containers_name_is_its_owners(name: str) -> None:
    engine = ScriptedEngine()
    assert create(container_body(), name=name, engine=engine)[0] == 403
    assert engine.done == []


def test_a_container_without_a_name_is_refused() -> None:
    engine = ScriptedEngine()
    assert call("POST", "/v1.41/containers/create", container_body(), engine=engine)[0] == 403
    assert engine.done == []


def test_a_network_or_volume_of_the_right_name_and_another_owner_is_refused() -> None:
    engine = ScriptedEngine()
    engine.networks[NETWORK] = labels("autre", tenant=TENANT)
    assert create(container_body(), engine=engine)[0] == 403
    engine = ScriptedEngine()
    whose: tuple[dict[str, str], ...] = (
        {},
        labels(tenant=TENANT, person=COLLEAGUE),
        labels(tenant=OTHER, person=PERSON),
        labels(tenant=TENANT),
    )
    for found in whose:
        engine.volumes[names.home_volume(TENANT, PERSON)] = found
        assert create(container_body(), engine=engine)[0] == 403
    del engine.volumes[names.home_volume(TENANT, PERSON)]
    assert create(container_body(), engine=engine)[0] == 404
    assert engine.done == []


def test_of_two_equal_keys_the_engine_sees_one() -> None:
    engine = ScriptedEngine()
    text = json.dumps(container_body())
    doubled = text.replace('"HostConfig": {', '"HostConfig": {"Privileged": true, "Privileged": false, ', 1).encode()
    assert create(doubled, engine=engine)[0] == 201
    assert engine.done[0][3]["HostConfig"]["Privileged"] is False


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{" * 100_000, 400), (b"[]", 400), (b"nonsense", 400), (b"\xff\xfe", 400), (b'{"a": "' + b"x" * 300_000 + b'"}', 413),
        (b'{"Image": NaN}', 403),
    ],
    ids=["deep", "list", "no json", "no utf-8", "huge", "not a number"],
)  # fmt: skip
def test_malformed_bodies_are_refused(body: bytes, status: int) -> None:
    engine = ScriptedEngine()
    assert create(body, engine=engine)[0] == status
    assert engine.asked == []


def test_a_body_that_says_it_is_something_else_is_refused() -> None:
    assert create(container_body(), headers={"content-type": "text/plain"})[0] == 415


# ── whose ────────────────────────────────────────────────────────────────────────────────────────────────────────────

VERBS = [("GET", "/json"), ("POST", "/start"), ("POST", "/stop"), ("POST", "/kill"), ("DELETE", ""), ("GET", "/logs")]


@pytest.mark.parametrize(("method", "verb"), VERBS)
def test_only_containers_of_this_installations_people_are_touched(method: str, verb: str) -> None:
    engine = ScriptedEngine()
    assert call(method, f"/v1.41/containers/{NAME}{verb}", engine=engine)[0] in (200, 201)
    if verb != "/json":
        # By the engine's own id: what carries the name a moment later is something else.
        assert engine.asked[-1][:2] == (method, f"/v1.41/containers/{ID}{verb}")
    for foreign in ("hub-1", "gate-1", "other-installation", "postgres-1"):
        engine = ScriptedEngine()
        assert call(method, f"/v1.41/containers/{foreign}{verb}", engine=engine)[0] == 403, foreign
        assert engine.done == []
    assert call(method, f"/v1.41/containers/nobody{verb}")[0] == 404


def test_starting_takes_no_body_with_options() -> None:
    engine = ScriptedEngine()
    assert call("POST", f"/v1.41/containers/{NAME}/start", {"Privileged": True}, engine=engine)[0] == 403
    assert engine.done == []


def test_lists_show_what_is_ours_and_no_environment() -> None:
    engine = ScriptedEngine()
    status, listed = call(
        "GET", "/v1.41/containers/json", query='all=1&filters={"label":["fr.datapilot.kind"]}', engine=engine
    )
    assert status == 200
    assert {item["Names"][0] for item in listed} == {f"/{NAME}", "/hub-1", "/proxy-1", "/gate-1"}
    assert "SECRET" not in json.dumps(listed)
    assert json.loads(engine.asked[0][2]["filters"])["label"][-1] == f"{names.INSTALLATION}=essai"
    _, networks = call("GET", "/v1.41/networks")
    renderings = {f"/{names.rendering_network(TENANT, person)}" for person in (PERSON, COLLEAGUE)}
    assert {item["Names"][0] for item in networks} == {f"/{NETWORK}", f"/{names.network_name(OTHER)}", "/core"} | renderings


# ── networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_hubs_own_network_passes() -> None:
    engine = ScriptedEngine()
    assert call("POST", "/v1.41/networks/create", network_body(), engine=engine)[0] == 201
    assert engine.done[0][3]["Internal"] is True
    assert engine.done[0][3]["Options"]["com.docker.network.bridge.inhibit_ipv4"] == "true"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Internal", False), ("Internal", None), ("Driver", "macvlan"), ("Driver", "host"), ("EnableIPv6", True), ("Attachable", True),
        ("Ingress", True), ("Scope", "swarm"), ("ConfigFrom", {"Network": "x"}), ("ConfigOnly", True), ("Name", "core"),
        ("Name", names.network_name(OTHER)), ("Options/com.docker.network.bridge.name", "docker0"),
        ("Options/com.docker.network.bridge.name", names.bridge_name("essai", OTHER)),
        ("Options/com.docker.network.bridge.inhibit_ipv4", "false"), ("Options/com.docker.network.bridge.inhibit_ipv4", None),
        ("Options/com.docker.network.bridge.gateway_mode_ipv4", "routed"), ("Options/parent", "eth0"),
        ("Options/com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"), ("IPAM/Config/0/Subnet", "10.214.0.0/26"),
        ("IPAM/Config/0/Subnet", "10.213.0.0/16"), ("IPAM/Config/0/Subnet", "0.0.0.0/0"), ("IPAM/Config/0/Subnet", "10.213.0.1/26"),
        ("IPAM/Config/0/Subnet", "nothing"), ("IPAM/Config/0/Gateway", "10.213.4.65"), ("IPAM/Config/0/AuxiliaryAddresses", {"a": "10.213.4.66"}),
        ("IPAM/Driver", "dhcp"), ("IPAM/Options", {"a": "b"}), ("IPAM/Config", []), (f"Labels/{names.INSTALLATION}", "autre"),
        (f"Labels/{names.TENANT}", OTHER), (f"Labels/{names.SERVICE}", "hub"),
    ],
)  # fmt: skip
def test_any_other_network_is_refused(path: str, value: Any) -> None:
    engine = ScriptedEngine()
    assert call("POST", "/v1.41/networks/create", changed(network_body(), path, value), engine=engine)[0] == 403
    assert engine.done == []


def test_a_renderings_own_network_passes() -> None:
    engine = ScriptedEngine()
    assert call("POST", "/v1.41/networks/create", rendering_network_body(), engine=engine)[0] == 201
    assert engine.done[0][3]["Labels"] == rendering_network_body()["Labels"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Name", NETWORK), ("Name", names.rendering_network(TENANT, COLLEAGUE)), (f"Labels/{names.KIND}", None),
        (f"Labels/{names.PERSON}", None), (f"Labels/{names.KIND}", "notebook"), (f"Labels/{names.PERSON}", COLLEAGUE),
        (f"Labels/{names.TENANT}", OTHER), ("Options/com.docker.network.bridge.name", names.bridge_name("essai", TENANT)),
        ("Options/com.docker.network.bridge.name", names.rendering_bridge("essai", TENANT, COLLEAGUE)),
        ("IPAM/Config/0/Subnet", "10.213.255.192/26"), ("IPAM/Config/0/Subnet", "10.214.0.0/28"), ("Internal", False),
    ],
)  # fmt: skip
def test_any_other_network_of_a_rendering_is_refused(path: str, value: Any) -> None:
    engine = ScriptedEngine()
    assert call("POST", "/v1.41/networks/create", changed(rendering_network_body(), path, value), engine=engine)[0] == 403
    assert engine.done == []


@pytest.mark.parametrize("network", [NETWORK, names.network_name(OTHER), names.rendering_network(TENANT, COLLEAGUE), "core"])
def test_a_rendering_is_on_no_network_but_its_own(network: str) -> None:
    engine = ScriptedEngine()
    body = changed(container_body(rendering=True), "HostConfig/NetworkMode", network)
    assert create(body, engine=engine)[0] == 403
    own = names.rendering_network(TENANT, PERSON)
    for whose in (labels(tenant=TENANT), labels(tenant=TENANT, person=COLLEAGUE, kind="rendering")):
        engine.networks[own] = whose
        assert create(container_body(rendering=True), engine=engine)[0] == 403
    assert engine.done == []


def test_of_the_services_the_proxy_is_on_no_renderings_network() -> None:
    own = names.rendering_network(TENANT, PERSON)
    assert attach(NETWORK, "proxy-1", Aliases=["dp-proxy"])[0] == 201
    assert attach(own, "hub-1")[0] == 201
    assert attach(own, "proxy-1", Aliases=["dp-proxy"])[0] == 403


def attach(network: str, container: str, **endpoint: Any) -> tuple[int, ScriptedEngine]:
    engine = ScriptedEngine()
    body = {"Container": container, "EndpointConfig": endpoint or {"Aliases": ["dp-hub"]}}
    return call("POST", f"/v1.41/networks/{network}/connect", body, engine=engine)[0], engine


def test_the_platforms_services_are_attached_under_their_own_name_only() -> None:
    status, engine = attach(NETWORK, "hub-1")
    assert (status, engine.done[0][3]) == (201, {"Container": ID, "EndpointConfig": {"Aliases": ["dp-hub"]}})
    refused = [
        attach(NETWORK, "hub-1", Aliases=["dp-api"]),
        attach(NETWORK, "hub-1", Aliases=["dp-hub", "dp-api"]),
        attach(NETWORK, "hub-1", Aliases=["dp-hub"], IPAMConfig={"IPv4Address": "10.213.4.66"}),
        attach(NETWORK, "hub-1", Aliases=["dp-hub"], GwPriority=1),
        attach(NETWORK, "gate-1"),
        attach(NETWORK, "postgres-1"),
        attach(NETWORK, NAME),
        attach(NETWORK, "other-installation"),
        attach("bridge", "hub-1"),
        attach("core", "hub-1"),
        attach("dpt-foreign", "hub-1"),
    ]
    assert [(status, engine.done) for status, engine in refused] == [(403, [])] * len(refused)


@pytest.mark.parametrize("network", ["bridge", "core", "dpt-foreign"])
def test_only_tenants_networks_are_let_go_of_or_removed(network: str) -> None:
    engine = ScriptedEngine()
    assert call("DELETE", f"/v1.41/networks/{network}", engine=engine)[0] == 403
    body = {"Container": "hub-1", "Force": True}
    assert call("POST", f"/v1.41/networks/{network}/disconnect", body, engine=engine)[0] == 403
    assert engine.done == []
    assert call("POST", f"/v1.41/networks/{NETWORK}/disconnect", body, engine=engine)[0] == 201
    assert call("DELETE", f"/v1.41/networks/{NETWORK}", engine=engine)[0] == 200


# ── volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_hubs_own_volumes_pass() -> None:
    for body in (volume_body(), changed(volume_body(), "DriverOpts/size", "1000000"), {
        "Name": names.shared_volume(TENANT), "Driver": "local", "DriverOpts": None, "Labels": labels(tenant=TENANT),
    }):  # fmt: skip
        assert call("POST", "/v1.41/volumes/create", body)[0] == 201


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Driver", "nfs"), ("DriverOpts", {"type": "none", "o": "bind", "device": "/"}), ("DriverOpts/device", "/etc"),
        ("DriverOpts/o", "bind"), ("DriverOpts/size", "1000000000000000"), ("DriverOpts/size", "10G"), ("Name", "pgdata"), ("Name", "/etc"),
        ("Name", names.shared_volume(OTHER)), ("Name", names.shared_volume(TENANT)), (f"Labels/{names.PERSON}", COLLEAGUE),
        (f"Labels/{names.INSTALLATION}", "autre"), ("Labels/x", "y"), ("ClusterVolumeSpec", {}),
    ],
)  # fmt: skip
def test_any_other_volume_is_refused(path: str, value: Any) -> None:
    engine = ScriptedEngine()
    assert call("POST", "/v1.41/volumes/create", changed(volume_body(), path, value), engine=engine)[0] == 403
    assert engine.done == []


def test_a_volume_that_was_there_under_the_name_is_not_taken_for_ours() -> None:
    engine = ScriptedEngine()
    engine.volumes[names.home_volume(TENANT, PERSON)] = {}
    assert call("POST", "/v1.41/volumes/create", volume_body(), engine=engine)[0] == 403
    assert call("DELETE", "/v1.41/volumes/pgdata", engine=engine)[0] == 403
    assert call("GET", "/v1.41/volumes/pgdata", engine=engine)[0] == 403


def test_the_limits_are_the_settings() -> None:
    small = GateSettings(
        _secrets_dir=None, token=TOKEN, installation="essai", images=(IMAGE,), memory_max_bytes=64 * 1024**2
    )  # type: ignore[call-arg]
    assert create(container_body(), settings=small)[0] == 403
    assert create(container_body(), settings=small.model_copy(update={"memory_max_bytes": 8 * 1024**3}))[0] == 201
    assert (
        create(container_body(), settings=small.model_copy(update={"memory_max_bytes": 8 * 1024**3, "images": ()}))[0] == 403
    )
