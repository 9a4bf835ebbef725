"""What a store makes of failures: never a lie, never without end, never two writes where one might do."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backuplock.clock import SECOND
from backuplock.errors import Conflict, Denied, StoreError, TooLarge, Unreachable
from backuplock.stores.base import BODY_CAP
from backuplock.stores.s3 import S3Store
from backuplock.stores.s3_config import Limits
from harness.proxy import FaultProxy, Rule
from harness.rclone import start_rclone
from harness.s3 import BUCKET, S3Server

FOLDER = "backupstore/volumes/2d/af/pvc-1/locks"
KEY = f"{FOLDER}/lock-1.lck"
BODY = b'{"Name":"lock-1","Type":2,"Acquired":true}'
FAST = Limits(read_s=1.0)
XML = '<?xml version="1.0" encoding="UTF-8"?>'

Verb = Callable[[S3Store], object]
VERBS: dict[str, Verb] = {
    "list": lambda store: store.list(FOLDER),
    "read": lambda store: store.read(KEY),
    "write": lambda store: store.put(KEY, b"new"),
    "delete": lambda store: store.delete(KEY),
}


@pytest.fixture
def store(proxy: FaultProxy, rclone_http: S3Server, prefix: str) -> Iterator[S3Store]:
    """A store behind the proxy with one object in it, and an empty log."""
    rclone_http.store(prefix).put(KEY, BODY)
    found = proxy.server.store(prefix)
    yield found
    found.close()


@pytest.fixture
def hasty(proxy: FaultProxy, rclone_http: S3Server, prefix: str) -> Iterator[S3Store]:
    """As `store`, but it waits for one second only."""
    rclone_http.store(prefix).put(KEY, BODY)
    found = proxy.server.store(prefix, limits=FAST)
    yield found
    found.close()


@pytest.fixture
def beside(rclone_http: S3Server, prefix: str) -> S3Store:
    """The same objects without the proxy."""
    return rclone_http.store(prefix)


def body_of(store: S3Store) -> bytes | None:
    found = store.read(KEY)
    return None if found is None else found.body


# -- answers that are failures ------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("rule", "kind", "attempts"),
    [
        (Rule(status=500, code="InternalError"), Unreachable, 2),
        (Rule(status=503, code="SlowDown"), Unreachable, 2),
        (Rule(status=502, body=b"<html><h1>Bad Gateway</h1></html>"), Unreachable, 2),
        (Rule(status=403, code="AccessDenied"), Denied, 1),
        (Rule(status=403, body=b"<html>login</html>"), Denied, 1),
        (Rule(status=400, code="MadeUpBy\u202eThem"), Denied, 1),
        (Rule(status=404, body=b"<html>not here</html>"), Unreachable, 1),
        (Rule(status=418, body=b""), Unreachable, 1),
    ],
)
def test_refusals(
    store: S3Store, proxy: FaultProxy, beside: S3Store, verb: str, rule: Rule, kind: type, attempts: int
) -> None:
    with proxy.failing(rule), pytest.raises(kind) as told:
        VERBS[verb](store)
    text = str(told.value)
    assert text.isprintable()
    assert f"cannot {verb} s3://{BUCKET}@" in text
    assert len(proxy.log) == attempts
    assert body_of(beside) == BODY
    VERBS[verb](store)


@pytest.mark.parametrize("verb", VERBS)
def test_one_failure_is_got_over(store: S3Store, proxy: FaultProxy, verb: str) -> None:
    proxy.add(Rule(status=500, code="InternalError", times=1))
    VERBS[verb](store)
    assert [access.status // 100 for access in proxy.log] == [5, 2]


@pytest.mark.parametrize("verb", VERBS)
def test_permissions_are_named(store: S3Store, proxy: FaultProxy, verb: str) -> None:
    wanted = {
        "list": "s3:ListBucket",
        "read": "s3:GetObject",
        "write": "s3:PutObject",
        "delete": "s3:DeleteObject",
    }
    with (
        proxy.failing(Rule(status=403, code="AccessDenied")),
        pytest.raises(Denied, match=wanted[verb]) as told,
    ):
        VERBS[verb](store)
    assert KEY.removesuffix("/lock-1.lck") in str(told.value)


def test_a_busy_store_says_when_to_come_back(store: S3Store, proxy: FaultProxy) -> None:
    rule = Rule(status=503, code="SlowDown", headers={"Retry-After": "7"})
    with proxy.failing(rule), pytest.raises(Unreachable, match="7 s") as told:
        store.list(FOLDER)
    assert told.value.retry_after == 7
    rule = Rule(status=503, code="SlowDown", headers={"Retry-After": "-1e9"})
    with proxy.failing(rule), pytest.raises(Unreachable) as told:
        store.list(FOLDER)
    assert told.value.retry_after is None


@pytest.mark.parametrize("code", ["NoSuchBucket", "AccessDenied", "InternalError", "", "NoSuchVersion"])
def test_only_nosuchkey_means_gone(store: S3Store, proxy: FaultProxy, code: str) -> None:
    status = 404
    with proxy.failing(Rule(status=status, code=code)), pytest.raises(StoreError):
        store.read(KEY)
    with proxy.failing(Rule(status=404, code="NoSuchKey")):
        assert store.read(KEY) is None


# -- answers that are no answers ----------------------------------------------------------------------

NO_ANSWERS = {
    "html": b"<html><body>Please log in</body></html>",
    "xhtml": f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>'.encode(),
    "nothing": b"",
    "json": b'{"ok": true}',
    "noise": bytes(range(256)),
    "cut": f"{XML}<ListBucketResult><Name>backups</Name><Contents><Key>a".encode(),
}


@pytest.mark.parametrize("page", NO_ANSWERS)
@pytest.mark.parametrize("verb", ["list", "read", "write"])
def test_a_page_that_is_not_s3_is_not_an_answer(
    store: S3Store, proxy: FaultProxy, beside: S3Store, verb: str, page: str
) -> None:
    with (
        proxy.failing(Rule(status=200, body=NO_ANSWERS[page])),
        pytest.raises(Unreachable, match=r"did not answer as an S3 store|without saying why"),
    ):
        VERBS[verb](store)
    assert body_of(beside) == BODY


def listing(*parts: str, truncated: bool = False, token: str = "") -> Rule:
    end = f"<IsTruncated>{str(truncated).lower()}</IsTruncated>"
    after = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    text = f"{XML}<ListBucketResult><Name>{BUCKET}</Name>{end}{after}{''.join(parts)}</ListBucketResult>"
    return Rule(status=200, body=text.encode(), method="GET")


@pytest.mark.parametrize("token", ["", "again"])
def test_a_listing_without_an_end_is_a_failure(store: S3Store, proxy: FaultProxy, token: str) -> None:
    with proxy.failing(listing(truncated=True, token=token)), pytest.raises(Unreachable, match="no end"):
        store.list(FOLDER)
    assert len(proxy.log) <= 2


def test_a_listing_of_other_keys_is_a_failure(store: S3Store, proxy: FaultProxy) -> None:
    rule = listing("<Contents><Key>else/where</Key><Size>1</Size></Contents>")
    with proxy.failing(rule), pytest.raises(Unreachable, match="not asked for"):
        store.list(FOLDER)


def test_a_listing_may_leave_things_out(store: S3Store, proxy: FaultProxy, prefix: str) -> None:
    begins = f"{prefix}/{FOLDER}/"
    rule = listing(
        f"<Contents><Key>{begins}</Key><Size>0</Size></Contents>",
        f"<Contents><Key>{begins}bare.lck</Key></Contents>",
        f"<Contents><Key>{begins}deep/er</Key></Contents>",
        f"<CommonPrefixes><Prefix>{begins}/</Prefix></CommonPrefixes>",
        f"<CommonPrefixes><Prefix>{begins}sub/</Prefix></CommonPrefixes>",
    )
    with proxy.failing(rule):
        found = store.list(FOLDER)
    (entry,) = found.entries
    assert (entry.name, entry.size, entry.modified_ns, entry.etag) == ("bare.lck", 0, None, "")
    assert found.folders == ("deep", "sub")


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT", "1"])
def test_a_reply_without_a_usable_date_tells_no_time(
    store: S3Store, proxy: FaultProxy, date: str | None
) -> None:
    with proxy.failing(Rule(headers={"Date": date})):
        assert store.list(FOLDER).observed is None
        found = store.read(KEY)
    assert found is not None
    assert (found.body, found.observed) == (BODY, None)


def test_a_refusal_tells_the_time_too(store: S3Store, proxy: FaultProxy) -> None:
    date = "Mon, 05 Jan 2026 10:00:00 GMT"
    rule = Rule(status=403, code="AccessDenied", headers={"Date": date})
    with proxy.failing(rule), pytest.raises(Denied):
        store.list(FOLDER)
    assert store.last_observed is not None
    assert store.last_observed.store_ns == 1_767_607_200 * SECOND
    assert store.last_observed.grain_ns == SECOND


@pytest.mark.parametrize("headers", [{"Last-Modified": None}, {"ETag": None}, {"Last-Modified": "soon"}])
def test_an_object_without_time_or_etag_is_no_answer(
    store: S3Store, proxy: FaultProxy, headers: dict[str, str]
) -> None:
    with proxy.failing(Rule(headers=headers)), pytest.raises(Unreachable, match="did not answer as"):
        store.read(KEY)


def test_an_empty_etag_is_asked_for_once_more(store: S3Store, proxy: FaultProxy) -> None:
    """As rclone's server gives it for a moment beside a write."""
    rule = Rule(headers={"ETag": '""'}, method="GET", times=1)
    with proxy.failing(rule):
        found = store.read(KEY)
    assert found is not None
    assert found.body == BODY
    assert rule.times == 0


