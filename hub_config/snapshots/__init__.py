"""Snapshots: a published dashboard rendered ahead, once for every version and distinct rights, and served at once.

A snapshot is the cleaned markup of a version's page and the outcome of every tile in it, made for *one* set of rights and
read by whoever has exactly those. What makes two people's rights equal is in :mod:`.keys`, and is part of the key that a
row is found by: tenant, attributes, and of every source of the version its connection's revision, its catalog and its layer
in force. Nothing else is ever shared. A layer with another row filter, a person with another attribute, a source that now
points elsewhere: the key is another one, and what was made before is not found any more.

::

    of(principal, published)        the last good snapshot for these rights, or None; asks for one to be made
    refresh(principal, id)          on demand, by whoever edits the dashboard
    progress(principal, id)         how far that is, for them
    schedule / set_schedule         when it is made again by itself

Rooms: ``keys`` (whose rights are equal), ``schedule`` (when), ``store`` (rows, encrypted with the tenant's key), ``making``
(one snapshot: through the hub and Voilà, or the plans alone where there is no hub), ``keeper`` (the queue, the clock, what
goes), ``manager`` (what pages and routes call).

Who makes them is the principal ``refresh`` (:func:`.keys.refresher`): nobody's account, named in history and audit, with the
attributes of the rights that the page is made for and no others.

Rejected: snapshots as files (they hold customers' values: they belong behind row-level security and the tenant's key, and
leave with the tenant's rows); one snapshot filtered for each viewer (a page that was made with more rights than its reader
has is a wall made of code that somebody wrote in a notebook).
"""

from hub_config.snapshots.manager import Snapshots
from hub_config.snapshots.model import Progress, Snapshot, why
from hub_config.snapshots.schedule import Schedule

__all__ = ["Progress", "Schedule", "Snapshot", "Snapshots", "why"]
