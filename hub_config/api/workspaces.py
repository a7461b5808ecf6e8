"""Workspaces and their members."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Response
from pydantic import AwareDatetime, Field, StringConstraints

from hub_config.api.fields import IdField, Name, bounded_json
from hub_config.api.paging import Cursor, Limit, next_of, read_cursor
from hub_config.api.routing import Caller, Id, Routes, ThePlatform, Wire
from hub_config.database import Workspace

routes = Routes("/workspaces", tag="workspaces")

_Settings = Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Any], Field(max_length=50)]


class WorkspaceIn(Wire):
    """A workspace to make."""

    name: Name
    settings: _Settings = Field(default_factory=dict)


class WorkspacePatch(Wire):
    """What to change; what is left out stays."""

    name: Name | None = None
    settings: _Settings | None = None


class WorkspaceOut(Wire):
    """A named corner of the tenant."""

    id: str
    name: str
    settings: dict[str, Any]
    created_at: AwareDatetime


class WorkspacesOut(Wire):
    """A page of workspaces."""

    items: list[WorkspaceOut]
    next: str | None


class Members(Wire):
    """The people of a workspace."""

    user_ids: Annotated[list[IdField], Field(max_length=5000)]


def _out(row: Workspace) -> WorkspaceOut:
    return WorkspaceOut(id=row.id, name=row.name, settings=row.settings, created_at=row.created_at)


@routes.get("", permission="workspaces.read", summary="The workspaces one is a member of")
def list_workspaces(caller: Caller, platform: ThePlatform, limit: Limit = 50, cursor: Cursor = None) -> WorkspacesOut:
    """Return them, newest first; an administrator sees all."""
    rows = platform.content.workspaces.listed(caller, limit=limit, before=read_cursor(cursor))
    return WorkspacesOut(items=[_out(row) for row in rows], next=next_of(rows, limit))


@routes.post("", permission="workspaces.manage", status_code=201, summary="Make a workspace")
def create_workspace(body: WorkspaceIn, caller: Caller, platform: ThePlatform) -> WorkspaceOut:
    """Make one, without members."""
    return _out(platform.content.workspaces.create(caller, body.name, bounded_json(body.settings)))


@routes.get("/{workspace_id}", permission="workspaces.read", summary="One workspace")
def read_workspace(workspace_id: Id, caller: Caller, platform: ThePlatform) -> WorkspaceOut:
    """Return one."""
    return _out(platform.content.workspaces.read(caller, workspace_id))


@routes.patch("/{workspace_id}", permission="workspaces.manage", summary="Change a workspace")
def update_workspace(workspace_id: Id, body: WorkspacePatch, caller: Caller, platform: ThePlatform) -> WorkspaceOut:
    """Change its name or settings."""
    settings = None if body.settings is None else bounded_json(body.settings)
    return _out(platform.content.workspaces.update(caller, workspace_id, name=body.name, settings=settings))


@routes.delete("/{workspace_id}", permission="workspaces.manage", status_code=204, summary="Remove an empty workspace")
def delete_workspace(workspace_id: Id, caller: Caller, platform: ThePlatform) -> Response:
    """Remove one that groups nothing any more."""
    platform.content.workspaces.delete(caller, workspace_id)
    return Response(status_code=204)


@routes.get("/{workspace_id}/members", permission="workspaces.manage", summary="A workspace's members")
def read_members(workspace_id: Id, caller: Caller, platform: ThePlatform) -> Members:
    """Return its members."""
    return Members(user_ids=platform.content.workspaces.members(caller, workspace_id))


@routes.put("/{workspace_id}/members", permission="workspaces.manage", summary="Choose a workspace's members")
def set_members(workspace_id: Id, body: Members, caller: Caller, platform: ThePlatform) -> Members:
    """Make these people, and nobody else, its members."""
    return Members(user_ids=platform.content.workspaces.set_members(caller, workspace_id, body.user_ids))
