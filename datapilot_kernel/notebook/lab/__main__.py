"""``python -m datapilot_kernel.notebook.lab PREFIX``: write JupyterLab's defaults (for the builder of an image)."""

from __future__ import annotations

import argparse
from pathlib import Path

from datapilot_kernel.notebook.lab import write


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(prog="python -m datapilot_kernel.notebook.lab", description=__doc__)
    parser.add_argument("prefix", type=Path, help="the folder above etc/jupyter and share/jupyter, such as sys.prefix")
    parser.add_argument("--locale", default="fr_FR", help="JupyterLab's language (fr_FR, en)")
    parser.add_argument("--no-kernel", action="store_true", help="leave out the DataPilot kernel")
    args = parser.parse_args()
    write(args.prefix, locale=args.locale, kernel=not args.no_kernel)


if __name__ == "__main__":
    main()
