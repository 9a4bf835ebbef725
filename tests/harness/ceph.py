"""Ceph's S3 gateway over one monitor and one memory-backed OSD, where Debian's packages are installed.

Packages: radosgw ceph-mon ceph-osd ceph-common. Everything lives in one folder and runs as whoever runs the
tests; nothing of a Ceph installation on the machine is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from harness.process import Process, executable, free_port
from harness.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, make_bucket

_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool")

_CONF = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}]
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file =
mon data = {folder}/mon
mon cluster log file = {folder}/cluster.log
mon allow pool size one = true
mon warn on pool no redundancy = false
paxos propose interval = 0.05
paxos min wait = 0.02
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd max object name len = 2048
rgw rados pool pg num min = 1
rgw frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:{rgw_port}
rgw enable usage log = false

# For all would be too much: a monitor that is told an address forgets the port of its map.
[osd]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
"""


def missing_programs() -> list[str]:
    """The programs of Ceph that are not installed; empty if it can run."""
    return [name for name in _PROGRAMS if executable(name) is None]


class Ceph:
    """A running cluster of one; `server` is its S3 gateway."""

    def __init__(self) -> None:
        # Unix sockets live here, whose paths are short or refused.
        self._folder = Path(tempfile.mkdtemp(prefix="rgw-"))
        self._processes: list[Process] = []
        try:
            self.server = self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it by force: nothing of it is kept."""
        for process in reversed(self._processes):
            process.stop(gently=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> S3Server:
        port = free_port()
        fsid = str(uuid.uuid4())
        text = _CONF.format(fsid=fsid, mon_port=free_port(), rgw_port=port, folder=self._folder)
        (self._folder / "ceph.conf").write_text(text)
        self._monitor(fsid)
        self._storage()
        gateway = self._daemon("radosgw", "-n", "client.admin")
        user = ["user", "create", "--uid=tests", "--display-name=tests"]
        self._run("radosgw-admin", *user, f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")
        gateway.wait_port(port)
        server = S3Server("ceph", f"http://127.0.0.1:{port}", gateway)
        make_bucket(server, BUCKET)
        return server

    def _monitor(self, fsid: str) -> None:
        keyring, monmap = str(self._folder / "keyring"), str(self._folder / "monmap")
        conf = (self._folder / "ceph.conf").read_text()
        address = conf.split("mon host = ")[1].split("\n")[0]
        allow = [part for kind in ("mon", "osd", "mgr") for part in ("--cap", kind, "allow *")]
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", *allow[:3])
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *allow)
        self._run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, monmap)
        (self._folder / "mon").mkdir()
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)
        self._daemon("ceph-mon", "-i", "a")

    def _storage(self) -> None:
        osd = str(uuid.uuid4())
        keyring = self._folder / "osd" / "keyring"
        keyring.parent.mkdir()
        self._run("ceph-authtool", "--create-keyring", str(keyring), "--gen-key", "-n", "osd.0")
        secret = json.dumps(
            {"cephx_secret": self._run("ceph-authtool", "-p", "-n", "osd.0", str(keyring)).strip()}
        )
        self._run("ceph", "osd", "new", osd, "-i", "-", "-n", "client.admin", given=secret)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, "--keyring", str(keyring))
        self._daemon("ceph-osd", "-i", "0", "--keyring", str(keyring))

    def _daemon(self, name: str, *arguments: str) -> Process:
        process = Process(
            [str(executable(name)), "-f", *arguments, *self._conf()], self._folder / f"{name}.out"
        )
        self._processes.append(process)
        return process

    def _run(self, name: str, *arguments: str, given: str = "") -> str:
        # The two tools that only write files know no configuration.
        conf = [] if name in ("ceph-authtool", "monmaptool") else self._conf()
        done = subprocess.run(
            [str(executable(name)), *arguments, *conf],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "CEPH_CONF": str(self._folder / "ceph.conf")},
        )
        if done.returncode:
            raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr[-1000:]}")
        return done.stdout

    def _conf(self) -> list[str]:
        return ["-c", str(self._folder / "ceph.conf")]
