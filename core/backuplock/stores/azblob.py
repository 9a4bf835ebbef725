"""Azure blob storage, through azure-storage-blob, an optional part of the installation.

Every write gives a blob another etag, whatever its bytes, and conditions on it are part of the service (Azure
Storage, "Specifying conditional headers for Blob service operations"): what a listing or a read shows can be
removed or replaced as exactly that version. Where it is and as whom is told by Longhorn's variables
(longhorn/backupstore, azblob_service.go): `AZBLOB_ENDPOINT` is followed by the account's name.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobPrefix, ContainerClient

from backuplock.clock import SECOND, Clock, Observation, SystemClock, nanoseconds
from backuplock.errors import Conflict, Malformed, ReadOnly, TooLarge
from backuplock.stores.azblob_config import AzureSettings, read_settings, session_for
from backuplock.stores.azblob_errors import RAISED, Verb, failure, is_missing, is_transient
from backuplock.stores.base import BODY_CAP, Blob, Capabilities, Entry, Listing, Version
from backuplock.target import Target
from backuplock.text import printable

_T = TypeVar("_T")
Hook = Callable[[Any], None]
"""Hears the raw reply, for its headers."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CONNECT_S, _READ_S = 5, 20
_ATTEMPTS = 2
_PAUSE_S = 0.2


