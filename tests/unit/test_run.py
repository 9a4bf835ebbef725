"""`locktop run` in process: exit codes, refusals, what is said, and that no file stays."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from harness.builders import Fleet, Lock, Volume, write_all
from harness.commands import fingerprint
from harness.running import VOLUME, alive, locks, make_store, until
from locktop import cli
from locktop.exits import ExitCode


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOCKTOP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


def locktop_run(root: Path, *arguments: str, purpose: str = "backup") -> int:
    return cli.main(["run", "-t", str(root), "--volume", VOLUME, "--for", purpose, *arguments])


def plant(root: Path, type_: int, age_s: float = 10.0) -> Path:
    """A lock as Longhorn writes it."""
    lock = Lock(VOLUME, "lock-feedfacefeedface", type_, age_s=age_s)
    write_all(root, Fleet((Volume(VOLUME),), (lock,)), time.time_ns())
    return root / lock.key


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 1", 1), ("exit 75", 75), ("exit 255", 255)]
    + [(f"kill -{number} $$", 128 + number) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)],
)
def test_the_exit_code_is_the_commands(
    root: Path, script: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert locktop_run(root, "--", "sh", "-c", script) == code
    assert locks(root) == []
    out, err = capfd.readouterr()
    assert out == ""
    assert "exclusivity proven" in err.splitlines()[-1]


@pytest.mark.parametrize(("purpose", "type_"), [("backup", 1), ("restore", 1), ("delete", 2)])
def test_the_lock_is_there_while_the_command_runs(
    root: Path, tmp_path: Path, purpose: str, type_: int, capfd: pytest.CaptureFixture[str]
) -> None:
    script = f'cat "{root}/$LOCKTOP_LOCK_KEY"; echo; echo $LOCKTOP_VOLUME $LOCKTOP_OPERATION'
    assert locktop_run(root, "--note", "by hand", "--", "sh", "-c", script, purpose=purpose) == 0
    out, err = capfd.readouterr()
    body, names = out.splitlines()
    found = json.loads(body)
    assert (found["Type"], found["Acquired"]) == (type_, True)
    assert (found["Owner"]["operation"], found["Owner"]["note"]) == (purpose, "by hand")
    assert names == f"{VOLUME} {purpose}"
    assert all(line.startswith("locktop: ") for line in err.splitlines())
    assert locks(root) == []


def test_input_and_output_are_the_commands(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert locktop_run(root, "-q", "--", "sh", "-c", "echo out; echo err >&2") == 0
    assert capfd.readouterr() == ("out\n", "err\n")


def test_files_that_the_shell_opened_are_handed_on(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    os.write(write, b"from the shell\n")
    os.close(write)
    os.set_inheritable(read, True)
    try:
        assert locktop_run(root, "-q", "--", "cat", f"/dev/fd/{read}") == 0
    finally:
        os.close(read)
    assert capfd.readouterr().out == "from the shell\n"


def test_the_command_needs_no_dashes_and_keeps_its_own(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert locktop_run(root, "-q", "printf", "%s.", "-q", "--", "--volume") == 0
    assert capfd.readouterr().out == "-q.--.--volume."


def test_a_refusal_names_the_blocker_and_leaves_nothing(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    blocker = plant(root, 2, age_s=20.0)
    assert locktop_run(root, "-E", "99", "--", "touch", str(tmp_path / "ran")) == 99
    assert locktop_run(root, "--", "touch", str(tmp_path / "ran")) == ExitCode.NEGATIVE
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 2
    err = said[1]
    for part in (
        "lock-feedfacefeedface",
        "deletion",
        "held",
        "s ago",
        "free when it is released; if its holder dies now, in 1",
    ):
        assert part in err, part
    assert locks(root) == [blocker]
    assert not (tmp_path / "ran").exists()


def test_a_lock_of_the_same_type_does_not_block(root: Path) -> None:
    plant(root, 1)
    assert locktop_run(root, "--", "true", purpose="restore") == 0


def test_a_wait_ends_when_the_blocker_goes(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    blocker = plant(root, 2)
    threading.Timer(3.0, blocker.unlink).start()
    assert locktop_run(root, "--timeout", "1m", "--", "sh", "-c", "exit 5") == 5
    err = capfd.readouterr().err
    assert "waiting up to 1m" in err.splitlines()[0]
    assert "lock-feedfacefeedface" in err.splitlines()[0]
    assert locks(root) == []


@pytest.mark.parametrize(("name", "code"), [("no-such-command", 127), ("./nothing", 127), ("./plain", 126)])
def test_a_command_that_cannot_run_leaves_the_store_alone(
    root: Path,
    tmp_path: Path,
    name: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = fingerprint(root)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("not executable")
    assert locktop_run(root, "--", name) == code
    assert fingerprint(root) == before
    assert "the store was not touched" in capfd.readouterr().err


def test_a_file_that_only_looks_executable_gives_the_lock_back(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(b"\x7fELF nonsense")
    odd.chmod(0o755)
    assert locktop_run(root, "--", str(odd)) == ExitCode.NOT_EXECUTABLE
    assert "does not start" in capfd.readouterr().err
    assert locks(root) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--volume", "v1", "--for", "backup"], "no command is given"),
        (["--volume", "v1", "--for", "backup", "--"], "no command is given"),
        (["--for", "backup", "--", "true"], "--volume"),
        (["--volume", "v1", "--", "true"], "--for"),
        (["--volume", "v1", "--for", "prune", "--", "true"], "invalid choice"),
        (["--volume", "../v1", "--for", "backup", "--", "true"], "../v1"),
        (["--volume", "v1", "--for", "backup", "--timeout", "soon", "--", "true"], "--timeout: 'soon'"),
        (["--volume", "v1", "--for", "backup", "--grace", "-1", "--", "true"], "--grace"),
        (["--volume", "v1", "--for", "backup", "-E", "256", "--", "true"], "--conflict-exit-code"),
    ],
)
def test_a_wrong_command_line_touches_nothing(
    root: Path, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(root)
    assert cli.main(["run", "-t", str(root), *arguments]) == ExitCode.USAGE
    err = capfd.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert fingerprint(root) == before


def test_processes_that_go_on_are_reported(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = f"sleep 100 >/dev/null 2>&1 & echo $! > {tmp_path}/pid"
    assert locktop_run(root, "--", "sh", "-c", script) == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        assert alive(pid)
        assert f"1 still run, now without the lock: pid {pid}" in capfd.readouterr().err
        assert locks(root) == []
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_store_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert locktop_run(tmp_path / "nowhere", "--", "true") == ExitCode.MISSING
    assert capfd.readouterr().err.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_the_handlers_of_the_caller_come_back(root: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGCHLD, signal.SIGWINCH)
    before = [signal.getsignal(number) for number in numbers]
    assert locktop_run(root, "-q", "--", "true") == 0
    assert [signal.getsignal(number) for number in numbers] == before
    until(lambda: locks(root) == [], "the lock is gone")
