"""The probe for conditions on stores with one weakness each; real servers have their own tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from backuplock.errors import Conflict, Unreachable, Unsupported
from backuplock.stores.base import Blob, Version
from backuplock.stores.memory import MemoryStore
from backuplock.stores.s3_probe import Findings, Raw, probe


@dataclass
class Weak:
    """A store over memory that takes `If-Match` as it goes over the wire, with weaknesses by name."""

    weakness: str = ""
    quoted: bool = True
    store: MemoryStore = field(default_factory=MemoryStore)
    known: set[str] = field(default_factory=set)
    gate: threading.Barrier = field(default_factory=lambda: threading.Barrier(4))

    def put(self, key: str, body: bytes, if_match: str | None, if_absent: bool) -> Version:
        if self.weakness == "refuses" and (if_match or if_absent):
            raise Unsupported("no conditions")
        if self.weakness == "breaks" and if_absent:
            raise Unreachable("gone away")
        if if_match is not None and self.weakness != "ignores match":
            self._check(key, if_match, self.weakness)
        if if_absent and self.weakness != "ignores absent":
            absent = self.store.read(key) is None
            if self.weakness == "checks, then acts" and key.endswith("race"):
                self.gate.wait(10)
            if not absent:
                raise Conflict("there already")
            if self.weakness == "":
                return self.store.put(key, body, if_absent=True)
        version = self.store.put(key, body)
        self.known.add(version.etag)
        return version

    def delete(self, key: str, if_match: str | None) -> None:
        if if_match is not None and self.weakness != "ignores match on delete":
            self._check(key, if_match, "")
        self.store.delete(key)

    def read(self, key: str) -> Blob | None:
        return self.store.read(key)

    def _check(self, key: str, if_match: str, weakness: str) -> None:
        found = self.store.read(key)
        etag = if_match.strip('"') if self.quoted else if_match
        if weakness == "matches what was" and etag in self.known:
            return
        if weakness == "matches nothing" and found is None:
            return
        if found is None or found.etag != etag:
            raise Conflict("another version")


def found(weak: Weak) -> Findings:
    findings = probe(Raw(weak.put, weak.delete, weak.read), "scratch")
    assert weak.store.list("scratch").entries == ()
    return findings


@pytest.mark.parametrize(
    ("weakness", "put", "delete"),
    [
        ("", True, True),
        ("refuses", False, True),
        ("ignores match", False, True),
        ("ignores absent", False, True),
        ("ignores match on delete", True, False),
        ("checks, then acts", False, True),
        ("matches what was", False, True),
        ("matches nothing", False, True),
    ],
)
def test_each_weakness_is_found(weakness: str, put: bool, delete: bool) -> None:
    assert found(Weak(weakness)) == Findings(put, delete, etags_quoted=True)


def test_the_form_of_etags_is_found() -> None:
    assert found(Weak(quoted=False)) == Findings(True, True, etags_quoted=False)


def test_a_failure_is_no_finding_and_leaves_nothing() -> None:
    weak = Weak("breaks")
    with pytest.raises(Unreachable):
        probe(Raw(weak.put, weak.delete, weak.read), "scratch")
    assert weak.store.list("scratch").entries == ()


def test_a_probe_at_the_top() -> None:
    weak = Weak()
    assert probe(Raw(weak.put, weak.delete, weak.read), "").put
    assert weak.store.list("").entries == ()
