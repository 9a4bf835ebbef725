"""The guest as a small network: a server, and clients in network and host-name spaces of their own.

Two mounts of one network space share a client id and caches, and would only show what one client sees; so
each client is a space of its own, at the other end of a cable of its own. The mounts are visible to all.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/mnt")
CLIENTS = ("a", "b", "c", "d", "e", "f")
LONGHORN = "nfsvers=4.2,actimeo=1,soft,timeo=300,retry=2"
"""How Longhorn mounts NFS."""


def run(*command: str, check: bool = True) -> str:
    """Run a program; what it printed."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if check and ended.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {ended.returncode}: {ended.stdout}{ended.stderr}")
    return ended.stdout + ended.stderr


def shell(lines: str) -> str:
    """Run lines of a shell, up to the first that fails."""
    return run("sh", "-euc", lines)


def until(condition: Callable[[], object], what: str, patience_s: float = 60.0) -> float:
    """Wait until it is true; seconds that it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience_s:
            raise RuntimeError(f"waited in vain {what}")
        time.sleep(0.02)
    return time.monotonic() - began


def set_up(clients: Iterable[str] = CLIENTS) -> None:
    """Modules on call, and the cables: `a`'s server is 10.9.1.1, `b`'s 10.9.2.1, and so on."""
    shell(
        """
        mkdir -p /mnt/modules/lib
        ln -s /usr/lib/uml/modules /mnt/modules/lib/modules
        printf '#!/bin/sh\\nexec /sbin/modprobe -d /mnt/modules "$@"\\n' > /mnt/modprobe
        chmod 755 /mnt/modprobe
        echo /mnt/modprobe > /proc/sys/kernel/modprobe
        ip link set lo up
        /mnt/modprobe -a veth nfsd nfs nfsv4 cifs sch_netem
        """
    )
    for number, name in enumerate(clients, 1):
        shell(
            f"""
            ip netns add {name}
            ip link add to-{name} type veth peer name cable netns {name}
            ip addr add 10.9.{number}.1/24 dev to-{name}
            ip link set to-{name} up
            ip -n {name} addr add 10.9.{number}.2/24 dev cable
            ip -n {name} link set cable up
            ip -n {name} link set lo up
            """
        )


def server_of(client: str) -> str:
    """The server's address on the cable of a client."""
    return f"10.9.{CLIENTS.index(client) + 1}.1"


def unplug(client: str) -> None:
    """From now on nothing that the server sends reaches the client."""
    run("tc", "qdisc", "add", "dev", f"to-{client}", "root", "netem", "loss", "100%")


def plug_in(client: str) -> None:
    """The cable works again."""
    run("tc", "qdisc", "del", "dev", f"to-{client}", "root")


@dataclass(frozen=True)
class Mounted:
    """A share on a client: where it is, and what was mounted."""

    client: str
    point: Path
    source: str


def mount(client: str, kind: str, what: str, options: str, name: str = "") -> Mounted:
    """Mount a share of the server as a client; `what` is its path there."""
    point = ROOT / f"{kind}-{client}{name}"
    point.mkdir()
    host = server_of(client)
    source = f"{host}:{what}" if kind == "nfs4" else f"//{host}{what}"
    inside = f"hostname client-{client}; exec mount -t {kind} -o '{options}' '{source}' '{point}'"
    run("nsenter", f"--net=/run/netns/{client}", "unshare", "--uts", "sh", "-euc", inside)
    return Mounted(client, point, source)


def start_nfsd() -> None:
    """The kernel's NFS server: `/backups` for everybody, `/squashed` with root-squash."""
    shell(
        """
        mkdir -p /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery /mnt/export
        touch /var/lib/nfs/etab /var/lib/nfs/rmtab
        mount -t nfsd nfsd /proc/fs/nfsd
        mount -t tmpfs none /mnt/export
        for share in backups squashed fleeting; do
            mkdir /mnt/export/$share
            mount -t tmpfs none /mnt/export/$share
        done
        chmod 755 /mnt/export/backups /mnt/export/fleeting
        rpc.mountd -N 3 -V 4
        exportfs -o rw,fsid=0,no_root_squash,insecure '*:/mnt/export'
        exportfs -o rw,fsid=1,no_root_squash,insecure '*:/mnt/export/backups'
        exportfs -o rw,fsid=2,root_squash,insecure '*:/mnt/export/squashed'
        exportfs -o rw,fsid=3,no_root_squash,insecure '*:/mnt/export/fleeting'
        rpc.nfsd -N 3 -V 4.2 -U 4
        """
    )


SMB_CONF = """
[global]
  workgroup = TEST
  server role = standalone server
  map to guest = never
  security = user
  passdb backend = tdbsam:/mnt/smb/passdb.tdb
  private dir = /mnt/smb/private
  state directory = /mnt/smb/state
  cache directory = /mnt/smb/cache
  lock directory = /mnt/smb/lock
  pid directory = /mnt/smb/pid
  ncalrpc dir = /mnt/smb/ncalrpc
  log file = /mnt/smb/log
  smb ports = 445
  disable netbios = yes
  server min protocol = SMB2
  load printers = no
  printcap name = /dev/null
  disable spoolss = yes
[backups]
  path = /mnt/smb-share
  writable = yes
  force user = root
[looking]
  path = /mnt/smb-share
  read only = yes
  force user = root
[closed]
  path = /mnt/smb-closed
  writable = yes
"""
PASSWORD = "not-a-secret"


def start_smbd() -> subprocess.Popen[bytes]:
    """Samba with three shares: for writing, for reading, and one whose folder is root's own."""
    Path("/mnt/smb.conf").write_text(SMB_CONF)
    shell(
        """
        mkdir -p /mnt/smb-share /mnt/smb-closed/backupstore/volumes /run/samba
        chmod 700 /mnt/smb-closed/backupstore
        for folder in private state cache lock pid ncalrpc; do mkdir -p /mnt/smb/$folder; done
        """
    )
    given = f"{PASSWORD}\n{PASSWORD}\n".encode()
    for user in ("root", "nobody"):
        command = ["smbpasswd", "-c", "/mnt/smb.conf", "-s", "-a", user]
        subprocess.run(command, input=given, check=True, capture_output=True)
    return smbd()


def smbd() -> subprocess.Popen[bytes]:
    """Samba's server, once it listens; in a session of its own, so that all its processes can be stopped."""
    command = ["smbd", "-F", "--no-process-group", "-s", "/mnt/smb.conf", "--debug-stdout"]
    with Path("/mnt/out/smbd.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    until(lambda: ":01BD " in Path("/proc/net/tcp").read_text(), "for smbd to listen")
    return server


def smb_options(more: str = "", user: str = "root") -> str:
    """Options of a CIFS mount; Longhorn adds `soft` alone."""
    return f"username={user},password={PASSWORD},soft" + (f",{more}" if more else "")
