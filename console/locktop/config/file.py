"""Reading the settings file: strictly, every complaint with file, line and key, none with a value in it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_config_path

from backuplock.errors import Malformed
from backuplock.text import printable
from locktop.config.lines import Keys, key_lines, line_of
from locktop.config.schema import KEYS, NAME, NAME_FORM, check
from locktop.config.secrets import holds_secret, names_secret
from locktop.settings import Layer, Usage, Value

MOST_BYTES = 1 << 20
_TABLES = {"contexts": "tables [contexts.NAME]", "keys": "a table [keys]"}


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The settings file, found good; empty if there is none.

    Attributes:
        path: where it is, or would be. found: whether it is there.
        top: settings that hold everywhere. contexts: name -> settings of that context, in their order.
        lines: name of a context -> the line on which it begins.
        keys: id of an action -> its keys, separated by commas, as the file has them.
    """

    path: Path
    found: bool = False
    top: Layer = field(default_factory=dict)
    contexts: Mapping[str, Layer] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    keys: Layer = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The path as people write it."""
        return shown_path(self.path)


def config_path(flag: str | None, environ: Mapping[str, str]) -> Value[Path]:
    """Where the settings file is: `--config`, LOCKTOP_CONFIG, or `locktop/config.toml` in the XDG place."""
    if flag is not None:
        return Value(Path(flag).expanduser(), "--config")
    if environ.get("LOCKTOP_CONFIG"):
        return Value(Path(environ["LOCKTOP_CONFIG"]).expanduser(), "LOCKTOP_CONFIG")
    return Value(user_config_path("locktop", appauthor=False) / "config.toml", "default")


def shown_path(path: Path) -> str:
    """A path with ~ for the home folder, printable."""
    try:
        return printable("~/" + str(path.relative_to(Path.home())))
    except (ValueError, RuntimeError):
        return printable(str(path))


def read_config(where: Value[Path]) -> ConfigFile:
    """Read and check it. That there is none is an error only if a person named it.

    Raises:
        Usage: it cannot be read or is not as it must be; one line with file, line and key.
    """
    path = where.value
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        if where.source == "default":
            return ConfigFile(path)
        raise Usage(
            f"{where.source}: there is no file {shown_path(path)}",
            advice="locktop config init writes an example there",
        ) from None
    except (OSError, ValueError) as error:
        if where.source == "default" and not _in_reach(path):
            return ConfigFile(path)
        why = printable(getattr(error, "strerror", None) or str(error), limit=100)
        raise Usage(f"{shown_path(path)} cannot be read: {why}") from None
    return _Reader(path, _text(path, raw)).config()


def _in_reach(path: Path) -> bool:
    """Whether the folder lets us look: `sudo -u` and its like may leave HOME as it was, another's."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _text(path: Path, raw: bytes) -> str:
    if len(raw) > MOST_BYTES:
        raise Usage(
            f"{shown_path(path)} is larger than a settings file", advice=f"{MOST_BYTES} bytes at most"
        )
    try:
        # TOML counts \r\n as one line end, and so does its parser.
        return raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Usage(f"{shown_path(path)}:{line}: this is not UTF-8") from None


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self._path, self._shown = path, shown_path(path)
        try:
            self._document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self._not_toml(str(error), text) from None
        except RecursionError:
            raise Usage(f"{self._shown}: brackets are nested too deeply") from None
        self._lines = key_lines(text)

    def config(self) -> ConfigFile:
        self._refuse_secrets(self._document, ())
        top = {name: value for name, value in self._document.items() if name not in _TABLES}
        settings = self._settings(top, (), "top")
        contexts = self._contexts(self._table("contexts"))
        if "context" in settings:
            self._check_default(settings, contexts)
        return ConfigFile(
            self._path,
            True,
            settings,
            contexts,
            {name: line_of(self._lines, ("contexts", name)) for name in contexts},
            self._keys(self._table("keys")),
        )

    def _table(self, name: str) -> Mapping[str, object]:
        found = self._document.get(name, {})
        if not isinstance(found, dict):
            raise self._wrong((name,), f"is not allowed here: write {_TABLES[name]}")
        return found

    def _contexts(self, tables: Mapping[str, object]) -> dict[str, Layer]:
        contexts: dict[str, Layer] = {}
        for name, table in tables.items():
            here = ("contexts", name)
            if not NAME.fullmatch(name):
                raise self._wrong(here, f"is no name for a context: {NAME_FORM}")
            if not isinstance(table, dict):
                raise self._wrong(here, "is not allowed here: a context is a table [contexts.NAME]")
            settings = self._settings(table, here, "context")
            if "target" not in settings:
                raise self._wrong(here, "has no target", advice='add target = "..."')
            live, write = settings.get("even-if-live"), settings.get("write")
            if live is not None and live.value == "yes" and (write is None or write.value == "no"):
                raise self._wrong((*here, "even-if-live"), "is allowed only beside write = true")
            contexts[name] = settings
        return contexts

    def _check_default(self, settings: Layer, contexts: Mapping[str, Layer]) -> None:
        name = settings["context"].value
        if "target" in settings:
            raise self._wrong(("target",), "stands beside context, which names a target: leave one out")
        if name not in contexts:
            raise self._wrong(("context",), f"names no context of this file; {known(contexts)}")

    def _settings(self, table: Mapping[str, object], where: Keys, place: str) -> dict[str, Value[str]]:
        return {name: self._setting(name, value, (*where, name), place) for name, value in table.items()}

    def _setting(self, name: str, value: object, path: Keys, place: str) -> Value[str]:
        key = KEYS.get(name)
        allowed = [one for one, key_ in KEYS.items() if (key_.top if place == "top" else key_.context)]
        if key is None:
            close = difflib.get_close_matches(name.replace("_", "-"), allowed, n=1)
            meant = f"did you mean {close[0]}? " if close else ""
            tables = ", [contexts.NAME], [keys]" if place == "top" else ""
            raise self._wrong(path, f"is unknown; {meant}allowed are {', '.join(allowed)}{tables}")
        if name not in allowed:
            other = (
                "in [contexts.NAME], for each store by itself" if place == "top" else "at the top of the file"
            )
            raise self._wrong(path, f"is allowed only {other}")
        try:
            text = check(key, value)
        except ValueError as error:
            raise self._wrong(path, f"must be {error}") from None
        except Malformed as error:
            raise self._wrong(path, error.what, advice=error.advice) from None
        return Value(text, self._place(path))

    def _keys(self, table: Mapping[str, object]) -> dict[str, Value[str]]:
        found: dict[str, Value[str]] = {}
        for name, value in table.items():
            several = value if isinstance(value, list) else [value]
            if not several or not all(isinstance(one, str) and one for one in several):
                raise self._wrong(("keys", name), 'must be a key or a list of keys: "s", ["s", "f5"]')
            if isinstance(value, str) and "," in value:
                raise self._wrong(("keys", name), 'must be one key; several are a list: ["s", "f5"]')
            found[name] = Value("\n".join(map(str, several)), self._place(("keys", name)))
        return found

    # -- complaints

    def _refuse_secrets(self, value: object, path: Keys) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if path[:1] != ("keys",) and names_secret(str(name)):
                    raise self._secret((*path, str(name)))
                self._refuse_secrets(inner, (*path, str(name)))
        elif isinstance(value, list):
            for inner in value:
                self._refuse_secrets(inner, path)
        elif isinstance(value, str) and holds_secret(value):
            raise self._secret(path)

    def _secret(self, path: Keys) -> Usage:
        return self._wrong(
            path,
            "looks like a credential, which never stands in this file",
            advice="name an AWS profile (profile = ...) or export the variables of Longhorn's secret",
        )

    def _place(self, path: Keys) -> str:
        return f"{self._shown}:{line_of(self._lines, path)} {_dotted(path)}"

    def _wrong(self, path: Keys, what: str, *, advice: str = "") -> Usage:
        return Usage(f"{self._place(path)}: {what}", advice=advice)

    def _not_toml(self, message: str, text: str) -> Usage:
        what, _, where = message.partition(" (at ")
        if found := re.match(r"line (\d+), column (\d+)", where):
            line, column = int(found[1]), f", column {found[2]}"
        else:
            line, column = text.count("\n") + 1, ""
        # What the parser repeats of the file could be a piece of a secret.
        what = re.sub(r"""(['"(]).*""", "", what).strip() or "Not as it must be"
        return Usage(f"{self._shown}:{line}: this is not TOML{column}: {printable(what, limit=100)}")


def known(contexts: Iterable[str]) -> str:
    """Which contexts there are, as errors say it."""
    names = ", ".join(contexts)
    return f"there are {names}" if names else "there is none"


def _dotted(path: Keys) -> str:
    parts = ["..." if holds_secret(part) else printable(part, limit=60) for part in path]
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+|\.\.\.", part) else f'"{part}"' for part in parts)
