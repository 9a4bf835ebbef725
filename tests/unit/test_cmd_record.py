"""`locktop record` and `locktop replay` as processes, on real folders."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import stat
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyte
import pytest

import backuplock
import locktop
from backuplock.clock import SECOND
from backuplock.errors import Malformed
from backuplock.journal import Journal, JournalError, journal_path
from backuplock.layout import lock_key
from backuplock.stores.filesystem import FilesystemStore
from backuplock.survey import sweep
from backuplock.target import parse_target
from backuplock.watch import Event, EventKind, Watch
from harness.builders import Fleet, Lock, Volume, write_all, write_locks
from harness.histories import START, busy
from locktop.moments import moment

SOURCES = os.pathsep.join(str(Path(package.__path__[0]).parent) for package in (backuplock, locktop))
COMMAND = [sys.executable, "-m", "locktop"]
DEADLINE_S = 60


def environ(**changes: str) -> dict[str, str]:
    others = ("LOCKTOP_", "AWS_", "COLUMNS", "LINES", "NO_COLOR", "TEXTUAL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, "PYTHONPATH": SOURCES, "LANG": "C.UTF-8", "TERM": "xterm-256color", **changes}


def run(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environ(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def start(*arguments: object, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environ(**changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, f"not in {DEADLINE_S} s: {what}"
        time.sleep(0.05)


def looks(path: Path) -> int:
    try:
        reader = Journal.read(path)
    except JournalError:
        return 0
    with contextlib.closing(reader):
        return len(reader.looks())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    volumes = (Volume("pvc-a", "shop", "data-db-0"), Volume("pvc-b"))
    write_all(root, Fleet(volumes, (Lock("pvc-a", "lock-1", type=2),)), time.time_ns())
    return root


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A recording of 20 looks at five locks, with an event and a gap of two looks in it."""
    path = tmp_path / "tape.rec"
    journal = Journal.open(path)
    history = busy(20, 5)
    url = parse_target("/mnt/backups").url
    for number, snapshot in enumerate(history):
        if number in (10, 11):
            journal.record_gap(snapshot.taken_wall_ns, "unreachable", "no route \x1b[31m to host")
            continue
        key = next(iter(snapshot.by_key))
        event = Event(EventKind.LATE, key, snapshot.by_key[key].volume, 1, snapshot.taken_wall_ns)
        journal.record(replace(snapshot, target=url), [event] if number in (5, 15) else [])
    journal.close()
    return path


# -- record -------------------------------------------------------------------------------------------


