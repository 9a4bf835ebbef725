"""The settings file: which source wins and says so, what is refused by file, line and key, no secrets."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locktop.cli import main
from locktop.config.choose import settle
from locktop.config.example import example, write_example
from locktop.config.file import ConfigFile, config_path, read_config
from locktop.config.lines import key_lines, line_of
from locktop.config.schema import KEYS
from locktop.config.secrets import holds_secret, names_secret
from locktop.settings import Usage, Value

GOOD = """\
interval = 5           # everywhere
mouse = false
context = "staging"

[contexts.staging]
target = "/mnt/staging"
write = true
even-if-live = true

[contexts.prod]
target = "s3://backups@us-east-1/prod/"
interval = 10.5
protected = true
accent = "orange"
profile = "backup-reader"
endpoint = "https://s3.example:9000"
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the settings file of a person with a home and an environment of their own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    for name in ("LOCKTOP_TARGET", "LOCKTOP_CONTEXT", "LOCKTOP_CONFIG", "LOCKTOP_INTERVAL"):
        monkeypatch.delenv(name, raising=False)

    def put(text: str) -> Path:
        path = tmp_path / ".config" / "locktop" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put


def _read(path: Path) -> ConfigFile:
    return read_config(Value(path, "default"))


# -- provenance


def test_every_value_knows_its_line(write: Write) -> None:
    file = _read(write(GOOD))
    found = settle({}, {}, file)
    where = "~/.config/locktop/config.toml"
    assert found.context == Value("staging", f"{where}:3 context")
    assert found.target == Value("/mnt/staging", f"{where}:6 contexts.staging.target")
    assert found.write == Value(True, f"{where}:7 contexts.staging.write")
    assert found.even_if_live == Value(True, f"{where}:8 contexts.staging.even-if-live")
    assert found.interval == Value(5.0, f"{where}:1 interval")
    assert found.mouse == Value(False, f"{where}:2 mouse")
    assert found.clock_error == Value(900.0, "default")
    assert file.lines == {"staging": 5, "prod": 10}


def test_each_place_is_stronger_than_the_one_before(write: Write) -> None:
    file = _read(write(GOOD))
    top = settle({"target": "/x"}, {}, file)
    context = settle({"context": "prod"}, {}, file)
    variable = settle({"context": "prod"}, {"LOCKTOP_INTERVAL": "7"}, file)
    flag = settle({"context": "prod", "interval": "8"}, {"LOCKTOP_INTERVAL": "7"}, file)
    found = [one.interval for one in (settle({}, {}, ConfigFile(Path("/x"))), top, context, variable, flag)]
    assert [one.value for one in found] == [2.0, 5.0, 10.5, 7.0, 8.0]
    ends = ("default", ":1 interval", ":12 contexts.prod.interval", "LOCKTOP_INTERVAL", "--interval")
    assert all(one.source.endswith(end) for one, end in zip(found, ends, strict=True))


@pytest.mark.parametrize(
    ("flags", "environ", "context", "source"),
    [
        ({"context": "prod"}, {"LOCKTOP_CONTEXT": "staging"}, "prod", "--context"),
        ({"context": "prod"}, {"LOCKTOP_TARGET": "/x"}, "prod", "--context"),
        ({"target": "@prod"}, {}, "prod", "--target"),
        ({}, {"LOCKTOP_CONTEXT": "prod"}, "prod", "LOCKTOP_CONTEXT"),
        ({}, {"LOCKTOP_TARGET": "@prod"}, "prod", "LOCKTOP_TARGET"),
        ({"context": "@prod"}, {}, "prod", "--context"),
    ],
)
def test_a_context_is_named_in_several_ways(
    write: Write, flags: dict[str, object], environ: dict[str, str], context: str, source: str
) -> None:
    found = settle(flags, environ, _read(write(GOOD)))
    assert found.context == Value(context, source)
    assert found.target.value == "s3://backups@us-east-1/prod/"


