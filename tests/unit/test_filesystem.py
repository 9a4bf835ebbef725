"""The file-system store: what is special about files, folders, links and their errors."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from backuplock.clock import ManualClock
from backuplock.errors import (
    Denied,
    Irregular,
    Malformed,
    Missing,
    ReadOnly,
    TooLarge,
    Unreachable,
    Unsupported,
)
from backuplock.layout import lock_key, locks_folder
from backuplock.stores import files, filesystem, folders, open_store
from backuplock.stores.filesystem import FilesystemStore
from backuplock.stores.folders import failed
from backuplock.stores.mounts import Mount
from backuplock.survey import sweep
from backuplock.target import parse_target
from backuplock.text import printable

LOCKS = locks_folder("v1")
KEY = lock_key("v1", "lock-0123456789abcdef")
LOCAL = (Mount("/", "/", "ext4", "/dev/sda1"),)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def store(root: Path) -> FilesystemStore:
    return FilesystemStore(root, writable=True)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_put_writes_is_what_longhorn_would_find(root: Path, store: FilesystemStore) -> None:
    version = store.put(KEY, b"body")
    found = (root / KEY).stat()
    assert (root / KEY).read_bytes() == b"body"
    assert version.modified_ns == found.st_mtime_ns
    assert stat.S_IMODE((root / LOCKS).stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "backupstore").stat().st_mode) == 0o700
    assert names(root / LOCKS) == ["lock-0123456789abcdef.lck"]


def test_files_have_the_mode_that_the_umask_leaves(root: Path, store: FilesystemStore) -> None:
    before = os.umask(0o027)
    try:
        store.put(KEY, b"body")
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o640


def test_put_read_and_list_tell_of_one_version(store: FilesystemStore) -> None:
    version = store.put(KEY, b"body")
    blob = store.read(KEY)
    (entry,) = store.list(LOCKS).entries
    assert blob is not None
    assert (blob.body, blob.modified_ns, blob.etag) == (b"body", version.modified_ns, version.etag)
    assert (entry.size, entry.modified_ns, entry.etag, entry.regular) == (
        4,
        version.modified_ns,
        version.etag,
        True,
    )


def test_the_etag_moves_with_every_put(store: FilesystemStore) -> None:
    etags = [store.put(KEY, b"same").etag for _ in range(3)]
    assert etags[0] != etags[1] != etags[2]


def test_put_is_a_rename_and_never_writes_into_the_old_file(root: Path, store: FilesystemStore) -> None:
    store.put(KEY, b"first")
    with (root / KEY).open("rb") as old:
        store.put(KEY, b"second")
        assert old.read() == b"first"


def test_the_temporary_name_is_longhorns(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(wall_ns=1_700_000_000_123_456_789)
    renamed: list[str] = []

    def replace(src: str, dst: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        renamed.append(src)
        os.rename(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(files.os, "replace", replace)
    FilesystemStore(root, writable=True, clock=clock).put(KEY, b"x")
    assert renamed == ["lock-0123456789abcdef.lck.tmp.1700000000123456789"]


def test_a_leftover_of_the_same_temporary_name_is_left_alone(root: Path) -> None:
    clock = ManualClock(wall_ns=1_700_000_000_000_000_000)
    store = FilesystemStore(root, writable=True, clock=clock)
    (root / LOCKS).mkdir(parents=True)
    leftover = root / f"{KEY}.tmp.1700000000000000000"
    leftover.write_bytes(b"mine")
    store.put(KEY, b"x")
    assert leftover.read_bytes() == b"mine"
    assert (root / KEY).read_bytes() == b"x"


def test_the_time_is_set_just_before_the_rename(
    root: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stamp that is old when the file appears lets two opposite types in (a slow write)."""
    slow = files.write_all

    def write_then_age(fd: int, body: bytes) -> None:
        slow(fd, body)
        os.utime(fd, ns=(1, 1))

    monkeypatch.setattr("backuplock.stores.filesystem.write_all", write_then_age)
    version = store.put(KEY, b"x")
    assert version.modified_ns is not None
    assert version.modified_ns > 1_600_000_000_000_000_000
    assert (root / KEY).stat().st_mtime_ns == version.modified_ns


