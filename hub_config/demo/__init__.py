"""The demo: the whole platform on one machine, without containers, for whoever wants to see it (``datapilot demo``).

:mod:`folder` says where everything lies and makes the keys; :mod:`seeding` makes the two tenants with their people and
data; :mod:`running` starts the hub (which starts the proxy and the API) and waits until all answer; :mod:`keeper` and
:mod:`processes` see to it that nothing is left running.

What holds here is what holds in production but for one thing: notebooks are processes of one account, so nothing keeps a
notebook's author from the others' files and processes. The command says so at every start.
"""