@pytest.mark.parametrize(
    ("flags", "environ"), [({"target": "/elsewhere"}, {}), ({}, {"LOCKTOP_TARGET": "/elsewhere"})]
)
def test_what_a_context_allows_holds_for_no_other_target(
    write: Write, flags: dict[str, object], environ: dict[str, str]
) -> None:
    found = settle(flags, environ, _read(write(GOOD)))
    assert (found.context.value, found.target.value) == (None, "/elsewhere")
    assert (found.write.value, found.even_if_live.value) == (False, False)
    assert found.interval.value == 5.0, "what stands at the top holds everywhere"


def test_flags_and_variables_beat_what_a_context_allows(write: Write) -> None:
    file = _read(write(GOOD))
    assert settle({"write": "no"}, {}, file).write == Value(False, "--read-only")
    assert settle({}, {"LOCKTOP_WRITE": "0"}, file).write == Value(False, "LOCKTOP_WRITE")
    assert settle({"context": "prod", "write": "yes"}, {}, file).write == Value(True, "--write")
    assert settle({"context": "prod"}, {}, file).write.value is False


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        ({"target": "/x", "context": "prod"}, {}),
        ({"target": "@prod", "context": "prod"}, {}),
        ({}, {"LOCKTOP_TARGET": "/x", "LOCKTOP_CONTEXT": "prod"}),
    ],
)
def test_a_store_named_twice_in_one_place_is_refused(
    write: Write, flags: dict[str, object], environ: dict[str, str]
) -> None:
    with pytest.raises(Usage, match="both say which store"):
        settle(flags, environ, _read(write(GOOD)))


def test_a_context_that_is_not_there(write: Write, tmp_path: Path) -> None:
    file = _read(write(GOOD))
    with pytest.raises(Usage, match=r"--context: there is no context 'prd'; did you mean prod\?"):
        settle({"context": "prd"}, {}, file)
    with pytest.raises(Usage, match=r"there are staging, prod in ~/.config/locktop/config.toml"):
        settle({"context": "zzz"}, {}, file)
    with pytest.raises(Usage, match=r"a folder of that name is \./@zzz"):
        settle({"target": "@zzz"}, {}, file)
    with pytest.raises(Usage, match="locktop config init begins one"):
        settle({"context": "prod"}, {}, _read(tmp_path / "none.toml"))


def test_a_profile_stands_for_the_keys_in_the_environment(write: Write) -> None:
    file = _read(write(GOOD))
    around = {
        "AWS_ACCESS_KEY_ID": "another",
        "AWS_SECRET_ACCESS_KEY": "store's",
        "AWS_SESSION_TOKEN": "t",
        "AWS_PROFILE": "mine",
        "AWS_ENDPOINTS": "http://other",
        "HOME": "/h",
    }
    seen = settle({"context": "prod"}, around, file).environ(around)
    assert seen == {"AWS_PROFILE": "backup-reader", "AWS_ENDPOINTS": "https://s3.example:9000", "HOME": "/h"}
    assert settle({}, around, file).environ(around) == around


def test_the_store_gets_the_profile_of_its_context(tmp_path: Path) -> None:
    from backuplock.stores.s3_config import read_settings
    from backuplock.target import parse_target

    path = tmp_path / "config.toml"
    path.write_text(GOOD)
    around = {"AWS_ACCESS_KEY_ID": "another", "AWS_SECRET_ACCESS_KEY": "store's"}
    settings = settle({"context": "prod"}, around, _read(path))
    made = read_settings(parse_target(settings.required_target()), settings.environ(around))
    assert (made.profile, made.endpoint, made.access_key) == (
        "backup-reader",
        "https://s3.example:9000",
        None,
    )


