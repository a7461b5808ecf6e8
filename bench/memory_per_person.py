"""Memory of one person's notebook: the server alone, with a kernel, and after questions. See docs/sizing.md.

``python -m bench.memory_per_person`` starts a JupyterLab server and a DataPilot kernel here, in a temporary folder, as a
person's server runs them, and measures them. ``--containers``: measures the notebooks' containers that run on this server,
as ``docker stats`` counts it (without the file cache). Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

_LABEL = "fr.datapilot.kind=notebook"
_SIZES = (10, 20, 50)
_MIB = 1024 * 1024


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", action="store_true", help="measure the running notebooks' containers")
    parser.add_argument("--questions", type=int, default=10, help="questions asked before the last measure")
    args = parser.parse_args()
    found = containers() if args.containers else processes(args.questions)
    print(json.dumps(found, indent=1))
    return 0 if found.get("states_mib") or found.get("containers") else 1


def processes(questions: int) -> dict[str, Any]:
    """Start a person's server here, and measure it in three states."""
    token, states = secrets.token_hex(16), {}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "JUPYTER_CONFIG_DIR": f"{folder}/config", "JUPYTER_DATA_DIR": f"{folder}/data"}
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
             "--ServerApp.port=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            address = _address(server, Path(folder, "data", "runtime"))
            time.sleep(3)
            states["server"] = _memory(server.pid)
            kernel = _ask(address, token, "api/kernels", {"name": _kernel(address, token)})
            time.sleep(8)
            states["with_kernel"] = _memory(server.pid)
            _run(Path(folder, "data", "runtime"), kernel["id"], questions, Path(folder))
            states["after_questions"] = _memory(server.pid)
        finally:
            server.terminate()
            server.wait(20)
    last = states["after_questions"]
    return {"states_mib": states, "people_mib": {size: round(size * last) for size in _SIZES}, "questions": questions}


def _address(server: subprocess.Popen[bytes], runtime: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for told in runtime.glob("jpserver-*.json"):
            try:
                return str(json.loads(told.read_text(encoding="utf-8"))["url"])
            except (ValueError, KeyError):
                continue
        if server.poll() is not None:
            break
        time.sleep(0.3)
    raise SystemExit("the server did not start")


def _ask(address: str, token: str, path: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        address + path, json.dumps(body).encode() if body else None, {"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _kernel(address: str, token: str) -> str:
    there = _ask(address, token, "api/kernelspecs")["kernelspecs"]
    return "datapilot" if "datapilot" in there else "python3"


def _run(runtime: Path, kernel_id: str, questions: int, folder: Path) -> None:
    """Ask questions of a small file in that kernel, over its own connection file, and wait for the answers."""
    from jupyter_client.blocking.client import BlockingKernelClient

    lines = "\n".join(f"2026-{1 + n % 6:02}-{1 + n % 27:02};{('Lyon', 'Lille')[n % 2]};{n},50" for n in range(2000))
    (folder / "ventes.csv").write_text("date;ville;montant\n" + lines + "\n", encoding="utf-8")
    client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{kernel_id}.json"))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        cells = ["%load_ext datapilot_kernel.notebook", f"%datapilot source {folder / 'ventes.csv'}"]
        for cell in (*cells, *["%ask --new montant total par ville"] * questions):
            client.execute_interactive(cell, timeout=120, output_hook=lambda _: None)
    finally:
        client.stop_channels()


def _memory(pid: int) -> float:
    """Return the memory of a process and all below it, in MiB: PSS where the kernel tells it, else resident."""
    total = 0.0
    for one in _family(pid):
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        except (OSError, StopIteration):
            try:
                resident = int(Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1])
            except OSError:
                continue
            total += resident * os.sysconf("SC_PAGE_SIZE") / _MIB
    return round(total, 1)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text(encoding="ascii").split():
                found += _family(int(child))
        except OSError:
            continue
    return found


def containers() -> dict[str, Any]:
    """Measure the notebooks' containers that run here."""
    names = _docker("ps", "-q", "--filter", f"label={_LABEL}").split()
    if not names:
        return {"containers": []}
    lines = _docker("stats", "--no-stream", "--format", "{{json .}}", *names).splitlines()
    used = [_mib(json.loads(line)["MemUsage"].split("/")[0].strip()) for line in lines]
    mean = sum(used) / len(used)
    return {"containers": [round(one, 1) for one in used], "people_mib": {size: round(size * mean) for size in _SIZES}}


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def _mib(shown: str) -> float:
    for unit, factor in (("GiB", 1024.0), ("MiB", 1.0), ("KiB", 1 / 1024), ("B", 1 / _MIB)):
        if shown.endswith(unit):
            return float(shown.removesuffix(unit)) * factor
    raise ValueError(shown)


if __name__ == "__main__":
    sys.exit(main())
