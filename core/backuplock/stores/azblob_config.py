"""Where an Azure store is and as whom: from a target and Longhorn's variables."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter

from backuplock.errors import Denied, Malformed
from backuplock.target import Target

_SUFFIX = "core.windows.net"
_CONNECTIONS = 64
"""Kept open: a sweep asks from many threads, and each connection made anew costs a handshake."""


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """What a store is opened with. `account_url` is the account's address without a slash at its end."""

    url: str
    account_url: str
    account: str
    key: str = field(repr=False)
    container: str
    prefix: str
    ca_pem: str = ""


def read_settings(target: Target, environ: Mapping[str, str] | None = None) -> AzureSettings:
    """The settings of a target.

    Raises:
        Denied: the account's name or key is not set.
        Malformed: `AZBLOB_ENDPOINT` is no http URL.
    """
    env = os.environ if environ is None else environ
    account, key = env.get("AZBLOB_ACCOUNT_NAME", "").strip(), env.get("AZBLOB_ACCOUNT_KEY", "").strip()
    for name, value in (("AZBLOB_ACCOUNT_NAME", account), ("AZBLOB_ACCOUNT_KEY", key)):
        if not value:
            raise Denied(f"{target.url}: {name} is not set", advice="export it as Longhorn's secret has it")
    try:
        base64.b64decode(key, validate=True)
    except ValueError:
        raise Denied(
            f"{target.url}: AZBLOB_ACCOUNT_KEY is not base64",
            advice="export it as the account's page shows it",
        ) from None
    endpoint = env.get("AZBLOB_ENDPOINT", "").strip().rstrip("/")
    if endpoint:
        try:
            parts = urlsplit(endpoint)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        except ValueError:
            good = False
        if not good:
            raise Malformed("AZBLOB_ENDPOINT is not an http URL", advice="as https://blobs.example:10000")
        address = f"{endpoint}/{account}"
    else:
        address = f"https://{account}.blob.{target.host or _SUFFIX}"
    return AzureSettings(
        target.url, address, account, key, target.bucket, target.prefix, env.get("AZBLOB_CERT", "")
    )


def session_for(settings: AzureSettings) -> tuple[requests.Session, Path | None]:
    """A session with room for many threads, and the temporary file of its authorities, if one was made:
    `AZBLOB_CERT` is added to those that are trusted anyway."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0))
    if not settings.ca_pem.strip():
        return session, None
    with tempfile.NamedTemporaryFile(prefix="backuplock-", suffix=".pem", delete=False) as made:
        made.write(Path(certifi.where()).read_bytes() + b"\n" + settings.ca_pem.encode() + b"\n")
    return session, Path(made.name)
