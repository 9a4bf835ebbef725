"""S3 and what speaks its language, through boto3.

Habits that differ between stores and are evened out here: quoted and bare etags, replies without a
KeyCount, milliseconds in listings where a GET tells whole seconds, keys that stand for folders, and
conditions that are silently ignored (so none counts before `probe_conditional` has shown it).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import weakref
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from backuplock.clock import SECOND, Clock, Observation, SystemClock, nanoseconds
from backuplock.errors import Conflict, Malformed, ReadOnly, StoreError, Unreachable, Unsupported
from backuplock.stores.base import BLOCKS, BODY_CAP, Blob, Capabilities, Entry, Keys, Listing, Ranged, Version
from backuplock.stores.s3_config import Limits, S3Settings, read_settings, write_ca_file
from backuplock.stores.s3_errors import RAISED, Call, Verb, failure, headers_of, is_missing_key
from backuplock.stores.s3_fast import FastReads
from backuplock.stores.s3_link import Link
from backuplock.stores.s3_probe import Raw, probe
from backuplock.stores.s3_replies import Reply, blob, etag_of, flat, page, rolled, times_of
from backuplock.stores.s3_replies import nanoseconds as instant
from backuplock.stores.s3_traits import BucketTraits, read_traits
from backuplock.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from backuplock.target import Target

_T = TypeVar("_T")

_PAUSE_S = 0.2
"""Between two attempts; a store that asks for more, up to a second, gets it."""


class S3Store:
    """One prefix of one bucket.

    Args:
        settings: where and as whom, as `read_settings` gives it.
        writable: false refuses every write before anything is sent.
        clock: what requests are timed with.
        limits: time-outs and attempts.
        fast_reads: LIST and GET go past boto3 where that is possible; false: all goes through it.

    Raises:
        Denied, Malformed: as `read_settings` and `make_client`.
    """

    def __init__(
        self,
        settings: S3Settings,
        *,
        writable: bool = False,
        clock: Clock | None = None,
        limits: Limits | None = None,
        fast_reads: bool = True,
    ) -> None:
        self.url = settings.url
        self.last_observed: Observation | None = None
        self.capabilities = Capabilities(
            kind="s3",
            atomic_read=True,
            conditional_put="unproven",
            conditional_delete="unproven",
            listing_lags="unproven",
            grain_ns=SECOND,
            writable=writable,
            ranged="unproven",
            keeps_versions="unproven",
        )
        self._clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._bucket = settings.bucket
        self._root = f"{settings.prefix}/" if settings.prefix else ""
        self._etags_quoted = self._rolls = True
        ca_file, temporary = write_ca_file(settings)
        self._forget_ca = weakref.finalize(self, _remove, temporary)
        self._link = Link(settings, self._limits, ca_file, self._clock, fast_reads=fast_reads)
        self._endpoint = printable(self._client.meta.endpoint_url, limit=200)

    @classmethod
    def open(
        cls,
        target: Target,
        *,
        writable: bool = False,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
        fast_reads: bool = True,
    ) -> S3Store:
        """The store a target and Longhorn's environment variables name. Nothing is asked of it yet.

        Raises: as the class.
        """
        settings = read_settings(target, environ)
        return cls(settings, writable=writable, clock=clock, limits=limits, fast_reads=fast_reads)

    @property
    def _client(self) -> S3Client:
        return self._link.client

    @property
    def _reads(self) -> FastReads | S3Client:
        return self._link.reads

    @property
    def endpoint(self) -> str:
        """The server, as a URL."""
        return self._endpoint

    def list(self, folder: str) -> Listing:
        prefix = self._key(folder) + "/" if folder else self._root
        entries: dict[str, Entry] = {}
        folders: set[str] = set()
        seen: Observation | None = None
        tokens: set[str] = set()
        params: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix, "Delimiter": "/"}
        while True:
            token, now = self._ask(
                self._call("list", folder),
                lambda: self._reads.list_objects_v2(**params),
                lambda reply, _: page(reply, prefix, entries, folders, tokens),
            )
            seen = seen or now
            if token is None:
                break
            params["ContinuationToken"] = token
        return Listing(
            tuple(entries[name] for name in sorted(entries)), tuple(sorted(folders)), seen, len(tokens) + 1
        )

    @property
    def ranged(self) -> Ranged:
        """ListObjectsV2 without a delimiter; what does not honour StartAfter is found out by its answers."""
        return self

    def keys(self, prefix: str, after: str, limit: int) -> Keys:
        whole, params = self._from(prefix, after, limit)
        found, seen = self._ask(
            self._call("list", prefix.rpartition("/")[0]),
            lambda: self._reads.list_objects_v2(**params),
            lambda reply, _: flat(reply, whole, len(self._root)),
        )
        assert found is not None
        entries, more = found
        return Keys(entries, more, seen)

    def rolled(self, prefix: str, after: str, limit: int) -> Keys | None:
        """As `base.Rolling`; errors as `list`."""
        if not self._rolls:
            return None
        whole, params = self._from(prefix, after, limit)
        found, seen = self._ask(
            self._call("list", prefix.rpartition("/")[0]),
            lambda: self._reads.list_objects_v2(**params, Delimiter=BLOCKS),
            lambda reply, _: rolled(reply, whole, len(self._root), BLOCKS),
        )
        if found is None:
            self._rolls = False
            return None
        entries, more = found
        return Keys(entries, more, seen)

    def unroll(self) -> None:
        """As `base.Rolling`."""
        self._rolls = False

    def _from(self, prefix: str, after: str, limit: int) -> tuple[str, dict[str, Any]]:
        """The whole prefix, and the parameters of a listing from a point on."""
        whole = self._root + prefix
        params: dict[str, Any] = {"Bucket": self._bucket, "Prefix": whole, "MaxKeys": limit}
        if after:
            params["StartAfter"] = self._root + after
        return whole, params

    def distrust(self) -> None:
        self.capabilities = dataclasses.replace(self.capabilities, ranged="no")

    def newest_below(self, folder: str, most: int) -> int | None:
        """As `backuplock.evidence.Deep`; errors as `list`."""
        params: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._key(folder) + "/", "MaxKeys": most}
        times, _ = self._ask(
            self._call("list", folder),
            lambda: self._reads.list_objects_v2(**params),
            lambda reply, _: times_of(reply),
        )
        return max(times or (), default=None)

    def read(self, key: str, *, cap: int = BODY_CAP) -> Blob | None:
        full = self._key(key)
        return self._ask(
            self._call("read", key),
            lambda: self._reads.get_object(Bucket=self._bucket, Key=full),
            lambda reply, seen: self._heed_version(reply, blob(reply, seen, key, cap)),
            missing=True,
        )[0]

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> Version:
        conditional = if_match is not None or if_absent
        self._check_write(key, conditional and self.capabilities.conditional_put)
        return self._put(key, body, self._etag_header(if_match), if_absent)

    def delete(self, key: str, *, if_match: str | None = None) -> None:
        self._check_write(key, if_match is not None and self.capabilities.conditional_delete)
        self._delete(key, self._etag_header(if_match))

    def probe_conditional(self, folder: str) -> Capabilities:
        """Find out, by trying, whether conditional puts and deletes are honoured; remembered from then on.

        Some dozen small objects are written below `folder` and removed again. Other clients must not see
        them as theirs: their names are no lock names.

        Raises:
            ReadOnly: the store was opened for reading only.
            StoreError: a trial failed for another reason; what was known before stays.
        """
        self._check_write(folder, False)
        found = probe(Raw(self._put, self._delete, self.read), folder)
        self._etags_quoted = found.etags_quoted
        self.capabilities = dataclasses.replace(
            self.capabilities,
            conditional_put="yes" if found.put else "no",
            conditional_delete="yes" if found.delete else "no",
        )
        return self.capabilities

    def bucket_traits(self) -> BucketTraits:
        """What the bucket does with what is removed or written over; never raises."""
        return read_traits(self._client, self._bucket)

    def _heed_version(self, reply: Reply, found: Blob) -> Blob:
        """An object with a version of its own shows, unasked, what a removal of it will leave behind."""
        if reply.get("VersionId", "null") != "null" and self.capabilities.keeps_versions != "yes":
            self.capabilities = dataclasses.replace(self.capabilities, keeps_versions="yes")
        return found

    def close(self) -> None:
        self._link.close()
        self._forget_ca()

    def _put(self, key: str, body: bytes, if_match: str | None, if_absent: bool) -> Version:
        params: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key(key), "Body": body}
        # Buckets with object lock take no upload without one; the newer checksums some stores refuse.
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        params["ContentMD5"] = base64.b64encode(digest).decode("ascii")
        if if_match is not None:
            params["IfMatch"] = if_match
        if if_absent:
            params["IfNoneMatch"] = "*"
        made = self._ask(
            self._call("write", key, conditional=if_match is not None or if_absent),
            lambda: self._client.put_object(**params),
            lambda reply, seen: Version(None, etag_of(reply), seen),
            # A store that finds nothing to match may say so instead of "precondition failed".
            missing=if_match is not None,
        )[0]
        if made is None:
            raise Conflict(f"cannot write {self._shown(key)}: it is not there any more")
        return made

    def _delete(self, key: str, if_match: str | None) -> None:
        params: dict[str, Any] = {"Bucket": self._bucket, "Key": self._key(key)}
        if if_match is not None:
            params["IfMatch"] = if_match
        self._ask(
            self._call("delete", key, conditional=if_match is not None),
            lambda: self._client.delete_object(**params),
            lambda _reply, _seen: None,
            missing=True,
        )

    def _ask(
        self,
        call: Call,
        send: Callable[[], Any],
        take: Callable[[Reply, Observation | None], _T],
        *,
        missing: bool = False,
    ) -> tuple[_T | None, Observation | None]:
        """Send a request, at most `attempts` times, and take what is needed from its reply.

        With `missing`, an object that is not there gives None. `take` runs under the same translation of
        errors, for bodies arrive after the reply.
        """
        left = self._limits.attempts
        touched = renewed = False
        while True:
            left -= 1
            used = self._client
            began = self._clock.mono_ns()
            seen: Observation | None = None
            try:
                reply = send()
                seen = self._saw(reply["ResponseMetadata"]["HTTPHeaders"], began)
                return take(reply, seen), seen
            except RAISED as error:
                seen = seen or self._saw(headers_of(error), began)
                if missing and is_missing_key(error):
                    return None, seen
                if not renewed and self._link.renews(error, used):
                    # Refused before anything was looked at: no attempt of those that may be made.
                    renewed, left = True, left + 1
                    continue
                failed = failure(error, call, observed=seen, wall_ns=self._clock.wall_ns())
                # A write that met with silence may still land after its own repetition, and a repeated
                # condition would meet the traces of the first attempt: neither is sent twice.
                touched = touched or not getattr(failed.error, "untouched", True)
                repeatable = call.verb in ("list", "read") or (failed.settled and not call.conditional)
                if left <= 0 or not (failed.transient and repeatable):
                    if isinstance(failed.error, StoreError):
                        failed.error.untouched = not touched
                    raise failed.error from error
                wait = failed.error.retry_after if isinstance(failed.error, Unreachable) else None
            self._clock.sleep(nanoseconds(min(max(wait or 0.0, _PAUSE_S), 1.0)))

    def _saw(self, headers: Mapping[str, str], began: int) -> Observation | None:
        """What a reply's `Date` says of the store's clock: it was read between `began` and now."""
        ended = self._clock.mono_ns()
        try:
            told = parsedate_to_datetime(headers["date"])
        except (KeyError, ValueError, TypeError, IndexError):
            return None
        if told.tzinfo is None:
            told = told.replace(tzinfo=UTC)
        self.last_observed = Observation(began, ended, instant(told), SECOND)
        return self.last_observed

    def _key(self, key: str) -> str:
        """The key in the bucket.

        urllib3 folds `.` and `..` and a store over a file system obeys them, so such keys could name
        another object than they say.
        """
        parts = key.split("/")
        if "" in parts or "." in parts or ".." in parts or "\0" in key:
            raise Malformed(
                f"{printable(key, limit=200)!r} is not a key",
                advice="its parts may be neither empty nor '.' or '..'",
            )
        try:
            key.encode()
        except UnicodeEncodeError:
            raise Malformed(f"{printable(key, limit=200)} is not a key: it is not Unicode text") from None
        return self._root + key

    def _check_write(self, key: str, condition: str | bool) -> None:
        if not self.capabilities.writable:
            raise ReadOnly(f"{self.url} was opened for reading only, {printable(key)} is left as it is")
        if condition == "unproven":
            raise Unsupported(
                f"{self.url}: whether the store honours conditions is not known", advice="probe it first"
            )
        if condition == "no":
            raise Unsupported(f"{self.url}: the store does not honour conditions")

    def _etag_header(self, etag: str | None) -> str | None:
        return f'"{etag}"' if etag is not None and self._etags_quoted else etag

    def _call(self, verb: Verb, key: str, *, conditional: bool = False) -> Call:
        fetched = self._link.renewable
        return Call(verb, self._shown(key), self._bucket, self._endpoint, conditional, fetched)

    def _shown(self, key: str) -> str:
        return f"{self.url.rstrip('/')}/{printable(key, limit=400)}".rstrip("/")


def _remove(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
