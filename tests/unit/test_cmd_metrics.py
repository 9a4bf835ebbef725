"""`locktop metrics`: a real folder in numbers, served by a real process, and what becomes of failures."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backuplock.breaking import Audit, audit_path
from backuplock.errors import Unreachable
from backuplock.model import Snapshot
from backuplock.target import parse_target
from harness.builders import Lock, Volume, write, write_locks
from harness.commands import fingerprint, run
from harness.process import Process, executable
from locktop.exits import ExitCode
from locktop.looker import Looker
from locktop.settings import resolve
from locktop.subcommands import metrics

LOCKS = (
    Lock("pvc-1", "lock-0000000000000001", age_s=20),
    Lock("pvc-2", "lock-0000000000000002", type=2, age_s=30),
    Lock("pvc-2", "lock-0000000000000003", type=1, acquired=False, age_s=5),
    Lock("pvc-3", "lock-0000000000000004", age_s=4000),
    Lock("pvc-4", "lock-0000000000000005", raw=b"no record", age_s=20),
)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    for name in ("pvc-1", "pvc-2", "pvc-3", "pvc-4", "pvc-5"):
        volume = Volume(name)
        write(folder, volume.cfg_key, volume.cfg)
    write_locks(folder, LOCKS, time.time_ns())
    return folder


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset((k, v) for k, v in sample.labels.items() if k != "target")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def one(found: Samples, name: str, **labels: str) -> float:
    return found[f"locktop_{name}", frozenset(labels.items())]


def test_a_folder_in_numbers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprint(root)
    done = run(capsys, "metrics", str(root))
    assert (done.code, done.err) == (ExitCode.OK, "")
    found = parsed(done.out)
    assert one(found, "up") == 1
    assert one(found, "locks", type="backup_restore", state="held") == 1
    assert one(found, "locks", type="deletion", state="held") == 1
    assert one(found, "locks", type="backup_restore", state="waiting") == 1
    assert one(found, "locks", type="backup_restore", state="stale") == 1
    assert one(found, "locks", type="other", state="bad") == 1
    assert sum(value for (name, _), value in found.items() if name == "locktop_locks") == len(LOCKS)
    assert 3990 < one(found, "oldest_lock_age_seconds", state="stale") < 4400
    assert one(found, "volumes") == 5
    assert one(found, "locked_volumes") == 4
    for operation in ("backup", "restore", "delete"):
        blocked = {lock.volume for lock in LOCKS if operation in lock.blocks}
        assert one(found, "blocked_volumes", operation=operation) == len(blocked) > 0
    assert one(found, "complete") == 1
    assert one(found, "sweep_duration_seconds") > 0
    assert abs(one(found, "clock_skew_seconds")) < 60
    assert fingerprint(root) == before


def test_no_name_of_a_volume_or_a_lock_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "metrics", str(root)).out
    assert "pvc-" not in out
    assert "lock-0" not in out


def test_what_was_broken_is_counted_for_its_own_target(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    trail = Audit.open(audit_path())
    for number, (target, outcome) in enumerate(
        [
            (f"vfs://{root}", "broken"),
            (f"vfs://{root}", "broken"),
            (f"vfs://{root}", "changed"),
            ("vfs:///x", "broken"),
        ]
    ):
        trail.append("break", "before", f"id-{number}", 1, {"target": target})
        trail.append("break", "after", f"id-{number}", 2, {"target": target, "outcome": outcome})
    trail.close()
    found = parsed(run(capsys, "metrics", str(root)).out)
    assert one(found, "breaks_total", outcome="broken") == 2
    assert one(found, "breaks_total", outcome="changed") == 1
    audit_path().write_bytes(b"this is no database, but long enough to be looked at as one" * 20)
    found = parsed(run(capsys, "metrics", str(root)).out)
    assert one(found, "audit_readable") == 0
    assert not any(name == "locktop_breaks_total" for name, _ in found)


def test_a_store_that_is_not_there_is_not_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "metrics", str(tmp_path / "nowhere"))
    assert done.code == ExitCode.MISSING
    assert done.err.count("\n") == 1
    found = parsed(done.out)
    assert one(found, "up") == 0
    assert not any(name == "locktop_locks" for name, _ in found)


@pytest.mark.parametrize(
    "address", ["9799", ":9799", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "h:x", "a b:1", "::1:9799", ""]
)
def test_a_bad_address_is_one_line(address: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "metrics", "--listen", address, str(root))
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert done.err.count("\n") == 1
    assert "HOST:PORT" in done.err


def test_an_address_of_another_machine_or_one_in_use_is_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], served: Callable[[Path], tuple[Process, str]]
) -> None:
    _, url = served(root)
    port = url.split(":")[2].split("/")[0]
    for address in (f"127.0.0.1:{port}", "192.0.2.1:9799"):
        done = run(capsys, "metrics", "--listen", address, str(root))
        assert (done.code, done.out, done.err.count("\n")) == (ExitCode.USAGE, "", 1)
        assert address in done.err


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[Path], tuple[Process, str]]]:
    running: list[Process] = []

    def start(folder: Path) -> tuple[Process, str]:
        command = [sys.executable, "-m", "locktop", "metrics", "--listen", "127.0.0.1:0", str(folder)]
        server = Process(command, tmp_path / f"log-{len(running)}", env={"PYTHONPATH": ":".join(sys.path)})
        running.append(server)
        return server, server.wait_for(r"serving (http://\S+/metrics)")[1]

    yield start
    for server in running:
        server.stop()


def scrape(url: str) -> Samples:
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return parsed(answer.read().decode())


def test_a_real_scrape_sees_each_change(root: Path, served: Callable[[Path], tuple[Process, str]]) -> None:
    server, url = served(root)
    assert one(scrape(url), "locks", type="deletion", state="held") == 1
    write_locks(root, [Lock("pvc-5", "lock-0000000000000006", type=2, age_s=1)], time.time_ns())
    assert one(scrape(url), "locks", type="deletion", state="held") == 2
    root.rename(root.with_name("away"))
    assert one(scrape(url), "up") == 0
    assert "locktop_up is 0" in server.output()
    root.with_name("away").rename(root)
    assert one(scrape(url), "up") == 1
    server.signal(signal.SIGTERM)
    give_up = time.monotonic() + 30
    while server._child.poll() is None and time.monotonic() < give_up:
        time.sleep(0.05)
    assert server._child.poll() == ExitCode.OK
    assert "Traceback" not in server.output()


def test_looks_of_a_store_that_hangs_are_shared_and_limited() -> None:
    go, begun = threading.Event(), []

    def sweep(_previous: Snapshot | None) -> Snapshot:
        begun.append(1)
        go.wait(60)
        raise Unreachable("gone", advice="come back")

    looker = Looker(sweep, 0.05, "vfs:///x")
    for _ in range(3):
        with pytest.raises(Unreachable, match="no complete answer"):
            looker.look()
    assert len(begun) == 1
    go.set()
    patient = Looker(sweep, 60, "vfs:///x")
    with pytest.raises(Unreachable, match="gone"):
        patient.look()


def test_the_alert_rules_of_the_readme(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    rules = readme.split("<!-- alert-rules -->", 1)[1].split("```yaml\n", 1)[1].split("```", 1)[0]
    told = {name for name, _ in parsed(run(capsys, "metrics", str(root)).out)}
    used = set(re.findall(r"locktop_\w+", " ".join(re.findall(r"expr: (.*)", rules))))
    assert used
    assert used <= told
    promtool = executable("promtool")
    if promtool is None:
        pytest.skip("names were checked; the grammar was not: promtool of Prometheus is not installed")
    path = tmp_path / "rules.yml"
    path.write_text(rules)
    subprocess.run([promtool, "check", "rules", str(path)], check=True)


def test_what_nobody_foresaw_is_one_line_and_a_store_that_is_not_up(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = parse_target(str(root))
    teller = metrics._Teller(target, resolve({"target": str(root)}, {}, {}), 5.0)

    def fails(_previous: object) -> None:
        raise ZeroDivisionError("of the sweep")

    monkeypatch.setattr(teller._looker, "_sweep", fails)
    found = teller.look_and_say()
    assert found.snapshot is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "lost: internal error: ZeroDivisionError: of the sweep" in said
