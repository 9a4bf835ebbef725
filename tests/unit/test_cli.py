"""The command line in process: dispatch, targets, exit codes, one line per error."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import pytest

from harness.builders import Fleet, Lock, Volume, write_all
from locktop import cli, subcommands
from locktop.exits import ExitCode

STORE = Fleet(
    (Volume("pvc-a", "shop", "data-db-0", "db"), Volume("pvc-b")),
    (Lock("pvc-a", "lock-1"), Lock("pvc-a", "lock-2", type=2, acquired=False, age_s=4.0)),
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOCKTOP_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder with two locks."""
    root = tmp_path / "store"
    write_all(root, STORE, time.time_ns())
    return root


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of stderr, with nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("locktop: ")
    assert "Traceback" not in err
    return err


def test_ls_takes_the_target_in_three_ways(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []
    for arguments, variable in (
        (["ls", "--json", str(store)], ""),
        (["ls", "-t", str(store), "--json"], ""),
        (["ls", "--json"], str(store)),
        (["ls", "--json", str(store)], "/elsewhere"),
    ):
        monkeypatch.setenv("LOCKTOP_TARGET", variable)
        assert cli.main(arguments) == ExitCode.OK
        keys.append([lock["key"] for lock in json.loads(capsys.readouterr().out)["locks"]])
    assert keys == [[lock.key for lock in STORE.locks]] * 4


def test_two_targets_are_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ls", str(store), "-t", str(store)]) == ExitCode.USAGE
    assert "two targets" in one_line(capsys)


def test_the_table_is_data_and_the_summary_is_narration(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ls", str(store)]) == ExitCode.OK
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["STATE", "VOLUME", "CLAIM", "TYPE", "TTL", "AGE", "BLOCKS", "OWNER", "LOCK"]
    assert [line.split()[0] for line in lines[1:]] == ["waiting", "held"]
    assert "shop/data-db-0" in lines[2]
    assert "\x1b" not in out
    assert err.startswith("locktop: 2 locks on 1 of 2 volumes; 1 held, 1 waiting; store clock ")


def test_all_names_the_claims_of_volumes_without_locks(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = Volume("pvc-free", "shop", "cart")
    write_all(store, Fleet((free,), ()), time.time_ns())
    assert cli.main(["ls", "--all", str(store)]) == ExitCode.OK
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "pvc-free" in line]
    assert line.split()[:3] == ["unlocked", "pvc-free", "shop/cart"]


def test_quiet_says_nothing_beside_the_data(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ls", "-q", str(store)]) == ExitCode.OK
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("s3://bucket@region", "path must not be empty"),
        ("s3:///path/", "no bucket"),
        ("s3://KEY:hunter2secret@bucket/path/", "credentials"),
        ("ftp://host/path", "no kind of backup target"),
        ("http://minio:9000/bucket", "AWS_ENDPOINTS"),
        ("nfs://host", "share"),
        ("cifs://user:hunter2secret@host/share", "credentials"),
        ("vfs:///mnt/../etc", "'..'"),
        ("/mnt/\x1b[31m", "control character"),
        ("/" + "x" * 5000, "characters"),
    ],
)
@pytest.mark.parametrize("form", ["ls", "console"])
def test_a_malformed_target_gets_one_line(
    form: str, target: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ls", target] if form == "ls" else [target]) == ExitCode.USAGE
    line = one_line(capsys)
    assert said in line
    assert "hunter2secret" not in line


@pytest.mark.parametrize("name", sorted(subcommands.COMMANDS))
def test_json_says_what_its_fields_mean(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "pydoc" not in shown, "which finds nothing unless locktop lies on the path of just that Python"
    if "--json" not in shown:
        assert "--schema" not in shown
        return
    assert cli.main([name, "--schema"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert "JSON" in out
    assert "version" in out


def test_the_schema_names_every_field_of_a_lock(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ls", "--json", str(store)]) == ExitCode.OK
    (lock, *_) = json.loads(capsys.readouterr().out)["locks"]
    assert cli.main(["ls", "--schema"]) == ExitCode.OK
    said = capsys.readouterr().out
    assert [field for field in lock if field not in said] == []


def test_azure_without_its_variables_names_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("azure.storage.blob", reason="azure-storage-blob is not installed")
    monkeypatch.delenv("AZBLOB_ACCOUNT_NAME", raising=False)
    assert cli.main(["ls", "azblob://box@core.windows.net/path/"]) == ExitCode.DENIED
    assert "AZBLOB_ACCOUNT_NAME" in one_line(capsys)


def test_a_wrong_argument_repeats_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ls", "/x", "s3://AK:hunter2/secret@bucket/p/"]) == ExitCode.USAGE
    assert "secret" not in one_line(capsys)


def test_no_target(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["ls"]):
        assert cli.main(arguments) == ExitCode.USAGE
        assert "LOCKTOP_TARGET" in one_line(capsys)


def test_the_console_without_a_terminal_names_ls(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(store)]) == ExitCode.USAGE
    assert f"use locktop ls {store}" in one_line(capsys)
    assert cli.main(["demo"]) == ExitCode.USAGE
    assert "use locktop demo --no-console" in one_line(capsys)


@pytest.mark.parametrize("target", ["nfs://nas.invalid:/backups", "cifs://nas.invalid/backups"])
def test_the_console_does_not_start_on_a_share_that_is_not_mounted(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([target]) == ExitCode.MISSING
    line = one_line(capsys)
    assert "is not mounted; as root: mkdir -p" in line
    assert "mount -t" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lss"], "did you mean locktop ls?"),
        (["LS"], "did you mean locktop ls?"),
        (["dmeo"], "did you mean locktop demo?"),
        (["frobnicate"], "commands are ls, "),
        (["-t", "/x", "ls"], "write locktop ls first"),
        (["lss", "/x"], "did you mean locktop ls?"),
        (["lss", "-t", "/x"], "did you mean locktop ls?"),
        (["help"], "write locktop --help"),
        (["help", "ls"], "write locktop ls --help"),
        (["ls", "--jsno", "/x"], "no option '--jsno'; did you mean --json? see locktop ls --help"),
        (["ls", "/x", "--frob", "/y"], "no option '--frob'; see locktop ls --help"),
        (["ls", "/x", "/y"], "one argument too many: '/y'; see locktop ls --help"),
        (["show", "v", "--frob=7", "w"], "no option '--frob'; see locktop show --help"),
        (["ls", "--json", "--csv", "/x"], "not allowed with"),
        (["ls", "--timeout", "soon", "/x"], "--timeout: 'soon' is not a number of seconds"),
        (["demo", "--seed", "x"], "--seed: 'x' is not a number"),
    ],
)
def test_a_wrong_command_line_gets_one_useful_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == ExitCode.USAGE
    assert said in one_line(capsys)


def test_a_folder_with_a_plain_name_is_a_target(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.parent)
    assert cli.main(["store"]) == ExitCode.USAGE
    assert "needs a terminal" in one_line(capsys)


def test_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ls", str(tmp_path / "absent")]) == ExitCode.MISSING
    assert "absent" in one_line(capsys)
    (tmp_path / "file").write_text("x")
    assert cli.main(["ls", str(tmp_path / "file")]) == ExitCode.MISSING
    assert "file" in one_line(capsys)
    (tmp_path / "other").mkdir()
    assert cli.main(["ls", str(tmp_path / "other")]) == ExitCode.MISSING
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is no backupstore here; is the path right?" in err
    assert cli.main(["ls", "nfs://nas.invalid:/backups"]) == ExitCode.MISSING
    assert "mount" in one_line(capsys)


def test_an_empty_store_is_a_complete_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "backupstore" / "volumes").mkdir(parents=True)
    assert cli.main(["ls", str(tmp_path)]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert out == ""
    assert "no locks: every operation would be granted" in err
    assert cli.main(["ls", "--json", str(tmp_path)]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["locks"] == []


class _Raises:
    """A command that fails as it is told."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """No arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Fail."""
        raise self._error


def test_an_unexpected_error_is_one_line_and_exit_70(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "load", lambda _name: _Raises(KeyError("odd\x1b[31m\nthing")))
    assert cli.main(["ls"]) == ExitCode.INTERNAL
    line = one_line(capsys)
    assert "internal error: KeyError" in line
    assert "LOCKTOP_DEBUG=1" in line
    assert "\x1b" not in line
    monkeypatch.setenv("LOCKTOP_DEBUG", "1")
    assert cli.main(["ls"]) == ExitCode.INTERNAL
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "load", lambda _name: _Raises(KeyboardInterrupt()))
    assert cli.main(["ls"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["", *subcommands.COMMANDS])
def test_help_has_examples_and_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*([name] if name else []), "--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert "examples:" in text
    assert "exit codes:" in text
    assert all(f"{code.value:>3}  {code.meaning}" in text for code in ExitCode)
    if not name:
        assert all(command in text for command in subcommands.COMMANDS)