# -- errors


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("intervall = 2", 1, "intervall", "is unknown; did you mean interval? allowed are context, target,"),
        ("\n\ninterval = '2'", 3, "interval", "must be a number"),
        ("interval = 0.1", 1, "interval", "must be a number of seconds from 0.2 to 3600"),
        ("interval = true", 1, "interval", "must be a number"),
        ("interval = nan", 1, "interval", "must be a number of seconds"),
        ("mouse = 1", 1, "mouse", "must be true or false"),
        ("target = 7", 1, "target", "must be text in quotes"),
        ("target = ''", 1, "target", "is empty"),
        ("target = 'backups'", 1, "target", "must be a URL as Longhorn has it, or a path that begins with"),
        ("target = 's4://x/'", 1, "target", "s4:// is no kind of backup target; write s3://"),
        ("write = true", 1, "write", "is allowed only in [contexts.NAME], for each store by itself"),
        ("context = 'prod'", 1, "context", "names no context of this file; there is none"),
        ("contexts = 3", 1, "contexts", "is not allowed here: write tables [contexts.NAME]"),
        ("[contexts]\nprod = '/x'", 2, "contexts.prod", "is not allowed here: a context is a table"),
        ("[contexts.prod]\nwrite = true", 1, "contexts.prod", "has no target"),
        ('[contexts."a b"]\ntarget = "/x"', 1, 'contexts."a b"', "is no name for a context: letters"),
        ("[contexts.p]\ntarget = '/x'\nmouse = true", 3, "contexts.p.mouse", "only at the top of the file"),
        ("[contexts.p]\ntarget = '/x'\naccent = 'red'", 3, "contexts.p.accent", "must be one of sky, green,"),
        ("[contexts.p]\ntarget = '/x'\nendpoint = 's3'", 3, "contexts.p.endpoint", "must be http(s)://"),
        (
            "[contexts.p]\ntarget = '/x'\neven-if-live = true",
            3,
            "contexts.p.even-if-live",
            "is allowed only beside write = true",
        ),
        (
            "[contexts.p]\ntarget = '/x'\nwrite = false\neven-if-live = true",
            4,
            "contexts.p.even-if-live",
            "is allowed only beside write = true",
        ),
        ("[contexts]\np = { target = '/x', colour = 'sky' }", 2, "contexts.p.colour", "is unknown"),
        ("context = 'p'\ntarget = '/x'\n[contexts.p]\ntarget = '/y'", 2, "target", "stands beside context"),
        ("even_if_live = 1", 1, "even_if_live", "is unknown; allowed are"),
        ("[contexts.p]\ntarget='/x'\neven_if_live = 1", 3, "contexts.p.even_if_live", "mean even-if-live?"),
        ("budget = 3", 1, "budget", "is unknown"),
    ],
)
def test_what_is_wrong_is_told_by_file_line_and_key(
    write: Write, capsys: pytest.CaptureFixture[str], text: str, line: int, key: str, says: str
) -> None:
    write(text + "\n")
    assert main(["ls"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"locktop: ~/.config/locktop/config.toml:{line} {key}: ")
    assert says in err
    assert err.count("\n") == 1
    assert err[:-1].isprintable()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"a = 1\nb = \n", r"config\.toml:2: this is not TOML, column 5: "),
        (b"a = 'hunter2\nb = 1", r"config\.toml:2: this is not TOML"),
        (b"a = 1\na = 2\n", r"config\.toml:2: this is not TOML"),
        (b"a = [1,\n\n", r"config\.toml:3: this is not TOML"),
        (b"a = 1\nb = '\xff'\n", r"config\.toml:2: this is not UTF-8"),
        (b"a = " + b"[" * 100_000, r"config\.toml.*(nested too deeply|not TOML)"),
        (b"#" * (1 << 20) + b"\n", r"larger than a settings file"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(raw)
    with pytest.raises(Usage, match=says) as refused:
        _read(path)
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_file_that_was_named_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--config", str(tmp_path / "none.toml"), str(tmp_path)]) == 2
    assert "--config: there is no file" in capsys.readouterr().err
    with pytest.raises(Usage, match="LOCKTOP_CONFIG: there is no file"):
        read_config(config_path(None, {"LOCKTOP_CONFIG": str(tmp_path / "none.toml")}))
    with pytest.raises(Usage, match="cannot be read: Is a directory"):
        _read(tmp_path)


def test_an_empty_file_stands_for_none() -> None:
    file = read_config(config_path("/dev/null", {}))
    assert file.found
    assert not file.top
    assert not file.contexts


# -- secrets

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "text",
    [
        f"aws_secret_access_key = '{SECRET}'",
        f"[contexts.p]\ntarget = '/x'\nsecret-key = '{SECRET}'",
        "[contexts.p]\ntarget = '/x'\nPassword = 'hunter2'",
        "[contexts.p]\ntarget = '/x'\naccess_key = 'hunter2'",
        "[contexts.p]\ntarget = '/x'\nsession-token = 'hunter2'",
        "[contexts.p]\ntarget = 's3://AKIAIOSFODNN7EXAMPLE:hunter2@us-east-1/x/'",
        "[contexts.p]\ntarget = 'cifs://user:hunter2@host/share'",
        "[contexts.p]\ntarget = 'cifs://host/share?cifsOptions=username=u,password=hunter2'",
        "[contexts.p]\ntarget = 's3://b@r/x/'\nendpoint = 'https://user:hunter2@s3.example'",
        "[contexts.p]\ntarget = 's3://b@r/x/'\nendpoint = 'https://hunter2@s3.example'",
        f"[contexts.p]\ntarget = 's3://b@r/x/'\nprofile = '{SECRET}'",
        "[contexts.p]\ntarget = 's3://b@r/x/'\nprofile = 'AKIAIOSFODNN7EXAMPLE'",
        f"interval = '{SECRET}'",
        f'"{SECRET}" = 1',
        f"[contexts.'{SECRET}']\ntarget = '/x'",
        f"[contexts.p]\ntarget = '/x'\nother = ['{SECRET}']",
        f"a = '{SECRET}\n",
        "interval = 'hunter2'",
        "[contexts.p]\ntarget = '/x'\naccent = 'hunter2'",
        "[contexts.p]\ntarget = 'hunter2'",
    ],
)
def test_credentials_are_refused_and_never_repeated(
    write: Write, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = write(text + "\n")
    for arguments in (["ls"], ["config", "show"], ["config", "contexts", "--json"], ["config", "check"]):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "config.toml:" in err
        for secret in (SECRET, "hunter2", "AKIAIOSFODNN7EXAMPLE"):
            assert secret not in err
        assert err.count("\n") == 1
    assert path.read_text() == text + "\n"


def test_show_prints_no_credentials_of_the_environment(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(GOOD)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("LOCKTOP_TARGET", "s3://AKIAIOSFODNN7EXAMPLE:hunter2@us-east-1/x/")
    assert main(["config", "show"]) == 2
    told = "".join(capsys.readouterr())
    assert main(["config", "show", "--json", "-c", "prod"]) == 0
    told += "".join(capsys.readouterr())
    assert "hunter2" not in told
    assert SECRET not in told


@pytest.mark.parametrize(
    "fine", ["prod", "s3://backups@us-east-1/prod/", "/mnt/" + "a" * 60, "nfs://[fd00::1]:/share", "a" * 40]
)
def test_what_is_no_credential(fine: str) -> None:
    assert not holds_secret(fine)
    assert not any(names_secret(name) for name in KEYS)


# -- lines


def test_lines_of_keys_in_every_form() -> None:
    text = '''\
# comment = 1
a = """
b = 1
[c]
""\\"" # """
"quoted \\u0041.key" = 'x # y'
d.e . f = [ 1, # one ]
  "]", [ 2 ],
]
[g]
h = { i = "}", j = [ "#" ] }
[g.'k.l']  # [m]
n = \'\'\'
[o]
\'\'\'
[[p]]
q = 2026-01-02T03:04:05Z
[[p]]
r = 1'''
    assert key_lines(text) == {
        ("a",): 2,
        ("quoted A.key",): 6,
        ("d", "e", "f"): 7,
        ("g",): 10,
        ("g", "h"): 11,
        ("g", "k.l"): 12,
        ("g", "k.l", "n"): 13,
        ("p",): 16,
        ("p", "q"): 17,
        ("p", "r"): 19,
    }
    found = key_lines(text)
    assert line_of(found, ("g", "h", "i")) == 11
    assert line_of(found, ("d",)) == 7
    assert line_of(found, ("zzz",)) == 1


_KEY = st.text("ab.\"' #[]=", min_size=1, max_size=4)
_TEXT = st.text("x\"'#[]{}=,\n\\", max_size=12)
_VALUES = st.recursive(
    st.integers() | st.booleans() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEY, inner, max_size=2),
    max_leaves=4,
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[ " + ", ".join(map(_toml, value)) + " ]"
    if isinstance(value, str) and "'''" not in value and not value.endswith("'") and "\\" in value:
        return f"'''\n{value}'''"
    return json.dumps(value)


@given(st.dictionaries(_KEY, st.dictionaries(_KEY, _VALUES, max_size=3), max_size=3))
def test_lines_are_those_on_which_keys_were_written(tables: dict[str, dict[str, object]]) -> None:
    text, line, expected = "", 1, {}
    for name, table in tables.items():
        text += f"[{json.dumps(name)}] # {{ [\n"
        expected[(name,)] = line
        line += 1
        for key, value in table.items():
            written = f"{json.dumps(key)} = {_toml(value)}\n"
            expected[(name, key)] = line
            text += written
            line += written.count("\n")
    assert key_lines(text) == expected


# -- the command


def test_show_says_where_each_value_came_from(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    assert main(["config", "show", "-c", "prod"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {"timeout", *KEYS}
    assert lines["context"].split() == ["context", "prod", "--context"]
    assert re.search(
        r"10\.5 +~/\.config/locktop/config\.toml:12 contexts\.prod\.interval$", lines["interval"]
    )
    assert re.search(r"no +default$", lines["write"])
    assert main(["config", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["found"] is True
    by_name = {one["name"]: one for one in found["settings"]}
    assert by_name["write"] == {
        "name": "write",
        "value": True,
        "source": "~/.config/locktop/config.toml:7 contexts.staging.write",
    }


def test_contexts_are_listed_with_what_they_allow(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    assert main(["config", "contexts"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["staging", "[RW]", "/mnt/staging", "current"],
        ["prod", "[RO]", "s3://backups@us-east-1/prod/", "protected"],
    ]
    assert main(["config", "contexts", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["contexts"]
    assert [(one["name"], one["write"], one["line"]) for one in found] == [
        ("staging", True, 5),
        ("prod", False, 10),
    ]


def test_without_a_file_it_is_said_how_to_begin(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code in ((["show"], 0), (["contexts"], 0), (["check"], 6)):
        assert main(["config", *arguments]) == code
        err = capsys.readouterr().err
        assert "there is no ~/.config/locktop/config.toml; locktop config init begins one" in err
    assert main(["config", "path"]) == 0
    assert capsys.readouterr().out.endswith("/.config/locktop/config.toml\n")


def test_init_writes_an_example_once(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / ".config" / "locktop" / "config.toml"
    assert main(["config", "init"]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["config", "check"]) == 0
    path.write_text("interval = 3\n")
    capsys.readouterr()
    assert main(["config", "init"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert path.read_text() == "interval = 3\n"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert main(["config", "init"]) == 2
    assert not (tmp_path / "elsewhere").exists()


def test_init_where_there_is_no_writing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Usage, match="cannot be written: Not a directory"):
        write_example(tmp_path / "file" / "config.toml")


def test_the_example_is_right_once_its_settings_are_uncommented(write: Write) -> None:
    settings = re.sub(r"(?m)^# (?=[\w\".-]+ = |\[)", "", example())
    file = _read(write(settings))
    every = {*file.top, *file.contexts["prod"]}
    assert every == set(KEYS)
    assert settle({}, {}, file).context.value == "prod"


def test_check_counts_and_complains(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    assert main(["config", "check"]) == 0
    assert "is right: 2 contexts" in capsys.readouterr().err
    assert main(["config", "check", "-c", "nobody"]) == 2
    assert main(["config", "path", "--json"]) == 2


def test_a_bare_name_is_no_context_but_is_told_of_it(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(GOOD)
    assert main(["prod"]) == 2
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith("neither a command nor a folder here; write @prod for the context")
    )


def test_commands_work_on_a_context(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "store" / "backupstore" / "volumes").mkdir(parents=True)
    write(f"[contexts.here]\ntarget = '{tmp_path}/store'\n")
    for arguments in (
        ["ls", "@here"],
        ["ls", "-c", "here"],
        ["ls", "-t", "@here"],
        ["blocked", "-c", "here"],
    ):
        assert main(arguments) == 0, arguments
        capsys.readouterr()
    assert main(["ls", "-c", "here", str(tmp_path)]) == 2
    assert "--target and --context both say which store" in capsys.readouterr().err
