"""Settings: defaults < environment < flags; each value knows where it comes from.

A setting `clock-error` is the flag `--clock-error` and the variable `LOCKTOP_CLOCK_ERROR`; both are text
and parsed by the same function, so that both are refused in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from backuplock.errors import Malformed
from backuplock.text import printable

T = TypeVar("T")


class Usage(Malformed):
    """The command line or a setting is not as it must be."""


def shown(argument: str, limit: int = 60) -> str:
    """An argument as errors repeat it: it can be a URL with a password in it."""
    return printable(re.sub(r"://\S*:\S*@", "://...@", argument), limit=limit)


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """A setting's value and its source: `default`, a variable's name or a flag."""

    value: T
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one invocation.

    Attributes:
        target: the backup target as given; None if none was.
        interval: seconds between two sweeps of the console.
        timeout: seconds that a command waits for a store; None waits for ever.
        clock_error: seconds by which a store's clock that tells nothing of itself may be off.
        ascii: draw without symbols beyond ASCII.
        mouse: let the console take the mouse.
        write: allow the store to be changed; a store is only read otherwise.
        even_if_live: where it may be changed, locks whose holders may be alive can be broken as well.
    """

    target: Value[str | None]
    interval: Value[float]
    timeout: Value[float | None]
    clock_error: Value[float]
    ascii: Value[bool]
    mouse: Value[bool]
    write: Value[bool]
    even_if_live: Value[bool]

    def required_target(self) -> str:
        """The target.

        Raises:
            Usage: none was given.
        """
        if self.target.value is None:
            raise Usage("no backup target is given", advice="name one, or set LOCKTOP_TARGET; see --help")
        return self.target.value


def resolve(flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Settle each setting from the flags that were given (None: not given) and the environment.

    Raises:
        Usage: a value does not have its form; the line names the flag or variable.
    """

    def pick(name: str, parse: Callable[[str], T], default: T) -> Value[T]:
        flag = flags.get(name.replace("-", "_"))
        if flag is not None:
            source, text = f"--{name}", str(flag)
        else:
            source = "LOCKTOP_" + name.upper().replace("-", "_")
            text = environ.get(source, "")
            if not text:
                return Value(default, "default")
        try:
            return Value(parse(text), source)
        except ValueError as error:
            raise Usage(f"{source}: {printable(text, limit=80)!r} is not {error}") from None

    return Settings(
        target=pick("target", _target, None),
        interval=pick("interval", _interval, 2.0),
        timeout=pick("timeout", _timeout, None),
        clock_error=pick("clock-error", _clock_error, 900.0),
        ascii=pick("ascii", _boolean, False),
        mouse=pick("mouse", _boolean, True),
        write=pick("write", _boolean, False),
        even_if_live=pick("even-if-live", _boolean, False),
    )


def _target(text: str) -> str | None:
    return text


def _interval(text: str) -> float:
    return _seconds(text, 0.2, 3600)


def _timeout(text: str) -> float | None:
    return _seconds(text, 0.1, 86_400)


def _clock_error(text: str) -> float:
    return _seconds(text, 0, 31_536_000)


def _seconds(text: str, least: float, most: float) -> float:
    form = f"a number of seconds from {least:g} to {most:g}"
    try:
        found = float(text)
    except ValueError:
        raise ValueError(form) from None
    if not least <= found <= most:
        raise ValueError(form)
    return found


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "yes", "true", "on"):
        return True
    if word in ("0", "no", "false", "off"):
        return False
    raise ValueError("yes or no")
