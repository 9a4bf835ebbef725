"""What a refusal says: who is in the way, who says to hold it, and when that ends."""

from __future__ import annotations

import pytest

from backuplock.errors import Contended
from backuplock.model import Operation, Owner
from backuplock.protocol import Blocker
from backuplock.refusal import describe_blocker
from harness.locks import World


def refused(world: World, operation: Operation = Operation.BACKUP) -> Contended:
    with pytest.raises(Contended) as caught:
        world.lock(operation).acquire()
    return caught.value


def test_one_that_holds_may_release_it_or_die() -> None:
    world = World()
    world.rival()
    world.pass_s(30)
    said = refused(world).advice
    assert said.startswith("the way is free when it is released; if its holder dies now, in 1")


def test_several_are_told_as_several() -> None:
    world = World()
    world.rival(name="lock-a1")
    world.rival(name="lock-a2")
    assert "free when they are released; if their holders die now, in" in str(refused(world))


def test_one_that_only_asks_cannot_be_released() -> None:
    world = World()
    world.rival(acquired=False)
    world.pass_s(1)
    said = str(refused(world))
    assert "free when it is withdrawn or, once granted, released; if nobody is behind it" in said


def test_who_holds_a_lock_of_ours_is_named() -> None:
    world = World()
    first = world.lock(Operation.DELETE, note="ask Kim \x1b[31m")
    first.acquire()
    said = refused(world)
    (blocker,) = said.blockers
    assert blocker.owner is not None
    assert f"by {blocker.owner.host}, process {blocker.owner.pid}" in str(said)
    assert "note: ask Kim" in str(said)
    assert str(said).isprintable()
    first.release()


def test_what_names_nobody_is_not_given_a_holder() -> None:
    nobody = Blocker("k/lock-1.lck", "lock-1", 2, True, 20_000_000_000, None)
    assert describe_blocker(nobody) == "lock-1 (deletion, held, refreshed 20s ago)"
    ahead = Blocker("k/lock-1.lck", "lock-1", 2, True, -7_200_000_000_000, None)
    assert describe_blocker(ahead) == "lock-1 (deletion, held, dated 2h00m in the future)"
    noted = Blocker("k/lock-1.lck", "lock-1", 2, True, None, None, Owner(note="by hand"))
    assert describe_blocker(noted) == "lock-1 (deletion, held, note: by hand)"
