"""What azure-storage-blob and what lies below it raise -> this library's errors, each one clear line.

The service's own words are shown only where its code is not known here, cut and made printable.
"""

from __future__ import annotations

from typing import Literal

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from backuplock.errors import Conflict, Denied, Malformed, Missing, StoreError, Unreachable
from backuplock.text import printable

Verb = Literal["list", "read", "write", "delete"]

RAISED = (AzureError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""All that a call may raise; a reply of another kind of server makes the SDK stumble in many ways."""

_KEYS = "check AZBLOB_ACCOUNT_NAME and AZBLOB_ACCOUNT_KEY"
_CONFLICTS = frozenset({"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"})
_DENIED = {
    "AuthenticationFailed": ("the account's key is not accepted", _KEYS),
    "AuthorizationFailure": ("the account's key is not accepted", _KEYS),
    "AuthorizationPermissionMismatch": ("these credentials may not {verb} here", "grant them the right"),
    "BlobImmutableDueToPolicy": ("an immutability policy protects the blob", "wait until it is over"),
    "SnapshotsPresent": ("the blob has snapshots", "remove those first"),
    "LeaseIdMissing": ("somebody has a lease of Azure's on the blob", "end it there"),
}
_BUSY = frozenset({429, 500, 502, 503, 504})


def is_missing(error: BaseException) -> bool:
    """Whether it says that a blob is not there, while its container is."""
    return (
        isinstance(error, HttpResponseError) and error.status_code == 404 and _code(error) == "BlobNotFound"
    )


def failure(error: BaseException, verb: Verb, where: str, container: str) -> StoreError | Malformed:
    """The error to raise.

    Args:
        where: the printable key or folder with the store's URL.
    """
    what = f"cannot {verb} {where}"
    if isinstance(error, HttpResponseError) and error.status_code:
        return _answered(error, verb, what, container)
    if isinstance(error, ServiceRequestError | ServiceResponseError | IncompleteReadError | OSError):
        why = printable(_innermost(error), limit=160)
        return Unreachable(f"{what}: {why}", advice="check AZBLOB_ENDPOINT, the network and the certificate")
    why = printable(f"{type(error).__name__}: {error}", limit=120)
    return Unreachable(f"{what}: this is no answer of Azure's ({why})", advice="check AZBLOB_ENDPOINT")


def _answered(error: HttpResponseError, verb: Verb, what: str, container: str) -> StoreError:
    status, code = error.status_code or 0, _code(error)
    found: StoreError
    if code in _CONFLICTS or status == 412:
        found = Conflict(f"{what}: it is not the version that was expected")
    elif code in _DENIED:
        why, advice = _DENIED[code]
        found = Denied(f"{what}: {why.format(verb=verb)}", advice=advice)
    elif status in (401, 403):
        found = Denied(
            f"{what}: the service refuses ({printable(code or str(status), limit=60)})", advice=_KEYS
        )
    elif code in ("ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled", "InvalidResourceName"):
        found = Missing(f"{what}: there is no container {container}", advice="check the container in the URL")
    elif status == 404:
        found = Missing(
            f"{what}: there is nothing at this address", advice="check AZBLOB_ENDPOINT and the URL"
        )
    else:
        word = printable(code or error.reason or "", limit=60)
        found = Unreachable(f"{what}: the service answers {status} {word}", busy=status in (429, 503))
    # What was refused was not done; of an inner error of the service nobody knows.
    found.untouched = status < 500 or status == 503
    return found


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed."""
    if isinstance(error, HttpResponseError) and error.status_code:
        return error.status_code in _BUSY
    return isinstance(error, ServiceRequestError | ServiceResponseError | IncompleteReadError | OSError)


def _code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _innermost(error: BaseException) -> str:
    """The cause in the words of the system where it has any: those around it repeat themselves."""
    text = str(error)
    for mark in ("Failed to establish a new connection: ", "Caused by "):
        text = text.rpartition(mark)[2] or text
    return text.strip(" ()'\"")
