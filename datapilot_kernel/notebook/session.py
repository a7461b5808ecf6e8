"""What a kernel remembers between cells: the open sources, which one is asked, the conversation, the last clarification."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import BadInput

if TYPE_CHECKING:
    from datapilot_kernel.engine import Clarification
    from datapilot_kernel.notebook.client import AskClient

SOURCE_VARIABLE, LAYER_VARIABLE = "DATAPILOT_SOURCE", "DATAPILOT_SEMANTIC"


@dataclass
class Session:
    """The state of the magics in one kernel.

    Attributes
    ----------
    open_client
        Opens a source: ``(location, semantic) -> AskClient``. The seam for the hub and for tests.
    today
        Fixes the clock of every question; None: each source's own.
    """

    open_client: Callable[[str, str | None], AskClient]
    clients: dict[str, AskClient] = field(default_factory=dict)
    current: str | None = None
    today: date | None = None
    conversations: dict[str, Any] = field(default_factory=dict)
    pending: tuple[str, str, Clarification] | None = None
    """The clarification that ``%ask 2`` answers: the source's name, the question, the outcome."""

    def connect(self, location: str, *, name: str | None = None, semantic: str | None = None) -> str:
        """Open a source, make it the current one, return its name. One of the same name is closed.

        A source that does not answer is not kept: the one before it stays.
        """
        client = self.open_client(location, semantic)
        try:
            client.status()
        except BaseException:
            client.close()
            raise
        chosen = name or client.name
        old = self.clients.pop(chosen, None)
        if old is not None:
            old.close()
        self.clients[chosen] = client
        self.conversations.pop(chosen, None)
        self.current = chosen
        return chosen

    def client(self, name: str | None = None) -> tuple[str, AskClient]:
        """Return the named source, or the current one; the environment's is opened when there is none yet.

        In the hub that is the one that the person reaches, where there is but one.

        Raises
        ------
        BadInput
            No source of that name, or none at all.
        """
        if name is None and self.current is None:
            from datapilot_kernel.notebook.hub_token import URL_VARIABLE

            location = os.environ.get(SOURCE_VARIABLE, "")
            if not location and not os.environ.get(URL_VARIABLE):
                raise BadInput("notebook.no_source")
            self.connect(location, semantic=os.environ.get(LAYER_VARIABLE) or None)
        chosen = name or self.current
        if chosen is None or chosen not in self.clients:
            raise BadInput("notebook.unknown_source", name=chosen or "", known=", ".join(self.clients) or "—")
        return chosen, self.clients[chosen]

    def conversation(self, name: str, *, fresh: bool = False) -> Any:
        """Return the conversation with a source; ``fresh`` begins a new one."""
        if fresh or name not in self.conversations:
            self.conversations[name] = self.clients[name].new_conversation()
        return self.conversations[name]

    def close(self) -> None:
        """Close every source."""
        for client in self.clients.values():
            client.close()
        self.clients.clear()
        self.current = None


def open_local(location: str, semantic: str | None) -> AskClient:
    """Open a source in this process."""
    from datapilot_kernel.notebook.client import LocalClient

    return LocalClient(location, semantic=semantic)


def open_here(location: str, semantic: str | None) -> AskClient:
    """Open a source where this kernel runs: through the API in the hub (its address is set), else in this process.

    Raises
    ------
    BadInput
        In the hub: no such source, or a layer of one's own.
    """
    from datapilot_kernel.notebook.hub_token import URL_VARIABLE

    if not os.environ.get(URL_VARIABLE):
        return open_local(location, semantic)
    if semantic is not None:
        raise BadInput("remote.no_semantic")
    from datapilot_kernel.notebook.remote import RemoteClient

    return RemoteClient(location)
