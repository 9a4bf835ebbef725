"""The two calls that a sweep is made of, LIST and GET, for less than half of boto3's processor time.

boto3 stays what is configured, and sends the first request of each client itself; from that one are taken
the address (endpoint, bucket, style), the signing name and region, and the agent's name. Later requests go
through the same urllib3 pool (certificates, proxies, time-outs, connections), are signed by botocore's own
signer with the same credentials, and give replies and raise errors of the same forms. Where something is
not as expected (another signature version, a redirect to another region) boto3 is asked.

Why this one. Processor time of the client in milliseconds, least of several rounds on a busy machine of two
cores: a LIST of 4 keys takes boto3 2.7, boto3 with another XML parser 2.2, this 1.1; one of 250 keys 27, 8
and 4; a GET 1.7 and 0.6. In another run, where boto3 took 3.1 at 4 keys, botocore's signer over botocore's
session took 1.2, a signer of our own over urllib3 0.6, and over http.client 0.4: a signature less worth
trusting for half a millisecond, and connections to be taught proxies and certificates anew.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import botocore.parsers
import urllib3
from botocore import exceptions as boto
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from urllib3 import exceptions as raised
from urllib3.util import Retry

from backuplock.stores.s3_answers import is_error, listing, metadata, opened

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_s3 import S3Client

_NEVER = Retry(False)
_REDIRECTS = (301, 302, 303, 307, 308)
_QUERY = {
    "Prefix": "prefix",
    "Delimiter": "delimiter",
    "StartAfter": "start-after",
    "MaxKeys": "max-keys",
    "ContinuationToken": "continuation-token",
}
_SIGNED = frozenset({"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"})
"""What the signer itself adds of S3's own headers. Any other means more than a signature with these
credentials: the session of a directory bucket, a plugin's wishes."""


@dataclass(frozen=True, slots=True)
class _Route:
    """Where requests about the bucket go and what they are signed for.

    `url` is the bucket's and `target` the same as it stands in the request, which before a proxy is whole;
    both without a slash at the end. `folder` is what follows them in a LIST.
    """

    url: str
    target: str
    folder: str
    pool: urllib3.HTTPConnectionPool
    region: str
    service: str
    agent: str


