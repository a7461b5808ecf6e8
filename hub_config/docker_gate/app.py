"""The gate as an ASGI application. It speaks Docker's own protocol, so that docker-py works through it unchanged.

Each request: the token (compared in constant time), the table of calls, the body into its model, the policy with what the
engine knows of the objects named, then one request of the gate's own. Refusals are Docker's shape (``{"message": …}``), so
that docker-py raises them as an ``APIError``.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError

from hub_config import docker_names as names
from hub_config.docker_gate import bodies, policy
from hub_config.docker_gate.calls import Call, find
from hub_config.docker_gate.engine import Answer, EngineAway, EngineLine
from hub_config.docker_gate.policy import Denied
from hub_config.docker_gate.settings import GateSettings

log = logging.getLogger("datapilot.docker_gate")

_BODY_BYTES = 256 * 1024
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Model = TypeVar("Model", bound=bodies._Body)


class Gate:
    """``Gate(settings, EngineLine(socket))`` is an ASGI application."""

    def __init__(self, settings: GateSettings, engine: EngineLine) -> None:
        self._settings = settings
        self._engine = engine
        self._token = b"Bearer " + settings.token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["raw_path"].split(b"?")[0].decode("latin-1")
        try:
            answer = await self._decide(scope, receive, method, path)
        except Denied as no:
            level = logging.DEBUG if no.status == 404 else logging.WARNING
            log.log(level, "refused: %s %r: %r", method, path[:200], no.message)  # as written: no line of the caller's own
            answer = _message(no.status, f"docker gate: {no.message}")
        except EngineAway as away:
            log.error("engine away: %s %r: %s", method, path[:200], away)
            answer = _message(502, f"docker gate: {away}")
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [
                    (b"content-type", answer.content_type.encode("latin-1")),
                    (b"content-length", str(len(answer.content)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer.content if method != "HEAD" else b""})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._engine.close()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _decide(self, scope: Scope, receive: Receive, method: str, path: str) -> Answer:
        self._known(scope["headers"])
        found = find(method, path)
        if found is None:
            raise Denied("no such call")
        call, match, version = found
        query = _query(call, scope["query_string"])
        given = await _body(scope["headers"], receive)
        if given and not call.handler.startswith(("create_", "attach", "detach")):
            # docker-py writes an empty object for some calls; anything in it would be an option of the call.
            raise Denied("this call has no body")
        handler: Callable[..., Awaitable[Answer]] = getattr(self, f"_{call.handler}")
        return await handler(call, version + match.group(0), match, query, given or {}, version)

    def _known(self, headers: list[tuple[bytes, bytes]]) -> None:
        shown = [value for key, value in headers if key == b"authorization"]
        if len(shown) != 1 or not hmac.compare_digest(shown[0], self._token):
            raise Denied("unknown caller", status=401)

    # ── what needs no object ──────────────────────────────────────────────────────────────────────────────────────

    async def _plain(self, call: Call, path: str, *_: Any) -> Answer:
        return await self._engine.ask(call.method, path)

    async def _image(self, call: Call, path: str, match: re.Match[str], *_: Any) -> Answer:
        policy.check_image(self._settings, match["id"])
        return await self._engine.ask(call.method, path)

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _containers(self, call: Call, path: str, _m: Any, query: dict[str, str], *_: Any) -> Answer:
        answer = await self._engine.ask(call.method, path, query={**query, "filters": self._only_own(query)})
        if answer.status != 200:
            return answer
        return _json([policy.shown_container(item) for item in answer.json() if self._is_own(item.get("Labels"))])

    async def _networks(self, call: Call, path: str, _m: Any, query: dict[str, str], *_: Any) -> Answer:
        answer = await self._engine.ask(call.method, path, query={"filters": self._only_own(query)})
        return answer if answer.status != 200 else _json([n for n in answer.json() if self._is_own(n.get("Labels"))])

    async def _volumes(self, call: Call, path: str, _m: Any, query: dict[str, str], *_: Any) -> Answer:
        answer = await self._engine.ask(call.method, path, query={"filters": self._only_own(query)})
        if answer.status != 200:
            return answer
        return _json({"Volumes": self._own_volumes(answer.json().get("Volumes")), "Warnings": None})

    async def _disk(self, call: Call, path: str, _m: Any, _q: Any, _b: Any, version: str) -> Answer:
        # From 1.42 the engine measures only what it is asked for; before, everything.
        newer = version and int(version.removeprefix("/v1.")) >= 42
        answer = await self._engine.ask(call.method, path, query={"type": "volume"} if newer else None)
        return answer if answer.status != 200 else _json({"Volumes": self._own_volumes(answer.json().get("Volumes"))})

    def _own_volumes(self, volumes: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        return [volume for volume in volumes or [] if self._is_own(volume.get("Labels"))]

    def _is_own(self, labels: Mapping[str, str] | None) -> bool:
        return bool(labels) and labels.get(names.INSTALLATION) == self._settings.installation  # type: ignore[union-attr]

    def _only_own(self, query: Mapping[str, str]) -> str:
        """Return the filters, narrowed to this installation; only labels and names may be asked for."""
        try:
            given = json.loads(query.get("filters") or "{}")
        except ValueError:
            raise Denied("filters: no JSON") from None
        if not isinstance(given, dict) or not given.keys() <= {"label", "name", "status"}:
            raise Denied("filters: only label, name and status")
        labels = given.get("label", [])
        labels = [labels] if isinstance(labels, str) else labels
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise Denied("filters: labels are texts")
        return json.dumps({**given, "label": [*labels, f"{names.INSTALLATION}={self._settings.installation}"]})

    # ── containers ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _create_container(
        self, call: Call, path: str, _m: Any, query: dict[str, str], given: dict[str, Any], version: str
    ) -> Answer:
        body = _read(bodies.Container, given)
        if "name" not in query:
            raise Denied("a container has a name")
        network = await self._look(f"{version}/networks/{body.host.network}")
        volumes = {
            mount.source: (await self._look(f"{version}/volumes/{mount.source}")).get("Labels") or {}
            for mount in body.host.mounts
        }
        policy.check_container(self._settings, query["name"], body, network=network.get("Labels") or {}, volumes=volumes)
        return await self._engine.ask(call.method, path, query=query, body=body.to_send())

    async def _container(
        self, call: Call, path: str, match: re.Match[str], query: dict[str, str], _b: Any, version: str
    ) -> Answer:
        found = await self._look(f"{version}/containers/{match['id']}/json")
        policy.own_container(self._settings, found["Config"].get("Labels"))
        if call.method == "GET" and path.endswith("/json"):
            return _json(found)
        return await self._engine.ask(call.method, _with(version, match, found["Id"]), query=query)

    # ── networks ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _create_network(self, call: Call, path: str, _m: Any, _q: Any, given: dict[str, Any], _v: str) -> Answer:
        body = _read(bodies.Network, given)
        policy.check_network(self._settings, body)
        return await self._engine.ask(call.method, path, body=body.to_send())

    async def _network(self, call: Call, path: str, match: re.Match[str], _q: Any, _b: Any, version: str) -> Answer:
        found = await self._look(f"{version}/networks/{match['id']}")
        policy.own_network(self._settings, found.get("Labels"))
        if call.method == "GET":
            return _json(found)
        return await self._engine.ask(call.method, _with(version, match, found["Id"]))

    async def _attach(
        self, call: Call, path: str, match: re.Match[str], _q: Any, given: dict[str, Any], version: str
    ) -> Answer:
        body = _read(bodies.Connect, given)
        network = await self._look(f"{version}/networks/{match['id']}")
        policy.own_network(self._settings, network.get("Labels"))
        whose = network.get("Labels") or {}
        service = await self._look(f"{version}/containers/{body.container}/json")
        labels = service["Config"].get("Labels")
        if policy.own_service(self._settings, labels, network=whose) != body.endpoint.aliases[0]:
            raise Denied("the alias is not the service's")
        sent = body.to_send() | {"Container": service["Id"]}
        return await self._engine.ask(call.method, _with(version, match, network["Id"]), body=sent)

    async def _detach(
        self, call: Call, path: str, match: re.Match[str], _q: Any, given: dict[str, Any], version: str
    ) -> Answer:
        body = _read(bodies.Disconnect, given)
        network = await self._look(f"{version}/networks/{match['id']}")
        policy.own_network(self._settings, network.get("Labels"))
        # A service that was made anew leaves an endpoint whose container is gone: whatever is on a tenant's network may go.
        return await self._engine.ask(call.method, _with(version, match, network["Id"]), body=body.to_send())

    # ── volumes ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _create_volume(self, call: Call, path: str, _m: Any, _q: Any, given: dict[str, Any], _v: str) -> Answer:
        body = _read(bodies.Volume, given)
        policy.check_volume(self._settings, body)
        answer = await self._engine.ask(call.method, path, body=body.to_send())
        if answer.status < 300:
            # The engine answers with what was there under this name, whosever it is.
            labels = policy.own(self._settings, answer.json().get("Labels"))
            if labels.get(names.TENANT) != body.labels.tenant or labels.get(names.PERSON) != body.labels.person:
                raise Denied("a volume of this name is somebody else's", status=409)
        return answer

    async def _volume(
        self, call: Call, path: str, match: re.Match[str], query: dict[str, str], _b: Any, version: str
    ) -> Answer:
        found = await self._look(f"{version}/volumes/{match['id']}")
        policy.own(self._settings, found.get("Labels"))
        return _json(found) if call.method == "GET" else await self._engine.ask(call.method, path, query=query)

    async def _look(self, path: str) -> dict[str, Any]:
        answer = await self._engine.ask("GET", path)
        if answer.status != 200:
            # « Not there » is said as the engine says it; it knows names that are not ours, and a name is no secret.
            raise Denied("not there" if answer.status == 404 else "the engine does not say", status=answer.status)
        found: dict[str, Any] = answer.json()
        return found


def _with(version: str, match: re.Match[str], full: str) -> str:
    """Return the path with the object's own id in the place of the name it was called by."""
    return version + match.string[: match.start("id")] + full + match.string[match.end("id") :]


