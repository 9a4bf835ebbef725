"""Backup target URL -> `Target`. Credentials stay in the environment and never enter a target.

The forms are Longhorn's (longhorn/backupstore: s3.go, nfs.go, cifs.go, vfs.go, azblob.go), taken apart as
Go's `net/url` does: the scheme without regard to case, `%XX` in the path decoded. A plain path is `vfs`.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from backuplock.errors import Malformed
from backuplock.layout import ROOT
from backuplock.text import printable

SCHEMES = ("s3", "nfs", "cifs", "vfs", "azblob")
LENGTH_CAP = 4096
"""Characters of a target at most, as given and in canonical form; Linux's PATH_MAX."""

_EXAMPLES = {
    "s3": "s3://bucket@region/path/",
    "nfs": "nfs://host:/share",
    "cifs": "cifs://host/share",
    "vfs": "vfs:///path",
    "azblob": "azblob://container@core.windows.net/path/",
}
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINTS",
    "cifs": "CIFS_USERNAME and CIFS_PASSWORD",
    "azblob": "AZBLOB_ACCOUNT_NAME, AZBLOB_ACCOUNT_KEY and AZBLOB_ENDPOINT",
}
_ALIASES = {"smb": "cifs", "azure": "azblob", "wasb": "azblob", "abfs": "azblob", "minio": "s3", "gs": "s3"}

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}")
_OPTION_KEY = re.compile(r"[a-zA-Z0-9_.-]+")
_OPTION_VALUE = re.compile(r"[a-zA-Z0-9_./:@+=\[\]-]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~!$&'()*+,;=:@")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a backup store is.

    Attributes:
        scheme: `s3`, `nfs`, `cifs`, `vfs` or `azblob`.
        url: the canonical form: printable, without secrets, and parsed again it gives an equal target.
        bucket: the bucket (s3) or container (azblob).
        region: the region (s3); empty if the URL names none, then the store looks at AWS_REGION.
        prefix: what stands before every key (s3, azblob): parts joined by `/`, none at either end.
        host: the server (nfs, cifs; IPv6 without brackets) or endpoint suffix (azblob).
        path: the absolute local path (vfs), or the path of the share on its server (nfs, cifs).
        options: `nfsOptions` or `cifsOptions`, in order; a flag has an empty value.
    """

    scheme: str
    url: str
    bucket: str = ""
    region: str = ""
    prefix: str = ""
    host: str = ""
    path: str = ""
    options: tuple[tuple[str, str], ...] = ()


def parse_target(text: str, environ: Mapping[str, str] | None = None) -> Target:
    """Take a backup target apart.

    A local path may name the target's root or the `backupstore` folder in it, and a plain one may hold `..`.
    Nothing else is asked of the file system; whether anything is there at all is the store's affair.

    Args:
        text: a URL in one of Longhorn's forms, `file:///path`, or a plain path (`/x`, `./x`, `~/x`).
        environ: where HOME is looked up for `~/`; the process's environment by default.

    Raises:
        Malformed: one line that says what is wrong, where, and what to write instead; it repeats
            nothing that could be a credential.
    """
    _check_text(text)
    before, mark, rest = text.partition("://")
    if not mark:
        return _plain(text, environ)
    scheme = before.lower()
    if scheme == "file":
        scheme = "vfs"
    if scheme not in SCHEMES:
        raise _unknown_scheme(before)
    _refuse_credentials(scheme, rest)
    authority, path, options = _split(scheme, rest, _shown(scheme, rest))
    if scheme in ("s3", "azblob"):
        return _object_store(scheme, authority, path)
    if scheme == "vfs":
        return _local(authority, path)
    return _share(scheme, authority, path, options)


def store_root(path: Path) -> Path:
    """The target's root, when a person pointed at the `backupstore` folder itself; else `path` as it is.

    A folder that holds `backupstore` is a root whatever its own name (Longhorn's examples name it so).
    """
    try:
        inside = path.name == ROOT and (path / "volumes").is_dir() and not (path / ROOT).is_dir()
    except OSError:
        return path
    return path.parent if inside else path


def local_target(path: Path | str) -> Target:
    """The `vfs` target of a path, taken as it is: made absolute, not looked at.

    Raises:
        Malformed: the path is too long.
    """
    root = str(Path(path).absolute())
    return Target("vfs", _capped("vfs://" + _encoded(root)), path=root)


def _check_text(text: str) -> None:
    if not text.strip():
        raise Malformed("the backup target is empty", advice="write " + _any_form())
    if len(text) > LENGTH_CAP:
        raise Malformed(f"the backup target has {len(text)} characters", advice=f"{LENGTH_CAP} are the most")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Malformed("the backup target is not text", advice="write it in UTF-8") from None
    if any(unicodedata.category(char) == "Cc" for char in text):
        raise Malformed("the backup target holds a control character", advice="remove it")
    if text != text.strip():
        raise Malformed("the backup target starts or ends with white space", advice="remove it")


def _any_form() -> str:
    return f"{', '.join(_EXAMPLES[scheme] for scheme in SCHEMES)}, or a path"


def _shown(scheme: str, rest: str) -> str:
    """A target as errors repeat it: without the query, and cut short where a secret could stand."""
    if "@" in rest and ":" in rest:
        return f"{scheme}://..."
    return printable(f"{scheme}://{rest.partition('?')[0]}", limit=200)


def _unknown_scheme(before: str) -> Malformed:
    if not _SCHEME.fullmatch(before):
        return Malformed("the backup target does not start with a scheme", advice="write " + _any_form())
    name = before.lower()
    if name in ("http", "https"):
        advice = f"for S3 export AWS_ENDPOINTS={name}://... and write {_EXAMPLES['s3']}"
    elif close := _ALIASES.get(name) or next(iter(difflib.get_close_matches(name, SCHEMES, 1)), ""):
        advice = f"did you mean {_EXAMPLES[close]}?"
    else:
        advice = "write " + _any_form()
    return Malformed(f"{before}:// is no kind of backup target", advice=advice)


def _refuse_credentials(scheme: str, rest: str) -> None:
    """Refuse what stands where passwords stand, before any message repeats it."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    bare = re.sub(r"^\[[^\]]*\]", "", authority)
    if scheme in ("nfs", "cifs") and _is_ipv6(bare.removesuffix(":")):
        raise Malformed(
            f"{scheme}://: an IPv6 address stands without brackets",
            advice=f"write {scheme}://[address]" + (":/share" if scheme == "nfs" else "/share"),
        )
    if scheme in ("s3", "azblob"):
        suspect = ":" in bare or bare.count("@") > 1
    else:
        suspect = "@" in bare or bool(re.search(r":(?!\d*$)", bare))
    if suspect:
        names = _CREDENTIALS.get(scheme)
        advice = f"export {names} instead and write " if names else "write "
        raise Malformed(
            f"{scheme}://: credentials or an endpoint stand in the target", advice=advice + _EXAMPLES[scheme]
        )


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _split(scheme: str, rest: str, shown: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Authority, decoded and cleaned path (empty, or with a leading slash), options."""
    if "#" in rest:
        raise Malformed(f"{shown}: '#' would start a fragment", advice="write it as %23")
    body, mark, query = rest.partition("?")
    authority, slash, encoded = body.partition("/")
    if _BAD_ESCAPE.search(encoded):
        raise Malformed(f"{shown}: '%' is not followed by two hex digits", advice="write a plain '%' as %25")
    raw = unquote_to_bytes(encoded.encode("utf-8", "surrogateescape"))
    decoded = raw.decode("utf-8", "surrogateescape")
    path = slash + "/".join(_parts(decoded, shown, scheme in ("s3", "azblob")))
    return authority, path, _options(scheme, query, shown) if mark else ()


def _parts(path: str, shown: str, must_be_utf8: bool) -> list[str]:
    for char in path:
        category = unicodedata.category(char)
        if category == "Cc" or (category == "Cs" and must_be_utf8):
            what = "a control character" if category == "Cc" else "bytes that are not UTF-8"
            raise Malformed(f"{shown}: the path holds {what}", advice="choose a path without")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Malformed(f"{shown}: the path holds '..'", advice="write the path without it")
    return parts


def _options(scheme: str, query: str, shown: str) -> tuple[tuple[str, str], ...]:
    if scheme not in ("nfs", "cifs"):
        raise Malformed(f"{shown}: {scheme} targets take no '?'", advice="a plain '?' is written %3F")
    name, _, value = query.partition("=")
    if name != f"{scheme}Options" or "&" in value:
        raise Malformed(
            f"{shown}: something else than {scheme}Options follows '?'",
            advice=f"write {_EXAMPLES[scheme]}?{scheme}Options=option,option=value",
        )
    options: list[tuple[str, str]] = []
    for option in unquote_plus(value, errors="surrogateescape").split(","):
        key, _, setting = option.partition("=")
        if not option:
            continue
        if key.lower().startswith("pass"):
            raise Malformed(f"{shown}: a password stands in {name}", advice="export CIFS_PASSWORD instead")
        if not _OPTION_KEY.fullmatch(key) or not _OPTION_VALUE.fullmatch(setting):
            raise Malformed(
                f"{shown}: option {len(options) + 1} of {name} is not a mount option",
                advice="write option or option=value, separated by commas",
            )
        options.append((key, setting))
    return tuple(options)


def _object_store(scheme: str, authority: str, path: str) -> Target:
    user, mark, rest = authority.rpartition("@")
    bucket, place = (user, rest) if mark else (rest, "")
    shown = _shown(scheme, authority + path)
    what, where = ("bucket", "region") if scheme == "s3" else ("container", "endpoint")
    if not bucket:
        raise Malformed(f"{shown}: no {what} is named", advice=f"write {_EXAMPLES[scheme]}")
    if not _NAME.fullmatch(bucket):
        raise Malformed(f"{shown}: this is no {what} name", advice=f"write {_EXAMPLES[scheme]}")
    if place and not _NAME.fullmatch(place):
        raise Malformed(f"{shown}: this is no {where}", advice=f"write {_EXAMPLES[scheme]}")
    if not path:
        raise Malformed(f"{shown}: the path must not be empty", advice="end the target in '/' at least")
    prefix = path.strip("/")
    at = f"@{place}" if place else ""
    url = _capped(f"{scheme}://{bucket}{at}/{_encoded(prefix)}" + ("/" if prefix else ""))
    if scheme == "s3":
        return Target("s3", url, bucket=bucket, region=place, prefix=prefix)
    return Target("azblob", url, bucket=bucket, host=place, prefix=prefix)


def _share(scheme: str, authority: str, path: str, options: tuple[tuple[str, str], ...]) -> Target:
    shown = _shown(scheme, authority + path)
    host = authority.removesuffix(":")
    literal = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    if re.search(r":\d+$", host.rpartition("]")[2]):
        raise Malformed(f"{scheme}://: a port follows the host", advice=f"write ?{scheme}Options=port=...")
    if not host:
        raise Malformed(f"{shown}: no host is named", advice=f"write {_EXAMPLES[scheme]}")
    if not (_is_ipv6(literal) or _NAME.fullmatch(host)):
        raise Malformed(f"{shown}: this is no host name", advice=f"write {_EXAMPLES[scheme]}")
    if not path or (scheme == "cifs" and path == "/"):
        raise Malformed(f"{shown}: no share is named", advice=f"write {_EXAMPLES[scheme]}")
    colon = ":" if scheme == "nfs" else ""
    words = ",".join(key + (f"={value}" if value else "") for key, value in options)
    query = f"?{scheme}Options={quote(words, safe='/:@=,')}" if words else ""
    url = _capped(f"{scheme}://{host}{colon}{_encoded(path)}{query}")
    return Target(scheme, url, host=literal or host, path=path, options=options)


def _plain(text: str, environ: Mapping[str, str] | None) -> Target:
    known = "|".join((*SCHEMES, "file"))
    if match := re.match(rf"({known})(:|//)", text, re.IGNORECASE):
        scheme = match[1].lower().replace("file", "vfs")
        raise Malformed(f"'{match[1]}' is not followed by '://'", advice=f"write {_EXAMPLES[scheme]}")
    if re.match(r"[a-zA-Z0-9._-]+:/", text):
        raise Malformed(
            "the target looks like an NFS share",
            advice="write nfs://host:/share, or ./ before a folder of such a name",
        )
    path = Path(text)
    shown = printable(text, limit=200)
    try:
        if text == "~" or text.startswith("~/"):
            home = environ.get("HOME", "") if environ is not None else str(Path.home())
            if not home.startswith("/"):
                raise Malformed(f"{shown}: HOME names no folder", advice="write the full path")
            path = Path(home, text[2:])
        elif text.startswith("~"):
            path = path.expanduser()
        if ".." in path.parts:
            # What stands before it may be a link, so only the file system knows where it leads.
            path = path.resolve()
        return _local("", str(path.absolute()))
    except (OSError, RuntimeError) as error:
        # RuntimeError: no home folder, or a loop of symbolic links.
        raise Malformed(f"{shown}: the path cannot be resolved", advice="write the full path") from error


def _local(authority: str, path: str) -> Target:
    if authority:
        raise Malformed("vfs://: a host stands in the target", advice="write three slashes: vfs:///path")
    if not path:
        raise Malformed("vfs://: the path must not be empty", advice=f"write {_EXAMPLES['vfs']}")
    clean = "/" + "/".join(_parts(path, printable(path, limit=200), False))
    return local_target(store_root(Path(clean)))


def _encoded(path: str) -> str:
    """`%XX` for whatever could not stand in a URL or is not harmless on a terminal."""
    return "".join(
        char if char in _KEPT or (not char.isascii() and printable(char) == char) else _escaped(char)
        for char in path
    )


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


def _capped(url: str) -> str:
    if len(url) > LENGTH_CAP:
        raise Malformed(f"the backup target has {len(url)} characters", advice=f"{LENGTH_CAP} are the most")
    return url
