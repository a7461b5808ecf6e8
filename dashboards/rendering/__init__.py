"""One rendering: a published version, run for the rights of one viewer, in a process that keeps nothing and then ends.

Started on demand by the API through the hub, on the tenant's own rendering network, as ``python -m dashboards.rendering``.
It is given one thing, a *grant* (``DATAPILOT_GRANT``): an opaque token of some minutes that opens this rendering's routes
of the API and nothing else: fetch the notebook, run a tile **of that version** with **that viewer's** rights, say how far
it is, hand in the page. It *pulls* its work, so nobody has to reach it: what listens on the hub's port only tells the hub
that the process lives.

The notebook's own code runs in a kernel beside this process and could read the grant; it can do no more with it than the
page is for. That is why the result is the author's word, not ours: the API cleans the markup and takes the tiles' data
from its own record, never from here.

Rooms: ``execution`` (Voilà's executor and exporter), ``tiles`` (the kernel's ``%tile``), ``api`` (the grant's routes),
``worker`` (the process).

Rejected: a standing Voilà server per tenant. Whoever knows a kernel id there reaches another viewer's kernel, and one
process would hold the rows of several rights.
"""
