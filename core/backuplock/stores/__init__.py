"""Backup stores behind one protocol; `open_store` picks the one a target needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backuplock.errors import Unsupported

if TYPE_CHECKING:
    from backuplock.stores.base import Store
    from backuplock.target import Target

__all__ = ["open_store"]


def open_store(target: Target, *, writable: bool = False, environ: Mapping[str, str] | None = None) -> Store:
    """Open the store a target names. Nothing is asked of it yet, so nothing can fail for its sake.

    Args:
        target: as `backuplock.target.parse_target` gives it.
        writable: false makes every write raise `ReadOnly`, whatever the credentials allow.
        environ: where Longhorn's credential variables are looked up; the process's by default.

    Raises:
        Denied: credentials that the target needs are not set.
        Missing: an NFS or CIFS share is not mounted.
        Unsupported: no store speaks the target's scheme.
    """
    if target.scheme == "s3":
        # boto3 takes as long to import as the rest together: only those who need it pay.
        from backuplock.stores.s3 import S3Store

        return S3Store.open(target, writable=writable, environ=environ)
    if target.scheme == "azblob":
        try:
            from backuplock.stores.azblob import AzureStore
        except ImportError as error:
            raise Unsupported(
                f"{target.url}: azblob needs {error.name or 'azure-storage-blob'}, which is not installed",
                advice="pip install 'locktop[azblob]'",
            ) from error

        return AzureStore.open(target, writable=writable, environ=environ)
    if target.scheme in ("vfs", "nfs", "cifs"):
        from backuplock.stores.filesystem import FilesystemStore

        return FilesystemStore.open(target, writable=writable)
    raise Unsupported(
        f"{target.url}: {target.scheme} backup stores are not supported yet",
        advice="s3, azblob, nfs, cifs, vfs and plain paths are",
    )
