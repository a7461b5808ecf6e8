"""One interactive dashboard: a published notebook with a kernel for one viewer, in a process that keeps nothing.

Started by the API through the hub as a rendering is (same hub user, same container, same network of its own, same command
line but for the module), with a *grant* that opens the tiles of that version with that viewer's rights, and this process's
end of the channel. Voilà's executor runs the notebook, Voilà's exporter makes the page, Voilà's own script shows it.

**There is no server here.** Voilà's is left out whole: stock Voilà answers whoever knows a kernel's id, deletes kernels,
gives files without a sign-in, and hands one viewer's token to another when kernels are warmed up. What a server is not
there for cannot be asked of it: no contents, no terminals, no sessions, no kernel that a request could make, list,
interrupt or delete. The process *pulls*: messages of the viewer's page and names of files of Voilà's script come as answers
to its own requests to the API; what listens on the hub's port tells the hub that it lives, and nothing else.

What a page may say to the kernel is :mod:`.messages`: five kinds of message, on one channel. The API holds it to that, and
this process once more. The API is the wall towards the viewer, for the notebook's own code runs beside this process and
could change it; towards the author the walls are the container, the grant, and the page's frame
(:mod:`hub_config.interactive`).

Rooms: ``messages`` (what may be said), ``page`` (the notebook run, its page), ``files`` (the script's files), ``tiles`` (the
kernel's ``%tile``), ``worker`` (the process).

Rejected: Voilà's server behind the hub's proxy (on one origin the author's HTML would run beside the platform's pages; with
subdomains it could still send what it shows to anywhere by sending the browser there), a list of forbidden messages.
"""
