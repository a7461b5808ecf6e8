"""Sources: « Connectez vos données » in three steps, and each source's own page.

Kind (:mod:`~hub_config.pages.sources`), then connection (:mod:`~hub_config.pages.connect_database`) or files
(:mod:`~hub_config.pages.connect_files`), then what was understood. This is their table.
"""

from __future__ import annotations

from hub_config.pages import connect_database, connect_files, sources
from hub_config.pages.serving import Page

_NEW, _ONE = "/sources/nouvelle", "/sources/{source_id}"
_DATABASE, _FILES = f"{_NEW}/base", f"{_NEW}/fichiers"
# A private key and an authority's certificate, percent-encoded, besides what any form has.
_CONNECTION_BYTES = 256 * 1024


def _decisions(path: str) -> Page:
    """Return the page that takes what was decided: as many fields as files have columns."""
    bytes_, fields = connect_files.FORM_BYTES, connect_files.MOST_FIELDS
    return Page("POST", path, "files.add", connect_files.decided, form_bytes=bytes_, form_fields=fields)


PAGES: tuple[Page, ...] = (
    Page("GET", "/sources", "catalog.read", sources.listing),
    Page("GET", _NEW, "files.add", sources.kinds),
    Page("GET", _DATABASE, "sources.manage", connect_database.form),
    Page("POST", _DATABASE, "sources.manage", connect_database.entered, form_bytes=_CONNECTION_BYTES),
    Page("GET", f"{_DATABASE}/{{draft_id}}", "sources.manage", connect_database.draft_form),
    Page("GET", _FILES, "files.add", connect_files.form),
    Page("POST", _FILES, "files.add", connect_files.sent, uploads=True, problem=connect_files.upload_problem),
    Page("GET", f"{_FILES}/{{draft_id}}", "files.add", connect_files.draft_form),
    _decisions(f"{_FILES}/{{draft_id}}"),
    Page("GET", "/sources/brouillons/{draft_id}/etat", "files.add", sources.draft_state),
    Page("GET", _ONE, "catalog.read", sources.source),
    Page("GET", f"{_ONE}/compris", "catalog.read", sources.summary),
    Page("GET", f"{_ONE}/etat", "catalog.read", sources.state),
    Page("POST", f"{_ONE}/question", "questions.ask", sources.question, problem=sources.problem),
    Page("POST", f"{_ONE}/actualiser", "catalog.read", sources.refresh),
    Page("POST", f"{_ONE}/tester", "sources.manage", sources.test),
    Page("POST", f"{_ONE}/reglages", "sources.manage", sources.settings),
    Page("GET", f"{_ONE}/connexion", "sources.manage", connect_database.form),
    Page("POST", f"{_ONE}/connexion", "sources.manage", connect_database.entered, form_bytes=_CONNECTION_BYTES),
    Page("GET", f"{_ONE}/connexion/{{draft_id}}", "sources.manage", connect_database.draft_form),
    Page("GET", f"{_ONE}/fichiers", "files.add", connect_files.form),
    Page("POST", f"{_ONE}/fichiers", "files.add", connect_files.sent, uploads=True, problem=connect_files.upload_problem),
    Page("GET", f"{_ONE}/fichiers/{{draft_id}}", "files.add", connect_files.draft_form),
    _decisions(f"{_ONE}/fichiers/{{draft_id}}"),
    Page("GET", f"{_ONE}/supprimer", "sources.manage", sources.removal),
    Page("POST", f"{_ONE}/supprimer", "sources.manage", sources.remove),
)
