"""Fixtures for all tests: real servers, started once per session when first asked for.

What they need is imported by whoever asks: most tests want neither a server nor boto3.
"""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from harness.azurite import AzureServer
    from harness.proxy import FaultProxy
    from harness.s3 import S3Server
    from harness.stale import StalePair
    from harness.tls import Tls


# Half of the usual number: CI has a quarter of an hour for everything. What wants more says so itself.
settings.register_profile("quick", max_examples=50)
settings.load_profile("quick")


def pytest_configure() -> None:
    """Programs that tests start inherit which signals are ignored: SIGINT and SIGQUIT are, where
    the tests themselves were started in the background by a script."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test's console writes and reads of its own is not that of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """An authority that no system knows, and a certificate of it for loopback."""
    from harness.tls import make_tls

    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def rclone_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """rclone over http; checks keys."""
    from harness.rclone import start_rclone

    folder = tmp_path_factory.mktemp("rclone")
    server = start_rclone(folder / "data", folder / "log")
    yield server
    _stop(server)


@pytest.fixture(scope="session")
def rclone_https(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[S3Server]:
    """rclone over https with a certificate of `tls`."""
    from harness.rclone import start_rclone

    folder = tmp_path_factory.mktemp("rclone-tls")
    server = start_rclone(folder / "data", folder / "log", tls=tls, name="rclone https")
    yield server
    _stop(server)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """moto over http; honours conditions, takes any keys."""
    from harness.moto import start_moto

    server = start_moto(tmp_path_factory.mktemp("moto") / "log")
    yield server
    _stop(server)


@pytest.fixture(scope="session")
def ceph() -> Iterator[S3Server]:
    """Ceph's gateway over http, where it is installed."""
    from harness.ceph import Ceph, missing_programs

    missing = missing_programs()
    if missing:
        pytest.skip(f"Ceph is not installed (no {', '.join(missing)}); CI installs radosgw and its like")
    cluster = Ceph()
    yield cluster.server
    cluster.stop()


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """Azurite over http, where it is installed."""
    pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    from harness.azurite import missing_program, start_azurite

    missing = missing_program()
    if missing:
        pytest.skip(missing)
    server = start_azurite(tmp_path_factory.mktemp("azurite") / "log")
    yield server
    assert server.process is not None
    server.process.stop()


@pytest.fixture(scope="session")
def stale_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StalePair]:
    """Two servers over one folder with stale listings."""
    from harness.stale import start_stale_pair

    folder = tmp_path_factory.mktemp("stale")
    pair = start_stale_pair(folder / "data", folder)
    yield pair
    pair.stop()


@pytest.fixture
def proxy(rclone_http: S3Server) -> Iterator[FaultProxy]:
    """A fault proxy of the test's own before `rclone_http`."""
    from harness.proxy import FaultProxy

    with FaultProxy(rclone_http) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


def _stop(server: S3Server) -> None:
    if server.process is not None:
        server.process.stop()
