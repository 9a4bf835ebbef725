"""`locktop break` before a person: what has to be typed, what counts as an answer, Ctrl-C at each point."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from backuplock.breaking import Audit, audit_path
from harness.breaking import NAME, QUARANTINE
from harness.builders import NS, Lock, Volume, write, write_locks
from harness.commands import fingerprint
from harness.running import running
from harness.terminal import Terminal, on_terminal
from locktop.exits import ExitCode

VOLUME = "pvc-1"
DEAD = Lock(VOLUME, NAME, 2, age_s=500)
LIVE = Lock(VOLUME, "lock-beef000000000002", 1, age_s=10)
QUESTION = r"type the last 8 characters of the lock's name \(00000001\): "


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "store"
    volume = Volume(VOLUME)
    write(root, volume.cfg_key, volume.cfg, time.time_ns() - 10_000 * NS)
    write_locks(root, [DEAD, LIVE], time.time_ns())
    return root


def breaking(root: Path, *more: str) -> AbstractContextManager[Terminal]:
    return on_terminal(root.parent, ["break", "-t", str(root), "--write", *more])


def reasons() -> Iterator[object]:
    audit = Audit.read(audit_path())
    yield from (one.fields.get("reason") for one in audit.entries() if one.get("phase") == "before")
    audit.close()


def test_the_end_of_its_name_breaks_a_stale_lock(root: Path) -> None:
    with breaking(root, f"{VOLUME}/feed") as terminal:
        terminal.expect("this only tidies up")
        terminal.expect(QUESTION)
        terminal.type(f"{NAME[-8:]}\n")
        terminal.expect("Reason, .*: ")
        terminal.type("node-221 is gone\n")
        terminal.expect(r"broken: pvc-1/lock-feed000000000001\.lck")
        assert terminal.end()[0] == ExitCode.OK
    assert not (root / DEAD.key).exists()
    assert list(reasons()) == ["node-221 is gone"]


@pytest.mark.parametrize(
    "typed", ["y", "00000002", NAME, "", "\x04"], ids=["y", "other", "all", "none", "eof"]
)
def test_anything_else_does_not(typed: str, root: Path) -> None:
    before = fingerprint(root)
    with breaking(root, f"{VOLUME}/feed") as terminal:
        terminal.expect(QUESTION)
        terminal.type(typed if typed == "\x04" else f"{typed}\n")
        terminal.expect("is not broken: what was typed is not 00000001")
        assert terminal.end()[0] == ExitCode.NEGATIVE
    assert fingerprint(root) == before


def test_what_is_typed_before_the_question_is_no_answer(root: Path) -> None:
    with breaking(root, f"{VOLUME}/feed") as terminal:
        terminal.type(f"{NAME[-8:]}\n{NAME[-8:]}\n")
        terminal.expect(QUESTION)
        terminal.type("no\n")
        terminal.expect("is not broken")
        assert terminal.end()[0] == ExitCode.NEGATIVE
    assert (root / DEAD.key).exists()


@pytest.mark.parametrize("answered", [0, 1], ids=["at the name", "at the reason"])
def test_ctrl_c_at_a_question_leaves_everything(answered: int, root: Path) -> None:
    before = fingerprint(root)
    with breaking(root, f"{VOLUME}/feed") as terminal:
        terminal.expect(QUESTION)
        if answered:
            terminal.type(f"{NAME[-8:]}\n")
            terminal.expect("Reason, .*: ")
        terminal.type("\x03")
        terminal.expect("is not broken, nothing was written")
        assert terminal.end()[0] == ExitCode.INTERRUPTED
    assert fingerprint(root) == before


def test_a_live_lock_is_not_even_asked_about(root: Path) -> None:
    with breaking(root, f"{VOLUME}/beef") as terminal:
        terminal.expect("is not broken: nothing shows that its holder is dead")
        assert terminal.end()[0] == ExitCode.NEGATIVE


@pytest.mark.parametrize("whole", [False, True])
def test_a_live_lock_wants_its_full_name(whole: bool, root: Path) -> None:
    with breaking(root, "--even-if-live", "--reason", "I know", f"{VOLUME}/beef") as terminal:
        terminal.expect("a deletion may start, and take blocks that a backup or restoration needs")
        terminal.expect(rf"type the full name of this LIVE lock \({LIVE.name}\): ")
        terminal.type(f"{LIVE.name if whole else LIVE.name[-8:]}\n")
        terminal.expect("broken: pvc-1/lock-beef" if whole else "is not broken")
        assert terminal.end()[0] == (ExitCode.OK if whole else ExitCode.NEGATIVE)
    assert (root / LIVE.key).exists() is not whole


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_lock_refreshed_while_the_person_thinks_is_not_broken(form: list[str], root: Path) -> None:
    with breaking(root, "--reason", "x", *form, f"{VOLUME}/feed") as terminal:
        terminal.expect(QUESTION)
        write(root, DEAD.key, DEAD.content)
        terminal.type(f"{NAME[-8:]}\n")
        if form:
            told = json.loads(terminal.expect(r"(?s)\{.*\n\}\r?\n")[0])
            assert (told["outcome"], told["error"]["because"]) == ("refused", "changed")
            assert told["error"]["exit_code"] == ExitCode.NEGATIVE
        terminal.expect(r"is not broken, it was refreshed \d+s ago")
        assert terminal.end()[0] == ExitCode.NEGATIVE
    assert (root / DEAD.key).read_bytes() == DEAD.content
    assert not list((root / QUARANTINE).glob("*"))


def test_the_countdown_ends_with_ctrl_c_and_the_trail_says_so(root: Path) -> None:
    with breaking(root, "--yes", "--watch", f"{VOLUME}/feed") as terminal:
        terminal.expect("watching for 7[45] s whether it comes back")
        terminal.expect(r"1:1\d left, .* is gone so far")
        terminal.type("\x03")
        terminal.expect("no longer watched")
        assert terminal.end()[0] == ExitCode.INTERRUPTED
    audit = Audit.read(audit_path())
    assert [one.get("outcome") for one in audit.entries()] == ["", "broken", "watching"]
    assert audit.verify().problem == ""
    audit.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_watch_of_a_script_alone(
    number: signal.Signals, root: Path, tmp_path: Path
) -> None:
    arguments = ["break", "-t", str(root), "--write", "--yes", "--watch", "--json", f"{VOLUME}/feed"]
    with running(tmp_path, *arguments) as one:
        one.said("watching for")
        one.send(number)
        code, out, _ = one.end()
    assert code == 128 + number
    assert '"outcome": "broken"' in out
    assert '"fate": "watching"' in out
    assert (root / DEAD.key).exists() is False