class FastReads:
    """`list_objects_v2` and `get_object` for one bucket, as boto3's client has them.

    Args:
        client: the client; it is asked instead as long as no LIST of its own has shown the way.
        credentials: those that the client signs with.
    """

    def __init__(self, client: S3Client, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials
        self._shown: Any = None
        self._route: _Route | None = None
        self._given_up = False
        client.meta.events.register("before-send.s3.ListObjectsV2", self._show)

    def list_objects_v2(self, **params: Any) -> Any:
        """As boto3's, with `Bucket` and the parameters of `_QUERY`."""
        route = self._route
        if route is not None:
            named = {"list-type": "2", "encoding-type": "url"}
            named |= {_QUERY[name]: str(value) for name, value in params.items() if name != "Bucket"}
            query = "&".join(f"{name}={quote(named[name], safe='-_.~')}" for name in sorted(named))
            reply = self._send(route, "ListObjectsV2", f"{route.folder}?{query}")
            if reply is not None:
                try:
                    return listing(reply.data) | metadata(reply)
                except ElementTree.ParseError as error:
                    # boto3 takes it for a store that failed in the middle of its answer.
                    raise self._refusal("ListObjectsV2", reply) from error
        answer = self._client.list_objects_v2(**params)
        if self._route is None and not self._given_up:
            # Not before it was answered: the first request may have been sent to another region.
            self._route = _route(self._client, self._shown)
            self._given_up = self._route is None
        return answer

    def get_object(self, **params: Any) -> Any:
        """As boto3's, with `Bucket` and `Key`."""
        route = self._route
        if route is not None:
            reply = self._send(route, "GetObject", "/" + quote(params["Key"], safe="/~"))
            if reply is not None:
                try:
                    return opened(reply) | metadata(reply)
                except BaseException:
                    reply.close()
                    raise
        return self._client.get_object(**params)

    def close(self) -> None:
        """Give back the connections; afterwards boto3 is asked."""
        route, self._route, self._given_up, self._shown = self._route, None, True, None
        if route is not None:
            # boto3 only lets go of its pools, which end when nobody holds them any more.
            route.pool.close()

    def _show(self, request: Any, **_: object) -> None:
        """Called by boto3 with what it is about to send."""
        self._shown = request

    def _send(self, route: _Route, operation: str, rest: str) -> urllib3.BaseHTTPResponse | None:
        """Send a GET; None if boto3 should, which knows how to follow a bucket to another region."""
        request = AWSRequest("GET", route.url + rest)
        request.headers["User-Agent"] = route.agent
        frozen = self._credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, route.service, route.region).add_auth(request)
        try:
            reply = route.pool.urlopen(
                "GET",
                route.target + rest,
                headers=dict(request.headers.items()),
                retries=_NEVER,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                enforce_content_length=False,
            )
            failed = not 200 <= reply.status < 300
            if failed or operation == "ListObjectsV2":
                # Read to its end in any case: only then does the connection serve the next request.
                body = reply.data
                failed = failed or is_error(body)
        except Exception as error:
            raise _as_botocore(error, route) from error
        if not failed:
            return reply
        if reply.status in _REDIRECTS or self._is_elsewhere(reply):
            self._route, self._given_up = None, True
            return None
        raise self._refusal(operation, reply)

    def _is_elsewhere(self, reply: urllib3.BaseHTTPResponse) -> bool:
        return reply.status == 400 and b"<Region>" in reply.data

    def _refusal(self, operation: str, reply: urllib3.BaseHTTPResponse) -> Exception:
        """The error that boto3 makes of a reply."""
        shape: Any = self._client.meta.service_model.operation_model(operation).output_shape
        # Some stores begin to answer, with 200, and then fail.
        status = 500 if 200 <= reply.status < 300 else reply.status
        parsed = botocore.parsers.create_parser("rest-xml").parse(
            {"headers": reply.headers, "status_code": status, "body": reply.data}, shape
        )
        code = str(parsed.get("Error", {}).get("Code", ""))
        kind: Any = self._client.exceptions.from_code(code)
        refusal: Exception = kind(parsed, operation)
        return refusal


def _route(client: S3Client, request: Any) -> _Route | None:
    """The way of a LIST of boto3's; None if it is one that cannot be followed from here."""
    signed = _text(request.headers.get("Authorization", ""))
    scope = signed.partition("Credential=")[2].partition(",")[0].split("/")
    if not signed.startswith("AWS4-HMAC-SHA256 ") or len(scope) != _SCOPE:
        return None
    own = {name.lower() for name in request.headers if name.lower().startswith("x-amz-")}
    if own - _SIGNED:
        return None
    url = request.url.partition("?")[0]
    folder = "/" if url.endswith("/") else ""
    url = url.rstrip("/")
    try:
        # boto3 gives its pool to nobody; a later one that keeps it elsewhere is used as it is.
        session = client._endpoint.http_session  # type: ignore[attr-defined]
        proxy = session._proxy_config.proxy_url_for(url)
        pool = session._get_connection_manager(url, proxy).connection_from_url(url)
        session._setup_ssl_cert(pool, url, session._verify)
        target = session._get_request_target(url, proxy).rstrip("/")
    except AttributeError:
        return None
    return _Route(url, target, folder, pool, scope[2], scope[3], _text(request.headers.get("User-Agent", "")))


_SCOPE = 5
"""Key id, date, region, service, "aws4_request"."""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _as_botocore(error: Exception, route: _Route) -> Exception:
    """What botocore's session makes of an error of urllib3."""
    url = route.url
    if isinstance(error, raised.SSLError):
        return boto.SSLError(endpoint_url=url, error=error)
    if isinstance(error, raised.NewConnectionError | raised.NameResolutionError):
        return boto.EndpointConnectionError(endpoint_url=url, error=error)
    if isinstance(error, raised.ProxyError):
        proxy = route.pool.proxy
        return boto.ProxyConnectionError(proxy_url="" if proxy is None else proxy.url, error=error)
    if isinstance(error, raised.ConnectTimeoutError):
        return boto.ConnectTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, raised.ReadTimeoutError):
        return boto.ReadTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, raised.ProtocolError):
        return boto.ConnectionClosedError(endpoint_url=url, error=error)
    return boto.HTTPClientError(error=error)
