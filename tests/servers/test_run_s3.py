"""`locktop run` on a real S3 server: the lock's life, refusals by kind, and a server that hangs."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from backuplock import layout
from harness.builders import Lock
from harness.process import free_port
from harness.proxy import FaultProxy, Rule
from harness.rclone import start_rclone
from harness.running import POLITE, VOLUME, alive, locks, make_store, running, until
from harness.s3 import BUCKET, S3Server
from locktop.exits import ExitCode


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, Path]]:
    """A server of these tests' own, to be frozen, and the folder that is its bucket."""
    folder = tmp_path_factory.mktemp("run")
    server = start_rclone(folder / "data", folder / "log")
    yield server, folder / "data" / BUCKET
    assert server.process is not None
    server.process.stop()


@pytest.fixture(autouse=True)
def _volume(served: tuple[S3Server, Path], prefix: str) -> None:
    make_store(served[1] / prefix)


def exports(server: S3Server, **changes: str | None) -> dict[str, str]:
    return {**server.environ(**changes), "NO_PROXY": "127.0.0.1", "AWS_EC2_METADATA_DISABLED": "true"}


def arguments(server: S3Server, prefix: str, script: str, purpose: str = "backup") -> list[str]:
    target = server.url(prefix)
    return ["run", "-t", target, "--volume", VOLUME, "--for", purpose, "--", "sh", "-c", script]


def test_the_lock_is_there_while_the_command_runs_and_gone_afterwards(
    served: tuple[S3Server, Path], tmp_path: Path, prefix: str
) -> None:
    server, bucket = served
    with running(
        tmp_path, *arguments(server, prefix, "echo $LOCKTOP_LOCK_KEY; exit 7"), **exports(server)
    ) as p:
        code, out, err = p.end()
    assert code == 7
    assert out.strip().endswith(".lck")
    assert "exclusivity proven" in err
    assert locks(bucket / prefix) == []


def test_a_refusal_names_the_blocker(served: tuple[S3Server, Path], tmp_path: Path, prefix: str) -> None:
    server, bucket = served
    blocker = Lock(VOLUME, "lock-feedfacefeedface", type=1)
    store = server.store(prefix)
    store.put(blocker.key, blocker.content)
    store.close()
    command = arguments(server, prefix, "touch started", "delete")
    with running(tmp_path, *command, **exports(server)) as p:
        code, out, err = p.end()
    assert (code, out) == (ExitCode.NEGATIVE, "")
    assert "lock-feedfacefeedface (backup or restore, held" in err
    assert locks(bucket / prefix) == [bucket / prefix / blocker.key]
    assert not (tmp_path / "started").exists()


def test_what_is_not_there_is_not_locked(served: tuple[S3Server, Path], tmp_path: Path, prefix: str) -> None:
    server, bucket = served
    mistyped = [f"{word}x" if word == VOLUME else word for word in arguments(server, prefix, "touch started")]
    with running(tmp_path, *mistyped, **exports(server)) as p:
        code, _, err = p.end()
    assert code == ExitCode.MISSING
    assert f"did you mean {VOLUME}?" in err
    with running(tmp_path, *arguments(server, f"{prefix}/empty", "touch started"), **exports(server)) as p:
        code, _, err = p.end()
    assert code == ExitCode.MISSING
    assert "there is no backupstore here" in err
    assert not (bucket / prefix / "empty").exists()
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, ExitCode.DENIED),
        ({"AWS_ENDPOINTS": "http://127.0.0.1:{port}"}, ExitCode.UNREACHABLE),
    ],
)
def test_refusals_by_kind(
    served: tuple[S3Server, Path], tmp_path: Path, prefix: str, changes: dict[str, str], code: ExitCode
) -> None:
    server, bucket = served
    found = {name: value.format(port=free_port()) for name, value in changes.items()}
    command = arguments(server, prefix, "touch started")
    # Tries to take back what may have been written are spread over a part of the lease.
    with running(tmp_path, *command, lease_s=15, **exports(server, **found)) as p:
        ended, out, err = p.end()
    assert (ended, out) == (code, ""), err
    assert err.count("\n") == 1
    assert not (tmp_path / "started").exists()
    assert locks(bucket / prefix) == []


def test_a_store_that_does_not_answer_at_all_is_said_to(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = S3Server("silent", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with running(tmp_path, *arguments(server, "p", "touch started"), **exports(server)) as p:
            p.said("no answer so far, still trying; nothing is written there yet")
            p.send(signal.SIGTERM)
            code, _, err = p.end()
    assert (code, err) == (128 + signal.SIGTERM, "")
    assert not (tmp_path / "started").exists()


def test_a_server_that_hangs_loses_the_lock_and_the_command_is_told_in_time(
    served: tuple[S3Server, Path], tmp_path: Path, prefix: str
) -> None:
    server, bucket = served
    assert server.process is not None
    command = arguments(server, prefix, POLITE)
    with running(tmp_path, *command, lease_s=6, **exports(server)) as p:
        p.started()
        child = p.command()
        server.process.signal(signal.SIGSTOP)
        try:
            # The renewal hangs for longer than the lease: one request may take 10 s, and is sent twice.
            until(lambda: not alive(child), "the command has ended")
            assert (tmp_path / "told").exists()
            assert p.process.poll() is None
        finally:
            server.process.signal(signal.SIGCONT)
        code, _, err = p.end()
    assert code == ExitCode.LOST
    assert "is lost (expired)" in err
    assert locks(bucket / prefix) == []


def _with_options(command: list[str], *options: str) -> list[str]:
    at = command.index("--")
    return [*command[:at], *options, *command[at:]]


@pytest.mark.parametrize(
    ("name", "options", "told", "limited"),
    [
        ("moto", (), r"guaranteed: [^;]*a removed lock stays removed", False),
        ("ceph", (), r"guaranteed: [^;]*a removed lock stays removed", False),
        ("rclone_http", (), r"not guaranteed: [^;]*a removed lock stays removed", True),
        ("moto", ("--no-probe",), r"taken on trust: [^;]*a removed lock stays removed", True),
    ],
)
def test_what_holds_is_found_out_and_told(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    prefix: str,
    name: str,
    options: tuple[str, ...],
    told: str,
    limited: bool,
) -> None:
    server: S3Server = request.getfixturevalue(name)
    store = server.store(prefix)
    store.put(layout.volume_cfg(VOLUME), b"{}")
    command = _with_options(arguments(server, prefix, "true"), *options)
    with running(tmp_path, *command, **exports(server)) as p:
        code, _, err = p.end()
    assert code == 0, err
    assert re.search(rf"^locktop: {told}|; {told}", err, re.MULTILINE), err
    assert "exclusivity proven" in err
    assert ("a removal of our file" in err) is limited
    assert [entry.name for entry in store.list(layout.ROOT).entries] == []
    assert store.list(layout.ROOT).folders == ("volumes",)


def test_a_probe_that_is_refused_is_no_obstacle(proxy: FaultProxy, tmp_path: Path, prefix: str) -> None:
    store = proxy.server.store(prefix)
    store.put(layout.volume_cfg(VOLUME), b"{}")
    proxy.add(Rule(method="PUT", path=r"\.locktop", status=403, code="AccessDenied"))
    with running(tmp_path, *arguments(proxy.server, prefix, "true"), **exports(proxy.server)) as p:
        code, _, err = p.end()
    assert code == 0, err
    assert "whether the store honours conditions is not known" in err
    assert "taken on trust: " in err
    assert any(access.status == 403 for access in proxy.log)
