"""Which context counts, and what the settings are then.

A target and a context name the same thing. The stronger place wins: flags before the environment before the
file; both in one place are refused. What a context says (that it may be written to, above all) holds for its
own target and never for another one.

Where a target is taken, `@NAME` names a context. A bare name never does: whether it is a folder would depend
on where one stands, and a context may be open for writing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from locktop.config.file import ConfigFile, known
from locktop.settings import Layer, Settings, Usage, Value, resolve, shown

MARK = "@"
"""What stands before the name of a context in place of a target."""


def settle(flags: Mapping[str, object], environ: Mapping[str, str], file: ConfigFile) -> Settings:
    """The settings of an invocation.

    Raises:
        Usage: a value does not have its form, a context is not there, or a target is named twice.
    """
    named = _named(flags.get("target"), flags.get("context"), ("--target", "--context")) or _named(
        environ.get("LOCKTOP_TARGET") or None,
        environ.get("LOCKTOP_CONTEXT") or None,
        ("LOCKTOP_TARGET", "LOCKTOP_CONTEXT"),
    )
    if named is None and "context" in file.top:
        default = file.top["context"]
        named = Value(default.value, default.source)
    if named is None or named.value is None:
        return resolve(flags, environ, file.top)
    found = _layer(named.value, named.source, file)
    return resolve({**flags, "target": None}, environ, found, Value(named.value, named.source))


def several(flags: Mapping[str, object], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The contexts that are named with commas between them, for those commands that take several; none where
    one is named, or a target.

    Raises:
        Usage: the same is named twice, or nothing stands between two commas.
    """
    source, text = "--context", flags.get("context")
    if text is None and flags.get("target") is None:
        source = "LOCKTOP_CONTEXT"
        text = None if environ.get("LOCKTOP_TARGET") else environ.get(source)
    names = [name.strip().removeprefix(MARK) for name in str(text or "").split(",")]
    if len(names) < 2:
        return ()
    if "" in names:
        raise Usage(f"{source}: a name is missing between commas: {shown(str(text))!r}", advice="write a,b")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise Usage(f"{source} names {shown(twice[0])!r} twice", advice="name each context once")
    return tuple(names)


def _named(target: object, context: object, sources: tuple[str, str]) -> Value[str | None] | None:
    """The context that a place names; one without a value where it names a target; None: neither."""
    if target is not None and context is not None:
        advice = "leave one out: a context has its own target"
        raise Usage(f"{sources[0]} and {sources[1]} both say which store", advice=advice)
    if context is not None:
        return Value(str(context).removeprefix(MARK), sources[1])
    if target is None:
        return None
    text = str(target)
    return Value(text.removeprefix(MARK), sources[0]) if text.startswith(MARK) else Value(None, sources[0])


def _layer(name: str, source: str, file: ConfigFile) -> Layer:
    if name not in file.contexts:
        close = difflib.get_close_matches(name, file.contexts, n=1)
        if not file.found:
            advice = f"there is no {file.shown}: locktop config init begins one"
        else:
            advice = f"did you mean {close[0]}?" if close else f"{known(file.contexts)} in {file.shown}"
        if "," in name:
            advice = "only the console shows several at once; name one"
            raise Usage(f"{source} names several contexts: {shown(name)}", advice=advice)
        if source == "--target":
            advice += f"; a folder of that name is ./{MARK}{shown(name)}"
        raise Usage(f"{source}: there is no context {shown(name)!r}", advice=advice)
    top = {key: value for key, value in file.top.items() if key not in ("target", "context")}
    return {**top, **file.contexts[name]}
