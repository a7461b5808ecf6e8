"""What every spawner shares: a server that ends before the hub says whom to tell is told of all the same."""

from __future__ import annotations

from typing import Any

from hub_config.hub.spawning.base import PersonSpawner


class Polled:
    """The part of JupyterHub's spawner that looks for a server's end."""

    def __init__(self) -> None:
        self._poll_callback: Any = None
        self.told: list[Any] = []
        self.started = 0

    def start_polling(self) -> None:
        self.started += 1
        self._poll_callback = object()

    def add_poll_callback(self, callback: Any, *args: Any) -> None:
        self.told.append((callback, args))


class Some(PersonSpawner, Polled):
    """One of ours."""


def test_an_end_that_came_before_the_hub_said_whom_to_tell_is_looked_for_again() -> None:
    spawner = Some()
    spawner.start_polling()
    spawner._poll_callback = None  # the end was seen, and there was nobody to tell
    spawner.add_poll_callback(print, 1)
    assert (spawner.told, spawner.started) == ([(print, (1,))], 2)


def test_looking_goes_on_as_it_was() -> None:
    spawner = Some()
    spawner.start_polling()
    spawner.add_poll_callback(print)
    assert spawner.started == 1