def test_delete_climbs_to_the_backupstore_folder(root: Path, store: FilesystemStore) -> None:
    (root / "backupstore").mkdir()
    store.put(KEY, b"x")
    store.delete(KEY)
    assert everything(root) == ["backupstore"]
    store.delete(KEY)


def test_a_backupstore_folder_that_a_put_began_goes_with_what_it_was_for(
    root: Path, store: FilesystemStore
) -> None:
    store.put(KEY, b"x")
    store.delete(KEY)
    assert everything(root) == []
    store.put("backupstore/volumes/zz/other", b"y")
    store.put(KEY, b"x")
    store.delete(KEY)
    assert (root / "backupstore/volumes/zz/other").read_bytes() == b"y"


def test_delete_stops_climbing_at_what_is_not_empty(root: Path, store: FilesystemStore) -> None:
    store.put(KEY, b"x")
    store.put("backupstore/volumes/zz/other", b"y")
    store.delete(KEY)
    assert everything(root / "backupstore/volumes") == ["zz", "zz/other"]


def test_delete_of_what_is_gone_still_removes_the_ghost(root: Path, store: FilesystemStore) -> None:
    (root / LOCKS).mkdir(parents=True)
    store.delete(KEY)
    assert everything(root) == ["backupstore"]


def test_delete_removes_the_exact_file_only(root: Path, store: FilesystemStore) -> None:
    store.put(KEY, b"x")
    store.put(f"{KEY}.tmp.1", b"y")
    store.delete(KEY)
    assert names(root / LOCKS) == ["lock-0123456789abcdef.lck.tmp.1"]


def test_dot_files_are_invisible(root: Path, store: FilesystemStore) -> None:
    store.put(KEY, b"x")
    (root / LOCKS / ".nfs0001.lck").write_bytes(b"x")
    (root / LOCKS / ".snapshot").mkdir()
    listing = store.list(LOCKS)
    assert [entry.name for entry in listing.entries] == ["lock-0123456789abcdef.lck"]
    assert listing.folders == ()


def test_a_name_missed_while_it_was_renamed_over_is_found_again(
    root: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """btrfs gives a renamed name a new place at the end, behind what an open listing still covers."""
    store.put(KEY, b"x")
    store.put(f"{LOCKS}/removed.lck", b"x")
    (root / LOCKS / "folder").mkdir()
    os.utime(root / LOCKS, ns=(0, 0))
    whole, readings = folders._read_folder, []

    def missing(fd: int) -> dict[str, os.stat_result | None]:
        found = whole(fd)
        readings.append(set(found))
        if len(readings) == 1:
            os.unlink("removed.lck", dir_fd=fd)  # This changes the folder while it is read.
        return found if len(readings) == 1 else {}

    monkeypatch.setattr(folders, "_read_folder", missing)
    listing = store.list(LOCKS)
    assert len(readings) > 1
    assert [entry.name for entry in listing.entries] == ["lock-0123456789abcdef.lck"]
    assert listing.folders == ("folder",)


def test_a_quiet_folder_is_read_once(
    root: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY, b"x")
    os.utime(root / LOCKS, ns=(0, 0))
    whole, readings = folders._read_folder, []

    def counting(fd: int) -> dict[str, os.stat_result | None]:
        readings.append(fd)
        return whole(fd)

    monkeypatch.setattr(folders, "_read_folder", counting)
    assert len(store.list(LOCKS).entries) == 1
    assert len(readings) == 1


def test_a_missing_folder_is_empty_but_a_missing_root_is_an_error(root: Path) -> None:
    store = FilesystemStore(root)
    assert store.list("backupstore/volumes").entries == ()
    root.rmdir()
    for verb in (lambda: store.list(""), lambda: store.list("a"), lambda: store.read(KEY)):
        with pytest.raises(Missing, match="there is no folder"):
            verb()
    writer = FilesystemStore(root, writable=True)
    with pytest.raises(Missing):
        writer.put(KEY, b"x")
    with pytest.raises(Missing):
        writer.delete(KEY)
    assert not root.exists()


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Missing, match="no folder"):
        FilesystemStore(tmp_path / "file").list("")


