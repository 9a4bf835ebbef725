"""What a bucket does with what is removed or written over: versions and retention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backuplock.stores.s3_errors import RAISED
from backuplock.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = frozenset({"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"})
_UNSUPPORTED = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})


@dataclass(frozen=True, slots=True)
class Trait:
    """One property of a bucket: `value` is empty if it lacks it, `unsaid` why the store would not tell."""

    value: str = ""
    unsaid: str = ""


@dataclass(frozen=True, slots=True)
class BucketTraits:
    """Properties that matter to locks.

    `versioning`: "Enabled" if each write and removal keeps what was there. `retention`: for how long by
    default nothing can be removed for good, in words ("30 days, compliance").
    """

    versioning: Trait
    retention: Trait


def read_traits(client: S3Client, bucket: str) -> BucketTraits:
    """Ask for both; never raises."""
    return BucketTraits(
        versioning=_ask(lambda: _versioning(client.get_bucket_versioning(Bucket=bucket))),
        retention=_ask(lambda: _retention(client.get_object_lock_configuration(Bucket=bucket))),
    )


def _ask(ask: Callable[[], str]) -> Trait:
    try:
        return Trait(ask())
    except RAISED as error:
        response = getattr(error, "response", None)
        code = str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
        if code in _ABSENT or code in _UNSUPPORTED:
            return Trait()
        return Trait(unsaid=printable(code or type(error).__name__, limit=80))


def _versioning(reply: Any) -> str:
    status = str(reply.get("Status", ""))
    return status if status == "Enabled" else ""


def _retention(reply: Any) -> str:
    found = reply.get("ObjectLockConfiguration", {})
    default = found.get("Rule", {}).get("DefaultRetention", {})
    if found.get("ObjectLockEnabled") != "Enabled" or not default:
        return ""
    unit = "Days" if "Days" in default else "Years"
    mode = str(default.get("Mode", "")).lower()
    return printable(f"{default.get(unit)} {unit.lower()}, {mode}", limit=80)
