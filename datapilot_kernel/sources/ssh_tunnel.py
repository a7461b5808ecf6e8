"""The road through an SSH server to one port of one database. The only module that imports asyncssh.

A tunnel is a port of this machine's loopback, bound when the source is opened, and a thread with an event loop, started with
the first connection. Whatever connects to that port comes out, at the far side, at the database: pooled connections, the
second connection that stops a statement, ADBC's own. The database driver keeps the database's *name*, so its certificate is
held against that name, and TLS runs inside the tunnel, end to end.

- Before each new connection the driver asks :meth:`Tunnel.ready`: the SSH connection is made or made again, and the channel
  to the database is opened already. So what goes wrong on the way has its own sentence, not a driver's « connection lost ».
- Only ``direct-tcpip`` to the one host and port is ever asked for: no session, no command, no agent, nothing back. A server
  account with ``restrict,port-forwarding,permitopen="db:5432"`` is enough.
- The server's key must be the confirmed one (:mod:`datapilot_kernel.sources.ssh`), else nothing secret was sent. Nothing of
  this machine takes part: no ``~/.ssh``, no agent, no Kerberos.
- A loopback port is open to everybody on the machine: only connections of this very process are let through, found by the
  kernel's table of sockets. (libpq encrypts nothing on a Unix socket, which would have had permissions.) On systems without
  ``/proc`` that check cannot be made; the database's own sign-in is what remains.
- The server is asked every ``KEEPALIVE_S`` whether it is there; after three silences the tunnel is dead, its connections
  end at once, and the next question makes a new one. An account that was refused is not tried again for ``HOLD_S``: machines
  like this one lock out who insists.

Remaining risk: the SSH server sees what passes where TLS to the database is switched off; that is the person's choice.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.location import DatabaseLocation
from datapilot_kernel.sources.ssh import HOST_KEY_SORTS, HostKey, SshServer, checked_armour

if TYPE_CHECKING:
    import asyncssh

log = logging.getLogger(__name__)

CONNECT_S = 10.0
CHANNEL_S = 10.0
KEEPALIVE_S = 5.0
KEEPALIVE_COUNT = 3
HOLD_S = 30.0
_UNCLAIMED_S = 10.0
_CHUNK_BYTES = 64 * 1024
_LOOPBACK = "127.0.0.1"

_T = TypeVar("_T")
_HELD = frozenset({"ssh_key_refused", "ssh_password_refused", "ssh_host_key_changed"})


def _library() -> Any:
    try:
        import asyncssh
    except ImportError:
        raise SourceProblem("sources.ssh_not_installed", log="asyncssh is not installed") from None
    # At INFO it writes hosts and accounts of tenants.
    logging.getLogger("asyncssh").setLevel(logging.ERROR)
    return asyncssh


def checked_key(private_key: str, passphrase: str | None) -> asyncssh.SSHKey:
    """Return the private key, opened. Costs the processor what the key's protection says, which is bounded.

    Raises
    ------
    SourceProblem
        Not a private key that can be used, or not its passphrase.
    """
    library = _library()
    armour = checked_armour(private_key)
    try:
        return library.import_private_key(armour, passphrase or None)  # type: ignore[no-any-return]
    except library.KeyEncryptionError:
        raise SourceProblem("sources.ssh_key_passphrase") from None
    except library.KeyImportError as error:
        # A key that wants a passphrase and got none says so here, and only in words.
        wants = "passphrase" in str(error).lower()
        raise SourceProblem("sources.ssh_key_passphrase" if wants else "sources.ssh_key_unreadable") from None
    except ValueError:
        raise SourceProblem("sources.ssh_key_unreadable") from None


def read_host_key(server: SshServer) -> HostKey:
    """Ask an SSH server for its public key, and leave: no account is named and nothing secret is sent.

    Raises
    ------
    SourceProblem
        It does not answer, or speaks something else.
    """
    return asyncio.run(_read_host_key(server, _addresses(server)))


async def _read_host_key(server: SshServer, addresses: Sequence[str]) -> HostKey:
    library = _library()
    sorts = [signature for signatures in HOST_KEY_SORTS.values() for signature in signatures]
    plain = await _connected(addresses, server.port)
    try:
        async with asyncio.timeout(CONNECT_S):
            key = await library.get_server_host_key(
                server.host, server.port, sock=plain, config=None, server_host_key_algs=sorts, client_version="DataPilot"
            )
    except (library.Error, OSError, TimeoutError) as error:
        raise _problem(library, error, server) from None
    finally:
        plain.close()
    if key is None:
        raise SourceProblem("sources.ssh_protocol", log="ssh: no host key")
    return HostKey.parse(key.export_public_key("openssh").decode())


def _addresses(server: SshServer) -> Sequence[str]:
    if server.addresses is not None:
        return server.addresses()
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceProblem("sources.ssh_unreachable", log="ssh: unknown host") from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _connected(addresses: Sequence[str], port: int) -> socket.socket:
    """Return a socket to the first address that answers."""
    loop = asyncio.get_running_loop()
    for address in addresses:
        plain = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        plain.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.sock_connect(plain, (address, port))
        except (OSError, TimeoutError):
            plain.close()
            continue
        except BaseException:
            plain.close()
            raise
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain
    raise SourceProblem("sources.ssh_unreachable", log="ssh: no answer")


def _problem(library: Any, error: Exception, server: SshServer) -> SourceProblem:
    """Return our error for one on the way to the SSH server. Its text, which the server may have written, goes nowhere."""
    key = "ssh_protocol"
    if isinstance(error, library.HostKeyNotVerifiable):
        key = "ssh_host_key_changed"
    elif isinstance(error, library.PermissionDenied):
        key = "ssh_key_refused" if server.private_key else "ssh_password_refused"
    elif isinstance(error, TimeoutError) or (isinstance(error, OSError) and not isinstance(error, ConnectionResetError)):
        key = "ssh_unreachable"
    return SourceProblem(f"sources.{key}", log=f"ssh {type(error).__name__}")


class Tunnel:
    """The way to one database behind an SSH server. Thread-safe. Binds a port at once, connects when it is asked to.

    Parameters
    ----------
    where
        The database as the far side knows it, with its ``ssh``.
    """

    def __init__(self, where: DatabaseLocation) -> None:
        assert where.ssh is not None
        self._server, self._host, self._port = where.ssh, where.host, where.port
        self._listener = socket.create_server((_LOOPBACK, 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._connecting = threading.Lock()
        self._starting = threading.Lock()
        self._attempts = 0
        self._failed: tuple[float, SourceProblem] | None = None
        self._key: asyncssh.SSHKey | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Of the loop's thread alone, but for reading whether the connection lives.
        self._ssh: asyncssh.SSHClientConnection | None = None
        self._was_up = False
        self._waiting: deque[tuple[Any, Any]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        # Our ends, until they are closed: one that is being closed still hands on what its driver has not taken.
        self._ends: WeakSet[asyncio.WriteTransport] = WeakSet()

    def location(self, where: DatabaseLocation) -> DatabaseLocation:
        """Return the same database as the driver is to see it: its own name, found at our end of the tunnel."""
        return replace(where, port=self.port, addresses=self.ready, ssh=None)

    @property
    def is_up(self) -> bool:
        """True while the SSH connection lives."""
        return self._ssh is not None

    # ── from the driver's threads ─────────────────────────────────────────────────────────────────────────────────

    def ready(self) -> tuple[str, ...]:
        """Make sure of the way to the database, and return the address to connect to.

        Raises
        ------
        SourceProblem
            What is wrong on the way.
        """
        for last in (False, True):
            if not self.is_up:
                self._connect()
            try:
                self._run(self._prepare())
            except SourceProblem as problem:
                # The connection was dead already, and nobody had noticed: once more.
                if last or problem.reason != "ssh_lost":
                    raise
            else:
                break
        return (_LOOPBACK,)

    def told(self, problem: SourceProblem) -> SourceProblem:
        """Return the problem that a person can do something about: a connection that was lost with its tunnel."""
        if problem.reason in {"connection_lost", "unreachable"} and self._was_up and not self.is_up and not self._closed:
            return SourceProblem("sources.ssh_lost", log=f"{problem.log}; ssh connection lost")
        return problem

    def close(self) -> None:
        """End the tunnel with everything in it. Safe twice."""
        with self._starting:
            if self._closed:
                return
            self._closed = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            self._listener.close()
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(5.0)

    def _connect(self) -> None:
        """Make the SSH connection; who waited for somebody else's attempt shares what came of it."""
        seen = self._attempts
        with self._connecting:
            if self.is_up:
                return
            if self._failed is not None:
                at, problem = self._failed
                held = problem.reason in _HELD and time.monotonic() - at < HOLD_S
                if held or self._attempts != seen:
                    raise SourceProblem(problem.key, log=problem.log)
            self._attempts += 1
            try:
                _library()
                if self._server.host_key is None:
                    raise SourceProblem("sources.ssh_host_key_unconfirmed", log="ssh: no host key confirmed")
                if self._server.private_key is not None and self._key is None:
                    self._key = checked_key(self._server.private_key, self._server.passphrase)
                self._run(self._open(self._server.host_key, _addresses(self._server)))
            except SourceProblem as problem:
                self._failed = (time.monotonic(), problem)
                raise
            self._failed = None

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do work of the loop's, and wait for it: every piece has its own time limit."""
        with self._starting:
            if self._closed:
                work.close()
                raise SourceProblem("sources.closed", log="tunnel closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._live, args=(self._loop,), name="datapilot-ssh", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(self._as_ours(work), self._loop)
        while True:
            try:
                return future.result(0.5)
            except TimeoutError:
                if self._closed:
                    future.cancel()
                    raise SourceProblem("sources.closed", log="tunnel closed") from None
            except asyncio.CancelledError:
                raise SourceProblem("sources.closed", log="tunnel closed") from None

    async def _as_ours(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let nothing but our own errors out: a TimeoutError of the work's would be taken for the waiting's."""
        library = _library()
        try:
            return await work
        except (library.Error, OSError, TimeoutError) as error:
            failed = _problem(library, error, self._server)
        raise failed

    # ── in the loop's thread ──────────────────────────────────────────────────────────────────────────────────────

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            serving = loop.run_until_complete(asyncio.start_server(self._accepted, sock=self._listener))
            loop.run_forever()
            serving.close()
            loop.run_until_complete(self._leave())
        finally:
            self._listener.close()
            loop.close()

    async def _leave(self) -> None:
        ssh, self._ssh = self._ssh, None
        for task in (others := asyncio.all_tasks() - {asyncio.current_task()}):
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for end in list(self._ends):
            end.abort()
        await asyncio.sleep(0)  # an aborted one closes its socket in the loop's next round
        if ssh is not None:
            ssh.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await ssh.wait_closed()
        await asyncio.get_running_loop().shutdown_default_executor()

    async def _open(self, host_key: HostKey, addresses: Sequence[str]) -> None:
        library, server, tunnel = _library(), self._server, self

        class Client(library.SSHClient):  # type: ignore[misc, name-defined]
            def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
                self.conn = conn

            def connection_lost(self, exc: Exception | None) -> None:
                # Before the channels hear of it: who asks why their connection ended finds the tunnel down.
                if tunnel._ssh is self.conn:
                    tunnel._ssh = None
                    # Channels that waited for their connection died with it: the next connection must not get one.
                    tunnel._waiting.clear()
                    log.info("ssh tunnel ended: %s", type(exc).__name__)

        plain = await _connected(addresses, server.port)
        try:
            ssh = await library.connect(
                server.host, server.port, sock=plain, config=None, client_factory=Client, client_version="DataPilot",
                known_hosts=([library.import_public_key(host_key.line)], [], []),
                server_host_key_algs=list(HOST_KEY_SORTS[host_key.sort]),
                username=server.user, client_keys=[self._key] if self._key is not None else None,
                password=None if self._key is not None else server.password,
                public_key_auth=self._key is not None, password_auth=self._key is None, kbdint_auth=self._key is None,
                host_based_auth=False, gss_kex=False, gss_auth=False, agent_path=None, x509_trusted_certs=None,
                x509_trusted_cert_paths=[], compression_algs=None, login_timeout=CONNECT_S,
                keepalive_interval=KEEPALIVE_S, keepalive_count_max=KEEPALIVE_COUNT,
            )  # fmt: skip
        except (library.Error, OSError, TimeoutError) as error:
            failed = _problem(library, error, server)
        except BaseException:
            plain.close()
            raise
        else:
            self._ssh, self._was_up = ssh, True
            return
        plain.close()
        if failed.reason == "ssh_protocol":
            # A server that has no key of the confirmed sort any more hangs up: which one has it?
            with suppress(SourceProblem):
                if await _read_host_key(server, addresses) != host_key:
                    failed = SourceProblem("sources.ssh_host_key_changed", log="ssh: a host key of another sort")
        raise failed

    async def _channel(self) -> tuple[Any, Any]:
        """Open a channel to the database."""
        library = _library()
        if self._ssh is None:
            raise SourceProblem("sources.ssh_lost", log="ssh connection lost")
        try:
            async with asyncio.timeout(CHANNEL_S):
                opened: tuple[Any, Any] = await self._ssh.open_connection(self._host, self._port, encoding=None)
                return opened
        except library.ChannelOpenError as error:
            if self._ssh is None:
                key = "ssh_lost"
            elif error.code == library.OPEN_CONNECT_FAILED:
                key = "ssh_target_unreachable"
            else:
                key = "ssh_forwarding_refused"
        except TimeoutError:
            key = "ssh_target_unreachable"
        except (library.Error, OSError):
            key = "ssh_lost"
        raise SourceProblem(f"sources.{key}", log=f"ssh channel: {key}")

    async def _prepare(self) -> None:
        """Open the channel of the connection that the driver is about to make."""
        channel = await self._channel()
        self._waiting.append(channel)

        def forget() -> None:
            if channel in self._waiting:
                self._waiting.remove(channel)
                channel[1].channel.abort()

        asyncio.get_running_loop().call_later(_UNCLAIMED_S, forget)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer.transport)
        # A task of ours: one that asyncio makes of a coroutine complains about being cancelled.
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not _is_of_this_process(writer.get_extra_info("peername"), self.port):
            log.warning("ssh tunnel: a connection of another process was refused")
            writer.transport.abort()
            return
        try:
            # All channels lead to one place: which connection takes which does not matter.
            far_reader, far_writer = self._waiting.popleft() if self._waiting else await self._channel()
        except SourceProblem as problem:
            log.info("ssh tunnel: %s", problem.log)
            writer.transport.abort()
            return
        # Database drivers never close one direction only: the end of one is the end of both.
        ways = [asyncio.ensure_future(_carry(reader, far_writer)), asyncio.ensure_future(_carry(far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.close()
            writer.close()


async def _carry(reader: Any, writer: Any) -> None:
    """Hand on what comes, until it ends; what is written waits for the other side to take it."""
    library = _library()
    with suppress(library.Error, OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


def _is_of_this_process(peer: tuple[str, int] | None, port: int) -> bool:
    """Tell whether a loopback connection's other end is a socket of this process."""
    if peer is None:
        return False
    if not sys.platform.startswith("linux"):
        return True
    # The kernel's table: local address, remote address, …, inode. Addresses are hexadecimal, in the machine's byte order.
    ends = (_hexadecimal(peer[0], peer[1]), _hexadecimal(_LOOPBACK, port))
    inode = next((words[9] for words in _sockets() if (words[1], words[2]) == ends), None)
    return inode is not None and any(target == f"socket:[{inode}]" for target in _own_sockets())


def _hexadecimal(address: str, port: int) -> str:
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"


def _sockets() -> list[list[str]]:
    with suppress(OSError):
        return [line.split() for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return []


def _own_sockets() -> list[str]:
    found = []
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found.append(os.readlink(f"/proc/self/fd/{name}"))
    return found