def test_a_root_that_is_a_link_to_a_folder_is_the_persons_choice(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    FilesystemStore(tmp_path / "link", writable=True).put(KEY, b"x")
    assert (root / KEY).read_bytes() == b"x"


def test_reading_only(root: Path) -> None:
    store = FilesystemStore(root)
    with pytest.raises(ReadOnly):
        store.put(KEY, b"x")
    with pytest.raises(ReadOnly):
        store.delete(KEY)
    assert everything(root) == []
    assert not store.capabilities.writable


def test_conditions_are_refused(root: Path, store: FilesystemStore) -> None:
    etag = store.put(KEY, b"x").etag
    with pytest.raises(Unsupported):
        store.put(KEY, b"y", if_match=etag)
    with pytest.raises(Unsupported):
        store.put(f"{KEY}x", b"y", if_absent=True)
    with pytest.raises(Unsupported):
        store.delete(KEY, if_match=etag)
    assert (root / KEY).read_bytes() == b"x"
    assert (store.capabilities.conditional_put, store.capabilities.conditional_delete) == ("no", "no")


@pytest.mark.parametrize(
    "key", ["../x", "a/../x", "/etc/passwd", "a//b", "a/", "", ".", "a/./b", "a\0b", "a/..", "\ud800"]
)
def test_keys_that_could_leave_the_root(tmp_path: Path, root: Path, store: FilesystemStore, key: str) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    verbs = [lambda: store.read(key), lambda: store.put(key, b"z"), lambda: store.delete(key)]
    for verb in verbs if not key else [*verbs, lambda: store.list(key)]:
        with pytest.raises(Malformed):
            verb()
    assert (tmp_path / "x").read_bytes() == b"outside"
    assert everything(root) == []


# --- links, folders and devices where files or folders should be


@pytest.mark.parametrize("depth", range(6))
def test_a_link_out_of_the_store_is_not_followed_at_any_level(
    tmp_path: Path, root: Path, store: FilesystemStore, depth: int
) -> None:
    parts = KEY.split("/")
    outside = tmp_path / "outside"
    target = outside.joinpath(*parts[depth + 1 :])
    target.parent.mkdir(parents=True)
    target.write_bytes(b"outside")
    link = root.joinpath(*parts[: depth + 1])
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    for verb in (
        lambda: store.read(KEY),
        lambda: store.list(LOCKS),
        lambda: store.put(KEY, b"inside"),
        lambda: store.delete(KEY),
    ):
        with pytest.raises(Irregular, match="not a folder"):
            verb()
    assert target.read_bytes() == b"outside"
    assert everything(outside) == everything_of(parts[depth + 1 :])


def everything_of(parts: list[str]) -> list[str]:
    return sorted("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def test_a_lock_that_is_a_link_is_listed_but_not_read(
    tmp_path: Path, root: Path, store: FilesystemStore
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (root / LOCKS).mkdir(parents=True)
    (root / KEY).symlink_to(tmp_path / "secret")
    (entry,) = store.list(LOCKS).entries
    assert not entry.regular
    with pytest.raises(Irregular, match="not a plain file"):
        store.read(KEY)
    store.put(KEY, b"lock")
    assert not (root / KEY).is_symlink()
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_dangling_link_is_there_and_is_not_nothing(root: Path, store: FilesystemStore) -> None:
    (root / LOCKS).mkdir(parents=True)
    (root / KEY).symlink_to("nowhere")
    (entry,) = store.list(LOCKS).entries
    assert (entry.name, entry.regular) == ("lock-0123456789abcdef.lck", False)
    with pytest.raises(Irregular):
        store.read(KEY)
    store.delete(KEY)
    assert store.list(LOCKS).entries == ()


def test_a_link_to_a_folder_is_no_folder(tmp_path: Path, root: Path, store: FilesystemStore) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to(tmp_path)
    listing = store.list("")
    assert listing.folders == ("real",)
    assert [(entry.name, entry.regular) for entry in listing.entries] == [("link", False)]


def test_a_folder_named_like_a_lock(root: Path, store: FilesystemStore) -> None:
    (root / KEY).mkdir(parents=True)
    listing = store.list(LOCKS)
    assert [(entry.name, entry.regular) for entry in listing.entries] == [
        ("lock-0123456789abcdef.lck", False)
    ]
    assert listing.folders == ("lock-0123456789abcdef.lck",)
    for verb in (lambda: store.read(KEY), lambda: store.put(KEY, b"x"), lambda: store.delete(KEY)):
        with pytest.raises(Irregular, match="not a plain file"):
            verb()
    assert names(root / LOCKS) == ["lock-0123456789abcdef.lck"]


def test_a_fifo_and_a_socket_do_not_make_anybody_wait(
    root: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / LOCKS).mkdir(parents=True)
    os.mkfifo(root / KEY)
    monkeypatch.chdir(root / LOCKS)  # A socket's path has 107 characters at most.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.lck")
        assert [entry.regular for entry in store.list(LOCKS).entries] == [False, False]
        for key in (KEY, f"{LOCKS}/socket.lck"):
            with pytest.raises(Irregular):
                store.read(key)


def test_a_file_where_a_folder_should_be_holds_nothing(root: Path, store: FilesystemStore) -> None:
    (root / LOCKS).parent.mkdir(parents=True)
    (root / LOCKS).write_bytes(b"mine")
    assert store.list(LOCKS).entries == ()
    assert store.read(KEY) is None
    store.delete(KEY)
    with pytest.raises(Irregular, match="a file stands where a folder should"):
        store.put(KEY, b"x")
    assert (root / LOCKS).read_bytes() == b"mine"


# --- names, sizes, times


def test_a_body_beyond_the_cap_is_not_read(root: Path, store: FilesystemStore) -> None:
    (root / LOCKS).mkdir(parents=True)
    with (root / KEY).open("wb") as file:
        file.truncate(5 << 30)  # 5 GiB, sparse
    with pytest.raises(TooLarge, match="5368709120 bytes"):
        store.read(KEY)
    (root / KEY).write_bytes(b"x" * 11)
    with pytest.raises(TooLarge):
        store.read(KEY, cap=10)
    blob = store.read(KEY, cap=11)
    assert blob is not None
    assert len(blob.body) == 11


def test_names_that_are_not_utf8(root: Path, store: FilesystemStore) -> None:
    (root / LOCKS).mkdir(parents=True)
    raw = os.fsencode(root / LOCKS) + b"/\xff\xfe.lck"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (entry,) = store.list(LOCKS).entries
    key = f"{LOCKS}/{entry.name}"
    blob = store.read(key)
    assert blob is not None
    assert blob.body == b"x"
    store.put(key, b"y")
    assert Path(os.fsdecode(raw)).read_bytes() == b"y"
    store.delete(key)
    assert store.list(LOCKS).entries == ()


@pytest.mark.parametrize("length", [230, 254, 255])
def test_names_as_long_as_a_file_system_allows(root: Path, store: FilesystemStore, length: int) -> None:
    key = f"{LOCKS}/{'é' * 60}{'n' * (length - 124)}.lck"
    store.put(key, b"x")
    blob = store.read(key)
    assert blob is not None
    assert len(names(root / LOCKS)) == 1
    store.delete(key)
    assert everything(root) == []


def test_names_that_are_too_long(root: Path, store: FilesystemStore) -> None:
    key = f"{LOCKS}/{'n' * 252}.lck"
    (root / LOCKS).mkdir(parents=True)
    with pytest.raises(Unsupported, match="shorter"):
        store.read(key)
    with pytest.raises(Unsupported, match="shorter"):
        store.put(key, b"x")
    assert names(root / LOCKS) == []


@pytest.mark.parametrize("when", [0, -1_000_000_000, 4_102_444_800 * 10**9 + 7, 1])
def test_unusual_times_are_told_as_they_are(root: Path, store: FilesystemStore, when: int) -> None:
    store.put(KEY, b"x")
    os.utime(root / KEY, ns=(when, when))
    blob = store.read(KEY)
    (entry,) = store.list(LOCKS).entries
    assert blob is not None
    assert blob.modified_ns == entry.modified_ns == when
    assert blob.etag == entry.etag


def test_a_hostile_name_is_printable_in_errors(root: Path, store: FilesystemStore) -> None:
    (root / LOCKS).mkdir(parents=True)
    key = f"{LOCKS}/\x1b[2J\n\u202e.lck"
    (root / key).symlink_to("/etc/passwd")
    with pytest.raises(Irregular) as caught:
        store.read(key)
    line = str(caught.value)
    assert printable(line, limit=5000) == line


# --- errors of the system


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, Denied),
        (errno.EPERM, Denied),
        (errno.EROFS, Denied),
        (errno.ENOSPC, Unreachable),
        (errno.EDQUOT, Unreachable),
        (errno.EIO, Unreachable),
        (errno.ETIMEDOUT, Unreachable),
        (errno.EBUSY, Unreachable),
        (errno.EHOSTDOWN, Unreachable),
        (errno.EMFILE, Unreachable),
        (errno.ENAMETOOLONG, Unsupported),
        (errno.EILSEQ, Unsupported),
    ],
)
def test_each_error_has_its_kind_and_advice(number: int, kind: type[Exception]) -> None:
    error = failed("cannot read x", OSError(number, os.strerror(number)))
    assert type(error) is kind
    assert os.strerror(number) in str(error)
    assert error.advice


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ETIMEDOUT, errno.EAGAIN])
@pytest.mark.parametrize("at_once", [True, False], ids=["whole path", "step by step"])
def test_a_failure_is_never_nothing_there(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, number: int, at_once: bool
) -> None:
    store.put(KEY, b"x")
    whole = os.open

    def failing(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "lock-0123456789abcdef.lck" or (path == "locks" and not flags & os.O_PATH):
            raise OSError(number, os.strerror(number))
        return whole(path, flags, mode, dir_fd=dir_fd)

    def whole_path(parent: int, path: bytes, flags: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", failing)
    monkeypatch.setattr("backuplock.stores.folders.opener", lambda: whole_path if at_once else None)
    with pytest.raises((Unreachable, Denied)):
        store.read(KEY)
    with pytest.raises((Unreachable, Denied)):
        store.list(LOCKS)


def test_one_stale_handle_is_asked_again(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, b"x")
    whole, stale = os.fstat, [2]

    def fstat(fd: int) -> os.stat_result:
        found = whole(fd)
        if stat.S_ISREG(found.st_mode) and stale[0]:
            stale[0] -= 1
            raise OSError(errno.ESTALE, "stale")
        return found

    monkeypatch.setattr(os, "fstat", fstat)
    blob = store.read(KEY)
    assert blob is not None
    assert blob.body == b"x"


@pytest.mark.parametrize("changes", [1, 1000])
def test_a_file_rewritten_in_place_while_it_is_read(
    root: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    """Nobody should write so, but then the body and the time belong to no one version."""
    store.put(KEY, b"old")
    whole, changed = files._read_up_to, []

    def read_then_change(fd: int, size: int) -> bytes:
        body = whole(fd, size)
        if len(changed) < changes:
            changed.append(fd)
            (root / KEY).write_bytes(b"new")
            os.utime(root / KEY, ns=(0, len(changed)))
        return body

    monkeypatch.setattr(files, "_read_up_to", read_then_change)
    if changes > 1:
        with pytest.raises(Unreachable, match="kept changing"):
            store.read(KEY)
        return
    blob = store.read(KEY)
    assert blob is not None
    assert (blob.body, blob.modified_ns) == (b"new", 1)


def test_a_failed_put_leaves_nothing(
    root: Path, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, body: bytes) -> None:
        os.write(fd, body[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("backuplock.stores.filesystem.write_all", full)
    with pytest.raises(Unreachable, match="free space"):
        store.put(KEY, b"body")
    assert everything(root) == []


def test_a_rename_whose_answer_got_lost_is_done(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS asks again and is told that the temporary file is not there."""
    whole = os.replace

    def twice(src: str, dst: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        whole(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(os, "replace", twice)
    store.put(KEY, b"x")
    blob = store.read(KEY)
    assert blob is not None
    assert blob.body == b"x"


# --- where the root lies


def nfs(point: Path, source: str = "nas:/b") -> tuple[Mount, ...]:
    return (*LOCAL, Mount("/", str(point), "nfs4", source))


def test_a_local_file_system_tells_the_time_with_every_answer(root: Path) -> None:
    clock = ManualClock(wall_ns=5_000_000_000_000)
    store = FilesystemStore(root, writable=True, clock=clock, mounts=lambda: LOCAL)
    assert store.capabilities.listing_lags == "no"
    assert store.fs_type == "ext4"
    version = store.put(KEY, b"x")
    blob = store.read(KEY)
    assert blob is not None
    for seen in (store.list("").observed, version.observed, blob.observed):
        assert seen is not None
        assert seen.store_ns <= clock.wall_ns() <= seen.store_ns + seen.grain_ns
        assert seen.began_mono_ns <= clock.mono_ns() <= seen.ended_mono_ns


def test_a_stamp_lies_within_what_is_observed(root: Path) -> None:
    """The kernel stamps with its last tick: a little behind, never ahead of, the clock that is read."""
    store = FilesystemStore(root, writable=True, mounts=lambda: LOCAL)
    for _ in range(20):
        before = store.list("").observed
        version = store.put(KEY, b"x")
        after = version.observed
        assert before is not None
        assert after is not None
        assert version.modified_ns is not None
        assert before.store_ns <= version.modified_ns <= after.store_ns + after.grain_ns


def test_a_share_tells_the_time_only_by_what_is_written(root: Path) -> None:
    store = FilesystemStore(parse_target("nfs://nas:/b"), writable=True, mounts=lambda: nfs(root))
    assert store.root == root
    assert store.capabilities.listing_lags == "yes"
    version = store.put(KEY, b"x")
    assert version.observed is not None
    assert version.observed.store_ns == version.modified_ns
    assert version.observed.began_mono_ns <= version.observed.ended_mono_ns
    blob = store.read(KEY)
    assert blob is not None
    assert blob.observed is None
    assert store.list("").observed is None


def test_a_plain_path_on_a_share_is_known_as_one(root: Path) -> None:
    store = FilesystemStore(root, mounts=lambda: nfs(root.parent))
    assert store.capabilities.listing_lags == "yes"
    assert FilesystemStore(root, mounts=tuple).capabilities.listing_lags == "unproven"
    short = Mount("/", str(root.parent), "nfs4", "nas:/b", ("acregmax=1", "acdirmax=1"))
    assert FilesystemStore(root, mounts=lambda: (*LOCAL, short)).capabilities.listing_lags == "unproven"


@pytest.mark.parametrize("kind", ["cifs", "fuse.x"])
def test_inode_numbers_that_are_not_steady_stay_out_of_the_etag(root: Path, kind: str) -> None:
    mounts = (*LOCAL, Mount("/", str(root), kind, "//win/b"))
    store = FilesystemStore(root, writable=True, mounts=lambda: mounts)
    version = store.put(KEY, b"x")
    assert version.modified_ns == (root / KEY).stat().st_mtime_ns
    assert version.etag == f"0-{version.modified_ns:x}-1"


class _Peer(ManualClock):
    """Another client's renames, which go on while we wait."""

    def __init__(self, after: int = 0, then: Callable[[], object] = int) -> None:
        super().__init__()
        self.pauses = 0
        self._after = after
        self._then = then

    def sleep(self, duration_ns: int) -> None:
        super().sleep(duration_ns)
        self.pauses += 1
        if self.pauses == self._after:
            self._then()


def _renamed_over(root: Path, clock: _Peer, kind: str = "cifs") -> FilesystemStore:
    """A lock in the middle of its renewal on CIFS: removed, and not yet put in place anew."""
    (root / LOCKS).mkdir(parents=True)
    (root / f"{KEY}.tmp.17").write_bytes(b"new")
    mounts = (*LOCAL, Mount("/", str(root), kind, "//win/b"))
    return FilesystemStore(root, mounts=lambda: mounts, clock=clock)


def _finish(root: Path) -> None:
    (root / f"{KEY}.tmp.17").rename(root / KEY)


def test_a_lock_that_is_renamed_over_on_cifs_is_listed_all_the_same(root: Path) -> None:
    store = _renamed_over(root, _Peer(3, lambda: _finish(root)))
    assert [entry.name for entry in store.list(LOCKS).entries] == [Path(KEY).name]


def test_a_lock_that_is_renamed_over_on_cifs_is_read_all_the_same(root: Path) -> None:
    store = _renamed_over(root, _Peer(3, lambda: _finish(root)))
    blob = store.read(KEY)
    assert blob is not None
    assert blob.body == b"new"


def test_a_lock_that_is_renamed_over_on_cifs_is_swept_all_the_same(root: Path) -> None:
    store = _renamed_over(root, _Peer(3, lambda: _finish(root)))
    # The fast way over branches wants folders that have not changed of late.
    for folder in [root / LOCKS, *(root / LOCKS).parents][:6]:
        os.utime(folder, (1, 1))
    assert list(sweep(store).by_key) == [KEY]


def test_what_a_dead_writer_left_on_cifs_is_waited_for_once(root: Path) -> None:
    clock = _Peer()
    store = _renamed_over(root, clock)
    for _ in range(2):
        assert [entry.name for entry in store.list(LOCKS).entries] == [f"{Path(KEY).name}.tmp.17"]
        assert store.read(KEY) is None
        assert clock.pauses == 10


def test_nobody_waits_for_renames_elsewhere(root: Path) -> None:
    clock = _Peer()
    store = _renamed_over(root, clock, "nfs4")
    assert store.read(KEY) is None
    assert len(store.list(LOCKS).entries) == 1
    assert clock.pauses == 0


def test_a_removed_file_that_somebody_has_open_is_listed_on_cifs_and_gone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _renamed_over(root, _Peer())
    _finish(root)

    def gone(*_args: object, **_more: object) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(filesystem, "read_version", gone)
    assert store.read(KEY) is None


def test_a_share_whose_backupstore_folder_was_meant(root: Path) -> None:
    (root / "backupstore" / "volumes").mkdir(parents=True)
    store = FilesystemStore(parse_target("nfs://nas:/b/backupstore"), mounts=lambda: nfs(root))
    assert store.list("").folders == ("backupstore",)


def test_a_share_that_is_not_mounted() -> None:
    with pytest.raises(Missing, match=r"nas:/b is not mounted; as root: .*mount -t nfs4"):
        FilesystemStore(parse_target("nfs://nas:/b"), mounts=lambda: LOCAL)
    with pytest.raises(Missing, match="mount -t cifs"):
        open_store(parse_target("cifs://host-that-nobody-has.invalid/share"))


def test_a_share_unmounted_later_is_missing_and_not_empty(root: Path, tmp_path: Path) -> None:
    """What is left at the mount's place is an empty folder of another device."""
    mounts = [nfs(root)]
    store = FilesystemStore(parse_target("nfs://nas:/b"), writable=True, mounts=lambda: mounts[0])
    store.put(KEY, b"x")
    assert len(store.list(LOCKS).entries) == 1
    mounts[0] = LOCAL
    # The device under the root stays the same here, so the store is told of another one.
    store._place = store._place.__class__("/proc", "nfs4", 0, False, True, "unproven")
    with pytest.raises(Missing, match="not mounted"):
        store.list(LOCKS)


def test_open_store_picks_it(root: Path) -> None:
    store = open_store(parse_target(str(root)), writable=True)
    assert isinstance(store, FilesystemStore)
    assert store.url == f"vfs://{root}"
    store.put(KEY, b"x")
    store.close()
