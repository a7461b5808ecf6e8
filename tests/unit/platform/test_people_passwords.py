"""Passwords: what is asked of one, and what is kept."""

from __future__ import annotations

import asyncio
import threading
import time
import unicodedata
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from datapilot_kernel.errors import BadInput
from hub_config.errors import Forbidden, PlatformUnavailable
from hub_config.people.passwords import Passwords, check_rules
from hub_config.people.work import Work
from tests.platform_support import CHEAP, PASSWORD, World, wait_until


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("onze lettre", "password_too_short"),
        ("é" * 11, "password_too_short"),
        ("x" * 257, "password_too_long"),
        ("aaaaaaaaaaaaaaaaaaaa", "password_too_simple"),
        ("abababababababab", "password_too_simple"),
        ("camille.durand@exemple.fr", "password_too_simple"),
        ("Camille.Durand123", "password_too_simple"),
        ("camille.durandcamille.durand", "password_too_simple"),
    ],
)
def test_a_weak_password_is_refused_with_a_reason(password: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_rules(password, email="camille.durand@exemple.fr")
    assert refused.value.reason == reason
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", [PASSWORD, "douze lettre", "Ж" * 6 + "абвгде", "x" * 250 + "abcdef", "al pour le soleil levant"]
)
def test_length_is_what_counts(password: str) -> None:
    check_rules(password, email="al@exemple.fr")


def test_what_is_kept_is_argon2id_with_64_mib_and_never_the_password() -> None:
    kept = Passwords().hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Passwords().verify(kept, PASSWORD)
    assert not Passwords().verify(kept, PASSWORD + " ")
    assert not Passwords().verify("not a hash", PASSWORD)


def test_two_unicode_forms_of_one_password_are_the_same() -> None:
    passwords = Passwords(CHEAP)
    decomposed = unicodedata.normalize("NFD", "été à la mer égée")
    assert passwords.verify(passwords.hash(decomposed), unicodedata.normalize("NFC", decomposed))
    assert passwords.verify(passwords.hash(unicodedata.normalize("NFC", decomposed)), decomposed)


def test_nobodys_password_costs_as_much_as_somebodys() -> None:
    passwords = Passwords()
    kept = passwords.hash(PASSWORD)
    passwords.verify(None, PASSWORD)  # makes the dummy

    def best(hashed: str | None) -> float:
        def once() -> float:
            started = time.process_time()
            passwords.verify(hashed, "une autre phrase")
            return time.process_time() - started

        return min(once() for _ in range(5))

    with_one, without = best(kept), best(None)
    assert without > 0.5 * with_one
    assert not passwords.verify(None, "nobody has this password")


def test_a_sign_in_renews_a_hash_of_older_parameters(world: World) -> None:
    from hub_config.database import User

    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    user_id = world.add_user("t1", "ancien@t1.example", "analyst", hashed_password=old)
    body = {"email": "ancien@t1.example", "password": PASSWORD}
    assert world.client.post("/api/v1/auth/login", json=body).status_code == 200
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        kept = session.get(User, user_id).hashed_password
    assert kept != old
    assert not CHEAP.check_needs_rehash(kept)
    assert world.client.post("/api/v1/auth/login", json=body).status_code == 200


def test_few_hashes_at_once_and_the_loop_goes_on() -> None:
    work, running, most, lock = Work(2, floor_s=0), [0], [0], threading.Lock()
    go_on = threading.Event()

    def slow() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        go_on.wait(60)
        time.sleep(0.002)
        with lock:
            running[0] -= 1

    async def main() -> int:
        ticks = 0
        everything = asyncio.gather(*(work.run(slow) for _ in range(20)))
        while ticks <= 20 or running[0] < 2:
            await asyncio.sleep(0.001)
            ticks += 1
        assert not everything.done()
        go_on.set()
        await everything
        return ticks

    assert asyncio.run(main()) > 20
    assert most[0] == 2
    work.close()


def test_a_flood_is_turned_away() -> None:
    work, go_on = Work(1, floor_s=0), threading.Event()

    async def main() -> list[object]:
        waiting = [asyncio.ensure_future(work.run(go_on.wait)) for _ in range(260)]
        await asyncio.sleep(0.1)
        go_on.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = asyncio.run(main())
    assert sum(isinstance(answer, PlatformUnavailable) for answer in answers) == 60
    assert sum(answer is True for answer in answers) == 200
    assert asyncio.run(work.run(lambda: 7)) == 7  # and it works again
    work.close()


def test_a_refusal_takes_as_long_whatever_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(2, floor_s=0.2)
    now, real = [0.0], asyncio.sleep  # by a clock of its own: a busy machine takes longer for either

    async def slept(seconds: float) -> None:
        now[0] += seconds
        await real(seconds)

    monkeypatch.setattr("hub_config.people.work.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(asyncio, "sleep", slept)

    def refused(seconds: float) -> None:
        now[0] += seconds
        raise Forbidden

    async def timed(seconds: float) -> tuple[float, float]:
        began, started = time.monotonic(), now[0]
        with pytest.raises(Forbidden):
            await work.run(refused, seconds)
        return now[0] - started, time.monotonic() - began

    async def main() -> list[tuple[float, float]]:
        return [await timed(0.0), await timed(0.1)]

    (quick, really), (slow, _) = asyncio.run(main())
    assert really >= 0.2
    assert quick == pytest.approx(slow) == pytest.approx(0.2)
    work.close()


def test_what_runs_later_does_not_hold_the_answer() -> None:
    work, done = Work(1, floor_s=0), threading.Event()
    work.later(done.set)
    wait_until(done.is_set)
    work.close()
