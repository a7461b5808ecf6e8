"""Renderings of published dashboards: started on demand through the hub, each for one viewer's rights, kept by nobody.

A rendering is a process of its own on its tenant's side of the installation (:mod:`dashboards.rendering`), started as the
server of a hub user that exists for it alone (:func:`hub_config.hub_names.rendering_user_name`). What it holds is a grant:
an opaque token that opens the routes of ``/rendering`` for this one rendering, until the page is handed in or the minutes
are over. With it the process runs *tiles of the version that was in force at the start, with the rights of the viewer as
they are at that moment*: the person is looked at anew at every tile, and a version that is no longer in force has none.

The page that comes back is the author's word: its markup is cleaned (:mod:`.markup`), and the tiles' data are what this
service itself recorded when it ran them (:class:`~hub_config.rendering.jobs.Job`), never what the process sends.

Jobs live in memory: they last minutes, and after a restart of the API a page is rendered again.
"""

from hub_config.rendering.jobs import Job, State
from hub_config.rendering.manager import Renderings

__all__ = ["Job", "Renderings", "State"]
