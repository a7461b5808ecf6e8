"""How a person's notebook server is started: as a local process (the demo) or as a container.

Each way is a module with one class over :class:`hub_config.hub.spawning.base.PersonSpawner` and one function
``configure(settings, c)``, which sets what that way needs besides ``spawner_class``.
"""