def test_what_happens_is_recorded_outages_too(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "night.rec"
    worker = start("record", "-t", store, "--interval", "0.2s", path)
    until(lambda: looks(path) > 1, "two looks")
    write_locks(store, [Lock("pvc-b", "lock-2", age_s=0)], time.time_ns())
    seen = looks(path)
    until(lambda: looks(path) > seen + 1, "the new lock seen")
    hidden = store.with_name("hidden")
    store.rename(hidden)

    def gaps() -> int:
        with contextlib.closing(Journal.read(path)) as reader:
            return len(reader.gaps())

    until(lambda: gaps() == 1, "the gap")
    hidden.rename(store)
    seen = looks(path)
    until(lambda: looks(path) > seen, "another look")
    worker.send_signal(signal.SIGINT)
    out, err = worker.communicate(timeout=DEADLINE_S)
    assert (worker.returncode, out) == (0, ""), err
    assert err.count("lost:") == 1
    assert err.count("reached again") == 1
    assert "without an answer" in err.splitlines()[-1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["night.rec", "store"]
    with contextlib.closing(Journal.read(path)) as reader:
        key = lock_key("pvc-b", "lock-2")
        assert [event.kind for event in reader.history("pvc-b")] == [EventKind.ACQUIRED]
        held = reader.held_since(key)
        assert held is not None
        assert not held.lower_bound
        assert reader.snapshot(reader.looks()[-1]).by_key.keys() == {lock_key("pvc-a", "lock-1"), key}


def test_it_ends_by_itself_and_goes_on_where_it_was(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "night.rec"
    for _ in range(2):
        before = looks(path)
        done = run("record", "-t", store, "--for", "1s", "--interval", "0.2", path)
        assert done.returncode == 0, done.stderr
        assert looks(path) > before
    quiet = run("record", "-q", "--for", "0.1s", path, LOCKTOP_TARGET=str(store))
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_without_a_file_it_is_the_targets_own_journal(store: Path, tmp_path: Path) -> None:
    done = run("record", "-t", store, "--for", "0.1s", XDG_STATE_HOME=str(tmp_path / "state"))
    assert done.returncode == 0, done.stderr
    url = parse_target(str(store)).url
    path = journal_path(url, tmp_path / "state" / "locktop" / "journal")
    assert looks(path) >= 1


def test_another_targets_recording_is_refused(store: Path, tape: Path) -> None:
    before = tape.read_bytes()
    done = run("record", "-t", store, "--for", "1s", tape)
    assert done.returncode == 2
    assert "is a recording of vfs:///mnt/backups, not of" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert tape.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--for", "1s", "-t", "/nowhere/at/all", "x.rec"], 6, "/nowhere/at/all"),
        (["x.rec"], 2, "no backup target"),
        (["--for", "soon", "-t", "/tmp", "x.rec"], 2, "--for"),
        (["--interval", "0", "-t", "/tmp", "x.rec"], 2, "--interval"),
        (["-t", "/tmp", "/proc/x.rec"], 5, "/proc/x.rec"),
        (["-t", "/tmp", "/"], 2, "is a folder"),
        (["-t", "/tmp", __file__], 2, "is no recording"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], code: int, says: str, tmp_path: Path) -> None:
    content = Path(__file__).read_bytes()
    given = [str(tmp_path / word) if word == "x.rec" else word for word in arguments]
    done = run("record", "-q", *given)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert Path(__file__).read_bytes() == content


def test_a_signal_leaves_a_whole_file(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "night.rec"
    worker = start("record", "-t", store, "--interval", "0.2s", path)
    until(lambda: looks(path) > 0, "a look")
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=DEADLINE_S)
    assert worker.returncode == 128 + signal.SIGTERM, err
    assert "recorded" in err.splitlines()[-1]
    assert [file.name for file in tmp_path.glob("night.rec*")] == ["night.rec"]
    assert looks(path) > 0


# -- replay -------------------------------------------------------------------------------------------


def test_events_and_gaps_in_order(tape: Path) -> None:
    done = run("replay", "--events", tape)
    assert done.returncode == 0, done.stderr
    one, gap, two = done.stdout.splitlines()
    assert "LATE" in one
    assert "pvc-0000" in two
    assert "no answer until" in gap
    assert "\x1b" not in done.stdout
    lines = [json.loads(line) for line in run("replay", "--events", "--json", tape).stdout.splitlines()]
    assert [line["record"] for line in lines] == ["event", "lost", "event"]
    assert lines[0]["kind"] == "late"
    later = run("replay", "--events", "--from", "+12s", tape).stdout.splitlines()
    assert later == [gap, two]


def test_events_name_the_claim_as_watch_does(store: Path, tmp_path: Path) -> None:
    lock, path = store / Lock("pvc-a", "lock-1").key, tmp_path / "night.rec"
    with contextlib.closing(FilesystemStore(store)) as reader, contextlib.closing(Journal.open(path)) as kept:
        watch = Watch()
        for step in range(2):
            if step:
                lock.unlink()
            snapshot = sweep(reader)
            watch, events = watch.look(snapshot)
            kept.record(snapshot, events)
    (gone,) = [line for line in run("replay", "--events", path).stdout.splitlines() if "lock-1" in line]
    # Of a volume without locks no names are read: they are those of the look before.
    assert "pvc-a (shop/data-db-0)" in gone


def test_the_table_at_an_instant(tape: Path) -> None:
    done = run("replay", "--ls", "end", "--json", tape)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["locks"]) == 5
    table = run("replay", "--ls", "+6s", tape)
    assert table.returncode == 0
    assert table.stdout.count("pvc-0000") == 5
    assert "vfs:///mnt/backups as seen at" in table.stderr
    # Between the looks that failed, the last one is shown, and said to be that.
    blind = run("replay", "--ls", "+21s", tape)
    assert blind.returncode == 3
    assert "did not answer then" in blind.stderr
    assert "\x1b" not in blind.stderr
    assert blind.stdout.count("pvc-0000") == 5


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--events", "missing.rec"], 6, "there is no recording"),
        (["--events", __file__], 2, "is no recording"),
        (["tape.rec"], 2, "needs a terminal"),
        (["--json", "tape.rec"], 2, "--json"),
        (["--speed", "0", "tape.rec"], 2, "--speed"),
        (["--speed", "nan", "--events", "tape.rec"], 2, "--speed"),
        (["--ls", "yesterday", "tape.rec"], 2, "--ls"),
        (["--ls", "2001-01-01", "tape.rec"], 2, "before the recording"),
        (["--events", "--from", "2001-01-01", "tape.rec"], 2, "outside the recording"),
        (["--ls", "end", "--from", "end", "tape.rec"], 2, "--from"),
    ],
)
def test_bad_questions_are_one_line(tape: Path, arguments: list[str], code: int, says: str) -> None:
    given = [str(tape.parent / word) if word.endswith(".rec") else word for word in arguments]
    done = run("replay", *given)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_moments() -> None:
    begin, end = START, START + 3600 * SECOND
    iso = "2026-01-02T03:00:00"

    def at(text: str) -> int:
        return moment(text, "--ls", begin_ns=begin, end_ns=end)

    assert at("begin") == at(iso) == at(f"{iso}Z") == at("2026-01-02T05:00:00+02:00") == begin
    assert at("end") == at("+1h") == end
    assert at("-90s") == end - 90 * SECOND
    assert at(f"{iso}.123456789Z") == begin + 123_456_789
    assert at(f"{iso}.1234567899Z") == begin + 123_456_789
    assert at(f"{iso}.5") == begin + SECOND // 2
    assert at("2026-01-02") == begin - 3 * 3600 * SECOND
    for text in ("", "now", "+", "-", "+x", "12", "2026-13-01"):
        with pytest.raises(Malformed, match="--ls"):
            at(text)


