"""Acts that are killed after their n-th change of the store or of the audit trail.

`python -m harness.deaths` reads lines of JSON, [act, url, audit trail, argument, n], and does each in a
process of its own, which SIGKILL ends right after its n-th change. It answers "killed", "ended" (there were
fewer changes than n) or "failed". One such process serves many acts: it forks, and opens nothing before that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from backuplock.breaking import (
    Audit,
    AuditEntry,
    Writer,
    clean_up,
    execute,
    finish,
    make_plan,
    plan_cleanup,
    take_back,
    undo,
)
from backuplock.breaking.audit import Act, Fields, Phase
from backuplock.stores import open_store
from backuplock.stores.base import Aside, Store, aside_of
from backuplock.survey import sweep
from backuplock.target import parse_target
from harness.troubled import TroubledAside, TroubledStore

Doing = Literal["break", "undo", "finish", "take back", "clean up"]
End = Literal["killed", "ended", "failed"]


class Deaths:
    """Whoever does acts that are killed; use as a context manager."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "harness.deaths"],
            env={**os.environ, **environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Deaths:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate()

    def act(self, doing: Doing, store: Store, audit: Audit, argument: str, after: int) -> End:
        """Do it, and be killed after so many changes."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        print(
            json.dumps([doing, store.url, str(audit.path), argument, after]),
            file=self._child.stdin,
            flush=True,
        )
        end = self._child.stdout.readline().strip()
        assert end in ("killed", "ended"), end
        return cast(End, end)


class Doom:
    """Counts changes; the last one that is allowed is the last thing the process does."""

    def __init__(self, after: int) -> None:
        self._left = after

    def changed(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedStore(TroubledStore):
    """A store whose changes are counted."""

    def __init__(self, inner: Store, doom: Doom) -> None:
        super().__init__(inner)
        self.doom = doom
        for verb in ("put", "delete"):
            self.add(verb, after=doom.changed)

    @property
    def aside(self) -> Aside | None:
        found = aside_of(self.inner)
        return None if found is None else DoomedAside(self, found)


class DoomedAside(TroubledAside):
    """Its renames are counted, too; what it creates is counted as a put."""

    def __init__(self, store: DoomedStore, inner: Aside) -> None:
        super().__init__(store, inner)
        self._doom = store.doom

    def put_aside(self, key: str, to: str) -> bool:
        done = super().put_aside(key, to)
        self._doom.changed()
        return done

    def put_back(self, aside: str, key: str) -> bool:
        done = super().put_back(aside, key)
        self._doom.changed()
        return done

    def tidy(self, key: str) -> None:
        super().tidy(key)
        self._doom.changed()


class DoomedAudit(Audit):
    """A trail whose entries are counted."""

    doom: Doom

    def append(self, act: Act, phase: Phase, entry: str, at_ns: int, fields: Fields) -> AuditEntry:
        made = super().append(act, phase, entry, at_ns, fields)
        self.doom.changed()
        return made


def _do(doing: Doing, url: str, trail: str, argument: str, after: int) -> None:
    doom = Doom(after)
    store = DoomedStore(open_store(parse_target(url), writable=True), doom)
    audit = DoomedAudit.open(Path(trail))
    assert isinstance(audit, DoomedAudit)
    audit.doom = doom
    writer = Writer(store, audit)
    if doing == "break":
        execute(writer, make_plan(store, sweep(store), argument).order, allow_live=True)
    elif doing == "undo":
        undo(writer, argument)
    elif doing == "finish":
        finish(writer, argument, allow_live=True)
    elif doing == "take back":
        take_back(writer, argument)
    else:
        clean_up(writer, plan_cleanup(store, sweep(store, all_names=True)))


def _forked(line: list[Any]) -> End:
    child = os.fork()
    if child == 0:
        try:
            _do(*line)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed"
    return "ended" if os.waitstatus_to_exitcode(status) == 0 else "failed"


if __name__ == "__main__":
    for line in sys.stdin:
        print(_forked(json.loads(line)), flush=True)
