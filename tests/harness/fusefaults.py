"""A folder seen through FUSE that fails by rule: `python -m harness.fusefaults SOURCE POINT RULES`.

The rules are a file of JSON that is read at every call, so that tests change them while the mount is used.
The kernel keeps nothing: each name, state and byte is asked for.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from harness.process import Process, executable

CALLS = ("stat", "readdir", "open", "create", "read", "write", "fsync", "close", "rename", "unlink", "mkdir")
"""What rules can name. A file is closed once by each descriptor (FUSE: `flush`)."""
_T = TypeVar("_T")


def why_not() -> str:
    """Why nothing can be mounted here, "" if it can."""
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        return f"mfusepy cannot be used ({error}); it needs libfuse (Debian: fuse3)"
    if ctypes.util.find_library("fuse3") is None or executable("fusermount3") is None:
        return "FUSE is not installed (Debian: fuse3); CI installs it"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be opened here: {error.strerror}"
    return ""


class FaultMount:
    """A mounted folder. `source` is what lies below it, `root` where it is seen with faults."""

    def __init__(self, folder: Path) -> None:
        self.source, self.root, self._rules = folder / "below", folder / "seen", folder / "rules"
        for made in (self.source, self.root):
            made.mkdir()
        self._tell([])
        command = [
            sys.executable,
            "-m",
            "harness.fusefaults",
            *map(str, (self.source, self.root, self._rules)),
        ]
        paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
        self._process = Process(command, folder / "log", env={"PYTHONPATH": paths})
        give_up = time.monotonic() + 60
        while not os.path.ismount(self.root):
            if time.monotonic() > give_up:
                self.stop()
                raise RuntimeError(f"nothing was mounted: {self._process.output()[-2000:]}")
            time.sleep(0.02)

    @contextmanager
    def failing(self, number: int, *calls: str, path: str = "", times: int | None = None) -> Iterator[None]:
        """Let calls fail with an errno for the length of a block.

        Args:
            calls: of `CALLS`.
            path: regular expression, searched for in the path below the root.
            times: how often, for each of the calls; None for always.
        """
        assert set(calls) <= set(CALLS)
        one = {"errno": number, "path": path, "times": times}
        self._tell([{**one, "call": call, "id": secrets.token_hex(8)} for call in calls])
        try:
            yield
        finally:
            self._tell([])

    def kill(self) -> None:
        """End the program behind the mount; the mount stays, and answers ENOTCONN."""
        self._process.stop(gently=False)

    def stop(self) -> None:
        """Take the mount away."""
        program = executable("fusermount3") or "fusermount3"
        subprocess.run([program, "-u", "-z", str(self.root)], check=False, capture_output=True, timeout=60)
        self._process.stop()

    def _tell(self, rules: list[dict[str, Any]]) -> None:
        beside = self._rules.with_suffix(".new")
        beside.write_text(json.dumps(rules))
        beside.rename(self._rules)


class _Faults:
    """The calls of the kernel, passed on to a folder unless a rule says otherwise."""

    use_ns = True

    def __init__(self, source: Path, rules: Path) -> None:
        self._source, self._rules = source, rules
        self._spent: dict[str, int] = {}

    def _at(self, call: str, path: str, act: Callable[[Path], _T]) -> _T:
        for rule in json.loads(self._rules.read_text("ascii")):
            if rule["call"] == call and re.search(rule["path"], path):
                spent = self._spent.get(rule["id"], 0)
                if rule["times"] is None or spent < rule["times"]:
                    self._spent[rule["id"]] = spent + 1
                    raise OSError(rule["errno"], os.strerror(rule["errno"]))
        return act(self._below(path))

    def _below(self, path: str) -> Path:
        return self._source / path.lstrip("/")

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = self._at("stat", path, os.lstat if fh is None else lambda _: os.fstat(fh))
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")
        times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path: str, _fh: int) -> list[str]:
        return self._at("readdir", path, lambda real: [".", "..", *(found.name for found in real.iterdir())])

    def open(self, path: str, flags: int) -> int:
        return self._at("open", path, lambda real: os.open(real, flags & ~os.O_EXCL))

    def create(self, path: str, mode: int, _info: object = None) -> int:
        return self._at("create", path, lambda real: os.open(real, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return self._at("read", path, lambda _: os.pread(fh, size, offset))

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return self._at("write", path, lambda _: os.pwrite(fh, data, offset))

    def fsync(self, path: str, _only_data: int, fh: int) -> int:
        return self._at("fsync", path, lambda _: os.fsync(fh)) or 0

    def flush(self, path: str, _fh: int) -> int:
        return self._at("close", path, lambda _: 0)

    def release(self, _path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def rename(self, old: str, new: str, _flags: int = 0) -> int:
        self._at("rename", f"{old} -> {new}", lambda _: self._below(old).rename(self._below(new)))
        return 0

    def unlink(self, path: str) -> int:
        return self._at("unlink", path, Path.unlink) or 0

    def mkdir(self, path: str, mode: int) -> int:
        return self._at("mkdir", path, lambda real: real.mkdir(mode)) or 0

    def rmdir(self, path: str) -> int:
        self._below(path).rmdir()
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        now = time.time_ns()
        os.utime(self._below(path), ns=times or (now, now))
        return 0


def main() -> None:
    """Mount, and serve until it is taken away."""
    import mfusepy

    source, point, rules = map(Path, sys.argv[1:])

    class Operations(_Faults, mfusepy.Operations):
        pass

    mfusepy.FUSE(
        Operations(source, rules),
        str(point),
        foreground=True,
        direct_io=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
    )


if __name__ == "__main__":
    main()
