"""S3 as it is met: what Google's and older stores need of a signature, and credentials that end too soon."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backuplock.errors import Denied
from backuplock.stores.s3 import S3Store
from harness.proxy import FaultProxy, Rule
from harness.s3 import ACCESS_KEY, SECRET_KEY

KEY = "backupstore/volumes/ab/cd/v/locks/lock-1.lck"
FOLDER = KEY.rpartition("/")[0]

ASKED: dict[str, Callable[[S3Store], object]] = {
    "list": lambda store: store.list(FOLDER),
    "read": lambda store: store.read(KEY),
    "put": lambda store: store.put(KEY, b"new"),
    "delete": lambda store: store.delete(KEY),
    "keys": lambda store: store.keys("backupstore/", "", 10),
}


class Handed:
    """A program of a profile that hands out credentials; `runs` tells how often it did."""

    def __init__(self, folder: Path) -> None:
        self._count, self._told = folder / "count", folder / "told"
        self.gives(ACCESS_KEY)
        program = folder / "credentials.py"
        program.write_text(
            "import pathlib\n"
            f"with open({str(self._count)!r}, 'a') as count: count.write('x')\n"
            f"print(pathlib.Path({str(self._told)!r}).read_text())\n"
        )
        self.config = folder / "config"
        self.config.write_text(f"[profile handed]\ncredential_process = {sys.executable} {program}\n")

    def gives(self, key: str) -> None:
        told = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": SECRET_KEY}
        # So far away that boto3 sees no need to ask again.
        told["Expiration"] = (datetime.now(UTC) + timedelta(hours=9)).isoformat()
        self._told.write_text(json.dumps(told))

    @property
    def runs(self) -> int:
        return len(self._count.read_text()) if self._count.exists() else 0

    def store(self, proxy: FaultProxy, prefix: str, *, fast_reads: bool = True) -> S3Store:
        return proxy.server.store(
            prefix,
            fast_reads=fast_reads,
            AWS_ACCESS_KEY_ID=None,
            AWS_SECRET_ACCESS_KEY=None,
            AWS_PROFILE="handed",
            AWS_CONFIG_FILE=str(self.config),
        )


@pytest.fixture
def handed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handed:
    # However slow the machine is, all of a test is within the pause between two fetches.
    monkeypatch.setattr("backuplock.stores.s3_link._BETWEEN_NS", 10**15)
    return Handed(tmp_path)


@pytest.mark.parametrize("fast_reads", [True, False])
@pytest.mark.parametrize("asked", ASKED)
def test_credentials_that_end_too_soon_are_fetched_again_once(
    proxy: FaultProxy, prefix: str, handed: Handed, asked: str, fast_reads: bool
) -> None:
    store = handed.store(proxy, prefix, fast_reads=fast_reads)
    store.put(KEY, b"old")
    for _ in range(2):
        store.list("")
    assert handed.runs == 1
    proxy.forget()
    proxy.add(Rule(status=400, code="ExpiredToken", times=1))
    ASKED[asked](store)
    assert proxy.log[0].status == 400
    assert (len(proxy.log), handed.runs) == (2, 2)
    found = store.read(KEY)
    assert (None if found is None else found.body) == {"put": b"new", "delete": None}.get(asked, b"old")
    store.close()


def test_a_key_that_was_taken_back_is_replaced_by_the_one_that_a_profile_has_now(
    proxy: FaultProxy, prefix: str, handed: Handed
) -> None:
    """The store itself refuses the old one."""
    handed.gives("AKGONE")
    store = handed.store(proxy, prefix)
    handed.gives(ACCESS_KEY)
    store.put(KEY, b"x", if_absent=False)
    for _ in range(3):
        assert store.list(FOLDER).entries
    store.close()
    used = [re.findall(r"Credential=(\w+)/", access.headers["authorization"])[0] for access in proxy.log]
    assert used == ["AKGONE"] + [ACCESS_KEY] * 4


def test_what_stays_refused_is_one_line_and_nobody_is_pestered(
    proxy: FaultProxy, prefix: str, handed: Handed
) -> None:
    store = handed.store(proxy, prefix)
    proxy.add(Rule(status=400, code="ExpiredToken"))
    for _ in range(5):
        with pytest.raises(Denied, match=r"expired.*aws sso login") as told:
            store.list("")
        assert "\n" not in str(told.value)
        assert SECRET_KEY not in str(told.value)
    assert (handed.runs, len(proxy.log)) == (2, 6)
    store.close()


def test_keys_of_the_environment_are_not_fetched_anew(proxy: FaultProxy, prefix: str) -> None:
    store = proxy.server.store(prefix)
    proxy.add(Rule(status=400, code="ExpiredToken"))
    with pytest.raises(Denied, match=r"expired; renew AWS_SESSION_TOKEN and both keys$"):
        store.put(KEY, b"x")
    assert len(proxy.log) == 1
    store.close()


def test_of_many_threads_one_fetches(proxy: FaultProxy, prefix: str, handed: Handed) -> None:
    store = handed.store(proxy, prefix)
    for _ in range(2):
        store.list("")
    proxy.add(Rule(status=400, code="ExpiredToken", times=8))
    ready, failed = threading.Barrier(8), []

    def ask() -> None:
        ready.wait(30)
        try:
            store.list("")
        except Denied as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    store.list("")
    # Whoever comes late may be refused once more with the new ones; it is told so, and nothing else.
    assert handed.runs == 2
    assert len(failed) < 8
    store.close()


@pytest.mark.parametrize("fast_reads", [True, False])
def test_a_signature_covers_nothing_that_is_changed_on_the_way(
    proxy: FaultProxy, prefix: str, fast_reads: bool
) -> None:
    """Google's front end rewrites Accept-Encoding, and it and older stores take no checksum in a trailer."""
    store = proxy.server.store(prefix, fast_reads=fast_reads)
    for _ in range(2):
        store.put(KEY, b"{}")
        for ask in ASKED.values():
            ask(store)
    store.close()
    assert len(proxy.log) == 12
    for access in proxy.log:
        signed = re.findall(r"SignedHeaders=([^,]+)", access.headers["authorization"])[0].split(";")
        assert not {"accept-encoding", "user-agent", "connection", "expect"} & set(signed)
        assert not [name for name in access.headers if "checksum" in name or "trailer" in name]
        assert "aws-chunked" not in access.headers.get("content-encoding", "")
        assert "delete" not in access.path.partition("?")[2]
        assert "Credential=" in access.headers["authorization"]
