"""`locktop ls` on real S3 servers: the whole answer, and each way to be refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import backuplock
import locktop
from harness.builders import LEASE_S, Fleet, Lock, fleet, write_all
from harness.s3 import BUCKET, SECRET_KEY
from locktop import cli
from locktop.exits import ExitCode

if TYPE_CHECKING:
    from harness.s3 import S3Server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, Path]]:
    """A server, and the folder that it serves as its bucket: files can be given any time there."""
    from harness.rclone import start_rclone

    folder = tmp_path_factory.mktemp("ls")
    server = start_rclone(folder / "data", folder / "log")
    yield server, folder / "data" / BUCKET
    assert server.process is not None
    server.process.stop()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Exports a server's variables."""

    def export(server: S3Server, **changes: str | None) -> None:
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "ENDPOINTS", "CERT", "PROFILE"):
            monkeypatch.delenv(f"AWS_{name}", raising=False)
        for name, value in server.environ(**changes).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        # Without keys boto3 asks everywhere it knows, the network included.
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    return export


def blockers(lock: Lock, made: Fleet) -> set[str]:
    """Who keeps a waiting lock out, from what was planted."""
    if lock.raw is not None or lock.acquired or lock.age_s > LEASE_S:
        return set()
    return {
        other.key
        for other in made.locks
        if other.volume == lock.volume
        and other is not lock
        and other.age_s <= LEASE_S
        and (
            other.raw is not None
            or (other.type != lock.type and (other.acquired or other.age_s > lock.age_s))
        )
    }