def test_an_etag_that_stays_empty_is_no_version(store: S3Store, proxy: FaultProxy) -> None:
    with (
        proxy.failing(Rule(headers={"ETag": '""'}, method="GET")),
        pytest.raises(Unreachable, match="an empty etag, as some stores do while an object is being written"),
    ):
        store.read(KEY)


def test_a_write_answered_with_an_empty_etag_is_not_sent_twice(store: S3Store, proxy: FaultProxy) -> None:
    with proxy.failing(Rule(headers={"ETag": '""'}, method="PUT")), pytest.raises(Unreachable) as caught:
        store.put(KEY, b"new")
    assert not caught.value.untouched
    assert len(proxy.writes()) == 1


def test_a_lying_delete_is_believed_but_changes_nothing(
    store: S3Store, proxy: FaultProxy, beside: S3Store
) -> None:
    with proxy.failing(Rule(method="DELETE", status=200)):
        store.delete(KEY)
    assert body_of(beside) == BODY
    assert proxy.writes() == []


# -- bodies -------------------------------------------------------------------------------------------


def test_a_cut_body_is_a_failure(store: S3Store, proxy: FaultProxy) -> None:
    for kept in (0, 1, len(BODY) - 1):
        with proxy.failing(Rule(method="GET", truncate=kept)), pytest.raises(Unreachable):
            store.read(KEY)
    proxy.forget()
    proxy.add(Rule(method="GET", truncate=3, times=1))
    assert body_of(store) == BODY
    assert len(proxy.log) == 2


