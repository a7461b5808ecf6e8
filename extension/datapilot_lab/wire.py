"""What this half and the panel say to each other, beyond what the API itself says; the panel's types are made from it.

``extension/panel_protocol.py`` writes ``src/protocol.ts`` from these models and the API's own; a test compares the two.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
RequestId = Annotated[str, Field(pattern=r"^[0-9a-f-]{16,64}$", description="the panel's own, of one question")]


class Wire(BaseModel):
    """Base: nothing that is not named comes in."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Status(Wire):
    """What this server can do, before anything is asked."""

    connected: bool
    code: Literal["no_platform", "no_hub_token", "not_signed_in", "unreachable"] | None
    message: str | None = Field(description="why not, for the person; null: it is connected")
    me: dict[str, Any] | None = Field(description="the API's `/auth/me`")
    pages_url: str | None = Field(description="where the API's own pages are; null: not known here")


class About(Wire):
    """A source, ready to be asked."""

    id: str
    name: str
    dialect: Literal["postgres", "mysql", "duckdb"]
    tables: int
    layer: str
    accepted: bool
    today: str
    questions: list[str] = Field(description="first questions to suggest, from the semantic layer")


class AskIn(Wire):
    """A question to be run here and held over a reload of the page."""

    request_id: RequestId
    query: dict[str, Any] = Field(description="the body of the API's `POST /ai/query`")


class AnswerShown(Wire):
    """What this half adds to an answer: its values as people read them."""

    shown: list[list[str]] = Field(description="the rows that came with the answer, each value written out")
    single: bool = Field(description="one row of figures: shown large, not as a table")
    pretty_sql: str


class Rows(Wire):
    """Rows of a result in some order."""

    shown: list[list[str]]
    rows: list[list[Any]]
    row_count: int
    offset: int
    truncated: bool


class Place(Wire):
    """Where a reading is edited."""

    source_id: Id
    plan: dict[str, Any]
    path: Annotated[str, Field(max_length=300, pattern=r"^/")]
    kind: Annotated[str, Field(max_length=40)]


class EditIn(Place):
    """What a chip becomes: ``value`` as in the plan, or ``typed`` as a person writes it; both null: it goes."""

    value: Any = None
    typed: Annotated[str, Field(max_length=4000)] | None = None
    grain: str | None = None


class EditOut(Wire):
    """The plan after an edit."""

    plan: dict[str, Any]


class Option(Wire):
    """A choice of an editor."""

    label: str
    value: Any
    timed: bool = Field(False, description="a date: it is cut by a grain")


class Editor(Wire):
    """What an editor of a chip offers; ``none``: it can only be taken away."""

    editor: Literal["period", "choice", "values", "number", "order", "none"]
    options: list[Option] = []
    grains: list[Option] = []
    value: Any = None
    removable: bool = True


class ChartIn(Wire):
    """Another type of chart for an answer."""

    type: Annotated[str, Field(max_length=40)]


class ChartOut(Wire):
    """A Plotly figure as data."""

    chart: dict[str, Any]
