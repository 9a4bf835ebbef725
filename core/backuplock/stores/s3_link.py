"""What a store sends its requests by, and how it comes by new credentials when its own have ended.

boto3 renews credentials shortly before the end that was told with them. Those that end sooner (a role that
was taken back, a wrong clock, a file that another program rewrites) are refused in the middle of a session:
then they are fetched once more, from where they came, and the refused request is sent again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from botocore import exceptions as boto

from backuplock.clock import SECOND, Clock
from backuplock.stores.s3_config import Limits, S3Settings, make_client
from backuplock.stores.s3_errors import ENDED
from backuplock.stores.s3_fast import FastReads

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BETWEEN_NS = 10 * SECOND
"""Who hands out credentials that are no good is not asked for more of them at every request."""


class Link:
    """A boto3 client, what reads past it, and both anew with new credentials.

    Args:
        ca_file: trusted authorities; None for boto3's own.
        fast_reads: LIST and GET go past boto3 where that is possible.

    Raises:
        Denied, Malformed: as `make_client`.
    """

    def __init__(
        self, settings: S3Settings, limits: Limits, ca_file: str | None, clock: Clock, *, fast_reads: bool
    ) -> None:
        self._settings, self._limits, self._ca_file = settings, limits, ca_file
        self._clock = clock
        self._fast = fast_reads
        self._lock = threading.Lock()
        self._fetched_ns: int | None = None
        self.client: S3Client
        self.reads: FastReads | S3Client
        self._make()

    @property
    def renewable(self) -> bool:
        """Whether the credentials came from elsewhere than the environment, and may be fetched again."""
        return self._settings.access_key is None

    def renews(self, error: Exception, used: S3Client) -> bool:
        """Whether a request that was refused may be sent again, with other credentials.

        Args:
            error: how it was refused.
            used: the client that it was sent with; if another thread made a new one since, that is it.

        Raises:
            Denied, Malformed: nobody gives out credentials any more.
        """
        if not (self.renewable and is_ended(error)):
            return False
        with self._lock:
            if self.client is not used:
                return True
            now = self._clock.mono_ns()
            if self._fetched_ns is not None and now - self._fetched_ns < _BETWEEN_NS:
                return False
            self._fetched_ns = now
            # The old one is let go of, not closed: other threads may be in the middle of a request.
            self._make()
        return True

    def close(self) -> None:
        """Give back the connections."""
        if isinstance(self.reads, FastReads):
            self.reads.close()
        self.client.close()

    def _make(self) -> None:
        client, credentials = make_client(self._settings, self._limits, self._ca_file)
        self.reads = FastReads(client, credentials) if self._fast else client
        self.client = client


def is_ended(error: Exception) -> bool:
    """Whether a store says that the credentials are not, or no longer, any."""
    return isinstance(error, boto.ClientError) and error.response.get("Error", {}).get("Code") in ENDED
