"""Settings: defaults < file < context < environment < flags; each value knows where it comes from.

A setting `clock-error` is the flag `--clock-error`, the variable `LOCKTOP_CLOCK_ERROR` and the key
`clock-error` of the settings file. All three are parsed by the same function, so that all are refused in the
same words.
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
    """A setting's value and its source: `default`, a place in a file, a variable's name or a flag."""

    value: T
    source: str


Layer = Mapping[str, Value[str]]
"""What the settings file says, by the setting's name: texts that were found good, and where they stand."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one invocation.

    Attributes:
        context: the name of the context that counts; None if none does.
        target: the backup target as given; None if none was.
        interval: seconds between two looks of the console.
        requests_per_second: what looking may ask of the store at most; None is as much as it takes.
        dollars_per_day: what looking may cost at most, where requests cost anything.
        prices: what they cost: "auto" (AWS's on AWS, else nothing), "aws", "free", or "LIST/GET".
        timeout: seconds that a command waits for a store; None waits for ever.
        clock_error: seconds by which a store's clock that tells nothing of itself may be off.
        ascii: draw without symbols beyond ASCII.
        mouse: let the console take the mouse.
        write: allow the store to be changed; a store is only read otherwise.
        even_if_live: where it may be changed, locks whose holders may be alive can be broken as well.
        profile: the AWS profile that stands for the keys in the environment. endpoint: likewise, S3's.
        accent: the colour of the context's name. protected: it is marked as one to be careful with.
    """

    context: Value[str | None]
    target: Value[str | None]
    interval: Value[float]
    requests_per_second: Value[float | None]
    dollars_per_day: Value[float]
    prices: Value[str]
    timeout: Value[float | None]
    clock_error: Value[float]
    ascii: Value[bool]
    mouse: Value[bool]
    write: Value[bool]
    even_if_live: Value[bool]
    profile: Value[str | None]
    endpoint: Value[str | None]
    accent: Value[str]
    protected: Value[bool]

    def required_target(self) -> str:
        """The target.

        Raises:
            Usage: none was given.
        """
        if self.target.value is None:
            raise Usage(
                "no backup target is given", advice="name one, or set LOCKTOP_TARGET or a context; see --help"
            )
        return self.target.value

    def environ(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """The environment as the store is to see it.

        A context's profile stands for all keys, as `aws --profile` does: those that lie in the environment
        are another store's.
        """
        changed = dict(environ)
        if self.profile.value is not None:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
                changed.pop(name, None)
            changed["AWS_PROFILE"] = self.profile.value
        if self.endpoint.value is not None:
            changed["AWS_ENDPOINTS"] = self.endpoint.value
        return changed


_NEGATED = {("write", "no"): "--read-only", ("mouse", "no"): "--no-mouse"}
"""Flags that switch something off are not called like the setting."""

NO_CONTEXT: Value[str | None] = Value(None, "default")


def resolve(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    layer: Layer | None = None,
    context: Value[str | None] = NO_CONTEXT,
) -> Settings:
    """Settle each setting from the flags that were given (None: not given), the environment and the file.

    Args:
        layer: what the file says, of the context that counts and else.
        context: that context; it names the target, whatever the environment says.

    Raises:
        Usage: a value does not have its form; the line names the flag, the variable or the place.
    """
    said: Layer = layer or {}

    def pick(name: str, parse: Callable[[str], T], default: T) -> Value[T]:
        flag = flags.get(name.replace("-", "_"))
        variable = "LOCKTOP_" + name.upper().replace("-", "_")
        if flag is not None:
            text = str(flag)
            source = _NEGATED.get((name, text), f"--{name}")
        elif environ.get(variable):
            source, text = variable, environ[variable]
        else:
            return only_file(name, parse, default)
        return _parsed(text, source, parse)

    def only_file(name: str, parse: Callable[[str], T], default: T) -> Value[T]:
        found = said.get(name)
        return Value(default, "default") if found is None else _parsed(found.value, found.source, parse)

    where = only_file if context.value is not None else pick
    return Settings(
        context=context,
        target=where("target", _text, None),
        interval=pick("interval", _interval, 2.0),
        requests_per_second=pick("requests-per-second", _rate, None),
        dollars_per_day=pick("dollars-per-day", _dollars, 2.0),
        prices=pick("prices", _prices, "auto"),
        timeout=pick("timeout", _timeout, None),
        clock_error=pick("clock-error", _clock_error, 900.0),
        ascii=pick("ascii", _boolean, False),
        mouse=pick("mouse", _boolean, True),
        write=pick("write", _boolean, False),
        even_if_live=pick("even-if-live", _boolean, False),
        profile=only_file("profile", _text, None),
        endpoint=only_file("endpoint", _text, None),
        accent=only_file("accent", str, ""),
        protected=only_file("protected", _boolean, False),
    )


def parsers() -> dict[str, Callable[[str], object]]:
    """How the values of settings are taken apart; each raises ValueError that says what is allowed."""
    return {
        "interval": _interval,
        "requests-per-second": _rate,
        "dollars-per-day": _dollars,
        "prices": _prices,
        "timeout": _timeout,
        "clock-error": _clock_error,
        "ascii": _boolean,
        "mouse": _boolean,
        "write": _boolean,
        "even-if-live": _boolean,
        "protected": _boolean,
    }


def _parsed(text: str, source: str, parse: Callable[[str], T]) -> Value[T]:
    try:
        return Value(parse(text), source)
    except ValueError as error:
        raise Usage(f"{source}: {printable(text, limit=80)!r} is not {error}") from None


def _text(text: str) -> str | None:
    return text


def _interval(text: str) -> float:
    return _seconds(text, 0.2, 3600)


def _timeout(text: str) -> float | None:
    return _seconds(text, 0.1, 86_400)


def _clock_error(text: str) -> float:
    return _seconds(text, 0, 31_536_000)


def _rate(text: str) -> float | None:
    return _number(text, 0.01, 10_000, "requests a second")


def _dollars(text: str) -> float:
    return _number(text, 0.01, 100_000, "dollars a day")


def _prices(text: str) -> str:
    if not re.fullmatch(r"auto|aws|free|\d{1,4}(\.\d{1,6})?/\d{1,4}(\.\d{1,6})?", text):
        raise ValueError("auto, aws, free, or dollars for 1,000 LIST and 1,000 GET: 0.005/0.0004")
    return text


def _seconds(text: str, least: float, most: float) -> float:
    return _number(text, least, most, "seconds")


def _number(text: str, least: float, most: float, of: str) -> float:
    form = f"a number of {of} from {least:g} to {most:g}"
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