def test_five_gibibytes_are_not_fetched(store: S3Store, proxy: FaultProxy) -> None:
    size = 5 * 1024**3
    with proxy.failing(Rule(swell=size)), pytest.raises(TooLarge, match=str(size)):
        store.read(KEY)
    assert body_of(store) == BODY
    # What the kernel's buffers took before the client hung up.
    sent = wait_for(lambda: [access.sent for access in proxy.log if access.sent > len(BODY)])
    assert sent[0] < 64 * 1024**2


def test_bodies_without_a_length(store: S3Store, proxy: FaultProxy, beside: S3Store) -> None:
    with proxy.failing(Rule(chunked=True)):
        assert body_of(store) == BODY
        with pytest.raises(TooLarge, match="more than 5"):
            store.read(KEY, cap=5)
        beside.put(KEY, b"x" * 5 * BODY_CAP)
        with pytest.raises(TooLarge):
            store.read(KEY)
        with proxy.failing(Rule(chunked=True, truncate=100)), pytest.raises(Unreachable):
            store.read(KEY)


# -- silence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("where", ["request", "reply"])
def test_silence_is_bounded(hasty: S3Store, proxy: FaultProxy, verb: str, where: str) -> None:
    began = time.monotonic()
    with proxy.failing(Rule(hang=where)), pytest.raises(Unreachable, match="no answer"):
        VERBS[verb](hasty)
    attempts = 2 if verb in ("list", "read") else 1
    assert time.monotonic() - began >= FAST.read_s * attempts
    assert len(wait_for(lambda: len(proxy.log) >= attempts and proxy.log)) == attempts


