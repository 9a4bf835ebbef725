"""What boto3 and what lies below it raise -> this library's errors, each one clear line.

A store's own words are shown only where its code is not known here, cut and made printable.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import urllib3.exceptions
from botocore import exceptions as boto

from backuplock.clock import SECOND, Observation
from backuplock.errors import Conflict, Denied, Malformed, Missing, StoreError, Unreachable, Unsupported
from backuplock.text import printable


class NotS3(Exception):
    """A reply that an S3 store would not give; the text says in a few words why."""


class BeingWritten(NotS3):
    """A reply that a store gives for a moment, while the object is written by somebody else."""


RAISED = (
    NotS3,
    boto.BotoCoreError,
    boto.ClientError,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    # What botocore lets through when a reply does not have the form it expects.
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    # A redirect that leads to itself.
    RecursionError,
)
"""All that a call of boto3 has been seen to raise."""

Verb = Literal["list", "read", "write", "delete"]

_PERMISSION = {
    "list": "s3:ListBucket on the bucket",
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "delete": "s3:DeleteObject",
}


@dataclass(frozen=True, slots=True)
class Call:
    """What was being done: for the sentence, and for what an answer means.

    `what` is the printable key or folder with the target's URL, `conditional` says whether the request
    carried a condition, `fetched` that the credentials are a profile's or a role's, not the environment's.
    """

    verb: Verb
    what: str
    bucket: str
    endpoint: str
    conditional: bool = False
    fetched: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request: the error to raise, and whether it may be sent again.

    `transient`: another attempt may succeed. `settled`: the request is known to have had its effect or
    none at all, so that a repetition of a write cannot be overtaken by the first one.
    """

    error: StoreError | Malformed
    transient: bool = False
    settled: bool = True


_Row = tuple[type[StoreError], str, str]

_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_CODES: dict[str, _Row] = {
    "NoSuchBucket": (Missing, "there is no bucket {bucket}", "check the bucket's name in the URL"),
    "InvalidBucketName": (
        Missing,
        "{bucket} is not a bucket's name",
        "check the URL, s3://bucket@region/path/",
    ),
    "InvalidAccessKeyId": (Denied, "the store does not know the access key id", "check AWS_ACCESS_KEY_ID"),
    "SignatureDoesNotMatch": (
        Denied,
        "the secret key does not belong to the access key id",
        "check AWS_SECRET_ACCESS_KEY; failing that, look for a proxy that rewrites headers",
    ),
    "AccessDenied": (Denied, "these credentials may not {verb} here", "grant them {permission}"),
    "AllAccessDisabled": (Denied, "the store has disabled the bucket", "ask the store's operator"),
    "ExpiredToken": (Denied, "the session token has expired", "renew AWS_SESSION_TOKEN and both keys"),
    "InvalidToken": (Denied, "the session token is not valid", "renew or unset AWS_SESSION_TOKEN"),
    "TokenRefreshRequired": (Denied, "the session token must be renewed", "renew AWS_SESSION_TOKEN"),
    "InvalidObjectState": (Denied, "the object is in an archive tier", "restore it from there first"),
    "QuotaExceeded": (Denied, "the store's quota is used up", "free space or raise the quota"),
    "InvalidSecurity": (Denied, "the credentials are not valid", _KEYS),
    "AuthorizationHeaderMalformed": (
        Denied,
        "the request was signed for another region",
        "write the bucket's region in the URL: s3://{bucket}@{region}/path/",
    ),
    "PermanentRedirect": (
        Denied,
        "the bucket is in another region or needs another endpoint",
        "write s3://{bucket}@{region}/path/ or check AWS_ENDPOINTS",
    ),
    "PreconditionFailed": (Conflict, "it is not the version that was expected", ""),
    "NotImplemented": (Unsupported, "the store does not implement this request", ""),
    "KeyTooLongError": (Denied, "the key is longer than the store allows", ""),
}
_CODES["IllegalLocationConstraintException"] = _CODES["AuthorizationHeaderMalformed"]
_CODES["301"] = _CODES["307"] = _CODES["PermanentRedirect"]
_CODES["401"] = _CODES["403"] = _CODES["Forbidden"] = _CODES["AccessDenied"]
_CODES["412"] = _CODES["PreconditionFailed"]
_CODES["501"] = _CODES["NotImplemented"]

_CODES["ExpiredTokenException"] = _CODES["ExpiredToken"]
_CODES["InvalidTokenId"] = _CODES["InvalidToken"]

