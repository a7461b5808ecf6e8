"""The options of commands that may ask a language model, and the model that they and the environment configure.

The key comes from ``ANTHROPIC_API_KEY`` only: an option would stand in the shell's history. A replay needs none.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.claude.settings import ModelSettings
    from datapilot_kernel.nl2sql.claude.wire import Model


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--record`` and ``--replay``."""
    traffic = parser.add_mutually_exclusive_group()
    traffic.add_argument("--record", metavar="DIR", help=text("cli.help_record"))
    traffic.add_argument("--replay", metavar="DIR", help=text("cli.help_replay"))


@contextmanager
def configured_model(args: argparse.Namespace) -> Iterator[tuple[ModelSettings | None, Model | None]]:
    """Yield the settings and what carries the requests (None: the engine makes its own); close it at the end.

    Raises
    ------
    BadInput
        A variable that its setting does not take, ``--record`` without a key, a folder that cannot be used.
    """
    from datapilot_kernel.nl2sql.claude.recording import RecordingModel, ReplayModel
    from datapilot_kernel.nl2sql.claude.settings import settings_from_environment

    record, replay = getattr(args, "record", None), getattr(args, "replay", None)
    environment = dict(os.environ)
    if replay:
        # Nothing is sent, so any key will do; the other settings are part of what was recorded.
        environment.setdefault("ANTHROPIC_API_KEY", "replay")
    settings: ModelSettings | None = settings_from_environment(environment)
    transport: Model | None = None
    if replay:
        transport = ReplayModel(Path(replay))
    elif record:
        if settings is None:
            raise BadInput("cli.record_without_key")
        from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel

        transport = RecordingModel(ClaudeModel(settings), Path(record))
    try:
        yield settings, transport
    finally:
        if transport is not None:
            transport.close()