def test_500_volumes_and_60_locks_equal_what_the_files_say(
    served: tuple[S3Server, Path], use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server, bucket = served
    made = fleet(500, 60)
    now = time.time_ns()
    write_all(bucket / prefix, made, now)
    use(server)
    assert cli.main(["ls", "--json", server.url(prefix)]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["complete"] is True
    assert document["volumes"]["found"] == len(made.volumes)
    assert document["volumes"]["locked"] == len({lock.volume for lock in made.locks})
    assert abs(document["store_clock"]["skew_seconds"]) <= 2
    found = {lock["key"]: lock for lock in document["locks"]}
    assert set(found) == {lock.key for lock in made.locks}
    assert [lock["key"] for lock in document["locks"]] == sorted(
        found, key=lambda key: (key.split("/")[4], key)
    )
    names = {volume.name: volume for volume in made.volumes}
    for lock in made.locks:
        got, volume = found[lock.key], names[lock.volume]
        record = lock.raw is None
        assert got["lock"] == lock.name
        assert got["volume"] == lock.volume
        assert got["type"] == (lock.type if record else None)
        assert got["acquired"] == (lock.acquired if record else None)
        assert got["state"] == lock.state
        assert got["blocks"] == lock.blocks
        assert set(got["blocked_by"]) == blockers(lock, made)
        assert got["size"] == len(lock.content)
        modified = (now - round(lock.age_s * 1e9)) // 10**9
        assert got["modified_at"] == f"{datetime.fromtimestamp(modified, UTC):%Y-%m-%dT%H:%M:%SZ}"
        assert lock.age_s - 2 <= got["age_seconds"] <= lock.age_s + 60
        expected = ("", "", "") if volume.ghost else (volume.namespace, volume.claim, volume.workload)
        assert (got["namespace"], got["claim"], got["workload"]) == expected
    assert {lock["state"] for lock in document["locks"]} == {"held", "late", "stale", "waiting", "bad"}
    clashing = {lock["key"] for lock in document["locks"] if lock["clashes"]}
    assert clashing == {lock.key for lock in made.locks if _clashes(lock, made)}
    assert clashing


def _clashes(lock: Lock, made: Fleet) -> bool:
    return any(
        other.volume == lock.volume and other.type != lock.type
        for other in made.locks
        if all(one.raw is None and one.acquired and one.age_s <= LEASE_S for one in (lock, other))
    )


def test_the_table_of_the_same_store(
    served: tuple[S3Server, Path], use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server, bucket = served
    made = fleet(30, 14)
    write_all(bucket / prefix, made, time.time_ns())
    use(server)
    assert cli.main(["ls", server.url(prefix)]) == ExitCode.OK
    out, err = capsys.readouterr()
    shown = {line.split()[-1]: line.split()[0] for line in out.splitlines()[1:]}
    assert shown == {lock.name: lock.state for lock in made.locks}
    assert "(s3 replies)" in err


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that was said."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("locktop: ")
    assert SECRET_KEY not in err
    return err


@pytest.mark.parametrize("form", ["", "--json", "--csv"])
def test_a_wrong_secret(
    rclone_http: S3Server, use: Any, prefix: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(rclone_http, AWS_SECRET_ACCESS_KEY="hunter2hunter2")
    assert cli.main(["ls", rclone_http.url(prefix), *filter(None, [form])]) == ExitCode.DENIED
    line = refused(capsys)
    assert "hunter2" not in line
    assert "AWS_SECRET_ACCESS_KEY" in line


def test_an_unknown_key_id(
    rclone_http: S3Server, use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(rclone_http, AWS_ACCESS_KEY_ID="NOBODY")
    assert cli.main(["ls", rclone_http.url(prefix)]) == ExitCode.DENIED
    assert "AWS_ACCESS_KEY_ID" in refused(capsys)


@pytest.mark.parametrize("left", ["", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_missing_credentials(
    rclone_http: S3Server, use: Any, prefix: str, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} - {left}
    use(rclone_http, **dict.fromkeys(names))
    assert cli.main(["ls", rclone_http.url(prefix)]) == ExitCode.DENIED
    line = refused(capsys)
    assert all(name in line for name in names)


def test_a_missing_bucket(
    rclone_http: S3Server, use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(rclone_http)
    assert cli.main(["ls", rclone_http.url(prefix, bucket="absent")]) == ExitCode.MISSING
    assert "absent" in refused(capsys)


def test_a_prefix_without_a_backupstore(
    rclone_http: S3Server, use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(rclone_http)
    assert cli.main(["ls", rclone_http.url(prefix)]) == ExitCode.MISSING
    assert "is the path right?" in capsys.readouterr().err


def test_an_authority_that_nobody_knows_until_it_is_named(
    rclone_https: S3Server, use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(rclone_https, AWS_CERT=None)
    assert cli.main(["ls", rclone_https.url(prefix)]) == ExitCode.UNREACHABLE
    assert "AWS_CERT" in refused(capsys)
    use(rclone_https)
    store = rclone_https.store(prefix)
    lock = Lock("pvc-a", "lock-1")
    store.put(lock.key, lock.content)
    store.close()
    assert cli.main(["ls", "--json", rclone_https.url(prefix)]) == ExitCode.OK
    assert [one["key"] for one in json.loads(capsys.readouterr().out)["locks"]] == [lock.key]


def test_a_server_that_is_not_there(
    rclone_http: S3Server, use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.process import free_port

    use(rclone_http, AWS_ENDPOINTS=f"http://127.0.0.1:{free_port()}")
    assert cli.main(["ls", rclone_http.url(prefix)]) == ExitCode.UNREACHABLE
    assert "AWS_ENDPOINTS" in refused(capsys)


def test_long_names_on_an_object_store(
    moto: S3Server, use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(moto)
    # S3 keys have 1,024 bytes at most: the volume gets what the rest leaves.
    lock = Lock("pvc-" + "x" * 800 + "\x1b[31m\u202e[red]", "lock-1")
    store = moto.store(prefix)
    store.put(lock.key, lock.content)
    store.close()
    assert cli.main(["ls", "--json", moto.url(prefix)]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["locks"][0]["volume"] == lock.volume
    assert cli.main(["ls", moto.url(prefix)]) == ExitCode.OK
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


def test_nothing_is_written(
    served: tuple[S3Server, Path], use: Any, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.proxy import FaultProxy

    server, bucket = served
    write_all(bucket / prefix, fleet(5, 3), time.time_ns())
    with FaultProxy(server) as proxy:
        use(proxy.server)
        assert cli.main(["ls", "--all", proxy.server.url(prefix)]) == ExitCode.OK
        assert proxy.log
        assert not any(access.is_write for access in proxy.log)


@pytest.mark.parametrize("how", ["timeout", "interrupt"])
def test_a_sweep_that_hangs_half_way_is_left_behind(
    served: tuple[S3Server, Path], prefix: str, how: str
) -> None:
    from harness.proxy import FaultProxy, Rule

    server, bucket = served
    write_all(bucket / prefix, fleet(5, 3), time.time_ns())
    source = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (backuplock, locktop))
    with FaultProxy(server) as proxy:
        # The root is listed, the folders below it never are: threads hang that no signal reaches.
        proxy.add(Rule(path=r"volumes(/|%2F)[0-9a-f]{2}", hang="request"))
        environ = {**os.environ, **proxy.server.environ(), "NO_PROXY": "127.0.0.1", "PYTHONPATH": source}
        patience = ["--timeout", "1"] if how == "timeout" else []
        process = subprocess.Popen(
            [sys.executable, "-m", "locktop", "ls", *patience, proxy.server.url(prefix)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        give_up = time.monotonic() + 60
        while not proxy.log and time.monotonic() < give_up and process.poll() is None:
            time.sleep(0.02)
        asked = time.monotonic()
        if how == "interrupt":
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        # Each of the requests would be waited for 20 s.
        assert time.monotonic() - asked < 15
    assert out == ""
    if how == "timeout":
        assert (process.returncode, err.count("\n")) == (ExitCode.UNREACHABLE, 1)
        assert "no complete answer in 1 s" in err
    else:
        assert (process.returncode, err) == (ExitCode.INTERRUPTED, "")
