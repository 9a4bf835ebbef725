"""Garbage is looked for while nobody waits."""

from __future__ import annotations

import gc
import weakref

from backuplock.clock import SECOND, ManualClock
from locktop.tidy import LEAST_NS, MOST_NS, QUIET_NS, Tidy, by_hand, put_by


class Ring:
    def __init__(self) -> None:
        self.me = self


def _ring() -> weakref.ref[Ring]:
    return weakref.ref(Ring())


def test_everything_is_looked_through_when_nobody_presses_keys() -> None:
    clock = ManualClock()
    tidy = Tidy(clock)
    with by_hand():
        ring = _ring()
        # Once old, it is found by a look through everything only.
        gc.collect(0)
        gc.collect(1)
        clock.advance(LEAST_NS - SECOND)
        assert not tidy.tick()
        tidy.touched()
        clock.advance(2 * SECOND)
        assert not tidy.tick()
        clock.advance(QUIET_NS)
        assert tidy.tick()
        assert ring() is None
        assert not tidy.tick()


def test_who_never_rests_waits_for_it_once_in_a_long_time() -> None:
    clock = ManualClock()
    tidy = Tidy(clock)
    clock.advance(MOST_NS - SECOND)
    tidy.touched()
    assert not tidy.tick()
    clock.advance(SECOND)
    tidy.touched()
    assert tidy.tick()


def test_what_has_stayed_is_looked_through_once_an_hour() -> None:
    clock = ManualClock()
    tidy = Tidy(clock)
    with by_hand():
        ring = _ring()
        put_by()
        clock.advance(LEAST_NS + QUIET_NS)
        assert tidy.tick()
        assert ring() is not None
        young = _ring()
        clock.advance(MOST_NS)
        assert tidy.tick()
        assert (ring(), young()) == (None, None)
    assert gc.get_freeze_count() == 0


def test_nothing_is_put_by_outside() -> None:
    put_by()
    assert gc.get_freeze_count() == 0


def test_the_limits_of_before_hold_again_afterwards() -> None:
    before = gc.get_threshold()
    with by_hand():
        assert gc.get_threshold()[:2] == before[:2]
        assert gc.get_threshold()[2] > 1_000_000
    assert gc.get_threshold() == before
