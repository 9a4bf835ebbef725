"""Two real stores side by side, an S3 server and a folder: the server dies in the middle and comes back."""

from __future__ import annotations

import time
from pathlib import Path

from backuplock.stores.filesystem import FilesystemStore
from harness.builders import Fleet, Lock, Volume, write_all
from harness.rclone import start_rclone
from harness.s3 import BUCKET
from locktop.badge import Badge
from locktop.session import Session
from locktop.side_by_side import SideBySide
from tui.look import table, text, until


async def test_a_server_that_dies_holds_up_no_folder(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "data" / BUCKET / "far"
    for root, lock in ((near, "lock-near"), (far, "lock-far")):
        write_all(root, Fleet((Volume("pvc-a"),), (Lock("pvc-a", lock),)), time.time_ns())
    server = start_rclone(tmp_path / "data", tmp_path / "log")
    assert server.process is not None
    folder = Session(lambda: FilesystemStore(near), label="near", url="vfs:near", interval_s=0.2)
    s3 = Session(lambda: server.store("far", writable=False), label="far", url="s3:far", interval_s=0.2)
    folder.badge, s3.badge = Badge("near"), Badge("far")
    app = SideBySide([folder, s3])
    try:
        async with app.run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda: {row.name for row in table(app).rows} == {"lock-near", "lock-far"})
            server.process.stop()
            await until(pilot, lambda: "far: cannot" in text(app))
            later = Fleet((Volume("pvc-b"),), (Lock("pvc-b", "lock-later"),))
            write_all(near, later, time.time_ns())
            await until(pilot, lambda: any(row.name == "lock-later" for row in table(app).rows))
            assert any(row.name == "lock-far" for row in table(app).rows)
            assert app.statuses[1].outdated
            assert not app.statuses[0].outdated
    finally:
        server.process.stop()
