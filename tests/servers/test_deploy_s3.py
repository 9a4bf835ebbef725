"""The pods of `deploy/` as a node runs them: their arguments and the secret's keys, on a real S3 server."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from backuplock.target import parse_target
from harness.builders import Lock, Volume, write, write_locks
from harness.manifests import pods
from harness.process import Process
from harness.rclone import start_rclone
from harness.s3 import BUCKET, S3Server
from locktop.exits import ExitCode


@pytest.fixture
def store(tmp_path: Path) -> Iterator[S3Server]:
    target = parse_target(pods()["job.yaml"]["containers"][0]["env"][0]["value"])
    assert target.bucket == BUCKET
    root = tmp_path / "data" / BUCKET / target.prefix
    for name in ("pvc-1", "pvc-2", "pvc-3"):
        volume = Volume(name)
        write(root, volume.cfg_key, volume.cfg)
    write_locks(root, [Lock("pvc-2", "lock-0000000000000001", age_s=20)], time.time_ns())
    server = start_rclone(tmp_path / "data", tmp_path / "log")
    yield server
    assert server.process is not None
    server.process.stop()


def begun(name: str, server: S3Server, home: Path) -> tuple[list[str], dict[str, str]]:
    """The command and the whole environment of a manifest's only container."""
    (one,) = pods()[name]["containers"]
    home.mkdir(exist_ok=True)
    # Values of secrets made from files end in a newline.
    secret = {key: f"{value}\n" for key, value in server.environ(NO_PROXY="127.0.0.1").items()}
    given = {entry["name"]: entry["value"] for entry in one["env"]}
    there = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    imports = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    return [sys.executable, "-m", "locktop", *one["args"]], {**there, **secret, **given, **imports}


def test_the_job_lists_the_locks(store: S3Server, tmp_path: Path) -> None:
    command, environ = begun("job.yaml", store, tmp_path / "home")
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == ExitCode.OK
    assert done.stderr.startswith("locktop: 1 lock on 1 of 3 volumes")
    assert re.search(r"pvc-2 .*lock-0000000000000001", done.stdout)


def test_the_job_fails_where_the_secret_is_wrong(store: S3Server, tmp_path: Path) -> None:
    command, environ = begun("job.yaml", store, tmp_path / "home")
    environ["AWS_SECRET_ACCESS_KEY"] = "another one"
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (ExitCode.DENIED, "")
    assert "AWS_SECRET_ACCESS_KEY" in done.stderr


def test_the_deployment_is_scraped(store: S3Server, tmp_path: Path) -> None:
    command, environ = begun("metrics.yaml", store, tmp_path / "home")
    # The tests listen on loopback alone, where a port is free.
    at = command.index("--listen") + 1
    assert command[at].startswith("0.0.0.0:")
    command[at] = "127.0.0.1:0"
    server = Process(["env", "-i", *(f"{k}={v}" for k, v in environ.items()), *command], tmp_path / "metrics")
    try:
        url = server.wait_for(r"serving (http://\S+) of")[1]
        with urllib.request.urlopen(url, timeout=30) as answer:
            told = answer.read().decode()
    finally:
        server.stop()
    assert re.search(r"^locktop_up\{[^}]*\} 1\.0$", told, re.MULTILINE)
    assert re.search(r"^locktop_volumes\{[^}]*\} 3\.0$", told, re.MULTILINE)
