"""Longhorn's environment variables, its addressing rule and Go's proxy rules, without a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backuplock.errors import Denied, Malformed
from backuplock.stores import open_store
from backuplock.stores.s3 import S3Store
from backuplock.stores.s3_config import S3Settings, path_style, read_settings
from backuplock.stores.s3_proxy import goes_direct, proxy_for
from backuplock.target import parse_target

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sesame-open-secret"}


def settings(url: str = "s3://backups@eu-west-1/some/path/", **environ: str) -> S3Settings:
    return read_settings(parse_target(url, environ), {**KEYS, **environ})


def test_a_target_and_its_environment() -> None:
    found = settings(AWS_ENDPOINTS="https://s3.example.com:9000", AWS_SESSION_TOKEN="t")
    assert (found.bucket, found.prefix, found.region) == ("backups", "some/path", "eu-west-1")
    assert found.endpoint == "https://s3.example.com:9000"
    assert (found.access_key, found.secret_key, found.session_token) == ("AK", "sesame-open-secret", "t")


def test_secrets_are_not_in_the_repr() -> None:
    found = settings(
        AWS_SESSION_TOKEN="session-token-value",
        HTTPS_PROXY="http://user:proxy-password@proxy:3128",
    )
    assert found.proxies
    for secret in ("sesame-open-secret", "session-token-value", "proxy-password", "AK"):
        assert secret not in repr(found)


@pytest.mark.parametrize(
    ("url", "environ", "region"),
    [
        ("s3://b@in-url/p/", {"AWS_REGION": "in-env"}, "in-url"),
        ("s3://b/p/", {"AWS_REGION": "in-env", "AWS_DEFAULT_REGION": "default"}, "in-env"),
        ("s3://b/p/", {"AWS_DEFAULT_REGION": "default"}, "default"),
        ("s3://b/p/", {}, None),
    ],
)
def test_region(url: str, environ: dict[str, str], region: str | None) -> None:
    assert settings(url, **environ).region == region


@pytest.mark.parametrize(
    ("virtual_hosted_style", "endpoint", "path"),
    [
        ("true", None, False),
        ("true", "http://x", False),
        ("false", None, True),
        ("false", "http://x", True),
        (None, None, False),
        (None, "http://x", True),
        ("TRUE", "http://x", True),
        ("0", None, False),
    ],
)
def test_path_style(virtual_hosted_style: str | None, endpoint: str | None, path: bool) -> None:
    assert path_style(virtual_hosted_style, endpoint) is path


@pytest.mark.parametrize("text", ["maybe", "True", "1"])
def test_a_style_that_longhorn_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match=f"VIRTUAL_HOSTED_STYLE is '{text}'"):
        settings("s3://b@r/p/", VIRTUAL_HOSTED_STYLE=text)


@pytest.mark.parametrize(
    ("virtual_hosted_style", "endpoint", "url"),
    [
        ("", "https://s3.example.com", "https://s3.example.com/backups/some/path/k"),
        ("true", "https://s3.example.com", "https://backups.s3.example.com/some/path/k"),
        ("", "", "https://backups.s3.eu-west-1.amazonaws.com/some/path/k"),
        ("false", "", "https://s3.eu-west-1.amazonaws.com/backups/some/path/k"),
        ("true", "https://127.0.0.1:9000", "https://127.0.0.1:9000/backups/some/path/k"),
    ],
)
def test_addresses_that_the_client_makes(virtual_hosted_style: str, endpoint: str, url: str) -> None:
    environ = {**KEYS, "VIRTUAL_HOSTED_STYLE": virtual_hosted_style, "AWS_ENDPOINTS": endpoint}
    store = S3Store.open(parse_target("s3://backups@eu-west-1/some/path/"), environ=environ)
    signed = store._client.generate_presigned_url(
        "get_object", Params={"Bucket": "backups", "Key": "some/path/k"}
    )
    assert signed.partition("?")[0] == url


def test_one_half_of_the_credentials_is_told_before_anything_is_asked() -> None:
    with pytest.raises(Denied, match="AWS_SECRET_ACCESS_KEY is not set"):
        settings(AWS_SECRET_ACCESS_KEY="\n")


def test_a_session_token_without_keys_is_not_mixed_with_others() -> None:
    target = parse_target("s3://b@r/p/")
    assert read_settings(target, {"AWS_SESSION_TOKEN": "t"}).session_token is None


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "direct"),
    [
        ("localhost", 80, "", True),
        ("127.0.0.1", 9000, "", True),
        ("127.8.9.1", 9000, "", True),
        ("::1", 9000, "", True),
        ("s3.example.com", 443, "", False),
        ("s3.example.com", 443, "*", True),
        ("s3.example.com", 443, "example.com", True),
        ("s3.example.com", 443, ".example.com", True),
        ("example.com", 443, ".example.com", False),
        ("example.com", 443, "example.com", True),
        ("s3.example.com", 443, "*.example.com", True),
        ("notexample.com", 443, "example.com", False),
        ("S3.Example.Com.", 443, "s3.example.COM", True),
        ("s3.example.com", 443, "other.org, s3.example.com ,x", True),
        ("s3.example.com", 443, "s3.example.com:443", True),
        ("s3.example.com", 9000, "s3.example.com:443", False),
        ("10.1.2.3", 9000, "10.0.0.0/8", True),
        ("11.1.2.3", 9000, "10.0.0.0/8", False),
        ("10.1.2.3", 9000, "10.1.2.3", True),
        ("10.1.2.3", 9000, "10.1.2.3:9000", True),
        ("10.1.2.3", 9001, "10.1.2.3:9000", False),
        ("110.1.2.3", 9000, "10.1.2.3", False),
        ("10.1.2.3", 9000, "10.0.0.0/99", False),
        ("fd00::1", 9000, "fd00::/8", True),
        ("fd00::1", 9000, "fd00::1", True),
        ("fd00::1", 9000, "[fd00::1]:9000", True),
        ("fd00::1", 9001, "[fd00::1]:9000", False),
        ("s3.example.com", 443, ",,", False),
    ],
)
def test_no_proxy(host: str, port: int, no_proxy: str, direct: bool) -> None:
    assert goes_direct(host, port, no_proxy) is direct


def test_which_proxy() -> None:
    environ = {"HTTP_PROXY": "http://a", "https_proxy": "http://b", "NO_PROXY": "c.org"}
    assert proxy_for("http://x.org", environ) == "http://a"
    assert proxy_for("https://x.org", environ) == "http://b"
    assert proxy_for("https://s3.c.org", environ) is None
    assert proxy_for("https://x.org", {**environ, "HTTPS_PROXY": "http://d"}) == "http://d"
    assert proxy_for("https://x.org", {"HTTP_PROXY": "http://a"}) is None


def test_boto3_is_imported_only_for_s3(tmp_path: Path) -> None:
    code = (
        "import sys; from backuplock.stores import open_store; from backuplock.target import parse_target\n"
        f"open_store(parse_target({str(tmp_path)!r}))\n"
        "assert 'boto3' not in sys.modules and 'botocore' not in sys.modules\n"
        f"open_store(parse_target('s3://b@r/p/'), environ={KEYS!r})\n"
        "assert 'boto3' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_open_store_opens_s3() -> None:
    store = open_store(parse_target("s3://backups@eu-west-1/some/path/"), environ=KEYS)
    assert store.url == "s3://backups@eu-west-1/some/path/"
    assert store.capabilities.kind == "s3"
    assert not store.capabilities.writable
    assert store.capabilities.conditional_put == "unproven"
