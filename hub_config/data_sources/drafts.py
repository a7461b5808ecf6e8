"""What a person is about to connect: what was typed, what came in, and what is being found out about it meanwhile.

Several pages lead to a source, and people reload them, go back and leave one open. So what was typed stays here under an id
that stands in the page's address, for the person who typed it and nobody else. Secrets are typed once and stay here too:
they are in no page, no hidden field and no address, and with them stays for which server they were typed
(:attr:`DatabaseDraft.bound_to`): whoever names another server types them again.

In this process's memory alone, and not for long: a restart forgets them, and a page then says so. The uploads of a draft are
on disk as every upload is. :class:`Attempt` is what takes longer than a page may: it runs beside, and is looked at.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from datapilot_kernel.errors import DataPilotError, logged_fault
from hub_config.errors import NotFound

if TYPE_CHECKING:
    from hub_config.data_sources.administration import TestReport
    from hub_config.data_sources.connection import ConnectionConfig
    from hub_config.principal import Principal

log = logging.getLogger(__name__)

DATABASE_KEPT_S = 3600.0
FILES_KEPT_S = 24 * 3600.0
CHECK_KEPT_S = 3600.0
MOST_OF_A_PERSON = 10
_MOST_CHECKS = 500

T = TypeVar("T")


class Attempt(Generic[T]):
    """Work beside a page, begun at once in a thread of its own, in the language of whoever begins it.

    How many run at once is bounded by what the work itself takes a turn of (:mod:`hub_config.data_sources.turns`).
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._lock = threading.Lock()
        self._told: list[Callable[[], None]] = []
        self._ended = False
        self._result: T | None = None
        self.problem: DataPilotError | None = None
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run, work), name="attempt", daemon=True).start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._result = work()
        except DataPilotError as error:
            self.problem = error
        except Exception as error:  # noqa: BLE001 -- the thread's edge: whatever broke becomes an incident
            self.problem = logged_fault(error, "an attempt", log)
        finally:
            with self._lock:
                self._ended = True
            for told in self._told:
                told()

    def then(self, told: Callable[[], None]) -> None:
        """Have ``told`` called at the end, from the work's thread; at once where it is over."""
        with self._lock:
            if not self._ended:
                self._told.append(told)
                return
        told()

    @property
    def ended(self) -> bool:
        """Whether it came to an end, good or bad."""
        return self._ended

    @property
    def result(self) -> T | None:
        """What came of it; None: not ended, or ended in :attr:`problem`."""
        return self._result if self.ended else None


@dataclass
class Draft:
    """What one person has begun.

    Attributes
    ----------
    source_id
        The kept source that it changes or adds to; None: a new one.
    """

    tenant_id: str
    user_id: str
    source_id: str | None = None
    id: str = field(default_factory=lambda: uuid4().hex)
    touched_at: float = field(default_factory=time.monotonic)
    kept_s = DATABASE_KEPT_S


@dataclass
class DatabaseDraft(Draft):
    """A connection as it was typed.

    Attributes
    ----------
    fields
        What the form holds, but its secrets.
    secrets
        By the field's name; what was typed and not yet kept.
    bound_to
        The server, account and way that the secrets were typed for.
    host_key
        The SSH server's key that the person confirmed.
    tried
        The fields that ``attempt`` tries: what was changed since is not what was tried.
    revision
        Of the kept source, as it was read.
    """

    fields: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    bound_to: tuple[Any, ...] = ()
    host_key: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    config: ConnectionConfig | None = None
    change: dict[str, Any] | None = field(default=None, repr=False)
    attempt: Attempt[TestReport] | None = None
    revision: int | None = None


@dataclass
class FilesDraft(Draft):
    """Files that came in, and what was decided about each.

    Attributes
    ----------
    uploads
        Names of files, by the upload's id, in the order they came.
    decisions
        By the upload's id, as :class:`~datapilot_kernel.sources.files_import.report.FileOptions` takes them.
    read
        By the upload's id: what is understood of it with the present decisions, or ``problem``.
    reader
        Reads what is not in ``read``.
    sheets
        By the upload's id: every sheet of a workbook, as the first reading found them.
    notes
        What is said of files that did not come in.
    """

    name: str = ""
    workspace_id: str = ""
    uploads: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    read: dict[str, dict[str, Any]] = field(default_factory=dict)
    reader: Attempt[None] | None = None
    sheets: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    kept_s = FILES_KEPT_S


