"""`locktop break`: the plan writes nothing, only what is stale goes without asking, its fate is told."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backuplock.breaking import Audit, audit_path
from harness.breaking import NAME, QUARANTINE
from harness.builders import NS, Lock, Volume, write, write_locks
from harness.commands import Done, fingerprint, run
from harness.run_worker import timing
from harness.running import until
from locktop import subcommands
from locktop.exits import ExitCode

VOLUME = "pvc-aaaa1111"
DEAD = Lock(VOLUME, NAME, 2, age_s=500)
LIVE = Lock(VOLUME, "lock-beef000000000002", 1, age_s=10)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A volume with a dead lock and a live one; the audit trail is the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("LOCKTOP_WRITE", raising=False)
    root = tmp_path / "store"
    volume = Volume(VOLUME, "shop", "orders", "web")
    write(root, volume.cfg_key, volume.cfg, time.time_ns() - 10_000 * NS)
    write_locks(root, [DEAD, LIVE], time.time_ns())
    return root


def lock_file(root: Path, lock: Lock = DEAD) -> Path:
    return root / lock.key


def copies(root: Path) -> list[Path]:
    return sorted((root / QUARANTINE).glob("*.json"))


def trail() -> list[dict[str, object]]:
    """The audit trail, which has to be whole; none: nothing was begun."""
    if not audit_path().exists():
        return []
    audit = Audit.read(audit_path())
    assert audit.verify().problem == ""
    found = [dict(one.fields) for one in audit.entries()]
    audit.close()
    return found


def short(monkeypatch: pytest.MonkeyPatch, lease_s: float) -> None:
    """Let the command take everybody's lease for so long; the watch after a break lasts half of it."""
    command = subcommands.load("break")
    monkeypatch.setattr(command, "run", functools.partial(command.run, timing=timing(lease_s)))


