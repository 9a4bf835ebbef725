"""`locktop undo`: what is listed, what goes back, what is refused, interrupted acts, removal for good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backuplock.breaking import Step, Writer, audit_path, execute, make_plan
from backuplock.clock import SECOND
from harness.breaking import NAME, QUARANTINE, VOLUME, Scene, folder_scene, kill_at
from harness.builders import Lock
from harness.commands import Done, fingerprint, run
from harness.terminal import on_terminal
from locktop.exits import ExitCode

NO_ID = "20260102T030411Z-0123456789ab"


class Site:
    """A store in a folder, whose audit trail is where the command looks for it."""

    def __init__(self, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
        self.scene = scene
        self.root = Path(scene.store.url.removeprefix("vfs://"))
        self._capsys = capsys

    def run(self, *arguments: str) -> Done:
        return run(self._capsys, "undo", "-t", str(self.root), *arguments)

    def broken(self, name: str = NAME, reason: str = "node-221 is gone", ago_days: float = 0) -> str:
        """Break a lock, perhaps long ago; its id."""
        lock = self.scene.lock(name)
        writer = self.scene.writer()
        if ago_days:
            writer = Writer(
                self.scene.store, self.scene.audit, clock=_Past(round(ago_days * 86_400 * SECOND))
            )
        plan = make_plan(self.scene.store, self.scene.look(), lock.key)
        return execute(writer, plan.order, reason=reason, allow_live=True).id

    def there(self, name: str = NAME) -> bool:
        return (self.root / Lock(VOLUME, name).key).exists()

    def interrupted(self, step: Step) -> str:
        """Kill a break after a step; its id."""
        lock = self.scene.lock()
        kill_at(step, self.scene.store.url, audit_path(), lock.key, {})
        return self.scene.audit.entries(last=1)[0].get("id")


class _Past:
    """The clock of somebody who broke a lock a while ago."""

    def __init__(self, ago_ns: int) -> None:
        from backuplock.clock import SystemClock

        self._ago_ns = ago_ns
        self._now = SystemClock()
        self.mono_ns = self._now.mono_ns
        self.sleep = self._now.sleep

    def wall_ns(self) -> int:
        return self._now.wall_ns() - self._ago_ns


@pytest.fixture
def site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Site]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("LOCKTOP_WRITE", raising=False)
    audit_path().parent.mkdir()
    scene = folder_scene(tmp_path)
    scene.audit.close()
    scene.audit = type(scene.audit).open(audit_path())
    yield Site(scene, capsys)
    scene.audit.close()


# -- listing


def test_nothing_was_broken(site: Site) -> None:
    done = site.run()
    assert (done.code, done.out) == (ExitCode.OK, "Nothing can be put back\n")


def test_what_can_be_put_back_is_listed(site: Site) -> None:
    first, second = site.broken("lock-1"), site.broken("lock-2", reason="\x1b[31mred")
    before = fingerprint(site.root)
    done = site.run()
    assert done.code == ExitCode.OK
    assert set(re.findall(r"^\d{8}T\S+", done.out, re.MULTILINE)) == {first, second}
    for words in (
        f"{VOLUME}/lock-1.lck (backup or restore)",
        "kept until",
        "reason: node-221 is gone",
        "2 copies",
    ):
        assert words in done.out, done.out
    assert "\x1b" not in done.out
    found = site.run("--json").json
    # Ids tell whole seconds, so that the two may be told in either order.
    assert {one["lock"] for one in found["copies"]} == {"lock-1", "lock-2"}
    assert found["copies"][0]["restored"] is False
    assert found["unfinished"] == []
    schema = site.run("--schema").out
    assert [name for name in (*found, *found["copies"][0]) if name not in schema] == []
    assert fingerprint(site.root) == before


def test_what_is_back_is_listed_only_when_asked_for(site: Site) -> None:
    entry = site.broken()
    assert site.run(entry, "--write").code == ExitCode.OK
    assert "1 copy was put back, --all lists them too" in site.run().out
    assert f"{entry}  back" in site.run("--all").out


# -- putting back


def test_without_leave_to_write_it_is_only_told(site: Site) -> None:
    entry = site.broken()
    before = fingerprint(site.root)
    done = site.run(entry)
    assert done.code == ExitCode.OK
    assert "nothing was written; --write puts it back" in done.err
    assert fingerprint(site.root) == before
    site.scene.lock("lock-rival", type=2, age_s=1)
    done = site.run(entry, "--json")
    assert (done.code, done.json["copy"]["id"]) == (ExitCode.NEGATIVE, entry)
    told = site.run(entry, "--write")
    assert told.err == f"locktop: {done.json['obstacle']}\n", "beforehand as when it is tried"
    assert "lock-rival.lck came meanwhile and excludes it" in told.err


def test_it_goes_back_with_a_fresh_time(site: Site) -> None:
    entry = site.broken()
    done = site.run(entry, "--write", "--reason", "it was alive")
    assert done.code == ExitCode.OK
    assert "it counts for 150 s" in done.out
    (lock,) = site.scene.look().locks
    assert lock.raw == Lock(VOLUME, NAME).content
    assert abs((lock.modified_ns or 0) - site.scene.clock.wall_ns()) < 60 * SECOND
    begun = [one for one in site.scene.audit.entries() if one.get("act") == "undo"]
    assert [one.get("reason") for one in begun if one.get("phase") == "before"] == ["it was alive"]
    assert site.scene.outcomes() == ["broken", "undone"]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_lock_that_it_excludes_keeps_it_out_and_is_named(more: list[str], site: Site) -> None:
    entry = site.broken()
    site.scene.lock("lock-rival", type=2, age_s=1)
    done = site.run(entry, "--write", *more)
    assert done.code == ExitCode.NEGATIVE
    assert "lock-rival.lck came meanwhile and excludes it" in done.err
    assert not site.there()


def test_a_holder_that_lives_needs_no_undo(site: Site) -> None:
    entry = site.broken()
    site.scene.lock(age_s=1)
    done = site.run(entry, "--write")
    assert done.code == ExitCode.NEGATIVE
    assert "its holder lives" in done.err


def test_a_volume_that_is_gone_wants_a_word_more(site: Site) -> None:
    entry = site.broken()
    (site.root / Lock(VOLUME, NAME).key).parents[1].joinpath("volume.cfg").unlink()
    done = site.run(entry, "--write")
    assert done.code == ExitCode.NEGATIVE
    assert "the volume of" in done.err
    done = site.run(entry)
    assert (done.code, "the volume of" in done.err) == (ExitCode.NEGATIVE, True)
    done = site.run(entry, "--without-volume")
    assert (done.code, "--write puts it back" in done.err) == (ExitCode.OK, True)
    assert site.run(entry, "--write", "--without-volume").code == ExitCode.OK
    assert site.there()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["../../etc/passwd"], ExitCode.USAGE, "is not the id of a broken lock"),
        (["--finish", "x"], ExitCode.USAGE, "is not the id of a broken lock"),
        ([f"{NO_ID}0"], ExitCode.USAGE, "is not the id of a broken lock"),
        (["202"], ExitCode.USAGE, "'202' is too little of an id; give 4 characters or more of it"),
        (["1999"], ExitCode.NEGATIVE, "no copy in the quarantine has an id that begins with 1999"),
        (["--purge", "1999"], ExitCode.NEGATIVE, "locktop undo lists what there is"),
        (["--finish", "1999", "--write"], ExitCode.NEGATIVE, "no interrupted act has an id that begins with"),
        ([NO_ID], ExitCode.NEGATIVE, f"has no copy {NO_ID}"),
        ([NO_ID, "--write"], ExitCode.NEGATIVE, f"has no copy {NO_ID}"),
        (["--take-back", NO_ID], ExitCode.DENIED, "this session only reads"),
        (["--take-back", NO_ID, "--write"], ExitCode.NEGATIVE, "is over, or is no transaction"),
        ([NO_ID, "--finish", NO_ID], ExitCode.USAGE, "two acts"),
        (["--purge", "--finish", NO_ID], ExitCode.USAGE, "not allowed with"),
        (["--older-than", "7d"], ExitCode.USAGE, "--older-than goes with --purge"),
        (["--purge", "--older-than", "long"], ExitCode.USAGE, "--older-than"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], code: ExitCode, words: str, site: Site) -> None:
    site.broken()
    before = fingerprint(site.root)
    done = site.run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert fingerprint(site.root) == before


def test_a_place_without_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "undo", "-t", str(tmp_path / "none"))
    assert done.code == ExitCode.MISSING


def test_as_much_of_an_id_as_no_other_begins_with_is_enough(site: Site) -> None:
    one, other = site.broken("lock-1", ago_days=2), site.broken("lock-2")
    for count in (4, 9, len(other) - 1):
        word = other[:count]
        if not one.startswith(word):
            break
    assert site.run(word, "--json").json["copy"]["id"] == other
    assert site.run("--purge", one[:-1]).out.startswith(one)
    assert site.run(word, "--write").code == ExitCode.OK
    assert (site.there("lock-1"), site.there("lock-2")) == (False, True)


def test_of_an_id_that_fits_several_those_are_named_up_to_five(site: Site) -> None:
    ids = sorted(site.broken(f"lock-{n}", ago_days=1) for n in range(7))
    before = fingerprint(site.root)
    done = site.run(ids[0][:4], "--write")
    assert (done.code, done.out, done.err.count("\n")) == (ExitCode.USAGE, "", 1)
    assert f"begins 7 ids; say more of it: {', '.join(ids[:5])} and 2 more" in done.err
    assert ids[5] not in done.err
    assert fingerprint(site.root) == before


# -- interrupted acts


def test_an_interrupted_act_by_the_beginning_of_its_id(site: Site) -> None:
    """Copies of acts that did end are not in question."""
    site.broken("lock-1")
    entry = site.interrupted(Step.REMOVED)
    assert site.run("--take-back", entry[:8], "--write").code == ExitCode.OK
    assert site.there()


@pytest.mark.parametrize(
    "command", [["undo"], ["break", f"{VOLUME}/lock-other"], ["cleanup"]], ids=lambda c: c[0]
)
def test_the_next_start_of_any_of_them_tells(
    command: list[str], site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.scene.lock("lock-other")
    entry = site.interrupted(Step.REMOVED)
    before = fingerprint(site.root)
    done = run(capsys, *command, "-t", str(site.root))
    assert f"({entry}): interrupted: the lock is gone and its copy is kept" in done.err
    assert f"locktop undo --finish {entry} --write or locktop undo --take-back {entry} --write" in done.err
    assert fingerprint(site.root) == before


@pytest.mark.parametrize("step", [Step.AUDITED, Step.COPIED, Step.REMOVED])
@pytest.mark.parametrize("way", ["--finish", "--take-back"])
def test_what_was_killed_is_ended_either_way(way: str, step: Step, site: Site) -> None:
    entry = site.interrupted(step)
    (told,) = site.run("--json").json["unfinished"]
    assert (told["id"], told["can_finish"], told["can_take_back"]) == (entry, True, True)
    done = site.run(way, entry, "--write")
    assert done.code == ExitCode.OK, done.err
    assert done.out.startswith("finished: " if way == "--finish" else "taken back: ")
    assert site.there() is (way == "--take-back")
    assert site.run("--json").json["unfinished"] == []


# -- removal for good


def test_old_copies_are_removed_for_good(site: Site) -> None:
    old, young = site.broken("lock-1", ago_days=31), site.broken("lock-2", ago_days=29)
    before = fingerprint(site.root)
    done = site.run("--purge")
    assert old in done.out
    assert young not in done.out
    assert "--write removes 1 of 2 for good" in done.err
    assert fingerprint(site.root) == before
    assert site.run("--purge", "--write").out == "removed for good: 1 copy\n"
    assert [one["id"] for one in site.run("--json").json["copies"]] == [young]
    assert site.scene.outcomes()[-1] == "purged"


def test_before_their_time_a_number_or_a_word_is_wanted(site: Site) -> None:
    for number in range(3):
        site.broken(f"lock-{number}", ago_days=8)
    done = site.run("--purge", "--older-than", "7d", "--write")
    assert done.code == ExitCode.USAGE
    assert "no terminal to ask on" in done.err
    arguments = ["undo", "-t", str(site.root), "--purge", "--older-than", "7d", "--write"]
    with on_terminal(site.root, arguments) as terminal:
        terminal.expect("type their number: ")
        terminal.type("2\n")
        terminal.expect("nothing was removed")
        assert terminal.end()[0] == ExitCode.NEGATIVE
    with on_terminal(site.root, arguments) as terminal:
        terminal.expect("type their number: ")
        terminal.type("3\n")
        terminal.expect("removed for good: 3 copies")
        assert terminal.end()[0] == ExitCode.OK
    assert list((site.root / QUARANTINE).glob("*")) == []


def test_one_copy_by_its_id(site: Site) -> None:
    one, other = site.broken("lock-1"), site.broken("lock-2")
    assert site.run("--purge", one, "--write", "--yes").out == "removed for good: 1 copy\n"
    assert [copy["id"] for copy in site.run("--json").json["copies"]] == [other]
    assert site.run("--purge", one, "--write", "--yes").code == ExitCode.NEGATIVE
