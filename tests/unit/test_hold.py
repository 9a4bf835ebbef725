"""`locktop hold`: how it ends, what it says, and that no file stays."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
import time
from pathlib import Path

import pytest

from backuplock.model import Operation
from backuplock.target import local_target
from harness.builders import Lock, write
from harness.commands import fingerprint
from harness.running import VOLUME, environ, locks, make_store, running, until
from locktop import cli
from locktop.countdown import Lines, Progress, summary
from locktop.durations import parse_duration, show_duration
from locktop.exits import ExitCode
from locktop.holder import Wish
from locktop.settings import Usage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


def arguments(root: Path, *more: str) -> list[str]:
    return ["hold", "-t", str(root), "--volume", VOLUME, "--for", "delete", *more]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_releases_it(root: Path, tmp_path: Path, name: str) -> None:
    with running(tmp_path, *arguments(root, "--note", "ask Kim")) as process:
        process.said("keeps out backups and restores")
        (held,) = locks(root)
        body = json.loads(held.read_bytes())
        assert (body["Type"], body["Acquired"], body["Owner"]["note"]) == (2, True, "ask Kim")
        process.send(getattr(signal, name))
        code, out, err = process.end()
    assert (code, out) == (0, "")
    assert f"released (by {name}); exclusivity proven" in err
    assert locks(root) == []


def test_it_ends_by_itself(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    assert cli.main(arguments(root, "--for-at-most", "1s")) == 0
    assert time.monotonic() - began >= 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "released (its time is over); exclusivity proven" in err
    assert locks(root) == []


def test_a_suspension_is_refused(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, *arguments(root)) as process:
        process.said("holding")
        process.send(signal.SIGTSTP)
        process.said("Ctrl-Z is refused")
        process.send(signal.SIGTERM)
        assert process.end()[0] == 0


def test_a_loss_is_loud(root: Path, tmp_path: Path) -> None:
    with running(tmp_path, *arguments(root), lease_s=15) as process:
        process.said("holding")
        locks(root)[0].unlink()
        code, _, err = process.end()
    assert code == ExitCode.LOST
    assert "locktop: LOST: the lock of pvc-1 for delete is lost (removed)" in err
    assert "exclusivity not proven" in err
    assert locks(root) == []


def test_who_is_refused_is_told_by_whom(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    blocker = Lock(VOLUME, "lock-feedfacefeedface", type=1)
    path = write(root, blocker.key, blocker.content)
    assert cli.main(arguments(root)) == ExitCode.NEGATIVE
    err = capfd.readouterr().err
    assert "lock-feedfacefeedface (backup or restore, held" in err
    assert locks(root) == [path]


def test_a_wait_that_is_interrupted_leaves_nothing(root: Path, tmp_path: Path) -> None:
    blocker = Lock(VOLUME, "lock-feedfacefeedface", type=1)
    path = write(root, blocker.key, blocker.content)
    with running(tmp_path, *arguments(root, "--timeout", "2m")) as process:
        process.said("waiting up to 2m")
        process.send(signal.SIGINT)
        assert process.end()[0] == 128 + signal.SIGINT
    assert locks(root) == [path]


@pytest.mark.parametrize("given", ["0", "8d", "soon"])
def test_a_limit_is_a_duration(root: Path, given: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = fingerprint(root)
    assert cli.main(arguments(root, "--for-at-most", given)) == ExitCode.USAGE
    assert "--for-at-most" in capfd.readouterr().err
    assert fingerprint(root) == before


def progress(operation: Operation = Operation.BACKUP) -> Progress:
    wish = Wish(local_target(Path("/nowhere")), VOLUME, operation, note="by hand")
    return Progress(wish, "locks/lock-1.lck", late_s=45)


def test_renewals_are_told_from_what_remains() -> None:
    made = progress()
    for second in range(100):
        since = second % 20
        view = made.at(second, 90.0 - since, None)
        assert (view.renewals, view.since_renewal_s, view.late, view.lost) == (
            second // 20,
            since,
            False,
            False,
        )


def test_missing_renewals_are_late_and_then_the_lock_is_lost(capfd: pytest.CaptureFixture[str]) -> None:
    made = progress()
    lines = Lines(made, quiet=True)
    for second in range(92):
        view = made.at(second, max(0.0, 90.0 - second), None)
        lines.show(view)
        assert (view.late, view.lost) == (second > 45, second >= 90)
    said = capfd.readouterr().err
    assert said == "locktop: renewals are late: the lock is lost in 44s\n"


@pytest.mark.parametrize(
    ("operation", "kept"), [(Operation.RESTORE, "deletions"), (Operation.DELETE, "backups and restores")]
)
def test_the_countdown_says_what_it_keeps_out_and_when_it_ends(operation: Operation, kept: str) -> None:
    made = progress(operation)
    made.at(0, 90, 7200)
    rows = dict(summary(made, made.at(1, 89, 7199)))
    assert rows["keeps out"].startswith(kept)
    assert rows["lease"].startswith("1m29s left")
    assert rows["released"] == "in 1h59m, or Ctrl-C"
    assert rows["note"] == "by hand"


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [("90", 90, "1m30s"), ("90s", 90, "1m30s"), ("5m", 300, "5m"), ("1h30m", 5400, "1h30m"), ("0", 0, "0s"),
     ("1.5h", 5400, "1h30m"), (" 2D ", 172_800, "2d"), ("0.5", 0.5, "0s")],
)  # fmt: skip
def test_durations(text: str, seconds: float, shown: str) -> None:
    assert parse_duration(text, "--x") == seconds
    assert show_duration(seconds) == shown


@pytest.mark.parametrize("text", ["", "s", "-1", "1w", "5 m", "1e3", "nan", "inf", "٣", "1h30", "99999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Usage, match="--x: "):
        parse_duration(text, "--x")


def test_on_a_terminal_it_counts_down(root: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-m", "locktop", *arguments(root, "--for-at-most", "1h")]
        os.execve(sys.executable, command, environ(TERM="xterm-256color"))
    shown = b""
    while b"1h, or Ctrl-C" not in shown and b"59m" not in shown:
        shown += os.read(terminal, 65536)
    until(lambda: len(locks(root)) == 1, "it is held")
    os.write(terminal, b"\x03")
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:
        pass  # Linux says EIO when the other end is closed.
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = shown.decode()
    for part in ("keeps out", "backups and restores", "left if no renewal succeeds", "exclusivity proven"):
        assert part in text, part
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert locks(root) == []
