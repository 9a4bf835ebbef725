"""From a pasted error to the right blocker, on the demo's own store and on planted ones."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from backuplock.model import LockRecord, Owner
from backuplock.wire import encode
from harness.builders import Lock, Volume, write, write_locks
from harness.commands import fingerprint, run
from harness.complaints import FORMS, OTHERS, Form, first, later
from locktop.demo.people import Scene, plant, scene
from locktop.exits import ExitCode

VOLUME = "pvc-3f3bd369-2ab6-43ea-aff5-c8455a1dca9a"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene]:
    """The demo's store as it is when it begins."""
    root = tmp_path_factory.mktemp("demo")
    now = time.time_ns()
    made = scene(now)
    plant(root, made, now)
    return root, made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with one volume."""
    volume = Volume(VOLUME, "shop", "orders-db", "orders")
    write(tmp_path, volume.cfg_key, volume.cfg)
    return tmp_path


def put(root: Path, *locks: Lock) -> None:
    write_locks(root, locks, time.time_ns())


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
def test_every_form_leads_to_the_lock_that_is_in_the_way(
    form: Form, demo: tuple[Path, Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    root, made = demo
    needed = 2 if form.operations == ("delete",) else 1
    # Whoever holds a lock of the other kind in the demo, fresh enough for the length of this test.
    holder = next(one for one in made.holders if one.record.type != needed and one.age_s < 60)
    before = fingerprint(root)
    done = run(capsys, "explain", "-t", str(root), "--json", form(holder.volume))
    (report,) = done.json["reports"]
    assert done.code == ExitCode.NEGATIVE
    assert report["outcome"] == "blocked"
    assert report["complaint"]["operations"] == sorted(form.operations)
    assert holder.key in [one["lock"] for one in report["blockers"]]
    assert {act["act"] for one in report["blockers"] for act in one["acts"]} >= {"wait", "remove_file"}
    lives = {one["key"]: one["liveness"] for one in report["picture"]["locks"]}
    assert (lives[holder.key]["life"], lives[holder.key]["doubt"]) == ("unknown", "just arrived")
    assert not report["own_is_there"]
    assert fingerprint(root) == before
    text = run(capsys, "explain", "-t", str(root), form(holder.volume))
    assert "BLOCKED" in text.out
    assert holder.record.name in text.out
    assert "which it deletes" in text.out


@pytest.mark.parametrize("form", OTHERS, ids=lambda form: form.id)
def test_messages_that_refuse_nothing(form: Form, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(root, Lock(VOLUME, "lock-00000000deadbeef", 1))
    done = run(capsys, "explain", "-t", str(root), "--json", form(VOLUME))
    (report,) = done.json["reports"]
    assert report["operations"] == ["backup", "restore", "delete"]
    assert report["own_is_there"]
    assert report["habits"] == []
    assert done.code == ExitCode.NEGATIVE


def test_the_way_is_free(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(root, Lock(VOLUME, "lock-dead", 1, age_s=400))
    done = run(capsys, "explain", "-t", str(root), later(VOLUME, "delete"))
    assert done.code == ExitCode.OK
    assert "FREE" in done.out
    assert "retry" in done.out
    assert "lock-dead" in done.out
    assert "24 hours" in done.out


@pytest.mark.parametrize(
    ("lock", "code", "words"),
    [
        (
            Lock(VOLUME, "lock-live", 1, age_s=12),
            1,
            ["cannot be told yet: just arrived", "HARMFUL", "instance-manager"],
        ),
        (
            Lock(VOLUME, "lock-late", 1, age_s=100),
            1,
            ["late, perhaps dead", "missed 1 refresh", "not before"],
        ),
        (Lock(VOLUME, "lock-ask", 1, acquired=False, age_s=40), 1, ["waits", "ends by itself"]),
        (Lock(VOLUME, "lock-zero", 0, age_s=12), 1, ["Longhorn writes no"]),
        (Lock(VOLUME, "lock-odd", raw=b"{", age_s=12), 0, ["FREE", "ignores it"]),
    ],
    ids=["live", "late", "waiting", "untyped", "undecodable"],
)
def test_what_is_said_of_each_kind_of_blocker(
    lock: Lock, code: int, words: list[str], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(root, lock)
    done = run(capsys, "explain", "-t", str(root), later(VOLUME, "delete"))
    assert done.code == code
    assert lock.name in done.out
    for word in words:
        assert word in done.out, done.out


def test_without_a_target_the_message_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCKTOP_TARGET", raising=False)
    done = run(capsys, "explain", first(VOLUME, 1))
    assert done.code == ExitCode.INCOMPLETE
    assert VOLUME in done.out
    assert "LOCKTOP_TARGET" in done.out
    assert "1.6.2" in done.out
    found = run(capsys, "explain", "--json", first(VOLUME, 1)).json
    assert (found["target"], found["reports"][0]["picture"]) == (None, None)


def test_restores_are_retried_by_old_releases_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCKTOP_TARGET", raising=False)
    for message, retries in ((first(VOLUME, 1), True), (later(VOLUME, "create/restore"), False)):
        found = run(capsys, "explain", "--json", f"error initiating full backup restore: {message}").json
        assert [one["retries"] for one in found["reports"][0]["habits"]] == [retries]


def test_stdin_files_and_whole_logs(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, Lock(VOLUME, "lock-live", 1))
    log = f"start\n{later(VOLUME, 'delete')}\nmore\n{later('pvc-gone', 'delete')}\n"
    file = tmp_path / "longhorn.log"
    file.write_text("x" * 2_000_000 + "\n" + log)
    stdin = SimpleNamespace(buffer=io.BytesIO(log.encode()))
    for arguments in (["--file", str(file)], ["-"]):
        monkeypatch.setattr(sys, "stdin", stdin)
        done = run(capsys, "explain", "-t", str(root), "--json", *arguments)
        outcomes = {one["complaint"]["volume"]: one["outcome"] for one in done.json["reports"]}
        assert outcomes == {VOLUME: "blocked", "pvc-gone": "missing"}
        assert done.code == ExitCode.NEGATIVE


def test_a_volume_that_the_target_does_not_have(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "explain", "-t", str(root), later("pvc-gone", "delete"))
    assert done.code == ExitCode.MISSING
    assert "NO PICTURE" in done.out
    assert "is this the target that Longhorn used?" in done.err


@pytest.mark.parametrize(
    "arguments", [[], ["nothing of the kind"], ["--file", "/no/such"], ["x", "--file", "y"]], ids=str
)
def test_bad_input_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "explain", *arguments)
    assert done.code == ExitCode.USAGE
    assert done.out == ""
    assert done.err.count("\n") == 1


def test_watching_sees_the_refresh(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import threading

    lock = Lock(VOLUME, "lock-live", 1, age_s=20)
    put(root, lock)
    refreshed = threading.Timer(1.0, lambda: put(root, Lock(VOLUME, "lock-live", 1, age_s=0)))
    refreshed.start()
    done = run(capsys, "explain", "-t", str(root), "--json", "--watch", "60s", later(VOLUME, "delete"))
    refreshed.join()
    picture = done.json["reports"][0]["picture"]
    assert "1 refresh seen" in " ".join(picture["locks"][0]["liveness"]["reasons"])
    assert picture["watched_seconds"] < 60
    assert "RENEWED" in done.err


def test_hostile_names_and_bodies_stay_text(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b]0;owned\x07[bold red]\u202e\n"
    cfg = Volume(VOLUME, nasty, nasty, nasty)
    write(root, cfg.cfg_key, cfg.cfg)
    body = b'{"Name":"\\u001b[31m\\n[/red]","Type":1,"Acquired":true,"Owner":"\\u202e"}'
    put(root, Lock(VOLUME, "lock-a", raw=body), Lock(VOLUME, "lock-b", raw=b"\x1b[2J\xff"))
    for arguments in (["explain", later(VOLUME, "delete") + nasty], ["show", "-v", VOLUME], ["blocked"]):
        done = run(capsys, *arguments, "-t", str(root))
        assert done.code == ExitCode.NEGATIVE
        assert all(line.isprintable() for line in (done.out + done.err).splitlines())


def ours(pid: int, *, host: str | None = None, name: str = "lock-0ur5") -> Lock:
    """A lock of our own of 20 s, as a client of this library writes it."""
    owner = Owner(host or socket.gethostname(), pid, "kim", "delete", "prune", tool="backuplock/0.1.0")
    return Lock(VOLUME, name, 2, age_s=20, raw=encode(LockRecord(name, 2, True, owner)))


def gone() -> int:
    """The number of a process that has just ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_lock_of_ours_is_not_said_to_be_written_anew(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(root, ours(os.getpid()))
    done = run(capsys, "explain", "-t", str(root), "--json", later(VOLUME, "backup create/restore"))
    (report,) = done.json["reports"]
    acts = {act["act"]: act for act in report["blockers"][0]["acts"]}
    assert "does not write it anew" in acts["remove_file"]["text"]
    assert "notices within 20 seconds" in acts["remove_file"]["text"]
    assert acts["remove_file"]["helps"] == "harmful"
    where = f"SIGTERM to its process {os.getpid()} on {socket.gethostname()}"
    assert where in acts["stop_holder"]["text"]
    longhorns = Lock(VOLUME, "lock-longhorn", 2, age_s=20)
    put(root, longhorns)
    text = run(capsys, "explain", "-t", str(root), later(VOLUME, "backup create/restore")).out
    assert "writes it anew within 60 seconds" in text, "what is Longhorn's is told as before"


@pytest.mark.parametrize("command", ["explain", "show"])
def test_the_process_that_a_lock_names_is_looked_for_on_its_own_host(
    command: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = gone()
    put(root, ours(os.getpid(), name="lock-alive"), ours(dead, name="lock-gone"))
    put(root, ours(os.getpid(), host="elsewhere", name="lock-far"), ours(-1, name="lock-odd"))
    what = VOLUME if command == "show" else later(VOLUME, "backup create/restore")
    done = run(capsys, command, "-t", str(root), "--json", what)
    picture = done.json if command == "show" else done.json["reports"][0]["picture"]
    found = {
        one["lock"].rpartition("/")[2]: (one["mark"], one["text"])
        for one in picture["findings"]
        if "on this host" in one["text"]
    }
    assert set(found) == {"lock-alive.lck", "lock-gone.lck"}
    assert found["lock-alive.lck"] == ("known", f"a process {os.getpid()} runs on this host")
    assert found["lock-gone.lck"][0] == "likely"
    assert f"no process {dead} runs on this host" in found["lock-gone.lck"][1]
    assert f"no process {dead} runs on this host" in run(capsys, command, "-t", str(root), what).out


def test_of_many_complaints_what_is_blocked_comes_first_and_alike_ones_together(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "pvc-free"
    write(root, Volume(other).cfg_key, Volume(other).cfg)
    put(root, Lock(VOLUME, "lock-held", 1))
    refusals = [later(VOLUME, "delete").replace("lock-", f"lock-{number}") for number in range(12)]
    log = "\n".join([*refusals, later(other, "delete")])
    done = run(capsys, "explain", "-t", str(root), log)
    assert done.code == ExitCode.NEGATIVE
    lines = done.out.splitlines()
    assert lines[0] == "13 complaints about 2 volumes: 1 BLOCKED, 1 FREE"
    assert lines[2].split()[:3] == ["BLOCKED", "delete", VOLUME]
    assert lines[2].endswith("by bkup/rst lock-held  (12 times)")
    assert lines[3].split() == ["FREE", "delete", other]
    assert done.out.count("The message\n") == 2
    assert done.out.index("BLOCKED: delete") < done.out.index("FREE: delete")
    assert "12 times; this is the last" in done.out


def test_of_a_long_log_the_end_counts(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, Lock(VOLUME, "lock-held", 1))
    log = "\n".join([later("pvc-long-ago", "delete"), "nothing of note\n" * 200_000, later(VOLUME, "delete")])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(log.encode())))
    done = run(capsys, "explain", "-t", str(root), "--json", "-")
    assert [one["complaint"]["volume"] for one in done.json["reports"]] == [VOLUME]


def test_of_too_many_locks_the_last_ones_count(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "\n".join(later(f"pvc-{number}", "delete") for number in range(300))
    done = run(capsys, "explain", "-t", str(root), log)
    assert done.out.startswith("The last 100 complaints about 100 volumes: 100 NO PICTURE\n")
    assert "pvc-299" in done.out
    assert "pvc-199\n" not in done.out
    assert done.out.count("The message\n") == 10


def test_a_path_that_is_not_whole_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    message = "failed to acquire lock backupstore/volumes/2d/af/pvc-1/locks/lock-0123456789abcdef.lck when"
    done = run(capsys, "explain", message)
    assert done.code == ExitCode.USAGE
    assert "the path in this text is not whole: pvc-1 would lie in volumes/" in done.err
    assert "not in volumes/2d/af" in done.err
    assert done.err.count("\n") == 1
