"""The console on a real S3 server, opened for reading: whatever is pressed, its log shows no write."""

from __future__ import annotations

from pathlib import Path

from backuplock.breaking import Audit
from harness.breaking import Scene
from harness.proxy import FaultProxy
from harness.s3 import S3Server
from locktop.breaker import Breaker
from locktop.session import Session
from tui.look import console, look_again, text, until

KEYS = [
    "j",
    "space",
    "x",
    "escape",
    "enter",
    "x",
    "escape",
    "a",
    "escape",
    "u",
    "escape",
    "2",
    "enter",
    "escape",
    "3",
    "escape",
    "4",
    "enter",
    "escape",
]
MORE = ["1", "s", "w", "v", "f", "p", "p", "r", "y", "question_mark", "escape", "m", "e", "x", "escape"]


async def test_a_console_for_reading_writes_nothing(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, tmp_path: Path
) -> None:
    scene = Scene(rclone_http.store(prefix), tmp_path)
    scene.volume()
    lock = scene.lock()
    scene.break_(scene.lock("lock-other"), allow_live=True)
    # The stores below might write: that nothing is written must not hang on their refusing it.
    session = Session(lambda: proxy.server.store(prefix), label="prod", url="s3://x/", interval_s=0.3)
    session.breaker = Breaker(
        lambda: proxy.server.store(prefix), lambda: Audit.read(tmp_path / "audit.db"), writable=False
    )
    async with console(session) as (app, pilot):
        assert "[RO]" in text(app)
        for key in (*KEYS, *MORE):
            await pilot.press(key)
            await pilot.pause()
        await look_again(app, pilot)
        await until(pilot, lambda: len(proxy.log) > 20)
        assert app.crash is None
    assert proxy.writes() == []
    assert {access.method for access in proxy.log} == {"GET"}
    kept = rclone_http.store(prefix)
    assert kept.read(lock.key) is not None
    kept.close()
    scene.store.close()
