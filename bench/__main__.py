"""``make bench``: every bench of this folder, one process each; ``make bench ONLY="guard ask"`` picks some.

Each module prints its own table: what was measured, the target, and what a user would pick instead, in the same run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    """Run the benches named on the command line, or all; return how many failed to run."""
    known = sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_"))
    wanted = sys.argv[1:] or known
    failed = 0
    for name in wanted:
        if name not in known:
            print(f"unknown bench {name!r}; there are: {', '.join(known)}", file=sys.stderr)
            return 2
        print(f"\n── {name} " + "─" * (76 - len(name)), flush=True)
        failed += subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
