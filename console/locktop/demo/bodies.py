"""Bodies of `volume.cfg` and of a backup's description, in the form Longhorn gives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from locktop.output.fields import iso

if TYPE_CHECKING:
    from locktop.demo.people import Tenant


def volume_cfg(tenant: Tenant, size: int, last_backup: str, at_ns: int) -> bytes:
    """A volume's description; numbers are text, and some text is JSON once more, as Longhorn writes it."""
    status = {
        "pvName": tenant.volume,
        "pvStatus": "Bound",
        "namespace": tenant.namespace,
        "pvcName": tenant.claim,
        "workloadsStatus": [
            {
                "podName": f"{tenant.workload}-0",
                "podStatus": "Running",
                "workloadName": tenant.workload,
                "workloadType": "StatefulSet",
            }
        ],
    }
    return _compact(
        {
            "Name": tenant.volume,
            "Size": str(size),
            "Labels": {"KubernetesStatus": json.dumps(status), "longhorn.io/volume-access-mode": "rwo"},
            "CreatedTime": iso(at_ns),
            "LastBackupName": last_backup,
            "LastBackupAt": iso(at_ns),
            "BlockCount": "2",
            "BackingImageName": "",
            "BackingImageChecksum": "",
            "CompressionMethod": '"lz4"',
            "StorageClassName": '"longhorn"',
            "DataEngine": '"v1"',
        }
    )


def backup_cfg(volume: str, name: str, at_ns: int, *, finished: bool) -> bytes:
    """A backup's description; one in progress has no time of creation."""
    return _compact(
        {
            "Name": name,
            "VolumeName": volume,
            "SnapshotName": f"snap-{name.removeprefix('backup-')}",
            "SnapshotCreatedAt": iso(at_ns),
            "CreatedTime": iso(at_ns) if finished else "",
            "Size": str(2 * 2**21),
            "Labels": {},
            "IsIncremental": True,
            "CompressionMethod": "lz4",
            "Blocks": [],
        }
    )


def _compact(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
