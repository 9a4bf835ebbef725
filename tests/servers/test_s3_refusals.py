"""Bad input and refusals of real servers: one clear line of the right class, without a secret."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.auth
import pytest

from backuplock.errors import BackupLockError, Denied, Malformed, Missing, ReadOnly, Unreachable
from backuplock.stores.s3 import S3Store
from backuplock.stores.s3_config import Limits
from backuplock.target import parse_target
from harness.process import free_port
from harness.proxy import FaultProxy
from harness.rclone import start_rclone
from harness.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from harness.tls import Tls, make_tls

KEY = "backupstore/volumes/2d/af/pvc-1/locks/lock-1.lck"
SECRETS = ("sesame-open-secret", SECRET_KEY, "session-token-value", "proxy-password")


def told(kind: type[BackupLockError], attempt: Callable[[], object], *says: str) -> BackupLockError:
    """Check that an attempt fails as `kind` with one clear line that says all of `says`."""
    with pytest.raises(kind) as caught:
        attempt()
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 500
    for word in says:
        assert word in text
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for secret in SECRETS:
        assert secret not in shown
    return caught.value


# -- credentials --------------------------------------------------------------------------------------


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a profile, a role or a configuration."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_credentials")
def test_missing_credentials(rclone_http: S3Server, prefix: str) -> None:
    told(
        Denied,
        lambda: rclone_http.store(prefix, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None),
        "no credentials",
        "AWS_ACCESS_KEY_ID",
    )


@pytest.mark.usefixtures("no_credentials")
def test_the_process_environment_is_not_looked_at_behind_a_given_one(
    rclone_http: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    told(Denied, lambda: rclone_http.store(prefix, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None))


def test_half_of_the_credentials(rclone_http: S3Server, prefix: str) -> None:
    attempt = lambda: rclone_http.store(prefix, AWS_SECRET_ACCESS_KEY="  ")  # noqa: E731
    told(Denied, attempt, "AWS_SECRET_ACCESS_KEY is not set")
    told(Denied, lambda: rclone_http.store(prefix, AWS_ACCESS_KEY_ID=None), "AWS_ACCESS_KEY_ID is not set")


def test_a_profile_serves_where_no_key_is_set(rclone_http: S3Server, prefix: str, tmp_path: Path) -> None:
    text = f"[backup]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
    (tmp_path / "credentials").write_text(text)
    changes = {
        "AWS_ACCESS_KEY_ID": None,
        "AWS_SECRET_ACCESS_KEY": None,
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    store = rclone_http.store(prefix, AWS_PROFILE="backup", **changes)
    assert store.list("").entries == ()
    told(Malformed, lambda: rclone_http.store(prefix, AWS_PROFILE="other", **changes), "AWS_PROFILE")


def test_credentials_from_a_secret_may_end_in_a_newline(rclone_http: S3Server, prefix: str) -> None:
    changes = {"AWS_ACCESS_KEY_ID": f"{ACCESS_KEY}\n", "AWS_SECRET_ACCESS_KEY": f"{SECRET_KEY}\r\n"}
    assert rclone_http.store(prefix, **changes).list("").entries == ()


@pytest.mark.parametrize("server", ["rclone_http", "ceph"])
def test_wrong_keys(server: str, prefix: str, request: pytest.FixtureRequest) -> None:
    found: S3Server = request.getfixturevalue(server)
    wrong_secret = found.store(prefix, AWS_SECRET_ACCESS_KEY="sesame-open-secret")
    wrong_id = found.store(prefix, AWS_ACCESS_KEY_ID="nobody")
    for verb in (
        lambda store: store.list(""),
        lambda store: store.read(KEY),
        lambda store: store.put(KEY, b"x"),
        lambda store: store.delete(KEY),
    ):
        told(Denied, lambda verb=verb: verb(wrong_secret), "secret key", "AWS_SECRET_ACCESS_KEY")
        told(Denied, lambda verb=verb: verb(wrong_id), "access key id", "AWS_ACCESS_KEY_ID")
    assert found.store(prefix).list("").folders == ()


def test_a_wrong_session_token_is_not_repeated(proxy: FaultProxy, prefix: str) -> None:
    from harness.proxy import Rule

    proxy.add(Rule(status=400, code="ExpiredToken"))
    store = proxy.server.store(prefix, AWS_SESSION_TOKEN="session-token-value")
    told(Denied, lambda: store.list(""), "expired", "AWS_SESSION_TOKEN")
    assert proxy.log[0].headers["x-amz-security-token"] == "session-token-value"
    assert len(proxy.log) == 1


# -- where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["rclone_http", "moto", "ceph"])
def test_missing_bucket(server: str, prefix: str, request: pytest.FixtureRequest) -> None:
    store = request.getfixturevalue(server).store(prefix, bucket="no-such-bucket")
    for attempt in (lambda: store.list(""), lambda: store.read(KEY), lambda: store.put(KEY, b"x")):
        told(Missing, attempt, "no bucket no-such-bucket")


def test_a_name_that_no_bucket_can_have(rclone_http: S3Server, prefix: str) -> None:
    store = rclone_http.store(prefix, bucket="a")
    told(BackupLockError, lambda: store.list(""), "s3://a@")


def test_unreachable_port(rclone_http: S3Server, prefix: str) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    store = rclone_http.store(prefix, AWS_ENDPOINTS=endpoint)
    told(Unreachable, lambda: store.list(""), endpoint, "connection refused", "AWS_ENDPOINTS")


def test_unknown_host(rclone_http: S3Server, prefix: str) -> None:
    store = rclone_http.store(prefix, AWS_ENDPOINTS="http://no-such-host.invalid:9000")
    told(Unreachable, lambda: store.list(""), "no-such-host.invalid")


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:9000", "ftp://x", "http://", "http://a b", "http://[", "http://x:99999", "http://a,http://b"],
)
def test_malformed_endpoint(rclone_http: S3Server, prefix: str, endpoint: str) -> None:
    told(Malformed, lambda: rclone_http.store(prefix, AWS_ENDPOINTS=endpoint), "AWS_ENDPOINTS", "one URL")


def test_an_endpoint_with_a_password_is_not_repeated(rclone_http: S3Server, prefix: str) -> None:
    for endpoint in ("http://user:sesame-open-secret@host", "user:sesame-open-secret@host"):
        told(Malformed, lambda at=endpoint: rclone_http.store(prefix, AWS_ENDPOINTS=at), "AWS_ENDPOINTS")


def test_no_region_and_no_endpoint(rclone_http: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    environ = rclone_http.environ(AWS_ENDPOINTS=None)
    target = parse_target(f"s3://{BUCKET}/path/", environ)
    told(Malformed, lambda: S3Store.open(target, environ=environ), "region", "AWS_REGION")
    assert S3Store.open(target, environ={**environ, "AWS_REGION": "eu-west-1"}).url == target.url


def test_opening_asks_and_makes_nothing(proxy: FaultProxy, prefix: str) -> None:
    proxy.server.store(prefix, writable=True).close()
    assert proxy.log == []


def test_read_only_sends_no_write(proxy: FaultProxy, prefix: str) -> None:
    store = proxy.server.store(prefix, writable=False)
    store.list("")
    for attempt in (
        lambda: store.put(KEY, b"x"),
        lambda: store.delete(KEY),
        lambda: store.probe_conditional("scratch"),
    ):
        told(ReadOnly, attempt, "reading only")
    assert proxy.writes() == []
    assert len(proxy.log) == 1


# -- TLS ----------------------------------------------------------------------------------------------


def test_unknown_authority(rclone_https: S3Server, prefix: str) -> None:
    store = rclone_https.store(prefix, AWS_CERT=None)
    told(Unreachable, lambda: store.list(""), "unknown authority", "AWS_CERT")
    assert rclone_https.store(prefix).list("").entries == ()


def test_the_authorities_of_aws_cert_are_added(rclone_https: S3Server, prefix: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(rclone_https.ca_pem)
    another = make_tls(tmp_path / "another")
    store = rclone_https.store(prefix, AWS_CA_BUNDLE=str(bundle), AWS_CERT=another.ca_pem)
    assert store.list("").entries == ()


def test_the_temporary_bundle_goes_with_the_store(
    rclone_https: S3Server, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = rclone_https.store(prefix)
    assert len(list(tmp_path.iterdir())) == 1
    store.close()
    forgotten = rclone_https.store(prefix)
    assert len(list(tmp_path.iterdir())) == 1
    del forgotten
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["/etc/ssl/ca.pem", "LS0tLS1CRUdJTg==", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"],
)
def test_aws_cert_without_a_certificate(rclone_https: S3Server, prefix: str, text: str) -> None:
    told(Malformed, lambda: rclone_https.store(prefix, AWS_CERT=text), "AWS_CERT", "PEM")


def test_http_where_https_is_spoken_and_the_other_way(
    rclone_http: S3Server, rclone_https: S3Server, prefix: str
) -> None:
    plain = rclone_http.store(prefix, AWS_ENDPOINTS=rclone_https.endpoint.replace("https:", "http:"))
    told(Unreachable, lambda: plain.list(""), "http or https")
    tls = rclone_http.store(prefix, AWS_ENDPOINTS=rclone_http.endpoint.replace("http:", "https:"))
    told(Unreachable, lambda: tls.list(""), "does not speak TLS", "http://")


@pytest.fixture
def odd_tls(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[S3Server]:
    """rclone with a certificate that has something wrong with it."""
    made: Tls = make_tls(tmp_path / "tls", **request.param)
    server = start_rclone(tmp_path / "data", tmp_path / "log", tls=made)
    yield server
    assert server.process is not None
    server.process.stop()


@pytest.mark.parametrize(
    ("odd_tls", "says"),
    [({"host": "other.example.com"}, "for another name"), ({"expired": True}, "expired")],
    indirect=["odd_tls"],
)
def test_certificates_with_something_wrong(odd_tls: S3Server, prefix: str, says: str) -> None:
    told(Unreachable, lambda: odd_tls.store(prefix).list(""), says)


# -- clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["rclone_http", "ceph"])
@pytest.mark.parametrize(("hours", "says"), [(2, "ahead of"), (-2, "behind")])
def test_a_clock_too_far_off_is_told(
    server: str,
    hours: int,
    says: str,
    prefix: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    off = timedelta(hours=hours)
    store = request.getfixturevalue(server).store(prefix, clock=_Off(off))
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda: (datetime.now(UTC) + off).replace(tzinfo=None)
    )
    error = told(Denied, lambda: store.list(""), says, "clock")
    seconds = int(next(word for word in str(error).split() if word.isdigit()))
    assert abs(seconds - 7200) < 60
    assert store.last_observed is not None


class _Off:
    """A local clock that is wrong by hours."""

    def __init__(self, off: timedelta) -> None:
        from backuplock.clock import SystemClock

        self._true = SystemClock()
        self._off = int(off.total_seconds()) * 1_000_000_000

    def wall_ns(self) -> int:
        return self._true.wall_ns() + self._off

    def mono_ns(self) -> int:
        return self._true.mono_ns()

    def sleep(self, duration_ns: int, wake: object = None) -> bool:
        return self._true.sleep(duration_ns)


def test_limits_are_parameters(rclone_http: S3Server, prefix: str) -> None:
    store = rclone_http.store(prefix, limits=Limits(connect_s=1, read_s=1, attempts=1, connections=2))
    assert store.list("").entries == ()
