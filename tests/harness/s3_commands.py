"""The command line on an S3 server, in this process or in one of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from harness.commands import run
from harness.running import Running, running
from harness.s3 import BUCKET, S3Server


class Ended(Protocol):
    """Runs a command on a target to its end; its exit code, stdout and stderr."""

    def __call__(
        self, server: S3Server, prefix: str, command: str, *rest: str, bucket: str = BUCKET
    ) -> tuple[int, str, str]: ...


def exports(server: S3Server, state: Path) -> dict[str, str]:
    """What a person exports, with an audit trail of the test's own."""
    return {
        **server.environ(),
        "XDG_STATE_HOME": str(state),
        "NO_PROXY": "127.0.0.1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def ended_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ended:
    """Runs commands here."""
    monkeypatch.delenv("LOCKTOP_WRITE", raising=False)

    def end(
        server: S3Server, prefix: str, command: str, *rest: str, bucket: str = BUCKET
    ) -> tuple[int, str, str]:
        for name, value in exports(server, tmp_path / "state").items():
            monkeypatch.setenv(name, value)
        done = run(capsys, command, "-t", server.url(prefix, bucket=bucket), *rest)
        return done.code, done.out, done.err

    return end


def locktop(
    tmp_path: Path,
    server: S3Server,
    prefix: str,
    *arguments: str,
    lease_s: float = 150,
    bucket: str = BUCKET,
) -> AbstractContextManager[Running]:
    """The command in a process of its own, to be killed, or to take everybody's lease for another."""
    command, *rest = arguments
    arguments = (command, "-t", server.url(prefix, bucket=bucket), *rest)
    return running(tmp_path, *arguments, lease_s=lease_s, **exports(server, tmp_path / "state"))
