"""Credentials that no secret holds: a pod's role by its web identity, a container's by its endpoint.

The services that hand them out are stand-ins on loopback; the store is real, and refuses what is not its own.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from backuplock.errors import Denied
from harness.proxy import FaultProxy
from harness.s3 import ACCESS_KEY, SECRET_KEY

ABSENT = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
EXPIRES = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

Answer = Callable[[str, dict[str, str], str], str]


@contextmanager
def service(answer: Answer) -> Iterator[str]:
    """A web service on loopback that answers a path, headers and a body; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_PUT(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            told = answer(self.path, headers, body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of the machine, and no metadata service of a cloud."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


def test_a_container_is_given_its_role(
    proxy: FaultProxy, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_path: str, headers: dict[str, str], _body: str) -> str:
        assert headers["authorization"] == "pod-token"
        return json.dumps(
            {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "", "Expiration": EXPIRES}
        )

    with service(answer) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/role")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token")
        store = proxy.server.store(prefix, **ABSENT)
        store.put("backupstore/x", b"1")
        found = store.read("backupstore/x")
        store.close()
    assert found is not None
    assert found.body == b"1"


def test_a_pod_takes_its_role_by_web_identity(
    proxy: FaultProxy, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(_path: str, _headers: dict[str, str], body: str) -> str:
        asked.append(parse_qs(body))
        return (
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{ACCESS_KEY}</AccessKeyId>"
            f"<SecretAccessKey>{SECRET_KEY}</SecretAccessKey><SessionToken>t</SessionToken>"
            f"<Expiration>{EXPIRES}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>"
        )

    token = tmp_path / "token"
    token.write_text("a-jwt")
    with service(answer) as url:
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/longhorn")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = proxy.server.store(prefix, **ABSENT)
        # Twice: boto3 sends the first request, our own transport the next, with the same role.
        store.list("")
        store.list("")
        store.close()
    assert [one["WebIdentityToken"] for one in asked] == [["a-jwt"]]
    for access in proxy.log:
        assert re.search(rf"Credential={ACCESS_KEY}/", access.headers["authorization"])
        assert access.headers["x-amz-security-token"] == "t"
    assert len(proxy.log) == 2


def test_a_machine_is_given_its_role(proxy: FaultProxy, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the endpoint of an instance does it, which is also what kube2iam puts in its place."""
    asked: list[str] = []

    def answer(path: str, headers: dict[str, str], _body: str) -> str:
        asked.append(path)
        if path == "/latest/api/token":
            return "session"
        assert headers["x-aws-ec2-metadata-token"] == "session"
        if path == "/latest/meta-data/iam/security-credentials/":
            return "longhorn"
        assert path == "/latest/meta-data/iam/security-credentials/longhorn"
        told = {"Code": "Success", "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}
        return json.dumps(told | {"Token": "t", "Expiration": EXPIRES})

    with service(answer) as url:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        store = proxy.server.store(prefix, **ABSENT)
        for _ in range(3):
            store.list("")
        store.close()
    assert len(asked) == 3
    assert [access.headers["x-amz-security-token"] for access in proxy.log] == ["t"] * 3


def test_a_role_that_is_refused_is_one_line(
    proxy: FaultProxy, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(lambda *_: json.dumps({"Code": "AccessDenied", "Message": "no"})) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/role")
        with pytest.raises(Denied) as caught:
            proxy.server.store(prefix, **ABSENT).list("")
    assert "\n" not in str(caught.value)
    assert "credentials" in str(caught.value)
