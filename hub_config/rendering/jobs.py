"""One rendering as the API knows it, and the store of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from hub_config.errors import NotFound, TooMany, Unauthenticated
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.queries import Asked

State = Literal["starting", "running", "ready", "failed"]
PERSON_KEPT = 8
"""Pages of one person that are kept to be fetched: whoever asks for more has the oldest made again."""

Failure = Literal["not_started", "lost", "author", "timeout", "fault", "quota"]
"""``author``: a cell of the notebook raised; ``timeout``: one took too long; ``not_started``: the hub could not; ``lost``:
the process went away; ``quota``: of a page made ahead, the tenant's was used up meanwhile."""


@dataclass
class Job:
    """A rendering.

    Attributes
    ----------
    version
        The number of the version that it is of.
    on_hub
        The hub was asked for its process, so that its absence there means something.
    done, of
        Cells; ``of`` 0: not known yet.
    asked
        Of a page made ahead (:mod:`hub_config.snapshots`): what is asked for each tile, whoever the page is for. None: the
        page is for the principal, and each tile is looked up anew, with their rights of then.
    outcomes
        What each tile answered, JSON, by the tile's id: written when this service ran it.
    told
        What the process was told of it: all its rows; of a page made ahead, so that a tile is run once.
    problem
        Why a tile could not be asked at all, if one could not: then it is not the author's doing that its cell failed.
    markup
        The page's cleaned markup, with places ``<section data-tile=…>``; empty until it is ready.
    trace
        The author's error, for the author alone: it may quote values.
    """

    principal: Principal
    dashboard_id: str
    version: int
    notebook: dict[str, Any] = field(repr=False)
    ends_at: float
    asked: Mapping[str, Asked] | None = field(default=None, repr=False)
    id: str = field(default_factory=lambda: uuid4().hex)
    state: State = "starting"
    on_hub: bool = False
    failure: Failure | None = None
    cell: int | None = None
    trace: str = field(default="", repr=False)
    done: int = 0
    of: int = 0
    outcomes: dict[str, bytes] = field(default_factory=dict, repr=False)
    told: dict[str, bytes] = field(default_factory=dict, repr=False)
    problem: Failure | None = None
    over: threading.Event = field(default_factory=threading.Event, repr=False)
    markup: str = field(default="", repr=False)
    grant_hash: bytes = field(default=b"", repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of the process."""
        return self.state in ("ready", "failed")


class Jobs:
    """The store. Thread-safe.

    Parameters
    ----------
    life_s
        How long a grant is good, and then how long the page can be fetched.
    tenant_most
        Renderings of one tenant under way at once.
    """

    def __init__(self, *, life_s: float, tenant_most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._life_s = life_s
        self._tenant_most = tenant_most
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def add(
        self,
        principal: Principal,
        dashboard_id: str,
        version: int,
        notebook: dict[str, Any],
        *,
        asked: Mapping[str, Asked] | None = None,
    ) -> tuple[Job, str]:
        """Return a new job and its grant, which is kept nowhere else.

        Raises
        ------
        TooMany
            As many of the tenant's, or of this person's, are under way as may be.
        """
        grant = secrets.token_urlsafe(32)
        ends_at = self._clock() + self._life_s
        job = Job(principal, dashboard_id, version, notebook, ends_at, asked, grant_hash=_hash(grant))
        with self._lock:
            under_way = [j for j in self._jobs.values() if j.principal.tenant_id == principal.tenant_id and not j.ended]
            own = sum(1 for j in under_way if j.principal.user_id == principal.user_id)
            # One place is always left for somebody else of the tenant, where there is more than one.
            if len(under_way) >= self._tenant_most or own >= max(1, self._tenant_most - 1):
                raise TooMany("rendering.too_many", retry_after_s=10, log="renderings of the tenant")
            self._jobs[job.id] = job
        return job, grant

    def of_grant(self, grant: str) -> Job:
        """Return the job whose grant this is. Raises Unauthenticated: there is none under way."""
        wanted, now = _hash(grant), self._clock()
        with self._lock:
            for job in self._jobs.values():
                if hmac.compare_digest(job.grant_hash, wanted) and not job.ended and now < job.ends_at:
                    return job
        raise Unauthenticated(log="grant: of no rendering under way")

    def of_person(self, principal: Principal, job_id: str) -> Job:
        """Return a person's own job. Raises NotFound."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or _person(job.principal) != _person(principal):
            raise NotFound(log="rendering")
        return job

    def end(self, job: Job, state: Literal["ready", "failed"], **found: Any) -> bool:
        """End a job once; False: it had already ended."""
        with self._lock:
            if job.ended:
                return False
            for name, value in found.items():
                setattr(job, name, value)
            job.state = state
            job.told.clear()
            if job.asked is not None:
                # Whoever had it made holds it; nobody fetches it by its id.
                self._jobs.pop(job.id, None)
            else:
                job.ends_at = self._clock() + self._life_s
                self._make_room(job.principal)
        job.over.set()
        return True

    def _make_room(self, principal: Principal) -> None:
        mine = [j for j in self._jobs.values() if j.ended and _person(j.principal) == _person(principal)]
        for job in sorted(mine, key=lambda j: j.ends_at)[:-PERSON_KEPT]:
            del self._jobs[job.id]

    def overdue(self) -> list[Job]:
        """Return the jobs under way whose time is over."""
        now = self._clock()
        with self._lock:
            return [job for job in self._jobs.values() if not job.ended and now >= job.ends_at]

    def sweep(self) -> None:
        """Forget what ended long ago."""
        now = self._clock()
        with self._lock:
            for job in [job for job in self._jobs.values() if job.ended and now >= job.ends_at]:
                del self._jobs[job.id]

    def under_way(self, tenant_id: str | None = None, user_id: str | None = None) -> list[Job]:
        """Return the jobs under way: all, a tenant's, or a person's."""
        with self._lock:
            return [
                job
                for job in self._jobs.values()
                if not job.ended
                and tenant_id in (None, job.principal.tenant_id)
                and user_id in (None, job.principal.user_id)
            ]

    def forget(self, tenant_id: str) -> None:
        """Drop everything of a tenant."""
        with self._lock:
            for job in [job for job in self._jobs.values() if job.principal.tenant_id == tenant_id]:
                del self._jobs[job.id]


def _person(principal: Principal) -> tuple[str, str]:
    return principal.tenant_id, principal.user_id


def _hash(grant: str) -> bytes:
    return hashlib.sha256(grant.encode("utf-8", "replace")).digest()
