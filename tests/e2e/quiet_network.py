"""A network for Chromium in which nothing ever changes, and from which only this machine's loopback is reached.

Chromium drops every connection it has, loopback's too, when an interface of its network gets an address
(``ERR_NETWORK_CHANGED``), and each network that Docker makes is such an interface: while one worker tested containers, pages of
the other worker broke. So the browser runs in a network namespace of its own, and its connections come out through a SOCKS
proxy (RFC 1928) that knows no destination but 127.0.0.1 and ``*.localhost``: what a page asks of the outside cannot leave.

::

    with sync_playwright() as play:
        browser = chromium(play)

The namespace lives as long as the process; where none can be made (:func:`missing` says why), Chromium runs in the machine's
own network.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
_PORT = 1080
_UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net"]
# Runs inside: an interface with an address, or pages are told that they are offline; the proxy's socket goes to the outside.
_INSIDE = f"""
import os, socket, subprocess, sys
for line in (
    "link set lo up", "link add quiet type veth peer name peer", "address add 192.0.2.1/24 dev quiet",
):
    subprocess.run(["ip", *line.split()], check=True)
for name in ("quiet", "peer"):  # or each gets a second address, of version 6, a moment after it is up
    with open(f"/proc/sys/net/ipv6/conf/{{name}}/disable_ipv6", "w") as switch:
        switch.write("1")
for line in ("link set quiet up", "link set peer up", "route add default via 192.0.2.2 dev quiet"):
    subprocess.run(["ip", *line.split()], check=True)
listener = socket.create_server(("127.0.0.1", {_PORT}))
line = socket.socket(fileno=int(sys.argv[1]))
socket.send_fds(line, [str(os.getpid()).encode()], [listener.fileno()])
line.recv(1)
"""


def chromium(play: Any, **options: Any) -> Any:
    """Launch Chromium in the quiet network; return Playwright's browser."""
    if missing() is not None:
        return play.chromium.launch(executable_path=CHROMIUM, args=FLAGS, **options)
    proxied = [f"--proxy-server=socks5://127.0.0.1:{_PORT}", "--proxy-bypass-list=<-loopback>"]
    return play.chromium.launch(executable_path=_launcher(), args=[*FLAGS, *proxied], **options)


@cache
def missing() -> str | None:
    """Say why no such network can be made; None: it can."""
    if absent := [name for name in ("unshare", "nsenter", "ip") if shutil.which(name) is None]:
        return f"no network of its own for Chromium: {', '.join(absent)} not installed (apt-get install util-linux iproute2)"
    tried = subprocess.run([*_UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True)
    return None if tried.returncode == 0 else "no network of its own for Chromium: this account may not make one"


@cache
def _launcher() -> str:
    """Make the namespace and the proxy; return the path of a script that runs Chromium in it."""
    ours, theirs = socket.socketpair()
    inside = subprocess.Popen([*_UNSHARE, sys.executable, "-c", _INSIDE, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    said, sockets, _, _ = socket.recv_fds(ours, 16, 1)
    if not sockets:
        raise RuntimeError(f"no network of its own for Chromium: exit code {inside.wait()}")
    listener = socket.socket(fileno=sockets[0])
    threading.Thread(target=lambda: asyncio.run(_serve(listener)), daemon=True, name="quiet network").start()
    folder = Path(tempfile.mkdtemp(prefix="dp-quiet-"))
    script = folder / "chromium"
    user = "" if os.geteuid() == 0 else "--user --preserve-credentials"
    script.write_text(f'#!/bin/sh\nexec nsenter -t {int(said)} {user} --net {CHROMIUM} "$@"\n', encoding="utf-8")
    script.chmod(0o700)

    def end() -> None:
        ours.close()
        inside.kill()
        inside.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return str(script)


async def _serve(listener: socket.socket) -> None:
    clients: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly

    def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_relay(reader, writer))
        clients.add(task)
        task.add_done_callback(clients.discard)

    server = await asyncio.start_server(arrived, sock=listener)
    await server.serve_forever()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one SOCKS client, then carry bytes both ways until one side ends."""
    other = None
    try:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, command, _, kind = await reader.readexactly(4)
        if kind == 1:
            host = socket.inet_ntoa(await reader.readexactly(4))
        elif kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
        else:
            host = socket.inet_ntop(socket.AF_INET6, await reader.readexactly(16))
        port = int.from_bytes(await reader.readexactly(2), "big")
        if command != 1 or not (host.startswith("127.") or host == "localhost" or host.endswith(".localhost")):
            writer.write(_reply(2))  # not allowed by ruleset
            await writer.drain()
            return
        try:
            into, other = await asyncio.open_connection("127.0.0.1" if host.endswith("localhost") else host, port)
        except OSError:
            writer.write(_reply(5))  # connection refused
            await writer.drain()
            return
        writer.write(_reply(0))
        async with asyncio.TaskGroup() as both:
            both.create_task(_carry(reader, other))
            both.create_task(_carry(into, writer))
    except* (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        for end in (writer, other):
            if end is not None:
                end.close()


def _reply(code: int) -> bytes:
    return bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0])


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
