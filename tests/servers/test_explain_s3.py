"""The commands that explain, on a real S3 server: the same answers, and not one request that writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backuplock import stores
from backuplock.stores.base import BODY_CAP, Blob, Capabilities, Listing, Store, Version
from backuplock.target import Target
from harness.builders import Lock, Volume, volume_folder, write, write_locks
from harness.commands import Done, fingerprint, run
from harness.complaints import later
from harness.s3 import BUCKET
from locktop.exits import ExitCode

if TYPE_CHECKING:
    from harness.s3 import S3Server

VOLUME = "pvc-3f3bd369-2ab6-43ea-aff5-c8455a1dca9a"
LIVE = Lock(VOLUME, "lock-live", 1, age_s=15)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, Path]]:
    """A server, and the folder that it serves as its bucket: files can be given any time there."""
    from harness.rclone import start_rclone

    folder = tmp_path_factory.mktemp("explain")
    running = start_rclone(folder / "data", folder / "log")
    yield running, folder / "data" / BUCKET
    assert running.process is not None
    running.process.stop()


class Recording:
    """A store before another that notes every verb."""

    def __init__(self, inner: Store, asked: list[str]) -> None:
        self.inner = inner
        self.asked = asked

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def list(self, folder: str) -> Listing:
        self.asked.append("list")
        return self.inner.list(folder)

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        self.asked.append("read")
        return self.inner.read(key, cap=cap)

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        self.asked.append(f"put {key}")
        return self.inner.put(key, body, if_match=if_match, if_absent=if_absent)

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        self.asked.append(f"delete {key}")
        self.inner.delete(key, if_match=if_match)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture
def recorded(
    server: tuple[S3Server, Path], monkeypatch: pytest.MonkeyPatch, prefix: str
) -> tuple[Path, list[str], str]:
    """The folder of a store with one live backup and what its deletion left, the verbs asked, the target."""
    running, bucket = server
    for name, value in running.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked: list[str] = []
    opened = stores.open_store

    def open_it(target: Target, *, writable: bool = False, environ: Mapping[str, str] | None = None) -> Store:
        # As if it might write: that nothing is written must not hang on the store's refusing it.
        return Recording(opened(target, writable=True, environ=environ), asked)

    monkeypatch.setattr(stores, "open_store", open_it)
    root = bucket / prefix
    volume = Volume(VOLUME, "shop", "orders-db", "orders")
    write(root, volume.cfg_key, volume.cfg)
    unfinished = f"{volume_folder(VOLUME)}/backups/backup_nightly.cfg"
    write(root, unfinished, b'{"Name":"nightly","CreatedTime":""}')
    write_locks(root, [LIVE, Lock(VOLUME, "lock-dead", 2, age_s=4000)], time.time_ns())
    return root, asked, f"s3://{BUCKET}@us-east-1/{prefix}/"


COMMANDS = {
    "explain": ["explain", later(VOLUME, "delete")],
    "show": ["show", VOLUME],
    "show by claim": ["show", "shop/orders-db"],
    "blocked": ["blocked"],
    "simulate": ["simulate", VOLUME, "--op", "delete", "--after-break", "lock-live"],
    "simulate batch": ["simulate", "--batch", "--op", "delete"],
    "watch": ["watch", "--for", "1s", "--interval", "0.3"],
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_is_written(
    arguments: list[str],
    form: str,
    recorded: tuple[Path, list[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, asked, target = recorded
    before = fingerprint(root)
    done = run(capsys, *arguments, "-t", target, *(["--json"] if form == "json" else []))
    assert done.code in (ExitCode.OK, ExitCode.NEGATIVE), done.err
    assert set(asked) == {"list", "read"}
    assert fingerprint(root) == before


def test_the_blocker_its_work_and_its_end(
    recorded: tuple[Path, list[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, asked, target = recorded
    done: Done = run(capsys, "explain", "-t", target, "--json", later(VOLUME, "delete"))
    (report,) = done.json["reports"]
    assert done.code == ExitCode.NEGATIVE
    assert [one["lock"] for one in report["blockers"]] == [LIVE.key]
    found = [one for one in report["picture"]["findings"] if one["topic"] == "operation"]
    assert [(one["mark"], one["operation"]) for one in found] == [("likely", "backup")]
    # One volume is a few requests, however large the store: its listings, locks, names, backups.
    assert len(asked) <= 9


def test_a_refresh_is_seen(recorded: tuple[Path, list[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    root, _, target = recorded
    refresh = threading.Timer(
        2.0, lambda: write_locks(root, [Lock(VOLUME, "lock-live", 1, age_s=0)], time.time_ns())
    )
    refresh.start()
    done = run(capsys, "show", "-t", target, "--json", "--watch", "60s", VOLUME)
    refresh.join()
    lives = {one["lock"]: one["liveness"] for one in done.json["locks"]}
    assert lives["lock-live"]["life"] == "live"
    assert "1 refresh seen" in " ".join(lives["lock-live"]["reasons"])


def test_wrong_keys_and_a_dead_server_are_one_line(
    recorded: tuple[Path, list[str], str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, _, target = recorded
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for arguments in COMMANDS.values():
        done = run(capsys, *arguments, "-t", target)
        assert (done.code, done.out) == (ExitCode.DENIED, "")
        assert "Traceback" not in done.err
    monkeypatch.setenv("AWS_ENDPOINTS", "http://127.0.0.1:1")
    done = run(capsys, "show", VOLUME, "-t", target)
    assert done.code == ExitCode.UNREACHABLE
