"""From a target and Longhorn's environment variables to a configured boto3 client.

Source of the variables and of the addressing rule: Longhorn backupstore, `s3/s3_service.go`. Its
AWS_SIGN_ACCEPT_ENCODING needs nothing here: botocore never signs that header, which every store accepts.
"""

from __future__ import annotations

import functools
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from backuplock.errors import Denied, Malformed
from backuplock.stores.s3_proxy import proxy_for
from backuplock.text import printable

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from mypy_boto3_s3 import S3Client

    from backuplock.target import Target

# Where distributions keep the authorities that the system trusts; the first that exists counts.
_SYSTEM_CAS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one request may take; seconds. Bounds stay well below a lease's renewal interval.

    Attributes:
        connect_s: for the connection and its TLS handshake, each.
        read_s: for the server to say anything more.
        attempts: how often a request that may be repeated is sent in all.
        connections: kept open, that is threads that are served without connecting anew.
    """

    connect_s: float = 5.0
    read_s: float = 10.0
    attempts: int = 2
    connections: int = 64


@dataclass(frozen=True, slots=True)
class S3Settings:
    """What a client needs to know. Secrets are kept out of its `repr`."""

    url: str
    bucket: str
    prefix: str
    region: str | None
    endpoint: str | None
    path_style: bool
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    ca_pem: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    profile: str | None = None
    config_file: str | None = None
    credentials_file: str | None = None


def read_settings(target: Target, environ: Mapping[str, str] | None = None) -> S3Settings:
    """Combine a target with Longhorn's environment variables.

    Raises:
        Denied: one half of the credentials is missing.
        Malformed: a variable does not hold what it must; its name is told, a secret's value never.
    """
    env = os.environ if environ is None else environ

    def given(name: str) -> str | None:
        # Values of Kubernetes secrets often end in a newline.
        return env.get(name, "").strip() or None

    if not target.bucket:
        raise Malformed(f"{target.url}: no bucket is named", advice="write s3://bucket@region/path/")
    endpoint = given("AWS_ENDPOINTS")
    if endpoint is not None:
        _check_endpoint(endpoint)
    access, secret = given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY")
    if (access is None) != (secret is None):
        absent = "AWS_ACCESS_KEY_ID" if access is None else "AWS_SECRET_ACCESS_KEY"
        raise Denied(
            f"{target.url}: {absent} is not set", advice=f"export {absent} of the backup target's secret"
        )
    region = target.region or given("AWS_REGION") or given("AWS_DEFAULT_REGION")
    reached = endpoint or f"https://{target.bucket}.s3.{region or 'us-east-1'}.amazonaws.com"
    proxy = proxy_for(reached, env)
    return S3Settings(
        url=target.url,
        bucket=target.bucket,
        prefix=target.prefix.strip("/"),
        region=region,
        endpoint=endpoint,
        path_style=path_style(_checked_style(given("VIRTUAL_HOSTED_STYLE")), endpoint),
        access_key=access,
        secret_key=secret,
        session_token=given("AWS_SESSION_TOKEN") if access else None,
        ca_pem=_checked_pem(env.get("AWS_CERT", "")),
        ca_file=given("AWS_CA_BUNDLE"),
        proxies=((urlsplit(reached).scheme, proxy),) if proxy else (),
        profile=given("AWS_PROFILE"),
        config_file=given("AWS_CONFIG_FILE"),
        credentials_file=given("AWS_SHARED_CREDENTIALS_FILE"),
    )


def path_style(virtual_hosted_style: str | None, endpoint: str | None) -> bool:
    """Longhorn's rule: VIRTUAL_HOSTED_STYLE decides if it is exactly "true" or "false"; else path style
    is for stores with an endpoint of their own."""
    if virtual_hosted_style in ("true", "false"):
        return virtual_hosted_style == "false"
    return endpoint is not None


def make_client(settings: S3Settings, limits: Limits, ca_file: str | None) -> tuple[S3Client, Credentials]:
    """A boto3 client that neither retries nor waits longer than `limits`, and what it signs with; nothing is
    sent yet.

    Raises:
        Denied: there are no credentials anywhere.
        Malformed: no region is named, or boto3's own configuration is broken.
    """
    try:
        session = _session(settings)
        # Custom endpoints seldom care about a region, but a signature must name one.
        region = settings.region or session.region_name or ("us-east-1" if settings.endpoint else None)
        if region is None:
            raise Malformed(
                f"{settings.url}: no region is named",
                advice="write s3://bucket@region/path/ or set AWS_REGION",
            )
        credentials = _credentials(session, settings)
        client: S3Client = session.client(
            "s3",
            region_name=region,
            endpoint_url=settings.endpoint,
            verify=ca_file,
            config=_client_config(settings, limits),
        )
    except BotoCoreError as error:
        raise Malformed(
            f"{settings.url}: boto3 cannot be set up: {printable(str(error), limit=200)}",
            advice="check AWS_PROFILE, AWS_CONFIG_FILE and the files they name",
        ) from error
    except ValueError as error:
        raise Malformed(
            f"{settings.url}: boto3 refuses the endpoint or the region: {printable(str(error), limit=200)}",
            advice="check AWS_ENDPOINTS and the region in the URL",
        ) from error
    # "Expect: 100-continue" costs every small write a second round trip, or a second where it is ignored.
    client.meta.events.register("before-sign.s3.PutObject", _expect_nothing)
    return client, credentials


def _credentials(session: boto3.Session, settings: S3Settings) -> Credentials:
    try:
        found = session.get_credentials()
    except (BotoCoreError, KeyError, TypeError, AttributeError, ValueError) as error:
        # A service that hands out roles and answers something else is not foreseen by boto3.
        lacks = isinstance(error, KeyError)
        why = f"the answer lacks {error}" if lacks else printable(str(error), limit=200)
        raise Denied(
            f"{settings.url}: the credentials could not be fetched: {why}",
            advice="check the profile, the role, and the service that hands it out",
        ) from error
    if found is None:
        raise Denied(
            f"{settings.url}: no credentials were found",
            advice="export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the backup target's secret",
        )
    return found


def _client_config(settings: S3Settings, limits: Limits) -> Config:
    return Config(
        s3={"addressing_style": "path" if settings.path_style else "virtual"},
        # Some stores refuse checksums they did not ask for, and rclone's are wrong on ranges.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=limits.connect_s,
        read_timeout=limits.read_s,
        # The store repeats requests itself: only it knows which may be sent twice, and the times it
        # tells must belong to one request.
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=limits.connections,
        proxies=dict(settings.proxies),
    )


def _expect_nothing(request: AWSRequest, **_: object) -> None:
    del request.headers["Expect"]


def write_ca_file(settings: S3Settings) -> tuple[str | None, Path | None]:
    """The file of trusted authorities for boto3, and the temporary file to remove later, if one was made.

    boto3 takes authorities from a file only, while AWS_CERT *adds* its own to the system's.
    """
    known = settings.ca_file or next((name for name in _SYSTEM_CAS if Path(name).is_file()), None)
    if settings.ca_pem is None:
        return known, None
    base = b""
    if known is not None:
        try:
            base = Path(known).read_bytes()
        except OSError as error:
            raise Malformed(
                f"the authorities in {printable(known)} cannot be read: {error.strerror}",
                advice="check AWS_CA_BUNDLE",
            ) from error
    with tempfile.NamedTemporaryFile(prefix="backuplock-", suffix=".pem", delete=False) as made:
        made.write(base + b"\n" + settings.ca_pem.encode("utf-8", "replace") + b"\n")
    return made.name, Path(made.name)


@functools.cache
def _loader() -> botocore.loaders.Loader:
    """One for all sessions: taking in the description of S3 again costs most of the making of a client."""
    return botocore.loaders.create_loader()


def _session(settings: S3Settings) -> boto3.Session:
    core = botocore.session.Session(profile=settings.profile)
    core.register_component("data_loader", _loader())
    for name, value in (
        ("config_file", settings.config_file),
        ("credentials_file", settings.credentials_file),
    ):
        if value is not None:
            core.set_config_variable(name, value)
    if settings.access_key is not None and settings.secret_key is not None:
        core.set_credentials(settings.access_key, settings.secret_key, settings.session_token)
    else:
        # The environment was looked at already, and a caller's own mapping takes the process's place.
        core.get_component("credential_provider").remove("env")
    return boto3.Session(botocore_session=core)


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, SplitResult("", "", "", "", "")
    if "@" in parts.netloc:
        raise Malformed("AWS_ENDPOINTS holds a name or password", advice="leave out what stands before '@'")
    if not usable or not endpoint.isprintable() or " " in endpoint or "," in endpoint:
        shown = "" if "@" in endpoint else f" {printable(endpoint, limit=100)}"
        raise Malformed(f"AWS_ENDPOINTS{shown} is not one URL", advice="write http(s)://host[:port]")


def _checked_style(text: str | None) -> str | None:
    """Longhorn passes over any other word, which can only have been meant as one of these."""
    if text in (None, "true", "false"):
        return text
    raise Malformed(
        f"VIRTUAL_HOSTED_STYLE is {printable(text or '', limit=60)!r}, which is neither true nor false",
        advice="write true or false, in small letters, or unset it",
    )


def _checked_pem(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        advice = "give the certificate itself, '-----BEGIN CERTIFICATE-----' and so on, neither a file name"
        raise Malformed(
            "AWS_CERT holds no certificate in PEM form", advice=f"{advice} nor the secret's base64"
        ) from error
    return text
