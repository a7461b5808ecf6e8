"""Verified questions, for administrators to decide; they are proposed at ``/queries/{id}``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import AwareDatetime, Field

from hub_config.api.paging import Cursor, Limit, cursor_of, read_cursor
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.content.verified import VerifiedView

routes = Routes("/verified-questions", tag="verified questions")

Status = Literal["proposed", "approved", "rejected"]


class VerifiedOut(Wire):
    """A question and the plan that someone proposed for it."""

    id: str
    source_id: str
    question: str
    plan: dict[str, Any]
    status: Status
    problem: str | None = Field(description="why the plan does not hold over the layer in force; null: it does")
    proposed_by: str | None
    decided_by: str | None
    created_at: AwareDatetime
    decided_at: AwareDatetime | None


class VerifiedListOut(Wire):
    """A page of verified questions."""

    items: list[VerifiedOut]
    next: str | None


class DecisionIn(Wire):
    """What an administrator decides."""

    approve: bool


def _out(view: VerifiedView) -> VerifiedOut:
    row = view.row
    return VerifiedOut.model_validate(
        {
            "id": row.id,
            "source_id": row.data_source_id,
            "question": row.question,
            "plan": row.plan_json,
            "status": row.status,
            "problem": view.problem,
            "proposed_by": row.proposed_by,
            "decided_by": row.decided_by,
            "created_at": row.created_at,
            "decided_at": row.decided_at,
        }
    )


@routes.get("", permission="verified.decide", summary="A source's verified questions")
def list_verified(
    source_id: Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")],
    caller: Caller,
    platform: ThePlatform,
    status: Annotated[Status | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> VerifiedListOut:
    """Return them, newest first, each with what is wrong with its plan now."""
    found = platform.content.verified.listed(caller, source_id, status=status, limit=limit, before=read_cursor(cursor))
    following = cursor_of(found[-1].row.created_at, found[-1].row.id) if len(found) == limit else None
    return VerifiedListOut(items=[_out(view) for view in found], next=following)


@routes.post("/{question_id}/decision", permission="verified.decide", summary="Approve or reject one")
def decide(question_id: Id, body: DecisionIn, caller: Caller, platform: ThePlatform) -> VerifiedOut:
    """Approve (its plan answers the question from now on) or reject."""
    return _out(platform.content.verified.decide(caller, question_id, approve=body.approve))


@routes.delete("/{question_id}", permission="verified.decide", status_code=204, summary="Remove one")
def delete(question_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Remove one for good."""
    platform.content.verified.delete(caller, question_id)
    return Response(status_code=204)
