"""A fleet on disk, made fast: volumes with backups, blocks in two levels, every tenth locked."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from backuplock import layout

_BODY = '{{"Name":"lock-{0:016x}","Type":1,"Acquired":true}}'


def make_fleet(root: Path, volumes: int, *, backups: int = 2, blocks: int = 4, locked: int = 10) -> None:
    """Make it below `root`, which becomes what a target's path leads to.

    Args:
        volumes: how many.
        backups: of each volume.
        blocks: of each volume; they are empty, for no sweep may read them.
        locked: every so manyth volume has a lock.
    """
    for number in range(volumes):
        volume = f"pvc-{uuid.UUID(hashlib.md5(b'%d' % number, usedforsecurity=False).hexdigest())}"
        folder = root / layout.volume_folder(volume)
        (folder / "backups").mkdir(parents=True)
        (folder / "volume.cfg").write_text(f'{{"Name":"{volume}","Size":"1073741824"}}')
        for backup in range(backups):
            (folder / "backups" / f"backup_backup-{backup:016x}.cfg").write_text("{}")
        for block in range(blocks):
            name = hashlib.sha256(b"%d-%d" % (number, block)).hexdigest()
            place = folder / "blocks" / name[:2] / name[2:4]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{name}.blk").touch()
        if number % locked == 0:
            (folder / "locks").mkdir()
            (folder / "locks" / f"lock-{number:016x}.lck").write_text(_BODY.format(number))
