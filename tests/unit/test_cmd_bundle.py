"""`locktop bundle`: what is in it, what never is, stand-ins, hostile stores, and being asked before."""

from __future__ import annotations

import json
import os
import re
import stat
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backuplock.clock import SystemClock
from backuplock.journal import Journal, journal_path
from backuplock.stores import open_store
from backuplock.survey import sweep
from backuplock.target import parse_target
from backuplock.watch import Watch
from harness.builders import Lock, Volume, volume_folder, write, write_locks
from harness.commands import Done, fingerprint, run
from harness.terminal import on_terminal
from locktop.bundle.redact import Redactor
from locktop.config.secrets import Secrets
from locktop.exits import ExitCode

OWNED = (
    b'{"Name":"lock-00000000000000aa","Type":2,"Acquired":true,"Owner":{"host":"node-77.corp.example","pid":42,'
    b'"user":"alice","operation":"delete","note":"moving 10.1.2.3 to the new array"}}'
)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzSECR"
NAMES = [
    "pvc-payroll",
    "shop-prod",
    "orders-data",
    "orders-db",
    "node-77",
    "corp.example",
    "alice",
    "10.1.2.3",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "acme-store"
    for volume in (Volume("pvc-payroll", "shop-prod", "orders-data", "orders-db"), Volume("pvc-2")):
        write(folder, volume.cfg_key, volume.cfg)
    locks = [
        Lock("pvc-payroll", "lock-00000000000000aa", raw=OWNED, age_s=20),
        Lock("pvc-payroll", "lock-00000000000000bb", age_s=900),
        Lock("pvc-2", "lock-00000000000000cc", age_s=20),
    ]
    write_locks(folder, locks, time.time_ns())
    write(folder, f"{volume_folder('pvc-2')}/locks/alice-was-here.lck.tmp.17", b"x")
    return folder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def bundled(capsys: pytest.CaptureFixture[str], root: Path, *more: str) -> tuple[Done, dict[str, bytes]]:
    out = Path(f"out-{len(list(Path().iterdir()))}.zip")
    done = run(capsys, "bundle", "--yes", "-o", str(out), *more, str(root))
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        return done, {name: archive.read(name) for name in archive.namelist()}


def loaded(found: dict[str, bytes], name: str) -> Any:
    return json.loads(found[name])


def test_what_is_in_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprint(root)
    done, found = bundled(capsys, root)
    assert done.code == ExitCode.OK
    assert fingerprint(root) == before
    told = loaded(found, "manifest.json")
    assert [one["name"] for one in told["members"]] == [name for name in found if name != "manifest.json"]
    assert all(one["bytes"] == len(found[one["name"]]) for one in told["members"])
    assert len(loaded(found, "locks.json")["locks"]) == 3
    bodies = {one["key"]: found[one["body"]] for one in loaded(found, "bodies.json")}
    assert bodies == {key: (root / key).read_bytes() for key in bodies}
    assert OWNED in bodies.values()
    listed = {
        one["volume"]: [entry["file"] for entry in one["entries"]] for one in loaded(found, "listing.json")
    }
    assert listed["pvc-2"] == ["alice-was-here.lck.tmp.17", "lock-00000000000000cc.lck"]
    assert loaded(found, "doctor.json")["tried"] is False
    assert loaded(found, "versions.json")["locktop"]
    assert {"name": "target", "value": str(root), "source": "--target"} in loaded(found, "settings.json")
    for name in found:
        assert name in done.out or name.startswith("bodies/")


def test_events_of_this_machine(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = parse_target(str(root))
    store = open_store(target)
    journal = Journal.open(journal_path(target.url), target=target.url)
    first = sweep(store)
    watch, events = Watch().look(first)
    journal.record(first, events)
    (root / volume_folder("pvc-2") / "locks" / "lock-00000000000000cc.lck").unlink()
    second = sweep(store, first)
    journal.record(second, watch.look(second)[1])
    journal.record_gap(SystemClock().wall_ns(), "unreachable", "node-77.corp.example does not answer")
    journal.close()
    _, found = bundled(capsys, root)
    told = loaded(found, "events.json")
    assert "released" in [one["kind"] for one in told["events"] if one["volume"] == "pvc-2"]
    assert told["gaps"][0]["line"] == "node-77.corp.example does not answer"
    _, found = bundled(capsys, root, "--redact")
    assert "node-77" not in found["events.json"].decode()
    assert "pvc-2" not in found["events.json"].decode()
    assert "released" in found["events.json"].decode()


def test_the_same_store_gives_the_same_names(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, first = bundled(capsys, root, "--redact")
    _, second = bundled(capsys, root, "--redact")
    assert list(first) == list(second)
    for name in (
        "bodies.json",
        "listing.json",
        "settings.json",
        *(n for n in first if n.startswith("bodies/")),
    ):
        assert first[name] == second[name]


def test_stand_ins_are_the_same_everywhere(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done, found = bundled(capsys, root, "--redact")
    assert done.code == ExitCode.OK
    everything = b"\n".join(found.values()).decode() + "\n".join(found)
    for name in (*NAMES, "10.1.2.3", "acme-store", "alice-was-here", "moving"):
        assert name not in everything, name
    (owned,) = [one for one in loaded(found, "locks.json")["locks"] if one["owner"]]
    for kind in ("claim", "namespace", "workload"):
        assert re.fullmatch(rf"{kind}-\d", owned[kind])
    assert owned["owner"]["host"].startswith("host-")
    assert owned["owner"]["operation"] == "delete"
    (about,) = [one for one in loaded(found, "bodies.json") if one["key"] == owned["key"]]
    body = json.loads(found[about["body"]])
    assert about["volume"] == owned["volume"]
    assert body["Owner"]["host"] == owned["owner"]["host"]
    assert f"volumes/--/--/{owned['volume']}/locks/lock-00000000000000aa.lck" in owned["key"]
    assert owned["volume"] in [one["volume"] for one in loaded(found, "listing.json")]
    assert owned["state"] == "held"


def test_secrets_are_never_in_it(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    monkeypatch.setenv("CIFS_PASSWORD", 'quo"ted\\pass')
    leaky = f'hunter2hunter2 {SECRET} https://me:pw123@host/ quo"ted\\pass AKIAABCDEFGHIJKLMNOP'.encode()
    write_locks(root, [Lock("pvc-2", "lock-00000000000000dd", raw=leaky, age_s=3)], time.time_ns())
    for more in ([], ["--redact"]):
        _, found = bundled(capsys, root, *more)
        everything = b"\n".join(found.values())
        for secret in ("hunter2hunter2", SECRET, "pw123", 'quo"ted', "AKIAABCDEFGHIJKLMNOP"):
            assert secret.encode() not in everything
    _, found = bundled(capsys, root)
    assert b"[secret]" in b"".join(found.values())


def test_a_hostile_store_does_no_harm(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    climbing = b'{"Name":"../../../etc/passwd","Type":1,"Acquired":true}'
    evil = [
        Lock("pvc-2", "lock-0000000000000001", raw=bytes(range(256)) * 4),
        Lock("pvc-2", "lock-0000000000000002", raw=b"x" * 2**20),
        Lock("pvc-2", "lock-0000000000000003", raw=climbing),
        Lock("pvc-2", "lock-0000000000000004", raw=b"\x1b]52;c;aGk=\x07" + b"PK\x03\x04" * 3),
        Lock("pvc-2", "a..b", raw=b"{}"),
    ]
    write_locks(root, evil, time.time_ns())
    folder = root / volume_folder("pvc-2") / "locks"
    (folder / "link.lck").symlink_to("/etc/passwd")
    (folder / os.fsdecode(b"\xff\x1b[31m.lck")).write_bytes(b"?")
    for more in ([], ["--redact"]):
        done, found = bundled(capsys, root, *more)
        assert done.code in (ExitCode.OK, ExitCode.INCOMPLETE)
        assert "\x1b" not in done.out + done.err
        assert all(".." not in name and not name.startswith("/") for name in found)
        assert not any(b"root:x:0" in content for content in found.values())
        assert sum(map(len, found.values())) < 200_000
        if more:
            assert b"etc/passwd" not in b"".join(found.values())
    flaws = {one["key"].rpartition("/")[2]: one["flaw"] for one in loaded(found, "bodies.json")}
    assert flaws["lock-0000000000000002.lck"] == "too large"


def test_a_dry_run_lists_and_writes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "bundle", "--dry-run", str(root))
    assert done.code == ExitCode.OK
    assert "manifest.json" in done.out
    assert "of 3 locks" in done.out
    assert list(Path().iterdir()) == []


def test_nobody_to_ask_is_an_error_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "bundle", "/nowhere")
    assert (done.code, done.out, done.err.count("\n")) == (ExitCode.USAGE, "", 1)
    assert "--yes" in done.err


def test_nothing_is_written_over(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.zip").write_text("mine")
    for where in ("mine.zip", "no/such/folder.zip"):
        done = run(capsys, "bundle", "--yes", "-o", where, str(root))
        assert done.code == ExitCode.USAGE
        assert where in done.err
    assert Path("mine.zip").read_text() == "mine"


def test_its_own_name_and_rights(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "bundle", "--yes", str(root)).code == ExitCode.OK
    (made,) = Path().glob("locktop-bundle-*T*Z.zip")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_a_store_that_is_not_there_gives_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, found = bundled(capsys, tmp_path / "nowhere")
    assert done.code == ExitCode.MISSING
    assert "locks.json" not in found
    assert loaded(found, "versions.json")["python"]
    assert any("there is no folder" in line for line in loaded(found, "manifest.json")["problems"])


@pytest.mark.parametrize(("answer", "code"), [("yes", ExitCode.OK), ("y", ExitCode.NEGATIVE)])
def test_a_person_is_asked(root: Path, answer: str, code: int) -> None:
    with on_terminal(Path.cwd(), ["bundle", "-o", "out.zip", str(root)]) as terminal:
        terminal.expect("manifest.json")
        terminal.expect("yes or no:")
        assert not Path("out.zip").exists()
        terminal.type(f"{answer}\n")
        assert terminal.end()[0] == code
    assert Path("out.zip").exists() is (code == ExitCode.OK)


def test_words_that_hold_a_name_are_no_names() -> None:
    redactor = Redactor()
    for kind, name in (("claim", "data"), ("volume", "pvc-1"), ("host", "db.example"), ("note", "a b!")):
        redactor.learn(kind, name)
    assert redactor.text("metadata of data, pvc-1/pvc-10, pvc-1.lck, DB.example:9000; a b!") == (
        "metadata of claim-1, volume-1/pvc-10, volume-1.lck, host-1:9000; note-1"
    )
    assert redactor.text("at 12:38:22 [2001:db8::1]:9000, 10.0.0.1. and 10.0.0.1") == (
        "at 12:38:22 [address-1]:9000, address-2. and address-2"
    )
    assert redactor.tree({"state": "data", "x": ["data"]}) == {"state": "data", "x": ["claim-1"]}


def test_many_names_take_no_time_worth_telling() -> None:
    redactor = Redactor()
    for number in range(50_000):
        redactor.learn("volume", f"pvc-{number:08x}-long-name")
    text = " ".join(f"pvc-{number:08x}-long-name" for number in range(0, 50_000, 10))
    assert redactor.text(text).split() == [f"volume-{number + 1}" for number in range(0, 50_000, 10)]


def test_short_values_of_the_environment_are_not_searched_for() -> None:
    assert Secrets({"AWS_SECRET_ACCESS_KEY": "a", "HOME": "/home/me"}).without(b"banana /home/me") == (
        b"banana /home/me"
    )


def test_what_was_broken_here_is_in_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = root / volume_folder("pvc-2") / "locks" / "lock-00000000000000cc.lck"
    os.utime(lock, (1_000_000_000, 1_000_000_000))
    why = "node alice-7 is gone"
    done = run(capsys, "break", "--write", "--yes", "--reason", why, "-t", str(root), f"pvc-2/{lock.stem}")
    assert done.code == ExitCode.OK, done.err
    _, found = bundled(capsys, root)
    acts = loaded(found, "audit.json")
    assert [one["phase"] for one in acts] == ["before", "after"]
    assert acts[0]["reason"] == why
    assert "body" not in acts[0]
    _, redacted = bundled(capsys, root, "--redact")
    text = redacted["audit.json"].decode()
    assert "alice" not in text
    assert "pvc-2" not in text
    assert acts[0]["host"] not in text
    assert [one["outcome"] for one in json.loads(text) if "outcome" in one] == ["broken"]
