"""moto's S3 in a process of its own: conditions and versioning, but it never checks a key."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.process import Process
from harness.s3 import BUCKET, S3Server, make_bucket


def start_moto(log: Path) -> S3Server:
    """Start it and make `BUCKET`."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    process = Process(command, log, env={"PYTHONUNBUFFERED": "1"})
    endpoint = process.wait_for(r"Running on (http://127\.0\.0\.1:\d+)")[1]
    server = S3Server("moto", endpoint, process, checks_keys=False)
    make_bucket(server, BUCKET)
    return server
