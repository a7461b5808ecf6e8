"""The only holder of Docker's socket: lets through the calls that the hub needs, with the options it needs, and no other.

Whoever holds the socket is root on the host. So the hub does not: it speaks to this process, which
- knows a closed table of calls (:mod:`hub_config.docker_gate.calls`): no exec, attach, build, pull, commit, export, archive,
  update, rename, events, secrets, plugins, swarm;
- reads a body into a model that forbids what it does not name (:mod:`hub_config.docker_gate.bodies`), holds it to the
  policy (:mod:`hub_config.docker_gate.policy`: images, limits, address pool, whose volume, whose network), and sends what it
  made of the model: never the bytes, the path, the query or a header that came in;
- touches only what carries this installation's label, by the engine's own full id, looked up for each call.

Who may speak to it: whoever shows the token, on a network of the hub and the gate only (docker-compose.yml). Rejected: a
generic socket proxy (it filters paths, and a privileged container is only a body); Docker's authorization plugins (host
work, and some versions still installed can be passed by). What remains: a taken hub can still start, stop and remove the
installation's own containers and volumes, within their limits. It cannot become root by Docker.
"""
