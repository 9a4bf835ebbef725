"""Names people know, out of `volume.cfg`, whatever stands in it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from backuplock.evidence import volume_names
from backuplock.model import VolumeNames


def cfg(status: object, **more: object) -> bytes:
    return json.dumps({"Name": "v", "Labels": {"KubernetesStatus": json.dumps(status)}, **more}).encode()


def test_names_of_a_claim() -> None:
    body = cfg(
        {
            "pvName": "pv",
            "namespace": "shop",
            "pvcName": "orders-db",
            "workloadsStatus": [
                {"podName": "orders-0", "workloadName": "orders", "workloadType": "StatefulSet"}
            ],
        },
        BackingImageName='"parrot"',
    )
    names = volume_names(body)
    assert names == VolumeNames("shop", "orders-db", "orders", "parrot")
    assert names.claim_path == "shop/orders-db"


def test_a_volume_without_a_claim() -> None:
    assert volume_names(b'{"Name":"v","Labels":null}') == VolumeNames()


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda i: (
            st.lists(i)
            | st.dictionaries(
                st.sampled_from(["Labels", "KubernetesStatus", "workloadsStatus", "namespace"])
                | st.text(max_size=5),
                i,
            )
        ),
        max_leaves=15,
    ).map(lambda value: json.dumps(value).encode())
)
def test_nonsense_names_nobody(body: bytes) -> None:
    names = volume_names(body)
    assert names is None or isinstance(names, VolumeNames)


def test_deep_nesting_names_nobody() -> None:
    assert volume_names(b"[" * 100_000) is None
