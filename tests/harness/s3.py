"""What all S3 servers of the tests have in common: an address, keys, a bucket, stores that use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from backuplock.clock import Clock
from backuplock.stores.s3 import S3Store
from backuplock.stores.s3_config import Limits
from backuplock.target import parse_target

if TYPE_CHECKING:
    from harness.process import Process

ACCESS_KEY = "AKTESTEXAMPLE"
SECRET_KEY = "testsecret0123456789"
BUCKET = "backups"
REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A running S3 server.

    Attributes:
        name: for messages.
        endpoint: its URL, or that of what stands in front of it.
        process: to stop or freeze it; None for a proxy.
        ca_pem: its authority, for https.
        checks_keys: false if it takes any credentials.
        fast_reads: whether its stores read past boto3.
    """

    name: str
    endpoint: str
    process: Process | None = None
    ca_pem: str = ""
    checks_keys: bool = True
    fast_reads: bool = True

    def environ(self, **changes: str | None) -> dict[str, str]:
        """Longhorn's variables for it; `None` leaves one out."""
        found: dict[str, str | None] = {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINTS": self.endpoint,
            "AWS_CERT": self.ca_pem or None,
            **changes,
        }
        return {name: value for name, value in found.items() if value is not None}

    def url(self, prefix: str, *, bucket: str = BUCKET) -> str:
        """A target URL below its bucket."""
        return f"s3://{bucket}@{REGION}/{prefix}/"

    def store(
        self,
        prefix: str,
        *,
        writable: bool = True,
        bucket: str = BUCKET,
        clock: Clock | None = None,
        limits: Limits | None = None,
        fast_reads: bool | None = None,
        **changes: str | None,
    ) -> S3Store:
        """A store on it, opened the way a user's would be; `changes` are made to the environment."""
        environ = self.environ(**changes)
        target = parse_target(self.url(prefix, bucket=bucket), environ)
        fast = self.fast_reads if fast_reads is None else fast_reads
        return S3Store.open(
            target, writable=writable, environ=environ, clock=clock, limits=limits, fast_reads=fast
        )


def make_bucket(server: S3Server, bucket: str) -> None:
    """Make a bucket by a signed request of its own: the library never makes one."""
    client = raw_client(server)
    client.create_bucket(Bucket=bucket)
    client.close()


def raw_client(server: S3Server, *, max_pool_connections: int = 10) -> Any:
    """A plain boto3 client, for what the library cannot do: make buckets, plant odd objects."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        verify=False,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            proxies={},
            max_pool_connections=max_pool_connections,
        ),
    )
