"""`locktop run` as a process: signals, a lost lock, and locktop itself killed or stopped."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from harness.builders import Lock, write
from harness.running import POLITE, STUBBORN, VOLUME, alive, locks, make_store, running, until
from locktop.exits import ExitCode


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


def arguments(root: Path, script: str, *more: str) -> list[str]:
    return ["run", "-t", str(root), "--volume", VOLUME, "--for", "backup", *more, "--", "sh", "-c", script]


@pytest.mark.parametrize("name", ["INT", "QUIT", "TERM", "HUP", "USR1", "USR2", "WINCH"])
def test_signals_are_passed_on(root: Path, tmp_path: Path, name: str) -> None:
    # In the background of a script INT and QUIT are ignored, and USR1 and USR2 do not go to the group.
    script = f"trap 'echo {name} once; kill $p; exit 42' {name}; sleep 100 & p=$!; touch started; wait"
    with running(tmp_path, *arguments(root, script)) as process:
        process.started()
        process.send(getattr(signal, f"SIG{name}"))
        code, out, _ = process.end()
    assert (code, out) == (42, f"{name} once\n")
    assert locks(root) == []


def test_a_signal_that_ends_the_command_gives_128_and_n(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, *arguments(root, "touch started; exec sleep 100")) as process:
        process.started()
        process.send(signal.SIGTERM)
        code, _, err = process.end()
    assert code == 128 + signal.SIGTERM
    assert "exclusivity proven" in err
    assert locks(root) == []


def test_what_is_ignored_stays_ignored(root: Path, tmp_path: Path) -> None:
    # `nohup` does just this.
    with running(tmp_path, *arguments(root, "touch started; sleep 1; echo done"), ignored="HUP") as process:
        process.started()
        process.send(signal.SIGHUP)
        code, out, _ = process.end()
    assert (code, out) == (0, "done\n")


def test_a_signal_while_it_waits_ends_it_and_takes_the_file_away(root: Path, tmp_path: Path) -> None:
    blocker = write(root, Lock(VOLUME, "lock-b", type=2).key, Lock(VOLUME, "lock-b", type=2).content)
    with running(tmp_path, *arguments(root, "touch started", "--timeout", "5m")) as process:
        until(lambda: len(locks(root)) > 1, "it asks")
        process.send(signal.SIGTERM)
        code, out, _ = process.end()
    assert (code, out) == (128 + signal.SIGTERM, "")
    assert locks(root) == [blocker]
    assert not (tmp_path / "started").exists()


def test_a_removed_lock_ends_the_command(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, *arguments(root, POLITE), lease_s=15) as process:
        process.started()
        locks(root)[0].unlink()
        code, _, err = process.end()
    assert code == ExitCode.LOST
    assert (tmp_path / "told").read_text() == "told\n"
    assert "is lost (removed)" in err
    assert "sent SIGTERM and ended (exit code 3)" in err
    assert "exclusivity proven" not in err
    assert locks(root) == []


def test_a_rival_ends_a_stubborn_command_by_force(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, *arguments(root, STUBBORN, "--grace", "1s"), lease_s=15) as process:
        process.started()
        command = process.command()
        rival = Lock(VOLUME, "lock-feedfacefeedface", type=2)
        write(root, rival.key, rival.content)
        code, _, err = process.end()
        assert not alive(command)
    assert code == ExitCode.LOST
    assert "is lost (conflict)" in err
    assert "did not end in 1s after SIGTERM and was killed" in err
    assert "VIOLATED" in err
    assert locks(root) == [root / rival.key]


def test_a_loss_ends_what_the_command_left_behind_too(root: Path, tmp_path: Path) -> None:
    script = "(trap '' TERM; sleep 100; :) & echo $! > child; touch started; sleep 100"
    with running(tmp_path, *arguments(root, script, "--grace", "1s"), lease_s=15) as process:
        process.started()
        child = int((tmp_path / "child").read_text())
        locks(root)[0].unlink()
        code, _, _ = process.end()
    assert code == ExitCode.LOST
    until(lambda: not alive(child), "the grandchild is gone")


def test_locktop_killed_takes_the_command_along_and_leaves_the_lock_to_expire(
    root: Path, tmp_path: Path
) -> None:
    script = "sleep 100 & echo $! > child; touch started; trap '' TERM; sleep 100; sleep 100"
    with running(tmp_path, *arguments(root, script, "--grace", "1s")) as process:
        process.started()
        command, watchdog = process.command(), process.watchdog()
        child = int((tmp_path / "child").read_text())
        process.send(signal.SIGKILL)
        until(lambda: not (alive(command) or alive(child)), "the command has ended")
        until(lambda: not alive(watchdog), "so has the watchdog")
        process.end()
    assert len(locks(root)) == 1


def test_the_watchdog_ends_the_command_while_locktop_is_stopped(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, *arguments(root, POLITE), lease_s=6) as process:
        process.started()
        command = process.command()
        process.send(signal.SIGSTOP)
        until(lambda: not alive(command), "the command has ended")
        assert (tmp_path / "told").exists()
        process.send(signal.SIGCONT)
        code, _, err = process.end()
    assert code == ExitCode.LOST
    assert "is lost (expired)" in err
    assert locks(root) == []


def test_a_continued_locktop_notices_at_once_that_the_lock_is_lost(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, *arguments(root, POLITE), lease_s=6) as process:
        process.started()
        # Without the watchdog, locktop itself has to see it.
        os.kill(process.watchdog(), signal.SIGSTOP)
        process.send(signal.SIGSTOP)
        written = locks(root)[0].stat().st_mtime
        until(lambda: time.time() > written + 5, "the lease is over")
        assert not (tmp_path / "told").exists()
        process.send(signal.SIGCONT)
        code, _, _ = process.end()
    assert code == ExitCode.LOST
    assert (tmp_path / "told").exists()
    assert locks(root) == []


def test_a_watchdog_that_ends_is_reported(root: Path, tmp_path: Path) -> None:
    with running(
        tmp_path, *arguments(root, "touch started; while [ ! -e go ]; do sleep 0.1; done")
    ) as process:
        process.started()
        os.kill(process.watchdog(), signal.SIGKILL)
        process.said("the watchdog process has ended")
        (tmp_path / "go").touch()
        code, _, err = process.end()
    assert code == 0
    assert "exclusivity proven" in err
    assert locks(root) == []
