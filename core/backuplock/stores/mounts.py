"""The kernel's mount table: where a share is mounted, and what kind of file system a path lies on.

Source: proc(5), `/proc/pid/mountinfo`; for the place and options of Longhorn's own mounts, nfs.go and
cifs.go of longhorn/backupstore.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backuplock.clock import SECOND
from backuplock.errors import Missing
from backuplock.target import Target
from backuplock.text import printable

TABLE = Path("/proc/self/mountinfo")
LONGHORN_MOUNTS = "/var/lib/longhorn-backupstore-mounts"
"""Below it Longhorn mounts shares: `<host, dots to underscores, trailing colon cut>/<path>`."""

_NFS = frozenset({"nfs", "nfs4"})
_CIFS = frozenset({"cifs", "smb3"})
_LOCAL = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs"}
    | {"xfs", "zfs"}
)
_GRAINS = {
    **dict.fromkeys(("ext2", "ext3", "hfsplus", "reiserfs"), SECOND),
    **dict.fromkeys(("vfat", "msdos"), 2 * SECOND),
    "exfat": SECOND // 100,
    "cifs": 100,
    "smb3": 100,
}
_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the mount table.

    Attributes:
        root: the folder of the file system that is mounted; `/` unless only a part of it is.
        point: where it is mounted.
        fs_type: `ext4`, `nfs4`, `fuse.sshfs`, ...
        source: what is mounted: a device, `host:/share`, `//host/share`.
        options: options of the mount and of the file system, in the kernel's words.
    """

    root: str
    point: str
    fs_type: str
    source: str
    options: tuple[str, ...] = ()


def read_mounts(table: Path = TABLE) -> tuple[Mount, ...]:
    """The mounts this process sees; none where the system has no such table."""
    try:
        return parse_mounts(table.read_bytes())
    except OSError:
        return ()


def parse_mounts(table: bytes) -> tuple[Mount, ...]:
    """Take a mount table apart; lines that are not in the kernel's form are left out."""
    found: list[Mount] = []
    for line in table.split(b"\n"):
        before, mark, after = line.partition(b" - ")
        left, right = before.split(b" "), after.split(b" ")
        if not mark or len(left) < 6 or len(right) < 2:
            continue
        options = (left[5] + b"," + (right[2] if len(right) > 2 else b"")).split(b",")
        found.append(
            Mount(
                root=_text(left[3]),
                point=_text(left[4]),
                fs_type=_text(right[0]),
                source=_text(right[1]),
                options=tuple(_text(option) for option in options if option),
            )
        )
    return tuple(found)


def _text(field: bytes) -> str:
    raw = _ESCAPE.sub(lambda match: bytes((int(match[1], 8) & 0xFF,)), field)
    return raw.decode("utf-8", "surrogateescape")


