"""What processes do to a lock: fork, end, die, stop, run out of disk. Real clocks, a store of files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backuplock import layout
from backuplock.errors import AcquireFailed, Contended
from backuplock.model import Operation
from backuplock.stores.filesystem import FilesystemStore
from harness.locks import VOLUME, locks_in, short_terms, system_lock, until

TESTS = Path(__file__).parent.parent
PREAMBLE = """
import os, signal, sys, threading, time
from backuplock.errors import *
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores.filesystem import FilesystemStore
from harness.locks import VOLUME, short_terms, system_lock
store = FilesystemStore(sys.argv[1], writable=True)
def say(*words):
    print(*words, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path, writable=True)


class Program:
    """A program that uses the lock; what it says is read line by line."""

    def __init__(self, root: Path, text: str, *options: str) -> None:
        paths = [str(TESTS), str(TESTS.parent / "core"), os.environ.get("PYTHONPATH", "")]
        self.child = subprocess.Popen(
            [sys.executable, *options, "-c", PREAMBLE + textwrap.dedent(text), str(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def hears(self, line: str) -> None:
        assert self.child.stdout is not None
        heard = self.child.stdout.readline().strip()
        if heard != line:
            self.child.kill()
            raise AssertionError(f"{heard!r} instead of {line!r}: {self.child.communicate()[1]}")

    def ends(self, code: int = 0) -> tuple[str, str]:
        out, err = self.child.communicate(timeout=60)
        assert self.child.returncode == code, (out, err)
        return out, err

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()


Start = Callable[..., Program]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Start]:
    programs: list[Program] = []

    def start(text: str, *options: str, root: Path = tmp_path) -> Program:
        programs.append(Program(root, text, *options))
        return programs[-1]

    yield start
    for program in programs:
        program.stop()


def test_the_end_of_a_process_removes_its_files(store: FilesystemStore, run: Start) -> None:
    program = run("""
        locks = [BackupLock(store, VOLUME, Operation.BACKUP) for _ in range(20)]
        for lock in locks:
            lock.acquire()
        say("held")
        sys.stdin.readline()
    """)
    program.hears("held")
    assert len(locks_in(store)) == 20
    _, err = program.ends()
    assert locks_in(store) == []
    assert "Traceback" not in err


def test_an_error_that_ends_a_process_removes_its_files_too(store: FilesystemStore, run: Start) -> None:
    program = run("""
        lock = BackupLock(store, VOLUME, Operation.BACKUP)
        lock.acquire()
        raise SystemExit(3)
    """)
    program.ends(3)
    assert locks_in(store) == []


def test_the_end_of_a_process_does_not_wait_for_a_hung_store(tmp_path: Path, run: Start) -> None:
    program = run("""
        import backuplock.share
        from harness.troubled import TroubledStore
        backuplock.share._EXIT_WAIT_S = 0.5
        hung = TroubledStore(store)
        locks = [BackupLock(hung, f"pvc-{n}", Operation.BACKUP) for n in range(100)]
        for lock in locks:
            lock.acquire()
        hung.add("list", before=threading.Event().wait)
        say("held")
    """)
    program.hears("held")
    program.ends()


def test_a_killed_process_leaves_its_file_until_it_expires(store: FilesystemStore, run: Start) -> None:
    program = run("""
        lock = system_lock(store, Operation.BACKUP)
        lock.acquire()
        say("held")
        time.sleep(600)
    """)
    program.hears("held")
    program.child.send_signal(signal.SIGKILL)
    program.child.wait()
    assert len(locks_in(store)) == 1
    other = system_lock(store, Operation.DELETE)
    with pytest.raises(Contended):
        other.acquire()
    other.acquire(60)
    other.check()
    other.release()
    assert len(locks_in(store)) == 1


def test_stopped_past_its_lease_it_knows_before_it_writes(store: FilesystemStore, run: Start) -> None:
    program = run("""
        from harness.troubled import TroubledStore
        seen = TroubledStore(store)
        lock = system_lock(seen, Operation.BACKUP)
        lock.acquire()
        say("held")
        sys.stdin.readline()
        try:
            lock.check()
            say("still ours")
        except LockLost as error:
            say("lost", error.reason)
        puts = len(seen.puts)
        time.sleep(1)
        say("wrote", len(seen.puts) - puts)
        lock.release()
        say(repr(lock.held))
    """)
    program.hears("held")
    program.child.send_signal(signal.SIGSTOP)
    before = [entry.etag for entry in store.list(_folder()).entries]
    other = system_lock(store, Operation.DELETE)
    other.acquire(60)
    program.child.stdin.write("\n")
    program.child.stdin.flush()
    program.child.send_signal(signal.SIGCONT)
    program.hears("lost expired")
    other.check()
    program.hears("wrote 0")
    program.hears("False")
    program.ends()
    assert len(before) == 1
    assert len(locks_in(store)) == 1
    other.check()
    other.release()


def _folder() -> str:
    from harness.builders import volume_folder

    return f"{volume_folder(VOLUME)}/locks"


def test_in_a_fork_it_is_the_parents(store: FilesystemStore, run: Start) -> None:
    program = run("""
        lock = BackupLock(store, VOLUME, Operation.BACKUP)
        lock.acquire()
        share = lock.share()
        pid = os.fork()
        if pid == 0:
            for one in (lock, share):
                for use in (one.check, one.remaining, one.share):
                    try:
                        use()
                        say("allowed", use)
                    except RuntimeError as error:
                        assert "parent process" in str(error), error
            assert not lock.held
            assert "parent" in lock.release().reason
            assert "parent" in share.release().reason
            del share, lock
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        say("child ended")
        sys.stdin.readline()
        lock.check()
        share.release()
        print(lock.release().proof.value)
    """)
    program.hears("child ended")
    assert len(locks_in(store)) == 1
    program.child.stdin.write("\n")
    program.child.stdin.flush()
    program.hears("proven")
    program.ends()
    assert locks_in(store) == []


def test_a_fork_amid_threads_never_hangs_and_harms_nothing(store: FilesystemStore, run: Start) -> None:
    """Forks fall into renewals, acquisitions, releases; guards of other threads then stay shut for ever."""
    program = run(
        """
        lock = system_lock(store, Operation.BACKUP, terms=short_terms(store, 20))
        lock.acquire()
        ending = threading.Event()
        own = system_lock(store, Operation.BACKUP, volume="pvc-2")
        def churn():
            while not ending.is_set():
                own.acquire()
                own.check()
                own.release()
        def ask():
            while not ending.is_set():
                lock.check(); lock.remaining(); lock.certificate()
                time.sleep(0)
        threads = [threading.Thread(target=churn), threading.Thread(target=ask)]
        for thread in threads: thread.start()
        for n in range(40):
            pid = os.fork()
            if pid == 0:
                signal.alarm(30)
                try:
                    lock.check()
                    os._exit(2)
                except RuntimeError:
                    pass
                lock.release()
                try:
                    own.release()
                except RuntimeError:
                    pass
                mine = BackupLock(store, "pvc-3", Operation.BACKUP)
                with mine:
                    mine.check()
                os._exit(0)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert code == 0, (n, code)
        ending.set()
        for thread in threads: thread.join()
        lock.check()
        say(lock.release().proof.value)
    """,
        "-W",
        "ignore::DeprecationWarning",
    )
    program.hears("proven")
    program.ends()
    assert locks_in(store) == []


def test_made_before_a_fork_it_can_be_used_in_the_child(store: FilesystemStore, run: Start) -> None:
    program = run("""
        lock = BackupLock(store, VOLUME, Operation.BACKUP)
        pid = os.fork()
        with lock:
            lock.check()
            time.sleep(0.2)
        if pid:
            assert os.waitpid(pid, 0)[1] == 0
    """)
    program.ends()
    assert locks_in(store) == []


def test_a_process_pool_refuses_to_take_it(tmp_path: Path, run: Start) -> None:
    program = run("""
        from concurrent.futures import ProcessPoolExecutor
        import multiprocessing
        if __name__ == "__main__":
            with BackupLock(store, VOLUME, Operation.BACKUP) as lock:
                with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
                    try:
                        pool.submit(print, lock).result(30)
                    except TypeError as error:
                        say(str(error)[:45])
    """)
    program.hears("a lock belongs to its process and cannot be p")
    program.ends()


def test_a_forgotten_lock_warns_and_its_file_goes(store: FilesystemStore, run: Start) -> None:
    program = run(
        """
        BackupLock(store, VOLUME, Operation.BACKUP).acquire()
        say("forgotten")
        sys.stdin.readline()
    """,
        "-W",
        "always",
    )
    program.hears("forgotten")
    until(lambda: locks_in(store) == [], "for the file to go")
    _, err = program.ends()
    assert err.count("was forgotten without release()") == 1


def test_a_file_size_limit_leaves_nothing(store: FilesystemStore, run: Start) -> None:
    program = run("""
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        lock = BackupLock(store, VOLUME, Operation.BACKUP)
        try:
            lock.acquire()
        except AcquireFailed as error:
            say(str(error))
    """)
    out, _ = program.ends()
    assert out.startswith(f"cannot lock {VOLUME} for backup: ")
    assert out.count("\n") == 1
    assert list((store.root).rglob("*.lck*")) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 512)


def test_a_full_disk_leaves_nothing_and_loses_nothing_at_once(small_disk: Path) -> None:
    store = FilesystemStore(small_disk, writable=True)
    held = system_lock(store, Operation.BACKUP, terms=short_terms(store, 30))
    held.acquire()
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="space"):
        fill(filler)
    other = system_lock(store, Operation.BACKUP)
    with pytest.raises(AcquireFailed, match=r"(?i)space|full") as caught:
        other.acquire()
    assert str(caught.value).isprintable()
    assert "our file" not in str(caught.value)
    assert "our own file" not in str(caught.value)
    assert caught.value.left_for is None
    assert len(locks_in(store)) == 1
    held.check()
    filler.unlink()
    renewals = _renewals(store)
    until(lambda: _renewals(store) > renewals, "for a renewal once there is room")
    held.check()
    held.release()
    assert locks_in(store) == []


def _renewals(store: FilesystemStore) -> int:
    (name,) = locks_in(store)
    return int(json.loads(store.read(f"{_folder()}/{name}").body)["Owner"]["renewals"])


@pytest.mark.parametrize("linked", ["volume", "locks"])
def test_a_link_in_the_way_is_final_and_nothing_is_left(tmp_path: Path, linked: str) -> None:
    root, away = tmp_path / "store", tmp_path / "away"
    away.mkdir()
    link = root / layout.volume_folder(VOLUME)
    if linked == "locks":
        link = link / layout.LOCKS
    link.parent.mkdir(parents=True)
    link.symlink_to(away)
    lock = system_lock(FilesystemStore(root, writable=True), Operation.BACKUP)
    with pytest.raises(AcquireFailed, match="is a link, not a folder") as caught:
        lock.acquire(timeout=300)  # pytest's own time limit is shorter
    assert caught.value.final
    assert caught.value.left_for is None
    assert "left there" not in str(caught.value)
    assert list(away.iterdir()) == []