ENDED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
        "InvalidToken",
        "InvalidTokenId",
        "InvalidAccessKeyId",
    }
)
"""Said of credentials that have come to their end; of those that were deleted as well."""
_RENEW = (
    "renew what the profile or the role gives out (as by `aws sso login`): fetched anew it is refused, too"
)
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SKEW_LIMIT_S = 15 * 60
"""S3 refuses signatures that are further from its own time."""
_NO_CONDITIONS = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest"})
_BUSY = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"}
)


def is_missing_key(error: Exception) -> bool:
    """Whether a store says that the object, and nothing more than it, is not there. A bare 404 does not:
    any web server gives it."""
    return isinstance(error, boto.ClientError) and error.response.get("Error", {}).get("Code") == "NoSuchKey"


def headers_of(error: Exception) -> dict[str, str]:
    """The headers of the reply that an error came with, names in lower case; empty if there was none."""
    reply: dict[str, Any] = getattr(error, "response", None) or {}
    found = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {}) if isinstance(reply, dict) else {}
    return {str(name).lower(): str(value) for name, value in found.items()}


def failure(error: Exception, call: Call, *, observed: Observation | None, wall_ns: int) -> Failure:
    """The error to raise for whatever boto3 raised, and whether the request may be sent again.

    Args:
        observed: what the reply said of the store's time, if there was one.
        wall_ns: the local wall clock at the end of the call, for telling a skew.
    """
    if isinstance(error, boto.ClientError):
        return _refused(error, call, observed, wall_ns)
    return _unanswered(error, call)


def _refused(error: boto.ClientError, call: Call, observed: Observation | None, wall_ns: int) -> Failure:
    detail: dict[str, Any] = dict(error.response.get("Error", {}))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    code = str(detail.get("Code") or status)
    ahead = None if observed is None else (wall_ns - observed.store_ns) / SECOND
    # Some stores call a request that is too old just denied.
    if code in _SKEWED or (status in (400, 403) and ahead is not None and abs(ahead) > _SKEW_LIMIT_S):
        return Failure(_skewed(call, ahead))
    if code in _BUSY or status in (429, 503):
        wait = _retry_after(headers_of(error))
        later = f"try again in {wait:.0f} s" if wait else "try again later"
        what = f"the store is busy ({printable(code, limit=60)})"
        busy = Unreachable(_sentence(call, what), advice=later, retry_after=wait, busy=True)
        return Failure(busy, transient=True)
    if call.conditional and (
        status == 501 or code in ("NotImplemented", "InvalidArgument", "InvalidRequest")
    ):
        return Failure(Unsupported(_sentence(call, "the store does not take conditions")))
    if code in _CODES:
        kind, what, advice = _CODES[code]
        fill = {
            "bucket": printable(call.bucket, limit=80),
            "verb": call.verb,
            "permission": _PERMISSION[call.verb],
            "region": printable(str(detail.get("Region") or "region"), limit=40),
        }
        if call.fetched and code in ENDED:
            advice = _RENEW
        return Failure(kind(_sentence(call, what.format(**fill)), advice=advice.format(**fill)))
    return _unknown_reply(call, code, str(detail.get("Message") or ""), status)


def _unknown_reply(call: Call, code: str, message: str, status: int) -> Failure:
    if code == str(status):
        said = f"the store answered {status} without saying why"
    else:
        said = f"the store answered {status} {printable(code, limit=60)}"
        said += f": {printable(message, limit=160)}" if message else ""
    if status >= 500 or status in (408, 409):
        wait = "try again later, or look at the store's own log"
        return Failure(Unreachable(_sentence(call, said), advice=wait), transient=True)
    if status == 404 or code == str(status):
        # No S3 error body: this is some other server, or one that wants TLS.
        advice = f"check that {call.endpoint} is an S3 endpoint, and http or https in AWS_ENDPOINTS"
        return Failure(Unreachable(_sentence(call, said), advice=advice, untouched=True))
    return Failure(Denied(_sentence(call, said)))


def _skewed(call: Call, ahead: float | None) -> Denied:
    what = "the local clock is too far from the store's"
    if ahead is not None:
        what = f"the local clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the store's"
    return Denied(_sentence(call, what), advice="set the clocks right (NTP)")


