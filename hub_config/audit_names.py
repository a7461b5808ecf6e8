"""What the record's identifiers stand for now: an event holds the id of what it is about, a reader wants its name.

Looked up for the events of one page, in the tenant's own session. What is gone has no name any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from hub_config.database import (
    AuditEvent,
    Dashboard,
    DataSource,
    Invitation,
    PublicationRequest,
    SemanticLayer,
    User,
    VerifiedQuestion,
    Workspace,
)

if TYPE_CHECKING:
    from hub_config.database import Database

_NAMED: dict[str, Any] = {
    "user": User.email,
    "data_source": DataSource.name,
    "dashboard": Dashboard.name,
    "workspace": Workspace.name,
    "invitation": Invitation.email,
    "verified_question": VerifiedQuestion.question,
}


def names_of(database: Database, tenant_id: str, events: Sequence[AuditEvent]) -> dict[tuple[str, str], str]:
    """Return the names of what events are about, by kind and id; a source also by the id that a question was asked of."""
    wanted: dict[str, set[str]] = {}
    for event in events:
        if event.object_type and event.object_id:
            wanted.setdefault(event.object_type, set()).add(event.object_id)
        if event.data_source_id:
            wanted.setdefault("data_source", set()).add(event.data_source_id)
        member = event.details.get("user_id")
        if isinstance(member, str):
            wanted.setdefault("user", set()).add(member)
    found: dict[tuple[str, str], str] = {}
    with database.tenant(tenant_id, read_only=True) as session:
        for kind, ids in wanted.items():
            if kind in _NAMED:
                column = _NAMED[kind]
                rows = session.execute(select(column.class_.id, column).where(column.class_.id.in_(ids)))
                found |= {(kind, row[0]): row[1] for row in rows}
        layers = wanted.get("semantic_layer")
        if layers:
            of = (DataSource.tenant_id == SemanticLayer.tenant_id) & (DataSource.id == SemanticLayer.data_source_id)
            rows = session.execute(
                select(SemanticLayer.id, DataSource.name).join(DataSource, of).where(SemanticLayer.id.in_(layers))
            )
            found |= {("semantic_layer", row[0]): row[1] for row in rows}
        requests = wanted.get("publication_request")
        if requests:
            statement = select(PublicationRequest.id, PublicationRequest.content_json["name"].as_string())
            rows = session.execute(statement.where(PublicationRequest.id.in_(requests)))
            found |= {("publication_request", row[0]): row[1] for row in rows if row[1]}
    return found