D = TypeVar("D", bound=Draft)


class Drafts:
    """Keeps drafts, and the last test of each kept source. Thread-safe; a draft itself is one person's."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Draft] = OrderedDict()
        self._checks: OrderedDict[tuple[str, str], tuple[int, Attempt[TestReport], float]] = OrderedDict()

    def put(self, draft: D) -> D:
        """Keep a draft; of one person's too many the oldest goes."""
        with self._lock:
            self._kept[draft.id] = draft
            draft.touched_at = self._clock()
            mine = [d.id for d in self._kept.values() if (d.tenant_id, d.user_id) == (draft.tenant_id, draft.user_id)]
            for old in mine[:-MOST_OF_A_PERSON]:
                del self._kept[old]
        return draft

    def get(
        self, principal: Principal, draft_id: str, kind: type[D], source_id: str | None = None, *, any_source: bool = False
    ) -> D:
        """Return the person's draft of that kind, for that source.

        Raises
        ------
        NotFound
            There is none (any more), or it is somebody else's.
        """
        with self._lock:
            found = self._kept.get(draft_id)
            if (
                not isinstance(found, kind)
                or (found.tenant_id, found.user_id) != (principal.tenant_id, principal.user_id)
                or (found.source_id != source_id and not any_source)
                or self._clock() - found.touched_at > found.kept_s
            ):
                raise NotFound(log="draft")
            found.touched_at = self._clock()
            self._kept.move_to_end(draft_id)
            return found

    def busy(self, principal: Principal, draft_id: str) -> bool:
        """Tell whether something is still under way for a draft of this person's."""
        try:
            draft = self.get(principal, draft_id, Draft, any_source=True)
        except NotFound:
            return False
        running = draft.attempt if isinstance(draft, DatabaseDraft) else getattr(draft, "reader", None)
        return running is not None and not running.ended

    def drop(self, draft: Draft) -> None:
        """Forget one: it became a source, or was given up."""
        with self._lock:
            self._kept.pop(draft.id, None)

    def check(self, tenant_id: str, source_id: str, revision: int) -> Attempt[TestReport] | None:
        """Return the last test of a kept source as it is now; None: none lately."""
        with self._lock:
            found = self._checks.get((tenant_id, source_id))
            fresh = found is not None and found[0] == revision and self._clock() - found[2] <= CHECK_KEPT_S
            return found[1] if found is not None and fresh else None

    def begin_check(
        self, tenant_id: str, source_id: str, revision: int, work: Callable[[], TestReport]
    ) -> Attempt[TestReport]:
        """Test a kept source beside the page; one at a time."""
        running = self.check(tenant_id, source_id, revision)
        if running is not None and not running.ended:
            return running
        begun = Attempt(work)
        self.keep_check(tenant_id, source_id, revision, begun)
        return begun

    def keep_check(self, tenant_id: str, source_id: str, revision: int, attempt: Attempt[TestReport]) -> None:
        """Remember a test as the last one of a source: the one that it was made with."""
        with self._lock:
            self._checks[tenant_id, source_id] = (revision, attempt, self._clock())
            self._checks.move_to_end((tenant_id, source_id))
            while len(self._checks) > _MOST_CHECKS:
                self._checks.popitem(last=False)

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Drop what there is of a source; of the whole tenant: None."""
        with self._lock:
            for key in [k for k in self._checks if k[0] == tenant_id and source_id in (None, k[1])]:
                del self._checks[key]
            if source_id is None:
                for draft_id in [d.id for d in self._kept.values() if d.tenant_id == tenant_id]:
                    del self._kept[draft_id]

    def forget_old(self) -> None:
        """Drop what nobody came back to: a secret is in memory no longer than somebody may still need it."""
        with self._lock:
            now = self._clock()
            for draft_id in [d.id for d in self._kept.values() if now - d.touched_at > d.kept_s]:
                del self._kept[draft_id]
            for key in [k for k, (_, _, at) in self._checks.items() if now - at > CHECK_KEPT_S]:
                del self._checks[key]
