"""A real kernel as an ordinary process (user-mode-linux): boots on this machine's own files, mounts, tells.

    PYTHONPATH=core:console:tests python -m harness.uml --rounds 1000     breaks on NFS and CIFS, so many each

The guest runs `python -m umlguest`, whose scenes use our code on real mounts; each leaves one file of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shlex
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.process import Process, executable

PROGRAMS = {
    "linux.uml": "user-mode-linux",
    "rpc.nfsd": "nfs-kernel-server",
    "rpc.mountd": "nfs-kernel-server",
    "exportfs": "nfs-kernel-server",
    "mount.nfs4": "nfs-common",
    "smbd": "samba",
    "smbpasswd": "samba-common-bin",
    "mount.cifs": "cifs-utils",
    "modprobe": "kmod",
    "ip": "iproute2",
    "tc": "iproute2",
    "nsenter": "util-linux",
}
MODULES = Path("/usr/lib/uml/modules")
BOOT_S = 400.0
"""How long all scenes may take; they need about 60 s on two free cores."""

_INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C PYTHONPATH={paths} HOME=/run PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc
mount -t sysfs sys /sys
for place in /run /mnt /var/lib/nfs; do mount -t tmpfs none "$place"; done
mkdir /mnt/out
mount -t hostfs none /mnt/out -o {folder}
exec > /mnt/out/guest.log 2>&1
UML_ROUNDS={rounds} {python} -P -m umlguest /mnt/out {scenes}
sync
exec {python} -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'
"""


def missing_programs() -> list[str]:
    """Debian packages that lack, of those that the guest needs."""
    lacking = {package for program, package in PROGRAMS.items() if executable(program) is None}
    if not MODULES.is_dir():
        lacking.add("user-mode-linux")
    return sorted(lacking)


@dataclass(frozen=True)
class Guest:
    """What a guest left behind when it had played all its scenes."""

    folder: Path

    def told(self, scene: str) -> dict[str, Any]:
        """What a scene told.

        Raises:
            AssertionError: it failed, or never came about; with its traceback, or the guest's last words.
        """
        path = self.folder / f"{scene}.json"
        assert path.exists(), f"the guest did not play {scene}: {self.last_words()}"
        found = json.loads(path.read_text("utf-8"))
        assert "failed" not in found, f"{scene} failed in the guest:\n{found['failed']}"
        value: dict[str, Any] = found["told"]
        return value

    def last_words(self) -> str:
        """The ends of the logs of the kernel and of what ran on it."""
        logs = [self.folder / "kernel.log", self.folder / "guest.log"]
        return "\n".join(log.read_text("utf-8", "replace")[-3000:] for log in logs if log.exists())


def played(folder: Path) -> Guest:
    """A guest that has played; of several processes that ask for one folder, the first boots it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "over").exists():
            _boot(folder)
            (folder / "over").touch()
    return Guest(folder)


def _boot(folder: Path, rounds: int = 0, scenes: str = "", patience_s: float = BOOT_S) -> None:
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    init = folder / "init"
    python = shlex.quote(sys.executable)
    init.write_text(
        _INIT.format(
            paths=shlex.quote(paths),
            folder=shlex.quote(str(folder)),
            python=python,
            rounds=rounds,
            scenes=scenes,
        )
    )
    init.chmod(0o755)
    command = [
        executable("linux.uml") or "linux.uml",
        *("mem=640M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"),
        *("con=null", "con0=null,fd:1", "ssl=null", "quiet", "panic=-1"),
    ]
    kernel = Process(command, folder / "kernel.log")
    try:
        kernel.wait(patience_s)
    finally:
        # The kernel's own helpers, and the processes of its guests, are of its process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(kernel.pid, signal.SIGKILL)
        kernel.stop(gently=False)


def main() -> int:
    """Break races on NFS and CIFS, between two clients of a server."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    if lacking := missing_programs():
        raise SystemExit(f"install {' '.join(lacking)}")
    scenes = ("nfs_break_race", "cifs_break_race")
    with tempfile.TemporaryDirectory(prefix="uml-") as name:
        folder = Path(name)
        _boot(folder, rounds, " ".join(scenes), BOOT_S + 10.0 * rounds)
        found = [Guest(folder).told(scene) for scene in scenes]
    for scene, told in zip(scenes, found, strict=True):
        counts = ", ".join(f"{count:,} {what}" for what, count in sorted(told["counts"].items()))
        print(f"{scene}: {told['rounds']:,} rounds, {len(told['violations'])} violations ({counts})")
    return 1 if any(told["violations"] for told in found) else 0


if __name__ == "__main__":
    sys.exit(main())
