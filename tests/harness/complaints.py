"""Longhorn's lock errors in every form they come in, for any volume: what the text is, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.builders import volume_folder

BACKUP, RESTORE, DELETE = "backup", "restore", "delete"


@dataclass(frozen=True)
class Form:
    """One form. `operations` are those that the words tell, sorted."""

    id: str
    operations: tuple[str, ...]
    write: Callable[[str], str]

    def __call__(self, volume: str) -> str:
        return self.write(volume)


def path(volume: str, lock: str = "lock-00000000deadbeef") -> str:
    """The loser's own file."""
    return f"{volume_folder(volume)}/locks/{lock}.lck"


def first(volume: str, type_: int) -> str:
    return f"failed lock {path(volume)} type {type_} acquisition"


def later(volume: str, what: str, dot: str = "") -> str:
    return f"failed to acquire lock {path(volume)} when performing backup {what}, please try again later{dot}"


def _proxied(volume: str) -> str:
    inner = later(volume, "create/restore", ".")
    return (
        "proxyServer=10.42.1.7:8501 destination=10.42.1.7:10010: failed to backup snapshot c3b1 to "
        f"backup-1: rpc error: code = Internal desc = {inner}: rpc error: code = Unknown desc = {inner}"
    )


def _removal(volume: str) -> str:
    inner = later(volume, "delete")
    return (
        "error deleting backup URL: failed to execute: /var/lib/longhorn/engine-binaries/x/longhorn "
        f'[backup rm s3://b@r/?backup=backup-1&volume={volume}], output: {inner}, stderr: time="..." '
        f'level=error msg="{inner}": exit status 1'
    )


FORMS = (
    Form("first-type-1", (BACKUP, RESTORE), lambda v: first(v, 1)),
    Form("first-type-2", (DELETE,), lambda v: first(v, 2)),
    Form("second-create-restore", (BACKUP, RESTORE), lambda v: later(v, "create/restore", ".")),
    Form("second-delete", (DELETE,), lambda v: later(v, "delete", ".")),
    Form("third-create-restore", (BACKUP, RESTORE), lambda v: later(v, "create/restore")),
    Form("third-delete", (DELETE,), lambda v: later(v, "delete")),
    Form("proxied-twice", (BACKUP,), _proxied),
    Form("full-restore", (RESTORE,), lambda v: f"error initiating full backup restore: {first(v, 1)}"),
    Form(
        "incremental-restore",
        (RESTORE,),
        lambda v: f"error initiating incremental backup restore: {later(v, 'create/restore')}",
    ),
    Form("deleting-url", (DELETE,), _removal),
    Form(
        "deleting-in-the-backupstore",
        (DELETE,),
        lambda v: f"Failed to delete the backup URL in the backupstore, err {later(v, 'delete')}",
    ),
)
"""Refusals, each as some release words it and some layer wraps it."""

OTHERS = (
    Form(
        "refresh",
        (),
        lambda v: (
            f'time="2026-01-02T03:04:05Z" level=warning msg="Failed to refresh acquired lock" lock={path(v)}'
        ),
    ),
    Form("load", (), lambda v: f"Failed to load lock {path(v)} on backupstore"),
    Form("unlock", (), lambda v: f"Failed to unlock {path(v)}"),
    Form("store", (), lambda v: f"failed to store updated lock {path(v)}"),
)
"""What else Longhorn says of locks."""
