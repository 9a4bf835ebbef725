"""The doctor on real S3 servers: what they give and lack, and what it finds when something is wrong."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from backuplock.doctor import Diagnosis, Grade, examine
from backuplock.layout import volume_cfg
from harness.proxy import FaultProxy, Rule
from harness.s3 import S3Server, make_bucket, raw_client

if TYPE_CHECKING:
    from backuplock.doctor import Check

CFG = volume_cfg("pvc-1")


def checks(found: Diagnosis) -> dict[str, Check]:
    return {check.name: check for check in found.checks}


def diagnose(server: S3Server, prefix: str, *, write: bool = True, bucket: str = "backups") -> Diagnosis:
    store = server.store(prefix, bucket=bucket)
    store.put(CFG, b"{}")
    store.close()
    return examine(lambda writable: server.store(prefix, writable=writable, bucket=bucket), write=write)


def test_without_leave_to_write_nothing_is_sent_that_writes(proxy: FaultProxy, prefix: str) -> None:
    store = proxy.server.store(prefix)
    store.put(CFG, b"{}")
    store.close()
    proxy.forget()
    found = examine(lambda writable: proxy.server.store(prefix, writable=writable))
    assert checks(found)["write"].grade is Grade.UNKNOWN
    assert proxy.log
    assert proxy.writes() == []


def test_removals_that_are_refused(proxy: FaultProxy, prefix: str) -> None:
    with proxy.failing(Rule("DELETE", "trial", status=403, code="AccessDenied")):
        found = checks(diagnose(proxy.server, prefix))
    assert found["delete"].grade is Grade.BAD
    assert "s3:DeleteObject" in found["delete"].text
    assert found["delete"].advice


def test_removals_that_are_only_said_to_be_done(proxy: FaultProxy, prefix: str) -> None:
    with proxy.failing(Rule("DELETE", "trial", status=204)):
        found = checks(diagnose(proxy.server, prefix))
    assert found["delete"].grade is Grade.BAD
    assert "still there" in found["delete"].text


def test_reads_that_are_refused(proxy: FaultProxy, prefix: str) -> None:
    with proxy.failing(Rule("GET", r"volume\.cfg", status=403, code="AccessDenied")):
        found = checks(diagnose(proxy.server, prefix, write=False))
    assert found["read"].grade is Grade.BAD
    assert found["list"].grade is Grade.OK


def test_versions_and_retention(moto: S3Server) -> None:
    bucket = f"kept-{uuid.uuid4().hex[:12]}"
    plain = f"plain-{uuid.uuid4().hex[:12]}"
    make_bucket(moto, plain)
    client = raw_client(moto)
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}},
        },
    )
    client.close()
    kept = checks(diagnose(moto, "p", bucket=bucket, write=False))
    assert kept["versioning"].grade is Grade.NOTE
    assert "30 days, governance" in kept["object lock"].text
    free = checks(diagnose(moto, "p", bucket=plain, write=False))
    assert free["versioning"].grade is Grade.OK
    assert free["object lock"].grade is Grade.OK
