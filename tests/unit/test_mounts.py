"""The kernel's mount table: taken apart, shares found in it, the command for those that are not."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backuplock.stores.mounts import (
    TABLE,
    Mount,
    cache_seconds,
    find_share,
    grain_ns,
    is_local,
    is_nfs,
    longhorn_place,
    mount_of,
    not_mounted,
    parse_mounts,
    read_mounts,
)
from backuplock.target import parse_target
from backuplock.text import printable

TABLE_TEXT = rb"""21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
25 21 0:22 / /mnt rw - tmpfs tmpfs rw
40 25 0:45 / /mnt/nas rw,relatime shared:7 master:2 - nfs4 nas.example:/export rw,vers=4.2,addr=10.0.0.5
41 25 0:46 / /mnt/with\040space\134x rw - nfs4 [fd00::1]:/b rw
broken line
42 25 0:47 / /mnt/win rw - cifs //Win.Example/Share rw,vers=3.1.1,addr=10.0.0.6
"""


def nfs(source: str, point: str = "/mnt/x", *, root: str = "/", addr: str = "", kind: str = "nfs4") -> Mount:
    return Mount(root, point, kind, source, ("rw", f"addr={addr}") if addr else ("rw",))


def where(url: str, *mounts: Mount) -> str | None:
    found = find_share(parse_target(url), mounts)
    return None if found is None else str(found)


def test_parse_the_kernels_form() -> None:
    mounts = parse_mounts(TABLE_TEXT)
    assert len(mounts) == 5
    assert mounts[2] == Mount(
        root="/",
        point="/mnt/nas",
        fs_type="nfs4",
        source="nas.example:/export",
        options=("rw", "relatime", "rw", "vers=4.2", "addr=10.0.0.5"),
    )
    assert mounts[3].point == "/mnt/with space\\x"


@given(st.binary())
def test_any_table_can_be_taken_apart(table: bytes) -> None:
    parse_mounts(table)


@pytest.mark.skipif(not TABLE.exists(), reason="this system has no /proc/self/mountinfo")
def test_this_machines_own_table() -> None:
    mounts = read_mounts()
    assert any(mount.point == "/" for mount in mounts)
    proc = mount_of("/proc/self", mounts)
    assert proc is not None
    assert proc.fs_type == "proc"


def test_no_table_is_no_mounts(tmp_path: Path) -> None:
    assert read_mounts(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("path", "point"),
    [("/", "/"), ("/home/x", "/"), ("/mnt", "/mnt"), ("/mnt/nasty", "/mnt"), ("/mnt/nas/a/b", "/mnt/nas")],
)
def test_mount_of_a_path(path: str, point: str) -> None:
    mount = mount_of(path, parse_mounts(TABLE_TEXT))
    assert mount is not None
    assert mount.point == point


def test_a_later_mount_on_one_point_covers_the_earlier() -> None:
    mounts = (nfs("a:/x", "/mnt"), nfs("b:/y", "/mnt"))
    assert mount_of("/mnt/z", mounts) is mounts[1]


def test_kinds_of_file_systems() -> None:
    assert all(map(is_local, ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs")))
    remote = ("nfs4", "cifs", "fuse.sshfs", "9p", "virtiofs", "ceph", "fuse.glusterfs", "hostfs", "")
    assert not any(map(is_local, remote))
    assert is_nfs("nfs4")
    assert not is_nfs("cifs")
    assert (grain_ns("ext4"), grain_ns("vfat"), grain_ns("cifs")) == (1, 2_000_000_000, 100)


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("nfs://nas:/export/b", "nas:/export/b"),
        ("nfs://nas:/export/b", "nas:/export/b/"),
        ("nfs://nas:/export/b/", "nas:/export/b"),
        ("nfs://NAS.example:/b", "nas.Example.:/b"),
        ("nfs://[fd00::1]:/b", "[fd00::1]:/b"),
        ("nfs://[fd00:0:0::1]:/b", "[fd00::1]:/b"),
        ("nfs://nas:/", "nas:/"),
        ("nfs://nas:/a%20b", "nas:/a b"),
    ],
)
def test_share_that_is_mounted(url: str, source: str) -> None:
    assert where(url, nfs(source)) == "/mnt/x"


@pytest.mark.parametrize(
    ("url", "mount"),
    [
        ("nfs://nas:/export/b", nfs("other:/export/b")),
        ("nfs://nas:/export/b", nfs("nas:/export/bb")),
        ("nfs://nas:/export/b", nfs("nas:/export/b/below")),
        ("nfs://nas:/export/b", nfs("nas:/EXPORT/b")),
        ("nfs://nas:/export/b", nfs("nas:/export/b", kind="fuse.nas")),
        ("nfs://nas:/share", nfs("//nas/share", kind="cifs")),
        ("cifs://nas/share", nfs("nas:/share")),
        ("nfs://nas:/b", nfs("/dev/sda1")),
        ("cifs://win/share", nfs("//win/share2", kind="cifs")),
    ],
)
def test_what_is_not_the_share(url: str, mount: Mount) -> None:
    assert where(url, mount) is None


def test_folder_below_a_mounted_export() -> None:
    assert where("nfs://nas:/backups/eu", nfs("nas:/")) == "/mnt/x/backups/eu"
    assert where("nfs://nas:/export/b", nfs("nas:/export")) == "/mnt/x/b"


def test_part_of_a_share_that_is_mounted() -> None:
    """A bind mount's root may or may not be in the source already."""
    assert where("nfs://nas:/export/b", nfs("nas:/export", root="/b")) == "/mnt/x"
    assert where("nfs://nas:/export/b", nfs("nas:/export/b", root="/b")) == "/mnt/x"
    assert where("nfs://nas:/export", nfs("nas:/export", root="/b")) is None


