"""The command line as a process: imports, pipes, terminals, signals, users."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import backuplock
import locktop
from harness.builders import Fleet, Lock, Volume, fleet, volume_folder, write_all
from locktop.exits import ExitCode

SOURCES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (backuplock, locktop))
COMMAND = [sys.executable, "-m", "locktop"]


def environ(**changes: str) -> dict[str, str]:
    """The environment without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOCKTOP_", "AWS_"))}
    kept.pop("NO_COLOR", None)
    return {**kept, "PYTHONPATH": SOURCES, **changes}


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environ(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["--version"], 0), (["ls", "--help"], 0), (["demo", "--help"], 0), (["ls"], 2)],
)
def test_nothing_heavy_is_imported_before_it_is_needed(arguments: list[str], code: int) -> None:
    program = (
        "import sys; from locktop.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'textual', 'rich', 'boto3', 'botocore', 'asyncio'} & set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == "[]"


def test_ls_of_a_folder_needs_neither_textual_nor_boto3(tmp_path: Path) -> None:
    write_all(tmp_path, fleet(5, 3), time.time_ns())
    program = (
        "import sys; from locktop.cli import main; code = main(['ls', sys.argv[1]]);"
        "sys.exit(code or bool({'textual', 'boto3', 'botocore'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=environ(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0


def test_version_is_the_packages() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"locktop {locktop.__version__}\n", "")


@pytest.mark.parametrize("form", ["--json", "--csv", "--all"])
def test_a_reader_that_left_gets_no_complaint(tmp_path: Path, form: str) -> None:
    write_all(tmp_path, fleet(20, 14), time.time_ns())
    process = subprocess.Popen(
        [*COMMAND, "ls", "--quiet", form, str(tmp_path)],
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stderr:
        assert stderr.read() == b""
    assert process.wait(60) == 128 + signal.SIGPIPE


def on_terminal(arguments: list[str], *, columns: int = 100, **changes: str) -> tuple[int, str]:
    """Run on a pseudo terminal; its exit code and what it wrote there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environ(**{"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "30", **changes}),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    written = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            # Linux says EIO when the other end is closed.
            break
        if not chunk:
            break
        written += chunk
    os.close(leader)
    return process.wait(60), written.decode()


def test_a_terminal_gets_colour_unless_it_refuses(tmp_path: Path) -> None:
    write_all(tmp_path, fleet(20, 14), time.time_ns())
    code, coloured = on_terminal(["ls", str(tmp_path)])
    assert code == 0
    assert "\x1b[1;38;" in coloured
    code, plain = on_terminal(["ls", str(tmp_path)], NO_COLOR="1")
    assert code == 0
    assert "38;" not in plain
    assert "stale" in plain


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_keeps_within_a_terminal(tmp_path: Path, columns: int) -> None:
    write_all(tmp_path, fleet(20, 14), time.time_ns())
    code, text = on_terminal(["ls", "-q", str(tmp_path)], columns=columns, NO_COLOR="1", TERM="dumb")
    assert code == 0
    lines = text.replace("\r\n", "\n").splitlines()
    assert len(lines) == 15
    assert max(map(len, lines)) <= columns
    assert all("pvc-" in line for line in lines[1:])


def test_output_in_an_encoding_that_lacks_a_character(tmp_path: Path) -> None:
    made = Fleet((Volume("pvc-ü中"),), (Lock("pvc-ü中", "lock-1"),))
    write_all(tmp_path, made, time.time_ns())
    done = run("ls", str(tmp_path), PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C.UTF-8")
    assert done.returncode == 0
    assert "pvc-\\xfc\\u4e2d" in done.stdout
    assert " +- " in done.stderr
    code, text = on_terminal(["ls", str(tmp_path)], columns=60, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert code == 0
    assert "\\u2026" not in text


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        server.settimeout(60)
        yield server


def mute_environ(server: socket.socket) -> dict[str, str]:
    """Longhorn's variables for it."""
    return {
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "hunter2secret",
        "AWS_ENDPOINTS": f"http://127.0.0.1:{server.getsockname()[1]}",
        "NO_PROXY": "127.0.0.1",
    }


def test_a_timeout_ends_ls_though_the_store_hangs(mute: socket.socket) -> None:
    began = time.monotonic()
    done = run("ls", "--timeout", "0.3", "s3://bucket@region/path/", **mute_environ(mute))
    assert done.returncode == ExitCode.UNREACHABLE
    assert done.stdout == ""
    assert "no complete answer in 0.3 s" in done.stderr
    # The request itself would hang for 20 s more.
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_signals_end_ls_though_the_store_hangs(mute: socket.socket, number: int, code: int) -> None:
    process = subprocess.Popen(
        [*COMMAND, "ls", "s3://bucket@region/path/"],
        env=environ(**mute_environ(mute)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # Once it is connected the sweep is on its way, and waits for an answer.
    connection, _ = mute.accept()
    with connection:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, b"", b"")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="locktop-test-"))
    made.chmod(0o755)
    yield made
    for folder, _, _ in os.walk(made):
        Path(folder).chmod(0o755)
    shutil.rmtree(made)


def run_unprivileged(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run as a user to whom permissions apply."""
    # Once with all rights and no output, so that whatever is imported on the way is there: the checkout and
    # its interpreter may lie where only this user can read.
    as_nobody = (
        "import contextlib, io, os, sys\n"
        "from locktop import cli\n"
        "if os.geteuid() == 0:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        "        cli.main(sys.argv[1:])\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", as_nobody, *arguments],
        env=environ(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_folder_without_permission_is_denied(open_folder: Path) -> None:
    root = open_folder / "store"
    write_all(root, fleet(3, 2), time.time_ns())
    root.chmod(0o000)
    done = run_unprivileged("ls", str(root))
    assert done.returncode == ExitCode.DENIED
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("locktop: ")
    assert "ermission" in done.stderr


def test_the_doctor_finds_that_nothing_may_be_written(open_folder: Path) -> None:
    root = open_folder / "store"
    write_all(root, fleet(1, 0), time.time_ns())
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for file in files:
            (Path(folder) / file).chmod(0o644)
    done = run_unprivileged("doctor", "--json", "--write", str(root))
    assert done.returncode == ExitCode.NEGATIVE, done.stderr
    grades = {one["name"]: one["grade"] for one in json.loads(done.stdout)["checks"]}
    assert (grades["list"], grades["read"], grades["write"]) == ("ok", "ok", "bad")


def test_a_volume_without_permission_is_shown_and_never_free(open_folder: Path) -> None:
    made = Fleet((Volume("pvc-a"), Volume("pvc-b")), (Lock("pvc-a", "lock-1"), Lock("pvc-b", "lock-2")))
    write_all(open_folder, made, time.time_ns())
    closed = open_folder / volume_folder("pvc-b") / "locks"
    closed.chmod(0o000)
    done = run_unprivileged("ls", "--json", str(open_folder))
    assert done.returncode == ExitCode.INCOMPLETE
    found = json.loads(done.stdout)
    assert found["complete"] is False
    assert [problem["volume"] for problem in found["problems"]] == ["pvc-b"]
    assert [lock["volume"] for lock in found["locks"]] == ["pvc-a"]
    assert "not read: volume pvc-b" in done.stderr
    table = run_unprivileged("ls", str(open_folder))
    assert table.returncode == ExitCode.INCOMPLETE
    assert [line.split()[:2] for line in table.stdout.splitlines()[1:]] == [
        ["held", "pvc-a"],
        ["unread", "pvc-b"],
    ]


def test_a_lock_without_permission_makes_the_answer_incomplete(open_folder: Path) -> None:
    made = Fleet((Volume("pvc-a"),), (Lock("pvc-a", "lock-1"),))
    write_all(open_folder, made, time.time_ns())
    (open_folder / made.locks[0].key).chmod(0o000)
    done = run_unprivileged("ls", "--json", str(open_folder))
    assert done.returncode == ExitCode.INCOMPLETE
    lock = json.loads(done.stdout)["locks"][0]
    assert (lock["state"], lock["flaw"]) == ("bad", "unreadable")
    assert lock["blocks"] == ["backup", "restore", "delete"]
    assert "unknown" in lock["longhorn"]
