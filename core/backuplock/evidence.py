"""What else the store says about a volume: names people know.

Source: Longhorn's `volume.cfg`, whose label `KubernetesStatus` is a JSON string inside the JSON.
"""

from __future__ import annotations

import json
from typing import Any

from backuplock.model import VolumeNames


def volume_names(body: bytes) -> VolumeNames | None:
    """The names in a `volume.cfg`; None if it cannot be understood. Nothing in it is trusted to be well
    formed: it decides nothing and is only shown."""
    config = _object(body)
    if config is None:
        return None
    labels = config.get("Labels")
    status = _object(labels.get("KubernetesStatus")) if isinstance(labels, dict) else None
    workloads = (status or {}).get("workloadsStatus")
    first = workloads[0] if isinstance(workloads, list) and workloads else None
    workload = first if isinstance(first, dict) else {}
    return VolumeNames(
        namespace=_text((status or {}).get("namespace")),
        claim=_text((status or {}).get("pvcName")),
        workload=_text(workload.get("workloadName")) or _text(workload.get("podName")),
        backing_image=_unwrapped(config.get("BackingImageName")),
    )


def _object(raw: object) -> dict[str, Any] | None:
    if not isinstance(raw, (str, bytes)):
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unwrapped(value: object) -> str:
    """Some fields are JSON strings inside JSON strings: `"\\"lz4\\""`."""
    text = _text(value)
    if text.startswith('"'):
        try:
            return _text(json.loads(text))
        except ValueError:
            return text
    return text