def test_the_most_specific_mount_wins_and_of_equals_the_last() -> None:
    wide, exact, again = nfs("nas:/", "/mnt/1"), nfs("nas:/a/b", "/mnt/2"), nfs("nas:/a/b", "/mnt/3")
    assert where("nfs://nas:/a/b/c", exact, wide) == "/mnt/2/c"
    assert where("nfs://nas:/a/b/c", exact, again, wide) == "/mnt/3/c"


def test_host_given_by_address() -> None:
    assert where("nfs://10.0.0.5:/b", nfs("nas:/b", addr="10.0.0.5")) == "/mnt/x"
    assert where("nfs://10.0.0.7:/b", nfs("nas:/b", addr="10.0.0.5")) is None


@pytest.mark.parametrize(
    ("url", "source", "found"),
    [
        ("cifs://win/share", "//win/share", "/mnt/x"),
        ("cifs://WIN/Share", "//win/share", "/mnt/x"),
        ("cifs://win/share", r"\\win\share", "/mnt/x"),
        ("cifs://win/share/Sub/y", "//win/share", "/mnt/x/Sub/y"),
        ("cifs://win/share/sub", "//win/share/Sub", "/mnt/x"),
    ],
)
def test_cifs_share(url: str, source: str, found: str) -> None:
    assert where(url, nfs(source, kind="cifs")) == found
    assert where(url, nfs(source, kind="smb3")) == found


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("nfs://nas.example:/export/b", "/var/lib/longhorn-backupstore-mounts/nas_example/export/b"),
        ("nfs://10.0.0.5:/b", "/var/lib/longhorn-backupstore-mounts/10_0_0_5/b"),
        ("cifs://win/share/", "/var/lib/longhorn-backupstore-mounts/win/share"),
        ("nfs://nas:/", "/var/lib/longhorn-backupstore-mounts/nas"),
    ],
)
def test_longhorns_own_place(url: str, place: str) -> None:
    target = parse_target(url)
    assert longhorn_place(target) == place
    kind = "nfs4" if target.scheme == "nfs" else "cifs"
    # Whatever the source is called there: Longhorn put it there for this target.
    assert where(url, nfs("alias:/z", place, kind=kind)) == place
    assert where(url, nfs("alias:/z", place, kind="ext4")) is None


def test_command_for_an_nfs_share_has_longhorns_options() -> None:
    error = not_mounted(parse_target("nfs://nas:/a%20b"))
    words = shlex.split(error.advice.partition("&& ")[2])
    assert words[:3] == ["mount", "-t", "nfs4"]
    assert words[4].split(",") == ["nfsvers=4.2", "actimeo=1", "soft", "timeo=300", "retry=2"]
    assert words[5:] == ["nas:/a b", "/mnt/backups"]


def test_options_of_the_target_replace_longhorns() -> None:
    error = not_mounted(parse_target("nfs://[fd00::1]:/b?nfsOptions=vers=4.1,hard"))
    words = shlex.split(error.advice.partition("&& ")[2])
    assert words[3:6] == ["-o", "vers=4.1,hard", "[fd00::1]:/b"]


def test_command_for_a_cifs_share_names_the_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIFS_USERNAME", "backup-user")
    monkeypatch.setenv("CIFS_PASSWORD", "hunter2-hunter2")
    line = str(not_mounted(parse_target("cifs://win/share?cifsOptions=vers=3.0")))
    assert 'PASSWD="$CIFS_PASSWORD"' in line
    assert "-o vers=3.0 //win/share /mnt/backups" in line
    assert "hunter2" not in line
    assert "backup-user" not in line


def test_a_share_cannot_smuggle_commands_or_escapes_into_the_advice() -> None:
    error = not_mounted(parse_target("nfs://nas:/x;rm%20-rf%20$HOME`id`\u202e"))
    assert shlex.split(error.advice)[-2] == "nas:/x;rm -rf $HOME`id`\\u202e"
    assert printable(str(error), limit=5000) == str(error)
    assert os.linesep not in str(error)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("nfs4", (), 60.0),
        ("nfs4", ("rw", "acregmin=1", "acregmax=1", "acdirmin=1", "acdirmax=1"), 1.0),
        ("nfs4", ("actimeo=1", "soft"), 1.0),
        ("nfs4", ("acdirmax=5", "acregmax=1"), 5.0),
        ("nfs", ("noac",), 0.0),
        ("cifs", (), 1.0),
        ("cifs", ("actimeo=30",), 30.0),
        ("smb3", ("acdirmax=60",), 60.0),
        ("nfs4", ("acregmax=soon",), 60.0),
        ("ext4", (), None),
        ("fuse.sshfs", (), None),
    ],
)
def test_how_long_a_mount_remembers(kind: str, options: tuple[str, ...], expected: float | None) -> None:
    assert cache_seconds(Mount("/", "/mnt", kind, "nas:/b", options)) == expected
