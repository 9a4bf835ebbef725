"""The command line: picks the command, and turns whatever goes wrong into one line and an exit code.

Nothing heavy is imported here: `locktop --help` and shell completion must not wait for a terminal library
or an SDK.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from backuplock.errors import BackupLockError
from backuplock.text import printable
from locktop import __version__
from locktop.exits import SIGNALLED, ExitCode, exit_code, exit_table
from locktop.output.streams import say
from locktop.settings import Usage, shown
from locktop.subcommands import COMMANDS, load


def main(argv: Sequence[str] | None = None) -> int:
    """Run `locktop` with the given arguments (the process's own by default); the result is its exit code."""
    code = _guarded(sys.argv[1:] if argv is None else list(argv))
    if argv is None and threading.active_count() > 1:
        # What was left to a store that hangs was told; the library would try it again at exit, for 15 s.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)
    return code


def _guarded(arguments: list[str]) -> int:
    try:
        try:
            _prepare_streams()
            code = _dispatch(arguments)
            sys.stdout.flush()
        except (BackupLockError, KeyboardInterrupt, BrokenPipeError):
            if _debugging():
                traceback.print_exc()
            raise
        except Exception as error:
            if _debugging():
                traceback.print_exc()
            what = printable(f"{type(error).__name__}: {error}", limit=300)
            say(f"internal error: {what}; LOCKTOP_DEBUG=1 shows where")
            raise SystemExit(ExitCode.INTERNAL) from error
    except BackupLockError as error:
        say(str(error))
        return exit_code(error)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()
        return SIGNALLED + signal.SIGPIPE
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else ExitCode.OK
    return code


def _dispatch(arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        name, rest = first, arguments[1:]
    else:
        _check_not_a_command(first, arguments[1:])
        name, rest = "console", arguments
    command = load(name)
    parser = _Parser(name)
    command.configure(parser)
    if name == "console":
        _add_overview(parser)
    options, unknown = parser.parse_known_args(rest)
    if unknown:
        parser.refuse(unknown)
    if name == "console" and options.where in COMMANDS:
        advice = f"write locktop {options.where} first, then options"
        raise Usage(f"{options.where!r} stands after options", advice=advice)
    return command.run(options)


class _Parser(argparse.ArgumentParser):
    """argparse with one line per error."""

    def __init__(self, name: str) -> None:
        prog = "locktop" if name == "console" else f"locktop {name}"
        super().__init__(prog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise Usage(shown(message, limit=300), advice=f"see {self.prog} --help")

    def refuse(self, unknown: list[str]) -> NoReturn:
        """Refuse what nothing was made of; an option that is unknown is named alone, for what follows may be
        its value.

        Raises:
            Usage: always.
        """
        see = f"see {self.prog} --help"
        option = next((word for word in unknown if re.match("-.", word)), None)
        if option is None:
            if unknown[0] in COMMANDS:
                see = f"write locktop {unknown[0]} first, then the target"
            raise Usage(f"one argument too many: {shown(unknown[0])!r}", advice=see)
        option = option.partition("=")[0]
        known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", self.format_help()))
        for close in difflib.get_close_matches(option, known, n=1):
            see = f"did you mean {close}? {see}"
        raise Usage(f"there is no option {shown(option)!r}", advice=see)


def _add_overview(parser: argparse.ArgumentParser) -> None:
    """What the help of plain `locktop` says beyond the console's own."""
    parser.add_argument("--version", action="version", version=f"locktop {__version__}")
    parser.usage = "locktop [TARGET] [options]\n       locktop COMMAND [options]"
    commands = "\n".join(f"  {name:<9} {line}" for name, line in COMMANDS.items())
    parser.description = (
        f"{parser.description}\n\ncommands (each has its own --help with examples):\n{commands}"
    )
    parser.epilog = f"{parser.epilog}\nexit codes:\n{exit_table()}"


def _check_not_a_command(where: str, rest: list[str]) -> None:
    """A word that is no path and no URL was meant as a command."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", where) or Path(where).exists():
        return
    if where.lower() == "help":
        about = [word for word in rest if word in COMMANDS][:1]
        raise Usage("there is no command help", advice=f"write {' '.join(['locktop', *about, '--help'])}")
    if _names_context(where):
        raise Usage(
            f"{shown(where)!r} is neither a command nor a folder here",
            advice=f"write @{where} for the context",
        )
    close = difflib.get_close_matches(where.lower(), COMMANDS, n=1, cutoff=0.5)
    meant = f"did you mean locktop {close[0]}?" if close else f"commands are {', '.join(COMMANDS)}"
    raise Usage(f"{shown(where)!r} is neither a command nor a folder here", advice=meant)


def _names_context(word: str) -> bool:
    """Whether the settings file has a context of that name; one that cannot be read has none."""
    from locktop.config.file import config_path, read_config

    try:
        return word in read_config(config_path(None, os.environ)).contexts
    except Usage:
        return False


def _prepare_streams() -> None:
    """A character that the terminal's encoding lacks is shown as an escape, never an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _abandon_stdout() -> None:
    """Whoever read our output has left; what is still buffered must not fail again when we end."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _debugging() -> bool:
    return os.environ.get("LOCKTOP_DEBUG", "") not in ("", "0")
