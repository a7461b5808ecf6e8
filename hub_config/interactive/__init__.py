"""Interactive dashboards: a published notebook with a kernel for one viewer, under the walls of a rendering.

What a viewer has open is a :class:`~hub_config.interactive.sittings.Sitting`: one person, one dashboard, one version, one
process (:mod:`dashboards.interactive`) started through the hub as a rendering's is, with a grant that opens the tiles of
that version *with that viewer's rights as they are at that moment*. It ends when its page is left or idle, when the session
of the browser in which it was begun ends, when the person or the right goes, when another version or another layer of one of
its sources comes into force.

How a browser reaches it: **through this service alone.** The process listens to nobody; it fetches what the page says to its
kernel, and hands in what the kernel says, over the grant's routes (:mod:`hub_config.api.interactive`). The page
(:mod:`hub_config.pages.interactive`) holds the session's cookie, as every page does, and a frame. In the frame is what the
author wrote; the frame has

- no origin (``sandbox`` without ``allow-same-origin``, in the answer's own policy, so also when it is opened by itself): the
  session's cookies, the platform's pages and other frames are out of its reach, in an installation of one origin too;
- no network (``connect-src 'none'``, pictures only of its own making, no forms, no windows), and the page around it lets it
  be sent nowhere (``frame-src``): what is shown with the viewer's rights cannot be sent to the author or to anybody;
- no script of the author's: no inline script, no ``eval``, no module from memory; only the files of Voilà's script and of
  the widgets', each known by its digest (:mod:`dashboards.interactive.files`). What the author programs runs in Python, in
  the kernel. The two walls above would hold without this one; this one holds where a browser has ways out that no policy
  names (WebRTC);
- one way out: messages to the page around it, which sends them on with its own session and form token. The API holds them to
  the allow-list of :mod:`dashboards.interactive.messages`; the process does so once more.

The files of Voilà's script and of the widgets come from the process's installation, through this service, at an address with
a key of that one sitting: a frame without an origin has no cookie to show. The key opens these files and nothing else.

Rejected: the process behind the hub's proxy, with a role or a ticket for its viewer (an origin of its own keeps the
platform's pages safe where there are subdomains, and nowhere does it keep the author from sending the browser elsewhere with
what it shows; it also needs the proxy on every rendering's network); this service as a proxy that connects to the process
(an address to be connected to comes from the process, or from one more right at the hub). What remains: a frame that is
open shows what it was given until the page around it hears that it is over, seconds later; two pages of one person share a
kernel; the author's code learns what its reader moves; and markup can have the browser look up a host's name
(``preconnect``) or connect to it without a word (a frame or a refresh, that the policies then refuse), in which an author
who means it can hide some bytes.
"""

from hub_config.interactive.manager import Interactives
from hub_config.interactive.sittings import Sitting

__all__ = ["Interactives", "Sitting"]
