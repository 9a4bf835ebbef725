"""The doctor finds of every store what the conformance suite knows of it, and leaves nothing there."""

from __future__ import annotations

from backuplock.doctor import Grade, examine
from backuplock.layout import volume_cfg
from harness.store_cases import StoreCase


def test_it_finds_what_the_conformance_suite_knows(store_case: StoreCase) -> None:
    store = store_case.make_store(True)
    store.put(volume_cfg("pvc-1"), b"{}")
    # A dictionary is shared with nobody: there all ways to the store are the same one.
    opened = store_case.make_store if store_case.shared else (lambda _: store)
    found = examine(opened, write=True)
    by_name = {check.name: check for check in found.checks}
    assert by_name["write"].grade is Grade.OK
    assert by_name["delete"].grade is Grade.OK
    assert found.worst in (Grade.OK, Grade.NOTE), found.checks
    if store_case.conditional_put is not None:
        assert found.capabilities.conditional_put == store_case.conditional_put
        assert found.capabilities.conditional_delete == store_case.conditional_delete
    assert store.list("backupstore").folders == ("volumes",)
    store.close()