def _retry_after(headers: dict[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


def _unanswered(error: Exception, call: Call) -> Failure:
    at = call.endpoint
    if isinstance(error, boto.ProxyConnectionError):
        proxy = _host(str(error.kwargs.get("proxy_url", "")))
        what = f"no connection to the proxy {proxy} ({_cause(error)})"
        advice = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        return Failure(Unreachable(_sentence(call, what), advice=advice, untouched=True), transient=True)
    if isinstance(error, boto.SSLError):
        return _untrusted(error, call)
    if isinstance(error, boto.ConnectTimeoutError | boto.EndpointConnectionError):
        what = f"no connection to {at} ({_cause(error)})"
        advice = "check AWS_ENDPOINTS, the region and the network"
        return Failure(Unreachable(_sentence(call, what), advice=advice, untouched=True), transient=True)
    if isinstance(error, boto.ReadTimeoutError | urllib3.exceptions.ReadTimeoutError):
        what = f"no answer from {at} in time"
        return Failure(
            Unreachable(_sentence(call, what), advice="try again later"), transient=True, settled=False
        )
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        what = "no credentials were found"
        advice = "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the backup target's secret"
        return Failure(Denied(_sentence(call, what), advice=advice))
    if isinstance(error, boto.CredentialRetrievalError | boto.TokenRetrievalError | boto.SSOError):
        what = f"the credentials could not be fetched: {printable(str(error), limit=160)}"
        return Failure(Denied(_sentence(call, what), advice="check the profile or role"))
    if isinstance(error, boto.ParamValidationError):
        what = f"boto3 refuses the name: {printable(str(error), limit=160)}"
        return Failure(Malformed(_sentence(call, what), advice="check the URL, s3://bucket@region/path/"))
    if isinstance(error, boto.ConnectionClosedError | boto.ResponseStreamingError | boto.IncompleteReadError):
        what = f"{at} broke the connection off"
        advice = "try again later, or check http or https in AWS_ENDPOINTS"
        return Failure(Unreachable(_sentence(call, what), advice=advice), transient=True, settled=False)
    if isinstance(error, boto.HTTPClientError | OSError | urllib3.exceptions.HTTPError):
        what = f"the request to {at} failed ({_cause(error)})"
        return Failure(Unreachable(_sentence(call, what)), transient=True, settled=False)
    if isinstance(error, BeingWritten):
        what = f"{at} answered with {error}, as some stores do while an object is being written"
        advice = "try again; if it stays so, look at the store's own log"
        return Failure(Unreachable(_sentence(call, what), advice=advice), transient=True, settled=False)
    why = str(error) if isinstance(error, NotS3) else type(error).__name__
    what = f"{at} did not answer as an S3 store does ({why})"
    advice = "check AWS_ENDPOINTS, and what stands between (a proxy, a login page)"
    return Failure(Unreachable(_sentence(call, what), advice=advice), settled=False)


def _untrusted(error: boto.SSLError, call: Call) -> Failure:
    text = str(error.kwargs.get("error", error))
    # These end a handshake; other troubles of TLS may come after the request was sent.
    untouched = True
    if "Hostname mismatch" in text or "doesn't match" in text or "not valid for" in text:
        what, advice = "its certificate is for another name", "check the host in AWS_ENDPOINTS"
    elif "expired" in text:
        what, advice = "its certificate has expired, or the local clock is wrong", "renew it, check the clock"
    elif "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        what = "its certificate is signed by an unknown authority"
        advice = "put the authority's certificate (PEM text) into AWS_CERT"
    elif "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
        what, advice = "it does not speak TLS", "write http:// in AWS_ENDPOINTS if that is meant"
    else:
        what, advice = f"TLS failed ({_cause(error)})", "check the server's and the proxy's TLS settings"
        untouched = False
    said = _sentence(call, f"{call.endpoint} cannot be trusted: {what}")
    return Failure(Unreachable(said, advice=advice, untouched=untouched))


def _cause(error: BaseException) -> str:
    """The innermost reason, in a few words, without addresses of objects and without URLs."""
    inner: BaseException = error
    for _ in range(8):
        below = inner.kwargs.get("error") if isinstance(inner, boto.BotoCoreError) else None
        below = below or getattr(inner, "reason", None) or inner.__cause__ or inner.__context__
        if not isinstance(below, BaseException) or below is inner:
            break
        inner = below
    if isinstance(inner, OSError) and inner.strerror:
        return printable(inner.strerror.lower(), limit=100)
    if isinstance(inner, TimeoutError | urllib3.exceptions.TimeoutError | boto.ConnectTimeoutError):
        return "timed out"
    return printable(type(inner).__name__, limit=60)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return printable(f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}", limit=100)
    except ValueError:
        return "that is set"


def _sentence(call: Call, what: str) -> str:
    return f"cannot {call.verb} {call.what}: {what}"
