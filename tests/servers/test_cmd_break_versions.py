"""Breaking from the command line where a bucket keeps what is removed: versions and retention."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.breaking import NAME, QUARANTINE
from harness.builders import Lock, Volume
from harness.proxy import FaultProxy, Rule
from harness.running import until
from harness.s3 import S3Server, raw_client
from harness.s3_commands import Ended, locktop
from locktop.exits import ExitCode

LEASE_S = 2.0
GRAIN_S = 2.5
"""S3 tells whole seconds, and its clock is known to as much."""
VOLUME = "pvc-1"
ONE, OTHER = Lock(VOLUME, NAME, 2), Lock("pvc-2", "lock-beef000000000002", 1)
DELAYED = {"Mode": "COMPLIANCE", "Days": 1}


class Bucket:
    """A bucket of the test's own, and what lies in it behind the backs of those who only list."""

    def __init__(self, server: S3Server, name: str, *, retention: bool) -> None:
        self.server, self.name = server, name
        self._client = raw_client(server)
        self._client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=retention)
        if retention:
            self._client.put_object_lock_configuration(
                Bucket=name,
                ObjectLockConfiguration={
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": DELAYED},
                },
            )
        else:
            self._client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def versions(self, key: str) -> tuple[int, int]:
        """Versions and delete markers of one key."""
        found: Any = self._client.list_object_versions(Bucket=self.name, Prefix=f"p/{key}")
        return len(found.get("Versions", ())), len(found.get("DeleteMarkers", ()))

    def bodies(self, key: str) -> list[bytes]:
        """The contents of all versions of a key."""
        found: Any = self._client.list_object_versions(Bucket=self.name, Prefix=f"p/{key}")
        ids = [one["VersionId"] for one in found.get("Versions", ())]
        return [
            self._client.get_object(Bucket=self.name, Key=f"p/{key}", VersionId=one)["Body"].read()
            for one in ids
        ]

    def close(self) -> None:
        self._client.close()


@pytest.fixture(
    params=[("moto", False), ("moto", True), ("ceph", False), ("ceph", True)],
    ids=["moto versioned", "moto object lock", "ceph versioned", "ceph object lock"],
)
def bucket(request: pytest.FixtureRequest, prefix: str) -> Iterator[Bucket]:
    server, retention = request.param
    found = Bucket(request.getfixturevalue(server), prefix, retention=retention)
    yield found
    found.close()


def test_broken_cleaned_up_put_back_and_proved(bucket: Bucket, ended: Ended, tmp_path: Path) -> None:
    """What clients see is what they would see in any bucket, and what stays behind is told."""
    store = bucket.server.store("p", bucket=bucket.name)
    for lock in (ONE, OTHER):
        store.put(Volume(lock.volume).cfg_key, Volume(lock.volume).cfg)
        store.put(lock.key, lock.content)
    written = time.monotonic()
    until(lambda: time.monotonic() - written > LEASE_S + GRAIN_S, "the leases end")

    def acted(*arguments: str) -> Any:
        with locktop(tmp_path, bucket.server, "p", *arguments, lease_s=LEASE_S, bucket=bucket.name) as one:
            code, out, err = one.end()
        assert code == ExitCode.OK, err
        return json.loads(out)

    told = acted("break", f"{VOLUME}/{NAME}", "--write", "--yes", "--reason", "gone", "--json")
    assert told["outcome"] == "broken"
    (stays,) = (one for one in told["plan"]["guarantees"] if one["name"] == "nothing of it stays behind")
    assert stays["holds"] is False
    assert "its versions stay behind a delete marker" in stays["why"]
    assert store.read(ONE.key) is None
    assert bucket.versions(ONE.key) == (1, 1)
    assert bucket.bodies(ONE.key) == [ONE.content]
    told = acted("cleanup", "--apply", "--write", "--yes", "--json")
    assert [(one["key"], one["outcome"]) for one in told["items"]] == [(OTHER.key, "removed")]
    assert bucket.versions(OTHER.key) == (1, 1)

    def run(command: str, *rest: str) -> tuple[int, str, str]:
        return ended(bucket.server, "p", command, *rest, bucket=bucket.name)

    found = json.loads(run("undo", "--json")[1])
    assert found["unfinished"] == []
    ids = {one["key"]: one["id"] for one in found["copies"]}
    assert set(ids) == {ONE.key, OTHER.key}
    code, _, err = run("undo", ids[ONE.key], "--write")
    assert code == ExitCode.OK, err
    blob = store.read(ONE.key)
    assert blob is not None
    assert blob.body == ONE.content
    code, out, err = run("undo", "--purge", ids[OTHER.key], "--write", "--yes")
    assert (code, err) == (ExitCode.OK, "")
    assert "removed: 1 copy, of which the bucket keeps versions" in out
    store.close()
    found = json.loads(run("undo", "--json")[1])
    assert [(one["id"], one["restored"]) for one in found["copies"]] == [(ids[ONE.key], True)]
    assert found["unfinished"] == []
    code, out, _ = run("audit", "--verify", "--json")
    assert (code, json.loads(out)["verified"]["problem"]) == (ExitCode.OK, "")
    code, out, _ = run("audit", "--json")
    ends = [one["outcome"] for one in json.loads(out)["entries"] if one["phase"] == "after"]
    assert ends == ["broken", "broken", "undone", "purged"]


@pytest.mark.parametrize("denied", [r"lock-feed\w+\.lck", r"/"], ids=["the lock", "everything"])
def test_where_retention_forbids_the_removal_nothing_is_lost(
    denied: str, moto: S3Server, prefix: str, ended: Ended, tmp_path: Path
) -> None:
    """Some stores do not even lay a delete marker over what they retain."""
    bucket = Bucket(moto, prefix, retention=True)
    store = moto.store("p", bucket=bucket.name)
    store.put(Volume(VOLUME).cfg_key, Volume(VOLUME).cfg)
    store.put(ONE.key, ONE.content)
    written = time.monotonic()
    until(lambda: time.monotonic() - written > LEASE_S + GRAIN_S, "the lease ends")
    arguments = ["break", f"{VOLUME}/{NAME}", "--write", "--yes"]
    with FaultProxy(moto) as proxy:
        forbidden = Rule("DELETE", denied, status=403, code="AccessDenied")
        with (
            proxy.failing(forbidden),
            locktop(tmp_path, proxy.server, "p", *arguments, lease_s=LEASE_S, bucket=bucket.name) as one,
        ):
            code, _, err = one.end()
        assert code == ExitCode.DENIED
        said = [line for line in err.splitlines() if "was not broken" in line]
        assert len(said) == 1, err
        assert NAME in said[0]
        assert "s3:DeleteObject" in said[0]
        assert "Traceback" not in err
        found = json.loads(ended(proxy.server, "p", "undo", "--json", bucket=bucket.name)[1])
    assert found["unfinished"] == []
    assert all(one["restored"] for one in found["copies"]), "what lies there is of a lock that never went"
    blob = store.read(ONE.key)
    assert blob is not None
    assert blob.body == ONE.content
    # Once it is allowed, the same command does it.
    with locktop(tmp_path, moto, "p", *arguments, lease_s=LEASE_S, bucket=bucket.name) as one:
        code, _, err = one.end()
    assert code == ExitCode.OK, err
    assert store.read(ONE.key) is None
    kept = json.loads(ended(moto, "p", "undo", "--json", bucket=bucket.name)[1])["copies"]
    assert [one["restored"] for one in kept].count(False) == 1
    assert sum(entry.name.endswith(".json") for entry in store.list(QUARANTINE).entries) == len(kept)
    store.close()
    bucket.close()
