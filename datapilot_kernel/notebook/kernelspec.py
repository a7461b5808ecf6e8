"""The « DataPilot » kernel: Python with the magics already there, no ``%load_ext``.

``extra_extensions`` adds to a person's own configuration (``extensions`` would replace it). A broken extension ends the
kernel with its error instead of leaving a kernel without magics.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

NAME = "datapilot"


def spec(python: str | None = None) -> dict[str, Any]:
    """Return the kernelspec. ``python`` None: this interpreter."""
    return {
        "argv": [
            python or sys.executable,
            "-m", "ipykernel_launcher",
            "--IPKernelApp.extra_extensions=datapilot_kernel.notebook",
            "--IPKernelApp.reraise_ipython_extension_failures=True",
            "-f", "{connection_file}",
        ],
        "display_name": "DataPilot",
        "language": "python",
        "interrupt_mode": "signal",
        # A shell class outside ipykernel would change Plotly's default; and the chart must never ask a CDN.
        "env": {"PLOTLY_RENDERER": "plotly_mimetype", "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
        "metadata": {"debugger": True},
    }  # fmt: skip


def install(prefix: str | None = None, *, user: bool = False) -> Path:
    """Install the kernelspec and return where it is.

    Parameters
    ----------
    prefix
        None: this environment's (``sys.prefix``), unless ``user``.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / NAME
        staged.mkdir()
        (staged / "kernel.json").write_text(json.dumps(spec(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        with as_file(files("datapilot_kernel.notebook").joinpath("logo.svg")) as logo:
            shutil.copyfile(logo, staged / "logo-svg.svg")
        target = None if user else prefix or sys.prefix
        installed = KernelSpecManager().install_kernel_spec(str(staged), NAME, user=user, prefix=target)
    return Path(installed)


def remove() -> bool:
    """Take the kernelspec away; False when there is none."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        KernelSpecManager().remove_kernel_spec(NAME)
    except NoSuchKernel:
        return False
    return True