@pytest.mark.parametrize("where", ["request", "reply"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_write_that_met_with_silence_is_not_sent_again(
    store: S3Store, proxy: FaultProxy, beside: S3Store, verb: str, where: str
) -> None:
    with proxy.failing(Rule(reset=where)), pytest.raises(Unreachable, match="broke the connection off"):
        VERBS[verb](store)
    wait_for(lambda: proxy.log)
    assert len(proxy.log) == (2 if verb in ("list", "read") else 1)
    landed = where == "reply"
    assert len(proxy.writes()) == (1 if landed and verb in ("write", "delete") else 0)
    expected = {"write": b"new", "delete": None}.get(verb, BODY) if landed else BODY
    assert body_of(beside) == expected


def test_a_connection_that_was_never_made_is_tried_again(rclone_http: S3Server, prefix: str) -> None:
    proxy = FaultProxy(rclone_http).start()
    store = proxy.server.store(prefix, limits=Limits(attempts=3))
    store.put(KEY, BODY)
    proxy.stop()
    with pytest.raises(Unreachable, match="connection refused"):
        store.put(KEY, b"new")
    assert body_of(rclone_http.store(prefix)) == BODY


def test_a_frozen_server(tmp_path: Path, prefix: str) -> None:
    server = start_rclone(tmp_path / "data", tmp_path / "log")
    assert server.process is not None
    try:
        store = server.store(prefix, limits=FAST)
        store.put(KEY, BODY)
        server.process.signal(signal.SIGSTOP)
        for verb in ("list", "write"):
            with pytest.raises(Unreachable, match="no answer"):
                VERBS[verb](store)
        server.process.signal(signal.SIGCONT)
        # The same store goes on; the write that was frozen on its way lands now, late.
        assert wait_for(lambda: body_of(store) == b"new")
    finally:
        server.process.stop()


def test_a_late_write_still_lands(hasty: S3Store, proxy: FaultProxy, beside: S3Store) -> None:
    proxy.add(Rule(method="PUT", latency_s=2.0, times=1))
    with pytest.raises(Unreachable):
        hasty.put(KEY, b"late")
    assert wait_for(lambda: body_of(beside) == b"late")


# -- conditions ---------------------------------------------------------------------------------------


def test_a_conditional_put_is_sent_once(moto: S3Server, prefix: str) -> None:
    with FaultProxy(moto) as proxy:
        store = proxy.server.store(prefix)
        store.probe_conditional("scratch")
        proxy.forget()
        with proxy.failing(Rule(status=500, code="InternalError", obey=True)), pytest.raises(Unreachable):
            store.put(KEY, BODY, if_absent=True)
        assert len(proxy.log) == 1
        # It had landed: a repetition would have met its own trace and told of a conflict that is none.
        with pytest.raises(Conflict):
            store.put(KEY, BODY, if_absent=True)
        assert body_of(store) == BODY


def test_a_request_that_arrives_twice_fails_closed(moto: S3Server, prefix: str) -> None:
    with FaultProxy(moto) as proxy:
        store = proxy.server.store(prefix)
        store.probe_conditional("scratch")
        with proxy.failing(Rule(method="PUT", twice=True)), pytest.raises(Conflict):
            store.put(KEY, BODY, if_absent=True)
        assert body_of(store) == BODY


@pytest.mark.parametrize(
    "rule", [Rule(status=500, code="InternalError"), Rule(status=403, code="AccessDenied")]
)
def test_a_probe_that_fails_proves_nothing(moto: S3Server, prefix: str, rule: Rule) -> None:
    with FaultProxy(moto) as proxy:
        store = proxy.server.store(prefix)
        rule.method = "PUT"
        with proxy.failing(rule), pytest.raises(StoreError):
            store.probe_conditional("scratch")
        assert store.capabilities.conditional_put == "unproven"
        assert store.probe_conditional("scratch").conditional_put == "yes"


def test_conditions_that_are_not_implemented_are_a_no(proxy: FaultProxy, prefix: str) -> None:
    class Refusing(Rule):
        def matches(self, method: str, path: str) -> bool:
            return method == "PUT" and "absent" in path

    proxy.add(Refusing(status=501, code="NotImplemented"))
    found = proxy.server.store(prefix).probe_conditional("scratch")
    assert (found.conditional_put, found.conditional_delete) == ("no", "no")


def wait_for(condition: Callable[[], object], deadline_s: float = 30.0) -> Any:
    """Wait until something is true, and give it back."""
    give_up = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return found
