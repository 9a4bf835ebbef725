"""One volume costs a few requests; by another name it is found, or the reason is said."""

from __future__ import annotations

from typing import Any

import pytest

from backuplock import layout
from backuplock.clock import SECOND, ManualClock
from backuplock.errors import Denied, Malformed, Missing
from backuplock.inquiry import Inquiry, Watching, inquire
from backuplock.liveness import Life
from backuplock.lookup import Lookup, find_volume
from backuplock.model import LockRecord
from backuplock.stores.base import BODY_CAP, Blob, Listing
from backuplock.stores.memory import MemoryStore
from backuplock.survey import look, sweep
from backuplock.watch import Event, EventKind
from backuplock.wire import encode
from harness.builders import Volume

ONE, TWO, FREE = "pvc-aaaa1111", "pvc-aaaa2222", "pvc-bbbb3333"


class Shop(MemoryStore):
    """Three volumes, two with locks; counts what is asked; something may happen at each look at locks."""

    def __init__(self) -> None:
        self.clock = ManualClock(on_sleep=self._slept)
        super().__init__(self.clock)
        self.asked: list[str] = []
        self.script: list[tuple[float, str]] = []
        self.denied = ""
        for volume in (Volume(ONE, "shop", "orders"), Volume(TWO, "shop", "cart"), Volume(FREE, "hr", "pay")):
            self.put(volume.cfg_key, volume.cfg)
        for volume_name in (ONE, TWO):
            self.refresh(layout.lock_key(volume_name, "lock-a"))

    def refresh(self, key: str) -> None:
        self.put(key, encode(LockRecord("lock-a", 1, True)))

    def _slept(self, duration_ns: int) -> None:
        self.clock.advance(duration_ns)
        if self.script and self.clock.mono_ns() >= 1000 * SECOND + self.script[0][0] * SECOND:
            self.refresh(self.script.pop(0)[1])

    def list(self, folder: str) -> Listing:
        self.asked.append(folder)
        if self.denied and self.denied in folder:
            raise Denied("no")
        return super().list(folder)

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        self.asked.append(key)
        return super().read(key, cap=cap)

    def find(self, name: str, **more: Any) -> str:
        found = find_volume(self, name, Lookup(clock=self.clock, **more))
        assert len(found.volumes) == 1
        return found.volumes[0].name


def test_one_volume_is_what_the_sweep_has_of_it() -> None:
    shop = Shop()
    whole = sweep(shop, clock=shop.clock)
    shop.asked.clear()
    found = look(shop, ONE, clock=shop.clock)
    assert found.volumes == tuple(view for view in whole.volumes if view.name == ONE)
    assert shop.asked == [
        layout.volume_folder(ONE),
        layout.volume_cfg(ONE),
        layout.locks_folder(ONE),
        layout.lock_key(ONE, "lock-a"),
    ]
    shop.asked.clear()
    again = look(shop, ONE, found, clock=shop.clock)
    assert again.volumes == found.volumes
    # Neither an unchanged lock nor a name that is known is read again.
    assert len(shop.asked) == 2


def test_a_look_raises_what_a_sweep_would_keep() -> None:
    shop = Shop()
    shop.denied = "/locks"
    with pytest.raises(Denied):
        look(shop, ONE, clock=shop.clock)
    with pytest.raises(Malformed):
        look(shop, "../x", clock=shop.clock)
    assert look(shop, "pvc-none", clock=shop.clock).volumes == ()


@pytest.mark.parametrize(
    ("name", "found"),
    [(ONE, ONE), ("pvc-aaaa1", ONE), ("shop/cart", TWO), ("cart", TWO), ("hr/pay", FREE), ("pvc-b", FREE)],
)
def test_by_any_name(name: str, found: str) -> None:
    assert Shop().find(name) == found


def test_a_sweep_is_announced_and_a_full_id_needs_none() -> None:
    shop, said = Shop(), []
    shop.find(ONE, sweeping=said.append)
    assert said == []
    shop.find("hr/pay", sweeping=said.append)
    assert len(said) == 1


@pytest.mark.parametrize("name", ["pvc-none", "shop/none", "shop", "p", "*", "pvc-aaaa1111/locks"])
def test_no_such_volume(name: str) -> None:
    with pytest.raises(Missing):
        Shop().find(name)


@pytest.mark.parametrize("name", ["pvc-", "pvc-aaaa"])
def test_several(name: str) -> None:
    with pytest.raises(Malformed, match="fits several volumes"):
        Shop().find(name)


def test_a_whole_id_is_not_searched_for() -> None:
    shop = Shop()
    with pytest.raises(Missing):
        shop.find("pvc-aaaa1", whole_id=True)
    assert layout.VOLUMES not in shop.asked


def watch(shop: Shop, told: list[Event], watch_s: float = 70) -> Inquiry:
    watching = Watching(round(watch_s * SECOND), told=told.extend)
    return inquire(shop, ONE, Lookup(clock=shop.clock), watching=watching)


def test_watching_ends_with_the_first_sign_of_life() -> None:
    shop, told = Shop(), list[Event]()
    key = layout.lock_key(ONE, "lock-a")
    shop.script = [(30, key)]
    found = watch(shop, told)
    assert [event.kind for event in told] == [EventKind.RENEWED]
    assert 30 * SECOND <= found.watched_ns < 40 * SECOND
    assert found.lives[key].life is Life.LIVE


def test_watching_in_vain_ends_in_time() -> None:
    shop, told = Shop(), list[Event]()
    found = watch(shop, told)
    assert found.watched_ns == 70 * SECOND
    assert found.lives[layout.lock_key(ONE, "lock-a")].life is Life.LATE
    assert [event.kind for event in told] == [EventKind.LATE]


def test_a_full_lease_without_a_refresh_condemns() -> None:
    shop = Shop()
    found = watch(shop, [], 200)
    verdict = found.lives[layout.lock_key(ONE, "lock-a")]
    assert verdict.life is Life.STALE
    assert found.tree.verdicts[0].granted
