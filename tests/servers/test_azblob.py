"""Azure blob storage beyond the conformance suite: commands on Azurite, breaking by etag, refusals."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")

from backuplock.breaking.promises import promises
from backuplock.errors import Conflict, Denied, Malformed, Missing, Unreachable
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.stores import open_store
from backuplock.stores.azblob_config import read_settings
from backuplock.target import parse_target
from harness.azurite import AzureServer
from harness.builders import Lock, Volume
from harness.commands import run
from harness.process import free_port
from locktop.exits import ExitCode

LOCK = Lock("pvc-1", "lock-0000000000000001", type=2)


@pytest.fixture
def there(azurite: AzureServer, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The target of a store with one lock, with Longhorn's variables in the environment."""
    for name, value in azurite.environ().items():
        monkeypatch.setenv(name, value)
    store = azurite.store(prefix)
    volume = Volume("pvc-1", "shop", "orders", "orders")
    store.put(volume.cfg_key, volume.cfg)
    store.put(LOCK.key, LOCK.content)
    yield azurite.url(prefix)
    store.close()


def test_commands_see_the_lock(there: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "ls", "--json", there)
    assert done.code == ExitCode.OK
    (lock,) = done.json["locks"]
    assert (lock["key"], lock["state"], lock["claim"]) == (LOCK.key, "held", "orders")
    assert run(capsys, "blocked", "-t", there).code == ExitCode.NEGATIVE
    done = run(capsys, "doctor", "--write", there)
    assert done.code in (ExitCode.OK, ExitCode.NEGATIVE)
    assert "conditions" in done.out
    assert "Traceback" not in done.err


def test_a_lock_is_taken_and_given_back(azurite: AzureServer, prefix: str) -> None:
    store = azurite.store(prefix)
    lock = BackupLock(store, "pvc-9", Operation.BACKUP)
    with lock.hold(timeout=30):
        lock.check()
        assert store.list("backupstore/volumes").folders
    store.close()


def test_a_refresh_of_the_same_bytes_is_seen_by_the_condition(azurite: AzureServer, prefix: str) -> None:
    store = azurite.store(prefix)
    first = store.put(LOCK.key, LOCK.content)
    store.put(LOCK.key, LOCK.content)
    with pytest.raises(Conflict):
        store.delete(LOCK.key, if_match=first.etag)
    assert store.read(LOCK.key) is not None
    store.close()


def test_breaking_says_that_a_refresh_is_seen(azurite: AzureServer, prefix: str) -> None:
    store = azurite.store(prefix)
    first, *_ = promises(store.capabilities, renames=False, changes=False)
    assert first.holds is True
    assert "etag" in first.why
    store.close()


def test_of_a_long_listing_every_page_is_read(azurite: AzureServer, prefix: str) -> None:
    store = azurite.store(prefix)
    names = [f"n{number:04d}" for number in range(30)]
    for name in names:
        store.put(f"a/{name}", b"")
    walked = store._client.walk_blobs
    store._client.walk_blobs = lambda **how: walked(**how, results_per_page=7)  # type: ignore[assignment]
    found = store.list("a")
    assert [entry.name for entry in found.entries] == names
    assert found.requests == 5
    store.close()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"AZBLOB_ACCOUNT_NAME": None}, Denied, "AZBLOB_ACCOUNT_NAME is not set"),
        ({"AZBLOB_ACCOUNT_KEY": ""}, Denied, "AZBLOB_ACCOUNT_KEY is not set"),
        ({"AZBLOB_ENDPOINT": "ftp://x"}, Malformed, "AZBLOB_ENDPOINT is not an http URL"),
        ({"AZBLOB_ENDPOINT": "https://me:pw@x"}, Malformed, "AZBLOB_ENDPOINT is not an http URL"),
        ({"AZBLOB_ACCOUNT_KEY": "bm8="}, Denied, "key"),
        ({"AZBLOB_ACCOUNT_KEY": "not base64 at all"}, Denied, "AZBLOB_ACCOUNT_KEY is not base64"),
        ({"AZBLOB_ENDPOINT": f"http://127.0.0.1:{free_port()}"}, Unreachable, "refused"),
    ],
)
def test_refusals_are_one_line_without_the_key(
    azurite: AzureServer, changes: dict[str, str | None], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as told:
        azurite.store("x", **changes).list("")
    text = str(told.value)
    assert said in text
    assert "\n" not in text
    assert len(text) < 400
    for secret in (azurite.environ()["AZBLOB_ACCOUNT_KEY"], "bm8=", "at all", "pw@"):
        assert secret not in text


def test_a_missing_container(azurite: AzureServer) -> None:
    with pytest.raises(Missing, match="no-such"):
        azurite.store("x", container="no-such").list("")


def test_a_certificate_is_added_to_those_of_the_system(azurite: AzureServer) -> None:
    store = azurite.store("x", AZBLOB_CERT="-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----")
    made = store._forget_ca.peek()
    assert made is not None
    path = made[2][0]
    assert isinstance(path, Path)
    assert path.read_text().count("BEGIN CERTIFICATE") > 10
    store.close()
    assert not path.exists()


def test_where_an_account_is() -> None:
    keys = {"AZBLOB_ACCOUNT_NAME": "acme", "AZBLOB_ACCOUNT_KEY": "a2V5"}
    usual = read_settings(parse_target("azblob://box@core.windows.net/p/"), keys)
    assert usual.account_url == "https://acme.blob.core.windows.net"
    china = read_settings(parse_target("azblob://box@core.chinacloudapi.cn/p/"), keys)
    assert china.account_url == "https://acme.blob.core.chinacloudapi.cn"
    own = read_settings(parse_target("azblob://box/p/"), {**keys, "AZBLOB_ENDPOINT": "http://h:10000/"})
    assert own.account_url == "http://h:10000/acme"
    assert "a2V5" not in repr(own)


def test_without_the_sdk_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure.storage.blob", None)
    monkeypatch.delitem(sys.modules, "backuplock.stores.azblob", raising=False)
    done = run(capsys, "ls", "azblob://box@core.windows.net/path/")
    assert (done.code, done.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "locktop[azblob]" in done.err


def test_without_keys_it_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZBLOB_ACCOUNT_NAME", raising=False)
    with pytest.raises(Denied, match="AZBLOB_ACCOUNT_NAME"):
        open_store(parse_target("azblob://box@core.windows.net/path/"))