def _query(call: Call, query_string: bytes) -> dict[str, str]:
    """Return the query's parameters, each once and each allowed."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query_string))
    except (UnicodeDecodeError, ValueError):
        raise Denied("malformed query") from None
    found: dict[str, str] = {}
    for key, value in pairs:
        pattern = call.query.get(key)
        if pattern is None or key in found or re.fullmatch(pattern, value) is None:
            raise Denied(f"query: {key[:40]!r} is not allowed here, or not with this value")
        found[key] = value
    return found


async def _body(headers: list[tuple[bytes, bytes]], receive: Receive) -> dict[str, Any] | None:
    """Return the body, an object without its nulls; None: there is none."""
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Denied("gone", status=400)
        content += message.get("body", b"")
        if len(content) > _BODY_BYTES:
            raise Denied(f"body beyond {_BODY_BYTES} bytes", status=413)
        if not message.get("more_body"):
            break
    if not content:
        return None
    kind = dict(headers).get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Denied("the body is not application/json", status=415)
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        raise Denied("the body is no JSON", status=400) from None
    if not isinstance(given, dict):
        raise Denied("the body is no object", status=400)
    return _without_nulls(given)  # type: ignore[no-any-return]  # an object stays one


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _read(model: type[Model], given: dict[str, Any]) -> Model:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        # Where and which rule, never the value: an environment holds a token.
        wrong = {f"{'.'.join(str(part)[:60] for part in item['loc'])} ({item['type']})" for item in error.errors()}
        raise Denied("not allowed: " + ", ".join(sorted(wrong))[:600]) from None


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), "application/json")


def _message(status: int, message: str) -> Answer:
    return _json({"message": message}, status)
