"""Reading past boto3 is told from reading through it by nothing but its cost."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backuplock.errors import StoreError
from backuplock.stores.s3 import S3Store
from backuplock.stores.s3_config import Limits
from backuplock.stores.s3_fast import FastReads
from harness.listing import ListingServer, MadeUp
from harness.proxy import FaultProxy, Rule
from harness.s3 import BUCKET, S3Server
from harness.sockets import connections_to
from harness.tls import Tls

LIMITS = Limits(connect_s=2.0, read_s=1.0, attempts=1)
KEY = "backupstore/volumes/ab/cd/v/locks/lock-1.lck"
FOLDER = KEY.rpartition("/")[0]
WEB_PAGE = b"<html><head><title>Log in</title></head><body>please</body></html>"
NOT_XML = b"<html><br>please"
LATE = b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>late</Message></Error>'

FAULTS: dict[str, Rule] = {
    "403": Rule(status=403, code="AccessDenied"),
    "404 bucket": Rule(status=404, code="NoSuchBucket"),
    "404 key": Rule(status=404, code="NoSuchKey"),
    "bare 404": Rule(status=404, body=b""),
    "skew": Rule(status=403, code="RequestTimeTooSkewed"),
    "signature": Rule(status=403, code="SignatureDoesNotMatch"),
    "500": Rule(status=500, code="InternalError"),
    "204": Rule(status=204, body=b""),
    "503": Rule(status=503, code="SlowDown", headers={"Retry-After": "7"}),
    "429 bare": Rule(status=429, body=b""),
    "501": Rule(status=501, code="NotImplemented"),
    "web page": Rule(status=200, body=WEB_PAGE),
    "502 web page": Rule(status=502, body=WEB_PAGE),
    "not XML": Rule(status=200, body=NOT_XML),
    "nothing": Rule(status=200, body=b""),
    "error within 200": Rule(status=200, body=LATE),
    "reset before": Rule(reset="request"),
    "reset after": Rule(reset="reply"),
    "no answer": Rule(hang="request"),
    "half a body": Rule(truncate=1),
    "no length": Rule(chunked=True),
    "huge": Rule(swell=1 << 20),
    "no length at all": Rule(headers={"Last-Modified": "never"}),
    "moved": Rule(status=301, code="PermanentRedirect"),
    "other region": Rule(
        status=400,
        body=b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-9</Region></Error>",
    ),
}

LESS_ALIKE = ("half a body", "moved")

ASKED: dict[str, Callable[[S3Store], object]] = {
    "list": lambda store: (listing := store.list(FOLDER)).entries + listing.folders,
    "keys": lambda store: store.keys("backupstore/", "backupstore/volumes/ab/", 3).entries,
    "read": lambda store: (blob := store.read(KEY)) and (blob.body, blob.modified_ns, blob.etag),
    "read nothing": lambda store: store.read(f"{FOLDER}/none.lck"),
}


def outcome(store: S3Store, ask: Callable[[S3Store], object]) -> object:
    """What came of it, as far as a caller can tell."""
    try:
        return ask(store)
    except StoreError as error:
        told: Any = error
        return (
            type(error),
            # Seconds of skew, and such, differ from one request to the next.
            re.sub(r"\d+", "0", str(error)),
            error.advice,
            getattr(told, "untouched", None),
            getattr(told, "retry_after", None),
        )


@pytest.mark.parametrize(
    ("fault", "asked"),
    [(fault, asked) for fault in FAULTS for asked in ("keys", "read")]
    + [(fault, asked) for fault in ("403", "404 key", "bare 404") for asked in ("list", "read nothing")],
)
def test_faults_are_told_alike(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, fault: str, asked: str
) -> None:
    rclone_http.store(prefix).put(KEY, b"{}")
    outcomes = []
    for fast in (True, False):
        store = proxy.server.store(prefix, writable=False, limits=LIMITS, fast_reads=fast)
        assert store.list(FOLDER).entries
        with proxy.failing(FAULTS[fault]):
            outcomes.append(outcome(store, ASKED[asked]))
        # What failed once is not shunned, and its connection serves nobody else.
        outcomes.append(outcome(store, ASKED[asked]))
        store.close()
    if fault in LESS_ALIKE and isinstance(outcomes[0], tuple) and isinstance(outcomes[0][0], type):
        # The same kind; boto3's sentences depend on where in its own stack it noticed.
        outcomes = [one[:1] if isinstance(one, tuple) else one for one in outcomes]
    assert outcomes[:2] == outcomes[2:]


@pytest.mark.parametrize("asked", ["keys", "read"])
@pytest.mark.parametrize("fault", ["404 key", "500", "not XML", "error within 200", "never", "elsewhere"])
def test_what_fails_keeps_no_connection(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, fault: str, asked: str
) -> None:
    rules = {
        **FAULTS,
        "never": Rule(headers={"Last-Modified": "never", "ETag": ""}),
        "elsewhere": FAULTS["moved"],
    }
    rclone_http.store(prefix).put(KEY, b"{}")
    with closing(proxy.server.store(prefix, writable=False, limits=LIMITS)) as store:
        assert store.list(FOLDER).entries
        with proxy.failing(rules[fault]):
            for _ in range(5):
                outcome(store, ASKED[asked])
        store.list(FOLDER)
        assert connections_to(proxy.port) == 1
    assert connections_to(proxy.port) == 0


def sent(proxy: FaultProxy, store: S3Store, ask: Callable[[S3Store], object]) -> tuple[str, str, str]:
    proxy.forget()
    ask(store)
    (access,) = proxy.log
    headers = {name.lower(): value for name, value in access.headers.items()}
    scope = headers["authorization"].partition("Signature=")[0]
    return access.path.partition("?")[0], "&".join(sorted(access.path.partition("?")[2].split("&"))), scope


@pytest.mark.parametrize("asked", ["list", "keys", "read"])
@pytest.mark.parametrize("name", ["plain", "a b+c%41&d=e?f#g", "größe/鎖", "~'\"<>|\\"])
def test_requests_are_those_that_boto3_sends(
    proxy: FaultProxy, rclone_http: S3Server, prefix: str, name: str, asked: str
) -> None:
    rclone_http.store(prefix).put(f"{name}/x", b"{}")
    asking: dict[str, Callable[[S3Store], object]] = {
        "list": lambda store: store.list(name),
        "keys": lambda store: store.keys(name[:1], f"{name}/", 3),
        "read": lambda store: store.read(f"{name}/x"),
    }
    seen = []
    for fast in (True, False):
        store = proxy.server.store(prefix, writable=False, fast_reads=fast)
        store.list("")
        seen.append(sent(proxy, store, asking[asked]))
        store.close()
    assert seen[0] == seen[1]


@pytest.mark.parametrize("style", ["false", "true"])
@pytest.mark.parametrize("path", ["", "/base/path", "/base/"])
def test_addresses_are_those_of_boto3(style: str, path: str) -> None:
    """Through a proxy, so that names of hosts need not exist."""
    asking: tuple[Callable[[S3Store], object], ...] = (
        lambda store: store.list("backupstore"),
        lambda store: store.keys("", "backupstore/", 3),
        lambda store: store.read("volume.cfg"),
    )
    with ListingServer(MadeUp(2, 2)) as server, FaultProxy(server) as proxy:
        seen = []
        for fast in (True, False):
            store = server.store(
                "fleet",
                writable=False,
                fast_reads=fast,
                AWS_ENDPOINTS=f"http://s3.example.invalid{path}",
                HTTP_PROXY=proxy.endpoint,
                VIRTUAL_HOSTED_STYLE=style,
            )
            store.list("")
            seen.append([(*sent(proxy, store, ask), proxy.log[0].host) for ask in asking])
            assert isinstance(store._reads, FastReads) == fast
            store.close()
    assert seen[0] == seen[1]
    assert seen[0][0][-1].startswith(f"{BUCKET}.") == (style == "true")


def test_a_header_that_a_plugin_adds_is_sent_with_each_request(proxy: FaultProxy, prefix: str) -> None:
    store = proxy.server.store(prefix, writable=False)
    store._client.meta.events.register(
        "before-sign.s3", lambda request, **_: request.headers.add_header("x-amz-request-payer", "requester")
    )
    for _ in range(3):
        store.list("")
    store.read(KEY)
    assert [access.headers.get("x-amz-request-payer") for access in proxy.log] == ["requester"] * 4


def test_after_the_first_listing_boto3_is_not_asked(
    rclone_http: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holds the private names to account by which the pool is reached: without them all is slow and right."""
    store = rclone_http.store(prefix)
    store.put(KEY, b"{}")
    store.list(FOLDER)
    asked: list[str] = []
    store._client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    store.list(FOLDER)
    store.read(KEY)
    store.keys("", "", 1)
    assert asked == []
    store.put(KEY, b"{}")
    assert asked == ["PutObject"]