class Terminal:
    """A process on a pseudo terminal, and what stands on its screen."""

    def __init__(self, *arguments: object) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env=environ(),
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        self._screen = pyte.Screen(120, 36)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def press(self, keys: str) -> None:
        os.write(self._leader, keys.encode())

    def until(self, condition: Callable[[], bool], what: str) -> None:
        give_up = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < give_up, f"not in {DEADLINE_S} s: {what}\n{self.text}"
            if select.select([self._leader], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self._stream.feed(os.read(self._leader, 65536))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._leader)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def make(*arguments: object) -> Terminal:
        started.append(Terminal(*arguments))
        return started[-1]

    yield make
    for one in started:
        one.close()


def test_the_console_on_a_recording(terminal: Callable[..., Terminal], tape: Path) -> None:
    shown = terminal("replay", "--speed", "5", tape)
    shown.until(
        lambda: "REPLAY x5" in shown.text and "tape.rec" in shown.text and "pvc-00003" in shown.text,
        "the locks",
    )
    # Paused and wound from event to event: the outage of then is an outage now, and ends as it did.
    shown.press("p<]]")
    shown.until(lambda: "no route" in shown.text, "the outage")
    shown.press("]")
    shown.until(lambda: "no route" not in shown.text and "pvc-00003" in shown.text, "the end of the outage")
    shown.press("q")
    shown.until(lambda: shown.process.poll() is not None, "the end")
    assert shown.process.wait() == 0
    assert [file.name for file in tape.parent.iterdir()] == ["tape.rec"]


def test_progress_is_drawn_on_a_terminal(
    terminal: Callable[..., Terminal], store: Path, tmp_path: Path
) -> None:
    shown = terminal("record", "-t", store, "--interval", "0.2s", tmp_path / "night.rec")
    shown.until(lambda: "looks" in shown.text and "1 lock," in shown.text, "progress")
    shown.process.send_signal(signal.SIGINT)
    shown.until(lambda: "locktop: recorded" in shown.text, "the summary")
    shown.until(lambda: shown.process.poll() is not None, "the end")
    assert shown.process.wait() == 0