def mount_of(path: str, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that an absolute path without symbolic links lies on."""
    best: Mount | None = None
    for mount in mounts:
        # Of two mounts on one point the later covers the earlier.
        covers = mount.point == "/" or path == mount.point or path.startswith(mount.point + "/")
        if covers and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def is_local(fs_type: str) -> bool:
    """Whether this machine's kernel alone stamps and lists the files, so that its clock is the store's."""
    return fs_type in _LOCAL


def is_nfs(fs_type: str) -> bool:
    """Whether a server stamps a file when its times are set to "now" (NFS: SET_TO_SERVER_TIME4)."""
    return fs_type in _NFS


def is_cifs(fs_type: str) -> bool:
    """Whether the kernel's CIFS client mounted it, with its habits."""
    return fs_type in _CIFS


def cache_seconds(mount: Mount) -> float | None:
    """How long this side may show folders and times of a share from memory, at most; None if not known.

    Sources: nfs(5) `acregmax`, `acdirmax` (60 s unless set; `actimeo` sets both), `noac`; mount.cifs(8)
    `actimeo` (1 s unless set) and, in newer kernels, `acregmax` and `acdirmax`.
    """
    if is_nfs(mount.fs_type):
        default = 60.0
    elif mount.fs_type in _CIFS:
        default = 1.0
    else:
        return None
    if "noac" in mount.options:
        return 0.0
    given = dict(option.split("=", 1) for option in mount.options if "=" in option)
    both = _number(given.get("actimeo", ""), default)
    return max(_number(given.get(name, ""), both) for name in ("acregmax", "acdirmax"))


def _number(text: str, default: float) -> float:
    return float(text) if text.isascii() and text.isdigit() else default


def grain_ns(fs_type: str) -> int:
    """Grain of modification times: what the file system can hold, 1 ns unless it is known to be coarser.

    Stamps move in steps of the kernel's tick (1-10 ms) all the same; that is an error, not a grain.
    """
    return _GRAINS.get(fs_type, 1)


def find_share(target: Target, mounts: tuple[Mount, ...]) -> Path | None:
    """Where an `nfs` or `cifs` target is mounted, or None.

    A mount of the share itself, of a folder above it, or at Longhorn's own place; the most specific wins,
    of equals the last. Hosts are compared by name and by the address that the kernel notes as `addr=`.
    """
    types = _NFS if target.scheme == "nfs" else _CIFS
    best: tuple[int, Path] | None = None
    wanted = _folded(target.scheme, target.path)
    own_place = longhorn_place(target)
    for mount in mounts:
        if mount.fs_type not in types:
            continue
        if mount.point == own_place:
            return Path(own_place)
        served = _served(target, mount)
        if served is None:
            continue
        depth = len(served.parts)
        if wanted.parts[:depth] != served.parts or (best is not None and depth < best[0]):
            continue
        rest = PurePosixPath(target.path).parts[depth:]
        best = depth, Path(mount.point, *rest)
    return best[1] if best is not None else None


def longhorn_place(target: Target) -> str:
    """Where Longhorn mounts this share on its nodes."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return str(PurePosixPath(LONGHORN_MOUNTS, host.replace(".", "_"), target.path.strip("/")))


def _served(target: Target, mount: Mount) -> PurePosixPath | None:
    """The path on the server that is mounted, if it is the target's server."""
    source = mount.source.replace("\\", "/") if target.scheme == "cifs" else mount.source
    pattern = r"(\[[^\]]*\]|[^:]*):(/.*)" if target.scheme == "nfs" else r"//([^/]+)(/.*)"
    match = re.fullmatch(pattern, source, re.DOTALL)
    if match is None:
        return None
    addresses = [option[5:] for option in mount.options if option.startswith("addr=")]
    if not any(_same_host(target.host, host) for host in (match[1], *addresses)):
        return None
    served = match[2].rstrip("/")
    # A part of a share: some kernels add it to the source themselves, then it is there already.
    if mount.root != "/" and not served.endswith(mount.root):
        served += mount.root
    return _folded(target.scheme, served or "/")


def _folded(scheme: str, path: str) -> PurePosixPath:
    clean = PurePosixPath("/", path.lstrip("/"))
    return PurePosixPath(str(clean).casefold()) if scheme == "cifs" else clean


def _same_host(one: str, other: str) -> bool:
    def canonical(host: str) -> str:
        bare = host.strip("[]")
        try:
            return str(ipaddress.ip_address(bare))
        except ValueError:
            return bare.rstrip(".").casefold()

    return canonical(one) == canonical(other)


def not_mounted(target: Target) -> Missing:
    """The error for a share without a mount, with the command that mounts it as Longhorn would."""
    given = ",".join(key + (f"={value}" if value else "") for key, value in target.options)
    host = f"[{target.host}]" if ":" in target.host else target.host
    place = "/mnt/backups"
    if target.scheme == "nfs":
        options = given or "nfsvers=4.2,actimeo=1,soft,timeo=300,retry=2"
        command = f"mount -t nfs4 -o {shlex.quote(options)} {shlex.quote(f'{host}:{target.path}')} {place}"
    else:
        # mount.cifs takes both from the environment; on the command line everybody could read them.
        command = (
            'USER="$CIFS_USERNAME" PASSWD="$CIFS_PASSWORD" '
            f"mount -t cifs -o {shlex.quote(given or 'soft')} {shlex.quote(f'//{host}{target.path}')} {place}"
        )
    advice = printable(f"as root: mkdir -p {place} && {command}", limit=2000)
    return Missing(f"{target.url} is not mounted", advice=advice)
