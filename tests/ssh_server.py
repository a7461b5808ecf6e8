"""Debian's own sshd for tests: a free port, keys of its own, one account (whoever runs the tests), stopped by process id."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import free_port

SSHD = next((path for path in ("/usr/sbin/sshd", "/usr/local/sbin/sshd") if Path(path).exists()), None)

_BEGUN = re.compile(r"^Connection from \S+ port (\d+) ", re.M)
_OVER = re.compile(r"^(Connection (closed|reset) by|Disconnected from|Unable to negotiate with) ", re.M)


def missing() -> str | None:
    """Say in one line why no SSH server can run here; None when one can."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        return "sshd: not installed (apt-get install openssh-server)"
    return None


def new_key(path: Path, *options: str, passphrase: str = "") -> str:
    """Make a key pair with ssh-keygen; return the private key's text."""
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-f", path, *(options or ("-t", "ed25519"))], check=True)
    return path.read_text()


@dataclass
class SshServer:
    """A running sshd."""

    port: int
    folder: Path
    settings: tuple[str, ...]
    process: subprocess.Popen[bytes] = field(repr=False)

    user = getpass.getuser()

    @property
    def client_key(self) -> str:
        """The private key that the account accepts."""
        return (self.folder / "client").read_text()

    @property
    def host_key(self) -> str:
        """The line of the server's public key."""
        return (self.folder / "host.pub").read_text()

    @property
    def log(self) -> str:
        """What the server wrote. A line comes after what it tells, by way of another process: it may not be there yet."""
        return (self.folder / "log").read_text()

    def count(self, text: str, awaited: int) -> int:
        """Return how often it wrote a text, once that is as often as awaited, or 15 s later."""
        deadline = time.monotonic() + 15
        while (found := self.log.count(text)) < awaited and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def connections(self, since: int = 0) -> list[str]:
        """Return what it wrote about each connection that began after so many characters, once all of them are over."""
        deadline = time.monotonic() + 15
        while True:
            log = self.log[since:]
            told = [
                "\n".join(line for line in log.splitlines() if re.search(rf" port {port}\b", line))
                for port in _BEGUN.findall(log)
            ]
            if all(_OVER.search(one) for one in told):
                return told
            assert time.monotonic() < deadline, log
            time.sleep(0.02)

    def allow(self, options: str) -> None:
        """Put options before the client's key (``restrict,port-forwarding,…``)."""
        (self.folder / "authorized").write_text(f"{options} {(self.folder / 'client.pub').read_text()}")

    def new_host_key(self, *options: str) -> None:
        """Give the server another key, as a machine that was set up anew has."""
        for name in ("host", "host.pub"):
            (self.folder / name).unlink()
        new_key(self.folder / "host", *options)
        self.stop()
        self.process = _start(self.folder, self.port, self.settings)

    def kill_connections(self) -> None:
        """End what serves open connections, at once; the server goes on listening."""
        for pid in _descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze_connections(self) -> None:
        """Let nothing answer any more on open connections, as behind a cable that was pulled."""
        for pid in _descendants(self.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def stop(self) -> None:
        """End it with every connection."""
        self.kill_connections()
        self.process.terminate()
        self.process.wait(10)
        self.kill_connections()

    def start(self) -> None:
        """Start it again, on its port with its keys."""
        self.process = _start(self.folder, self.port, self.settings)


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [*_descendants(child), child]
    return found


@contextmanager
def ssh_server(*settings: str) -> Iterator[SshServer]:
    """Run an sshd; ``settings`` are lines of sshd_config that come first (there the first one counts)."""
    folder = Path(tempfile.mkdtemp(prefix="dp-ssh-"))
    new_key(folder / "host")
    new_key(folder / "client")
    shutil.copy(folder / "client.pub", folder / "authorized")
    port = free_port()
    server = SshServer(port, folder, settings, _start(folder, port, settings))
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, port: int, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
    assert SSHD is not None, missing()
    if os.geteuid() == 0:
        # Where sshd shuts in what serves a client before sign-in; a package's start script makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    lines = [
        *settings, f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorized",
        f"PidFile {folder}/pid", "StrictModes no", "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no",
        "KbdInteractiveAuthentication no", "MaxSessions 0", "AllowTcpForwarding local", "UseDNS no", "LogLevel VERBOSE",
    ]  # fmt: skip
    (folder / "config").write_text("\n".join(lines) + "\n")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", folder / "config"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return process