class AzureStore:
    """One prefix of one container.

    Args:
        settings: where and as whom, as `read_settings` gives it.
        writable: false refuses every write before anything is sent.
        clock: what requests are timed with.
    """

    def __init__(
        self, settings: AzureSettings, *, writable: bool = False, clock: Clock | None = None
    ) -> None:
        self.url = settings.url
        self.last_observed: Observation | None = None
        self.capabilities = Capabilities(
            kind="azblob",
            atomic_read=True,
            conditional_put="yes",
            conditional_delete="yes",
            listing_lags="unproven",
            grain_ns=SECOND,
            writable=writable,
            keeps_versions="unproven",
            fresh_etags=True,
        )
        self._clock = clock or SystemClock()
        self._settings = settings
        self._root = f"{settings.prefix}/" if settings.prefix else ""
        session, ca_file = session_for(settings)
        self._forget_ca = weakref.finalize(self, _remove, ca_file)
        self._client = ContainerClient(
            settings.account_url,
            settings.container,
            credential={"account_name": settings.account, "account_key": settings.key},
            # A transport of one's own hears nothing of what the client is told of time-outs and authorities.
            transport=RequestsTransport(
                session=session,
                session_owner=False,
                connection_timeout=_CONNECT_S,
                read_timeout=_READ_S,
                connection_verify=str(ca_file) if ca_file is not None else True,
            ),
            # What is sent again, and what must not be, is decided here.
            retry_total=0,
            max_single_get_size=16 * BODY_CAP,
        )
        self._session = session

    @classmethod
    def open(
        cls,
        target: Target,
        *,
        writable: bool = False,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> AzureStore:
        """The store a target and Longhorn's environment variables name. Nothing is asked of it yet.

        Raises: as `read_settings`.
        """
        return cls(read_settings(target, environ), writable=writable, clock=clock)

    @property
    def endpoint(self) -> str:
        """The account's address, as a URL."""
        return printable(self._settings.account_url, limit=200)

    def list(self, folder: str) -> Listing:
        prefix = self._key(folder) + "/" if folder else self._root
        entries: dict[str, Entry] = {}
        folders: set[str] = set()
        requests = 0
        seen: Observation | None = None
        more: str | None = None
        while True:
            page, now = self._ask("list", folder, partial(self._page, prefix, more))
            assert page is not None
            found, more = page
            requests += 1
            seen = seen or now
            for item in found:
                _sort_in(item, prefix, entries, folders)
            if not more:
                break
        names = tuple(entries[name] for name in sorted(entries))
        return Listing(names, tuple(sorted(folders)), seen, requests)

    def _page(self, prefix: str, token: str | None, hook: Hook) -> tuple[Sequence[Any], str | None]:
        walk = self._client.walk_blobs(name_starts_with=prefix, delimiter="/", raw_response_hook=hook)
        pages: Any = walk.by_page(token)
        found = list(next(iter(pages), ()))
        return found, pages.continuation_token

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        full = self._key(key)

        def send(hook: Hook) -> tuple[bytes | None, Any]:
            # Its first request brings a lock whole; the others of a larger blob carry the first one's etag.
            reply = self._client.download_blob(full, raw_response_hook=hook)
            return reply.readall() if reply.size <= cap else None, reply.properties

        found, seen = self._ask("read", key, send, missing=True)
        if found is None:
            return None
        body, properties = found
        if body is None:
            raise TooLarge(f"{self._shown(key)} has more than the {cap} bytes that are read")
        return Blob(body, instant(properties.last_modified), _etag(properties.etag), seen)

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        self._check_write(key)
        full = self._key(key)
        params: dict[str, Any] = {"overwrite": True, "max_concurrency": 1}
        if if_absent:
            params["match_condition"] = MatchConditions.IfMissing
        if if_match is not None:
            params |= {"etag": f'"{if_match}"', "match_condition": MatchConditions.IfNotModified}
        blob = self._client.get_blob_client(full)
        conditional = if_absent or if_match is not None
        made, seen = self._ask(
            "write",
            key,
            lambda hook: blob.upload_blob(body, raw_response_hook=hook, **params),
            conditional=conditional,
        )
        assert made is not None
        return Version(instant(made["last_modified"]), _etag(made["etag"]), seen)

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        self._check_write(key)
        full = self._key(key)
        params: dict[str, Any] = {}
        if if_match is not None:
            params = {"etag": f'"{if_match}"', "match_condition": MatchConditions.IfNotModified}
        try:
            self._ask(
                "delete",
                key,
                lambda hook: self._client.delete_blob(full, raw_response_hook=hook, **params),
                conditional=if_match is not None,
                missing=True,
            )
        except Conflict:
            # Of a blob that is not there some servers say that it is not the version, too.
            if self.read(key, cap=10 * BODY_CAP) is not None:
                raise

    def close(self) -> None:
        self._client.close()
        self._session.close()
        self._forget_ca()

    # -- inside

    def _ask(
        self,
        verb: Verb,
        key: str,
        send: Callable[[Hook], _T],
        *,
        conditional: bool = False,
        missing: bool = False,
    ) -> tuple[_T | None, Observation | None]:
        """Send a request, reads twice if need be. With `missing`, a blob that is not there gives None."""
        left = _ATTEMPTS
        while True:
            left -= 1
            heard: list[Mapping[str, str]] = []
            began = self._clock.mono_ns()
            try:
                found = send(lambda raw, heard=heard: heard.append(raw.http_response.headers))  # type: ignore[misc]
                return found, self._saw(heard, began)
            except RAISED as error:
                seen = self._saw(heard, began)
                if missing and is_missing(error):
                    return None, seen
                # A write that met with silence may still land after its own repetition.
                if left <= 0 or verb not in ("list", "read") or not is_transient(error):
                    raise failure(error, verb, self._shown(key), self._settings.container) from error
            self._clock.sleep(nanoseconds(_PAUSE_S))

    def _saw(self, heard: Sequence[Mapping[str, str]], began: int) -> Observation | None:
        """What a reply's `Date` says of the store's clock: it was read between `began` and now."""
        ended = self._clock.mono_ns()
        try:
            told = parsedate_to_datetime(heard[-1]["date"])
        except (KeyError, ValueError, TypeError, IndexError):
            return None
        if told.tzinfo is None:
            told = told.replace(tzinfo=UTC)
        self.last_observed = Observation(began, ended, instant(told), SECOND)
        return self.last_observed

    def _check_write(self, key: str) -> None:
        if not self.capabilities.writable:
            raise ReadOnly(f"{self.url} was opened for reading only, {printable(key)} is left as it is")

    def _shown(self, key: str) -> str:
        return printable(f"{key or 'the root'} of {self.url}", limit=300)

    def _key(self, key: str) -> str:
        """The blob's name. A backslash is refused: the service takes it for a slash, so the name would be
        another one than it says."""
        parts = key.split("/")
        if "" in parts or "." in parts or ".." in parts or "\0" in key or "\\" in key:
            raise Malformed(
                f"{printable(key, limit=200)!r} is not a key",
                advice="its parts may be neither empty nor '.' or '..', nor hold a backslash",
            )
        try:
            key.encode()
        except UnicodeEncodeError:
            raise Malformed(f"{printable(key, limit=200)} is not a key: it is not Unicode text") from None
        return self._root + key


def _sort_in(item: Any, prefix: str, entries: dict[str, Entry], folders: set[str]) -> None:
    name = str(item.name)
    if not name.startswith(prefix):
        raise ValueError("its listing shows what was not asked for")
    rest = name[len(prefix) :]
    if isinstance(item, BlobPrefix) or "/" in rest:
        folders.add(rest.partition("/")[0])
    elif rest:
        entries[rest] = Entry(rest, item.size, instant(item.last_modified), _etag(item.etag))


def instant(told: datetime) -> int:
    """An instant as nanoseconds of the epoch, without a detour over floats."""
    return (told - _EPOCH) // _MICROSECOND * 1000


def _etag(raw: str) -> str:
    return str(raw).removeprefix("W/").strip('"')


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
