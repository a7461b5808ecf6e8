"""What waits for an administrator's word: counted for the pages, cheaply, whenever one of them opens the home."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from hub_config.database import Database, PublicationRequest, VerifiedQuestion
from hub_config.principal import Principal


@dataclass(frozen=True)
class Waiting:
    """How many of each kind wait."""

    questions: int
    publications: int

    @property
    def total(self) -> int:
        """How many in all."""
        return self.questions + self.publications


def waiting(database: Database, principal: Principal) -> Waiting:
    """Return how much of the tenant waits to be approved."""
    questions = select(func.count()).select_from(VerifiedQuestion).where(VerifiedQuestion.status == "proposed")
    publications = select(func.count()).select_from(PublicationRequest).where(PublicationRequest.status == "requested")
    with database.tenant(principal.tenant_id, read_only=True) as session:
        return Waiting(int(session.scalar(questions) or 0), int(session.scalar(publications) or 0))
