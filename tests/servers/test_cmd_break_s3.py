"""Breaking from the command line on real S3 servers: read-only sessions, breaks, undo, denials, SIGKILL."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from backuplock.breaking import Step, unfinished
from harness.breaking import NAME, QUARANTINE, Scene, kill_at
from harness.builders import NS, Lock, Volume, write, write_locks
from harness.longhorn_peer import LonghornPeer
from harness.proxy import FaultProxy, Rule, Where
from harness.rclone import start_rclone
from harness.running import until
from harness.s3 import BUCKET, S3Server, raw_client
from harness.s3_commands import Ended, locktop
from locktop.exits import ExitCode

VOLUME = "pvc-1"
DEAD = Lock(VOLUME, NAME, 2, age_s=500)
LIVE = Lock(VOLUME, "lock-beef000000000002", 1, age_s=10)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, Path]]:
    """A server over a folder, where locks can be made as old as they have to be, and that folder."""
    folder = tmp_path_factory.mktemp("break")
    server = start_rclone(folder / "data", folder / "log")
    yield server, folder / "data" / BUCKET
    assert server.process is not None
    server.process.stop()


@pytest.fixture
def root(served: tuple[S3Server, Path], prefix: str) -> Path:
    """The folder behind a target with a dead lock and a live one."""
    root = served[1] / prefix
    volume = Volume(VOLUME)
    write(root, volume.cfg_key, volume.cfg, time.time_ns() - 10_000 * NS)
    write_locks(root, [DEAD, LIVE], time.time_ns())
    return root


@pytest.fixture
def proxied(served: tuple[S3Server, Path]) -> Iterator[FaultProxy]:
    with FaultProxy(served[0]) as proxy:
        yield proxy


def test_a_read_only_session_sends_nothing_that_writes(
    ended: Ended, root: Path, proxied: FaultProxy, tmp_path: Path, prefix: str
) -> None:
    for arguments, code in (
        (["break", f"{VOLUME}/feed"], ExitCode.OK),
        (["break", f"{VOLUME}/beef", "--even-if-live"], ExitCode.OK),
        (["break", f"{VOLUME}/feed", "--observe", "1s", "--yes"], ExitCode.OK),
        (["undo"], ExitCode.OK),
        (["undo", "--purge", "--older-than", "0s"], ExitCode.OK),
        (["doctor"], ExitCode.OK),
        (["cleanup"], ExitCode.OK),
        (["cleanup", "--write"], ExitCode.OK),
        (["cleanup", "--apply", "--yes"], ExitCode.DENIED),
    ):
        found, _, err = ended(proxied.server, prefix, *arguments)
        assert found == code, (arguments, err)
    assert len(proxied.log) > 20
    assert proxied.writes() == []
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("name", ["rclone_http", "moto"])
def test_nor_does_one_that_finds_copies_and_interrupted_acts(
    name: str, ended: Ended, prefix: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server: S3Server = request.getfixturevalue(name)
    (tmp_path / "state" / "locktop").mkdir(parents=True)
    scene = Scene(server.store(prefix), tmp_path / "state" / "locktop")
    scene.volume()
    broken = scene.break_(scene.lock("lock-01"), allow_live=True).id
    killed = scene.lock("lock-02")
    kill_at(Step.REMOVED, scene.store.url, scene.audit.path, killed.key, server.environ())
    (interrupted,) = (one.id for one in unfinished(scene.store, scene.audit, scene.clock.wall_ns()))
    there = scene.lock("lock-03").name
    scene.audit.close()
    scene.store.close()
    trail = scene.audit.path.read_bytes()

    def objects() -> list[tuple[str, str, datetime]]:
        client = raw_client(server)
        found = client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
        client.close()
        return [(one["Key"], one["ETag"], one["LastModified"]) for one in found]

    before = objects()
    with FaultProxy(server) as proxy:
        for arguments, code in (
            (["break", f"{VOLUME}/{there}"], ExitCode.NEGATIVE),
            (["break", f"{VOLUME}/{there}", "--even-if-live", "--reason", "x"], ExitCode.OK),
            (["undo"], ExitCode.OK),
            (["undo", broken], ExitCode.OK),
            (["undo", broken[:-3], "--json"], ExitCode.OK),
            (["undo", "--purge", broken], ExitCode.OK),
            (["undo", "--purge", "--older-than", "0s", "--yes"], ExitCode.OK),
            (["undo", "--finish", interrupted], ExitCode.DENIED),
            (["undo", "--take-back", interrupted], ExitCode.DENIED),
            (["cleanup", "--verbose"], ExitCode.OK),
            (["cleanup", "--apply", "--yes"], ExitCode.DENIED),
            (["doctor"], None),
            (["audit", "--verify"], ExitCode.OK),
        ):
            found, _, err = ended(proxy.server, prefix, *arguments)
            assert code in (found, None), (arguments, err)
        assert len(proxy.log) > 40
        assert proxy.writes() == []
    assert objects() == before
    assert scene.audit.path.read_bytes() == trail


def test_broken_and_put_back(
    ended: Ended, served: tuple[S3Server, Path], root: Path, tmp_path: Path, prefix: str
) -> None:
    server, _ = served
    code, out, err = ended(
        server, prefix, "break", "--write", "--yes", "--json", "--reason", "gone", f"{VOLUME}/feed"
    )
    assert code == ExitCode.OK, err
    told = json.loads(out)
    assert told["outcome"] == "broken"
    assert told["result"]["window_ms"] > 0
    assert "the condition" in " ".join(one["why"] for one in told["plan"]["guarantees"])
    assert not (root / DEAD.key).exists()
    assert (root / LIVE.key).exists()
    # How long it took is told to the next.
    _, out, _ = ended(server, prefix, "break", "--json", f"{VOLUME}/beef")
    assert "measured once" in " ".join(one["why"] for one in json.loads(out)["plan"]["guarantees"])
    entry = told["result"]["id"]
    code, _, err = ended(server, prefix, "undo", entry, "--write")
    assert (code, "lock-beef000000000002.lck" in err) == (ExitCode.NEGATIVE, True)
    (root / LIVE.key).unlink()
    code, out, err = ended(server, prefix, "undo", entry, "--write")
    assert code == ExitCode.OK, err
    assert (root / DEAD.key).read_bytes() == DEAD.content


def test_a_denied_removal_leaves_it_and_says_what_is_missing(
    ended: Ended, root: Path, proxied: FaultProxy, tmp_path: Path, prefix: str
) -> None:
    denied = Rule("DELETE", r"lock-feed\w+\.lck", status=403, code="AccessDenied")
    with proxied.failing(denied):
        code, _, err = ended(proxied.server, prefix, "break", "--write", "--yes", f"{VOLUME}/feed")
    assert code == ExitCode.DENIED
    assert "s3:DeleteObject" in err
    assert (root / DEAD.key).exists()
    code, out, _ = ended(proxied.server, prefix, "undo", "--json")
    assert json.loads(out)["unfinished"] == []


def test_no_room_for_the_copy_and_nothing_is_removed(
    ended: Ended, root: Path, proxied: FaultProxy, tmp_path: Path, prefix: str
) -> None:
    full = Rule("PUT", QUARANTINE, status=507, code="InsufficientStorage")
    with proxied.failing(full):
        code, _, err = ended(proxied.server, prefix, "break", "--write", "--yes", f"{VOLUME}/feed")
    assert code == ExitCode.UNREACHABLE
    assert "no copy of" in err
    assert (root / DEAD.key).exists()


@pytest.mark.parametrize(("where", "stage"), [("request", "untouched"), ("reply", "removed")])
@pytest.mark.parametrize("way", ["--finish", "--take-back"])
def test_killed_in_its_middle_the_next_start_tells_and_ends_it(
    way: str,
    where: Where,
    stage: str,
    ended: Ended,
    root: Path,
    proxied: FaultProxy,
    tmp_path: Path,
    prefix: str,
) -> None:
    (root / LIVE.key).unlink()
    server = proxied.server
    # It stays: a removal that is let go later is carried out later.
    delete = proxied.add(Rule("DELETE", r"lock-feed\w+\.lck", times=1, hang=where))
    with locktop(tmp_path, server, prefix, "break", "--write", "--yes", f"{VOLUME}/feed") as one:
        until(lambda: delete.times == 0 and (root / DEAD.key).exists() == (where == "request"), "it hangs")
        one.process.kill()
        one.process.wait()
    (told,) = json.loads(ended(server, prefix, "undo", "--json")[1])["unfinished"]
    assert (told["stage"], told["running"]) == (stage, False)
    assert f"({told['id']}): interrupted: the lock is " in ended(server, prefix, "cleanup")[2]
    code, _, err = ended(server, prefix, "undo", way, told["id"], "--write")
    assert code == ExitCode.OK, err
    assert (root / DEAD.key).exists() is (way == "--take-back")
    assert json.loads(ended(server, prefix, "undo", "--json")[1])["unfinished"] == []


def test_ctrl_c_waits_for_the_end_of_the_transaction(
    ended: Ended, root: Path, proxied: FaultProxy, tmp_path: Path, prefix: str
) -> None:
    slow = Rule("DELETE", r"lock-feed\w+\.lck", times=1, latency_s=3)
    with (
        proxied.failing(slow),
        locktop(tmp_path, proxied.server, prefix, "break", "--write", "--yes", f"{VOLUME}/feed") as one,
    ):
        until(lambda: slow.times == 0, "the removal is on its way")
        one.send(2)
        one.said("ending as soon as nothing is half done")
        code, out, _ = one.end()
    assert code == ExitCode.INTERRUPTED
    assert "broken: pvc-1/lock-feed" in out
    assert not (root / DEAD.key).exists()
    _, out, _ = ended(proxied.server, prefix, "undo", "--json")
    assert (len(json.loads(out)["copies"]), json.loads(out)["unfinished"]) == (1, [])


def test_cleaned_up(
    ended: Ended, served: tuple[S3Server, Path], root: Path, tmp_path: Path, prefix: str
) -> None:
    write_locks(root, [Lock(VOLUME, f"lock-{n:016x}", age_s=900) for n in range(5)], time.time_ns())
    code, out, err = ended(served[0], prefix, "cleanup", "--apply", "--write", "--yes", "--limit", "4")
    assert code == ExitCode.OK, err
    assert "4/4 removed" in out
    code, out, err = ended(served[0], prefix, "cleanup", "--apply", "--write", "--yes", "--json")
    assert {one["outcome"] for one in json.loads(out)["items"]} == {"removed"}
    assert [path.name for path in (root / LIVE.key).parent.iterdir()] == [f"{LIVE.name}.lck"]
    _, out, _ = ended(served[0], prefix, "audit", "--verify", "--json")
    assert json.loads(out)["verified"]["problem"] == ""


# -- where conditions are honoured, and locks cannot be made older than they are


LEASE_S = 2.0


def test_moto_dead_locks_go_and_come_back(ended: Ended, moto: S3Server, tmp_path: Path, prefix: str) -> None:
    store = moto.store(prefix)
    store.put(Volume(VOLUME).cfg_key, Volume(VOLUME).cfg)
    store.put(DEAD.key, DEAD.content)
    written = time.monotonic()
    # S3 tells whole seconds, and its clock is known to as much.
    until(lambda: time.monotonic() - written > LEASE_S + 2.5, "the lease ends")
    arguments = ["break", "--write", "--yes", "--watch", "--json", f"{VOLUME}/feed"]
    with locktop(tmp_path, moto, prefix, *arguments, lease_s=LEASE_S) as one:
        code, out, err = one.end()
    assert code == ExitCode.OK, err
    told = json.loads(out)
    assert (told["outcome"], told["watch"]["fate"]) == ("broken", "gone for good")
    assert store.read(DEAD.key) is None
    entry = told["result"]["id"]
    code, _, err = ended(moto, prefix, "undo", entry, "--write")
    assert code == ExitCode.OK, err
    blob = store.read(DEAD.key)
    assert blob is not None
    assert blob.body == DEAD.content
    store.close()


def test_a_holder_in_the_manner_of_longhorn_that_wakes_is_noticed(
    ended: Ended, served: tuple[S3Server, Path], root: Path, tmp_path: Path, prefix: str
) -> None:
    """It slept through its lease, and then writes without looking."""
    (root / LIVE.key).unlink()
    store = served[0].store(prefix)
    peer = LonghornPeer(store, VOLUME, 1)
    assert peer.lock()
    name = peer.key.rpartition("/")[2].removesuffix(".lck")
    old = time.time_ns() - 500 * NS
    os.utime(root / peer.key, ns=(old, old))
    with locktop(
        tmp_path, served[0], prefix, "break", "--write", "--yes", "--watch", f"{VOLUME}/{name}"
    ) as one:
        one.said("watching for")
        assert not (root / peer.key).exists()
        peer.refresh_now()
        code, out, err = one.end()
    peer.unlock()
    store.close()
    assert code == ExitCode.NEGATIVE
    assert f"CAME BACK: {VOLUME}/{name}.lck came back: its holder is alive" in err
    assert "stop the process, not the file" in err
    _, out, _ = ended(served[0], prefix, "audit", "--json")
    assert json.loads(out)["entries"][-1]["outcome"] == "came back"
