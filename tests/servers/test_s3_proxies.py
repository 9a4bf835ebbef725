"""How requests travel: proxies, addressing, and what is in them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from backuplock.errors import Missing, Unreachable
from backuplock.stores.s3_config import Limits
from harness.process import free_port
from harness.proxy import FaultProxy
from harness.rclone import start_rclone
from harness.s3 import BUCKET, S3Server
from harness.tls import make_tls

KEY = "backupstore/volumes/2d/af/pvc-1/locks/lock-1.lck"
# Of a domain that is never there: only a proxy can make sense of it.
NAMED = "http://s3.example.invalid"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_http_proxy_is_used(proxy: FaultProxy, rclone_http: S3Server, prefix: str, name: str) -> None:
    store = rclone_http.store(prefix, AWS_ENDPOINTS=NAMED, **{name: proxy.endpoint})
    store.put(KEY, b"through")
    found = rclone_http.store(prefix).read(KEY)
    assert found is not None
    assert found.body == b"through"
    assert [access.host for access in proxy.log] == ["s3.example.invalid"]


@pytest.mark.parametrize("exception", ["s3.example.invalid", ".example.invalid", "example.invalid:80", "*"])
def test_no_proxy_excepts(proxy: FaultProxy, rclone_http: S3Server, prefix: str, exception: str) -> None:
    store = rclone_http.store(
        prefix, AWS_ENDPOINTS=NAMED, HTTP_PROXY=proxy.endpoint, NO_PROXY=f"other.example,{exception}"
    )
    with pytest.raises(Unreachable, match="no connection to http://s3"):
        store.list("")
    assert proxy.log == []


def test_loopback_is_never_proxied(proxy: FaultProxy, rclone_http: S3Server, prefix: str) -> None:
    store = rclone_http.store(prefix, HTTP_PROXY=proxy.endpoint)
    assert store.list("").entries == ()
    assert proxy.log == []


def test_https_goes_through_https_proxy(tmp_path: Path, prefix: str) -> None:
    tls = make_tls(tmp_path / "tls", host="s3.example.invalid")
    server = start_rclone(tmp_path / "data", tmp_path / "log", tls=tls)
    try:
        # The proxy passes what it tunnels on to its server, whatever name was asked for.
        with FaultProxy(server) as proxy:
            environment = {"AWS_ENDPOINTS": "https://s3.example.invalid", "HTTPS_PROXY": proxy.endpoint}
            store = server.store(prefix, HTTP_PROXY="http://127.0.0.1:1", **environment)
            store.put(KEY, b"through")
            assert store.read(KEY) is not None
            assert {access.method for access in proxy.log} == {"CONNECT"}
            store.close()
    finally:
        assert server.process is not None
        server.process.stop()


def test_a_proxy_that_is_not_there_is_named_without_its_password(rclone_http: S3Server, prefix: str) -> None:
    port = free_port()
    url = f"http://user:proxy-password@127.0.0.1:{port}"
    store = rclone_http.store(prefix, AWS_ENDPOINTS=NAMED, HTTP_PROXY=url, limits=Limits(attempts=1))
    with pytest.raises(Unreachable) as told:
        store.list("")
    assert f"the proxy 127.0.0.1:{port}" in str(told.value)
    assert "HTTP_PROXY" in str(told.value)
    assert "proxy-password" not in str(told.value)


def test_the_process_environment_gives_no_proxy_to_a_store_with_its_own(
    rclone_http: S3Server, prefix: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
    store = rclone_http.store(prefix, AWS_ENDPOINTS=NAMED, limits=Limits(attempts=1))
    with pytest.raises(Unreachable):
        store.list("")
    assert proxy.log == []


@pytest.mark.parametrize(
    ("style", "host", "begins"),
    [
        (None, "s3.example.invalid", f"/{BUCKET}/"),
        ("false", "s3.example.invalid", f"/{BUCKET}/"),
        ("true", f"{BUCKET}.s3.example.invalid", "/"),
    ],
)
def test_addressing(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, style: str | None, host: str, begins: str
) -> None:
    store = rclone_http.store(
        prefix, AWS_ENDPOINTS=NAMED, HTTP_PROXY=proxy.endpoint, VIRTUAL_HOSTED_STYLE=style
    )
    # rclone takes the first part of the path for the bucket, whatever the host says.
    with pytest.raises(Missing) if style == "true" else nullcontext():
        store.read(KEY)
    (access, *_) = proxy.log
    assert access.host == host
    assert access.path.startswith(f"{begins}{prefix}/")


@pytest.mark.parametrize("style", [None, "true"])
def test_without_an_endpoint_the_bucket_is_in_amazons_host(
    proxy: FaultProxy, prefix: str, rclone_http: S3Server, style: str | None
) -> None:
    # Through the proxy's CONNECT the host shows, and rclone is not Amazon: the handshake ends it.
    store = rclone_http.store(
        prefix,
        AWS_ENDPOINTS=None,
        VIRTUAL_HOSTED_STYLE=style,
        HTTPS_PROXY=proxy.endpoint,
        limits=Limits(attempts=1, connect_s=2, read_s=2),
    )
    with pytest.raises(Unreachable):
        store.list("")
    assert proxy.log[0].host.split(":")[0] in (
        f"{BUCKET}.s3.us-east-1.amazonaws.com",
        f"{BUCKET}.s3.amazonaws.com",
    )


@pytest.fixture
def one_put(proxy: FaultProxy, prefix: str) -> dict[str, str]:
    """The headers of one plain put."""
    proxy.server.store(prefix).put(KEY, b"x")
    (access,) = proxy.log
    return access.headers


def test_a_put_has_nothing_that_stores_stumble_over(one_put: dict[str, str]) -> None:
    assert one_put["content-length"] == "1"
    for name in ("expect", "transfer-encoding", "content-encoding", "x-amz-trailer"):
        assert name not in one_put
    assert not [name for name in one_put if name.startswith("x-amz-checksum")]
    assert one_put["x-amz-content-sha256"] != "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.mark.parametrize("sign", [None, "false", "true"])
def test_accept_encoding_is_never_signed(proxy: FaultProxy, prefix: str, sign: str | None) -> None:
    """Some proxies and Google's storage change that header, and a signature over it breaks."""
    store = proxy.server.store(prefix, AWS_SIGN_ACCEPT_ENCODING=sign)
    store.list("")
    store.put(KEY, b"x")
    store.read(KEY)
    for access in proxy.log:
        signed = access.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        assert "host" in signed
        assert "accept-encoding" not in signed


def test_a_get_asks_for_no_checksum(proxy: FaultProxy, prefix: str) -> None:
    """Some stores send checksums that are wrong; the length of a body is checked anyway."""
    store = proxy.server.store(prefix)
    store.put(KEY, b"x")
    store.read(KEY)
    assert "x-amz-checksum-mode" not in proxy.log[-1].headers