def when_gone(root: Path, act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as the dead lock is out of its place."""

    def work() -> None:
        until(lambda: not lock_file(root).exists(), "the lock is broken")
        act()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# -- the plan


def test_without_leave_to_write_the_plan_is_told_and_nothing_written(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(root)
    done = run(capsys, "break", "-t", str(root), f"{VOLUME}/{NAME}")
    assert done.code == ExitCode.OK
    for words in (
        "STALE: last written",
        "it blocks nobody any more, this only tidies up",
        "a copy stays in the store for 30 days",
        "a lock that is refreshed meanwhile stays",
        "unchanged: the lock is as it was seen",
        "opened for reading only: --write opens it",
    ):
        assert words in done.out, done.out
    assert "nothing was written" in done.err
    assert "the last 8 characters" in done.err
    assert fingerprint(root) == before
    assert not (tmp_path / "state" / "locktop").exists()


def test_the_plan_of_a_live_lock_says_no(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "break", "-t", str(root), "--json", f"{VOLUME}/{LIVE.name}")
    found = done.json
    assert done.code == ExitCode.NEGATIVE
    assert (found["version"], found["outcome"]) == (1, "planned")
    assert "--even-if-live" in found["obstacle"]
    # Seen for the first time, and written on time: one refresh more would make it live.
    assert found["plan"]["doubt"] == "just arrived"
    assert (found["plan"]["life"], found["plan"]["dead"], found["plan"]["blocks"]) == (
        "unknown",
        False,
        ["delete"],
    )
    assert found["plan"]["to_type"] == LIVE.name
    assert {one["name"]: one["ok"] for one in found["checks"]}["holder dead"] is False
    assert (found["result"], found["watch"], found["error"]) == (None, None, None)


def test_the_schema_names_every_field(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(capsys, "break", "-t", str(root), "--json", f"{VOLUME}/{NAME}").json
    schema = run(capsys, "break", "--schema").out
    for fields in (found, found["plan"], found["checks"][0], found["plan"]["guarantees"][0]):
        assert [name for name in fields if name not in schema] == []


@pytest.mark.parametrize(
    "name",
    [
        f"{VOLUME}/{NAME}.lck",
        f"{VOLUME}/feed",
        "pvc-aaaa/feed",
        "shop/orders/feed",
        f"orders/{NAME}",
        DEAD.key,
    ],
    ids=["file", "part", "prefix", "claim", "short claim", "key"],
)
def test_a_lock_by_any_name(name: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "break", "-t", str(root), "--json", name).json["plan"]["key"] == DEAD.key


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        (f"{VOLUME}/lock-", ExitCode.USAGE, "fits 2 locks"),
        (f"{VOLUME}/lock-none", ExitCode.NEGATIVE, "there is no lock 'lock-none'"),
        (f"{VOLUME}/../../etc", ExitCode.MISSING, "has no volume"),
        (f"backupstore/volumes/aa/bb/{VOLUME}/locks/../x.lck", ExitCode.USAGE, "not the key of a file"),
        ("pvc-none/lock-1", ExitCode.MISSING, "has no volume"),
        (NAME, ExitCode.USAGE, "does not name a lock"),
        ("", ExitCode.USAGE, "does not name a lock"),
        ("s3://k:secret@b/x", ExitCode.USAGE, "looks like a backup target"),
        (f"{VOLUME}/\x1b[31m", ExitCode.NEGATIVE, "there is no lock"),
    ],
    ids=[
        "several",
        "none",
        "escaping",
        "escaping key",
        "no volume",
        "no slash",
        "empty",
        "target",
        "control",
    ],
)
def test_names_that_name_no_lock(
    name: str, code: ExitCode, words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(root)
    done = run(capsys, "break", "-t", str(root), "--write", "--yes", name)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "secret" not in done.err
    assert all(line.isprintable() for line in done.err.splitlines())
    assert fingerprint(root) == before


# -- who may break what


def test_a_stale_lock_goes_by_the_word_of_a_script(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(
        capsys, "break", "-t", str(root), "--write", "--yes", "--reason", "node gone", f"{VOLUME}/feed"
    )
    assert done.code == ExitCode.OK
    (copy,) = copies(root)
    assert f"locktop undo {copy.stem} --write" in done.out
    assert not lock_file(root).exists()
    assert lock_file(root, LIVE).exists()
    before, after = trail()
    assert (before["reason"], before["key"], before["live"]) == ("node gone", DEAD.key, False)
    assert str(before["tool"]).startswith("locktop/")
    assert after["outcome"] == "broken"


def test_the_environment_opens_it_too(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKTOP_WRITE", "1")
    found = run(capsys, "break", "-t", str(root), "--yes", "--json", f"{VOLUME}/feed").json
    assert (found["outcome"], found["result"]["back"]) == ("broken", False)
    assert found["result"]["id"] == copies(root)[0].stem
    monkeypatch.setenv("LOCKTOP_WRITE", "no")
    assert run(capsys, "break", "-t", str(root), "--json", f"{VOLUME}/beef").json["outcome"] == "planned"


def test_a_live_lock_does_not(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprint(root)
    done = run(capsys, "break", "-t", str(root), "--write", "--yes", f"{VOLUME}/beef")
    assert done.code == ExitCode.NEGATIVE
    assert "is not broken: nothing shows that its holder is dead" in done.err
    assert fingerprint(root) == before
    assert trail() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--write"], "no terminal to ask on"),
        (["--write", "--even-if-live"], "no terminal to ask on"),
        (["--write", "--yes", "--even-if-live"], "--yes breaks STALE locks only"),
        (["--observe", "soon"], "--observe"),
        (["--observe", "2h"], "out of bounds"),
        (["--writ"], "did you mean --write"),
    ],
)
def test_what_is_refused_before_the_store_is_asked(
    options: list[str], words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = fingerprint(root)
    done = run(capsys, "break", "-t", str(root), *options, f"{VOLUME}/feed")
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert fingerprint(root) == before


def test_what_can_never_be_broken(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    planted = lock_file(root, Lock(VOLUME, "lock-link"))
    planted.symlink_to(tmp_path / "elsewhere")
    done = run(capsys, "break", "-t", str(root), "--write", "--yes", f"{VOLUME}/lock-link")
    assert done.code == ExitCode.NEGATIVE
    assert "it cannot be broken" in done.err
    assert planted.is_symlink()
    assert copies(root) == []


def test_a_trail_that_cannot_be_written_keeps_everything_as_it_is(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    before = fingerprint(root)
    done = run(capsys, "break", "-t", str(root), "--write", "--yes", f"{VOLUME}/feed")
    assert done.code == ExitCode.SYSTEM
    assert "audit trail" in done.err
    assert fingerprint(root) == before


def test_hostile_names_are_told_harmlessly(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = Volume(VOLUME, "sh\x1b[2Jop", "or\u202eders", "web")
    write(root, volume.cfg_key, volume.cfg, time.time_ns() - 10_000 * NS)
    for more in ([], ["--write", "--yes", "--reason", "\x1b[31mred"]):
        done = run(capsys, "break", "-t", str(root), *more, f"{VOLUME}/feed")
        assert done.code == ExitCode.OK, done.err
        assert r"sh\x1b[2Jop/or\u202eders" in done.out
        assert all(line.isprintable() for line in (done.out + done.err).splitlines())
    assert trail()[0]["reason"] == r"\x1b[31mred"


# -- watching before


def test_where_clocks_do_not_tell_it_is_watched_first(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, 2)
    before = fingerprint(root)
    done = run(capsys, "break", "-t", str(root), "--json", "--observe", "30s", f"{VOLUME}/feed")
    assert "watching lock-feed000000000001 for signs of life, 30 s at most" in done.err
    found = done.json["plan"]
    assert "own observation" in found["condemned_by"]
    assert 2 < found["watched_seconds"] < 30
    assert fingerprint(root) == before


def test_a_refresh_under_our_eyes_saves_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is expired by every clock, and yet its holder writes it."""
    stop = threading.Event()

    def refresh() -> None:
        age = 500.0
        while not stop.wait(0.2):
            age -= 1
            write_locks(root, [Lock(VOLUME, NAME, 2, age_s=age)], time.time_ns())

    holder = threading.Thread(target=refresh, daemon=True)
    holder.start()
    done = run(capsys, "break", "-t", str(root), "--observe", "60s", f"{VOLUME}/feed")
    stop.set()
    holder.join()
    assert "1 refresh seen" in done.out or "refreshes seen" in done.out, done.out
    assert copies(root) == []


def test_a_lock_that_goes_while_it_is_watched(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thread = threading.Timer(1.0, lock_file(root).unlink)
    thread.start()
    done = run(capsys, "break", "-t", str(root), "--observe", "60s", "--write", "--yes", f"{VOLUME}/feed")
    thread.join()
    assert done.code == ExitCode.NEGATIVE
    assert "went while it was watched" in done.err or "is no lock" in done.err or "no lock" in done.err
    assert trail() == []


# -- watching afterwards


def broken_and_watched(root: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Done:
    return run(capsys, "break", "-t", str(root), "--write", "--yes", "--watch", *more, f"{VOLUME}/feed")


def test_gone_for_good(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, 3)
    done = broken_and_watched(root, capsys, "--json")
    assert done.code == ExitCode.OK
    assert done.json["watch"]["fate"] == "gone for good"
    assert "is gone for good" in done.err
    assert [one.get("outcome") for one in trail()] == [None, "broken", "gone for good"]


def test_a_holder_that_lives_after_all_is_told_loudly(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, 60)
    # As Longhorn does: the same bytes, without looking.
    thread = when_gone(root, lambda: write(root, DEAD.key, DEAD.content))
    done = broken_and_watched(root, capsys)
    thread.join()
    assert done.code == ExitCode.NEGATIVE
    assert "CAME BACK" in done.err
    assert "stop the process, not the file" in done.err
    assert trail()[-1]["outcome"] == "came back"


def test_another_that_took_its_place_is_named(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, 20)
    other = Lock(VOLUME, "lock-cafe000000000003", 2)
    thread = when_gone(root, lambda: write(root, other.key, other.content))
    done = broken_and_watched(root, capsys)
    thread.join()
    assert done.code == ExitCode.OK
    assert f"{other.name}.lck took its place" in done.err


# -- two at once


def test_of_two_administrators_one_breaks_it(root: Path, tmp_path: Path) -> None:
    ends: list[tuple[int, str]] = []

    def administrator() -> None:
        from harness.running import running

        arguments = ["break", "-t", str(root), "--write", "--yes", "--json", f"{VOLUME}/feed"]
        with running(tmp_path, *arguments, XDG_STATE_HOME=str(tmp_path / "state")) as one:
            code, out, err = one.end()
            # Whoever comes late enough finds no lock any more, and has no plan to tell.
            ends.append((code, json.loads(out)["outcome"] if out else "refused"))
            assert "Traceback" not in err

    threads = [threading.Thread(target=administrator) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == [(ExitCode.OK, "broken"), (ExitCode.NEGATIVE, "refused")]
    assert len(copies(root)) == 1
    assert not lock_file(root).exists()
    assert trail()


def test_a_lock_of_ours_whose_process_runs_here_is_said_to(root: Path, tmp_path: Path) -> None:
    """Its own host knows more than the store."""
    from backuplock.lock import BackupLock
    from backuplock.model import Operation
    from backuplock.stores.filesystem import FilesystemStore
    from harness.running import running

    store = FilesystemStore(root, writable=True)
    lock_file(root, LIVE).unlink()
    with BackupLock(store, VOLUME, Operation.DELETE).hold(timeout=30) as lease:
        assert lease is not None
        (name,) = (path.stem for path in lock_file(root).parent.glob("*.lck") if path.stem != NAME)
        with running(tmp_path, "break", "-t", str(root), f"{VOLUME}/{name}") as one:
            code, out, _ = one.end()
    assert code == ExitCode.NEGATIVE
    assert "runs on this host" in out
