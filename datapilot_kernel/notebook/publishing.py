"""From a saved notebook to a request for publication: the sidebar's checks, without JupyterLab.

A notebook is read, never changed. What looks like a secret ends it. Each question is asked of the API anew, in the order and
in the conversations of the notebook: an answer with a plan becomes a tile, anything else stays out, with the reason. What
is sent is source and plans; the server checks and strips again, and an administrator decides.

A reading that was edited by hand in the cell (its chips) is not in the cell's text: what is published is what the question
gives. Rejected: reading tiles off the saved outputs (anybody can write an output; and it says nothing of today's data).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import BadInput, SourceProblem
from datapilot_kernel.messages import text
from datapilot_kernel.notebook import options as opt
from datapilot_kernel.notebook.cells import Written, written_in
from datapilot_kernel.notebook.secrets import Secret, secrets_in

if TYPE_CHECKING:
    from datapilot_kernel.notebook.remote import RemoteClient

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Left:
    """A question or a statement that no page will show; ``cell`` counted from 1."""

    cell: int
    text: str
    why: str


@dataclass
class Checked:
    """What the check of a notebook came to.

    Attributes
    ----------
    ran
        The whole notebook was run from top to bottom; None: it was not tried.
    failed
        ``(cell, message)`` of the cell that ended the run, counted from 1.
    """

    name: str
    notebook: dict[str, Any]
    secrets: list[Secret] = field(default_factory=list)
    tiles: list[dict[str, Any]] = field(default_factory=list)
    trust: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    ran: bool | None = None
    failed: tuple[int, str] | None = None

    @property
    def passed(self) -> bool:
        """Whether it can be asked for."""
        return not self.secrets and self.failed is None and bool(self.tiles)

    @property
    def has_code(self) -> bool:
        """Whether some of its code is its author's own."""
        return any(_own_code(cell["source"]) for cell in self.notebook["cells"] if cell["cell_type"] == "code")

    def request(self, *, name: str | None = None, dashboard_id: str | None = None) -> dict[str, Any]:
        """Return the body of the request."""
        body: dict[str, Any] = {"name": name or self.name, "tiles": self.tiles, "notebook": self.notebook}
        return body | ({"dashboard_id": dashboard_id} if dashboard_id else {})


def read_notebook(path: Path) -> Checked:
    """Read a saved notebook: its title, its cells without outputs, and what looks like a secret in them.

    Raises
    ------
    BadInput
        There is no such file, or it is no notebook of format 4.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        cells = [_cell(cell) for cell in found["cells"]] if found["nbformat"] == 4 else None
    except OSError:
        raise BadInput("publish.no_file", path=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        cells = None
    if cells is None:
        raise BadInput("publish.not_a_notebook", path=path.name)
    title = next((t for cell in cells if cell["cell_type"] == "markdown" for t in [_title(cell["source"])] if t), None)
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    return Checked((title or path.stem)[:200], notebook, secrets_in([cell["source"] for cell in cells]))


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    source = cell.get("source", "")
    source = "".join(source) if isinstance(source, list) else source
    if cell["cell_type"] not in ("code", "markdown", "raw") or not isinstance(source, str):
        raise ValueError("cell")
    return {"cell_type": cell["cell_type"], "metadata": {}, "source": source}


def _title(source: str) -> str | None:
    first = source.lstrip().split("\n", 1)[0]
    said = "".join(c for c in first[2:] if c.isprintable()).strip(" #*_") if first.startswith("# ") else ""
    return said or None


def _own_code(source: str) -> bool:
    from datapilot_kernel.notebook.cells import replaced

    left = replaced(source, lambda _magic: None).split("\n")
    return any(line.strip() and not line.strip().startswith("#") and line.strip() != "pass" for line in left)


# ── its questions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def ask_all(checked: Checked, open_client: Callable[[str], RemoteClient], tell: Tell = lambda done, of: None) -> None:
    """Ask every question of the notebook, and sort what came of it into tiles and what stays out.

    Parameters
    ----------
    open_client
        Returns a client of the API for a source's name; an empty text: the only one there is.
    """
    clients: dict[str, RemoteClient] = {}
    talks: dict[str, Any] = {}
    current, called = "", dict[str, str]()
    magics = [(i, magic) for i, cell in enumerate(checked.notebook["cells"]) if cell["cell_type"] == "code"
              for magic in written_in(cell["source"])]  # fmt: skip
    questions = sum(1 for _, magic in magics if magic.kind == "ask")
    done = 0
    try:
        for cell, magic in magics:
            if magic.kind == "datapilot":
                current = _source_of(magic, current, called)
            elif magic.kind == "sql":
                checked.left.append(Left(cell + 1, magic.text[:200], text("publish.left_sql")))
            else:
                tell(done, questions)
                done += 1
                name = called.get(magic.source, magic.source) if magic.source else current
                _ask(checked, cell, magic, name, clients, talks, open_client)
    finally:
        for client in clients.values():
            client.close()


def _source_of(magic: Written, current: str, called: dict[str, str]) -> str:
    """Return the source in force after a line of settings, by the platform's name for it; learn what it is called here."""
    words = opt.words(magic.text)
    if len(words) < 2 or words[0] not in ("source", "use"):
        return current
    if words[0] == "source" and len(words) >= 4 and words[-2].lower() in ("as", "comme"):
        called[words[-1]] = words[1]
    return called.get(words[1], words[1])


