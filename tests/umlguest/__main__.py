"""Play all scenes, or those that are named: `python -m umlguest FOLDER [SCENE ...]`."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from umlguest import cifs, hangs, machine, nfs
from umlguest.scene import Scene


def play(scene: Scene, folder: Path) -> None:
    """Play one scene, and write down what it tells, or how it failed."""
    began = time.monotonic()
    found: dict[str, object] = {}
    try:
        found["told"] = scene.play()
    except BaseException:
        found["failed"] = traceback.format_exc()
    found["took_s"] = time.monotonic() - began
    print(f"{time.monotonic():6.1f} {scene.name}: {found['took_s']:.1f} s", flush=True)
    path = folder / f"{scene.name}.json.part"
    path.write_text(json.dumps(found, default=str), "utf-8")
    path.rename(folder / f"{scene.name}.json")


def main() -> None:
    """Acts play side by side, for most of their time they wait; the scenes of one act one after the other."""
    folder, wanted = Path(sys.argv[1]), set(sys.argv[2:])
    print(f"{time.monotonic():6.1f} the guest is up", flush=True)
    machine.set_up()
    machine.start_nfsd()
    machine.start_smbd()
    print(f"{time.monotonic():6.1f} the servers are up", flush=True)
    acts = [nfs.act, cifs.act, hangs.nfs_act, hangs.cifs_act]

    def act(stage: Callable[[], list[Scene]]) -> None:
        for scene in stage():
            if not wanted or scene.name in wanted:
                play(scene, folder)

    threads = [Thread(target=act, args=(one,)) for one in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
