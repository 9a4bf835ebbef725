"""`locktop bundle`: the evidence that a maintainer would ask for, in one zip."""

from __future__ import annotations

import argparse
import getpass
import os
import platform
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from locktop.exits import ExitCode, exit_code, exit_table
from locktop.format import plural
from locktop.output.streams import say
from locktop.settings import Settings
from locktop.subcommands.common import add_clock_error, add_target, environ_of, settings_of, target_of
from locktop.subcommands.patience import patiently

if TYPE_CHECKING:
    from backuplock.stores.base import Store
    from backuplock.target import Target
    from locktop.bundle.material import Material
    from locktop.bundle.members import Member
    from locktop.bundle.redact import Redactor

_EXAMPLES = """\
examples:
  locktop bundle /mnt/backups                     lists what would go in, then asks
  locktop bundle --dry-run --redact @prod         lists, and writes nothing
  locktop bundle --redact --yes -o issue-4711.zip s3://backups@us-east-1/prod/

In it: the bodies of all locks and their times, the listing of each locks/ folder, what locktop makes of them,
what it saw on this machine before, the doctor's report (looking only), versions, settings and where they came
from. Credentials are never in it. --redact puts stand-ins for names of volumes, claims, hosts, people, the
bucket and addresses, the same one for the same name. The store is only read.

0: written (or listed); 1: not confirmed; 3: something could not be had (manifest.json says what).

exit codes:
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `bundle`."""
    parser.description = "Put the evidence about a store's locks into one zip, to be attached to an issue."
    parser.epilog = _EXAMPLES + exit_table()
    add_target(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="a new file (locktop-bundle-TIME.zip)")
    parser.add_argument("--redact", action="store_true", help="stand-ins for all names")
    parser.add_argument("--dry-run", action="store_true", help="list what would go in, write nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask before it is written")
    parser.add_argument("--timeout", metavar="SECONDS", help="give up after so long (wait for ever)")
    add_clock_error(parser)


def run(options: argparse.Namespace) -> int:
    """Gather, list, ask, write."""
    from locktop.prompt import confirmed, needs_person

    settings = settings_of(options)
    target = target_of(settings)
    if not (options.yes or options.dry_run):
        needs_person("give --yes, or --dry-run to see the list")
    from locktop.bundle.archive import zipped
    from locktop.newfile import write_new

    found = _gather(target, settings)
    made = _members(found, target, settings, redact=options.redact)
    _tell(found, made, redact=options.redact)
    if options.dry_run:
        say("nothing was written")
        return _code(found)
    content = zipped(made)
    path = Path(options.output) if options.output is not None else Path(_default_name(found))
    if not options.yes and not confirmed(f"Write {path} ({len(content):,} bytes)? yes or no:", "yes"):
        say("nothing was written")
        return ExitCode.NEGATIVE
    write_new(path, content, advice="name a new file with -o")
    say(f"wrote {path} ({len(content):,} bytes)")
    return _code(found)


def _gather(target: Target, settings: Settings) -> Material:
    from backuplock.clock import nanoseconds
    from backuplock.errors import Malformed

    def work(_stop: threading.Event) -> Material:
        from backuplock.stores import open_store
        from locktop.bundle.material import gather

        def opened(_writable: bool) -> Store:
            return open_store(target, environ=environ_of(settings))

        return gather(target.url, opened, nanoseconds(settings.clock_error.value))

    found = patiently(work, settings.timeout.value, url=target.url, name="bundle")
    if isinstance(found.failure, Malformed):
        # Nothing was asked: that is no evidence.
        raise found.failure
    return found


def _members(found: Material, target: Target, settings: Settings, *, redact: bool) -> list[Member]:
    from locktop.bundle.members import learn, members
    from locktop.bundle.redact import Redactor
    from locktop.config.secrets import Secrets
    from locktop.output.config import settings_json

    redactor = None
    if redact:
        redactor = Redactor()
        _learn_place(redactor, target, settings)
        learn(found, redactor)
    told = settings_json(settings)
    return members(found, told, Secrets(environ_of(settings)), redactor)


def _learn_place(redactor: Redactor, target: Target, settings: Settings) -> None:
    """The names of the store's place, of this machine and of whoever sits at it."""
    if settings.target.value is not None:
        redactor.learn("target", settings.target.value)
    redactor.learn("target", target.url)
    redactor.learn("target", target.url.rstrip("/"))
    for path in (target.path, os.path.expanduser("~")):  # noqa: PTH111
        if path.strip("/"):
            redactor.learn("path", path)
    for kind, name in (("host", target.host), ("bucket", target.bucket), ("path", target.prefix)):
        redactor.learn(kind, name)
    redactor.learn("context", settings.context.value or "")
    redactor.learn("profile", settings.profile.value or "")
    environ = environ_of(settings)
    names = ("AWS_ENDPOINTS", "AZBLOB_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
    hosts = [platform.node(), *(_host(environ.get(name, "")) for name in names)]
    for host in filter(None, hosts):
        redactor.learn("host", host)
        redactor.learn("host", host.partition(".")[0] if not host[0].isdigit() else "")
    redactor.learn("account", environ.get("AZBLOB_ACCOUNT_NAME", ""))
    try:
        redactor.learn("user", getpass.getuser())
    except (OSError, KeyError):
        return


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _tell(found: Material, made: list[Member], *, redact: bool) -> None:
    bodies = [member for member in made if member.name.startswith("bodies/")]
    how = "redacted" if redact else "with all names (--redact puts stand-ins)"
    sys.stdout.write(f"bundle of {found.target}, {how}:\n")
    for member in made:
        if not member.name.startswith("bodies/"):
            sys.stdout.write(f"  {member.name:<16} {len(member.content):>10,}  {member.what}\n")
    size = sum(len(member.content) for member in bodies)
    sys.stdout.write(
        f"  {'bodies/*.lck':<16} {size:>10,}  of {plural(len(bodies), 'lock')}, 4 KiB of each at most\n"
    )
    sys.stdout.flush()
    for problem in found.problems:
        say(f"not in it: {problem}")


def _default_name(found: Material) -> str:
    from backuplock.clock import SystemClock
    from locktop.output.fields import iso

    snapshot = found.diagnosis.snapshot if found.diagnosis is not None else None
    taken = snapshot.taken_wall_ns if snapshot is not None else SystemClock().wall_ns()
    stamp = (iso(taken) or "")[:19].replace("-", "").replace(":", "")
    return f"locktop-bundle-{stamp}Z.zip"


def _code(found: Material) -> ExitCode:
    if found.failure is not None:
        return exit_code(found.failure)
    lost = [line for line in found.problems if not line.startswith("events: nothing")]
    complete = found.diagnosis is not None and found.diagnosis.snapshot.complete
    return ExitCode.OK if complete and not lost else ExitCode.INCOMPLETE