def _ask(
    checked: Checked,
    cell: int,
    magic: Written,
    name: str,
    clients: dict[str, RemoteClient],
    talks: dict[str, Any],
    open_client: Callable[[str], RemoteClient],
) -> None:
    from datapilot_kernel.engine.outcome import Answer, Clarification

    try:
        client = clients.get(name)
        if client is None:
            client = clients[name] = open_client(name)
        if magic.fresh or name not in talks:
            talks[name] = client.new_conversation()
        outcome = client.ask(magic.text, conversation=talks[name])
    except SourceProblem:
        raise  # the API is away: nothing was said about this question
    except BadInput as error:
        checked.left.append(Left(cell + 1, magic.text, error.message))
        return
    if isinstance(outcome, Answer) and outcome.plan is not None:
        checked.tiles.append(
            {
                "title": magic.text[:300], "source_id": client.source_id, "question": magic.text,
                "plan": outcome.plan.model_dump(mode="json"), "chart_type": "auto" if magic.chart else "table", "cell": cell,
            }
        )  # fmt: skip
        checked.trust.append(outcome.trust)
        return
    if isinstance(outcome, Answer):
        why = text("publish.left_no_plan")
    elif isinstance(outcome, Clarification):
        why = text("publish.left_unclear", message=outcome.message)
    else:
        why = outcome.message
    checked.left.append(Left(cell + 1, magic.text, why))


# ── its own code ──────────────────────────────────────────────────────────────────────────────────────────────────────


def run_through(
    checked: Checked, *, kernel: str | None = None, folder: Path | None = None, cell_timeout_s: int = 600
) -> None:
    """Run the notebook from top to bottom on a kernel of its own, as somebody does who opens it fresh.

    Raises
    ------
    BadInput
        There is no such kernel here.
    """
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        # Asked first: a client that finds no kernel leaves its handlers of Ctrl-C behind, and nothing stops any more.
        KernelSpecManager().get_kernel_spec(kernel or "datapilot")
    except NoSuchKernel:
        raise BadInput("publish.no_kernel", name=kernel or "datapilot") from None
    node = nbformat.from_dict(checked.notebook)  # type: ignore[no-untyped-call]
    at: list[int] = []
    where = {"metadata": {"path": str(folder or Path.cwd())}}
    client = NotebookClient(
        node, kernel_name=kernel or "datapilot", timeout=cell_timeout_s, store_widget_state=False, resources=where,
        on_cell_start=lambda cell, cell_index: at.append(cell_index),
    )  # fmt: skip
    try:
        client.execute()
    except CellTimeoutError:
        checked.failed = ((at or [0])[-1] + 1, text("publish.too_long", seconds=cell_timeout_s))
    except (CellExecutionError, DeadKernelError) as error:
        said = str(getattr(error, "evalue", "")).split("\n")[0][:300] or type(error).__name__
        checked.failed = ((at or [0])[-1] + 1, said)
    checked.ran = True


def kernel_of(path: Path) -> str | None:
    """Return the kernel that a saved notebook names; None: none."""
    try:
        named = json.loads(path.read_text(encoding="utf-8-sig"))["metadata"]["kernelspec"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(named)
