"""A store whose listings lag, in earnest: the lag is measured, and the lock refuses."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from backuplock.errors import LockError, Unsupported
from backuplock.guarantees import UNPROVEN_LISTINGS, guarantees, measure_listing_lag, terms_for, with_lag
from backuplock.lock import BackupLock
from backuplock.model import Operation
from backuplock.protocol import Proof
from backuplock.stores.filesystem import FilesystemStore
from harness.builders import volume_folder
from harness.locks import VOLUME
from harness.s3 import S3Server
from harness.stale import StalePair
from locktop.holder import in_words


def test_two_stale_servers_are_found_out_and_refused(stale_pair: StalePair, prefix: str) -> None:
    left, right = stale_pair.left.store(prefix), stale_pair.right.store(prefix)
    lag = measure_listing_lag(left, right, "scratch", patience_s=30)
    assert lag is not None
    assert 0 < lag <= stale_pair.stale_s + 15
    left.capabilities = with_lag(left.capabilities, lag)
    first = guarantees(left.capabilities)[0]
    assert (first.name, first.holds) == ("exclusion among our own clients", False)
    with pytest.raises(Unsupported, match="listings lag"):
        BackupLock(left, VOLUME, Operation.BACKUP)
    assert left.list("backupstore").entries == ()
    # Who accepts it gets a lock, and never a proof.
    lock = BackupLock(left, VOLUME, Operation.BACKUP, terms=terms_for(left.capabilities, accept_lagging=True))
    lock.acquire()
    certificate = lock.release()
    assert certificate.proof is Proof.NOT_PROVEN
    assert "lag" in certificate.reason


def test_what_one_client_cannot_see_its_certificate_says(stale_pair: StalePair, prefix: str) -> None:
    """Two locks of opposite types, each through a server that has not seen the other's file yet."""
    stores = [server.store(prefix) for server in (stale_pair.left, stale_pair.right)]
    folder = f"{volume_folder(VOLUME)}/locks"
    stores[0].put(f"{folder}/lock-00000000deadbeef.lck.tmp.1", b"")
    for store in stores:
        # Servers keep what they were asked for; the folder is there before either lock is.
        store.list(folder)
    locks = [
        BackupLock(store, VOLUME, operation)
        for store, operation in zip(stores, (Operation.BACKUP, Operation.DELETE), strict=True)
    ]
    granted = []
    for lock in locks:
        with suppress(LockError):
            lock.acquire()
            granted.append(lock)
    assert granted
    for lock in granted:
        certificate = lock.release()
        assert UNPROVEN_LISTINGS in certificate.caveats
        assert "on trust" in in_words(certificate)


@pytest.mark.parametrize("name", ["rclone_http", "moto", "ceph"])
def test_one_server_shows_no_lag(request: pytest.FixtureRequest, name: str, prefix: str) -> None:
    server: S3Server = request.getfixturevalue(name)
    one, other = server.store(prefix), server.store(prefix)
    assert measure_listing_lag(one, other, "scratch") is None
    assert one.list("scratch").entries == ()


def test_a_local_folder_shows_no_lag(tmp_path: Path) -> None:
    one, other = (FilesystemStore(tmp_path, writable=True) for _ in range(2))
    assert measure_listing_lag(one, other, "scratch") is None