def test_a_client_whose_pool_is_hidden_is_used_as_it_is(rclone_http: S3Server, prefix: str) -> None:
    store = rclone_http.store(prefix)
    store.put(KEY, b"{}")
    reads = store._reads
    assert isinstance(reads, FastReads)
    endpoint: Any = store._client
    hidden = endpoint._endpoint.http_session._proxy_config
    del endpoint._endpoint.http_session._proxy_config
    try:
        route = reads._route
        assert route is None
        with pytest.raises(StoreError):
            store.list(FOLDER)
    finally:
        endpoint._endpoint.http_session._proxy_config = hidden
    assert store.list(FOLDER).entries


def test_another_secret_signs_the_next_request(rclone_http: S3Server, prefix: str) -> None:
    store = rclone_http.store(prefix, writable=False)
    store.list("")
    reads: Any = store._reads
    reads._credentials.secret_key = "another"
    with pytest.raises(StoreError, match="secret key does not belong"):
        store.list("")


def test_credentials_that_expire_are_renewed_in_the_middle(
    proxy: FaultProxy, prefix: str, tmp_path: Path
) -> None:
    """They come from a program, each time with another id and token, and are about to expire."""
    expires = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    program = tmp_path / "credentials.py"
    program.write_text(
        "import json, pathlib\n"
        f"count = pathlib.Path({str(tmp_path / 'count')!r})\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        f"told = json.loads({json.dumps(json.dumps({'Version': 1, 'Expiration': expires}))})\n"
        "told |= {'AccessKeyId': f'AKID{number}', 'SecretAccessKey': 's'}\n"
        "told['SessionToken'] = f'token-{number}'\n"
        "print(json.dumps(told))\n"
    )
    config = tmp_path / "config"
    config.write_text(f"[profile renewed]\ncredential_process = {sys.executable} {program}\n")
    proxy.add(
        Rule(
            status=200,
            body=b"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>",
        )
    )
    store = proxy.server.store(
        prefix,
        writable=False,
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
        AWS_PROFILE="renewed",
        AWS_CONFIG_FILE=str(config),
    )
    for _ in range(4):
        store.list("")
    store.close()
    ids = [re.findall(r"Credential=AKID(\d+)/", access.headers["authorization"])[0] for access in proxy.log]
    tokens = [access.headers["x-amz-security-token"] for access in proxy.log]
    assert len(ids) == 4
    assert len(set(ids)) >= 3
    assert tokens == [f"token-{number}" for number in ids]


def test_an_unknown_authority_is_not_trusted(rclone_https: S3Server, prefix: str, tls: Tls) -> None:
    assert tls.ca_pem
    store = rclone_https.store(prefix, writable=False)
    assert store.list("").entries == store.list("").entries == ()
    with pytest.raises(StoreError, match="unknown authority"):
        rclone_https.store(prefix, writable=False, AWS_CERT=None).list("")


def test_threads_share_a_store(rclone_http: S3Server, prefix: str) -> None:
    store = rclone_http.store(prefix)
    store.put(KEY, b"{}")
    found: list[object] = []
    threads = [
        threading.Thread(
            target=lambda: found.append([ask(store) for _ in range(20) for ask in ASKED.values()])
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert all(one == found[0] for one in found)
